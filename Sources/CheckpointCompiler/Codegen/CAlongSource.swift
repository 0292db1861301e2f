// The C text of tiles whose rows are read where they are.
//
// Problem     The panel of a window holds every number of the operand once for each tap: with few
//             columns, copying it costs as much as a tenth of the products, and it fills the first-level
//             cache with copies.
// Method      For each tap that any row meets inside the tensor, the addresses of all rows are listed;
//             a row that is outside reads zeros. The tile goes over the taps, and in each along the
//             numbers that lie side by side. Where no row is near an edge, the addresses of a tap
//             are those of the first one plus a constant.
// Invariants  The order of every sum is that of the packed form: ascending depth in one accumulator.
// Stack       At most `Contraction.Part.tapsMax` taps of 14 addresses, and one tile.
// Source      Dukhan, "The Indirect Convolution Algorithm", 2019.

/// The shared C text of contractions that read rows in place.
enum CAlongSource {
  /// The text for some contractions, after that of packing; empty where none reads rows in place.
  static func source(for contractions: [Contraction]) -> String {
    var sums: Set<DType> = []
    var (taps, zeros) = (1, 1)
    for contraction in contractions where contraction.winograd == nil {
      for part in contraction.parts
      where part.isPacked(contraction.dtypes) && part.rowLayout(contraction.dtypes) == .alongInPlace
      {
        sums.insert(contraction.dtypes.sum)
        taps = max(taps, part.tapCount)
        if !part.axes.isEmpty { zeros = max(zeros, part.tapExtent) }
      }
    }
    guard !sums.isEmpty else { return "" }
    var text = "\n#define CKC_TAPS \(taps)\n#define CKC_ZEROS \(zeros)\n" + search + kernels
    for sum in DType.allCases where sums.contains(sum) {
      text += "CKC_IN_PLACE(\(sum.name), \(sum.cSum), "
      text += "\(CGemmSource.columnBytesMax / sum.byteCount))\n"
    }
    return text
  }

  private static let search = #"""
    #if CKC_GEMM_ROWS == 14
    #define CKC_SLOTS 16
    #else
    #define CKC_SLOTS 8
    #endif

    /* Rows read in place. A tap: where count numbers of each row lie, and at which depth of the block.
       A step of the depth: how far it moves in memory, and along each axis. */
    typedef struct { const void *rows[CKC_SLOTS]; ptrdiff_t depth, count; } ckc_tap;
    typedef struct { ptrdiff_t move, steps[CKC_AXES]; } ckc_step;
    static const double ckc_zeros[CKC_ZEROS] = {0};

