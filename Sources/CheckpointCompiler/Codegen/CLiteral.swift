// Elements as C literals, bit for bit.
//
// Numbers that have no fraction and few digits are written in decimal, for whoever reads the
// program; other floating-point numbers in hexadecimal, which C11 and C++17 read without rounding.

/// One element as a C expression of the compute type of its dtype.
///
/// - Parameters:
///   - bytes: The element, little-endian.
///   - dtype: Its dtype.
///   - uses: Receives the support functions that infinities and NaN take.
/// - Returns: An atom.
func cLiteral(_ bytes: [UInt8], _ dtype: DType, uses: inout Set<String>) -> String {
  precondition(bytes.count == dtype.byteCount, "\(bytes.count) bytes for one \(dtype.name)")
  var bits: UInt64 = 0
  for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) }
  switch dtype {
  case .f64: return cLiteral(Double(bitPattern: bits), uses: &uses)
  case .f32: return cLiteral(Float(bitPattern: UInt32(bits)), uses: &uses)
  case .bf16: return cLiteral(Float(bitPattern: UInt32(bits) << 16), uses: &uses)
  case .f16: return cLiteral(Float(double(ofHalf: UInt16(bits))), uses: &uses)
  case .i64:
    let number = Int64(bitPattern: bits)
    if number == .min { return "INT64_MIN" }
    return number < 0 ? "(-INT64_C(\(number.magnitude)))" : "INT64_C(\(number))"
  case .i32:
    let number = Int32(truncatingIfNeeded: bits)
    if number == .min { return "INT32_MIN" }
    return number < 0 ? "(\(number))" : "\(number)"
  case .i16, .i8:
    let number = dtype.wrapped(Int64(bitPattern: bits))
    return number < 0 ? "(\(number))" : "\(number)"
  case .ui64: return "UINT64_C(\(bits))"
  case .ui32: return "\(bits)u"
  case .ui16, .ui8, .i1: return "\(bits)"
  }
}

/// A `float` as a C expression; an atom.
func cLiteral(_ number: Float, uses: inout Set<String>) -> String {
  if !number.isFinite {
    uses.insert("ckc_f32_from_bits")
    return "ckc_f32_from_bits(0x\(hex(UInt64(number.bitPattern)))u)"
  }
  return text(of: Double(number), suffix: "f")
}

/// A `double` as a C expression; an atom.
func cLiteral(_ number: Double, uses: inout Set<String>) -> String {
  if !number.isFinite {
    uses.insert("ckc_f64_from_bits")
    return "ckc_f64_from_bits(UINT64_C(0x\(hex(number.bitPattern))))"
  }
  return text(of: number, suffix: "")
}

private func hex(_ bits: UInt64) -> String { String(bits, radix: 16, uppercase: true) }

/// A finite number, exactly.
private func text(of number: Double, suffix: String) -> String {
  let magnitude = number.magnitude
  var digits: String
  if magnitude < 1_000_000, magnitude == magnitude.rounded(.towardZero) {
    digits = "\(Int(magnitude)).0"
  } else {
    // Normalized by hand where the number is subnormal: 1.fraction times a power of two.
    let fraction = magnitude.significand - 1
    var bits = UInt64(fraction * 0x1p52)
    var digitCount = 13
    while digitCount > 0, bits & 15 == 0 {
      bits >>= 4
      digitCount -= 1
    }
    let text = String(bits, radix: 16)
    let zeros = String(repeating: "0", count: max(digitCount - text.count, 0))
    digits = digitCount == 0 ? "0x1p" : "0x1.\(zeros)\(text)p"
    digits += magnitude.exponent < 0 ? "\(magnitude.exponent)" : "+\(magnitude.exponent)"
  }
  return number.sign == .minus ? "(-\(digits)\(suffix))" : "\(digits)\(suffix)"
}
