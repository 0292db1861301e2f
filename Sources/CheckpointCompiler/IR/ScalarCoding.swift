// Numbers to the bytes of an element and back.

import Foundation

extension DType {
  /// The little-endian bytes of the element nearest to a number, ties to even; integers saturate.
  public func encode(_ number: Double) -> [UInt8] {
    switch self {
    case .f64: littleEndianBytes(number.bitPattern)
    case .f32: littleEndianBytes(Float(number).bitPattern)
    case .bf16: littleEndianBytes(bfloat16(of: number))
    case .f16: littleEndianBytes(f16Bits(number))
    case .i64: littleEndianBytes(saturating(number) as Int64)
    case .i32: littleEndianBytes(saturating(number) as Int32)
    case .i16: littleEndianBytes(saturating(number) as Int16)
    case .i8: littleEndianBytes(saturating(number) as Int8)
    case .ui64: littleEndianBytes(saturating(number) as UInt64)
    case .ui32: littleEndianBytes(saturating(number) as UInt32)
    case .ui16: littleEndianBytes(saturating(number) as UInt16)
    case .ui8: [saturating(number)]
    case .i1: [number != 0 ? 1 : 0]
    }
  }

  /// The little-endian bytes of an integer, rounded to nearest by a floating-point dtype; nil where
  /// an integer dtype does not hold it.
  public func encode(integer: some FixedWidthInteger) -> [UInt8]? {
    switch self {
    case .f64: littleEndianBytes(Double(integer).bitPattern)
    case .f32: littleEndianBytes(Float(integer).bitPattern)
    case .bf16, .f16: encode(oddDouble(integer))
    case .i64: Int64(exactly: integer).map { littleEndianBytes($0) }
    case .i32: Int32(exactly: integer).map { littleEndianBytes($0) }
    case .i16: Int16(exactly: integer).map { littleEndianBytes($0) }
    case .i8: Int8(exactly: integer).map { littleEndianBytes($0) }
    case .ui64: UInt64(exactly: integer).map { littleEndianBytes($0) }
    case .ui32: UInt32(exactly: integer).map { littleEndianBytes($0) }
    case .ui16: UInt16(exactly: integer).map { littleEndianBytes($0) }
    case .ui8: UInt8(exactly: integer).map { [$0] }
    case .i1: integer == 0 || integer == 1 ? [UInt8(integer)] : nil
    }
  }

  /// The number that the bytes of one element spell; `i64` and `ui64` are rounded to a double.
  public func decode(_ bytes: ArraySlice<UInt8>) -> Double {
    var bits: UInt64 = 0
    for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) }
    return switch self {
    case .f64: Double(bitPattern: bits)
    case .f32: Double(Float(bitPattern: UInt32(bits)))
    case .bf16: Double(Float(bitPattern: UInt32(bits) << 16))
    case .f16: f16Value(UInt16(bits))
    case .i64: Double(Int64(bitPattern: bits))
    case .i32: Double(Int32(truncatingIfNeeded: bits))
    case .i16: Double(Int16(truncatingIfNeeded: bits))
    case .i8: Double(Int8(truncatingIfNeeded: bits))
    case .ui64, .ui32, .ui16, .ui8, .i1: Double(bits)
    }
  }

  /// The integer that the bytes of one element of an integer dtype spell: sign-extended where the
  /// dtype is signed, else zero-extended; a `ui64` above 2^63 - 1 as the negative number of the same
  /// bits.
  public func decodeInteger(_ bytes: ArraySlice<UInt8>) -> Int {
    var bits: UInt64 = 0
    for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) }
    return Int(wrapped(Int64(bitPattern: bits)))
  }
}

/// An integer rounded to odd, so that rounding the result to a 16-bit format rounds it once.
private func oddDouble(_ integer: some FixedWidthInteger) -> Double {
  integer < 0
    ? DType.i64.roundedToOddNumber(ofBits: Int64(truncatingIfNeeded: integer))
    : DType.ui64.roundedToOddNumber(ofBits: Int64(truncatingIfNeeded: integer))
}

private func littleEndianBytes(_ bits: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: bits.littleEndian) { Array($0) }
}

private func saturating<T: FixedWidthInteger>(_ number: Double) -> T {
  if number.isNaN { return 0 }
  return T(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
}

/// The nearest binary16, ties to even.
func f16Bits(_ value: Double) -> UInt16 {
  let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
  if value.isNaN { return sign | 0x7E00 }
  let magnitude = value.magnitude
  if magnitude >= 65520 { return sign | 0x7C00 }
  // The distance between neighbours: 2^-24 below the normal range, else 2^(exponent - 10).
  let exponent = magnitude < 0x1p-14 ? -14 : Int(magnitude.exponent)
  let units = (magnitude * Double(sign: .plus, exponent: 10 - exponent, significand: 1))
    .rounded(.toNearestOrEven)
  // Rounding up to the next power of two carries into the exponent by itself.
  return sign | UInt16((exponent + 14) * 1024 + Int(units))
}

/// The number that a binary16 spells.
func f16Value(_ bits: UInt16) -> Double {
  let sign = bits & 0x8000 == 0 ? 1.0 : -1.0
  let exponent = Int(bits >> 10 & 0x1F)
  let fraction = Double(bits & 0x3FF)
  if exponent == 31 { return fraction == 0 ? sign * .infinity : .nan }
  if exponent == 0 { return sign * fraction * 0x1p-24 }
  return sign * (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
}
