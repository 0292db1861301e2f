// The forms of strings and numbers in JSON, for those who read it.

/// What is wrong in a string; offsets count bytes of the text.
enum JSONStringProblem: Error {
  /// The text ends in the string, or in the escape, that starts there.
  case notClosed(start: Int)
  /// The string that starts there is not UTF-8.
  case notUTF8(start: Int)
  /// There is a byte below 32.
  case controlCharacter(at: Int)
  /// The escape that starts there is none of JSON.
  case unknownEscape(start: Int)
  /// The escape wants four hexadecimal digits, and at an offset there is something else.
  case notHexadecimal(UnicodeEscape, at: Int)
  /// The escape that starts there is one half of a surrogate pair, without the other.
  case halfPair(start: Int)

  /// An escape of a code point.
  struct UnicodeEscape {
    /// Where the escape starts, or the first one of a pair.
    var start: Int
    /// Where its digits stand; fewer than four where the text ends.
    var digits: Range<Int>
    /// Whether it is the second of a pair.
    var isSecond: Bool
  }
}

/// Reads the string whose opening quote is at `offset`, and goes on behind it.
///
/// - Returns: The string with its escapes resolved.
/// - Throws: What is wrong in it; the offset is then of no use.
func jsonString(
  _ bytes: [UInt8], from offset: inout Int
) throws(JSONStringProblem) -> String {
  let start = offset
  offset += 1
  // Most strings have no escapes, and are a range of the text.
  while offset < bytes.count, bytes[offset] >= 32, bytes[offset] != UInt8(ascii: "\\") {
    if bytes[offset] == UInt8(ascii: "\"") {
      let range = start + 1..<offset
      offset += 1
      guard let text = String(validating: bytes[range], as: UTF8.self) else {
        throw .notUTF8(start: start)
      }
      return text
    }
    offset += 1
  }
  var text = Array(bytes[start + 1..<offset])
  while offset < bytes.count {
    let byte = bytes[offset]
    switch byte {
    case UInt8(ascii: "\""):
      offset += 1
      guard let string = String(validating: text, as: UTF8.self) else {
        throw .notUTF8(start: start)
      }
      return string
    case UInt8(ascii: "\\"): try appendEscape(of: bytes, from: &offset, to: &text)
    case 0..<32: throw .controlCharacter(at: offset)
    default:
      text.append(byte)
      offset += 1
    }
  }
  throw .notClosed(start: start)
}

private func appendEscape(
  of bytes: [UInt8], from offset: inout Int, to text: inout [UInt8]
) throws(JSONStringProblem) {
  let start = offset
  guard start + 1 < bytes.count else { throw .notClosed(start: start) }
  let kind = bytes[start + 1]
  offset += 2
  switch kind {
  case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
  case UInt8(ascii: "b"): text.append(8)
  case UInt8(ascii: "f"): text.append(12)
  case UInt8(ascii: "n"): text.append(10)
  case UInt8(ascii: "r"): text.append(13)
  case UInt8(ascii: "t"): text.append(9)
  case UInt8(ascii: "u"):
    var code = try codeUnit(bytes, from: &offset, of: start, isSecond: false)
    if (0xD800..<0xDC00).contains(code), offset + 1 < bytes.count,
      bytes[offset] == UInt8(ascii: "\\"), bytes[offset + 1] == UInt8(ascii: "u")
    {
      offset += 2
      let low = try codeUnit(bytes, from: &offset, of: start, isSecond: true)
      guard (0xDC00..<0xE000).contains(low) else { throw .halfPair(start: start) }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = UnicodeScalar(code) else { throw .halfPair(start: start) }
    text.append(contentsOf: String(scalar).utf8)
  default: throw .unknownEscape(start: start)
  }
}

/// The four digits at `offset`, which an escape that starts at `start` wants.
private func codeUnit(
  _ bytes: [UInt8], from offset: inout Int, of start: Int, isSecond: Bool
) throws(JSONStringProblem) -> UInt32 {
  let digits = offset..<min(offset + 4, bytes.count)
  let escape = JSONStringProblem.UnicodeEscape(start: start, digits: digits, isSecond: isSecond)
  guard digits.count == 4 else { throw .notHexadecimal(escape, at: bytes.count) }
  var code: UInt32 = 0
  for place in digits {
    guard let digit = Character(UnicodeScalar(bytes[place])).hexDigitValue else {
      throw .notHexadecimal(escape, at: place)
    }
    code = code << 4 | UInt32(digit)
  }
  offset += 4
  return code
}

/// The form of a number: a minus sign perhaps, an integer without leading zeros, perhaps a fraction
/// and an exponent.
struct JSONNumberSyntax {
  /// Where the number ends, or what is no part of it stands.
  private(set) var end: Int
  /// Whether it has neither fraction nor exponent.
  private(set) var isInteger = true
  /// What is wrong there; nil in a number.
  private(set) var problem: String?

  /// The number that starts at an offset.
  init(_ bytes: [UInt8], from start: Int) {
    end = start
    func byte(_ offset: Int) -> UInt8 { offset < bytes.count ? bytes[offset] : 0 }
    func isDigit(_ offset: Int) -> Bool {
      byte(offset) >= UInt8(ascii: "0") && byte(offset) <= UInt8(ascii: "9")
    }
    if byte(end) == UInt8(ascii: "-") { end += 1 }
    guard isDigit(end) else {
      problem = "expected a digit in a JSON number"
      return
    }
    let isZero = byte(end) == UInt8(ascii: "0")
    end += 1
    if isZero, isDigit(end) {
      problem = "a JSON number does not start with 0"
      return
    }
    while isDigit(end) { end += 1 }
    if byte(end) == UInt8(ascii: ".") {
      isInteger = false
      end += 1
      guard isDigit(end) else {
        problem = "expected a digit after '.' in a JSON number"
        return
      }
      while isDigit(end) { end += 1 }
    }
    if byte(end) | 32 == UInt8(ascii: "e") {
      isInteger = false
      end += 1
      if byte(end) == UInt8(ascii: "+") || byte(end) == UInt8(ascii: "-") { end += 1 }
      guard isDigit(end) else {
        problem = "expected a digit in a JSON number's exponent"
        return
      }
      while isDigit(end) { end += 1 }
    }
  }
}
