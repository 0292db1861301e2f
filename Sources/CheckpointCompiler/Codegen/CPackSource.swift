// The C text that packs the operands of contractions into panels.
//
// Problem     Panels are filled from any strides and windows, and packing is a tenth of the time of a
//             small product: it must copy whole runs. Text for each kernel would be most of a program.
// Method      A table describes each operand (`PackedSide`); one function for all of them walks it.
//             Lanes of a panel are found once by counting; along the depth, what the innermost loops
//             reach at once is one block, and a window is checked once per block: it leaves a
//             rectangle of lanes by depths. Blocks are copied in one of four ways, by how memory and
//             panel lie.
// Invariants  What lies outside the tensor, and lanes that do not exist, are zeros.
// Stack       Places of at most `lanesMax` lanes.

/// The shared C text of packing.
enum CPackSource {
  /// The text for some contractions; it comes after the micro-kernels.
  static func source(for contractions: [Contraction]) -> String {
    let parts = contractions.flatMap(\.parts)
    let loops = parts.map { max($0.rows.count, $0.columns.count, $0.depth.count) }.max() ?? 1
    let axes = parts.map(\.axes.count).max() ?? 0
    var text = "\n#define CKC_AXES \(max(1, axes))\n#define CKC_LOOPS \(max(2, loops))\n"
    text += "#define CKC_LANES_MAX \(CGemmSource.columnBytesMax / DType.f32.byteCount)\n"
    text += common + copies
    let contracted = Set(contractions.map(\.dtypes))
    let sums = Set(contracted.map(\.sum)).filter(\.isFloatingPoint)
    for sum in DType.allCases where sums.contains(sum) {
      // What a prologue computes is packed as numbers that are added.
      let computed = contractions.contains {
        $0.dtypes.sum == sum && ($0.firstPrologue != nil || $0.secondPrologue != nil)
      }
      let packed = Set(
        contracted.filter { $0.sum == sum }.flatMap { [$0.first, $0.second] }
          + (computed ? [sum] : []))
      for dtype in DType.allCases where packed.contains(dtype) {
        let name = CGemmSource.packName(dtype, sum)
        let load = dtype == .bf16 || dtype == .f16 ? "ckc_\(dtype.name)_to_f32" : ""
        text += "#define CKC_LOAD_\(name)(x) \(load)(x)\n"
        text += "#define CKC_TURN_\(name) \(name == "f32" ? "CKC_TURN" : "")\n"
        text += "CKC_COPY(\(name), \(cStorageType(dtype)), \(sum.cSum))\n"
      }
    }
    return text
  }

  private static let common = #"""

    /* Packing. One side of a contraction: loops over its lanes (rows or columns) and over its depth, and
       the window's axes that they move. A block is what the innermost loops reach at once: lanes where
       joins_lanes, depths where joins_depths, lane_step and depth_step apart. Along the depth a block
       moves a window once in unit elements. */
    typedef struct { ptrdiff_t extent, stride, steps[CKC_AXES]; } ckc_loop;
    typedef struct { ptrdiff_t start, extent, dilation, stride; } ckc_axis;
    typedef struct {
      const ckc_loop *lanes, *depths;
      const ckc_axis *axes;
      int lane_count, depth_count, axis_count, joins_lanes, joins_depths;
      ptrdiff_t lane_step, depth_step, unit;
    } ckc_side;

    /* Copies a block of lanes by depths, zeros outside l0 .. l1 and k0 .. k1; lanes of the panel are ls
       apart, depths ks. */
    typedef void ckc_copy(
      const void *src, ptrdiff_t at, ptrdiff_t lane_step, ptrdiff_t depth_step,
      ptrdiff_t lanes, ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t run, ptrdiff_t k0, ptrdiff_t k1,
      void *panel, ptrdiff_t to, ptrdiff_t ls, ptrdiff_t ks);

    /* The indices of nested loops at a flat index; one step of them, the innermost having moved. */
    CKC_UNUSED static void ckc_seek(const ckc_loop *loops, int count, ptrdiff_t flat, ptrdiff_t *at)
    {
      for (int i = count; i-- > 0;) {
        at[i] = flat % loops[i].extent;
        flat /= loops[i].extent;
      }
    }
    CKC_UNUSED static void ckc_carry(const ckc_loop *loops, int count, ptrdiff_t *at)
    {
      for (int i = count - 1; i > 0 && at[i] == loops[i].extent; --i) {
        at[i] = 0;
        ++at[i - 1];
      }
    }

