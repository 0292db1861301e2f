// The C text of tiles whose rows are neighbours in memory, read where they are.
//
// Problem     In the gradient of a kernel, rows are the channels at a tap and the depth goes over
//             positions: the panel of each tap would be one more copy of the same numbers.
// Method      The rows of a tile belong to one tap, so at any position they are side by side. A line is
//             a run of positions inside the tensor, one stride apart in either operand; the tile goes
//             over the lines of a block. Tiles are as tall as the channels that are left, so that none
//             reads past them.
// Invariants  The order of every sum is that of the packed form: ascending depth in one accumulator.
// Stack       At most `CKC_LINES` lines, and one tile.

/// The shared C text of contractions that read rows across, in place.
enum CAcrossSource {
  /// The text for some contractions, after that of packing; empty where none reads rows so.
  static func source(for contractions: [Contraction]) -> String {
    var sums: Set<DType> = []
    var lines = 1
    for contraction in contractions where contraction.winograd == nil {
      for part in contraction.parts
      where part.isPacked(contraction.dtypes)
        && part.rowLayout(contraction.dtypes) == .acrossInPlace
      {
        sums.insert(contraction.dtypes.sum)
        lines = max(lines, part.linesMax(contraction.dtypes))
      }
    }
    guard !sums.isEmpty else { return "" }
    var text = "\n#define CKC_LINES \(lines)\n" + search + kernels
    for sum in DType.allCases where sums.contains(sum) {
      text += "CKC_ACROSS(\(sum.name), \(sum.cSum), "
      text += "\(CGemmSource.columnBytesMax / sum.byteCount))\n"
    }
    return text
  }

  private static let search = #"""

    /* Rows side by side, read in place. A line: where the rows are at its first depth of the block, and
       how many depths follow. */
    typedef struct { ptrdiff_t at, depth, count; } ckc_line;

    /* The next tile of rows: as many as there are of a tile's. */
    CKC_UNUSED static ptrdiff_t ckc_rows_of(ptrdiff_t left)
    {
    #if CKC_GEMM_ROWS == 14
      return left >= 14 ? 14 : left >= 8 ? 8 : left >= 4 ? 4 : left;
    #else
      return left >= 6 ? 6 : left >= 4 ? 4 : left;
    #endif
    }

    /* Cuts three rows, or an even number of them, into tiles: how many there are before the row end. */
    CKC_UNUSED static ptrdiff_t ckc_tiles_of(ptrdiff_t rows)
    {
      ptrdiff_t tiles = rows / CKC_GEMM_ROWS;
      for (ptrdiff_t left = rows % CKC_GEMM_ROWS; left > 0; left -= ckc_rows_of(left)) ++tiles;
      return tiles;
    }

    /* The first row of a tile. */
    CKC_UNUSED static ptrdiff_t ckc_row_of(ptrdiff_t rows, ptrdiff_t tile)
    {
      const ptrdiff_t full = rows / CKC_GEMM_ROWS;
      ptrdiff_t row = (tile < full ? tile : full) * CKC_GEMM_ROWS;
      for (ptrdiff_t t = full; t < tile; ++t) row += ckc_rows_of(rows - row);
      return row;
    }

    /* Lists the lines at depths from .. from + depth of rows from start, which meet one tap. */
    CKC_UNUSED static const ckc_line *ckc_trace(
      const ckc_side *side, ptrdiff_t base, ptrdiff_t start, ptrdiff_t from, ptrdiff_t depth,
      ckc_line *line)
    {
      ptrdiff_t q[CKC_AXES] = {0}, i[CKC_LOOPS], k[CKC_LOOPS], place = base;
      const int last = side->lane_count - 1, inner = side->depth_count - 1;
      const ckc_loop *const deep = side->depths + inner;
      ptrdiff_t next = 0;
      const ckc_line *const first = line;
      ckc_seek(side->lanes, last + 1, start, i);
      for (int n = 0; n <= last; ++n) place += i[n] * side->lanes[n].stride;
      for (int x = 0; x < side->axis_count; ++x) {
        q[x] = side->axes[x].start;
        for (int n = 0; n <= last; ++n) q[x] += i[n] * side->lanes[n].steps[x];
      }
      ckc_seek(side->depths, inner + 1, from, k);
      for (ptrdiff_t done = 0, run; done < depth; done += run) {
        run = deep->extent - k[inner] < depth - done ? deep->extent - k[inner] : depth - done;
        ptrdiff_t at = place, k0 = 0, k1 = run;
        for (int n = 0; n <= inner; ++n) at += k[n] * side->depths[n].stride;
        for (int x = 0; x < side->axis_count; ++x) {
          const ptrdiff_t extent = side->axes[x].extent;
          ptrdiff_t p = q[x];
          for (int n = 0; n <= inner; ++n) p += k[n] * side->depths[n].steps[x];
          if (deep->steps[x] != 0) ckc_clip(p, deep->steps[x], extent, 1, &k0, &k1);
          else if (p < 0 || p >= extent) k1 = 0;
          at += p * side->axes[x].stride;
        }
        k[inner] += run;
        ckc_carry(side->depths, inner + 1, k);
        if (k0 >= k1) continue;
        at += k0 * side->depth_step;
        if (line > first && at == next && line[-1].depth + line[-1].count == done + k0) {
          line[-1].count += k1 - k0;
        } else {
          line->at = at;
          line->depth = done + k0;
          line->count = k1 - k0;
          ++line;
        }
        next = at + (k1 - k0) * side->depth_step;
      }
      return line;
    }

