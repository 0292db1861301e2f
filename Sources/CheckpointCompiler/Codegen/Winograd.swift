// Convolutions of 3 × 3 taps with fewer products: which they are, and how they are cut.
//
// Problem     A convolution of 3 × 3 taps and stride 1 multiplies 36 times for 2 × 2 results of a channel.
// Method      Winograd's minimal filtering F(2 × 2, 3 × 3): tiles of 4 × 4 inputs and the taps are
//             transformed by sums and differences, multiplied place by place, and 16 products are
//             transformed to 4 results: 2.25 times fewer. Summed over channels, each of the 16 places is a
//             matrix product of tiles × channels × results, in the same register tiles as every other.
//             The gradient of the taps is the same backwards, F(3 × 3, 2 × 2): 16 products for the 9 taps
//             and 2 × 2 places of the result's gradient, summed over tiles.
// Cut         Outputs: columns in blocks, whose transformed taps all threads share; a task is some rows of
//             tiles. Where tiles are few beside columns, a task is a block of columns instead.
//             Taps: channels and columns in blocks, and where these are few, tiles in slices; a task is a
//             slice of a block. Such tasks transform for themselves what they multiply: cores may be far
//             apart, and what one has just written is then slow to read for another. The sums of slices
//             wait in scratch and are added in order.
// Choice      By the op alone, never by what else its kernel does: a convolution has the same bits in every
//             plan. Its transforms halve and add, so errors are those of a sum of as many terms; a number
//             that is not finite reaches all results of its tile.
// Source      A. Lavin, S. Gray, "Fast algorithms for convolutional neural networks", CVPR 2016,
//             arXiv:1509.09308; S. Winograd, "Arithmetic complexity of computations", SIAM 1980.

/// A convolution, or the gradient of one's taps, by minimal filtering.
struct Winograd: Sendable, Hashable {
  /// What the products are summed to.
  enum Role: Sendable, Hashable {
    /// The results of a convolution: tiles are rows of the products, channels their depth.
    case outputs
    /// The gradient of the taps: channels are rows, tiles the depth.
    case taps
  }

  /// One operand as tiles of neighbouring places: where they begin, and what is inside.
  struct Grid: Sendable, Hashable {
    /// Tiles along each axis.
    var tiles: [Int]
    /// The distance of images.
    var imageStride: Int
    /// The position of the first tile along each axis.
    var starts: [Int]
    /// Positions along each axis, and their distance.
    var extents: [Int]
    var strides: [Int]
  }

  private static let elementBytes = 4
  /// Fewer channels or columns do not fill register tiles.
  static let channelsMin = 32
  /// The bytes of transformed inputs, most of a second-level cache.
  private static let inputBytesMax = 480 * 1024
  /// The bytes of what a chunk of tiles is transformed to, for the gradient of taps: with the sums, most
  /// of a second-level cache.
  private static let chunkBytesMax = 512 * 1024
  /// Columns of a block; channels of one, for the gradient of taps: where there are many tasks anyway,
  /// more of them, which transforms columns less often.
  private static let columnsMax = 64
  private static let channelsMax = 64, manyChannelsMax = 128
  /// Slices make blocks this many tasks.
  private static let tasksWanted = 8
  /// Channels of taps that are gathered at once.
  static let gathered = 16

  let role: Role
  /// One group; rows are images or channels, then the two axes; depths the two axes, then channels or
  /// images.
  let part: Contraction.Part

  /// The convolution that a part is, before its loops are merged; nil for others.
  init?(_ part: Contraction.Part, _ dtypes: Contraction.DTypes) {
    let isPlain = [dtypes.first, dtypes.second, dtypes.result].allSatisfy { $0 == .f32 }
    guard isPlain, part.axes.count == 2, part.groupCount == 1, part.rows.count == 3,
      part.columns.count == 1, part.depth.count == 3, part.rowOperand == .first,
      part.axes.allSatisfy({ $0.dilation == 1 }), part.columns[0].out == 1,
      part.rows[1].steps == [1, 0], part.rows[2].steps == [0, 1],
      part.depth[0].steps == [1, 0], part.depth[1].steps == [0, 1]
    else { return nil }
    let (rows, depth) = (part.rows.map(\.extent), part.depth.map(\.extent))
    self.part = part
    if depth[0] == 3, depth[1] == 3, part.depth[2].first == 1 {
      role = .outputs
    } else if rows[1] == 3, rows[2] == 3, part.rows[0].first == 1, part.columns[0].second == 1 {
      role = .taps
    } else {
      return nil
    }
    // Whole vectors of every machine are read of channels, and for the gradient of columns.
    let isWide = channels >= Self.channelsMin && columns >= Self.channelsMin
    guard isWide, channels % 16 == 0, role == .outputs || columns % 16 == 0,
      tileCount >= 4 * CGemmSource.rowsMax,
      // A small network does not pay for speed with the arena of its largest layer.
      Self.elementBytes * (sharedElements + ownElements) <= touchedBytes / 2
    else { return nil }
  }

