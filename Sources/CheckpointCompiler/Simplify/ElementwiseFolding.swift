// Folding of elementwise ops: of constants to constants, and of identities.
//
// What is missing here is not exact: `x + 0` is 0 where `x` is -0, `x * 0` is NaN where `x` is infinite,
// `x - x` is NaN where `x` is infinite or NaN. Adding -0 and subtracting 0 are exact, multiplying and
// dividing by 1 as well. Integers know no such trouble.

func foldedElementwise(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  let operands = candidate.operands
  if candidate.opcode == .bitcastConvert, let value = foldedBitcast(candidate, context) {
    return value
  }
  // The elements of a bitcast to another width need not be equal.
  guard context.type(of: operands[0]).rank == candidate.type.rank else { return nil }
  let splats = operands.map { context.splat($0) }
  if let constant = evaluated(candidate, splats, context) { return constant }
  switch candidate.opcode {
  case .convert: return foldedConvert(candidate, context)
  case .negate, .not:
    // Twice is not at all.
    return context.op(candidate.opcode, defining: operands[0]).map {
      .value(context.operand(of: $0))
    }
  case .select:
    if operands[1] == operands[2] { return .value(operands[1]) }
    if let predicate = splats[0] { return .value(operands[predicate[0] != 0 ? 1 : 2]) }
    if let not = context.op(.not, defining: operands[0]) {
      var swapped = candidate
      swapped.operands = [context.operand(of: not), operands[2], operands[1]]
      return .op(swapped)
    }
    return nil
  case .add, .subtract, .multiply, .divide, .maximum, .minimum, .power, .and, .or, .xor, .shiftLeft,
    .shiftRightArithmetic, .shiftRightLogical:
    return foldedBinary(candidate, splats)
  default: return nil
  }
}

/// The constant that an elementwise op of constants gives.
private func evaluated(
  _ candidate: FoldingCandidate, _ splats: [[UInt8]?], _ context: FoldingContext
) -> FoldingResult? {
  var scalars: [Tensor] = []
  for (operand, splat) in zip(candidate.operands, splats) {
    guard let splat else { return nil }
    scalars.append(Tensor(TensorType(context.type(of: operand).dtype), bytes: splat))
  }
  let scalar = TensorType(candidate.type.dtype)
  let result = evaluate(candidate.opcode, scalars, candidate.attributes, scalar)
  return .splat(result.bytes, candidate.type)
}

/// Conversions to the own dtype, and of a number that was converted to a dtype that holds it exactly.
private func foldedConvert(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  let operand = candidate.operands[0]
  let dtype = context.type(of: operand).dtype
  if dtype == candidate.type.dtype { return .value(operand) }
  guard let inner = context.op(.convert, defining: operand) else { return nil }
  let source = context.operand(of: inner)
  guard holds(dtype, everyNumberOf: context.type(of: source).dtype) else { return nil }
  var direct = candidate
  direct.operands = [source]
  return .op(direct)
}

/// Bits under the dtype that they have, and bits that come back to the type that they had.
private func foldedBitcast(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  let operand = candidate.operands[0]
  if context.type(of: operand) == candidate.type { return .value(operand) }
  guard let inner = context.op(.bitcastConvert, defining: operand) else { return nil }
  let source = context.operand(of: inner)
  return context.type(of: source) == candidate.type ? .value(source) : nil
}

/// Whether a floating-point dtype holds every number of a narrower one.
private func holds(_ wide: DType, everyNumberOf narrow: DType) -> Bool {
  switch (narrow, wide) {
  case (.f32, .f64), (.bf16, .f32), (.bf16, .f64), (.f16, .f32), (.f16, .f64): true
  default: false
  }
}

private func foldedBinary(
  _ candidate: FoldingCandidate, _ splats: [[UInt8]?]
) -> FoldingResult? {
  let (a, b) = (candidate.operands[0], candidate.operands[1])
  let dtype = candidate.type.dtype
  let isIdempotent = [.maximum, .minimum, .and, .or].contains(candidate.opcode)
  if a == b, isIdempotent { return .value(a) }
  let isCommutative =
    isIdempotent || [.add, .multiply, .xor].contains(candidate.opcode)
  if let right = splats[1] {
    if let result = foldedRight(candidate, x: a, constant: right, dtype) { return result }
    if absorbs(candidate.opcode, right, dtype) { return .value(b) }
  }
  if isCommutative, let left = splats[0] {
    if let result = foldedRight(candidate, x: b, constant: left, dtype) { return result }
    if absorbs(candidate.opcode, left, dtype) { return .value(a) }
  }
  return nil
}

/// The op whose second operand, or either where it is commutative, is a constant.
private func foldedRight(
  _ candidate: FoldingCandidate, x: ValueID, constant: [UInt8], _ dtype: DType
) -> FoldingResult? {
  if isNeutral(constant, for: candidate.opcode, dtype) { return .value(x) }
  guard dtype.isFloatingPoint else { return nil }
  let number = dtype.decode(constant[...])
  switch candidate.opcode {
  case .power where number == 2 && dtype != .f64:
    // The square of a number of at most 24 digits is exact before it is rounded, either way.
    return .op(FoldingCandidate(opcode: .multiply, operands: [x, x], type: candidate.type))
  case .divide: return reciprocal(candidate, x: x, number, dtype)
  default: return nil
  }
}

/// Division by a power of two as the multiplication that rounds the same number.
private func reciprocal(
  _ candidate: FoldingCandidate, x: ValueID, _ number: Double, _ dtype: DType
) -> FoldingResult? {
  guard number.isNormal, number.significand == 1 else { return nil }
  let bytes = dtype.encode(1 / number)
  guard dtype.decode(bytes[...]) == 1 / number else { return nil }
  return .withConstant(
    FoldingCandidate(opcode: .multiply, operands: [x], type: candidate.type), bytes)
}

/// Whether the op with this constant gives its other operand.
private func isNeutral(_ bytes: [UInt8], for opcode: Opcode, _ dtype: DType) -> Bool {
  guard dtype.isFloatingPoint else {
    let number = dtype.decodeInteger(bytes[...])
    let allOnes = dtype == .i1 ? bytes == [1] : bytes.allSatisfy { $0 == 0xFF }
    return switch opcode {
    case .add, .subtract, .or, .xor, .shiftLeft, .shiftRightArithmetic, .shiftRightLogical:
      number == 0
    case .multiply, .divide, .power: number == 1
    case .and: allOnes
    case .maximum: Int64(number) == dtype.leastInteger
    case .minimum: Int64(number) == dtype.greatestInteger
    default: false
    }
  }
  let number = dtype.decode(bytes[...])
  return switch opcode {
  case .add: number == 0 && number.sign == .minus
  case .subtract: number == 0 && number.sign == .plus
  case .multiply, .divide, .power: number == 1
  case .maximum: number == -.infinity
  case .minimum: number == .infinity
  default: false
  }
}

/// Whether the op with this constant gives the constant.
private func absorbs(_ opcode: Opcode, _ bytes: [UInt8], _ dtype: DType) -> Bool {
  guard !dtype.isFloatingPoint else { return false }
  let isZero = bytes.allSatisfy { $0 == 0 }
  return switch opcode {
  case .multiply, .and: isZero
  case .or: dtype == .i1 ? bytes == [1] : bytes.allSatisfy { $0 == 0xFF }
  default: false
  }
}
