// Runs of 16 bytes: what a thread copies into shared memory at a time, past the registers.
//
// Invariants  A run lies within one innermost loop, and begins at a multiple of 16 bytes: its loop is
//             contiguous and a multiple of it, and whatever else moves the operand does so by multiples
//             of it. So if the first element of a run is inside the tensor, all are.

/// Where the eight elements of 2 bytes of a run lie beside each other.
enum CUDARun: Sendable {
  /// Along the depth of a lane.
  case along
  /// Across neighbouring lanes.
  case across

  /// Elements of a run.
  static let elements = 8

  /// The runs of an operand; nil where it has none.
  init?(_ part: Contraction.Part, isRows: Bool) {
    let operand = isRows ? part.rowOperand : part.columnOperand
    let base = operand == .first ? part.firstBase : part.secondBase
    let lanes = part.seen(isRows ? part.rows : part.columns, by: operand)
    let depths = part.seen(part.depth, by: operand)
    let axes = operand == .first ? part.axes.map(\.stride) : []
    func holdsRuns(_ loop: Contraction.Loop, others: [Contraction.Loop]) -> Bool {
      let strides = (others + part.groups).map { $0.stride(operand) } + axes + [base]
      return loop.stride(operand) == 1 && loop.steps.allSatisfy { $0 == 0 }
        && loop.extent % CUDARun.elements == 0
        && strides.allSatisfy { $0 % CUDARun.elements == 0 }
    }
    if holdsRuns(depths[depths.count - 1], others: depths.dropLast() + lanes) {
      self = .along
    } else if holdsRuns(lanes[lanes.count - 1], others: lanes.dropLast() + depths) {
      self = .across
    } else {
      return nil
    }
  }
}
