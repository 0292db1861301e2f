// The order in which a reduction combines its elements.
//
// Problem     What a sum of floating-point numbers is depends on its order. A reduction that runs again
//             in another kernel, beside other ops and over operands that lie otherwise, has to give the
//             same bits.
// Rule        The order is a function of the shape and the reduced dimensions alone. Dimensions of
//             extent 1 do not count; neighbours that are all reduced, or all kept, are a run.
// Rows        The last run is reduced: its elements, counted in row-major order, go to lanes in turn,
//             which a tree combines. Counting starts again where an inner part of the run is long.
// Columns     The last run is kept: each of its elements is one chain along what is reduced.
// Groups      The last run is reduced and short, and runs before it are reduced too, as in a group
//             normalization with channels last: a chain for each of its elements, then those in order.
// Parts       Where few elements are kept, the first run is cut into parts of equal length, which
//             threads combine; then the parts are combined in order.
// Constraints A kernel is free to walk dimensions as one loop or as several where the order is the
//             same; `together` and `apart` say where it is not.
// Cost        O(rank).

/// The order of the reductions of one frame.
struct ReductionOrder: Hashable, Sendable {
  /// What elements of the innermost dimensions are combined with first.
  enum Walk: Hashable, Sendable {
    /// Those of the same lane.
    case rows(lanes: Int)
    /// Those of the same column.
    case columns
    /// Those of the same lane of a group.
    case groups
  }

  /// How the steps of the first dimensions are cut.
  struct Parts: Hashable, Sendable {
    /// The steps of all parts, of one, and the number of parts.
    let extent: Int
    let size: Int
    let count: Int

    /// At most `countMax` parts of a multiple of `unit`.
    fileprivate init(extent: Int, unit: Int = 1) {
      let units = (extent + unit - 1) / unit
      size = (units + ReductionOrder.countMax - 1) / ReductionOrder.countMax * unit
      self.extent = extent
      count = (extent + size - 1) / size
    }
  }

  /// Parts at most, and the steps from which on dimensions are cut without those after them.
  private static let countMax = 16
  private static let stepsMin = 32
  /// Rows that columns have at least where they are cut.
  private static let rowsMin = 128
  /// Kept values from which on they are shared out rather than parts.
  private static let keptMax = 8
  /// Elements from which on a reduction is cut.
  private static let workMin = 65_536
  /// Columns that are walked side by side at most.
  static let columnsMax = 512
  /// The length from which on a last run is reduced by itself.
  private static let groupSizeMax = 64
  /// The length from which on the lanes of an inner part of a run are counted by themselves.
  private static let rowMin = 256

  /// What is combined first.
  let walk: Walk
  /// Ranges of dimensions that are walked in the order of one loop.
  private(set) var together: [Range<Int>] = []
  /// Dimensions that are not walked as one with those before them.
  private(set) var apart: Set<Int> = []
  /// The parts of the first reduced dimensions; nil where they are not cut.
  private(set) var parts: Parts?

  /// The order in which a frame is reduced.
  ///
  /// - Precondition: Something is reduced.
  init(_ frame: LoopFrame) {
    let runs = DimensionRun.all(of: frame)
    let last = runs[runs.count - 1]
    let first = runs.first { $0.isReduced }!
    let kept = runs.filter { !$0.isReduced }
    guard last.isReduced else {
      walk = .columns
      cutColumns(first, runs, width: last.extent, kept: kept.dropLast())
      return
    }
    if runs.count > 2, let group = kept.last, group.extent > 0,
      last.extent > 1 && last.extent < ReductionOrder.groupSizeMax,
      group.extent * last.extent <= ReductionOrder.columnsMax
    {
      walk = .groups
      together = [group.dims, last.dims]
      cutColumns(
        first, runs.dropLast(), width: group.extent * last.extent, kept: kept.dropLast())
      return
    }
    let lanes = ReductionOrder.laneCount(last.extent)
    walk = .rows(lanes: lanes)
    let isCut =
      first.dims == last.dims && last.extent >= ReductionOrder.workMin
      && kept.reduce(1) { $0 * $1.extent } < ReductionOrder.keptMax
    arrange(last, lanes, isCut: isCut, in: frame.domain)
  }

