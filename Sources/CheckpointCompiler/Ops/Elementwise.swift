// Ops whose result at a place depends on the operands at that place only.
//
// Costs are in operations per element; transcendental functions count as the length of the
// polynomial that computes them.

extension OpDefinition {
  private static func unary(
    _ name: String, _ summary: String, _ kind: OperandKind, flops: Double = 1,
    gradient: Gradient = .zero
  ) -> OpDefinition {
    OpDefinition(
      name: name, summary: summary, category: .elementwise, operands: [OperandSpec("x", kind)],
      typeRule: { op in op[0] }, flopsPerElement: flops, gradient: gradient)
  }

  private static func binary(
    _ name: String, _ summary: String, _ kind: OperandKind, flops: Double = 1,
    gradient: Gradient = .zero
  ) -> OpDefinition {
    OpDefinition(
      name: name, summary: summary, category: .elementwise,
      operands: [OperandSpec("a", kind), OperandSpec("b", kind)],
      constraints: ["`a` and `b` have the same type."],
      typeRule: { op throws(OpError) in
        try op.require(1, op[0] == op[1], "'\(name)' of \(op[0]) and \(op[1])")
        return op[0]
      },
      flopsPerElement: flops, gradient: gradient)
  }

  static let abs = unary("abs", "Absolute value.", .numeric, gradient: .rule(gradientOfAbs))
  static let negate = unary(
    "negate", "Negation; integers wrap around.", .numeric, gradient: .rule(gradientOfNegate))
  static let sign = unary("sign", "-1, 0 or 1; keeps signed zeros and NaN.", .numeric)
  static let floor = unary("floor", "Largest integral value not above `x`.", .floatingPoint)
  static let ceil = unary("ceil", "Smallest integral value not below `x`.", .floatingPoint)
  static let roundNearestEven = unary(
    "round_nearest_even", "Nearest integral value, ties to even.", .floatingPoint)
  static let roundNearestAfz = unary(
    "round_nearest_afz", "Nearest integral value, ties away from zero.", .floatingPoint, flops: 3)
  static let isFinite = OpDefinition(
    name: "is_finite", summary: "Whether `x` is neither infinite nor NaN.",
    category: .elementwise, operands: [OperandSpec("x", .floatingPoint)],
    typeRule: { op in op[0].with(.i1) }, flopsPerElement: 1, gradient: .zero)
  static let not = unary("not", "Complement of every bit; of `i1`, the negation.", .bits)
  static let exponential = unary(
    "exponential", "e to the power of `x`.", .floatingPoint, flops: 10,
    gradient: .rule(gradientOfExponential))
  static let exponentialMinusOne = unary(
    "exponential_minus_one", "e to the power of `x`, minus one, accurate near 0.",
    .floatingPoint, flops: 14, gradient: .rule(gradientOfExponentialMinusOne))
  static let log = unary(
    "log", "Natural logarithm.", .floatingPoint, flops: 12, gradient: .rule(gradientOfLog))
  static let logPlusOne = unary(
    "log_plus_one", "Natural logarithm of `x` plus one, accurate near 0.", .floatingPoint,
    flops: 16, gradient: .rule(gradientOfLogPlusOne))
  static let tanh = unary(
    "tanh", "Hyperbolic tangent.", .floatingPoint, flops: 14, gradient: .rule(gradientOfTanh))
  static let logistic = unary(
    "logistic", "1 / (1 + e to the power of -`x`).", .floatingPoint, flops: 14,
    gradient: .rule(gradientOfLogistic))
  static let sqrt = unary(
    "sqrt", "Square root.", .floatingPoint, flops: 4, gradient: .rule(gradientOfSqrt))
  static let rsqrt = unary(
    "rsqrt", "1 / square root.", .floatingPoint, flops: 6, gradient: .rule(gradientOfRsqrt))
  static let cbrt = unary(
    "cbrt", "Cube root.", .floatingPoint, flops: 30, gradient: .rule(gradientOfCbrt))
  static let sine = unary(
    "sine", "Sine of an angle in radians.", .floatingPoint, flops: 16,
    gradient: .rule(gradientOfSine))
  static let cosine = unary(
    "cosine", "Cosine of an angle in radians.", .floatingPoint, flops: 16,
    gradient: .rule(gradientOfCosine))
  static let tan = unary(
    "tan", "Tangent of an angle in radians.", .floatingPoint, flops: 40,
    gradient: .rule(gradientOfTan))
  static let erf = unary(
    "erf", "Gauss error function.", .floatingPoint, flops: 20, gradient: .rule(gradientOfErf))
  static let erfc = unary(
    "erfc", "1 minus the Gauss error function, accurate where that is nearly 1.", .floatingPoint,
    flops: 60, gradient: .rule(gradientOfErfc))
  static let asin = unary(
    "asin", "Arc sine in radians.", .floatingPoint, flops: 30, gradient: .rule(gradientOfAsin))
  static let acos = unary(
    "acos", "Arc cosine in radians.", .floatingPoint, flops: 30, gradient: .rule(gradientOfAcos))
  static let atan = unary(
    "atan", "Arc tangent in radians.", .floatingPoint, flops: 30, gradient: .rule(gradientOfAtan))
  static let sinh = unary(
    "sinh", "Hyperbolic sine.", .floatingPoint, flops: 40, gradient: .rule(gradientOfSinh))
  static let cosh = unary(
    "cosh", "Hyperbolic cosine.", .floatingPoint, flops: 40, gradient: .rule(gradientOfCosh))
  static let asinh = unary(
    "asinh", "Inverse hyperbolic sine.", .floatingPoint, flops: 50,
    gradient: .rule(gradientOfAsinh))
  static let acosh = unary(
    "acosh", "Inverse hyperbolic cosine.", .floatingPoint, flops: 50,
    gradient: .rule(gradientOfAcosh))
  static let atanh = unary(
    "atanh", "Inverse hyperbolic tangent.", .floatingPoint, flops: 50,
    gradient: .rule(gradientOfAtanh))

