// `select_and_scatter` with a thread for each element that receives.
//
// Problem     Windows lie over each other and may select the same element: walked in order, as for one
//             thread, they leave a graphics processor with planes and channels alone.
// Method      Each element asks the windows that cover it, in their order, which element they select, and
//             adds up the sources of those that select it. Every window is asked as often as it has
//             elements.
// Invariants  Sources are added in the order of their windows: the bits are those of the walk.

/// Lowers one `select_and_scatter` for threads of their own.
struct WindowSelections {
  /// Elements of a window up to which it is worth to ask it again for each.
  private static let windowMost = 64

  private let window: PoolingWindow
  private let operand: TensorType
  private let windows: TensorType
  private let slid: [Int]

  /// The op; nil where its windows are too large.
  init?(_ attributes: Attributes, operand: TensorType, windows: TensorType) {
    let window = PoolingWindow(attributes, rank: operand.rank)
    guard window.window.reduce(1, *) <= Self.windowMost else { return nil }
    self.window = window
    self.operand = operand
    self.windows = windows
    slid = operand.shape.indices.filter { !window.isStill($0) }
  }

  // Variables: one for each dimension, one for each tap that finds a window, one for each tap in it.
  private var rank: Int { operand.rank }
  private func cover(_ axis: Int) -> Int { rank + axis }
  private func tap(_ axis: Int) -> Int { 2 * rank + axis }

  /// Where the window begins in which an element lies at a tap from the end, before padding.
  private func start(_ axis: Int) -> Index {
    .variable(axis) * window.baseDilation[axis]
      + .variable(cover(axis)) * window.windowDilation[axis]
      + (window.low[axis] - (window.window[axis] - 1) * window.windowDilation[axis])
  }

  /// The place of the source of the window, and the conditions under which there is one.
  private var source: (place: Index, conditions: [Condition]) {
    var places = windows.shape.indices.map { Index.variable($0) }
    var conditions: [Condition] = []
    for axis in slid {
      let (start, stride) = (start(axis), window.strides[axis])
      conditions.append(
        Condition(index: start, lower: 0, upper: windows.shape[axis] * stride, divisor: stride))
      places[axis] = stride == 1 ? start : Index(.quotient(start, stride))
    }
    return (Index.linear(places, strides: windows.strides), conditions)
  }

  /// The place of the operand under a tap of the window, and the conditions under which there is one.
  private var element: (place: Index, conditions: [Condition]) {
    var places = operand.shape.indices.map { Index.variable($0) }
    var conditions: [Condition] = []
    for axis in slid {
      let spread = window.baseDilation[axis]
      let position =
        start(axis) + .variable(tap(axis)) * window.windowDilation[axis] + -window.low[axis]
      let reach = operand.shape[axis] == 0 ? 0 : (operand.shape[axis] - 1) * spread + 1
      conditions.append(Condition(index: position, lower: 0, upper: reach, divisor: spread))
      places[axis] = spread == 1 ? position : Index(.quotient(position, spread))
    }
    return (Index.linear(places, strides: operand.strides), conditions)
  }

  private func loops(_ axes: [Int], _ variable: (Int) -> Int, _ extents: [Int]) -> [LoopDimension] {
    axes.map { LoopDimension(variable: variable($0), extent: extents[$0]) }
  }

  /// The statements of the op.
  func statements(
    _ selection: WindowLowering.Selection, operandBuffer: Int, sourceBuffer: Int,
    resultBuffer: Int
  ) -> [Statement] {
    // Row 0 holds the element that the window selects, row 1 its place, row 2 what has been added.
    let dtype = operand.dtype
    func row(_ number: Int) -> Expression { .lane(row: number, Index()) }
    let none = Expression.constant(.i64, Array(repeating: 0xFF, count: 8))
    let (element, source) = (element, source)
    var nextLocal = 3
    let stays = selection.stays([row(0), .local(0)], &nextLocal)
    let isKept = Expression.apply(
      .and, from: .i1, to: .i1,
      [.apply(.compare, from: .i64, to: .i1, [row(1), none], direction: "ne"), stays.1],
      direction: nil)
    let tap: [Statement] =
      [.define(local: 0, dtype, .load(buffer: operandBuffer, element.place))] + stays.0 + [
        .define(local: 1, .i1, isKept),
        .assignLane(
          row: 0, Index(),
          .apply(.select, from: dtype, to: dtype, [.local(1), row(0), .local(0)], direction: nil)),
        .assignLane(
          row: 1, Index(),
          .apply(
            .select, from: .i64, to: .i64, [.local(1), row(1), .number(element.place, .i64)],
            direction: nil)),
      ]
    let own = Index.linear(
      operand.shape.indices.map { .variable($0) }, strides: operand.strides)
    let sum = selection.combined([row(2), .load(buffer: sourceBuffer, source.place)], &nextLocal)
    let asked: [Statement] =
      [
        .defineRow(row: 0, dtype, count: 1, .neutral(kind: "add", dtype)),
        .defineRow(row: 1, .i64, count: 1, none),
      ]
      + nest(
        loops(slid, self.tap, window.window), onThreads: false, [.when(element.conditions, tap)])
      + [
        .definePlace(local: 2, row(1), clampedTo: nil),
        .when(
          [Condition(index: Index(.local(2)) + own * -1, lower: 0, upper: 1)],
          sum.0 + [.assignLane(row: 2, Index(), sum.1)]),
      ]
    let body: [Statement] =
      [.defineRow(row: 2, dtype, count: 1, selection.initial)]
      + nest(
        loops(slid, cover, window.window), onThreads: false, [.when(source.conditions, asked)])
      + [.store(buffer: resultBuffer, own, dtype, row(2))]
    return nest(
      loops(Array(operand.shape.indices), { $0 }, operand.shape), onThreads: false, body)
  }
}
