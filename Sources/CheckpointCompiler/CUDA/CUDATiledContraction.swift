// Contractions in tiles: shared memory, registers, and the next step on its way.
//
// Problem     Each product of matrices reads every operand many times; the registers of 256 threads hold
//             a tile of the result, shared memory the rows and columns that it is made from.
// Method      For every step along the depth, each thread reads a few elements of both operands ahead
//             into registers, multiplies what is in shared memory, and stores what it has read into the
//             other of two buffers: one barrier for each step.
// Source      Volkov & Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008; implicit GEMM:
//             Chetlur et al., "cuDNN", 2014, arXiv:1410.0759.

extension CUDAPart {
  /// The body of the function in tiles.
  mutating func tiled(_ tile: CUDATile) -> [String] {
    func side(isRows: Bool) -> CUDATileSide {
      CUDATileSide(
        part, isRows: isRows, width: isRows ? tile.rowWidth : tile.columnWidth, depth: tile.depth,
        type: sumType, isAcross: true)
    }
    let (x, y) = (side(isRows: true), side(isRows: false))
    let unit = CUDATile.unit
    var lines = tileStart(tile)
    lines.append("  const int thread_row = thread / \(unit), thread_column = thread % \(unit);")
    var reads: [String] = []
    for side in [x, y] {
      lines += declarations(side)
      let element = loader(side.operand)
      reads += self.reads(side, element)
    }
    lines += [
      "  \(sumType) sums[\(tile.rows)][\(tile.columns)];", "  CKC_UNROLL",
      "  for (int i = 0; i < \(tile.rows); i++) {", "    CKC_UNROLL",
      "    for (int j = 0; j < \(tile.columns); j++) sums[i][j] = 0;", "  }",
    ]
    lines += steps([x, y], reads: reads, products: products(tile))
    return lines
      + results(
        rows: "for (int i = 0; i < \(tile.rows); i++)",
        columns: "for (int j = 0; j < \(tile.columns); j++)",
        row: place("i", "thread_row", tile.rows),
        column: place("j", "thread_column", tile.columns), sum: "sums[i][j]")
  }

  /// How a thread's rows or columns lie in the tile: runs of four, so that shared memory is read in
  /// 16 bytes, and neighbouring threads read neighbouring runs.
  private func place(_ number: String, _ thread: String, _ size: Int) -> String {
    let run = min(4, size)
    let first = "\(thread) * \(run) + \(number)"
    return size <= run
      ? first
      : "\(number) / \(run) * \(CUDATile.unit * run) + \(thread) * \(run) + \(number) % \(run)"
  }

  /// Lines that add the products of one step.
  private func products(_ tile: CUDATile) -> [String] {
    [
      "      CKC_UNROLL", "      for (int k = 0; k < \(tile.depth); k++) {",
      "        \(sumType) x[\(tile.rows)], y[\(tile.columns)];", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) "
        + "x[i] = x_tile[now][k][\(place("i", "thread_row", tile.rows))];",
      "        CKC_UNROLL",
      "        for (int j = 0; j < \(tile.columns); j++) "
        + "y[j] = y_tile[now][k][\(place("j", "thread_column", tile.columns))];",
      "        CKC_UNROLL", "        for (int i = 0; i < \(tile.rows); i++) {",
      "          CKC_UNROLL",
      "          for (int j = 0; j < \(tile.columns); j++) "
        + "sums[i][j] = \(product("x[i]", "y[j]", plus: "sums[i][j]"));",
      "        }", "      }",
    ]
  }
}
