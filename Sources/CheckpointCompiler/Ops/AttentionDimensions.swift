// What the attributes of an attention say: the order of dimensions, who sees whom, what is dropped.

/// An attention, decoded from a signature that fits.
struct AttentionDimensions: Hashable, Sendable {
  /// For each of `q`, `k`, `v` and `y`, its batch dimensions, then that of the sequence, then that of
  /// the features.
  var orders: Orders
  /// The dimension along which queries, keys and values are thirds of one tensor; nil where each is a
  /// tensor of its own.
  var joinedDim: Int?
  /// The extents of the batch dimensions.
  var batch: [Int]
  var queries: Int
  var keys: Int
  /// Features of queries and keys.
  var features: Int
  /// Features of values.
  var values: Int
  /// What scores are multiplied by.
  var scale: Double
  /// Query `i` sees the keys up to `i + causalOffset`; nil where it sees all.
  var causalOffset: Int?
  var mask: Mask?
  var dropout: Dropout?

  /// The orders of the dimensions of tensors.
  struct Orders: Hashable, Sendable {
    var q: [Int]
    var k: [Int]
    var v: [Int]
    var y: [Int]
  }

  /// A mask of scores.
  struct Mask: Hashable, Sendable {
    /// Whether it is added; else it chooses the scores that stay.
    var isAdded: Bool
    /// Its position among the operands.
    var operand: Int
    /// Its shape.
    var shape: [Int]
    /// The dimension of weights, batch, then queries, then keys, that each of its dimensions is.
    var dims: [Int]
    /// The score of what is not chosen.
    var fill: Double
  }

  /// Dropout of weights.
  struct Dropout: Hashable, Sendable {
    /// The position of the key among the operands.
    var operand: Int
    var stream: Int
    /// The share of weights that are dropped.
    var rate: Double
    /// What those are multiplied by that are kept.
    var keepScale: Double

    /// A weight is dropped where the upper 24 bits of its word are below this.
    var limit: Int { Int((rate * 0x1p24).rounded(.up)) }
  }

  /// The shape of weights.
  var weights: [Int] { batch + [queries, keys] }

  /// The attention of a signature, whose first operands are `q`, `k` and `v` and whose operands from
  /// `extras` on are the mask and the key; throws what of it does not fit.
  init(_ op: OpSignature, extras: Int) throws(OpError) {
    let attributes = op.attributes
    joinedDim = attributes.int(.qkvDim)
    if let dim = joinedDim {
      try op.require(
        1,
        op[0].shape.indices.contains(dim) && op[0].shape[dim].isMultiple(of: 3)
          && op[1] == op[0] && op[2] == op[0],
        "thirds along dimension \(dim) of \(op[0]), \(op[1]) and \(op[2])")
    }
    let parts = (0..<3).map { Self.part(op[$0], attributes.int(.qkvDim)) }
    let (q, k, v) = (parts[0], parts[1], parts[2])
    let axes = Array(0..<q.rank)
    orders = Orders(
      q: attributes.ints(.qDims) ?? axes, k: attributes.ints(.kDims) ?? axes,
      v: attributes.ints(.vDims) ?? axes, y: attributes.ints(.yDims) ?? axes)
    try op.require(
      1,
      q.rank >= 2 && [k, v].allSatisfy { $0.rank == q.rank && $0.dtype == q.dtype }
        && [orders.q, orders.k, orders.v, orders.y].allSatisfy { $0.sorted() == axes },
      "'\(op.opcode.name)' of \(q), \(k) and \(v)")
    func extents(_ type: TensorType, _ order: [Int]) -> [Int] { order.map { type.shape[$0] } }
    let shapes = (extents(q, orders.q), extents(k, orders.k), extents(v, orders.v))
    batch = Array(shapes.0.dropLast(2))
    queries = shapes.0[q.rank - 2]
    keys = shapes.1[q.rank - 2]
    features = shapes.0[q.rank - 1]
    values = shapes.2[q.rank - 1]
    try op.require(
      2,
      shapes.1 == batch + [keys, features] && shapes.2 == batch + [keys, values]
        && (batch + [queries, keys, features, values]).allSatisfy { $0 > 0 },
      "\(queries) queries of \(shapes.0), keys of \(shapes.1), values of \(shapes.2)")
    scale = attributes.number(.scale) ?? 1
    causalOffset = attributes.int(.causalOffset)
    var operand = extras
    if let kind = attributes.symbol(.mask) {
      let dims = attributes.ints(.maskDims) ?? []
      let type = operand < op.operandTypes.count ? op[operand] : TensorType(q.dtype)
      let isAdded = kind == "add"
      let weights = weights
      try op.require(
        3,
        operand < op.operandTypes.count && type.dtype == (isAdded ? q.dtype : .i1)
          && dims.count == type.rank && areDistinctDimensions(dims, rank: weights.count)
          && zip(type.shape, dims).allSatisfy { $0 == 1 || $0 == weights[$1] },
        "a mask \(type) with \(dims) for weights of \(weights)")
      mask = Mask(
        isAdded: isAdded, operand: operand, shape: type.shape, dims: dims,
        fill: attributes.number(.fill) ?? -.infinity)
      operand += 1
    }
    if let rate = attributes.number(.rate) {
      let stream = attributes.int(.stream) ?? -1
      try op.require(
        4,
        0 <= rate && rate < 1 && UInt32(exactly: stream) != nil
          && operand < op.operandTypes.count && op[operand] == TensorType(.ui32, [2]),
        "rate = \(rate), stream = \(stream), operands \(op.operandTypes.map(\.description))")
      dropout = Dropout(
        operand: operand, stream: stream, rate: rate,
        keepScale: attributes.number(.keepScale) ?? 1)
      operand += 1
    }
    try op.require(
      5, operand == op.operandTypes.count,
      "\(op.operandTypes.count - operand) operands too many for '\(op.opcode.name)'")
  }

