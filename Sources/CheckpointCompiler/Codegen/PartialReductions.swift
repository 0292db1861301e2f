// Passes of a reduction in parts that run on threads.
//
// Problem     A batch normalization or the gradient of a bias leaves few values, each a sum over all
//             rows: without parts, such a kernel runs on one thread.
// Method      The walk is cut into parts of equal length. Each adds up in accumulators of its own,
//             which are then combined in the order of the parts.
// Invariants  The parts follow from shapes and dtypes alone, so that the order of a sum is the same
//             for any number of threads. The accumulators of all parts fit in `bytesMax`.

/// The row in which a reduction adds up.
struct Accumulator {
  var op: OpID
  var row: Int
  var kind: String
  var dtype: DType

  /// The row of a number of accumulators, before the first element.
  func defined(count: Int) -> Statement {
    .defineRow(row: row, dtype, count: count, .neutral(kind: kind, dtype))
  }

  /// An element combined into one of them.
  func adding(_ element: Expression, at place: Index) -> Statement {
    .assignLane(
      row: row, place, .combine(kind: kind, dtype, .lane(row: row, place), element))
  }
}

/// How a walk over a number of steps is cut.
struct ReductionParts {
  /// Parts at most, and the bytes of all their accumulators.
  static let countMax = 16
  static let bytesMax = 65_536
  /// Kept values outside the walk from which on they run on threads instead.
  static let outerMax = 8
  /// Elements from which on a walk over them is cut.
  static let workMin = 65_536

  /// The steps of the walk, of a part, and the number of parts.
  let extent: Int
  let size: Int
  let count: Int

  /// Parts of a multiple of `step` whose accumulators take `bytes` in each.
  init(extent: Int, step: Int = 1, bytes: Int) {
    let most = max(2, min(ReductionParts.countMax, ReductionParts.bytesMax / max(1, bytes)))
    let steps = (extent + step - 1) / step
    let size = (steps + most - 1) / most * step
    self.extent = extent
    self.size = size
    count = (extent + size - 1) / size
  }
}

extension LoopLowering {
  /// A pass over all parts of a walk.
  ///
  /// - Parameters:
  ///   - parts: The parts.
  ///   - accumulators: The reductions of the pass.
  ///   - width: Accumulators of each reduction.
  ///   - place: The place of an accumulator in the loop that `each` makes.
  ///   - each: A loop over the accumulators.
  ///   - sums: Receives the row that holds what each reduction has left.
  ///   - walk: The walk over the part that starts where a variable says.
  /// - Returns: The statements of the pass.
  mutating func overParts(
    _ parts: ReductionParts, _ accumulators: [Accumulator], width: Int, place: Index,
    each: ([Statement]) -> Statement, sums: inout [OpID: Int],
    walk: (_ start: Int) -> Statement
  ) -> [Statement] {
    let (part, start) = (newVariable(), newVariable())
    var before: [Statement] = []
    var inPart = accumulators.map { $0.defined(count: width) }
    var saved: [Statement] = []
    var after: [Statement] = []
    var combined: [Statement] = []
    for sum in accumulators {
      let partials = newRow()
      let total = Accumulator(op: sum.op, row: newRow(), kind: sum.kind, dtype: sum.dtype)
      let here = Index(.quotient(.variable(start), parts.size)) * width + place
      let there = Index.variable(part) * width + place
      before.append(
        .defineRow(
          row: partials, sum.dtype, count: parts.count * width, .neutral(kind: "or", .i1)))
      saved.append(.assignLane(row: partials, here, .lane(row: sum.row, place)))
      after.append(total.defined(count: width))
      combined.append(total.adding(.lane(row: partials, there), at: place))
      sums[sum.op] = total.row
    }
    inPart.append(walk(start))
    if !saved.isEmpty { inPart.append(each(saved)) }
    var statements = before
    statements.append(
      .blocks(
        variable: start, width: parts.size, extent: parts.extent, .parallel(collapsed: 1),
        inPart))
    if !combined.isEmpty {
      statements += after
      statements.append(
        .loop(variable: part, extent: parts.count, .serial, [each(combined)]))
    }
    return statements
  }
}
