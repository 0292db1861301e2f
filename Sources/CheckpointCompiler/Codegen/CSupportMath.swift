// Support functions of elementwise ops: signs, extremes, integers, and functions of floats.

extension CSupport {
  /// Integer arithmetic that C leaves undefined or does not have.
  static let integers: [SupportFunction] =
    signedDivision("i64", "int64_t", unsigned: "uint64_t")
    + signedDivision("i32", "int32_t", unsigned: "uint32_t")
    + signedDivision("i16", "int16_t", unsigned: "uint32_t")
    + signedDivision("i8", "int8_t", unsigned: "uint32_t")
    + unsignedDivision("ui64", "uint64_t", ones: "UINT64_MAX")
    + unsignedDivision("ui32", "uint32_t", ones: "UINT32_MAX")
    + unsignedDivision("ui16", "uint16_t", ones: "UINT16_MAX")
    + unsignedDivision("ui8", "uint8_t", ones: "UINT8_MAX")
    + [
      SupportFunction(
        name: "ckc_power_i64",
        text: """
          CKC_INLINE int64_t ckc_power_i64(int64_t base, int64_t exponent) {
            if (exponent < 0) {
              if (base == 1) return 1;
              return base != -1 ? 0 : exponent % 2 == 0 ? 1 : -1;
            }
            uint64_t result = 1;
            uint64_t square = (uint64_t)base;
            for (int64_t rest = exponent; rest > 0; rest /= 2) {
              if (rest % 2 == 1) result *= square;
              square *= square;
            }
            return (int64_t)result;
          }
          """),
      SupportFunction(
        name: "ckc_power_ui64",
        text: """
          CKC_INLINE uint64_t ckc_power_ui64(uint64_t base, uint64_t exponent) {
            uint64_t result = 1;
            for (uint64_t rest = exponent; rest > 0; rest /= 2) {
              if (rest % 2 == 1) result *= base;
              base *= base;
            }
            return result;
          }
          """),
      narrowPower("i32", "int32_t"), narrowPower("i16", "int16_t"), narrowPower("i8", "int8_t"),
      narrowPower("ui32", "uint32_t"), narrowPower("ui16", "uint16_t"),
      narrowPower("ui8", "uint8_t"),
    ]

  /// Division by zero gives all bits set, and the smallest number by -1 stays.
  private static func signedDivision(
    _ dtype: String, _ type: String, unsigned: String
  ) -> [SupportFunction] {
    [
      SupportFunction(
        name: "ckc_divide_\(dtype)",
        text: """
          CKC_INLINE \(type) ckc_divide_\(dtype)(\(type) a, \(type) b) {
            if (b == -1) return (\(type))((\(unsigned))0 - (\(unsigned))a);
            return (\(type))(b == 0 ? -1 : a / b);
          }
          """),
      SupportFunction(
        name: "ckc_remainder_\(dtype)",
        text: """
          CKC_INLINE \(type) ckc_remainder_\(dtype)(\(type) a, \(type) b) {
            if (b == -1) return 0;
            return (\(type))(b == 0 ? a : a % b);
          }
          """),
    ]
  }

  private static func unsignedDivision(
    _ dtype: String, _ type: String, ones: String
  ) -> [SupportFunction] {
    [
      SupportFunction(
        name: "ckc_divide_\(dtype)",
        text: """
          CKC_INLINE \(type) ckc_divide_\(dtype)(\(type) a, \(type) b) {
            return (\(type))(b == 0 ? \(ones) : a / b);
          }
          """),
      SupportFunction(
        name: "ckc_remainder_\(dtype)",
        text: """
          CKC_INLINE \(type) ckc_remainder_\(dtype)(\(type) a, \(type) b) {
            return (\(type))(b == 0 ? a : a % b);
          }
          """),
    ]
  }

  private static func narrowPower(_ dtype: String, _ type: String) -> SupportFunction {
    SupportFunction(
      name: "ckc_power_\(dtype)", calls: ["ckc_power_i64"],
      text: """
        CKC_INLINE \(type) ckc_power_\(dtype)(\(type) base, \(type) exponent) {
          return (\(type))ckc_power_i64((int64_t)base, (int64_t)exponent);
        }
        """)
  }

  /// Signs and extremes.
  private static func comparisons(
    _ dtype: String, _ type: String, _ unsigned: String, suffix: String
  ) -> [SupportFunction] {
    [
      SupportFunction(
        name: "ckc_sign_\(dtype)",
        text: """
          CKC_INLINE \(type) ckc_sign_\(dtype)(\(type) x) {
            const \(type) negative = x < 0.0\(suffix) ? -1.0\(suffix) : x;
            return x > 0.0\(suffix) ? 1.0\(suffix) : negative;
          }
          """),
      SupportFunction(
        name: "ckc_round_\(dtype)",
        text: """
          /* Ties away from zero: what is added is the largest number below one half. */
          CKC_INLINE \(type) ckc_round_\(dtype)(\(type) x) {
            const \(type) half = \(suffix.isEmpty ? "0x1.fffffffffffffp-2" : "0x1.fffffep-2f");
            return trunc\(suffix)(x + copysign\(suffix)(half, x));
          }
          """),
      SupportFunction(
        name: "ckc_maximum_\(dtype)", calls: ["ckc_bits_of_\(dtype)", "ckc_\(dtype)_from_bits"],
        text: """
          CKC_INLINE \(type) ckc_maximum_\(dtype)(\(type) a, \(type) b) {
            /* Of equal numbers only zeros differ, in the sign. */
            const \(unsigned) both = ckc_bits_of_\(dtype)(a) & ckc_bits_of_\(dtype)(b);
            const \(type) larger = a > b ? a : b;
            const \(type) number = a == b ? ckc_\(dtype)_from_bits(both) : larger;
            return a == a ? number : a;
          }
          """),
      SupportFunction(
        name: "ckc_minimum_\(dtype)", calls: ["ckc_bits_of_\(dtype)", "ckc_\(dtype)_from_bits"],
        text: """
          CKC_INLINE \(type) ckc_minimum_\(dtype)(\(type) a, \(type) b) {
            /* Of equal numbers only zeros differ, in the sign. */
            const \(unsigned) either = ckc_bits_of_\(dtype)(a) | ckc_bits_of_\(dtype)(b);
            const \(type) smaller = a < b ? a : b;
            const \(type) number = a == b ? ckc_\(dtype)_from_bits(either) : smaller;
            return a == a ? number : a;
          }
          """),
    ]
  }

  /// Functions of `float` and `double`.
  static let math: [SupportFunction] =
    comparisons("f32", "float", "uint32_t", suffix: "f")
    + comparisons("f64", "double", "uint64_t", suffix: "")
    + [
      SupportFunction(
        name: "ckc_logistic_f64",
        text: """
          CKC_INLINE double ckc_logistic_f64(double x) {
            return 1.0 / (1.0 + exp(-x));
          }
          """)
    ] + transcendental
}
