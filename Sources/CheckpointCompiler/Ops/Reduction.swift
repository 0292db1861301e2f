// Reduction over whole dimensions.

/// The words of `kind` where elements are combined.
let combinerKinds = ["add", "mul", "max", "min", "and", "or", "xor"]

extension OpSignature {
  /// Throws constraint `number` unless `kind` combines elements of the dtype.
  func requireCombiner(_ number: Int, _ dtype: DType) throws(OpError) {
    let kind = attributes.symbol(.kind)!
    let isLogical = kind == "and" || kind == "or" || kind == "xor"
    let fits = kind == "set" || !isLogical || !dtype.isFloatingPoint
    try require(number, fits, "'\(opcode.name)' with kind = \(kind) of \(dtype.name)")
  }
}

extension OpDefinition {
  static let reduce = OpDefinition(
    name: "reduce",
    summary: "Combines the elements along `dims`, which vanish, starting from the neutral element "
      + "of `kind`. `bf16` and `f16` accumulate in `f32`. The order of the additions is the "
      + "compiler's, but the same in every plan and for every number of threads.",
    category: .reduction, operands: [OperandSpec("x", .any)],
    attributes: [
      AttributeSpec(.kind, .symbol(combinerKinds)), AttributeSpec(.dims, .ints),
    ],
    constraints: [
      "`dims` are distinct dimensions of `x`.",
      "`and`, `or` and `xor` take integers and `i1`; the others take all dtypes.",
    ],
    typeRule: { op throws(OpError) in
      let dims = op.attributes.ints(.dims)!
      try op.require(
        1, areDistinctDimensions(dims, rank: op[0].rank), "'reduce' of \(op[0]) along \(dims)")
      try op.requireCombiner(2, op[0].dtype)
      let kept = (0..<op[0].rank).filter { !dims.contains($0) }
      return op[0].with(shape: kept.map { op[0].shape[$0] })
    },
    flops: { op, _ in Double(op[0].elementCount) }, gradient: .rule(gradientOfReduce))
}
