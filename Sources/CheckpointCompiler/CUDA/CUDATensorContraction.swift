// Contractions of bf16 and f16 on tensor cores.
//
// Problem     Tensor cores multiply tiles of 16 × 16 by 16 × 8 elements of 16 bits and add in f32, many
//             times as fast as threads do; they want their operands spread over a warp in a fixed way.
// Method      Eight warps, two by four, compute a tile of the result; each step along the depth brings
//             tiles of both operands into shared memory, with either the depth or the lanes (rows or
//             columns) contiguous. A warp reads up to four matrices of 8 × 8 at a time, turned on the way
//             where lanes are contiguous. Tiles are 16 bytes wider than they need be, so that the eight
//             rows of a matrix lie in different banks.
// Order       Every sum takes 16 products at a time in the order of the depth, whatever the tile.
// Source      PTX ISA, "Matrix fragments for mma.m16n8k16", "ldmatrix".

extension CUDATile {
  /// Warps along the rows and the columns of a tile.
  static let warpRows = 2
  static let warpColumns = 4
  /// The tile of one instruction.
  static let fragmentRows = 16
  static let fragmentColumns = 8
  static let fragmentDepth = 16
}

extension CUDAPart {
  /// The body of the function on tensor cores.
  mutating func onTensorCores(_ tile: CUDATile) -> [String] {
    func side(isRows: Bool) -> CUDATileSide {
      let run = isRows ? tile.rowRun : tile.columnRun
      return CUDATileSide(
        part, isRows: isRows, width: isRows ? tile.rowWidth : tile.columnWidth, depth: tile.depth,
        type: "uint16_t", isAcross: run == .across, copiedRun: run)
    }
    let (x, y) = (side(isRows: true), side(isRows: false))
    var lines = tileStart(tile)
    lines += [
      "  const int warp = thread / 32, place = thread % 32;",
      "  const int quad = place / 4, pair = place % 4 * 2;",
      "  const int warp_row = warp / \(CUDATile.warpColumns) * \(tile.rowWidth / CUDATile.warpRows);",
      "  const int warp_column = "
        + "warp % \(CUDATile.warpColumns) * \(tile.columnWidth / CUDATile.warpColumns);",
    ]
    var reads: [String] = []
    for side in [x, y] {
      lines += declarations(side)
      reads += self.reads(side) { "\(side.operand == .first ? "b0" : "b1")[\($0)]" }
    }
    let (rows, columns) = (tile.rows, tile.columns)
    lines += [
      "  float sums[\(rows)][\(columns)][4];", "  CKC_UNROLL",
      "  for (int i = 0; i < \(rows); i++) {", "    CKC_UNROLL",
      "    for (int j = 0; j < \(columns); j++) {", "      CKC_UNROLL",
      "      for (int c = 0; c < 4; c++) sums[i][j][c] = 0;", "    }", "  }",
    ]
    lines += steps([x, y], reads: reads, products: fragments(tile, x, y))
    return lines
      + results(
        rows: "for (int i = 0; i < \(2 * rows); i++)",
        columns: "for (int j = 0; j < \(2 * columns); j++)",
        row: "warp_row + i * \(CUDATile.fragmentRows / 2) + quad",
        column: "warp_column + j / 2 * \(CUDATile.fragmentColumns) + pair + j % 2",
        sum: "sums[i / 2][j / 2][i % 2 * 2 + j % 2]")
  }

  /// Lines that multiply the fragments of one step.
  ///
  /// A lane of the warp, `place`, names one row of a matrix of 8 × 8 in shared memory: of the matrix
  /// `place / 8`, the row `place % 8`.
  private func fragments(_ tile: CUDATile, _ x: CUDATileSide, _ y: CUDATileSide) -> [String] {
    let half = CUDATile.fragmentDepth / 2
    func read(_ side: CUDATileSide, _ count: Int, to: String, lane: String, depth: String) -> String
    {
      let element =
        side.isAcross
        ? side.element("now", lane: lane, depth: "k + \(depth) + place % 8")
        : side.element("now", lane: "\(lane) + place % 8", depth: "k + \(depth)")
      return "ckc_ldmatrix_x\(count)\(side.isAcross ? "_trans" : "")(\(to), &\(element));"
    }
    // The registers of rows hold one half of the rows after the other, then the other half of the
    // depth; those of two fragments of columns the halves of the depth, then the next columns.
    let readRows = read(
      x, 4, to: "x[i]",
      lane: "warp_row + i * \(CUDATile.fragmentRows) + place / 8 % 2 * \(half)",
      depth: "place / 16 * \(half)")
    let pairs = (tile.columns + 1) / 2
    let ofPair = tile.columns > 1 ? " + place / 16 * \(CUDATile.fragmentColumns)" : ""
    let readColumns = read(
      y, tile.columns > 1 ? 4 : 2, to: "y[j]",
      lane: "warp_column + j * \(2 * CUDATile.fragmentColumns)\(ofPair)",
      depth: "place / 8 % 2 * \(half)")
    return [
      "      CKC_UNROLL",
      "      for (int k = 0; k < \(tile.depth); k += \(CUDATile.fragmentDepth)) {",
      "        uint32_t x[\(tile.rows)][4], y[\(pairs)][4];", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) {", "          \(readRows)", "        }",
      "        CKC_UNROLL", "        for (int j = 0; j < \(pairs); j++) {",
      "          \(readColumns)", "        }", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) {", "          CKC_UNROLL",
      "          for (int j = 0; j < \(tile.columns); j++) {",
      "            ckc_mma_m16n8k16_\(dtypes.first.name)(sums[i][j], x[i], &y[j / 2][j % 2 * 2]);",
      "          }", "        }", "      }",
    ]
  }
}
