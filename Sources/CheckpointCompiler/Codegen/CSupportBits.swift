// Support functions that look at the bits of numbers: counts, order, precision.
//
// Method      Bits are counted in ever larger groups side by side, which needs no table, no branch
//             and no function of the compiler, so that loops become vector instructions. Leading
//             zeros are those bits that a 1 shifted right into all lower places does not reach.
// Source      H. S. Warren, "Hacker's Delight", 2nd edition, 5-1 and 5-3.

extension CSupport {
  /// Counts of bits; those of narrower integers follow from them.
  static let counts = [
    SupportFunction(
      name: "ckc_popcnt_u32",
      text: """
        CKC_INLINE uint32_t ckc_popcnt_u32(uint32_t x) {
          const uint32_t pairs = x - ((x >> 1) & 0x55555555u);
          const uint32_t fours = (pairs & 0x33333333u) + ((pairs >> 2) & 0x33333333u);
          return (((fours + (fours >> 4)) & 0x0F0F0F0Fu) * 0x01010101u) >> 24;
        }
        """),
    SupportFunction(
      name: "ckc_popcnt_u64", calls: ["ckc_popcnt_u32"],
      text: """
        CKC_INLINE uint64_t ckc_popcnt_u64(uint64_t x) {
          return ckc_popcnt_u32((uint32_t)x) + ckc_popcnt_u32((uint32_t)(x >> 32));
        }
        """),
    SupportFunction(
      name: "ckc_leading_zeros_u32", calls: ["ckc_popcnt_u32"],
      text: """
        CKC_INLINE uint32_t ckc_leading_zeros_u32(uint32_t x) {
          x |= x >> 1;
          x |= x >> 2;
          x |= x >> 4;
          x |= x >> 8;
          x |= x >> 16;
          return ckc_popcnt_u32(~x);
        }
        """),
    SupportFunction(
      name: "ckc_leading_zeros_u64", calls: ["ckc_leading_zeros_u32"],
      text: """
        CKC_INLINE uint64_t ckc_leading_zeros_u64(uint64_t x) {
          const uint32_t upper = (uint32_t)(x >> 32);
          const uint32_t lower = ckc_leading_zeros_u32((uint32_t)x);
          return upper == 0 ? lower + 32u : ckc_leading_zeros_u32(upper);
        }
        """),
  ]

  /// Integers in the total order of numbers, and numbers of less precision.
  static let formats: [SupportFunction] =
    order("f32", "int32_t", "uint32_t", "0x7FFFFFFFu", upperBit: 31)
    + order("f64", "int64_t", "uint64_t", "UINT64_C(0x7FFFFFFFFFFFFFFF)", upperBit: 63)
    + reduced("u32", "uint32_t") + reduced("u64", "uint64_t")

  private static func order(
    _ dtype: String, _ type: String, _ unsigned: String, _ rest: String, upperBit: Int
  ) -> [SupportFunction] {
    [
      SupportFunction(
        name: "ckc_order_\(dtype)", calls: ["ckc_bits_of_\(dtype)"],
        text: """
          /* Of negative numbers, all bits but the sign are turned over. */
          CKC_INLINE \(type) ckc_order_\(dtype)(\(dtype == "f32" ? "float" : "double") x) {
            const \(unsigned) bits = ckc_bits_of_\(dtype)(x);
            return (\(type))(bits >> \(upperBit) != 0 ? bits ^ \(rest) : bits);
          }
          """)
    ]
  }

  private static func reduced(_ suffix: String, _ type: String) -> [SupportFunction] {
    [
      SupportFunction(
        name: "ckc_reduced_\(suffix)",
        text: """
          /* The bits of a number of a format with that infinity, without the last `dropped` ones; an
             exponent above `most` makes it infinite, one below `least` 0. */
          CKC_INLINE \(type) ckc_reduced_\(suffix)(
              \(type) bits, \(type) infinity, \(type) sign_bit, int dropped, \(type) least,
              \(type) most) {
            const \(type) sign = bits & sign_bit;
            const \(type) size = bits ^ sign;
            const \(type) unit = (\(type))1 << dropped;
            const \(type) half = dropped == 0 ? 0 : (unit >> 1) - 1 + ((size >> dropped) & 1);
            const \(type) rounded = (size + half) & ~(unit - 1);
            const \(type) exponent = rounded & infinity;
            const \(type) raised = exponent < least ? 0 : rounded;
            const \(type) number = exponent > most ? infinity : raised;
            return sign | (size > infinity ? size : number);
          }
          """)
    ]
  }
}