    /* The part of from .. to whose positions p, p + step, ... lie in 0 .. extent. */
    CKC_UNUSED static void ckc_clip(
      ptrdiff_t p, ptrdiff_t step, ptrdiff_t extent, ptrdiff_t unit, ptrdiff_t *from, ptrdiff_t *to)
    {
      const ptrdiff_t low = p < 0 ? -p : 0, high = p < extent ? extent - p : 0;
      const ptrdiff_t f = (step == 1 ? low : (low + step - 1) / step) * unit;
      const ptrdiff_t t = (step == 1 ? high : (high + step - 1) / step) * unit;
      if (f > *from) *from = f;
      if (t < *to) *to = t;
    }

    /* Packs lanes start .. start + count, zeros up to width, and depths from .. from + depth. Appends to
       runs, where there are some, at which depths any lane is inside the window. */
    CKC_UNUSED static void ckc_pack(
      const ckc_side *side, ckc_copy *copy, const void *src, ptrdiff_t base, ptrdiff_t start,
      ptrdiff_t count, ptrdiff_t width, ptrdiff_t from, ptrdiff_t depth, void *panel, ptrdiff_t ls,
      ptrdiff_t ks, ckc_runs *runs)
    {
      ptrdiff_t first[CKC_LANES_MAX], size[CKC_LANES_MAX], place[CKC_LANES_MAX];
      ptrdiff_t q[CKC_LANES_MAX][CKC_AXES], i[CKC_LOOPS], k[CKC_LOOPS], blocks = 0;
      const int last = side->lane_count - 1, inner = side->depth_count - 1;
      const ckc_loop *const lane = side->lanes + last, *const deep = side->depths + inner;
      ckc_seek(side->lanes, last + 1, start, i);
      for (ptrdiff_t l = 0; l < count; ++blocks) {
        ptrdiff_t joined = side->joins_lanes ? lane->extent - i[last] : 1, at = base;
        if (joined > count - l) joined = count - l;
        for (int n = 0; n <= last; ++n) at += i[n] * side->lanes[n].stride;
        for (int x = 0; x < side->axis_count; ++x) {
          q[blocks][x] = side->axes[x].start;
          for (int n = 0; n <= last; ++n) q[blocks][x] += i[n] * side->lanes[n].steps[x];
        }
        first[blocks] = l;
        size[blocks] = joined;
        place[blocks] = at;
        l += joined;
        i[last] += joined;
        ckc_carry(side->lanes, last + 1, i);
      }
      ckc_seek(side->depths, inner + 1, from, k);
      for (ptrdiff_t done = 0; done < depth;) {
        const ptrdiff_t k_in = k[inner];
        ptrdiff_t run = side->joins_depths ? deep->extent - k_in : 1;
        if (run > depth - done) run = depth - done;
        ptrdiff_t move = k_in * (side->joins_depths ? side->depth_step : deep->stride);
        for (int n = 0; n < inner; ++n) move += k[n] * side->depths[n].stride;
        ptrdiff_t lo = run, hi = 0;
        for (ptrdiff_t s = 0; s < blocks; ++s) {
          ptrdiff_t at = place[s] + move, l0 = 0, l1 = size[s], k0 = k_in, k1 = k_in + run;
          for (int x = 0; x < side->axis_count; ++x) {
            const ckc_axis axis = side->axes[x];
            ptrdiff_t p = q[s][x];
            for (int n = 0; n < inner; ++n) p += k[n] * side->depths[n].steps[x];
            if (!side->joins_depths) p += k_in * deep->steps[x];
            if (side->joins_lanes && lane->steps[x] != 0) {
              ckc_clip(p, lane->steps[x], axis.extent, 1, &l0, &l1);
            } else if (side->joins_depths && deep->steps[x] != 0) {
              ckc_clip(p, deep->steps[x], axis.extent, side->unit, &k0, &k1);
            } else if (p < 0 || p >= axis.extent * axis.dilation
              || (axis.dilation > 1 && p % axis.dilation != 0)) {
              k1 = 0;
            }
            at += axis.dilation == 1 ? p * axis.stride : p / axis.dilation * axis.stride;
          }
          if (l0 < l1 && k0 - k_in < lo) lo = k0 - k_in;
          if (l0 < l1 && k1 - k_in > hi) hi = k1 - k_in;
          copy(src, at, side->lane_step, side->depth_step, size[s], l0, l1, run, k0 - k_in, k1 - k_in,
            panel, first[s] * ls + done * ks, ls, ks);
        }
        if (runs && lo < hi) {
          const int old = runs->count - 1;
          if (old >= 0 && (runs->to[old] == done + lo || runs->count == CKC_RUNS)) {
            runs->to[old] = done + hi;
          } else {
            runs->from[runs->count] = done + lo;
            runs->to[runs->count++] = done + hi;
          }
        }
        done += run;
        k[inner] += run;
        ckc_carry(side->depths, inner + 1, k);
      }
      /* Lanes that do not exist: their sums are not used, but should be sums of numbers. */
      if (count < width) {
        copy(src, 0, 0, 0, width - count, 0, 0, depth, 0, 0, panel, count * ls, ls, ks);
      }
    }

