// Packed contractions whose depth is cut into slices that are summed apart.
//
// Problem     Threads that split a small result over a long depth pack for each other and wait for each
//             other at every block (`DepthSlices.swift`).
// Method      A piece is a slice, or some panels of rows of a slice: one thread goes over its blocks with
//             panels of its own and leaves the sums in scratch. After one barrier, tiles are shared out:
//             each adds the sums of the slices in order, and goes where tiles go (`CPackedSums.swift`).
// Invariants  Pieces write disjoint sums. Every sum is added up block by block in its slice, then slice by
//             slice, whoever does it.

extension CPart {
  /// The pieces of all slices, then the tiles that join them.
  func sliced(_ blocking: Blocking, _ share: String) -> String {
    pieces(blocking, share) + joinedTiles(blocking, share)
  }

  private func pieces(_ blocking: Blocking, _ share: String) -> String {
    let (rows, columns, depth) = (part.rowCount, part.columnCount, part.depthCount)
    let chunks = blocking.chunks
    let head = """
            for (ptrdiff_t piece = 0; piece < \(blocking.slices * chunks); ++piece) {
              const ptrdiff_t slice = piece\(chunks > 1 ? " / \(chunks)" : "");
              const ptrdiff_t from = slice * \(blocking.sliceDepth);
              const ptrdiff_t end = from + (\(least("\(depth) - from", "\(blocking.sliceDepth)")));
            for (ptrdiff_t n0 = 0; n0 < \(columns); n0 += \(blocking.columns))
            for (ptrdiff_t k0 = from; k0 < end; k0 += \(blocking.depth)) {
              const ptrdiff_t m0 = 0, mc = \(rows);
              const ptrdiff_t nc = \(least("\(columns) - n0", "\(blocking.columns)"));
              const ptrdiff_t kc = \(least("end - k0", "\(blocking.depth)"));
              const ptrdiff_t strips = \(strips(blocking));
              const ptrdiff_t tiles = (nc + \(width) - 1) / \(width);

      """
    return share + head + sharedColumns(blocking, "") + "      }\n      }\n"
  }

  /// The panels of rows that a piece has, as the start and the condition of a loop.
  func rowsOfPiece(_ blocking: Blocking) -> String {
    let chunks = blocking.chunks
    guard chunks > 1 else { return "ptrdiff_t task = 0; task < strips" }
    let number = "piece % \(chunks)"
    return "ptrdiff_t task = strips * (\(number)) / \(chunks); "
      + "task < strips * (\(number) + 1) / \(chunks)"
  }

  /// The sums of one tile of a slice.
  func sumsOfPiece(_ blocking: Blocking) -> String {
    let place = "slices + slice * \(blocking.sumElements) + m * \(part.columnCount) + n0 + c"
    return "            \(tileCall(blocking)) \(place), \(part.columnCount), k0 > from);\n"
  }

  private func joinedTiles(_ blocking: Blocking, _ share: String) -> String {
    let (rows, columns) = (part.rowCount, part.columnCount)
    let place =
      "slices + m * \(columns) + c, \(columns), \(blocking.slices), \(blocking.sumElements)"
    let source = SumSource(
      start: "ckc_join_\(compute)(rows, columns, \(place),", column: "c", adds: false)
    let tiles = "(\(columns) + \(width) - 1) / \(width)"
    return share + """
              for (ptrdiff_t task = 0; task < (\(rows) + CKC_GEMM_ROWS - 1) / CKC_GEMM_ROWS; ++task) {
                const ptrdiff_t m = task * CKC_GEMM_ROWS;
                const ptrdiff_t rows = \(least("\(rows) - m", "CKC_GEMM_ROWS"));

      """ + rowHead(indent: "        ") + """
                  for (ptrdiff_t t = 0; t < \(tiles); ++t) {
                    const ptrdiff_t c = t * \(width);
                    const ptrdiff_t columns = \(least("\(columns) - c", width));

        """ + tile(blocking, source) + "          }\n        }\n"
  }
}

/// The shared C text of contractions with slices.
enum CSliceSource {
  /// The text for some contractions; it comes after the micro-kernels.
  static func source(for contractions: [Contraction], target: Target) -> String {
    var sums: Set<DType> = []
    for contraction in contractions where contraction.winograd == nil {
      let dtypes = contraction.dtypes
      let isSliced = contraction.parts.contains {
        guard case .packed(let blocking) = $0.form(dtypes, target) else { return false }
        return blocking.isSliced
      }
      if isSliced { sums.insert(dtypes.sum) }
    }
    guard !sums.isEmpty else { return "" }
    var text = join
    for sum in DType.allCases where sums.contains(sum) {
      text += "CKC_JOIN(\(sum.name), \(sum.cSum))\n"
    }
    return text
  }

  private static let join = #"""

    /* c[rows, columns] = the sums of slices, added in order. Rows of a slice are stride apart, slices
       apart. */
    #define CKC_JOIN(NAME, TYPE) \
      CKC_UNUSED static void ckc_join_##NAME( \
        ptrdiff_t rows, ptrdiff_t columns, const TYPE *CKC_RESTRICT slice, ptrdiff_t stride, \
        ptrdiff_t slices, ptrdiff_t apart, TYPE *CKC_RESTRICT c, ptrdiff_t ldc) \
      { \
        for (ptrdiff_t i = 0; i < rows; ++i, slice += stride, c += ldc) { \
          for (ptrdiff_t j = 0; j < columns; ++j) c[j] = slice[j]; \
          for (ptrdiff_t s = 1; s < slices; ++s) { \
            for (ptrdiff_t j = 0; j < columns; ++j) c[j] += slice[s * apart + j]; \
          } \
        } \
      }

    """#
}