    /* Lists the taps at depths from .. from + depth that any of count rows from start meets inside the
       tensor, neighbours in memory as one; rows that do not exist repeat the first one. */
    CKC_UNUSED static const ckc_tap *ckc_find(
      const ckc_side *side, const ckc_step *step, const void *src, ptrdiff_t base, ptrdiff_t size,
      ptrdiff_t start, ptrdiff_t count, ptrdiff_t from, ptrdiff_t depth, ckc_tap *tap)
    {
      ptrdiff_t at[CKC_SLOTS] = {0}, p[CKC_AXES][CKC_SLOTS] = {{0}}, i[CKC_LOOPS];
      ptrdiff_t least[CKC_AXES] = {0}, most[CKC_AXES] = {0};
      const int last = side->lane_count - 1, axes = side->axis_count;
      const ckc_loop *const lane = side->lanes + last;
      const ptrdiff_t run = side->depths[side->depth_count - 1].extent;
      /* Places in bytes and positions along the axes: neighbours are one step apart. */
      ckc_seek(side->lanes, last + 1, start, i);
      for (ptrdiff_t l = 0; l < count;) {
        ptrdiff_t place = base, by = side->lane_step * size;
        for (int n = 0; n <= last; ++n) place += i[n] * side->lanes[n].stride;
        for (int x = 0; x < axes; ++x) {
          const ptrdiff_t step_x = lane->steps[x];
          ptrdiff_t q = side->axes[x].start;
          for (int n = 0; n <= last; ++n) q += i[n] * side->lanes[n].steps[x];
          place += q * side->axes[x].stride;
          q -= l * step_x;
          for (ptrdiff_t j = 0; j < CKC_SLOTS; ++j) p[x][j] = j < l ? p[x][j] : q + j * step_x;
        }
        place = place * size - l * by;
        for (ptrdiff_t j = 0; j < CKC_SLOTS; ++j) at[j] = j < l ? at[j] : place + j * by;
        l += lane->extent - i[last];
        i[last] = lane->extent;
        ckc_carry(side->lanes, last + 1, i);
      }
      for (ptrdiff_t l = count; l < CKC_SLOTS; ++l) at[l] = at[0];
      for (int x = 0; x < axes; ++x) {
        for (ptrdiff_t l = count; l < CKC_SLOTS; ++l) p[x][l] = p[x][0];
        ptrdiff_t low = p[x][0], high = low;
        for (ptrdiff_t l = 0; l < CKC_SLOTS; ++l) {
          low = p[x][l] < low ? p[x][l] : low;
          high = p[x][l] > high ? p[x][l] : high;
        }
        least[x] = low;
        most[x] = high;
      }
      step += from / run;
      ptrdiff_t k = from % run, next = PTRDIFF_MAX;
      for (ptrdiff_t done = 0, some; done < depth; done += some, k = 0, ++step) {
        some = run - k < depth - done ? run - k : depth - done;
        int outside = 0, edge = 0;
        for (int x = 0; x < axes; ++x) {
          const ptrdiff_t extent = side->axes[x].extent, first = least[x] + step->steps[x];
          const ptrdiff_t end = most[x] + step->steps[x];
          outside |= (end < 0) | (first >= extent);
          edge |= (first < 0) | (end >= extent);
        }
        if (outside) {
          next = PTRDIFF_MAX;
          continue;
        }
        const ptrdiff_t move = step->move + k;
        if (!edge && move == next) {
          tap[-1].count += some;
          next += some;
          continue;
        }
        const char *const moved = (const char *)src + move * size;
        for (ptrdiff_t l = 0; l < CKC_SLOTS; ++l) tap->rows[l] = moved + at[l];
        next = move + some;
        if (edge) {
          ptrdiff_t misses[CKC_SLOTS] = {0}, hits = 0;
          for (int x = 0; x < axes; ++x) {
            const size_t extent = (size_t)side->axes[x].extent;
            const ptrdiff_t by = step->steps[x];
            for (ptrdiff_t l = 0; l < CKC_SLOTS; ++l) misses[l] |= (size_t)(p[x][l] + by) >= extent;
          }
          for (ptrdiff_t l = 0; l < CKC_SLOTS; ++l) hits += 1 - misses[l];
          next = PTRDIFF_MAX;
          if (hits == 0) continue;
          for (ptrdiff_t l = 0; l < CKC_SLOTS; ++l) {
            if (misses[l]) tap->rows[l] = ckc_zeros;
          }
        }
        tap->depth = done;
        tap->count = some;
        ++tap;
      }
      return tap;
    }

