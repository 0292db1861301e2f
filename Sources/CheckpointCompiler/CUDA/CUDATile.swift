// The size of the tiles of a contraction.
//
// Problem     Large tiles read less of the operands, small ones leave more blocks to share out.
// Method      16 × 16 threads compute 2, 4 or 8 rows and columns each. The largest tile is taken that
//             does not reach beyond twice the matrix and gives every multiprocessor a block; else the
//             one with the most blocks.
// Cost        A step over `depth` reads `depth` rows and columns of the tile into shared memory, twice so
//             that the next ones come while the last ones are multiplied.

/// A tile of a part of a contraction.
struct CUDATile: Hashable, Sendable {
  /// Threads along either side.
  static let unit = 16
  /// Threads of a block.
  static let threads = unit * unit
  /// Rows or columns of a thread, ascending.
  static let sizes = [2, 4, 8]
  /// The depth of a step.
  static let depth = 8

  /// Rows and columns of a thread.
  var rows: Int
  var columns: Int
  /// Blocks of the launch.
  var blocks: Int
  /// Tiles along the columns, and of a group.
  var columnTiles: Int
  var groupTiles: Int

  init(_ part: Contraction.Part, _ dtypes: Contraction.DTypes, _ gpu: GPU) {
    // Sums of 8 bytes fill the registers at half the size.
    let sizes = dtypes.sum.cSumBytes == 8 ? Self.sizes.dropLast() : Self.sizes[...]
    func tiles(_ count: Int, _ size: Int) -> Int {
      (count + Self.unit * size - 1) / (Self.unit * size)
    }
    func fitting(_ count: Int) -> [Int] {
      let fit = sizes.filter { $0 == sizes[0] || Self.unit * $0 < 2 * count }
      return fit.reversed()
    }
    var best: (rows: Int, columns: Int)?
    var bestBlocks = 0
    let candidates = fitting(part.rowCount).flatMap { rows in
      fitting(part.columnCount).map { (rows: rows, columns: $0) }
    }.sorted { ($0.rows * $0.columns, $0.columns) > ($1.rows * $1.columns, $1.columns) }
    for candidate in candidates {
      let blocks =
        tiles(part.rowCount, candidate.rows) * tiles(part.columnCount, candidate.columns)
        * part.groupCount
      if best == nil || bestBlocks < gpu.multiprocessors && blocks > bestBlocks {
        (best, bestBlocks) = (candidate, blocks)
      }
    }
    (rows, columns) = best!
    columnTiles = tiles(part.columnCount, columns)
    groupTiles = columnTiles * tiles(part.rowCount, rows)
    blocks = bestBlocks
  }
}

extension DType {
  /// The bytes of a sum of products.
  var cSumBytes: Int { isFloatingPoint ? (self == .f64 ? 8 : 4) : byteCount == 8 ? 8 : 4 }
}