  // MARK: Geometry

  /// Channels of the inputs, and columns of the products.
  var channels: Int { role == .outputs ? part.depth[2].extent : part.rows[0].extent }
  var columns: Int { part.columns[0].extent }
  /// The extents that tiles of 2 × 2 cover.
  var covered: [Int] {
    role == .outputs
      ? [part.rows[1].extent, part.rows[2].extent] : [part.depth[0].extent, part.depth[1].extent]
  }
  var images: Int { role == .outputs ? part.rows[0].extent : part.depth[2].extent }
  /// Tiles along each axis.
  var tiles: [Int] { covered.map { ($0 + 1) / 2 } }
  /// Rows of tiles, over all images.
  var tileRows: Int { images * tiles[0] }
  var tileCount: Int { tileRows * tiles[1] }

  /// Multiplications that are done.
  var products: Double { 16 * Double(tileCount) * Double(channels) * Double(columns) }

  /// The first operand as tiles of 4 × 4.
  var inputs: Grid {
    Grid(
      tiles: tiles,
      imageStride: role == .outputs ? part.rows[0].first : part.depth[2].first,
      starts: part.axes.map(\.start), extents: part.axes.map(\.extent),
      strides: part.axes.map(\.stride))
  }

  /// The gradient of the results as tiles of 2 × 2.
  var gradients: Grid {
    Grid(
      tiles: tiles, imageStride: part.depth[2].second, starts: [0, 0], extents: covered,
      strides: [part.depth[0].second, part.depth[1].second])
  }

  /// The taps of a channel and column, as loops that pack them.
  var taps: PackedSide {
    var taps = part
    taps.axes = []
    taps.rows = []
    taps.depth = [Contraction.Loop(extent: channels, first: 1, second: part.depth[2].second)]
    return PackedSide(apart: taps, .second)
  }

  // MARK: Cut

  /// Bytes of the operands and the result.
  private var touchedBytes: Int {
    let places = images * covered[0] * covered[1]
    return Self.elementBytes * (places * (channels + columns) + 9 * channels * columns)
  }

  /// Columns of a block.
  var blockColumns: Int { min(columns, Self.columnsMax) }
  /// Channels of a block.
  var blockChannels: Int {
    guard role == .taps else { return channels }
    let areMany = blocks(of: Self.manyChannelsMax) >= Self.tasksWanted
    return min(channels, areMany ? Self.manyChannelsMax : Self.channelsMax)
  }
  /// Blocks side by side.
  var columnBlocks: Int { quotient(columns, blockColumns) }
  /// Blocks of a gradient with so many channels.
  private func blocks(of channels: Int) -> Int {
    quotient(self.channels, channels) * columnBlocks
  }

  /// Slices of the tiles, for a gradient. They and their chunks decide the order of its sums: they
  /// follow from the shape.
  var slices: Int {
    let blocks = blocks(of: blockChannels)
    var slices = min(quotient(Self.tasksWanted, blocks), tileRows)
    // What waits is a small part of what is read.
    while slices > 1, Self.elementBytes * slices * blocks * partialElements > touchedBytes / 4 {
      slices /= 2
    }
    // None is empty.
    return quotient(tileRows, quotient(tileRows, slices))
  }
  /// Rows of tiles of a slice.
  var sliceRows: Int { quotient(tileRows, slices) }
  /// Tasks of a gradient.
  var gradientTasks: Int { blocks(of: blockChannels) * slices }

  /// Rows of tiles of a task of outputs, or of a chunk.
  var blockRows: Int {
    let tileBytes =
      Self.elementBytes * 16
      * (role == .outputs ? channels : blockChannels + blockColumns + 2 * Self.padding)
    let most = role == .outputs ? Self.inputBytesMax : Self.chunkBytesMax
    let bytes = max(min(most, touchedBytes / 8), CGemmSource.rowsMax * tileBytes)
    let all = role == .outputs ? tileRows : sliceRows
    let rows = min(max(1, bytes / tileBytes / tiles[1]), all)
    guard role == .outputs else { return rows }
    // Whole register tiles of the tallest machine, as nearly as possible.
    func use(_ rows: Int) -> Double {
      let count = rows * tiles[1]
      return Double(count) / Double(Self.rounded(count, to: CGemmSource.rowsMax))
    }
    return (max(1, rows / 2)...rows).max { (use($0), $0) < (use($1), $1) }!
  }

