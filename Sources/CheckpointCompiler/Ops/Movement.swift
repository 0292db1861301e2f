// Ops whose result elements are elements of their operands, at other places.

/// Whether every entry is a dimension of `rank` and none occurs twice.
func areDistinctDimensions(_ dims: [Int], rank: Int) -> Bool {
  var seen = Set<Int>()
  return dims.allSatisfy { (0..<rank).contains($0) && seen.insert($0).inserted }
}

/// `a + b * c` without trapping: absurd extents become one that no type may have.
func saturatingExtent(_ a: Int, plus b: Int, times c: Int) -> Int {
  let (product, overflow) = b.multipliedReportingOverflow(by: c)
  let (sum, overflow2) = a.addingReportingOverflow(product)
  return overflow || overflow2 ? TensorType.sizeBytesMax + 1 : sum
}

/// The number of elements that distances and paddings add up to, whatever their signs.
func spannedExtent(_ distances: Int...) -> Int {
  distances.reduce(0) { saturatingExtent($0, plus: Int(clamping: $1.magnitude), times: 1) }
}

extension OpSignature {
  /// Throws constraint `number` unless a type that long along a dimension, one at a time, could be:
  /// places that are computed from such distances then fit an integer.
  func requireSpans(
    _ number: Int, _ spans: [Int], along dims: [Int], of type: TensorType
  ) throws(OpError) {
    for (dim, span) in zip(dims, spans) {
      var spanned = type
      spanned.shape[dim] = max(span, type.shape[dim])
      try require(
        number, spanned.isRepresentable,
        "'\(opcode.name)' spans \(span) elements along dimension \(dim) of \(type)")
    }
  }
}

