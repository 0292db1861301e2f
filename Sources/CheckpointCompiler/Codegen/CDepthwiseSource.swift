// The C text that depthwise convolutions share: blocks of results in registers.
//
// Method      Each kind of block (`Depthwise.Block`) is a macro with every product written out; its
//             lanes are a vector, or one number. A function slides a block over the channels for a list
//             of rows of the window.
// Invariants  A lane's sum is one chain of products, whether it is in a vector or not. Channels that do
//             not fill a vector: results are computed by a vector that overlaps the one before, which
//             gives the same numbers again; sums that are added to (`CDepthwiseTaps`), one by one.

/// The shared C text of depthwise convolutions.
enum CDepthwiseSource {
  typealias Block = Depthwise.Block

  /// The text for some contractions, after that of the micro-kernels; empty where none is depthwise.
  static func source(for contractions: [Contraction]) -> String {
    var (functions, isUsed) = ([String](), false)
    for contraction in contractions {
      let dtype = contraction.dtypes.sum
      for part in contraction.parts {
        guard let form = part.depthwise(contraction.dtypes) else { continue }
        isUsed = true
        for run in form.sweeps == nil ? form.runs : [] {
          let text = slide(run.block, dtype)
          if !functions.contains(text) { functions.append(text) }
        }
      }
    }
    return isUsed ? common + functions.joined() : ""
  }

  /// The function that computes blocks of results.
  static func slideName(_ block: Block, _ dtype: DType) -> String {
    "ckc_slide_\(dtype.name)_\(suffix(block))"
  }

  private static func suffix(_ block: Block) -> String {
    [
      block.outputs, block.taps, block.outputStep, block.tapStep, block.low, block.high,
    ].map(String.init).joined(separator: "_")
  }

  private static let common = #"""

    /* Depthwise convolutions: channels are lanes. Where the numbers of a row are in both operands. */
    typedef struct { ptrdiff_t first, second; } ckc_row;
    #define CKC_LANE(p) (*(p))
    #define CKC_SET_LANE(p, sum) *(p) = sum;
    #ifdef CKC_GEMM_VECTORS
    #define CKC_LANES(p) (*(const U *)(const void *)(p))
    #define CKC_SET_LANES(p, sum) *(U *)(void *)(p) = sum;
    #define CKC_SLIDE_LANES(TYPE, BLOCK) \
      CKC_TILE_TYPES(TYPE) \
      ptrdiff_t l = 0; \
      while (lanes <= count) { \
        BLOCK(V, CKC_LANES, CKC_SET_LANES) \
        l += lanes; \
        if (l >= count) return; \
        if (l > count - lanes) l = count - lanes; \
      } \
      for (; l < count; ++l) { BLOCK(T, CKC_LANE, CKC_SET_LANE) }
    #define CKC_SWEEP_LANES(TYPE, BLOCK) \
      CKC_TILE_TYPES(TYPE) \
      const ptrdiff_t whole = count - count % lanes; \
      for (ptrdiff_t l = 0; l < whole; l += lanes) { BLOCK(V, CKC_LANES, CKC_SET_LANES) } \
      for (ptrdiff_t l = whole; l < count; ++l) { BLOCK(T, CKC_LANE, CKC_SET_LANE) }
    #define CKC_WHOLE_LANES(TYPE, BLOCK) \
      CKC_TILE_TYPES(TYPE) \
      for (ptrdiff_t l = 0; l < count; l += lanes) { BLOCK(V, CKC_LANES, CKC_SET_LANES) }
    #else
    #define CKC_SLIDE_LANES(TYPE, BLOCK) \
      for (ptrdiff_t l = 0; l < count; ++l) { BLOCK(TYPE, CKC_LANE, CKC_SET_LANE) }
    #define CKC_SWEEP_LANES(TYPE, BLOCK) CKC_SLIDE_LANES(TYPE, BLOCK)
    #define CKC_WHOLE_LANES(TYPE, BLOCK) CKC_SLIDE_LANES(TYPE, BLOCK)
    #endif
    /* Results out, out + os, ... of count channels: the sums over some rows of the window, whose numbers
       start at a + from and are xs apart, and whose taps are bs apart. */
    #define CKC_SLIDE(NAME, TYPE, BLOCK) \
      CKC_UNUSED CKC_CONTRACT static void NAME( \
        ptrdiff_t count, ptrdiff_t rows, const ckc_row *row, const TYPE *CKC_RESTRICT a, \
        ptrdiff_t from, ptrdiff_t xs, const TYPE *CKC_RESTRICT b, ptrdiff_t bs, \
        TYPE *CKC_RESTRICT out, ptrdiff_t os) \
      { \
        CKC_CONTRACT_BODY \
        (void)bs; \
        (void)os; \
        CKC_SLIDE_LANES(TYPE, BLOCK) \
      }

    """#

  /// Lines of a macro.
  static func macro(_ head: String, _ lines: [String]) -> String {
    "#define \(head) \\\n" + lines.map { "  \($0)" }.joined(separator: " \\\n") + "\n"
  }

  static func offset(_ count: Int, _ step: String) -> String {
    count == 0 ? "" : count == 1 ? " + \(step)" : " + \(count) * \(step)"
  }

  /// The products of a block: `x` is the place of its first column and moves to the last one.
  static func products(_ block: Block, indent: String) -> [String] {
    let columns = block.columns
    let met = Set(columns.flatMap { block.pairs(at: $0).map(\.tap) })
    var lines = (0..<block.taps).filter(met.contains).map {
      "\(indent)const V w\($0) = GET(b + w\(offset($0, "bs")));"
    }
    for (number, column) in columns.enumerated() {
      if number > 0 { lines.append(indent + advance(column - columns[number - 1])) }
      let sums = block.pairs(at: column).map { "s\($0.output) += v * w\($0.tap);" }
      lines.append("\(indent){ const V v = GET(a + x); \(sums.joined(separator: " ")) }")
    }
    return lines
  }

  /// The step of `x` by some columns.
  static func advance(_ columns: Int) -> String {
    columns == 1 ? "x += xs;" : "x += \(columns) * xs;"
  }

  private static func slide(_ block: Block, _ dtype: DType) -> String {
    let name = slideName(block, dtype)
    let sums = (0..<block.outputs).map { "s\($0) = {0}" }.joined(separator: ", ")
    var lines = ["V \(sums);", "for (ptrdiff_t r = 0; r < rows; ++r) {"]
    lines.append("  const ptrdiff_t w = row[r].second + l;")
    lines.append("  ptrdiff_t x = row[r].first + from + l;")
    lines += products(block, indent: "  ") + ["}"]
    lines += (0..<block.outputs).map { "PUT(out + l\(offset($0, "os")), s\($0))" }
    return macro("CKC_BLOCK_\(suffix(block))_\(dtype.name)(V, GET, PUT)", lines)
      + "CKC_SLIDE(\(name), \(dtype.cSum), CKC_BLOCK_\(suffix(block))_\(dtype.name))\n"
  }
}
