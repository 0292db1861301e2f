// Elementwise ops on the bits of numbers: shifts, counts, and the same bits under another dtype.

extension OpDefinition {
  private static func shift(_ name: String, _ summary: String) -> OpDefinition {
    OpDefinition(
      name: name, summary: summary, category: .elementwise,
      operands: [OperandSpec("a", .index), OperandSpec("b", .index)],
      constraints: ["`a` and `b` have the same type."],
      typeRule: { op throws(OpError) in
        try op.require(1, op[0] == op[1], "'\(name)' of \(op[0]) and \(op[1])")
        return op[0]
      },
      flopsPerElement: 1, gradient: .zero)
  }

  static let shiftLeft = shift(
    "shift_left", "`a` shifted left by `b` bits; by its width or more, or by less than 0: 0.")
  static let shiftRightArithmetic = shift(
    "shift_right_arithmetic",
    "`a` shifted right by `b` bits, the upper bit repeated, of unsigned integers as well; by its "
      + "width or more, or by less than 0: the upper bit everywhere.")
  static let shiftRightLogical = shift(
    "shift_right_logical",
    "`a` shifted right by `b` bits, zeros shifted in; by its width or more, or by less than 0: 0.")

  static let popcnt = OpDefinition(
    name: "popcnt", summary: "The number of bits that are 1.", category: .elementwise,
    operands: [OperandSpec("x", .index)], typeRule: { op in op[0] }, flopsPerElement: 12,
    gradient: .zero)
  static let countLeadingZeros = OpDefinition(
    name: "count_leading_zeros", summary: "The number of zeros above the uppermost 1; of 0, all.",
    category: .elementwise, operands: [OperandSpec("x", .index)], typeRule: { op in op[0] },
    flopsPerElement: 24, gradient: .zero)

  static let reducePrecision = OpDefinition(
    name: "reduce_precision",
    summary: "The number rounded to nearest, ties to even, as a format with so many bits of "
      + "exponent and mantissa has it, in the dtype of `x`: what is too large becomes infinite, "
      + "what is below the normal range 0.",
    category: .elementwise, operands: [OperandSpec("x", .floatingPoint)],
    attributes: [AttributeSpec(.exponentBits, .int), AttributeSpec(.mantissaBits, .int)],
    constraints: ["`exponent_bits` is at least 1.", "`mantissa_bits` is at least 0."],
    typeRule: { op throws(OpError) in
      let (exponent, mantissa) = (
        op.attributes.int(.exponentBits)!, op.attributes.int(.mantissaBits)!
      )
      try op.require(1, exponent >= 1, "'reduce_precision' to \(exponent) bits of exponent")
      try op.require(2, mantissa >= 0, "'reduce_precision' to \(mantissa) bits of mantissa")
      return op[0]
    },
    flopsPerElement: 12, gradient: .rule(gradientOfReducePrecision))

  static let bitcastConvert = OpDefinition(
    name: "bitcast_convert",
    summary:
      "The same bits in the dtype of the result type, which must be written. An element of a "
      + "wider dtype is as many of a narrower one as it has room for, along a last dimension, the "
      + "lowest bits first.",
    category: .elementwise, operands: [OperandSpec("x", .any)],
    constraints: [
      "The result type is written.",
      "`i1` stays `i1`.",
      "It has the shape of `x`; for a narrower dtype with a last dimension more, for a wider one "
        + "with a last dimension less, of as many elements as the wider dtype has room for.",
    ],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType else {
        throw op.broken(1, "'bitcast_convert' needs a result type")
      }
      let message = "'bitcast_convert' of \(op[0]) to \(type)"
      try op.require(2, (op[0].dtype == .i1) == (type.dtype == .i1), message)
      let (size, newSize) = (op[0].dtype.byteCount, type.dtype.byteCount)
      let fits =
        size == newSize
        ? type.shape == op[0].shape
        : size > newSize
          ? type.shape == op[0].shape + [size / newSize]
          : type.shape + [newSize / size] == op[0].shape
      try op.require(3, fits, message)
      return type
    },
    flopsPerElement: 1, gradient: .zero)
}
