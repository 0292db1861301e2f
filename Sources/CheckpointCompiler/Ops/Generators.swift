// Ops that make their result out of nothing but attributes, and at most a random key.

extension OpDefinition {
  static let constant = OpDefinition(
    name: "constant",
    summary: "The number after the op's name in every element, or a nested list of all of them.",
    category: .generator, operands: [],
    attributes: [AttributeSpec(.value, .constant)],
    constraints: [
      "The result type is written.", "There is one element, or as many as the type has.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType else {
        throw op.broken(1, "'constant' needs a result type")
      }
      switch op.attributes.constant {
      case .splat(let bytes):
        try op.require(
          2, bytes.count == type.dtype.byteCount, "\(bytes.count) bytes for one element of \(type)")
      case .dense(let bytes):
        guard type.isRepresentable else { return type }
        try op.require(
          2, bytes.count == type.sizeBytes,
          "\(bytes.count / type.dtype.byteCount) elements for \(type)")
      case nil: break
      }
      return type
    }, gradient: .zero)

  static let iota = OpDefinition(
    name: "iota", summary: "Every element is its index along `dim`.",
    category: .generator, operands: [],
    attributes: [AttributeSpec(.dim, .int)],
    constraints: [
      "The result type is written.", "`dim` is a dimension of it.", "Its dtype is numeric.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType else { throw op.broken(1, "'iota' needs a result type") }
      let dim = op.attributes.int(.dim)!
      try op.require(2, type.shape.indices.contains(dim), "'iota' along \(dim) of \(type)")
      try op.require(3, type.dtype != .i1, "'iota' of \(type)")
      return type
    },
    flopsPerElement: 1, gradient: .zero)

  static let random = OpDefinition(
    name: "random",
    summary: "Counter-based random numbers (Philox4x32-10). The key `(seed, step)` and `stream` "
      + "alone decide them: element `i` is word `(i / 16) % 4` of the block with the counter "
      + "`(i / 64 * 16 + i % 16, step)` and the key `(seed, stream)`. `bits` gives that word as "
      + "`ui32`, `uniform` its upper 24 bits scaled to [0, 1). A `random` without `stream` gets "
      + "its place among the random ops of the function, or the next stream that no other has.",
    category: .generator, operands: [OperandSpec("key", .key)],
    attributes: [
      AttributeSpec(.distribution, .symbol(["uniform", "bits"])),
      AttributeSpec(.stream, .int, .optional),
    ],
    constraints: [
      "The result type is written.", "`key` is `ui32[2]`.",
      "`uniform` gives `f32` or `f64`, `bits` gives `ui32`.",
      "`stream` is in 0..<2^32.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType else { throw op.broken(1, "'random' needs a result type") }
      try op.require(2, op[0].shape == [2], "the key of 'random' is \(op[0]), not ui32[2]")
      let uniform = op.attributes.symbol(.distribution) == "uniform"
      let fits = uniform ? type.dtype == .f32 || type.dtype == .f64 : type.dtype == .ui32
      try op.require(3, fits, "'random' of \(uniform ? "uniform" : "bits") gives no \(type)")
      let stream = op.attributes.int(.stream) ?? 0
      try op.require(4, (0..<(1 << 32)).contains(stream), "the stream \(stream) is out of range")
      return type
    },
    flopsPerElement: 40, gradient: .zero)
}
