// Contractions of bf16 and f16 on tensor cores.
//
// Problem     Tensor cores multiply tiles of 16 × 16 by 16 × 8 elements of 16 bits and add in f32, many
//             times as fast as threads do; they want their operands spread over a warp in a fixed way.
// Method      Eight warps, two by four, compute a tile of the result; each step along the depth brings
//             tiles of both operands into shared memory with the depth of every row and column
//             contiguous, as fragments are read: two elements at a time. Rows of tiles are 16 bytes longer
//             than their depth, so that the 32 reads of a fragment go to 32 banks.
// Order       Every sum takes 16 products at a time in the order of the depth, whatever the tile.
// Source      PTX ISA, "Matrix fragments for mma.m16n8k16".

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
      var side = CUDATileSide(
        part, isRows: isRows, width: isRows ? tile.rowWidth : tile.columnWidth, depth: tile.depth,
        type: "uint16_t", isAcross: false)
      side.isCopied = tile.isCopied
      return side
    }
    let (x, y) = (side(isRows: true), side(isRows: false))
    var lines = tileStart(tile)
    lines += [
      "  const int warp = thread / 32, quad = thread % 32 / 4, pair = thread % 4 * 2;",
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
    lines += steps([x, y], reads: reads, products: fragments(tile))
    return lines
      + results(
        rows: "for (int i = 0; i < \(2 * rows); i++)",
        columns: "for (int j = 0; j < \(2 * columns); j++)",
        row: "warp_row + i * \(CUDATile.fragmentRows / 2) + quad",
        column: "warp_column + j / 2 * \(CUDATile.fragmentColumns) + pair + j % 2",
        sum: "sums[i / 2][j / 2][i % 2 * 2 + j % 2]")
  }

  /// Lines that multiply the fragments of one step.
  private func fragments(_ tile: CUDATile) -> [String] {
    let half = CUDATile.fragmentDepth / 2
    func pair(_ name: String, _ lane: String, _ depth: String) -> String {
      "ckc_pair(&\(name)_tile[now][\(lane)][k + pair\(depth)])"
    }
    let row = "warp_row + i * \(CUDATile.fragmentRows) + quad"
    let column = "warp_column + j * \(CUDATile.fragmentColumns) + quad"
    return [
      "      CKC_UNROLL",
      "      for (int k = 0; k < \(tile.depth); k += \(CUDATile.fragmentDepth)) {",
      "        uint32_t x[\(tile.rows)][4], y[\(tile.columns)][2];", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) {",
      "          x[i][0] = \(pair("x", row, ""));",
      "          x[i][1] = \(pair("x", "\(row) + 8", ""));",
      "          x[i][2] = \(pair("x", row, " + \(half)"));",
      "          x[i][3] = \(pair("x", "\(row) + 8", " + \(half)"));", "        }",
      "        CKC_UNROLL", "        for (int j = 0; j < \(tile.columns); j++) {",
      "          y[j][0] = \(pair("y", column, ""));",
      "          y[j][1] = \(pair("y", column, " + \(half)"));", "        }", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) {", "          CKC_UNROLL",
      "          for (int j = 0; j < \(tile.columns); j++) {",
      "            ckc_mma_m16n8k16_\(dtypes.first.name)(sums[i][j], x[i], y[j]);", "          }",
      "        }", "      }",
    ]
  }
}
