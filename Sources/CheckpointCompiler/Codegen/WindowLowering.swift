// Pooling as loops: `reduce_window`, and `select_and_scatter`, its gradient for maxima.
//
// Method      Dimensions with a window of one element are looped over; the innermost of them, the
//             channels of an image, is the lane loop, so that the places under a window are found
//             once for all channels. The windows of one plane follow each other in order, because
//             neighbours may choose the same element; planes and lanes are independent.
// Scans       Where each window has one element more than its neighbour, as in a cumulative sum, one
//             pass combines each element with the result before it: the same combinations in the same
//             order as window by window.

extension PoolingWindow {
  /// The place of an operand under a tap of a window, and the conditions under which there is one.
  ///
  /// - Parameters:
  ///   - operand: The type of the operand.
  ///   - windows: The number of windows along each dimension.
  ///   - windowVariables: For each dimension, the loop variable of the windows; where the window is
  ///     still, that of the operand.
  ///   - tapVariables: For each dimension, the loop variable of the taps.
  /// - Returns: The place, and the conditions.
  func place(
    of operand: TensorType, windows: [Int], windowVariables: [Int], tapVariables: [Int]
  ) -> (place: Index, conditions: [Condition]) {
    var places = windowVariables.map { Index.variable($0) }
    var conditions: [Condition] = []
    for axis in places.indices where !isStill(axis) {
      let position =
        Index.variable(windowVariables[axis]) * strides[axis]
        + Index.variable(tapVariables[axis]) * windowDilation[axis] + -low[axis]
      let spread = baseDilation[axis]
      let reach = operand.shape[axis] == 0 ? 0 : (operand.shape[axis] - 1) * spread + 1
      let last =
        (windows[axis] - 1) * strides[axis] + (window[axis] - 1) * windowDilation[axis] - low[axis]
      let condition = Condition(
        index: position, lower: low[axis] > 0 ? 0 : nil, upper: last >= reach ? reach : nil,
        divisor: spread)
      if !condition.isTrivial { conditions.append(condition) }
      places[axis] = spread == 1 ? position : Index(.quotient(position, spread))
    }
    return (Index.linear(places, strides: operand.strides), conditions)
  }
}

/// Lowers one pooling op.
struct WindowLowering {
  private static let laneCount = 64

  private let window: PoolingWindow
  private let operand: TensorType
  /// The type with an element for every window.
  private let windows: TensorType
  private let attributes: Attributes
  private let dtype: DType
  /// Dimensions that the window slides over.
  private let slid: [Int]
  /// The dimensions that it does not slide over, without the lanes.
  private let planes: [Int]
  /// The innermost dimension, where the window does not slide over it.
  private let laneDim: Int?

  // Variables: one for each window, one for each tap, the block and the lane.
  private var rank: Int { operand.rank }
  private func windowVariable(_ axis: Int) -> Int { axis }
  private func tapVariable(_ axis: Int) -> Int { rank + axis }
  private var block: Int { 2 * rank }
  private var lane: Int { 2 * rank + 1 }
  private var fill: Int { 2 * rank + 2 }

  init(_ attributes: Attributes, operand: TensorType, windows: TensorType) {
    window = PoolingWindow(attributes, rank: operand.rank)
    self.operand = operand
    self.windows = windows
    self.attributes = attributes
    dtype = operand.dtype
    let window = window
    slid = operand.shape.indices.filter { !window.isStill($0) }
    let last = operand.rank - 1
    laneDim = last >= 0 && window.isStill(last) ? last : nil
    let laneDim = laneDim
    planes = operand.shape.indices.filter { window.isStill($0) && $0 != laneDim }
  }

  private var isWorthThreads: Bool {
    // Not in integers: a scan of many elements has as many windows as taps.
    window.window.reduce(Double(windows.elementCount)) { $0 * Double($1) }
      >= Double(LoopLowering.parallelWork)
  }

  private func loops(_ axes: [Int]) -> [LoopDimension] {
    axes.map { LoopDimension(variable: windowVariable($0), extent: windows.shape[$0]) }
  }

