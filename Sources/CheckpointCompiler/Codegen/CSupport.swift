// The functions that emitted C may call, as text.
//
// Problem     A program holds only what it calls, and must compile without warnings as C11 and as
//             C++17, without undefined behaviour, on any machine.
// Method      A table of functions in an order in which every one follows what it calls. A program
//             names what it calls; the names they call in turn are added.
// Invariants  Bits are reinterpreted through memcpy, which compilers make a register move.
//             Functions of elements have no branches, only choices between computed values, so that
//             loops that call them become vector instructions without flags that change results.
// Needs       `CKC_INLINE`, defined as `static inline`, and the headers in `includes`.

/// A function that emitted C may call.
struct SupportFunction: Sendable {
  /// Its name in C.
  var name: String
  /// The support functions that it calls itself.
  var calls: [String] = []
  /// Its definition.
  var text: String
}

/// The functions that emitted C may call.
enum CSupport {
  /// The headers that the functions need.
  static let includes = ["math.h", "stddef.h", "stdint.h", "string.h"]

  /// All functions; every one follows those that it calls.
  static let functions: [SupportFunction] =
    bits + rounding + conversions + counts + formats + integers + math + random + places

  /// The definitions of the named functions and of all that they call, in the order of the table.
  ///
  /// - Precondition: All names are in the table.
  static func source(
    using names: Set<String>, replacing replacements: [SupportFunction] = []
  ) -> String {
    var needed = names
    var texts: [String] = []
    for original in functions.reversed() where needed.contains(original.name) {
      let function = replacements.first { $0.name == original.name } ?? original
      needed.formUnion(function.calls)
      texts.append(function.text)
    }
    precondition(texts.count == needed.count, "support functions without a row: \(needed)")
    return texts.reversed().joined(separator: "\n\n")
  }

  /// Numbers as bits and back.
  private static let bits = [
    SupportFunction(
      name: "ckc_f32_from_bits",
      text: """
        CKC_INLINE float ckc_f32_from_bits(uint32_t bits) {
          float x;
          memcpy(&x, &bits, sizeof x);
          return x;
        }
        """),
    SupportFunction(
      name: "ckc_bits_of_f32",
      text: """
        CKC_INLINE uint32_t ckc_bits_of_f32(float x) {
          uint32_t bits;
          memcpy(&bits, &x, sizeof bits);
          return bits;
        }
        """),
    SupportFunction(
      name: "ckc_f64_from_bits",
      text: """
        CKC_INLINE double ckc_f64_from_bits(uint64_t bits) {
          double x;
          memcpy(&x, &bits, sizeof x);
          return x;
        }
        """),
    SupportFunction(
      name: "ckc_bits_of_f64",
      text: """
        CKC_INLINE uint64_t ckc_bits_of_f64(double x) {
          uint64_t bits;
          memcpy(&bits, &x, sizeof bits);
          return bits;
        }
        """),
  ]

  /// Places that are data.
  private static let places = [
    SupportFunction(
      name: "ckc_clamped",
      text: """
        CKC_INLINE ptrdiff_t ckc_clamped(ptrdiff_t place, ptrdiff_t last) {
          return place < 0 ? 0 : place > last ? last : place;
        }
        """)
  ]
}
