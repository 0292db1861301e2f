// When a packed contraction reads its rows where they are.
//
// Problem     Packing the rows of a convolution copies each number once for each tap; with few columns
//             to use the copies, that is a tenth of the time.
// Method      Along the depth, tiles take rows at any addresses (`CAlongSource`): only what is innermost
//             in the depth must be contiguous, the channels or the whole depth of a product. Rows that
//             meet in few sets of a first-level cache are packed: each would drive out the others
//             before its line is used up. Nothing is packed block by block, so the depth is cut only
//             where panels of columns would not stay in a second-level cache.
//             Across, the rows of a tile are neighbours at every depth (`CAcrossSource`): the gradient
//             of a kernel sums over positions, which are one stride apart. Blocks are as deep as packed
//             ones, so that what all taps read of a block stays in a cache.
// Invariants  By shape and dtypes alone, and not by what an epilogue asks of the loops: a contraction has
//             the same sums in every kernel.

extension Contraction.Part {
  /// The most taps whose addresses are listed.
  static let tapsMax = 64
  /// The bytes of the deepest block of rows that are read in place: its panel of columns is 590 KB.
  static let inPlaceDepthBytesMax = 18_432
  /// What a first-level cache maps to the same set: bytes apart.
  private static let waysBytes = 4096
  /// The least tiles of rows: the last of them is computed as a whole, however few rows it has.
  private static let tilesMin = 8
  /// The least rows side by side, or those of an image: there is a tile of just so many; and the least
  /// positions of a line.
  private static let lanesMin = 8
  private static let colours = 3
  /// Tiles of three rows use a vector of columns three times: all columns of a block are to be in a
  /// first-level cache.
  private static let nearBytes = 32_768
  private static let lineMin = 8
  /// The least numbers side by side: a tap costs a few steps of its own.
  private static let runMin = 3

  /// The taps of the window: how many runs of neighbours the depth of a row consists of.
  var tapCount: Int { seen(depth, by: rowOperand).dropLast().reduce(1) { $0 * $1.extent } }

  /// How many numbers of a row lie side by side in a tap.
  var tapExtent: Int { seen(depth, by: rowOperand).last!.extent }

  /// How tiles read their rows.
  func rowLayout(_ dtypes: Contraction.DTypes) -> Blocking.Layout {
    let isInMemory = cycles(rowOperand) == nil && dtypes.of(rowOperand) == dtypes.sum
    if isInMemory, axes.allSatisfy({ $0.dilation == 1 }) {
      let lane = seen(rows, by: rowOperand).last!
      let run = seen(depth, by: rowOperand).last!
      let size = dtypes.sum.byteCount
      if isContiguous(run), readsAlong(lane, run, size) { return .alongInPlace }
      if isContiguous(lane), readsAcross(lane, run, size) { return .acrossInPlace }
    }
    return PackedSide(self, rowOperand).isAlong ? .along : .across
  }

  /// Whether each row of a tile may have an address of its own.
  private func readsAlong(_ lane: Loop, _ run: Loop, _ size: Int) -> Bool {
    rowCount >= Self.tilesMin * CGemmSource.rowsMax && tapCount <= Self.tapsMax
      && run.extent >= Self.runMin && distance(lane) * size % Self.waysBytes != 0
  }

  /// Whether the rows of a tile may be neighbours at positions one stride apart.
  private func readsAcross(_ lane: Loop, _ run: Loop, _ size: Int) -> Bool {
    let isTiles =
      lane.extent >= Self.lanesMin && lane.extent % 2 == 0 || lane.extent == Self.colours
    return isTiles && run.extent >= Self.lineMin
      && (1...Self.waysBytes / 2).contains(distance(run) * size)
  }

  private func isContiguous(_ loop: Loop) -> Bool {
    distance(loop) == 1 && loop.steps.allSatisfy { $0 == 0 }
  }

  /// The most lines of a block of the depth.
  func linesMax(_ dtypes: Contraction.DTypes) -> Int {
    let run = seen(depth, by: rowOperand).last!.extent
    return Self.depthBytesMax / dtypes.sum.byteCount / run + 2
  }

  /// The bytes of the deepest block where the rows of a tile are colours.
  var depthBytesOfColours: Int {
    neighbouringRows == Self.colours ? max(256, Self.nearBytes / columnCount) : .max
  }

  /// The rows that tiles are cut from: all that are neighbours.
  var neighbouringRows: Int { seen(rows, by: rowOperand).last!.extent }

  /// How far apart neighbours along a loop are in the operand of the rows.
  private func distance(_ loop: Loop) -> Int {
    guard rowOperand == .first else { return loop.second }
    return axes.indices.reduce(loop.first) { $0 + loop.steps[$1] * axes[$1].stride }
  }
}

extension PackedSide {
  /// The C table, named `name`, of the taps in the order of the depth: how far each of them moves in
  /// memory, and along each axis.
  func stepTable(_ name: String) -> String {
    var rows = [(move: 0, steps: Array(repeating: 0, count: max(1, axes.count)))]
    for loop in depths.dropLast() {
      rows = rows.flatMap { row in
        (0..<loop.extent).map { index in
          var next = row
          next.move += index * loop.stride(operand)
          for axis in axes.indices {
            next.steps[axis] += index * loop.steps[axis]
            next.move += index * loop.steps[axis] * axes[axis].stride
          }
          return next
        }
      }
    }
    let entries = rows.map { row in
      "{\(row.move), {\(row.steps.map(String.init).joined(separator: ", "))}}"
    }
    return "static const ckc_step \(name)[] = {\n  \(entries.joined(separator: ", "))};\n"
  }
}