    """#

  private static let copies = #"""

    /* f32 that are neighbours along the depth as neighbours along the lanes, four by four. */
    #if defined(CKC_GEMM_VECTORS) && (defined(__clang__) || __GNUC__ >= 12)
    #define CKC_TURNS
    CKC_UNUSED static void ckc_turn(
      const float *CKC_RESTRICT from, ptrdiff_t lane_step, ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t k0,
      ptrdiff_t k1, float *CKC_RESTRICT to, ptrdiff_t ks)
    {
      typedef float V __attribute__((vector_size(16)));
      typedef float U __attribute__((vector_size(16), aligned(4)));
      for (ptrdiff_t n0 = k0; n0 < k1; n0 += 16) {
        const ptrdiff_t n1 = k1 - n0 < 16 ? k1 : n0 + 16;
        for (ptrdiff_t l = l0; l < l1; l += 4) {
          if (l > l1 - 4) l = l1 - 4;
          const float *const s = from + l * lane_step;
          float *const t = to + l;
          ptrdiff_t k = n0;
          for (; k + 4 <= n1; k += 4) {
            const V a = *(const U *)(const void *)(s + k);
            const V b = *(const U *)(const void *)(s + k + lane_step);
            const V c = *(const U *)(const void *)(s + k + 2 * lane_step);
            const V d = *(const U *)(const void *)(s + k + 3 * lane_step);
            const V ab = __builtin_shufflevector(a, b, 0, 4, 1, 5);
            const V cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
            const V ef = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            const V gh = __builtin_shufflevector(c, d, 2, 6, 3, 7);
            *(U *)(void *)(t + k * ks) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
            *(U *)(void *)(t + (k + 1) * ks) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
            *(U *)(void *)(t + (k + 2) * ks) = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
            *(U *)(void *)(t + (k + 3) * ks) = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
          }
          for (; k < n1; ++k) {
            for (ptrdiff_t j = 0; j < 4; ++j) t[k * ks + j] = s[j * lane_step + k];
          }
        }
      }
    }
    #define CKC_TURN \
      if (depth_step == 1 && ls == 1 && l1 - l0 >= 4) { \
        ckc_turn(from, lane_step, l0, l1, k0, k1, to, ks); \
        return; \
      }
    #else
    #define CKC_TURN
    #endif

