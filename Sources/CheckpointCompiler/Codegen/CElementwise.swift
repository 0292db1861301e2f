// Elementwise ops and conversions as C expressions of one element.
//
// Problem     A kernel computes elements in variables; what an op does to them must be what the
//             interpreter says, for every input, without undefined behaviour, and in a form that C
//             compilers turn into vector instructions.
// Method      A value of a dtype lives in its compute type: `float` for f32, bf16 and f16, `uint8_t`
//             of 0 or 1 for i1, else the type that stores it. What takes more than an operator or
//             two is a support function (CSupport.swift), named in `uses`.
// Invariants  A bf16 or f16 value is always rounded: its compute value is one that the dtype has.
//             Sums and products of signed integers are those of unsigned ones, which wrap.
// Notation    Operands are atoms: names, calls or parenthesised. Expressions made here need not be.

/// The C type that a value of the dtype has in arithmetic.
func cComputeType(_ dtype: DType) -> String {
  switch dtype {
  case .f64: "double"
  case .f32, .bf16, .f16: "float"
  case .i64: "int64_t"
  case .i32: "int32_t"
  case .i16: "int16_t"
  case .i8: "int8_t"
  case .ui64: "uint64_t"
  case .ui32: "uint32_t"
  case .ui16: "uint16_t"
  case .ui8, .i1: "uint8_t"
  }
}

/// The C type of an element in memory.
func cStorageType(_ dtype: DType) -> String {
  switch dtype {
  case .bf16, .f16: "uint16_t"
  case .f64, .f32, .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: cComputeType(dtype)
  }
}

/// The compute value of an element in memory.
func cLoad(_ dtype: DType, _ lvalue: String, uses: inout Set<String>) -> String {
  switch dtype {
  case .bf16: cCall("ckc_bf16_to_f32", [lvalue], &uses)
  case .f16: cCall("ckc_f16_to_f32", [lvalue], &uses)
  case .f64, .f32, .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: lvalue
  }
}

/// What to assign to an element in memory.
///
/// - Parameters:
///   - dtype: The dtype of the element.
///   - value: An atom of its compute type.
///   - isRounded: Whether the value is one that the dtype has, as results of ops are and sums are
///     not.
///   - uses: Receives the support functions that the expression calls.
/// - Returns: An expression of the storage type.
func cStore(
  _ dtype: DType, _ value: String, isRounded: Bool = false, uses: inout Set<String>
) -> String {
  switch dtype {
  case .bf16: cCall(isRounded ? "ckc_bf16_bits" : "ckc_f32_to_bf16", [value], &uses)
  case .f16: cCall(isRounded ? "ckc_f16_bits" : "ckc_f32_to_f16", [value], &uses)
  case .f64, .f32, .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: value
  }
}

/// A compute value, such as a sum, rounded to the dtype.
func cRounded(_ dtype: DType, _ value: String, uses: inout Set<String>) -> String {
  switch dtype {
  case .bf16: cCall("ckc_round_bf16", [value], &uses)
  case .f16: cCall("ckc_round_f16", [value], &uses)
  case .f64, .f32, .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: value
  }
}

