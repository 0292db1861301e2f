// The depth of a contraction in slices that blocks of their own add up (split-K).
//
// Problem     The gradient of a kernel has few results and sums over all positions of all images: a
//             tile for each block leaves most multiprocessors idle, and the others at work for long.
// Method      Blocks of the same tile take a slice of the depth each and leave their sums in scratch; a
//             second launch adds the slices of every result in order. There are as many slices as give
//             the tiles of a moderate size enough blocks, deep enough to be worth the second launch, and
//             so few that their sums are a fraction of the operand that has no window.
// Invariants  Extents alone decide, neither the machine, nor the dtype, nor an epilogue: the order of a
//             sum is that of the shape.
// Cost        The sums of all slices: at most `blocksAim` tiles, which stay in the L2 cache.

/// How the depth of a part of a contraction is cut.
struct CUDASlices: Hashable, Sendable {
  /// Rows and columns of the tiles that are counted, of whatever size those are that are computed.
  private static let tileSide = 64
  /// Tiles that keep a graphics processor busy without slices.
  private static let tilesEnough = 128
  /// Blocks, with slices, that are aimed at.
  private static let blocksAim = 256
  /// The least depth of a slice, and what it is a multiple of: the depth of any step.
  private static let depthMin = 256
  private static let depthUnit = 32
  /// Slices at most: a thread of the second launch reads them all.
  private static let countMax = 64
  /// The least ratio of the elements of the operand without a window to the sums of all slices.
  private static let operandRatio = 4

  /// How many there are, at least 1.
  let count: Int
  /// The depth of each but the last, which may be less deep.
  let depth: Int
  /// The places of the result from the first to the last that the part computes.
  let span: Int

  init(_ part: Contraction.Part) {
    let (rowTiles, columnTiles) = (
      quotient(part.rowCount, Self.tileSide), quotient(part.columnCount, Self.tileSide)
    )
    let tiles = max(1, rowTiles * columnTiles * part.groupCount)
    let results = part.groups + part.rows + part.columns
    span = results.reduce(1) { $0 + $1.out * ($1.extent - 1) }
    let whole = part.depthCount
    var most = 1
    if tiles < Self.tilesEnough {
      let lanes = part.columnOperand == .second ? part.columnCount : part.rowCount
      most = min(
        Self.countMax, Self.blocksAim / tiles, whole / Self.depthMin,
        part.groupCount * lanes * whole / (Self.operandRatio * span))
    }
    let unit = Self.depthUnit
    depth = most > 1 ? quotient(whole, most * unit) * unit : whole
    count = most > 1 ? quotient(whole, depth) : 1
  }

  /// Bytes of scratch for the sums of all slices, of elements of so many bytes; 0 where there is one.
  func scratchBytes(_ elementBytes: Int) -> Int {
    count > 1 ? alignedBytes(count * span * elementBytes) : 0
  }
}

extension Contraction {
  /// Bytes of scratch on a graphics processor; parts are computed one after the other.
  var cudaScratchBytes: Int {
    parts.map { part in
      guard CUDAContractionForm(part) == .tiled else { return 0 }
      return CUDASlices(part).scratchBytes(dtypes.sum.byteCount)
    }.max() ?? 0
  }
}

extension CUDAPart {
  /// The sums of all slices, as C.
  private var sliceSums: String { "((\(sumType) *)(void *)scratch)" }

  /// The line that leaves a sum of a slice in scratch, for `addSlices`.
  func sliceStore(_ sum: String, at place: String, indent: String) -> String {
    "\(indent)\(sliceSums)[slice * \(slices.span) + \(place)] = \(sum);"
  }

  /// The body of the function that adds the slices: a thread for each result.
  mutating func addSlices() -> [String] {
    let place = sum("0", resultLoops, "l") { $0.out }
    return elements([
      "    const \(index) place = \(place);", "    \(sumType) sum = 0;",
      "    for (\(index) slice = 0; slice < \(slices.count); slice++) {",
      "      sum += \(sliceSums)[slice * \(slices.span) + place];", "    }",
    ])
  }
}
