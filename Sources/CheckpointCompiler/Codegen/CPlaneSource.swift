// The C text that depthwise convolutions over planes share.
//
// Method      Both functions go over a band as one long row: sums of taps, four vectors of results at a
//             time; or three taps at a time, sixteen lanes of positions.
// Invariants  Every lane is one chain of products in the order of taps, or of positions.

/// The shared C text of depthwise convolutions over planes.
enum CPlaneSource {
  /// The text for some contractions, after that of the micro-kernels; empty where none needs it.
  static func source(for contractions: [Contraction]) -> String {
    var uses: Set<DType> = []
    for contraction in contractions {
      let dtypes = contraction.dtypes
      let isUsed = contraction.parts.contains {
        $0.depthwise(dtypes) == nil && $0.planes(dtypes) != nil
      }
      if isUsed { uses.insert(dtypes.sum) }
    }
    guard !uses.isEmpty else { return "" }
    var text = functions
    for dtype in DType.allCases where uses.contains(dtype) {
      text += "CKC_PLANES(\(dtype.name), \(dtype.cSum))\n"
    }
    return text
  }

  private static let functions = #"""

    /* Depthwise convolutions over planes. A row of a copy: the numbers low .. high of those step apart,
       zeros around them. */
    #define CKC_PLANE_ROW(NAME, TYPE) \
      CKC_UNUSED static void ckc_plane_row_##NAME( \
        const TYPE *CKC_RESTRICT from, ptrdiff_t at, ptrdiff_t step, ptrdiff_t low, ptrdiff_t high, \
        ptrdiff_t count, TYPE *CKC_RESTRICT to) \
      { \
        for (ptrdiff_t j = 0; j < low; ++j) to[j] = 0; \
        if (step == 1) { \
          for (ptrdiff_t j = low; j < high; ++j) to[j] = from[at + j]; \
        } else if (step == 2) { \
          for (ptrdiff_t j = low; j < high; ++j) to[j] = from[at + 2 * j]; \
        } else { \
          for (ptrdiff_t j = low; j < high; ++j) to[j] = from[at + step * j]; \
        } \
        for (ptrdiff_t j = high; j < count; ++j) to[j] = 0; \
      }
    #ifdef CKC_GEMM_VECTORS
    #define CKC_AT(p) (*(const U *)(const void *)(p))
    /* ckc_taps: out = the sums over taps t of w[t] times x at a distance of at[t], for count places and up
       to a vector more. ckc_places: sums[t] of sixteen lanes += x at a distance of at[t] times y. */
    #define CKC_PLANES(NAME, TYPE) \
      CKC_PLANE_ROW(NAME, TYPE) \
      CKC_UNUSED CKC_CONTRACT static void ckc_taps_##NAME( \
        ptrdiff_t count, ptrdiff_t taps, const ptrdiff_t *at, const TYPE *CKC_RESTRICT w, \
        const TYPE *CKC_RESTRICT x, TYPE *CKC_RESTRICT out) \
      { \
        CKC_CONTRACT_BODY \
        CKC_TILE_TYPES(TYPE) \
        ptrdiff_t f = 0; \
        for (; f + 3 * lanes < count; f += 4 * lanes) { \
          V s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}; \
          for (ptrdiff_t t = 0; t < taps; ++t) { \
            const TYPE *const p = x + (at[t] + f); \
            const T k = w[t]; \
            s0 += CKC_AT(p) * k; \
            s1 += CKC_AT(p + lanes) * k; \
            s2 += CKC_AT(p + 2 * lanes) * k; \
            s3 += CKC_AT(p + 3 * lanes) * k; \
          } \
          *(U *)(void *)(out + f) = s0; \
          *(U *)(void *)(out + f + lanes) = s1; \
          *(U *)(void *)(out + f + 2 * lanes) = s2; \
          *(U *)(void *)(out + f + 3 * lanes) = s3; \
        } \
        for (; f < count; f += lanes) { \
          V s0 = {0}; \
          for (ptrdiff_t t = 0; t < taps; ++t) s0 += CKC_AT(x + (at[t] + f)) * w[t]; \
          *(U *)(void *)(out + f) = s0; \
        } \
      } \
      CKC_UNUSED CKC_CONTRACT static void ckc_places_##NAME( \
        ptrdiff_t count, ptrdiff_t taps, const ptrdiff_t *at, const TYPE *CKC_RESTRICT x, \
        const TYPE *CKC_RESTRICT y, TYPE *CKC_RESTRICT sums) \
      { \
        CKC_CONTRACT_BODY \
        CKC_TILE_TYPES(TYPE) \
        const ptrdiff_t whole = taps - taps % 3; \
        for (ptrdiff_t t = 0; t < whole; t += 3) { \
          for (ptrdiff_t l = 0; l < 16; l += lanes) { \
            TYPE *const s = sums + 16 * t + l; \
            const TYPE *const x0 = x + (at[t] + l), *const x1 = x + (at[t + 1] + l); \
            const TYPE *const x2 = x + (at[t + 2] + l); \
            V s0 = CKC_AT(s), s1 = CKC_AT(s + 16), s2 = CKC_AT(s + 32); \
            for (ptrdiff_t f = 0; f < count; f += 16) { \
              const V k = CKC_AT(y + l + f); \
              s0 += CKC_AT(x0 + f) * k; \
              s1 += CKC_AT(x1 + f) * k; \
              s2 += CKC_AT(x2 + f) * k; \
            } \
            *(U *)(void *)s = s0; \
            *(U *)(void *)(s + 16) = s1; \
            *(U *)(void *)(s + 32) = s2; \
          } \
        } \
        for (ptrdiff_t t = whole; t < taps; ++t) { \
          for (ptrdiff_t l = 0; l < 16; l += lanes) { \
            TYPE *const s = sums + 16 * t + l; \
            const TYPE *const x0 = x + (at[t] + l); \
            V s0 = CKC_AT(s); \
            for (ptrdiff_t f = 0; f < count; f += 16) s0 += CKC_AT(x0 + f) * CKC_AT(y + l + f); \
            *(U *)(void *)s = s0; \
          } \
        } \
      }
    #else
    #define CKC_PLANES(NAME, TYPE) \
      CKC_PLANE_ROW(NAME, TYPE) \
      CKC_UNUSED CKC_CONTRACT static void ckc_taps_##NAME( \
        ptrdiff_t count, ptrdiff_t taps, const ptrdiff_t *at, const TYPE *CKC_RESTRICT w, \
        const TYPE *CKC_RESTRICT x, TYPE *CKC_RESTRICT out) \
      { \
        CKC_CONTRACT_BODY \
        for (ptrdiff_t f = 0; f < count; ++f) { \
          TYPE sum = 0; \
          for (ptrdiff_t t = 0; t < taps; ++t) sum += x[at[t] + f] * w[t]; \
          out[f] = sum; \
        } \
      } \
      CKC_UNUSED CKC_CONTRACT static void ckc_places_##NAME( \
        ptrdiff_t count, ptrdiff_t taps, const ptrdiff_t *at, const TYPE *CKC_RESTRICT x, \
        const TYPE *CKC_RESTRICT y, TYPE *CKC_RESTRICT sums) \
      { \
        CKC_CONTRACT_BODY \
        for (ptrdiff_t t = 0; t < taps; ++t) { \
          for (ptrdiff_t f = 0; f < count; f += 16) { \
            for (ptrdiff_t l = 0; l < 16; ++l) { \
              sums[16 * t + l] += x[at[t] + f + l] * y[f + l]; \
            } \
          } \
        } \
      }
    #endif

    """#
}
