// Support functions that convert between dtypes.
//
// Method      Rounding to a 16-bit format happens on the bits of the f32, as integers: half the
//             distance of two neighbours is added, less one where the lower one is even, and what
//             carries into the exponent is right by itself. f16 below its normal range is rounded by
//             adding a float whose neighbours are as far apart as those of f16 there.
// Invariants  To nearest, ties to even; NaN stays NaN, quiet, with the upper bits of its payload.
//             Numbers out of range of an integer are replaced before the conversion, which C leaves
//             undefined for them.
// Checked by  Comparison with the interpreter: of all numbers of bf16 and f16 and the floats at and
//             between them in every test, of all 2^32 floats once.
// Source      The float addition: F. Giesen, "Float to half conversions", 2012.

extension CSupport {
  /// Conversions between f32 and the 16-bit formats.
  static let rounding = [
    SupportFunction(
      name: "ckc_bf16_to_f32", calls: ["ckc_f32_from_bits"],
      text: """
        CKC_INLINE float ckc_bf16_to_f32(uint16_t x) {
          return ckc_f32_from_bits((uint32_t)x << 16);
        }
        """),
    SupportFunction(
      name: "ckc_bf16_bits", calls: ["ckc_bits_of_f32"],
      text: """
        /* A float that is a bf16 already. */
        CKC_INLINE uint16_t ckc_bf16_bits(float x) {
          return (uint16_t)(ckc_bits_of_f32(x) >> 16);
        }
        """),
    SupportFunction(
      name: "ckc_f32_to_bf16", calls: ["ckc_bits_of_f32"],
      text: """
        CKC_INLINE uint16_t ckc_f32_to_bf16(float x) {
          const uint32_t bits = ckc_bits_of_f32(x);
          const uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
          return (uint16_t)((x == x ? rounded : bits | 0x400000u) >> 16);
        }
        """),
    SupportFunction(
      name: "ckc_round_bf16", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        CKC_INLINE float ckc_round_bf16(float x) {
          const uint32_t bits = ckc_bits_of_f32(x);
          const uint32_t rounded = bits + 0x7FFFu + ((bits >> 16) & 1u);
          return ckc_f32_from_bits((x == x ? rounded : bits | 0x400000u) & 0xFFFF0000u);
        }
        """),
    SupportFunction(
      name: "ckc_f16_to_f32", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        CKC_INLINE float ckc_f16_to_f32(uint16_t x) {
          const uint32_t magnitude = (uint32_t)(x & 0x7FFFu) << 13;
          const uint32_t sign = (uint32_t)(x & 0x8000u) << 16;
          /* The exponent is 112 larger in f32, and all ones there as well for infinity and NaN. */
          const uint32_t normal = magnitude + (112u << 23);
          const uint32_t special = magnitude + (224u << 23);
          const float subnormal = ckc_f32_from_bits(magnitude + (113u << 23)) - 0x1p-14f;
          uint32_t bits = magnitude < 0x800000u ? ckc_bits_of_f32(subnormal) : normal;
          bits = magnitude >= 0xF800000u ? special : bits;
          return ckc_f32_from_bits(bits | sign);
        }
        """),
    SupportFunction(
      name: "ckc_f16_bits", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        /* A float that is an f16 already. */
        CKC_INLINE uint16_t ckc_f16_bits(float x) {
          const uint32_t bits = ckc_bits_of_f32(x);
          const uint32_t magnitude = bits & 0x7FFFFFFFu;
          const uint32_t normal = (magnitude - (112u << 23)) >> 13;
          const uint32_t subnormal =
              ckc_bits_of_f32(ckc_f32_from_bits(magnitude) + 0.5f) - (126u << 23);
          uint32_t half = magnitude < (113u << 23) ? subnormal : normal;
          half = magnitude >= 0x7F800000u ? 0x7C00u | ((magnitude >> 13) & 0x3FFu) : half;
          return (uint16_t)(half | ((bits >> 16) & 0x8000u));
        }
        """),
    SupportFunction(
      name: "ckc_f32_to_f16", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        CKC_INLINE uint16_t ckc_f32_to_f16(float x) {
          const uint32_t bits = ckc_bits_of_f32(x);
          const uint32_t magnitude = bits & 0x7FFFFFFFu;
          const uint32_t normal =
              (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
          /* The neighbours of 1/2 are 2^-24 apart, as those of f16 below its normal range. */
          const uint32_t subnormal =
              ckc_bits_of_f32(ckc_f32_from_bits(magnitude) + 0.5f) - (126u << 23);
          const uint32_t nan = 0x7E00u | ((magnitude >> 13) & 0x3FFu);
          uint32_t half = magnitude < (113u << 23) ? subnormal : normal;
          half = magnitude >= (143u << 23) ? 0x7C00u : half;
          half = magnitude > 0x7F800000u ? nan : half;
          return (uint16_t)(half | ((bits >> 16) & 0x8000u));
        }
        """),
    SupportFunction(
      name: "ckc_round_f16", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        CKC_INLINE float ckc_round_f16(float x) {
          const uint32_t bits = ckc_bits_of_f32(x);
          const uint32_t magnitude = bits & 0x7FFFFFFFu;
          const uint32_t normal = (magnitude + 0xFFFu + ((magnitude >> 13) & 1u)) & 0xFFFFE000u;
          const float subnormal = (ckc_f32_from_bits(magnitude) + 0.5f) - 0.5f;
          uint32_t half = magnitude < (113u << 23) ? ckc_bits_of_f32(subnormal) : normal;
          half = half >= (143u << 23) ? 0x7F800000u : half;
          half = magnitude > 0x7F800000u ? (magnitude & 0xFFFFE000u) | 0x400000u : half;
          return ckc_f32_from_bits(half | (bits & 0x80000000u));
        }
        """),
  ]

  /// Conversions that round to odd, saturate, or both.
  static let conversions: [SupportFunction] =
    oddRoundings
    + floatToInteger("f32", "float", suffix: "f") + floatToInteger("f64", "double", suffix: "")

  /// Roundings to f32 after which rounding to a format of at most 22 bits is as rounding once
  /// (Boldo and Melquiond): what is inexact becomes the neighbour whose last bit is 1.
  private static let oddRoundings = [
    SupportFunction(
      name: "ckc_odd_f64_to_f32", calls: ["ckc_bits_of_f32", "ckc_f32_from_bits"],
      text: """
        /* Rounded to odd, so that rounding the result to bf16 or f16 rounds x once. */
        CKC_INLINE float ckc_odd_f64_to_f32(double x) {
          const float nearest = (float)x;
          const uint32_t bits = ckc_bits_of_f32(nearest);
          const double distance = fabs((double)nearest) - fabs(x);
          const uint32_t below = bits - (distance > 0.0 ? 1u : 0u);
          return ckc_f32_from_bits(distance > 0.0 || distance < 0.0 ? below | 1u : bits);
        }
        """),
    SupportFunction(
      name: "ckc_odd_i64_to_f32", calls: ["ckc_odd_f64_to_f32"],
      text: """
        /* So that rounding the result to bf16 or f16 rounds x once. */
        CKC_INLINE float ckc_odd_i64_to_f32(int64_t x) {
          /* Where a double does not hold x, the last 12 bits only matter as zero or not. */
          const uint64_t bits = (uint64_t)x;
          const uint64_t sticky = (bits & 0xFFFu) != 0 ? 0x800u : 0u;
          const int64_t kept = (int64_t)((bits & ~UINT64_C(0xFFF)) | sticky);
          const int isLarge = x > (INT64_C(1) << 53) || x < -(INT64_C(1) << 53);
          return ckc_odd_f64_to_f32((double)(isLarge ? kept : x));
        }
        """),
    SupportFunction(
      name: "ckc_odd_ui64_to_f32", calls: ["ckc_odd_f64_to_f32"],
      text: """
        CKC_INLINE float ckc_odd_ui64_to_f32(uint64_t x) {
          const uint64_t sticky = (x & 0xFFFu) != 0 ? 0x800u : 0u;
          const uint64_t kept = (x & ~UINT64_C(0xFFF)) | sticky;
          return ckc_odd_f64_to_f32((double)(x > UINT64_C(1) << 53 ? kept : x));
        }
        """),
  ]

  private static func floatToInteger(
    _ source: String, _ type: String, suffix: String
  ) -> [SupportFunction] {
    /// Replaces what is out of range by 0 before the conversion and by the bound after it.
    func saturating(
      _ target: String, _ result: String, above: String, below: String, max: String, min: String
    ) -> SupportFunction {
      SupportFunction(
        name: "ckc_\(source)_to_\(target)",
        text: """
          CKC_INLINE \(result) ckc_\(source)_to_\(target)(\(type) x) {
            const int fits = x > \(below)\(suffix) && x < \(above)\(suffix);
            const \(result) inside = (\(result))(fits ? x : 0.0\(suffix));
            const \(result) bounded = x >= \(above)\(suffix) ? \(max) : inside;
            return x <= \(below)\(suffix) ? \(min) : bounded;
          }
          """)
    }
    /// The same of fewer than 32 bits, whose bounds a float holds.
    func narrow(_ target: String, _ result: String, min: Int, max: Int) -> SupportFunction {
      SupportFunction(
        name: "ckc_\(source)_to_\(target)",
        text: """
          CKC_INLINE \(result) ckc_\(source)_to_\(target)(\(type) x) {
            const \(type) number = x == x ? x : 0.0\(suffix);
            const \(type) raised = number > \(min).0\(suffix) ? number : \(min).0\(suffix);
            const \(type) bounded = raised < \(max).0\(suffix) ? raised : \(max).0\(suffix);
            return (\(result))(int32_t)bounded;
          }
          """)
    }
    return [
      saturating(
        "i64", "int64_t", above: "0x1p+63", below: "-0x1p+63", max: "INT64_MAX", min: "INT64_MIN"),
      saturating(
        "i32", "int32_t", above: "0x1p+31", below: "-0x1p+31", max: "INT32_MAX", min: "INT32_MIN"),
      saturating(
        "ui64", "uint64_t", above: "0x1p+64", below: "0.0", max: "UINT64_MAX", min: "0"),
      saturating(
        "ui32", "uint32_t", above: "0x1p+32", below: "0.0", max: "UINT32_MAX", min: "0"),
      narrow("i16", "int16_t", min: -32_768, max: 32_767),
      narrow("i8", "int8_t", min: -128, max: 127),
      narrow("ui16", "uint16_t", min: 0, max: 65_535),
      narrow("ui8", "uint8_t", min: 0, max: 255),
    ]
  }
}