  /// The type of what an operand of a type has of the queries, keys or values.
  private static func part(_ type: TensorType, _ joinedDim: Int?) -> TensorType {
    guard let joinedDim else { return type }
    var shape = type.shape
    shape[joinedDim] /= 3
    return type.with(shape: shape)
  }

  /// The type of `y` for a type of `q`.
  func resultType(_ q: TensorType) -> TensorType {
    q.with(shape: shape(orders.y, rows: queries, features: values))
  }

  /// The shape of a tensor whose dimensions have an order.
  private func shape(_ order: [Int], rows: Int, features: Int) -> [Int] {
    let extents = batch + [rows, features]
    var shape = extents
    for (place, dim) in order.enumerated() { shape[dim] = extents[place] }
    return shape
  }

  /// Where the elements of queries, keys, values or results are in their tensor.
  struct Layout: Hashable, Sendable {
    /// The place of the first one.
    var start = 0
    /// How far neighbours lie apart: along the batch dimensions, then the sequence, then the features.
    var strides: [Int]

    var batchStrides: [Int] { Array(strides.dropLast(2)) }
    var rowStride: Int { strides[strides.count - 2] }
    var featureStride: Int { strides[strides.count - 1] }
  }

  var q: Layout { layout(orders.q, rows: queries, features: features, third: 0) }
  var k: Layout { layout(orders.k, rows: keys, features: features, third: 1) }
  var v: Layout { layout(orders.v, rows: keys, features: values, third: 2) }
  var y: Layout { layout(orders.y, rows: queries, features: values, third: nil) }

  private func layout(_ order: [Int], rows: Int, features: Int, third: Int?) -> Layout {
    var shape = shape(order, rows: rows, features: features)
    var start = 0
    if let joinedDim, let third {
      start = third * shape[joinedDim...].reduce(1, *)
      shape[joinedDim] *= 3
    }
    let strides = TensorType(.i1, shape).strides
    return Layout(start: start, strides: order.map { strides[$0] })
  }

  /// The type of the logarithms of sums for a type of `q`.
  func sumsType(_ q: TensorType) -> TensorType { TensorType(q.dtype.wide, batch + [queries]) }

  /// How far neighbours along each dimension of weights lie apart in a mask.
  func maskStrides(_ mask: Mask) -> [Int] {
    var strides = Array(repeating: 0, count: weights.count)
    let own = TensorType(.i1, mask.shape).strides
    for (axis, dim) in mask.dims.enumerated() where mask.shape[axis] > 1 {
      strides[dim] = own[axis]
    }
    return strides
  }
}

extension DType {
  /// What attention computes numbers of this dtype in.
  var wide: DType { self == .f64 ? .f64 : .f32 }
}