  /// Statements for each lane; the variable of the lane dimension runs along.
  private func lanes(_ body: [Statement]) -> Statement {
    guard let laneDim else {
      return .loop(variable: lane, extent: 1, .serial, body)
    }
    return .lanes(
      variable: windowVariable(laneDim), lane: lane, block: block, most: width,
      total: operand.shape[laneDim], body)
  }

  private var width: Int {
    laneDim.map { min(WindowLowering.laneCount, max(1, operand.shape[$0])) } ?? 1
  }

  /// Blocks of lanes around statements.
  private func blocks(_ body: [Statement]) -> [Statement] {
    guard let laneDim else { return body }
    return [
      .blocks(
        variable: block, width: width, extent: operand.shape[laneDim], .serial, body)
    ]
  }

  /// The place of the operand under a tap, and the conditions under which there is one.
  private var tapPlace: (place: Index, conditions: [Condition]) {
    window.place(
      of: operand, windows: windows.shape, windowVariables: (0..<rank).map { windowVariable($0) },
      tapVariables: (0..<rank).map { tapVariable($0) })
  }

  /// Statements for every tap that lies on an element.
  private func taps(_ body: [Statement]) -> [Statement] {
    let conditions = tapPlace.conditions
    return nest(
      slid.map { LoopDimension(variable: tapVariable($0), extent: window.window[$0]) },
      onThreads: false, conditions.isEmpty ? body : [.when(conditions, body)])
  }

  private var windowPlace: Index {
    Index.linear(
      windows.shape.indices.map { .variable(windowVariable($0)) }, strides: windows.strides)
  }

  /// The statements of a scan: each row of lanes continues the one before it.
  private func scan(
    _ scan: PoolingWindow.Scan, _ kind: String, operandBuffer: Int, resultBuffer: Int
  ) -> [Statement] {
    let sum = Expression.lane(row: 0, .variable(lane))
    let step = Index.variable(windowVariable(scan.axis))
    var places = operand.shape.indices.map { Index.variable(windowVariable($0)) }
    if scan.isReversed { places[scan.axis] = step * -1 + (operand.shape[scan.axis] - 1) }
    let place = Index.linear(places, strides: operand.strides)
    let body: [Statement] =
      [.defineRow(row: 0, accumulator, count: width, .neutral(kind: kind, accumulator))]
      + nest(
        loops([scan.axis]), onThreads: false,
        [
          lanes([
            .assignLane(
              row: 0, .variable(lane),
              .combine(kind: kind, accumulator, sum, .load(buffer: operandBuffer, place))),
            .store(buffer: resultBuffer, place, dtype, rounded(sum)),
          ])
        ])
    return nest(
      loops(planes), onThreads: operand.elementCount >= LoopLowering.parallelWork, blocks(body))
  }

  /// The dtype that elements are combined in.
  private var accumulator: DType { dtype == .bf16 || dtype == .f16 ? .f32 : dtype }

  /// What was combined, in the dtype of the result.
  private func rounded(_ sum: Expression) -> Expression {
    accumulator == dtype
      ? sum : .apply(.convert, from: accumulator, to: dtype, [sum], direction: nil)
  }

  /// The statements of `reduce_window`.
  func reduction(operandBuffer: Int, resultBuffer: Int) -> [Statement] {
    let kind = attributes.symbol(.kind)!
    if let scan = window.scan(operand.shape) {
      return self.scan(scan, kind, operandBuffer: operandBuffer, resultBuffer: resultBuffer)
    }
    let sum = Expression.lane(row: 0, .variable(lane))
    let body: [Statement] =
      [
        .defineRow(
          row: 0, accumulator, count: width, .neutral(kind: kind, accumulator))
      ]
      + taps([
        lanes([
          .assignLane(
            row: 0, .variable(lane),
            .combine(
              kind: kind, accumulator, sum, .load(buffer: operandBuffer, tapPlace.place)))
        ])
      ]) + [lanes([.store(buffer: resultBuffer, windowPlace, dtype, rounded(sum))])]
    return nest(
      loops((planes + slid).sorted()), onThreads: isWorthThreads, blocks(body))
  }

