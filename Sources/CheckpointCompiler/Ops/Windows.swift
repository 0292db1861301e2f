// Pooling: reductions over a sliding window, and the scatter that is their gradient.

/// How `reduce_window` and `select_and_scatter` slide their window, over every dimension.
public struct PoolingWindow: Hashable, Sendable {
  /// Extent of the window.
  public var window: [Int]
  /// Distance between neighbouring windows.
  public var strides: [Int]
  /// Padding before the first element.
  public var low: [Int]
  /// Padding after the last element.
  public var high: [Int]
  /// Distance between neighbouring elements of the operand.
  public var baseDilation: [Int]
  /// Distance between neighbouring elements of the window.
  public var windowDilation: [Int]

  /// The window that attributes describe.
  public init(_ attributes: Attributes, rank: Int) {
    window = attributes.ints(.window) ?? []
    strides = attributes.ints(.strides, count: rank, fill: 1)
    low = attributes.ints(.low, count: rank, fill: 0)
    high = attributes.ints(.high, count: rank, fill: 0)
    baseDilation = attributes.ints(.baseDilation, count: rank, fill: 1)
    windowDilation = attributes.ints(.windowDilation, count: rank, fill: 1)
  }

  /// Whether the window does not slide over a dimension: it has one element at each place.
  func isStill(_ axis: Int) -> Bool {
    window[axis] == 1 && strides[axis] == 1 && low[axis] == 0 && high[axis] == 0
      && baseDilation[axis] == 1
  }

  /// A dimension along which the windows grow by an element each: what is combined under one continues
  /// what is combined under its neighbour.
  struct Scan: Hashable, Sendable {
    /// The dimension.
    var axis: Int
    /// Whether the windows end at the last element rather than begin at the first.
    var isReversed: Bool
  }

  /// The one dimension that the window slides over, if it does so as a scan.
  func scan(_ shape: [Int]) -> Scan? {
    let slid = shape.indices.filter { !isStill($0) }
    guard slid.count == 1, let axis = slid.first, shape[axis] > 1, window[axis] == shape[axis],
      strides[axis] == 1, baseDilation[axis] == 1, windowDilation[axis] == 1,
      low[axis] + high[axis] == shape[axis] - 1, low[axis] == 0 || high[axis] == 0
    else { return nil }
    return Scan(axis: axis, isReversed: low[axis] == 0)
  }

  func isValid(rank: Int) -> Bool {
    [window, strides, low, high, baseDilation, windowDilation].allSatisfy { $0.count == rank }
      && (window + strides + baseDilation + windowDilation).allSatisfy { $0 >= 1 }
  }

  /// The most elements of a window.
  static let elementsMax = 1 << 40

  /// How far the window reaches along every dimension, at most.
  func spans(_ shape: [Int]) -> [Int] {
    shape.indices.map { axis in
      windowSpan(
        shape[axis], window: window[axis], stride: strides[axis], low: low[axis],
        high: high[axis], baseDilation: baseDilation[axis], windowDilation: windowDilation[axis])
    }
  }

  /// The number of windows along every dimension.
  func resultShape(_ shape: [Int]) -> [Int] {
    shape.indices.map { axis in
      windowedExtent(
        shape[axis], window: window[axis], stride: strides[axis], low: low[axis],
        high: high[axis], baseDilation: baseDilation[axis], windowDilation: windowDilation[axis])
    }
  }
}

extension OpSignature {
  /// Throws constraint `number` unless places under the window fit an integer.
  func requireSpans(_ number: Int, _ window: PoolingWindow) throws(OpError) {
    try requireSpans(
      number, window.spans(self[0].shape), along: Array(self[0].shape.indices), of: self[0])
    let elements = window.window.reduce(1) { saturatingExtent(0, plus: $0, times: $1) }
    try require(
      number, elements <= PoolingWindow.elementsMax,
      "the window \(window.window) of '\(opcode.name)' has more than 2^40 elements")
  }
}

extension OpDefinition {
  /// The constraint that `requireSpans` checks.
  static let windowSpans =
    "The window has at most 2^40 elements, and with its dilation, its stride, and padding is no "
    + "longer than a dimension of `x` might be in 1 TiB."

  /// How a window slides; the attributes of `PoolingWindow`.
  static let windowAttributes = [
    AttributeSpec(.window, .ints), AttributeSpec(.strides, .ints, .fill(1)),
    AttributeSpec(.low, .ints, .fill(0)), AttributeSpec(.high, .ints, .fill(0)),
    AttributeSpec(.baseDilation, .ints, .fill(1)), AttributeSpec(.windowDilation, .ints, .fill(1)),
  ]

  static let reduceWindow = OpDefinition(
    name: "reduce_window",
    summary: "Combines the elements under each place of a sliding window, starting from the "
      + "neutral element of `kind`; padding and the gaps of `base_dilation` are neutral. Elements "
      + "are combined in row-major order; where the window of one dimension runs from each element "
      + "to the last one, in the opposite order, so that each result continues its neighbour.",
    category: .window, operands: [OperandSpec("x", .any)],
    attributes: [
      AttributeSpec(.kind, .symbol(combinerKinds))
    ] + windowAttributes,
    constraints: [
      "Lists have an entry for every dimension; window, strides and dilations are at least 1.",
      "`and`, `or` and `xor` take integers and `i1`; the others take all dtypes.",
      windowSpans,
    ],
    typeRule: { op throws(OpError) in
      let window = PoolingWindow(op.attributes, rank: op[0].rank)
      try op.require(
        1, window.isValid(rank: op[0].rank), "a window list does not fit \(op[0])")
      try op.requireCombiner(2, op[0].dtype)
      try op.requireSpans(3, window)
      return op[0].with(shape: window.resultShape(op[0].shape))
    },
    flops: { op, result in
      let window = PoolingWindow(op.attributes, rank: op[0].rank)
      if window.scan(op[0].shape) != nil { return Double(result.elementCount) }
      return window.window.reduce(Double(result.elementCount)) { $0 * Double($1) }
    }, gradient: .rule(gradientOfReduceWindow))

  static let selectAndScatter = OpDefinition(
    name: "select_and_scatter",
    summary: "Adds each element of `source` to the place that its window of `x` selects: the first "
      + "largest (`ge`) or smallest (`le`) element; other places are 0.",
    category: .window, operands: [OperandSpec("x", .any), OperandSpec("source", .any)],
    attributes: [
      AttributeSpec(.direction, .symbol(["ge", "le"]))
    ] + windowAttributes,
    constraints: [
      "Lists have an entry for every dimension; window, strides and dilations are at least 1.",
      "`source` has the dtype of `x` and an element for every window.",
      windowSpans,
    ],
    typeRule: { op throws(OpError) in
      let window = PoolingWindow(op.attributes, rank: op[0].rank)
      try op.require(
        1, window.isValid(rank: op[0].rank), "a window list does not fit \(op[0])")
      try op.requireSpans(3, window)
      let source = op[0].with(shape: window.resultShape(op[0].shape))
      try op.require(2, op[1] == source, "the source is \(op[1]); the windows make \(source)")
      return op[0]
    },
    flops: { op, _ in
      let taps = op.attributes.ints(.window)!.reduce(1.0) { $0 * Double($1) }
      return Double(op[1].elementCount) * (taps + 1)
    }, gradient: .unsupported)
}
