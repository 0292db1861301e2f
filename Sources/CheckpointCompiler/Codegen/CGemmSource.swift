// The C text that packed contractions share: the micro-kernel.
//
// Problem     Keep the multiply-add units busy on any machine, from one C text.
// Method      A tile of ROWS × (1 or 2 vectors) sums stays in registers while the depth passes by
//             (Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008): per
//             step one or two vectors of the column panel meet ROWS broadcast numbers of the row
//             panel. Tile sizes come from the compiler's macros; without vector extensions, or with
//             CKC_SCALAR, the same sums are plain loops. Rows and depths of the row panel are any
//             distance apart: rows are addressed from every third one by base, index and scale, so
//             that 14 of them need 5 registers, and one kernel serves panels stored along the depth
//             and across the rows.
//             Depths at which all rows are outside a window are left out: whole runs of them.
// Invariants  A sum is over ascending depth in one accumulator, whatever tile it is computed in: the
//             result does not depend on tiles, edges or threads. Panels are padded with zeros.
// Stack       One tile, at most 14 × 32 × 4 bytes.

/// The shared C text of packed contractions.
enum CGemmSource {
  /// The most rows of a tile, on any machine.
  static let rowsMax = 14
  /// The most vectors' bytes across a tile, on any machine.
  static let columnBytesMax = 128

  /// The end of the names of the functions that pack numbers of a dtype as those that are added.
  static func packName(_ dtype: DType, _ sum: DType) -> String {
    sum == .f64 && dtype != .f64 ? "\(dtype.name)_as_f64" : dtype.name
  }

  /// The text for some contractions, with tiles also for other `sums` of products.
  ///
  /// It uses `ptrdiff_t`, `CKC_RESTRICT`, and for operands of `bf16` and `f16` `ckc_bf16_to_f32` and
  /// `ckc_f16_to_f32`, which come before it.
  static func source(
    for contractions: [Contraction], sums others: [DType] = [], target: Target
  ) -> String {
    var text = prologue
    let sums = Set(contractions.map(\.dtypes.sum) + others).filter(\.isFloatingPoint)
    guard !sums.isEmpty else { return text }
    text += kernels
    for sum in DType.allCases where sums.contains(sum) {
      text += "CKC_GEMM(\(sum.name), \(sum.cSum), \(columnBytesMax / sum.byteCount))\n"
    }
    return text + CPackSource.source(for: contractions)
      + CSliceSource.source(for: contractions, target: target)
      + CAlongSource.source(for: contractions)
      + CAcrossSource.source(for: contractions)
      + CDepthwiseSource.source(for: contractions) + CWinogradSource.source(for: contractions)
  }

  /// Macros that every contraction uses.
  private static let prologue = #"""

    /* Contractions. */
    #if defined(__GNUC__) || defined(__clang__)
    #define CKC_UNUSED __attribute__((unused))
    #define CKC_FETCH(p, writes) __builtin_prefetch(p, writes);
    #else
    #define CKC_UNUSED
    #define CKC_FETCH(p, writes) (void)(p);
    #endif
    /* Some neighbours in memory are read or written soon. */
    #define CKC_SOON(p, count, writes) \
      for (ptrdiff_t n = 0; n < (count); n += 64 / (ptrdiff_t)sizeof *(p)) { CKC_FETCH((p) + n, writes) }
    #ifdef _OPENMP
    #include <omp.h>
    #define CKC_OMP(x) _Pragma(#x)
    CKC_UNUSED static inline ptrdiff_t ckc_thread(void) { return omp_get_thread_num(); }
    #else
    #define CKC_OMP(x)
    CKC_UNUSED static inline ptrdiff_t ckc_thread(void) { return 0; }
    #endif
    /* Sums of products may use fused multiply-adds, here and nowhere else. Which of them plain loops
       use is up to the compiler: it may not choose again for a copy in a caller. */
    #if defined(CKC_SCALAR) && defined(__clang__)
    #define CKC_ONE_BODY __attribute__((noinline))
    #elif defined(CKC_SCALAR) && defined(__GNUC__)
    #define CKC_ONE_BODY __attribute__((noinline, noclone))
    #else
    #define CKC_ONE_BODY
    #endif
    #if defined(__clang__)
    #define CKC_CONTRACT CKC_ONE_BODY
    #define CKC_CONTRACT_BODY _Pragma("clang fp contract(fast)")
    #elif defined(__GNUC__)
    #define CKC_CONTRACT CKC_ONE_BODY __attribute__((optimize("fp-contract=fast")))
    #define CKC_CONTRACT_BODY
    #else
    #define CKC_CONTRACT
    #define CKC_CONTRACT_BODY
    #endif

    """#

  private static let kernels = #"""

    /* Which depths of a block are multiplied: between them the rows are zeros, outside the window. */
    #define CKC_RUNS 24
    typedef struct { int count; ptrdiff_t from[CKC_RUNS], to[CKC_RUNS]; } ckc_runs;