    """#

  private static let kernels = #"""

    #ifdef CKC_GEMM_VECTORS
    /* Rows of a tile may meet in few sets of a cache, and are fetched some depths before. */
    #define CKC_AHEAD 8
    #define CKC_CROSS_1(i, p, n) s##i += row[i] * b0;
    #define CKC_CROSS_2(i, p, n) { const T x = row[i]; s##i += x * b0; t##i += x * b1; }
    #define CKC_CROSS(NAME, TYPE, ROWS, N) \
      CKC_UNUSED CKC_CONTRACT static void NAME##_##ROWS##_##N( \
        const ckc_line *line, const ckc_line *end, const TYPE *CKC_RESTRICT a, ptrdiff_t ks, \
        const TYPE *CKC_RESTRICT b, ptrdiff_t bs, TYPE *CKC_RESTRICT c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        CKC_TILE_TYPES(TYPE) \
        CKC_EACH_##ROWS(CKC_ZERO_##N) \
        CKC_EACH_##ROWS(CKC_FETCH_##N) \
        const uintptr_t ahead = (uintptr_t)(CKC_AHEAD * ks) * sizeof(T); \
        for (; line < end; ++line) { \
          const TYPE *row = a + line->at, *y = b + line->depth * bs; \
          for (ptrdiff_t k = 0; k < line->count; ++k, row += ks, y += bs) { \
            CKC_LOAD_##N \
            __builtin_prefetch((const void *)((uintptr_t)row + ahead)); \
            __builtin_prefetch((const void *)((uintptr_t)(row + ROWS - 1) + ahead)); \
            CKC_EACH_##ROWS(CKC_CROSS_##N) \
          } \
        } \
        CKC_EACH_##ROWS(CKC_SAVE_##N) \
        (void)lanes; \
      }
    #define CKC_CROSS_ROWS(NAME, TYPE, ROWS) CKC_CROSS(NAME, TYPE, ROWS, 1) CKC_CROSS(NAME, TYPE, ROWS, 2)
    /* ckc_gemm for rows side by side, as many as ckc_rows_of says. */
    #define CKC_ACROSS(NAME, TYPE, WIDEST) \
      CKC_EACH_HEIGHT(CKC_CROSS_ROWS, ckc_cross_##NAME, TYPE) \
      CKC_CROSS_ROWS(ckc_cross_##NAME, TYPE, 3) \
      CKC_UNUSED static void ckc_follow_##NAME( \
        ptrdiff_t full, ptrdiff_t columns, const ckc_line *line, const ckc_line *end, const TYPE *a, \
        ptrdiff_t ks, const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        typedef void tile_function(const ckc_line *, const ckc_line *, const TYPE *CKC_RESTRICT, \
          ptrdiff_t, const TYPE *CKC_RESTRICT, ptrdiff_t, TYPE *CKC_RESTRICT, ptrdiff_t, int); \
        const ptrdiff_t lanes = CKC_GEMM_LANES(TYPE); \
        const int wide = columns > lanes; \
        tile_function *const tile = \
          full == 3 ? (wide ? ckc_cross_##NAME##_3_2 : ckc_cross_##NAME##_3_1) \
          : wide ? CKC_PICK_ROWS(ckc_cross_##NAME, 2) : CKC_PICK_ROWS(ckc_cross_##NAME, 1); \
        if (columns == (wide ? 2 * lanes : lanes)) { \
          tile(line, end, a, ks, b, bs, c, ldc, adds); \
          return; \
        } \
        TYPE sums[CKC_GEMM_ROWS * WIDEST]; \
        tile(line, end, a, ks, b, bs, sums, 2 * lanes, 0); \
        for (ptrdiff_t i = 0; i < full; ++i) CKC_STORE_ROW(TYPE, i, sums + i * 2 * lanes) \
      }
    #else
    #define CKC_ACROSS(NAME, TYPE, WIDEST) \
      CKC_UNUSED CKC_CONTRACT static void ckc_follow_##NAME( \
        ptrdiff_t rows, ptrdiff_t columns, const ckc_line *line, const ckc_line *end, const TYPE *a, \
        ptrdiff_t ks, const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        TYPE sums[WIDEST]; \
        for (ptrdiff_t i = 0; i < rows; ++i) { \
          for (ptrdiff_t j = 0; j < columns; ++j) sums[j] = 0; \
          for (const ckc_line *on = line; on < end; ++on) { \
            for (ptrdiff_t k = 0; k < on->count; ++k) { \
              const TYPE x = a[on->at + k * ks + i]; \
              const TYPE *const y = b + (on->depth + k) * bs; \
              for (ptrdiff_t j = 0; j < columns; ++j) sums[j] += x * y[j]; \
            } \
          } \
          CKC_STORE_ROW(TYPE, i, sums) \
        } \
      }
    #endif

    """#
}
