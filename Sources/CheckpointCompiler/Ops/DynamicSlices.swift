// Slices whose place is data: one row of a stack, read or written.

extension OpSignature {
  /// Throws constraint 1 unless the operands from a number on are a scalar start for every dimension
  /// of the first.
  fileprivate func requireStarts(from first: Int) throws(OpError) {
    let starts = operandTypes.dropFirst(first)
    let dtype = starts.first?.dtype
    try require(
      1,
      starts.count == self[0].rank
        && starts.allSatisfy { $0.rank == 0 && $0.dtype == dtype },
      "'\(opcode.name)' of \(self[0]) with starts \(starts.map(\.description))")
  }
}

extension OpDefinition {
  static let dynamicSlice = OpDefinition(
    name: "dynamic_slice",
    summary:
      "The elements of `x` from the starts on, as many along each dimension as `slice_sizes` "
      + "says; starts are clamped so that the slice lies inside.",
    category: .indexed, operands: [OperandSpec("x", .any), OperandSpec("start", .index)],
    isVariadic: true, mayLackLast: true, attributes: [AttributeSpec(.sliceSizes, .ints)],
    constraints: [
      "There is a scalar start for every dimension of `x`, all of one dtype.",
      "`slice_sizes` has an entry for every dimension of `x`, at most its extent.",
    ],
    typeRule: { op throws(OpError) in
      try op.requireStarts(from: 1)
      let sizes = op.attributes.ints(.sliceSizes)!
      try op.require(
        2,
        sizes.count == op[0].rank && zip(sizes, op[0].shape).allSatisfy { $0 >= 0 && $0 <= $1 },
        "slice_sizes = \(sizes) of \(op[0])")
      return op[0].with(shape: sizes)
    },
    touchedBytes: { op, result in result.sizeBytes + op[0].touchedBy(result) },
    gradient: .rule(gradientOfDynamicSlice))

  static let dynamicUpdateSlice = OpDefinition(
    name: "dynamic_update_slice",
    summary: "`x` with `update` in place of the elements from the starts on; starts are clamped so "
      + "that the update lies inside.",
    category: .indexed,
    operands: [OperandSpec("x", .any), OperandSpec("update", .any), OperandSpec("start", .index)],
    isVariadic: true, mayLackLast: true,
    constraints: [
      "There is a scalar start for every dimension of `x`, all of one dtype.",
      "The update has the dtype and rank of `x` and is nowhere longer.",
    ],
    typeRule: { op throws(OpError) in
      try op.requireStarts(from: 2)
      let (x, update) = (op[0], op[1])
      try op.require(
        2,
        update.dtype == x.dtype && update.rank == x.rank
          && zip(update.shape, x.shape).allSatisfy { $0 <= $1 },
        "'dynamic_update_slice' of \(x) with \(update)")
      return x
    },
    touchedBytes: { op, _ in 2 * op[1].sizeBytes },
    gradient: .rule(gradientOfDynamicUpdateSlice))
}

extension TensorType {
  /// The bytes of this type that reading a tensor of another type out of it touches.
  func touchedBy(_ read: TensorType) -> Int { min(sizeBytes, read.sizeBytes) }
}