/// What an elementwise op gives for one element, as a value of the compute type of its result.
///
/// - Parameters:
///   - opcode: An elementwise op.
///   - operandDType: The dtype of the last operand: of what `select` chooses from.
///   - resultDType: The dtype of the result.
///   - operands: Atoms of the compute types of the operands.
///   - direction: What else decides the op: `Attributes.elementwiseVariant`.
///   - uses: Receives the support functions that the expression calls.
/// - Returns: An expression; an atom only where it is a call.
func cExpression(
  _ opcode: Opcode, operandDType: DType, resultDType: DType, _ operands: [String],
  direction: String?, uses: inout Set<String>
) -> String {
  switch opcode {
  case .convert:
    return cConversion(operands[0], from: operandDType, to: resultDType, uses: &uses)
  case .compare: return cComparison(operandDType, operands, direction ?? "eq", uses: &uses)
  case .bitcastConvert:
    let bits = cBits(operandDType, operands[0], uses: &uses)
    return cValue(resultDType, ofBits: "(\(bits))", uses: &uses)
  case .reducePrecision:
    guard let format = direction.flatMap({ ReducedFormat(name: $0) }) else {
      preconditionFailure("'\(opcode.name)' to no format")
    }
    return cReducedPrecision(operandDType, operands[0], format, uses: &uses)
  case .select:
    let choice = "\(operands[0]) != 0 ? \(operands[1]) : \(operands[2])"
    return isComputedInInt(operandDType) ? "(\(cComputeType(operandDType)))(\(choice))" : choice
  case .clamp:
    let raised = cExpression(
      .maximum, operandDType: operandDType, resultDType: resultDType, [operands[1], operands[0]],
      direction: nil, uses: &uses)
    return cExpression(
      .minimum, operandDType: operandDType, resultDType: resultDType, ["(\(raised))", operands[2]],
      direction: nil, uses: &uses)
  case .isFinite:
    // Infinity minus itself is NaN.
    return "(uint8_t)(\(operands[0]) - \(operands[0]) == 0)"
  default:
    guard operandDType.isFloatingPoint else {
      return operandDType == .i1
        ? cTruth(opcode, operands) : cInteger(opcode, operandDType, operands, &uses)
    }
    let (value, isExact) = cFloating(opcode, isDouble: operandDType == .f64, operands, &uses)
    return isExact ? value : cRounded(resultDType, value, uses: &uses)
  }
}

extension Attributes {
  /// What decides what an elementwise op computes, besides its dtypes: the direction of `compare`,
  /// after the word `total` for the total order; the format of `reduce_precision`.
  var elementwiseVariant: String? {
    if self[.exponentBits] != nil { return ReducedFormat(self).name }
    return symbol(.direction).map { symbol(.order) == "total" ? "total \($0)" : $0 }
  }
}

private func cComparison(
  _ dtype: DType, _ operands: [String], _ variant: String, uses: inout Set<String>
) -> String {
  let words = variant.split(separator: " ")
  var operands = operands
  if words.count > 1, dtype.isFloatingPoint {
    // The numbers of bf16 and f16 are computed as those of f32, which keeps their order.
    let name = dtype == .f64 ? "ckc_order_f64" : "ckc_order_f32"
    operands = operands.map { cCall(name, [$0], &uses) }
  }
  let symbol = cOperator(ofDirection: String(words.last ?? "eq"))
  return "(uint8_t)(\(operands[0]) \(symbol) \(operands[1]))"
}

private func cOperator(ofDirection direction: String) -> String {
  switch direction {
  case "eq": "=="
  case "ne": "!="
  case "lt": "<"
  case "le": "<="
  case "gt": ">"
  case "ge": ">="
  default: preconditionFailure("direction '\(direction)'")
  }
}

/// A call of a support function.
func cCall(_ name: String, _ operands: [String], _ uses: inout Set<String>) -> String {
  uses.insert(name)
  return "\(name)(\(operands.joined(separator: ", ")))"
}