    /* Lanes l0 .. l1 at depths k0 .. k1, one function for each way that memory and panel lie: along the
       depth in both; across the lanes in both, in one or two copies of fixed length that may overlap;
       along the depth in memory and across in the panel; and any. */
    #define CKC_SPANS(NAME, STORED, TYPE, N) \
      for (; k0 < k1; ++k0, from += depth_step, to += ks) { \
        for (ptrdiff_t l = 0; l < N; ++l) to[l] = CKC_LOAD_##NAME(from[l]); \
        for (ptrdiff_t l = 0; l < N; ++l) to[n - N + l] = CKC_LOAD_##NAME(from[n - N + l]); \
      }
    #define CKC_COPY(NAME, STORED, TYPE) \
      CKC_UNUSED static void ckc_along_##NAME( \
        const STORED *CKC_RESTRICT from, ptrdiff_t lane_step, ptrdiff_t l0, ptrdiff_t l1, \
        ptrdiff_t k0, ptrdiff_t k1, TYPE *CKC_RESTRICT to, ptrdiff_t ls) \
      { \
        for (ptrdiff_t l = l0; l < l1; ++l) { \
          for (ptrdiff_t k = k0; k < k1; ++k) { \
            to[l * ls + k] = CKC_LOAD_##NAME(from[l * lane_step + k]); \
          } \
        } \
      } \
      CKC_UNUSED static void ckc_across_##NAME( \
        const STORED *CKC_RESTRICT from, ptrdiff_t depth_step, ptrdiff_t n, ptrdiff_t k0, \
        ptrdiff_t k1, TYPE *CKC_RESTRICT to, ptrdiff_t ks) \
      { \
        from += k0 * depth_step; \
        to += k0 * ks; \
        if (n >= 16) { CKC_SPANS(NAME, STORED, TYPE, 16) } \
        else if (n >= 8) { CKC_SPANS(NAME, STORED, TYPE, 8) } \
        else if (n >= 4) { CKC_SPANS(NAME, STORED, TYPE, 4) } \
        else { \
          for (; k0 < k1; ++k0, from += depth_step, to += ks) { \
            for (ptrdiff_t l = 0; l < n; ++l) to[l] = CKC_LOAD_##NAME(from[l]); \
          } \
        } \
      } \
      CKC_UNUSED static void ckc_any_##NAME( \
        const STORED *CKC_RESTRICT from, ptrdiff_t lane_step, ptrdiff_t depth_step, ptrdiff_t l0, \
        ptrdiff_t l1, ptrdiff_t k0, ptrdiff_t k1, TYPE *CKC_RESTRICT to, ptrdiff_t ls, ptrdiff_t ks) \
      { \
        for (ptrdiff_t n0 = k0; n0 < k1; n0 += 16) { \
          const ptrdiff_t n1 = k1 - n0 < 16 ? k1 : n0 + 16; \
          for (ptrdiff_t l = l0; l < l1; ++l) { \
            for (ptrdiff_t k = n0; k < n1; ++k) { \
              to[l * ls + k * ks] = CKC_LOAD_##NAME(from[l * lane_step + k * depth_step]); \
            } \
          } \
        } \
      } \
      CKC_UNUSED static void ckc_zero_##NAME( \
        ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t k0, ptrdiff_t k1, TYPE *to, ptrdiff_t ls, ptrdiff_t ks) \
      { \
        const ptrdiff_t outer = ks == 1 ? l1 - l0 : k1 - k0, inner = ks == 1 ? k1 - k0 : l1 - l0; \
        const ptrdiff_t far = ks == 1 ? ls : ks; \
        to += l0 * ls + k0 * ks; \
        for (ptrdiff_t i = 0; i < outer; ++i) { \
          for (ptrdiff_t j = 0; j < inner; ++j) to[i * far + j] = 0; \
        } \
      } \
      CKC_UNUSED static void ckc_copy_##NAME( \
        const void *src, ptrdiff_t at, ptrdiff_t lane_step, ptrdiff_t depth_step, \
        ptrdiff_t lanes, ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t run, ptrdiff_t k0, ptrdiff_t k1, \
        void *panel, ptrdiff_t start, ptrdiff_t ls, ptrdiff_t ks) \
      { \
        const STORED *const from = (const STORED *)src + at; \
        TYPE *const to = (TYPE *)panel + start; \
        if (l0 >= l1 || k0 >= k1) { \
          ckc_zero_##NAME(0, lanes, 0, run, to, ls, ks); \
          return; \
        } \
        if (k0 > 0) ckc_zero_##NAME(0, lanes, 0, k0, to, ls, ks); \
        if (k1 < run) ckc_zero_##NAME(0, lanes, k1, run, to, ls, ks); \
        if (l0 > 0) ckc_zero_##NAME(0, l0, k0, k1, to, ls, ks); \
        if (l1 < lanes) ckc_zero_##NAME(l1, lanes, k0, k1, to, ls, ks); \
        if (depth_step == 1 && ks == 1) { \
          ckc_along_##NAME(from, lane_step, l0, l1, k0, k1, to, ls); \
        } else if (lane_step == 1 && ls == 1) { \
          ckc_across_##NAME(from + l0, depth_step, l1 - l0, k0, k1, to + l0, ks); \
        } else { \
          CKC_TURN_##NAME \
          ckc_any_##NAME(from, lane_step, depth_step, l0, l1, k0, k1, to, ls, ks); \
        } \
      }

    """#
}
