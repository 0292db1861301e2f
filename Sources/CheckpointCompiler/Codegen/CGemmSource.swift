// The C text that packed contractions share: packing loops and the micro-kernel.
//
// Problem     Keep the multiply-add units busy on any machine, from one C text.
// Method      A tile of ROWS × (1 or 2 vectors) sums stays in registers while the depth passes by
//             (Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008): per
//             step one or two vectors of the column panel meet ROWS broadcast numbers of the row
//             panel. Tile sizes come from the compiler's macros; without vector extensions, or with
//             CKC_SCALAR, the same sums are plain loops. The row panel is stored as it was read: along
//             the depth with a row stride that is a constant of the text (so that all rows are one
//             address plus constants), or across the rows.
// Invariants  A sum is over ascending depth in one accumulator, whatever tile it is computed in: the
//             result does not depend on tiles, edges or threads. Panels are padded with zeros.
// Stack       One tile, at most 14 × 32 × 4 bytes.

/// The shared C text of packed contractions.
enum CGemmSource {
  /// The most rows of a tile, on any machine.
  static let rowsMax = 14
  /// The most vectors' bytes across a tile, on any machine.
  static let columnBytesMax = 128

  /// How the row panel is stored.
  enum Layout: Int, CaseIterable, Sendable, Hashable {
    /// Along the depth, rows a constant distance apart: one for shallow, medium and deep panels.
    case alongShallow = 0
    case alongMedium = 1
    case alongDeep = 2
    /// Across the rows, depths `CKC_GEMM_ROWS` apart.
    case across = 3

    /// The distance of rows, where it is a constant: 16 more than the deepest panel, so that rows do
    /// not meet in the same sets of a cache.
    var rowStride: Int? {
      switch self {
      case .alongShallow: 80
      case .alongMedium: 176
      case .alongDeep: 336
      case .across: nil
      }
    }
    /// The deepest panel that is stored so, where there is a limit.
    var depthMax: Int? { rowStride.map { $0 - 16 } }
  }

  /// The end of the names of the functions that pack numbers of a dtype as those that are added.
  static func packName(_ dtype: DType, _ sum: DType) -> String {
    sum == .f64 && dtype != .f64 ? "\(dtype.name)_as_f64" : dtype.name
  }

  /// The text for contractions of the given dtypes; no tiles where none of them is packed.
  ///
  /// It uses `ptrdiff_t`, `CKC_RESTRICT`, and for operands of `bf16` and `f16` `ckc_bf16_to_f32` and
  /// `ckc_f16_to_f32`, which come before it.
  static func source(for contracted: Set<Contraction.DTypes>) -> String {
    var text = prologue
    let sums = Set(contracted.map(\.sum)).filter(\.isFloatingPoint)
    guard !sums.isEmpty else { return text }
    text += kernels
    for sum in DType.allCases where sums.contains(sum) {
      text += "CKC_GEMM(\(sum.name), \(sum.cSum), \(columnBytesMax / sum.byteCount))\n"
    }
    text += packing
    for sum in DType.allCases where sums.contains(sum) {
      let packed = Set(contracted.filter { $0.sum == sum }.flatMap { [$0.first, $0.second] })
      for dtype in DType.allCases where packed.contains(dtype) {
        let name = packName(dtype, sum)
        let load = dtype == .bf16 || dtype == .f16 ? "ckc_\(dtype.name)_to_f32" : ""
        text += "#define CKC_LOAD_\(name)(x) \(load)(x)\n"
        text += "CKC_PACK(\(name), \(sum.name), \(cStorageType(dtype)), \(sum.cSum))\n"
      }
    }
    return text
  }

  /// Macros that every contraction uses.
  private static let prologue = """

    /* Contractions. */
    #if defined(__GNUC__) || defined(__clang__)
    #define CKC_UNUSED __attribute__((unused))
    #else
    #define CKC_UNUSED
    #endif
    #ifdef _OPENMP
    #include <omp.h>
    #define CKC_OMP(x) _Pragma(#x)
    CKC_UNUSED static inline ptrdiff_t ckc_thread(void) { return omp_get_thread_num(); }
    #else
    #define CKC_OMP(x)
    CKC_UNUSED static inline ptrdiff_t ckc_thread(void) { return 0; }
    #endif
    /* Sums of products may use fused multiply-adds, here and nowhere else. */
    #if defined(__clang__)
    #define CKC_CONTRACT
    #define CKC_CONTRACT_BODY _Pragma("clang fp contract(fast)")
    #elif defined(__GNUC__)
    #define CKC_CONTRACT __attribute__((optimize("fp-contract=fast")))
    #define CKC_CONTRACT_BODY
    #else
    #define CKC_CONTRACT
    #define CKC_CONTRACT_BODY
    #endif

    """