/// An op on `float` or `double`, and whether every dtype computed so has its results unrounded.
private func cFloating(
  _ opcode: Opcode, isDouble: Bool, _ operands: [String], _ uses: inout Set<String>
) -> (value: String, isExact: Bool) {
  let x = operands[0]
  let y = operands.count > 1 ? operands[1] : ""
  let one = isDouble ? "1.0" : "1.0f"
  /// A function of the C library that both compilers have as an instruction.
  func library(_ name: String) -> String {
    "\(name)\(isDouble ? "" : "f")(\(operands.joined(separator: ", ")))"
  }
  /// A support function on `float`; on `double`, that of the C library.
  func transcendental(_ name: String) -> String {
    isDouble ? library(name) : cCall("ckc_\(name)_f32", operands, &uses)
  }
  /// A function of the C library on `double`, rounded.
  func rounded(_ name: String) -> String {
    let doubles = operands.map { isDouble ? $0 : "(double)\($0)" }
    return "\(isDouble ? "" : "(float)")\(name)(\(doubles.joined(separator: ", ")))"
  }
  func support(_ name: String) -> String {
    cCall("ckc_\(name)_\(isDouble ? "f64" : "f32")", operands, &uses)
  }
  return switch opcode {
  case .abs: (library("fabs"), true)
  case .negate: ("-\(x)", true)
  case .sign: (support("sign"), true)
  case .floor: (library("floor"), true)
  case .ceil: (library("ceil"), true)
  case .roundNearestEven: (library("rint"), true)
  case .roundNearestAfz: (support("round"), true)
  case .exponential: (transcendental("exp"), false)
  case .exponentialMinusOne: (transcendental("expm1"), false)
  case .log: (transcendental("log"), false)
  case .logPlusOne: (transcendental("log1p"), false)
  case .tanh: (transcendental("tanh"), false)
  case .logistic: (support("logistic"), false)
  case .sqrt: (library("sqrt"), false)
  case .rsqrt: ("\(one) / \(library("sqrt"))", false)
  case .sine: (transcendental("sin"), false)
  case .cosine: (transcendental("cos"), false)
  case .erf: (transcendental("erf"), false)
  case .erfc, .cbrt, .tan, .asin, .acos, .atan, .sinh, .cosh, .asinh, .acosh, .atanh, .atan2:
    (rounded(opcode.name), false)
  case .add: ("\(x) + \(y)", false)
  case .subtract: ("\(x) - \(y)", false)
  case .multiply: ("\(x) * \(y)", false)
  case .divide: ("\(x) / \(y)", false)
  case .remainder: (library("fmod"), true)
  case .maximum: (support("maximum"), true)
  case .minimum: (support("minimum"), true)
  case .power: (transcendental("pow"), false)
  default: preconditionFailure("'\(opcode.name)' of floating-point numbers")
  }
}

/// An op on i1.
private func cTruth(_ opcode: Opcode, _ operands: [String]) -> String {
  switch opcode {
  case .not: "(uint8_t)(\(operands[0]) ^ 1)"
  case .add, .maximum, .or: "(uint8_t)(\(operands[0]) | \(operands[1]))"
  case .multiply, .minimum, .and: "(uint8_t)(\(operands[0]) & \(operands[1]))"
  case .xor: "(uint8_t)(\(operands[0]) ^ \(operands[1]))"
  default: preconditionFailure("'\(opcode.name)' of i1")
  }
}

/// An op on an integer dtype.
private func cInteger(
  _ opcode: Opcode, _ dtype: DType, _ operands: [String], _ uses: inout Set<String>
) -> String {
  let x = operands[0]
  let y = operands.count > 1 ? operands[1] : ""
  let type = cComputeType(dtype)
  /// An operator on the unsigned type of the same width, back in the type of the dtype.
  func wrapping(_ a: String, _ sign: String, _ b: String) -> String {
    switch dtype {
    case .i64: "(int64_t)((uint64_t)\(a) \(sign) (uint64_t)\(b))"
    case .i32: "(int32_t)((uint32_t)\(a) \(sign) (uint32_t)\(b))"
    // In `int`, which holds all sums and products of these.
    case .i16, .i8, .ui8: "(\(type))(\(a) \(sign) \(b))"
    // In `int`, the product of two large ones would overflow.
    case .ui16: "(uint16_t)((uint32_t)\(a) \(sign) (uint32_t)\(b))"
    default: "\(a) \(sign) \(b)"
    }
  }
  /// An operator that does not leave the type, unless C computes in `int`.
  func plain(_ expression: String) -> String {
    isComputedInInt(dtype) ? "(\(type))(\(expression))" : expression
  }
  switch opcode {
  case .abs:
    return dtype.isUnsigned ? x : plain("\(x) < 0 ? \(wrapping("0", "-", x)) : \(x)")
  case .negate: return wrapping(dtype == .ui32 || dtype == .ui64 ? "0u" : "0", "-", x)
  case .sign:
    return dtype.isUnsigned ? "(\(type))(\(x) != 0)" : "(\(type))((\(x) > 0) - (\(x) < 0))"
  case .not: return plain("~\(x)")
  case .add: return wrapping(x, "+", y)
  case .subtract: return wrapping(x, "-", y)
  case .multiply: return wrapping(x, "*", y)
  case .divide: return cCall("ckc_divide_\(dtype.name)", operands, &uses)
  case .remainder: return cCall("ckc_remainder_\(dtype.name)", operands, &uses)
  case .maximum: return plain("\(x) > \(y) ? \(x) : \(y)")
  case .minimum: return plain("\(x) < \(y) ? \(x) : \(y)")
  case .power: return cCall("ckc_power_\(dtype.name)", operands, &uses)
  case .and: return plain("\(x) & \(y)")
  case .or: return plain("\(x) | \(y)")
  case .xor: return plain("\(x) ^ \(y)")
  case .shiftLeft, .shiftRightArithmetic, .shiftRightLogical, .popcnt, .countLeadingZeros:
    return cBitOp(opcode, dtype, operands, uses: &uses)
  default: preconditionFailure("'\(opcode.name)' of integers")
  }
}

