// The C text that attentions share: packing, products of tiles, scores.
//
// Problem     One text for all attentions of a dtype: what tells them apart are numbers in a struct.
// Method      Tiles have 64 queries in the lanes of vectors and keys below each other, so that the
//             maximum and the sum over keys run along lanes. All products are those of packed
//             contractions (CGemmSource.swift): keys and values broadcast, queries in vectors.
// Invariants  A product is over ascending features, a sum over ascending keys in tiles of a fixed size:
//             results do not depend on the machine's vectors or on threads. Exponentials and what
//             surrounds them are not contracted into fused multiply-adds.
// Placeholders  `@T` is the type that is computed in, `@S` the type in memory, `@N` the end of names,
//             `@C` that of products; `@LOAD`, `@STORE`, `@EXP`, `@LOG` are functions; `@TURN` turns floats where
//             vectors can.

/// The shared C text of attentions.
enum CAttentionSource {
  /// The text for some attentions.
  ///
  /// It needs `CGemmSource.source(for:)` with the dtypes that they compute in, and the functions of
  /// `supportFunctions`, before it.
  static func source(for attentions: [AttentionKernel]) -> String {
    var text = shared
    for dtype in DType.allCases {
      let own = attentions.filter { $0.dtype == dtype }
      guard !own.isEmpty else { continue }
      text += instance(of: tiles, dtype)
      if own.contains(where: { !$0.isGradient }) { text += instance(of: forward, dtype) }
      if own.contains(where: \.isGradient) { text += instance(of: backward, dtype) }
    }
    return text
  }

  /// The support functions that the text for a dtype calls.
  static func supportFunctions(_ dtype: DType) -> [String] {
    let isNarrow = dtype == .bf16 || dtype == .f16
    let conversions = ["ckc_\(dtype.name)_to_f32", "ckc_f32_to_\(dtype.name)"]
    let functions = dtype == .f64 ? [] : ["ckc_exp_f32", "ckc_log_f32"]
    return ["ckc_random_words"] + functions + (isNarrow ? conversions : [])
  }

  /// A text with its placeholders replaced.
  private static func instance(of text: String, _ dtype: DType) -> String {
    let isNarrow = dtype == .bf16 || dtype == .f16
    let isDouble = dtype == .f64
    let turn = """
      #ifdef CKC_TURNS
          if (j1 - j0 >= 4) {
            ckc_turn(copied + j0 * width, width, 0, j1 - j0, 0, features, panel + j0, CKC_ATTENTION_STRIDE);
            continue;
          }
      #endif

      """
    let words = [
      ("    @TURN\n", dtype.wide == .f32 ? turn : ""),
      ("@LOAD", isNarrow ? "ckc_\(dtype.name)_to_f32" : ""),
      ("@STORE", isNarrow ? "ckc_f32_to_\(dtype.name)" : ""),
      ("@EXP", isDouble ? "exp" : "ckc_exp_f32"), ("@LOG", isDouble ? "log" : "ckc_log_f32"),
      ("@T", cComputeType(dtype.wide)), ("@S", cStorageType(dtype)), ("@N", dtype.name),
      ("@C", dtype.wide.name),
    ]
    return words.reduce(text) { $0.replacing($1.0, with: $1.1) }
  }

  private static let shared = #"""

    /* Attention. */
    #define CKC_ATTENTION_LANES \#(AttentionKernel.lanes)
    #define CKC_ATTENTION_STRIDE \#(AttentionKernel.laneStride)
    #define CKC_ATTENTION_KEYS \#(AttentionKernel.tileKeys)
    #define CKC_ATTENTION_DEPTH \#(AttentionKernel.depthMax)
    /* What tells one attention from another, apart from where its tensors are. */
    typedef struct ckc_attention {
      ptrdiff_t queries, keys, features, values;
      /* Distances of neighbours along the sequence, and of features. */
      ptrdiff_t qs, qf, ks, kf, vs, vf, ys, yf, ms, mk;
      /* Query i sees the keys up to i + last. */
      ptrdiff_t last;
      double scale, fill, keep_scale;
      /* What mask is: 0 none, 1 added, 2 chosen by. */
      int mask;
      /* A weight is dropped where the upper 24 bits of its word are below this; 0 drops none. */
      uint32_t limit, stream;
    } ckc_attention;
    CKC_UNUSED CKC_INLINE ptrdiff_t ckc_least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
    /* The keys of k0..<k0 + keys that some query below `end` sees. */
    CKC_UNUSED CKC_INLINE ptrdiff_t ckc_seen_keys(const ckc_attention *t, ptrdiff_t end, ptrdiff_t k0,
                                                  ptrdiff_t keys) {
      const ptrdiff_t seen = end + t->last - k0;
      return seen < 0 ? 0 : seen < keys ? seen : keys;
    }
    /* Which weights of a tile are kept: 1 or 0 for key k and query j at k * lanes + j. The words are those
       of a tensor of weights whose rows are queries, beginning at `first`. */
    CKC_UNUSED static void ckc_attention_kept(const ckc_attention *t, const uint32_t *key, int64_t first,
                                              ptrdiff_t queries, ptrdiff_t keys, uint8_t *CKC_RESTRICT kept) {
      for (ptrdiff_t j = 0; j < queries; ++j) {
        uint32_t words[256];
        const int64_t start = first + (int64_t)j * t->keys;
        const int64_t aligned = start / 64 * 64;
        ckc_random_words(key[0], key[1], t->stream, aligned, start + keys - aligned, words);
        const uint32_t *const own = words + (start - aligned);
        for (ptrdiff_t k = 0; k < keys; ++k) {
          kept[k * CKC_ATTENTION_LANES + j] = (uint8_t)(own[k] >> 8 >= t->limit);
        }
      }
      for (ptrdiff_t j = queries; j < CKC_ATTENTION_LANES; ++j) {
        for (ptrdiff_t k = 0; k < keys; ++k) kept[k * CKC_ATTENTION_LANES + j] = 0;
      }
    }
    /* Where the parts of a thread's scratch begin, and what their rows are apart. */
    typedef struct ckc_attention_scratch {
      ptrdiff_t k_rows, k_columns, v_rows, v_columns, q_lanes, q_rows, dy_lanes, dy_rows, y_lanes;
      ptrdiff_t dq_lanes, dk_rows, dv_rows, tile, slopes, kept;
      ptrdiff_t rs, v_rs, q_width, v_width;
    } ckc_attention_scratch;

    """#
}
