// Support functions of the random numbers: Philox4x32-10 (Interpreter/Philox.swift).
//
// Method      Sixty-four consecutive words come from sixteen neighbouring blocks, whose four words
//             lie sixteen apart. So the blocks are computed side by side, one per lane of a vector.
// Source      Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//             doi:10.1145/2063384.2063405.

extension CSupport {
  /// Random words, and numbers made of them.
  static let random = [
    SupportFunction(
      name: "ckc_random_words",
      text: """
        /* Words start..<start + count of a stream; start is a multiple of 64. */
        CKC_INLINE void ckc_random_words(uint32_t seed, uint32_t step, uint32_t stream,
                                         int64_t start, int64_t count, uint32_t *out) {
          for (int64_t group = 0; group < count; group += 64) {
            const uint64_t first = (uint64_t)((start + group) / 4);
            uint32_t words[64];
            for (uint32_t lane = 0; lane < 16; lane++) {
              /* A multiple of sixteen: adding a lane does not carry into the upper half. */
              uint32_t c0 = (uint32_t)first + lane;
              uint32_t c1 = (uint32_t)(first >> 32);
              \(philoxRounds(indent: 6))
              words[lane] = c0;
              words[lane + 16] = c1;
              words[lane + 32] = c2;
              words[lane + 48] = c3;
            }
            const int64_t rest = count - group;
            memcpy(out + group, words, sizeof words[0] * (size_t)(rest < 64 ? rest : 64));
          }
        }
        """),
    SupportFunction(
      name: "ckc_random_word", calls: ["ckc_random_words"],
      text: """
        /* One word of a stream, for loops that do not walk through it in order. */
        CKC_INLINE uint32_t ckc_random_word(uint32_t seed, uint32_t step, uint32_t stream,
                                            int64_t place) {
          uint32_t words[64];
          ckc_random_words(seed, step, stream, place / 64 * 64, 64, words);
          return words[place % 64];
        }
        """),
    SupportFunction(
      name: "ckc_uniform_f32",
      text: """
        CKC_INLINE float ckc_uniform_f32(uint32_t word) {
          return (float)(int32_t)(word >> 8) * 0x1p-24f;
        }
        """),
    SupportFunction(
      name: "ckc_uniform_f64",
      text: """
        CKC_INLINE double ckc_uniform_f64(uint32_t word) {
          return (double)(int32_t)(word >> 8) * 0x1p-24;
        }
        """),
  ]

  /// The rounds of a block whose number is in `c0` and `c1`; its words are in `c0` … `c3` then.
  static func philoxRounds(indent: Int) -> String {
    let lines = """
      uint32_t c2 = step;
      uint32_t c3 = 0;
      uint32_t k0 = seed;
      uint32_t k1 = stream;
      for (int round = 0; round < 10; round++) {
        const uint64_t product0 = (uint64_t)c0 * 0xD2511F53u;
        const uint64_t product2 = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(product2 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)product2;
        c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)product0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
      }
      """
    return lines.split(separator: "\n").joined(
      separator: "\n" + String(repeating: " ", count: indent))
  }
}