  /// The variables of `scatter` whose iterations never meet: those of dimensions that the window does
  /// not slide over, and that of the blocks of the innermost one.
  static func independentVariables(_ attributes: Attributes, rank: Int) -> Set<Int> {
    let window = PoolingWindow(attributes, rank: rank)
    var still = Set((0..<rank).filter { window.isStill($0) })
    if still.contains(rank - 1) { still.insert(2 * rank) }
    return still
  }

  /// What `select_and_scatter` does with elements.
  struct Selection {
    /// What every place holds at first.
    var initial: Expression
    /// Whether the first element stays where it meets the second.
    var stays: (_ operands: [Expression], _ nextLocal: inout Int) -> ([Statement], Expression)
    /// What a place holds, and an element of the source, combined.
    var combined: (_ operands: [Expression], _ nextLocal: inout Int) -> ([Statement], Expression)
  }

  /// What `select_and_scatter` without functions does.
  var selection: Selection {
    let (dtype, direction) = (dtype, attributes.symbol(.direction))
    return Selection(initial: .neutral(kind: "add", dtype)) { operands, _ in
      ([], .apply(.compare, from: dtype, to: .i1, operands, direction: direction))
    } combined: { operands, _ in
      ([], CheckpointCompiler.combined("add", dtype, operands[0], operands[1]))
    }
  }

  /// The statements of `select_and_scatter`.
  func scatter(
    _ selection: Selection, operandBuffer: Int, sourceBuffer: Int, resultBuffer: Int
  ) -> [Statement] {
    let clear = nest(
      [LoopDimension(variable: fill, extent: operand.elementCount)],
      onThreads: operand.elementCount >= LoopLowering.parallelWork, isInnermost: true,
      [.store(buffer: resultBuffer, .variable(fill), dtype, selection.initial)])
    // Row 0 holds the chosen elements, row 1 their places, -1 before the first.
    let best = Expression.lane(row: 0, .variable(lane))
    let chosen = Expression.lane(row: 1, .variable(lane))
    let none = Expression.constant(.i64, Array(repeating: 0xFF, count: 8))
    let element = Expression.local(0)
    let stays = Expression.local(1)
    var nextLocal = 3
    let choice = selection.stays([best, element], &nextLocal)
    let tap: [Statement] =
      [.define(local: 0, dtype, .load(buffer: operandBuffer, tapPlace.place))] + choice.0 + [
        .define(
          local: 1, .i1,
          .apply(
            .and, from: .i1, to: .i1,
            [
              .apply(.compare, from: .i64, to: .i1, [chosen, none], direction: "ne"), choice.1,
            ], direction: nil)),
        .assignLane(
          row: 0, .variable(lane),
          .apply(.select, from: dtype, to: dtype, [stays, best, element], direction: nil)),
        .assignLane(
          row: 1, .variable(lane),
          .apply(
            .select, from: .i64, to: .i64, [stays, chosen, .number(tapPlace.place, .i64)],
            direction: nil)),
      ]
    let target = Index(.local(2))
    let sum = selection.combined(
      [.load(buffer: resultBuffer, target), .load(buffer: sourceBuffer, windowPlace)], &nextLocal)
    let add: [Statement] = [
      .definePlace(local: 2, chosen, clampedTo: nil),
      .when(
        [Condition(index: target, lower: 0)],
        sum.0 + [.store(buffer: resultBuffer, target, dtype, sum.1)]),
    ]
    let body: [Statement] =
      [
        .defineRow(row: 0, dtype, count: width, .neutral(kind: "add", dtype)),
        .defineRow(row: 1, .i64, count: width, none),
      ] + taps([lanes(tap)]) + [lanes(add)]
    let inner = nest(loops(slid), onThreads: false, blocks(body))
    return clear + nest(loops(planes), onThreads: isWorthThreads, inner)
  }
}