  /// Tiles of a task or a chunk.
  var blockTiles: Int { blockRows * tiles[1] }

  func threads(_ target: Target) -> Int {
    let rowTasks = role == .outputs ? quotient(tileRows, blockRows) : gradientTasks
    return part.threads(target, tasks: ownsColumns(target) ? columnBlocks : rowTasks)
  }

  /// Whether threads have whole blocks of columns of the outputs: as many each, and the taps are what
  /// they would mostly read from each other.
  func ownsColumns(_ target: Target) -> Bool {
    let threads = part.threads(target)
    return role == .outputs && threads > 1 && columnBlocks % threads == 0
      && tileCount <= 2 * columns
  }

  // MARK: Scratch

  /// Rows and planes are apart by a little more than they hold, so that they do not meet in the same
  /// sets of a cache.
  static let padding = 16

  static func rounded(_ count: Int, to unit: Int) -> Int { quotient(count, unit) * unit }

  /// Columns of a block, as whole tiles of the widest machine.
  var paddedColumns: Int { Self.rounded(blockColumns, to: CGemmSource.columnBytesMax / 4) }

  /// The distance of the 16 planes of transformed inputs: tiles of channels.
  var inputPlane: Int {
    role == .outputs
      ? Self.rounded(blockTiles, to: CGemmSource.rowsMax) * channels + Self.padding
      : blockTiles * inputStep + Self.padding
  }
  /// The distance of tiles in a plane of inputs, and of gradients.
  var inputStep: Int { role == .outputs ? channels : blockChannels + Self.padding }
  var gradientStep: Int { paddedColumns + Self.padding }
  var gradientPlane: Int { blockTiles * gradientStep + Self.padding }
  /// The distance of the 16 planes of sums; those of outputs are as wide as a register tile.
  var sumPlane: Int {
    role == .outputs
      ? blockTiles * CGemmSource.columnBytesMax / 4 + Self.padding
      : blockChannels * paddedColumns + Self.padding
  }

  /// Zeros in the place of what is outside: a vector for every channel or column.
  var zeroElements: Int { Self.rounded(max(channels, columns), to: 16) }
  /// Taps of `gathered` channels and the columns of a register tile.
  var gatheredElements: Int { 9 * Self.gathered * CGemmSource.columnBytesMax / 4 }

  /// The sums of a slice, of nine taps.
  var partialElements: Int { 9 * blockChannels * paddedColumns }

  /// What threads share, or each has where it has whole blocks of columns: zeros, and the transformed taps of a block of columns, or the sums of slices.
  var sharedElements: Int {
    switch role {
    case .outputs: zeroElements + 16 * channels * paddedColumns
    case .taps: zeroElements + (slices > 1 ? gradientTasks * partialElements : 0)
    }
  }
  /// What a thread has for itself.
  var ownElements: Int {
    switch role {
    case .outputs: gatheredElements + 16 * (inputPlane + sumPlane)
    case .taps: 16 * (inputPlane + gradientPlane + sumPlane)
    }
  }

  /// Bytes of scratch.
  func scratchBytes(_ target: Target) -> Int {
    let threads = threads(target)
    return Self.elementBytes
      * ((ownsColumns(target) ? threads : 1) * sharedElements + threads * ownElements)
  }

  /// One line for a reader of the C.
  func description(_ target: Target) -> String {
    let blocks =
      role == .outputs
      ? "Winograd F(2 x 2, 3 x 3): \(blockColumns) columns, tasks of \(blockRows)"
      : "Winograd F(3 x 3, 2 x 2): \(blockChannels) x \(blockColumns) taps, \(slices) slices, "
        + "chunks of \(blockRows)"
    let crew =
      "\(threads(target)) threads\(ownsColumns(target) ? " have columns of their own" : "")"
    return "\(blocks) x \(tiles[1]) tiles, \(channels) channels; \(crew)"
  }
}

extension Contraction {
  /// How it is computed by minimal filtering; nil where it is not, as on a graphics processor.
  func winograd(_ target: Target) -> Winograd? {
    guard !target.isCUDA, let winograd else { return nil }
    return target.schedule[parts[0].size(dtypes)]?.form == .packed ? nil : winograd
  }
}
