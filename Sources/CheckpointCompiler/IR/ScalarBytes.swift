// Numbers and the bytes of one element.

extension DType {
  /// The little-endian bytes of the element nearest to a number: floating-point dtypes round to
  /// nearest, ties to even; integers round towards zero and saturate, NaN becomes 0; `i1` is whether
  /// the number is not 0.
  public func bytes(of number: Double) -> [UInt8] {
    switch self {
    case .f64: littleEndianBytes(number.bitPattern)
    case .f32: littleEndianBytes(Float(number).bitPattern)
    case .bf16: littleEndianBytes(bfloat16Bits(of: number))
    case .f16: littleEndianBytes(Float16(number).bitPattern)
    case .i64: littleEndianBytes(saturated(number, to: Int64.self))
    case .i32: littleEndianBytes(saturated(number, to: Int32.self))
    case .ui32: littleEndianBytes(saturated(number, to: UInt32.self))
    case .ui8: [saturated(number, to: UInt8.self)]
    case .i1: [number != 0 ? 1 : 0]
    }
  }

  /// The number that the bytes of one element stand for; large `i64` are rounded.
  ///
  /// - Precondition: There are `byteCount` bytes.
  public func number(from bytes: some Sequence<UInt8>) -> Double {
    var bits: UInt64 = 0
    for (index, byte) in bytes.enumerated() { bits |= UInt64(byte) << (8 * UInt64(index)) }
    return switch self {
    case .f64: Double(bitPattern: bits)
    case .f32: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .bf16: Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits) << 16))
    case .f16: Double(Float16(bitPattern: UInt16(truncatingIfNeeded: bits)))
    case .i64: Double(Int64(bitPattern: bits))
    case .i32: Double(Int32(truncatingIfNeeded: Int64(bitPattern: bits)))
    case .ui32, .ui8: Double(bits)
    case .i1: bits == 0 ? 0 : 1
    }
  }
}

private func littleEndianBytes(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

private func saturated<T: FixedWidthInteger>(_ number: Double, to type: T.Type) -> T {
  if number.isNaN { return 0 }
  return T(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
}

/// The upper half of the binary32 nearest to a number. Rounding to odd on the way to binary32 keeps
/// the second rounding from seeing a tie that was none.
private func bfloat16Bits(of number: Double) -> UInt16 {
  if number.isNaN { return 0x7FC0 }
  let near = Float(number)
  var bits = near.bitPattern
  if Double(near) != number {
    if Double(near).magnitude > number.magnitude { bits -= 1 }
    bits |= 1
  }
  return UInt16(truncatingIfNeeded: (UInt64(bits) + 0x7FFF + UInt64((bits >> 16) & 1)) >> 16)
}