  static let add = binary(
    "add", "Sum; integers wrap around; of `i1`, the disjunction.", .any,
    gradient: .rule(gradientOfAdd))
  static let subtract = binary(
    "subtract", "Difference; integers wrap around.", .numeric,
    gradient: .rule(gradientOfSubtract))
  static let multiply = binary(
    "multiply", "Product; integers wrap around; of `i1`, the conjunction.", .any,
    gradient: .rule(gradientOfMultiply))
  static let divide = binary(
    "divide",
    "Quotient; integers round towards zero, by zero all bits are set, the smallest by -1 stays.",
    .numeric, flops: 4, gradient: .rule(gradientOfDivide))
  static let remainder = binary(
    "remainder",
    "Remainder of the quotient rounded towards zero, with the sign of `a`; integers by zero: `a`.",
    .numeric, flops: 6, gradient: .rule(gradientOfRemainder))
  static let maximum = binary(
    "maximum", "The larger; NaN if either is; 0 above -0.", .any, gradient: .rule(gradientOfMaximum)
  )
  static let minimum = binary(
    "minimum", "The smaller; NaN if either is; -0 below 0.", .any,
    gradient: .rule(gradientOfMinimum))
  static let power = binary(
    "power", "`a` to the power of `b`, as IEEE 754 pow; integers by repeated squaring.", .numeric,
    flops: 30, gradient: .rule(gradientOfPower))
  static let atan2 = binary(
    "atan2", "The angle in radians of the point with the coordinates `b` and `a`.",
    .floatingPoint, flops: 40, gradient: .rule(gradientOfAtan2))
  static let and = binary("and", "Conjunction of every bit.", .bits)
  static let or = binary("or", "Disjunction of every bit.", .bits)
  static let xor = binary("xor", "Exclusive disjunction of every bit.", .bits)

  static let compare = OpDefinition(
    name: "compare",
    summary: "Compares; with NaN only `ne` holds. In the total order of IEEE 754 -0 stands below "
      + "0, NaN above infinity, and NaN with the sign below -infinity.",
    category: .elementwise, operands: [OperandSpec("a", .any), OperandSpec("b", .any)],
    attributes: [
      AttributeSpec(.direction, .symbol(["eq", "ne", "lt", "le", "gt", "ge"])),
      AttributeSpec(.order, .symbol(["total"]), .optional),
    ],
    constraints: ["`a` and `b` have the same type."],
    typeRule: { op throws(OpError) in
      try op.require(1, op[0] == op[1], "'compare' of \(op[0]) and \(op[1])")
      return op[0].with(.i1)
    },
    flopsPerElement: 1, gradient: .zero)

  static let select = OpDefinition(
    name: "select", summary: "`a` where `p` holds, `b` elsewhere.",
    category: .elementwise,
    operands: [OperandSpec("p", .predicate), OperandSpec("a", .any), OperandSpec("b", .any)],
    constraints: ["`a` and `b` have the same type.", "`p` has their shape."],
    typeRule: { op throws(OpError) in
      try op.require(1, op[1] == op[2], "'select' between \(op[1]) and \(op[2])")
      try op.require(2, op[0].shape == op[1].shape, "'select' of \(op[1]) by \(op[0])")
      return op[1]
    },
    flopsPerElement: 1, gradient: .rule(gradientOfSelect))

  static let clamp = OpDefinition(
    name: "clamp", summary: "`x`, but at least `low` and at most `high`.",
    category: .elementwise,
    operands: [
      OperandSpec("low", .numeric), OperandSpec("x", .numeric), OperandSpec("high", .numeric),
    ],
    constraints: ["`low`, `x` and `high` have the same type."],
    typeRule: { op throws(OpError) in
      try op.require(
        1, op[0] == op[1] && op[2] == op[1], "'clamp' of \(op[1]) to \(op[0]) and \(op[2])")
      return op[1]
    },
    flopsPerElement: 2, gradient: .rule(gradientOfClamp))

  static let convert = OpDefinition(
    name: "convert",
    summary: "The same number in the dtype of the result type, which must be written: to "
      + "floating point rounded to nearest, ties to even; from there to integers towards zero and "
      + "saturated, NaN to 0; between integers the lowest bits; to `i1`, whether it is not 0.",
    category: .elementwise, operands: [OperandSpec("x", .any)],
    constraints: ["The result type is written.", "It has the shape of `x`."],
    typeRule: { op throws(OpError) in
      guard let type = op.declaredType else {
        throw op.broken(1, "'convert' needs a result type")
      }
      try op.require(2, type.shape == op[0].shape, "'convert' of \(op[0]) to \(type)")
      return type
    },
    flopsPerElement: 1, gradient: .rule(gradientOfConvert))
}
