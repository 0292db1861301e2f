// Conversions between numbers and the dtypes that store them, each with one rounding.
//
// Written out instead of using the platform's half-precision types, which not every platform has:
// the reference must not depend on what it is the reference for.

extension DType {
  /// The smallest value of an integer dtype or `i1`, as its bits, sign-extended where it is signed.
  var leastInteger: Int64 { isUnsigned ? 0 : Int64.min >> Int64(64 - 8 * byteCount) }

  /// The largest value of an integer dtype or `i1`, as its bits, sign-extended where it is signed.
  var greatestInteger: Int64 { wrapped(isUnsigned ? -1 : ~leastInteger) }

  /// A number as the bits of an integer of this dtype: towards zero and saturated, NaN to 0; for
  /// `i1` whether it is not 0.
  func saturated(_ number: Double) -> Int64 {
    if self == .i1 { return number != 0 ? 1 : 0 }
    if number.isNaN { return 0 }
    if self == .ui64 {
      if number >= 0x1p64 { return greatestInteger }
      return number < 1 ? 0 : Int64(bitPattern: UInt64(number))
    }
    // 2^63 is the least upper bound that binary64 has.
    if number >= 0x1p63 { return greatestInteger }
    if number < -0x1p63 { return leastInteger }
    return min(max(Int64(number), leastInteger), greatestInteger)
  }

  /// The lowest bits of an integer as a number of this dtype: what arithmetic that wraps gives.
  ///
  /// - Returns: The bits of the number, sign-extended where the dtype is signed.
  func wrapped(_ number: Int64) -> Int64 {
    precondition(!isFloatingPoint, "\(name) does not wrap")
    if self == .i1 { return number & 1 }
    let unused = 64 - 8 * byteCount
    guard isUnsigned else { return (number << unused) >> unused }
    return Int64(bitPattern: (UInt64(bitPattern: number) << unused) >> unused)
  }

  /// Whether one integer of this dtype is less than another, both given as their bits.
  func isLess(_ a: Int64, _ b: Int64) -> Bool {
    self == .ui64 ? UInt64(bitPattern: a) < UInt64(bitPattern: b) : a < b
  }

  /// The number that the bits of an integer of this dtype stand for, rounded to binary64.
  func number(ofBits bits: Int64) -> Double {
    self == .ui64 ? Double(UInt64(bitPattern: bits)) : Double(bits)
  }

  /// The number that the bits of an integer of this dtype stand for, as binary64 rounded to odd:
  /// rounding that again to at most 51 bits is as rounding the number once (Boldo and Melquiond,
  /// "Emulation of FMA and correctly rounded sums").
  func roundedToOddNumber(ofBits bits: Int64) -> Double {
    let isNegative = self != .ui64 && bits < 0
    let magnitude = isNegative ? bits.magnitude : UInt64(bitPattern: bits)
    // More than 53 bits: the last of those that are left stands for all that are dropped.
    let dropped = max(0, 11 - magnitude.leadingZeroBitCount)
    let kept = magnitude >> UInt64(dropped)
    let isExact = kept << UInt64(dropped) == magnitude
    let odd = Double((isExact ? kept : kept | 1) << UInt64(dropped))
    return isNegative ? -odd : odd
  }
}

/// A number in the upper half of a binary32, to nearest, ties to even.
func bfloat16(of number: Double) -> UInt16 {
  narrowed(number, exponentBits: 8, fractionBits: 7)
}

/// A number in binary16, to nearest, ties to even.
func half(of number: Double) -> UInt16 {
  narrowed(number, exponentBits: 5, fractionBits: 10)
}

/// The bits of a number in a 16-bit format, to nearest, ties to even.
private func narrowed(_ number: Double, exponentBits: Int, fractionBits: Int) -> UInt16 {
  let sign: UInt16 = number.sign == .minus ? 0x8000 : 0
  let bias = (1 << (exponentBits - 1)) - 1
  let infinity = UInt16((1 << exponentBits) - 1) << UInt16(fractionBits)
  if number.isNaN {
    // Quiet, with the upper bits of the payload.
    let payload = UInt16(truncatingIfNeeded: number.bitPattern >> UInt64(52 - fractionBits))
    let mask = UInt16((1 << fractionBits) - 1)
    return sign | infinity | (payload & mask) | UInt16(1 << (fractionBits - 1))
  }
  let magnitude = number.magnitude
  if magnitude == 0 { return sign }
  if magnitude.isInfinite || magnitude.exponent > bias { return sign | infinity }
  let exponent = max(Int(magnitude.exponent), 1 - bias)
  // A multiple of the spacing of the format there; dividing by a power of two is exact.
  let spacing = Double(sign: .plus, exponent: exponent - fractionBits, significand: 1)
  let multiple = UInt16((magnitude / spacing).rounded(.toNearestOrEven))
  // Subnormal numbers have the exponent field 0 and no hidden bit; the sum carries by itself from
  // them to the normal ones, and from the largest one to infinity.
  return sign | ((UInt16(exponent + bias - 1) << UInt16(fractionBits)) &+ multiple)
}

/// The number that the bits of a binary16 stand for.
func double(ofHalf bits: UInt16) -> Double {
  let sign: FloatingPointSign = bits & 0x8000 == 0 ? .plus : .minus
  let exponent = Int(bits >> 10 & 0x1F)
  let fraction = Double(bits & 0x3FF)
  switch exponent {
  case 0: return Double(sign: sign, exponent: -24, significand: fraction)
  case 31:
    guard bits & 0x3FF != 0 else { return sign == .plus ? .infinity : -.infinity }
    let payload = UInt64(bits & 0x3FF) << 42 | 0x7FF8_0000_0000_0000
    return Double(bitPattern: sign == .plus ? payload : payload | 1 << 63)
  default: return Double(sign: sign, exponent: exponent - 25, significand: 1024 + fraction)
  }
}