    """#

  private static let kernels = #"""
    /* Tiles of CKC_GEMM_ROWS rows, each at an address of its own in every tap. */
    #ifdef CKC_GEMM_VECTORS
    #define CKC_ROW(i, p, n) const T *const p##i = (const T *)tap->rows[i];
    #define CKC_MEET_1(i, p, n) s##i += p##i[k] * b0;
    #define CKC_MEET_2(i, p, n) { const T x = p##i[k]; s##i += x * b0; t##i += x * b1; }
    #if CKC_GEMM_ROWS == 14
    #define CKC_EACH_ROW(X) CKC_EACH_14(X)
    #else
    #define CKC_EACH_ROW(X) CKC_EACH_6(X)
    #endif
    #define CKC_TILE_IN_PLACE(NAME, TYPE, N) \
      CKC_UNUSED CKC_CONTRACT static void ckc_reach_##NAME##_##N( \
        const ckc_tap *tap, const ckc_tap *end, const TYPE *CKC_RESTRICT b, \
        ptrdiff_t bs, TYPE *CKC_RESTRICT c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        CKC_TILE_TYPES(TYPE) \
        CKC_EACH_ROW(CKC_ZERO_##N) \
        CKC_EACH_ROW(CKC_FETCH_##N) \
        for (; tap < end; ++tap) { \
          CKC_EACH_ROW(CKC_ROW) \
          const TYPE *y = b + tap->depth * bs; \
          for (ptrdiff_t k = 0; k < tap->count; ++k, y += bs) { \
            CKC_LOAD_##N \
            CKC_EACH_ROW(CKC_MEET_##N) \
          } \
        } \
        CKC_EACH_ROW(CKC_SAVE_##N) \
        (void)lanes; \
      }
    #define CKC_REACH(NAME, TYPE) CKC_TILE_IN_PLACE(NAME, TYPE, 1) CKC_TILE_IN_PLACE(NAME, TYPE, 2) \
      CKC_UNUSED static void ckc_reach_##NAME( \
        ptrdiff_t columns, const ckc_tap *tap, const ckc_tap *end, const TYPE *b, \
        ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        if (columns > CKC_GEMM_LANES(TYPE)) ckc_reach_##NAME##_2(tap, end, b, bs, c, ldc, adds); \
        else ckc_reach_##NAME##_1(tap, end, b, bs, c, ldc, adds); \
      }
    #else
    #define CKC_REACH(NAME, TYPE) \
      CKC_UNUSED CKC_CONTRACT static void ckc_reach_##NAME( \
        ptrdiff_t columns, const ckc_tap *tap, const ckc_tap *end, const TYPE *b, \
        ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        CKC_CONTRACT_BODY \
        TYPE sums[CKC_GEMM_COLUMNS(TYPE)]; \
        for (ptrdiff_t i = 0; i < CKC_GEMM_ROWS; ++i) { \
          for (ptrdiff_t j = 0; j < columns; ++j) sums[j] = 0; \
          for (const ckc_tap *at = tap; at < end; ++at) { \
            for (ptrdiff_t k = 0; k < at->count; ++k) { \
              const TYPE x = ((const TYPE *)at->rows[i])[k]; \
              const TYPE *const y = b + (at->depth + k) * bs; \
              for (ptrdiff_t j = 0; j < columns; ++j) sums[j] += x * y[j]; \
            } \
          } \
          CKC_STORE_ROW(TYPE, i, sums) \
        } \
      }
    #endif
    /* ckc_gemm for rows in place. */
    #define CKC_IN_PLACE(NAME, TYPE, WIDEST) \
      CKC_REACH(NAME, TYPE) \
      CKC_UNUSED static void ckc_meet_##NAME( \
        ptrdiff_t rows, ptrdiff_t columns, const ckc_tap *tap, const ckc_tap *end, \
        const TYPE *b, ptrdiff_t bs, TYPE *c, ptrdiff_t ldc, int adds) \
      { \
        const ptrdiff_t width = CKC_GEMM_COLUMNS(TYPE); \
        if (rows == CKC_GEMM_ROWS && (columns == width || columns == CKC_GEMM_LANES(TYPE))) { \
          ckc_reach_##NAME(columns, tap, end, b, bs, c, ldc, adds); \
          return; \
        } \
        TYPE sums[CKC_GEMM_ROWS * WIDEST]; \
        ckc_reach_##NAME(columns, tap, end, b, bs, sums, width, 0); \
        for (ptrdiff_t i = 0; i < rows; ++i) CKC_STORE_ROW(TYPE, i, sums + i * width) \
      }

    """#
}