  /// The lanes of a run: whole vectors where it has many elements, else one.
  private static func laneCount(_ extent: Int) -> Int {
    for lanes in [64, 32, 16] where extent % lanes == 0 && extent >= 2 * lanes { return lanes }
    return extent >= 512 ? 64 : extent >= 32 ? 16 : 1
  }

  /// Cuts the first run of columns where that is worth it.
  private mutating func cutColumns(
    _ first: DimensionRun, _ runs: some Sequence<DimensionRun>, width: Int,
    kept: some Sequence<DimensionRun>
  ) {
    let rows = runs.reduce(1) { $1.isReduced ? $0 * $1.extent : $0 }
    let isCut =
      kept.reduce(1) { $0 * $1.extent } < ReductionOrder.keptMax
      && first.extent >= ReductionOrder.rowsMin
      && rows * min(width, ReductionOrder.columnsMax) >= ReductionOrder.workMin
    guard isCut else { return }
    let steps = first.prefix(atLeast: ReductionOrder.stepsMin)
    together.append(steps.dims)
    parts = Parts(extent: steps.extent)
  }

  /// Says where the lanes of a run are counted anew, and where it is cut.
  private mutating func arrange(
    _ run: DimensionRun, _ lanes: Int, isCut: Bool, in domain: [Int]
  ) {
    guard lanes > 1 else { return }
    // The lanes of a row are those of the run if the row has a multiple of them.
    var row = run.suffix { $0 % lanes == 0 || $0 >= ReductionOrder.rowMin }
    if isCut {
      let steps = run.prefix(atLeast: ReductionOrder.stepsMin)
      if steps.dims.upperBound <= row.dims.lowerBound {
        together.append(steps.dims)
        parts = Parts(extent: steps.extent)
      } else {
        row = run
        parts = Parts(extent: run.extent, unit: lanes)
      }
    }
    together.append(row.dims)
    if row.extent % lanes != 0, row.dims.lowerBound > run.dims.lowerBound {
      apart.insert(row.dims.lowerBound)
    }
  }
}

/// Neighbouring dimensions that are all reduced, or all kept.
private struct DimensionRun {
  let isReduced: Bool
  /// The dimensions whose extent is not 1, with their extents.
  private(set) var members: [(dim: Int, extent: Int)]

  var dims: Range<Int> { members[0].dim..<members[members.count - 1].dim + 1 }
  var extent: Int { members.reduce(1) { $0 * $1.extent } }

  /// The runs of a frame, outermost first.
  static func all(of frame: LoopFrame) -> [DimensionRun] {
    let last = lastReduced(of: frame)
    var runs: [DimensionRun] = []
    for (dim, extent) in frame.domain.enumerated() where extent != 1 || dim == last {
      let isReduced = frame.reduced.contains(dim)
      if runs.last?.isReduced == isReduced {
        runs[runs.count - 1].members.append((dim, extent))
      } else {
        runs.append(DimensionRun(isReduced: isReduced, members: [(dim, extent)]))
      }
    }
    return runs
  }

  /// The last reduced dimension, of those whose extent is not 1 if there are any.
  private static func lastReduced(of frame: LoopFrame) -> Int? {
    frame.reduced.last { frame.domain[$0] != 1 } ?? frame.reduced.last
  }

  /// The first dimensions with that many steps, or all.
  func prefix(atLeast steps: Int) -> DimensionRun {
    for count in 1..<members.count {
      let part = DimensionRun(isReduced: isReduced, members: Array(members.prefix(count)))
      if part.extent >= steps { return part }
    }
    return self
  }

  /// The shortest row of last dimensions whose length fits, or all.
  func suffix(fitting fits: (Int) -> Bool) -> DimensionRun {
    for count in 1..<members.count {
      let part = DimensionRun(isReduced: isReduced, members: Array(members.suffix(count)))
      if fits(part.extent) { return part }
    }
    return self
  }
}