    /* Tiles: rows and bytes of columns. */
    #if (defined(__GNUC__) || defined(__clang__)) && !defined(CKC_SCALAR)
    #define CKC_GEMM_VECTORS
    #if defined(__AVX512F__)
    #define CKC_GEMM_BYTES 64
    #elif defined(__AVX__)
    #define CKC_GEMM_BYTES 32
    #else
    #define CKC_GEMM_BYTES 16
    #endif
    #else
    #define CKC_GEMM_BYTES 16
    #endif
    #if defined(__AVX512F__) || defined(__aarch64__)
    #define CKC_GEMM_ROWS 14
    #else
    #define CKC_GEMM_ROWS 6
    #endif
    #define CKC_GEMM_LANES(T) ((ptrdiff_t)(CKC_GEMM_BYTES / sizeof(T)))
    #define CKC_GEMM_COLUMNS(T) (2 * CKC_GEMM_LANES(T))
    /* Row i of c becomes some sums, or has them added. */
    #define CKC_STORE_ROW(TYPE, i, sums) \
      { \
        const TYPE *const s = (sums); \
        TYPE *const p = c + (i) * ldc; \
        for (ptrdiff_t j = 0; j < columns; ++j) p[j] = adds ? p[j] + s[j] : s[j]; \
      }

