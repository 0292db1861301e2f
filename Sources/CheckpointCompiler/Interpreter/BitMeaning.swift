// What ops on the bits of numbers compute.

extension DType {
  /// The bits of an integer of this dtype without those that extend its sign.
  func unsignedBits(_ number: Int64) -> UInt64 {
    UInt64(bitPattern: bits.wrapped(number))
  }
}

/// What a shift does, before the upper bits are dropped.
func meaning(ofShift opcode: Opcode, on dtype: DType) -> (Int64, Int64) -> Int64 {
  let width = UInt64(8 * dtype.byteCount)
  // The number with its uppermost bit, where that is a sign or not, in all places above.
  let unused = Int64(64 - width)
  return switch opcode {
  case .shiftLeft: { dtype.unsignedBits($1) < width ? $0 << $1 : 0 }
  case .shiftRightLogical:
    {
      dtype.unsignedBits($1) < width ? Int64(bitPattern: dtype.unsignedBits($0) >> UInt64($1)) : 0
    }
  case .shiftRightArithmetic:
    { (($0 << unused) >> unused) >> Int64(min(dtype.unsignedBits($1), width - 1)) }
  default: preconditionFailure("'\(opcode.name)' is no shift")
  }
}

/// Integers in the total order of floating-point numbers.
func totalOrder(_ x: Tensor) -> [Int64] {
  let signed = TensorType(signedDType(of: x.type.dtype), x.type.shape)
  // Of negative numbers, all bits but the sign are turned over.
  return Tensor(signed, bytes: x.bytes).integers.map { $0 < 0 ? $0 ^ .max : $0 }
}

private func signedDType(of dtype: DType) -> DType {
  switch dtype.byteCount {
  case 8: .i64
  case 4: .i32
  case 2: .i16
  default: .i8
  }
}

/// Numbers rounded to a format, by their bits.
func reducedPrecision(_ x: Tensor, _ attributes: Attributes) -> Tensor {
  let dtype = x.type.dtype
  let limits = ReducedFormat(attributes).limits(in: dtype)
  let bitsType = x.type.with(dtype.bits)
  let reduced = Tensor(bitsType, bytes: x.bytes).integers.map { number in
    let bits = dtype.bits.unsignedBits(number)
    let sign = bits & limits.signBit
    var size = bits ^ sign
    if size > limits.infinity { return number }
    if limits.dropped > 0 {
      let unit = UInt64(1) << UInt64(limits.dropped)
      let isOdd = size & unit != 0
      size = (size + unit / 2 - (isOdd ? 0 : 1)) & ~(unit - 1)
    }
    let exponent = size & limits.infinity
    if exponent > limits.most { size = limits.infinity }
    if exponent < limits.least { size = 0 }
    return Int64(bitPattern: sign | size)
  }
  return bitcast(Tensor(bitsType, integers: reduced), to: x.type)
}

/// The same bytes as a tensor of another type.
func bitcast(_ x: Tensor, to type: TensorType) -> Tensor { Tensor(type, bytes: x.bytes) }
