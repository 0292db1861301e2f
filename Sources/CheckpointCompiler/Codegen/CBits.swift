// C for elementwise ops on the bits of numbers.

/// The bits of a value, as a value of an unsigned C type of the size of the dtype.
func cBits(_ dtype: DType, _ value: String, uses: inout Set<String>) -> String {
  switch dtype {
  case .f64: cCall("ckc_bits_of_f64", [value], &uses)
  case .f32: cCall("ckc_bits_of_f32", [value], &uses)
  case .bf16: cCall("ckc_bf16_bits", [value], &uses)
  case .f16: cCall("ckc_f16_bits", [value], &uses)
  case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1:
    "(\(cStorageType(dtype.bits)))\(value)"
  }
}

/// The value with the given bits, which are an atom of an unsigned C type of its size.
func cValue(_ dtype: DType, ofBits bits: String, uses: inout Set<String>) -> String {
  switch dtype {
  case .f64: cCall("ckc_f64_from_bits", [bits], &uses)
  case .f32: cCall("ckc_f32_from_bits", [bits], &uses)
  case .bf16: cCall("ckc_bf16_to_f32", [bits], &uses)
  case .f16: cCall("ckc_f16_to_f32", [bits], &uses)
  case .i64, .i32, .i16, .i8, .ui64, .ui32, .ui16, .ui8, .i1: "(\(cComputeType(dtype)))\(bits)"
  }
}

/// An op on the bits of integers, of the compute type of the dtype.
func cBitOp(
  _ opcode: Opcode, _ dtype: DType, _ operands: [String], uses: inout Set<String>
) -> String {
  let x = operands[0]
  let width = 8 * dtype.byteCount
  let type = cComputeType(dtype)
  let unsigned = cStorageType(dtype.bits)
  let wide = width == 64 ? "u64" : "u32"
  if opcode == .popcnt {
    return "(\(type))\(cCall("ckc_popcnt_\(wide)", ["(\(unsigned))\(x)"], &uses))"
  }
  if opcode == .countLeadingZeros {
    let zeros = cCall("ckc_leading_zeros_\(wide)", ["(\(unsigned))\(x)"], &uses)
    return width < 32 ? "(\(type))(\(zeros) - \(32 - width)u)" : "(\(type))\(zeros)"
  }
  let y = operands[1]
  // A distance below 0 is a large one.
  let fits = "(\(unsigned))\(y) < \(width)"
  switch opcode {
  case .shiftLeft:
    return "(\(type))(\(fits) ? (uint\(max(width, 32))_t)\(x) << (\(y) & \(width - 1)) : 0)"
  case .shiftRightLogical:
    return "(\(type))(\(fits) ? (\(unsigned))\(x) >> (\(y) & \(width - 1)) : 0)"
  case .shiftRightArithmetic:
    return "(\(type))((int\(width)_t)\(x) >> (\(fits) ? (int)\(y) : \(width - 1)))"
  default: preconditionFailure("'\(opcode.name)' of bits")
  }
}

/// A number of less precision, which is a number of its dtype.
func cReducedPrecision(
  _ dtype: DType, _ x: String, _ format: ReducedFormat, uses: inout Set<String>
) -> String {
  let limits = format.limits(in: dtype)
  let isWide = dtype == .f64
  func hex(_ bits: UInt64) -> String {
    let digits = String(bits, radix: 16, uppercase: true)
    return isWide ? "UINT64_C(0x\(digits))" : "0x\(digits)u"
  }
  let bits = cCall(
    isWide ? "ckc_reduced_u64" : "ckc_reduced_u32",
    [
      cBits(dtype, x, uses: &uses), hex(limits.infinity), hex(limits.signBit), "\(limits.dropped)",
      hex(limits.least), hex(limits.most),
    ], &uses)
  return cValue(dtype, ofBits: "(\(cStorageType(dtype.bits)))\(bits)", uses: &uses)
}