/// The number `x` in another dtype.
private func cConversion(
  _ x: String, from source: DType, to target: DType, uses: inout Set<String>
) -> String {
  if source == target { return x }
  if target == .i1 { return "(uint8_t)(\(x) != 0)" }
  if source.isFloatingPoint, !target.isFloatingPoint {
    // The numbers of bf16 and f16 are computed as those of f32.
    return cCall("ckc_\(source == .f64 ? "f64" : "f32")_to_\(target.name)", [x], &uses)
  }
  switch target {
  case .f64: return "(double)\(x)"
  case .f32: return cComputeType(source) == "float" ? x : "(float)\(x)"
  case .bf16, .f16:
    // Rounded to f32 to nearest first, a number would be rounded twice.
    let single: String =
      switch source {
      case .f64: cCall("ckc_odd_f64_to_f32", [x], &uses)
      case .i64, .ui64: cCall("ckc_odd_\(source.name)_to_f32", [x], &uses)
      case .i32, .ui32: cCall("ckc_odd_f64_to_f32", ["(double)\(x)"], &uses)
      case .f32, .bf16, .f16: x
      case .i16, .i8, .ui16, .ui8, .i1: "(float)\(x)"
      }
    // Every number of one byte is one of both dtypes.
    return source.byteCount == 1 ? single : cRounded(target, single, uses: &uses)
  case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1:
    // Integers keep their lowest bits; that C leaves a signed target to the implementation, all
    // agree on.
    return "(\(cComputeType(target)))\(x)"
  }
}

/// Whether C computes with numbers of this type in `int`, which is wider.
private func isComputedInInt(_ dtype: DType) -> Bool {
  !dtype.isFloatingPoint && dtype.byteCount < 4
}

/// The op that a reduction or scatter of the given `kind` combines elements with.
private func combiner(_ kind: String) -> Opcode {
  switch kind {
  case "add": .add
  case "mul": .multiply
  case "max": .maximum
  case "min": .minimum
  case "and": .and
  case "or": .or
  case "xor": .xor
  default: preconditionFailure("kind '\(kind)'")
  }
}

/// Two accumulators of a reduction combined; those of bf16 and f16 are f32, unrounded.
func cCombine(
  kind: String, dtype: DType, _ a: String, _ b: String, uses: inout Set<String>
) -> String {
  let accumulated = dtype == .bf16 || dtype == .f16 ? .f32 : dtype
  return cExpression(
    combiner(kind), operandDType: accumulated, resultDType: accumulated, [a, b], direction: nil,
    uses: &uses)
}

/// The accumulator of a reduction over no elements.
func cNeutral(kind: String, dtype: DType, uses: inout Set<String>) -> String {
  let accumulator = Combiner(kind: kind, dtype: dtype)
  let element =
    dtype.isFloatingPoint
    ? Tensor(TensorType(dtype), floats: [accumulator.neutralNumber])
    : Tensor(TensorType(dtype), integers: [accumulator.neutralInteger])
  return cLiteral(element.bytes, dtype, uses: &uses)
}