  private static let kernels = #"""

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

    #ifdef CKC_GEMM_VECTORS
    #define CKC_EACH_2(X) X(0) X(1)
    #define CKC_EACH_4(X) CKC_EACH_2(X) X(2) X(3)
    #define CKC_EACH_6(X) CKC_EACH_4(X) X(4) X(5)
    #define CKC_EACH_8(X) CKC_EACH_6(X) X(6) X(7)
    #define CKC_EACH_14(X) CKC_EACH_8(X) X(8) X(9) X(10) X(11) X(12) X(13)
    /* One row of a tile of one vector or two: zero, multiply and add, write. */
    #define CKC_ZERO_1(i) V s##i = {0};
    #define CKC_ZERO_2(i) V s##i = {0}, t##i = {0};
    #define CKC_STEP_1(i) s##i += a[i * rs] * b0;
    #define CKC_STEP_2(i) { const T x = a[i * rs]; s##i += x * b0; t##i += x * b1; }
    #define CKC_SAVE_1(i) { U *p = (U *)(void *)(c + i * ldc); *p = adds ? *p + s##i : s##i; }
    #define CKC_SAVE_2(i) \
      { U *p = (U *)(void *)(c + i * ldc), *q = (U *)(void *)(c + i * ldc + lanes); \
        *p = adds ? *p + s##i : s##i; *q = adds ? *q + t##i : t##i; }
    #define CKC_LOAD_1 const V b0 = *(const U *)(const void *)b;
    #define CKC_LOAD_2 \
      const V b0 = *(const U *)(const void *)b, b1 = *(const U *)(const void *)(b + lanes);
    #define CKC_TILE(NAME, TYPE, ROWS, N, RS, KS) \
      CKC_UNUSED CKC_CONTRACT static void NAME( \
        ptrdiff_t depth, const TYPE *CKC_RESTRICT a, const TYPE *CKC_RESTRICT b, \
        ptrdiff_t bs, TYPE *CKC_RESTRICT c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        typedef TYPE T; \
        typedef TYPE V __attribute__((vector_size(CKC_GEMM_BYTES))); \
        typedef TYPE U __attribute__((vector_size(CKC_GEMM_BYTES), aligned(sizeof(TYPE)))); \
        const ptrdiff_t lanes = CKC_GEMM_LANES(T), rs = RS; \
        CKC_EACH_##ROWS(CKC_ZERO_##N) \
        for (ptrdiff_t k = 0; k < depth; ++k) { \
          CKC_LOAD_##N \
          CKC_EACH_##ROWS(CKC_STEP_##N) \
          a += KS; \
          b += bs; \
        } \
        CKC_EACH_##ROWS(CKC_SAVE_##N) \
        (void)lanes; \
      }
    #define CKC_TILES_ROWS(NAME, TYPE, ROWS, RS, KS) \
      CKC_TILE(NAME##_##ROWS##_1, TYPE, ROWS, 1, RS, KS) \
      CKC_TILE(NAME##_##ROWS##_2, TYPE, ROWS, 2, RS, KS)
    #if CKC_GEMM_ROWS == 14
    #define CKC_TILES(NAME, TYPE, RS, KS) \
      CKC_TILES_ROWS(NAME, TYPE, 2, RS, KS) CKC_TILES_ROWS(NAME, TYPE, 4, RS, KS) \
      CKC_TILES_ROWS(NAME, TYPE, 8, RS, KS) CKC_TILES_ROWS(NAME, TYPE, 14, RS, KS)
    #define CKC_PICK_ROWS(NAME, N) \
      (full == 14 ? NAME##_14_##N : full == 8 ? NAME##_8_##N : full == 4 ? NAME##_4_##N \
       : NAME##_2_##N)
    #define CKC_GEMM_FULL(rows) ((rows) > 8 ? 14 : (rows) > 4 ? 8 : (rows) > 2 ? 4 : 2)
    #else
    #define CKC_TILES(NAME, TYPE, RS, KS) \
      CKC_TILES_ROWS(NAME, TYPE, 2, RS, KS) CKC_TILES_ROWS(NAME, TYPE, 4, RS, KS) \
      CKC_TILES_ROWS(NAME, TYPE, 6, RS, KS)
    #define CKC_PICK_ROWS(NAME, N) \
      (full == 6 ? NAME##_6_##N : full == 4 ? NAME##_4_##N : NAME##_2_##N)
    #define CKC_GEMM_FULL(rows) ((rows) > 4 ? 6 : (rows) > 2 ? 4 : 2)
    #endif
    #define CKC_PICK(NAME) (wide ? CKC_PICK_ROWS(NAME, 2) : CKC_PICK_ROWS(NAME, 1))
    /* c[rows, columns] = or += the sum over the depth; layout as the row panel is stored, bs between
       depths of the columns. A tile reads whole vectors of them. */
    #define CKC_GEMM(NAME, TYPE, WIDEST) \
      CKC_TILES(ckc_tile_shallow_##NAME, TYPE, \#(Layout.alongShallow.rowStride!), 1) \
      CKC_TILES(ckc_tile_medium_##NAME, TYPE, \#(Layout.alongMedium.rowStride!), 1) \
      CKC_TILES(ckc_tile_deep_##NAME, TYPE, \#(Layout.alongDeep.rowStride!), 1) \
      CKC_TILES(ckc_tile_across_##NAME, TYPE, 1, CKC_GEMM_ROWS) \
      CKC_UNUSED static void ckc_gemm_##NAME( \
        int layout, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const TYPE *a, \
        const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        typedef void tile_function(ptrdiff_t, const TYPE *CKC_RESTRICT, \
          const TYPE *CKC_RESTRICT, ptrdiff_t, TYPE *CKC_RESTRICT, ptrdiff_t, int); \
        const ptrdiff_t full = CKC_GEMM_FULL(rows), lanes = CKC_GEMM_LANES(TYPE); \
        const int wide = columns > lanes; \
        tile_function *const tile = \
          layout == 0 ? CKC_PICK(ckc_tile_shallow_##NAME) \
          : layout == 1 ? CKC_PICK(ckc_tile_medium_##NAME) \
          : layout == 2 ? CKC_PICK(ckc_tile_deep_##NAME) : CKC_PICK(ckc_tile_across_##NAME); \
        if (rows == full && columns == (wide ? 2 * lanes : lanes)) { \
          tile(depth, a, b, bs, c, ldc, adds); \
          return; \
        } \
        TYPE sums[CKC_GEMM_ROWS * WIDEST]; \
        tile(depth, a, b, bs, sums, 2 * lanes, 0); \
        for (ptrdiff_t i = 0; i < rows; ++i) { \
          const TYPE *const s = sums + i * 2 * lanes; \
          TYPE *const p = c + i * ldc; \
          if (adds) { \
            for (ptrdiff_t j = 0; j < columns; ++j) p[j] += s[j]; \
          } else { \
            for (ptrdiff_t j = 0; j < columns; ++j) p[j] = s[j]; \
          } \
        } \
      }
    #else
    #define CKC_GEMM(NAME, TYPE, WIDEST) \
      CKC_UNUSED static void ckc_gemm_##NAME( \
        int layout, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t depth, const TYPE *a, \
        const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        const ptrdiff_t rs = layout == 0 ? \#(Layout.alongShallow.rowStride!) \
          : layout == 1 ? \#(Layout.alongMedium.rowStride!) \
          : layout == 2 ? \#(Layout.alongDeep.rowStride!) : 1; \
        const ptrdiff_t ks = layout == 3 ? CKC_GEMM_ROWS : 1; \
        TYPE sums[WIDEST]; \
        for (ptrdiff_t i = 0; i < rows; ++i) { \
          for (ptrdiff_t j = 0; j < columns; ++j) sums[j] = 0; \
          for (ptrdiff_t k = 0; k < depth; ++k) { \
            const TYPE x = a[i * rs + k * ks]; \
            const TYPE *const y = b + k * bs; \
            for (ptrdiff_t j = 0; j < columns; ++j) sums[j] += x * y[j]; \
          } \
          for (ptrdiff_t j = 0; j < columns; ++j) { \
            c[i * ldc + j] = adds ? c[i * ldc + j] + sums[j] : sums[j]; \
          } \
        } \
      }
    #endif

    """#

  private static let packing = #"""

    /* Packing a block: lane l at depth k is src[at + l * ls + k * ks] where it is inside, else 0. */
    #define CKC_PACK(NAME, COMPUTE, STORED, TYPE) \
      CKC_UNUSED static inline void ckc_pack_along_##NAME( \
        const STORED *CKC_RESTRICT src, ptrdiff_t at, const ptrdiff_t ks, ptrdiff_t run, \
        ptrdiff_t k0, ptrdiff_t k1, TYPE *CKC_RESTRICT panel) \
      { \
        if (k0 >= k1) k0 = k1 = 0; \
        for (ptrdiff_t k = 0; k < k0; ++k) panel[k] = 0; \
        for (ptrdiff_t k = k0; k < k1; ++k) panel[k] = CKC_LOAD_##NAME(src[at + k * ks]); \
        for (ptrdiff_t k = k1; k < run; ++k) panel[k] = 0; \
      } \
      CKC_UNUSED static inline void ckc_pack_across_##NAME( \
        const STORED *CKC_RESTRICT src, ptrdiff_t at, const ptrdiff_t ls, const ptrdiff_t ks, \
        ptrdiff_t lanes, ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t run, ptrdiff_t k0, ptrdiff_t k1, \
        TYPE *CKC_RESTRICT panel, const ptrdiff_t width) \
      { \
        if (l0 >= l1 || k0 >= k1) l0 = l1 = k0 = k1 = 0; \
        if (lanes == width && k0 == k1) { \
          for (ptrdiff_t k = 0; k < run; ++k) { \
            for (ptrdiff_t l = 0; l < width; ++l) panel[k * width + l] = 0; \
          } \
          return; \
        } \
        for (ptrdiff_t k = 0; k < k0; ++k) { \
          for (ptrdiff_t l = 0; l < lanes; ++l) panel[k * width + l] = 0; \
        } \
        for (ptrdiff_t k = k1; k < run; ++k) { \
          for (ptrdiff_t l = 0; l < lanes; ++l) panel[k * width + l] = 0; \
        } \
        if (ls == 1 && l0 == 0 && l1 == width) { \
          for (ptrdiff_t k = k0; k < k1; ++k) { \
            for (ptrdiff_t l = 0; l < width; ++l) { \
              panel[k * width + l] = CKC_LOAD_##NAME(src[at + k * ks + l]); \
            } \
          } \
        } else if (ls == 1) { \
          for (ptrdiff_t k = k0; k < k1; ++k) { \
            for (ptrdiff_t l = 0; l < l0; ++l) panel[k * width + l] = 0; \
            for (ptrdiff_t l = l0; l < l1; ++l) { \
              panel[k * width + l] = CKC_LOAD_##NAME(src[at + k * ks + l]); \
            } \
            for (ptrdiff_t l = l1; l < lanes; ++l) panel[k * width + l] = 0; \
          } \
        } else { \
          /* Few depths at a time, so that the lines of the panel stay near. */ \
          for (ptrdiff_t n0 = k0; n0 < k1; n0 += 16) { \
            const ptrdiff_t n1 = k1 - n0 < 16 ? k1 : n0 + 16; \
            for (ptrdiff_t l = 0; l < lanes; ++l) { \
              if (l < l0 || l >= l1) { \
                for (ptrdiff_t k = n0; k < n1; ++k) panel[k * width + l] = 0; \
              } else { \
                for (ptrdiff_t k = n0; k < n1; ++k) { \
                  panel[k * width + l] = CKC_LOAD_##NAME(src[at + l * ls + k * ks]); \
                } \
              } \
            } \
          } \
        } \
      }

    """#
}

extension DType {
  /// The C type that sums of products are computed in; unsigned for integers, which wrap.
  var cSum: String {
    if isFloatingPoint { return self == .f64 ? "double" : "float" }
    return byteCount == 8 ? "uint64_t" : "uint32_t"
  }
}