extension OpDefinition {
  static let broadcastInDim = OpDefinition(
    name: "broadcast_in_dim",
    summary: "Repeats `x` so that its dimension `i` becomes dimension `dims[i]` of the result.",
    category: .movement, operands: [OperandSpec("x", .any)],
    attributes: [AttributeSpec(.dims, .ints)],
    constraints: [
      "The result type is written, with the dtype of `x`.",
      "`dims` holds a distinct dimension of the result for every dimension of `x`.",
      "Each dimension of `x` is 1 or as long as the one it becomes.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType, type.dtype == op[0].dtype else {
        throw op.broken(1, "'broadcast_in_dim' of \(op[0]) needs a result type of the same dtype")
      }
      let dims = op.attributes.ints(.dims)!
      try op.require(
        2, dims.count == op[0].rank && areDistinctDimensions(dims, rank: type.rank),
        "dims = \(dims) do not map the dimensions of \(op[0]) to those of \(type)")
      for (axis, dim) in dims.enumerated() {
        try op.require(
          3, op[0].shape[axis] == 1 || op[0].shape[axis] == type.shape[dim],
          "dimension \(axis) of \(op[0]) does not broadcast to dimension \(dim) of \(type)")
      }
      return type
    }, gradient: .rule(gradientOfBroadcastInDim))

  static let reshape = OpDefinition(
    name: "reshape", summary: "The same elements, row-major, in another shape.",
    category: .movement, operands: [OperandSpec("x", .any)],
    constraints: [
      "The result type is written, with the dtype of `x`.", "It has as many elements as `x`.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType, type.dtype == op[0].dtype else {
        throw op.broken(1, "'reshape' of \(op[0]) needs a result type of the same dtype")
      }
      guard type.isRepresentable else { return type }
      try op.require(
        2, type.elementCount == op[0].elementCount,
        "'reshape' of \(op[0].elementCount) elements to \(type.elementCount): \(op[0]) to \(type)")
      return type
    }, gradient: .rule(gradientOfReshape))

  static let transpose = OpDefinition(
    name: "transpose", summary: "Dimension `i` of the result is dimension `dims[i]` of `x`.",
    category: .movement, operands: [OperandSpec("x", .any)],
    attributes: [AttributeSpec(.dims, .ints)],
    constraints: ["`dims` is a permutation of the dimensions of `x`."],
    typeRule: { op throws(OpError) in
      let dims = op.attributes.ints(.dims)!
      try op.require(
        1, dims.count == op[0].rank && areDistinctDimensions(dims, rank: op[0].rank),
        "dims = \(dims) is no permutation of the dimensions of \(op[0])")
      return op[0].with(shape: dims.map { op[0].shape[$0] })
    }, gradient: .rule(gradientOfTranspose))

  static let slice = OpDefinition(
    name: "slice",
    summary: "The elements from `start` up to `limit`, exclusive, every `strides`-th of them.",
    category: .movement, operands: [OperandSpec("x", .any)],
    attributes: [
      AttributeSpec(.start, .ints), AttributeSpec(.limit, .ints),
      AttributeSpec(.strides, .ints, .fill(1)),
    ],
    constraints: [
      "`start`, `limit` and `strides` have an entry for every dimension of `x`.",
      "0 <= start <= limit <= extent, and strides are at least 1.",
      "No stride is longer than a dimension of `x` might be in 1 TiB.",
    ],
    typeRule: { op throws(OpError) in
      let rank = op[0].rank
      let start = op.attributes.ints(.start)!
      let limit = op.attributes.ints(.limit)!
      let strides = op.attributes.ints(.strides, count: rank, fill: 1)
      try op.require(
        1, start.count == rank && limit.count == rank && strides.count == rank,
        "'slice' of \(op[0]) needs \(rank) entries in start, limit and strides")
      var shape: [Int] = []
      for axis in 0..<rank {
        try op.require(
          2,
          start[axis] >= 0 && start[axis] <= limit[axis] && limit[axis] <= op[0].shape[axis]
            && strides[axis] >= 1,
          "'slice' from \(start[axis]) to \(limit[axis]) by \(strides[axis]) of dimension \(axis) "
            + "of \(op[0])")
        let length = limit[axis] - start[axis]
        shape.append(length == 0 ? 0 : (length - 1) / strides[axis] + 1)
      }
      try op.requireSpans(3, strides, along: Array(0..<rank), of: op[0])
      return op[0].with(shape: shape)
    }, gradient: .rule(gradientOfSlice))

  static let pad = OpDefinition(
    name: "pad",
    summary: "Puts `value` before (`low`), after (`high`) and between (`interior`) the elements; "
      + "negative `low` and `high` cut elements off.",
    category: .movement, operands: [OperandSpec("x", .any), OperandSpec("value", .any)],
    attributes: [
      AttributeSpec(.low, .ints, .fill(0)), AttributeSpec(.high, .ints, .fill(0)),
      AttributeSpec(.interior, .ints, .fill(0)),
    ],
    constraints: [
      "`value` is a scalar of the dtype of `x`.",
      "`low`, `high` and `interior` have an entry for every dimension of `x`.",
      "`interior` is not negative.",
      "What is put before, between and after the elements, and what is cut off, is together no longer "
        + "than a dimension of `x` might be in 1 TiB.",
    ],
    typeRule: { op throws(OpError) in
      let rank = op[0].rank
      try op.require(
        1, op[1] == TensorType(op[0].dtype), "'pad' of \(op[0]) with \(op[1])")
      let low = op.attributes.ints(.low, count: rank, fill: 0)
      let high = op.attributes.ints(.high, count: rank, fill: 0)
      let interior = op.attributes.ints(.interior, count: rank, fill: 0)
      try op.require(
        2, low.count == rank && high.count == rank && interior.count == rank,
        "'pad' of \(op[0]) needs \(rank) entries in low, high and interior")
      try op.require(3, interior.allSatisfy { $0 >= 0 }, "interior = \(interior) is negative")
      var shape: [Int] = []
      for axis in 0..<rank {
        let extent = op[0].shape[axis]
        let inner = saturatingExtent(extent, plus: max(extent - 1, 0), times: interior[axis])
        let padded = saturatingExtent(
          saturatingExtent(inner, plus: low[axis], times: 1), plus: high[axis], times: 1)
        shape.append(padded)
        let gap = saturatingExtent(1, plus: interior[axis], times: 1)
        try op.requireSpans(
          4, [max(gap, spannedExtent(low[axis], inner, high[axis]))], along: [axis], of: op[0])
      }
      return op[0].with(shape: shape)
    }, gradient: .rule(gradientOfPad))

  static let concatenate = OpDefinition(
    name: "concatenate", summary: "The operands one after the other along `dim`.",
    category: .movement, operands: [OperandSpec("x", .any)], isVariadic: true,
    attributes: [AttributeSpec(.dim, .int)],
    constraints: [
      "`dim` is a dimension of the operands.",
      "The operands agree in dtype and in every dimension but `dim`.",
    ],
    typeRule: { op throws(OpError) in
      let dim = op.attributes.int(.dim)!
      var result = op[0]
      try op.require(
        1, result.shape.indices.contains(dim), "'concatenate' along \(dim) of \(op[0])")
      for type in op.operandTypes.dropFirst() {
        var expected = op[0]
        if type.rank == expected.rank { expected.shape[dim] = type.shape[dim] }
        try op.require(2, type == expected, "'concatenate' of \(op[0]) and \(type) along \(dim)")
        result.shape[dim] = saturatingExtent(result.shape[dim], plus: type.shape[dim], times: 1)
      }
      return result
    }, gradient: .rule(gradientOfConcatenate))

  static let reverse = OpDefinition(
    name: "reverse", summary: "The elements in reverse order along each of `dims`.",
    category: .movement, operands: [OperandSpec("x", .any)],
    attributes: [AttributeSpec(.dims, .ints)],
    constraints: ["`dims` are distinct dimensions of `x`."],
    typeRule: { op throws(OpError) in
      let dims = op.attributes.ints(.dims)!
      try op.require(
        1, areDistinctDimensions(dims, rank: op[0].rank), "'reverse' of \(op[0]) along \(dims)")
      return op[0]
    }, gradient: .rule(gradientOfReverse))
}