    #ifdef CKC_GEMM_VECTORS
    /* A number, vectors of them, such vectors anywhere in memory. */
    #define CKC_TILE_TYPES(TYPE) \
      typedef TYPE T; \
      typedef TYPE V __attribute__((vector_size(CKC_GEMM_BYTES))); \
      typedef TYPE U __attribute__((vector_size(CKC_GEMM_BYTES), aligned(sizeof(TYPE)))); \
      const ptrdiff_t lanes = CKC_GEMM_LANES(T);
    #define CKC_EACH_2(X) X(0, a0, 0) X(1, a0, 1)
    #define CKC_EACH_3(X) CKC_EACH_2(X) X(2, a0, 2)
    #define CKC_EACH_4(X) CKC_EACH_3(X) X(3, a3, 0)
    #define CKC_EACH_6(X) CKC_EACH_4(X) X(4, a3, 1) X(5, a3, 2)
    #define CKC_EACH_8(X) CKC_EACH_6(X) X(6, a6, 0) X(7, a6, 1)
    #define CKC_EACH_14(X) CKC_EACH_8(X) X(8, a6, 2) \
      X(9, a9, 0) X(10, a9, 1) X(11, a9, 2) X(12, a12, 0) X(13, a12, 1)
    /* One row of a tile of one vector or two: zero, fetch what is added to, multiply and add, write. */
    #define CKC_ZERO_1(i, p, n) V s##i = {0};
    #define CKC_ZERO_2(i, p, n) V s##i = {0}, t##i = {0};
    #define CKC_STEP_1(i, p, n) s##i += p[n * rs] * b0;
    #define CKC_STEP_2(i, p, n) { const T x = p[n * rs]; s##i += x * b0; t##i += x * b1; }
    #define CKC_SAVE_1(i, p, n) \
      { U *to = (U *)(void *)(c + i * ldc); *to = adds ? *to + s##i : s##i; }
    #define CKC_SAVE_2(i, p, n) \
      { U *to = (U *)(void *)(c + i * ldc), *on = (U *)(void *)(c + i * ldc + lanes); \
        *to = adds ? *to + s##i : s##i; *on = adds ? *on + t##i : t##i; }
    #define CKC_LOAD_1 const V b0 = *(const U *)(const void *)y;
    #define CKC_LOAD_2 \
      const V b0 = *(const U *)(const void *)y, b1 = *(const U *)(const void *)(y + lanes);
    #define CKC_FETCH_1(i, p, n) __builtin_prefetch(c + i * ldc, 1);
    #define CKC_FETCH_2(i, p, n) CKC_FETCH_1(i, p, n) __builtin_prefetch(c + i * ldc + lanes, 1);
    /* Rows are addressed from every third one: base, index and a scale of 1 or 2. */
    #define CKC_TILE(NAME, TYPE, ROWS, N) \
      CKC_UNUSED CKC_CONTRACT static void NAME##_##ROWS##_##N( \
        const ckc_runs *runs, const TYPE *CKC_RESTRICT a, ptrdiff_t rs, ptrdiff_t ks, \
        const TYPE *CKC_RESTRICT b, ptrdiff_t bs, TYPE *CKC_RESTRICT c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        CKC_TILE_TYPES(TYPE) \
        CKC_EACH_##ROWS(CKC_ZERO_##N) \
        CKC_EACH_##ROWS(CKC_FETCH_##N) \
        for (int r = 0; r < runs->count; ++r) { \
          const TYPE *a0 = a + runs->from[r] * ks, *a3 = a0 + 3 * rs, *a6 = a0 + 6 * rs; \
          const TYPE *a9 = a0 + 9 * rs, *a12 = a0 + 12 * rs, *y = b + runs->from[r] * bs; \
          for (ptrdiff_t k = runs->from[r]; k < runs->to[r]; ++k) { \
            CKC_LOAD_##N \
            CKC_EACH_##ROWS(CKC_STEP_##N) \
            a0 += ks; \
            a3 += ks; \
            a6 += ks; \
            a9 += ks; \
            a12 += ks; \
            y += bs; \
          } \
          (void)a3; \
          (void)a6; \
          (void)a9; \
          (void)a12; \
        } \
        CKC_EACH_##ROWS(CKC_SAVE_##N) \
        (void)lanes; \
      }
    #define CKC_TILES_ROWS(NAME, TYPE, ROWS) CKC_TILE(NAME, TYPE, ROWS, 1) CKC_TILE(NAME, TYPE, ROWS, 2)
    /* Every height of tiles. */
    #if CKC_GEMM_ROWS == 14
    #define CKC_EACH_HEIGHT(X, NAME, TYPE) \
      X(NAME, TYPE, 2) X(NAME, TYPE, 4) X(NAME, TYPE, 8) X(NAME, TYPE, 14)
    #define CKC_PICK_ROWS(NAME, N) \
      (full == 14 ? NAME##_14_##N : full == 8 ? NAME##_8_##N : full == 4 ? NAME##_4_##N \
       : NAME##_2_##N)
    #define CKC_GEMM_FULL(rows) ((rows) > 8 ? 14 : (rows) > 4 ? 8 : (rows) > 2 ? 4 : 2)
    #else
    #define CKC_EACH_HEIGHT(X, NAME, TYPE) X(NAME, TYPE, 2) X(NAME, TYPE, 4) X(NAME, TYPE, 6)
    #define CKC_PICK_ROWS(NAME, N) \
      (full == 6 ? NAME##_6_##N : full == 4 ? NAME##_4_##N : NAME##_2_##N)
    #define CKC_GEMM_FULL(rows) ((rows) > 4 ? 6 : (rows) > 2 ? 4 : 2)
    #endif
    /* c[rows, columns] = or += the sum over the runs of depths. Rows of a are rs apart and depths ks, depths of b
       bs. A tile reads whole vectors of b, and an even number of rows of a. */
    #define CKC_GEMM(NAME, TYPE, WIDEST) \
      CKC_EACH_HEIGHT(CKC_TILES_ROWS, ckc_tile_##NAME, TYPE) \
      CKC_UNUSED static void ckc_gemm_##NAME( \
        ptrdiff_t rows, ptrdiff_t columns, const ckc_runs *runs, const TYPE *a, ptrdiff_t rs, \
        ptrdiff_t ks, const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        typedef void tile_function(const ckc_runs *, const TYPE *CKC_RESTRICT, ptrdiff_t, ptrdiff_t, \
          const TYPE *CKC_RESTRICT, ptrdiff_t, TYPE *CKC_RESTRICT, ptrdiff_t, int); \
        const ptrdiff_t full = CKC_GEMM_FULL(rows), lanes = CKC_GEMM_LANES(TYPE); \
        const int wide = columns > lanes; \
        tile_function *const tile = \
          wide ? CKC_PICK_ROWS(ckc_tile_##NAME, 2) : CKC_PICK_ROWS(ckc_tile_##NAME, 1); \
        if (rows == full && columns == (wide ? 2 * lanes : lanes)) { \
          tile(runs, a, rs, ks, b, bs, c, ldc, adds); \
          return; \
        } \
        TYPE sums[CKC_GEMM_ROWS * WIDEST]; \
        tile(runs, a, rs, ks, b, bs, sums, 2 * lanes, 0); \
        for (ptrdiff_t i = 0; i < rows; ++i) CKC_STORE_ROW(TYPE, i, sums + i * 2 * lanes) \
      }
    #else
    #define CKC_GEMM(NAME, TYPE, WIDEST) \
      CKC_UNUSED CKC_CONTRACT static void ckc_gemm_##NAME( \
        ptrdiff_t rows, ptrdiff_t columns, const ckc_runs *runs, const TYPE *a, ptrdiff_t rs, \
        ptrdiff_t ks, const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        TYPE sums[WIDEST]; \
        for (ptrdiff_t i = 0; i < rows; ++i) { \
          for (ptrdiff_t j = 0; j < columns; ++j) sums[j] = 0; \
          for (int r = 0; r < runs->count; ++r) { \
            for (ptrdiff_t k = runs->from[r]; k < runs->to[r]; ++k) { \
              const TYPE x = a[i * rs + k * ks]; \
              const TYPE *const y = b + k * bs; \
              for (ptrdiff_t j = 0; j < columns; ++j) sums[j] += x * y[j]; \
            } \
          } \
          CKC_STORE_ROW(TYPE, i, sums) \
        } \
      }
    #endif

    """#
}

extension DType {
  /// The C type that sums of products are computed in; unsigned for integers, which wrap.
  var cSum: String {
    if isFloatingPoint { return self == .f64 ? "double" : "float" }
    return byteCount == 8 ? "uint64_t" : "uint32_t"
  }
}
