// The size of the tiles of a contraction.
//
// Problem     Large tiles read less of the operands, small ones leave more blocks to share out.
// Method      16 × 16 threads compute 2, 4 or 8 rows and columns each; on tensor cores, eight warps compute
//             1, 2 or 4 fragments along both. The largest tile is taken that does not reach beyond twice
//             the matrix and gives every multiprocessor a block; else the one with the most blocks.
// Cost        A step reads `depth` rows and columns of the tile into shared memory, twice so that the next
//             ones come while the last ones are multiplied.

/// A tile of a part of a contraction.
struct CUDATile: Hashable, Sendable {
  /// Threads along either side.
  static let unit = 16
  /// Threads of a block.
  static let threads = unit * unit
  /// Rows or columns of a thread, ascending.
  static let sizes = [2, 4, 8]
  /// Fragments of a warp along rows or columns, ascending.
  private static let fragments = [1, 2, 4]

  /// Whether tensor cores multiply.
  var isOnTensorCores: Bool
  /// The runs of rows and of columns that are copied past the registers.
  var rowRun: CUDARun?
  var columnRun: CUDARun?
  /// The depth of a step.
  var depth = 8
  /// Rows and columns of a thread, or fragments of a warp.
  var rows: Int
  var columns: Int
  /// Rows and columns of the tile.
  var rowWidth: Int
  var columnWidth: Int
  /// Blocks of the launch.
  var blocks: Int
  /// Tiles along the columns, and of a group.
  var columnTiles: Int
  var groupTiles: Int

  init(_ part: Contraction.Part, _ dtypes: Contraction.DTypes, _ gpu: GPU) {
    isOnTensorCores = Self.fitsTensorCores(dtypes)
    // Sums of 8 bytes fill the registers at half the size.
    let sizes =
      isOnTensorCores
      ? Self.fragments[...]
      : dtypes.sum.cSum.hasSuffix("64_t") || dtypes.sum == .f64
        ? Self.sizes.dropLast() : Self.sizes[...]
    let unit = isOnTensorCores ? Self.warpRows * Self.fragmentRows : Self.unit
    let slices = CUDASlices(part).count
    func tiles(_ count: Int, _ size: Int) -> Int { (count + unit * size - 1) / (unit * size) }
    func fitting(_ count: Int) -> [Int] {
      sizes.filter { $0 == sizes[0] || unit * $0 < 2 * count }.reversed()
    }
    var best: (rows: Int, columns: Int)?
    var bestBlocks = 0
    let candidates = fitting(part.rowCount).flatMap { rows in
      fitting(part.columnCount).map { (rows: rows, columns: $0) }
    }.sorted { ($0.rows * $0.columns, $0.columns) > ($1.rows * $1.columns, $1.columns) }
    for candidate in candidates {
      let blocks =
        tiles(part.rowCount, candidate.rows) * tiles(part.columnCount, candidate.columns)
        * part.groupCount * slices
      if best == nil || bestBlocks < gpu.multiprocessors && blocks > bestBlocks {
        (best, bestBlocks) = (candidate, blocks)
      }
    }
    (rows, columns) = best!
    (rowWidth, columnWidth) = (unit * rows, unit * columns)
    columnTiles = tiles(part.columnCount, columns)
    groupTiles = columnTiles * tiles(part.rowCount, rows)
    blocks = bestBlocks
    if isOnTensorCores {
      rowRun = CUDARun(part, isRows: true)
      columnRun = CUDARun(part, isRows: false)
      // What goes through registers would fill them.
      depth = Self.fragmentDepth * (rowRun != nil && columnRun != nil ? 2 : 1)
    }
  }

  /// Whether tensor cores multiply operands of these dtypes.
  static func fitsTensorCores(_ dtypes: Contraction.DTypes) -> Bool {
    dtypes.first == dtypes.second && (dtypes.first == .bf16 || dtypes.first == .f16)
      && dtypes.sum == .f32
  }
}
