// Bytes to words, names, strings and numbers of MLIR text.
//
// Method      No table of tokens: what a run of bytes is depends on where it stands (`4x2xi64` in a
//             type, a blob of megabytes in a string), so the parser asks for what it expects.
// Invariants  The position never goes past the end; every failure carries the place where it was
//             found. Depth of nesting is counted by the parser.
// Cost        O(bytes): no byte is looked at more than a few times.

/// Reads a text piece by piece.
struct MLIRScanner {
  let text: [UInt8]
  let file: Int32
  private(set) var position = 0

  init(text: [UInt8], file: Int32) {
    self.text = text
    self.file = file
  }

  // MARK: Places

  func location(from start: Int, to end: Int? = nil) -> SourceLocation {
    SourceLocation(
      file: file, offset: Int32(start), length: Int32(max(1, (end ?? position) - start)))
  }

  /// An error at the next word.
  mutating func unexpected(_ expected: String) -> Diagnostic {
    skipSpace()
    let start = position
    var end = start
    while end < text.count, end - start < 24, MLIRScanner.isNameByte(text[end]) { end += 1 }
    if end == start, end < text.count {
      end += 1
      while end < text.count, text[end] & 0xC0 == 0x80 { end += 1 }
    }
    let found =
      start == text.count
      ? "the end of the text"
      : text[start] < 32 || text[start] == 127
        ? "byte \(text[start])" : "'\(String(decoding: text[start..<end], as: UTF8.self))'"
    return Diagnostic("expected \(expected), found \(found)", at: location(from: start, to: end))
  }

  mutating func move(to position: Int) { self.position = min(position, text.count) }

  func text(in range: Range<Int>) -> String { String(decoding: text[range], as: UTF8.self) }

  // MARK: Single bytes

  static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "_")
  }

  /// Letters, digits and what else stands in names of values and functions.
  static func isNameByte(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "$")
      || byte == UInt8(ascii: "-")
  }

  /// Skips spaces, line breaks and comments.
  mutating func skipSpace() {
    while position < text.count {
      switch text[position] {
      case 32, 9...13: position += 1
      case UInt8(ascii: "/")
      where position + 1 < text.count && text[position + 1] == UInt8(ascii: "/"):
        skipLine()
      default: return
      }
    }
  }

  /// Goes to the end of the line.
  mutating func skipLine() {
    while position < text.count, text[position] != 10 { position += 1 }
  }

  /// The next byte that is no space; 0 at the end.
  mutating func peek() -> UInt8 {
    skipSpace()
    return position < text.count ? text[position] : 0
  }

  /// The byte at a distance from the position, 0 beyond the end.
  func byte(_ distance: Int = 0) -> UInt8 {
    position + distance < text.count ? text[position + distance] : 0
  }

  var isAtEnd: Bool { position == text.count }

  mutating func accept(_ byte: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: byte), position < text.count else { return false }
    position += 1
    return true
  }

  mutating func expect(_ byte: Unicode.Scalar) throws(Diagnostic) {
    guard accept(byte) else { throw unexpected("'\(byte)'") }
  }

  /// Accepts a mark of several bytes, such as `->`.
  mutating func accept(mark: StaticString) -> Bool {
    skipSpace()
    return mark.withUTF8Buffer { bytes in
      guard position + bytes.count <= text.count else { return false }
      for index in 0..<bytes.count where text[position + index] != bytes[index] { return false }
      position += bytes.count
      return true
    }
  }

  /// Accepts a word that does not go on.
  mutating func accept(word: StaticString) -> Bool {
    let start = position
    guard accept(mark: word) else { return false }
    if position < text.count, MLIRScanner.isLetter(byte()) || MLIRScanner.isDigit(byte()) {
      position = start
      return false
    }
    return true
  }

  // MARK: Words

  /// A word of letters, digits, `_`, `.` and `$`; nil where none stands.
  mutating func word() -> Range<Int>? {
    skipSpace()
    let start = position
    guard MLIRScanner.isLetter(byte()) else { return nil }
    while position < text.count, MLIRScanner.isNameByte(text[position]),
      text[position] != UInt8(ascii: "-")
    {
      position += 1
    }
    return start..<position
  }

  /// What follows `%`, `@`, `#`, `!` or `^`.
  mutating func name(after mark: Unicode.Scalar, _ what: String) throws(Diagnostic) -> String {
    skipSpace()
    let start = position
    guard accept(mark) else { throw unexpected(what) }
    let first = position
    while position < text.count, MLIRScanner.isNameByte(text[position]) {
      // The dash of an arrow is no part of a name.
      if text[position] == UInt8(ascii: "-"), byte(1) == UInt8(ascii: ">") { break }
      position += 1
    }
    guard position > first else {
      position = start
      throw unexpected(what)
    }
    return text(in: first..<position)
  }

  /// The name of a function, with or without quotes.
  mutating func symbol() throws(Diagnostic) -> String {
    if peek() == UInt8(ascii: "@"), byte(1) == UInt8(ascii: "\"") {
      position += 1
      return try string()
    }
    return try name(after: "@", "a name that starts with '@'")
  }

  // MARK: Strings and numbers

  /// The place of a string's content; the position is then behind it.
  mutating func stringPlace() throws(Diagnostic) -> Range<Int> {
    skipSpace()
    let start = position
    guard accept("\"") else { throw unexpected("a string") }
    let first = position
    while position < text.count, text[position] != UInt8(ascii: "\""), text[position] != 10 {
      position += text[position] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard byte() == UInt8(ascii: "\"") else {
      position = min(position, text.count)
      throw Diagnostic(
        "a string ends on the line it starts on", at: location(from: start, to: start + 1))
    }
    position += 1
    return first..<position - 1
  }

  /// A string, escapes decoded.
  mutating func string() throws(Diagnostic) -> String {
    let place = try stringPlace()
    guard text[place].contains(UInt8(ascii: "\\")) else { return text(in: place) }
    var bytes: [UInt8] = []
    var index = place.lowerBound
    while index < place.upperBound {
      let byte = text[index]
      index += 1
      guard byte == UInt8(ascii: "\\"), index < place.upperBound else {
        bytes.append(byte)
        continue
      }
      if index + 1 < place.upperBound, let high = MLIRScanner.hexDigit(text[index]),
        let low = MLIRScanner.hexDigit(text[index + 1])
      {
        bytes.append(high << 4 | low)
        index += 2
        continue
      }
      switch text[index] {
      case UInt8(ascii: "n"): bytes.append(10)
      case UInt8(ascii: "t"): bytes.append(9)
      default: bytes.append(text[index])
      }
      index += 1
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// Digits without a sign; nil where none stand or they are too many.
  mutating func digits() -> Int? {
    let start = position
    var value = 0
    while MLIRScanner.isDigit(byte()) {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(Int(byte() - UInt8(ascii: "0")))
      guard !overflow, !carry else {
        position = start
        return nil
      }
      value = sum
      position += 1
    }
    return position > start ? value : nil
  }

  /// A whole number without a sign.
  mutating func count(_ what: String) throws(Diagnostic) -> Int {
    skipSpace()
    guard let value = digits() else { throw unexpected(what) }
    return value
  }

  /// An integer or a number with a point or exponent; hexadecimal integers are bits.
  mutating func number() throws(Diagnostic) -> MLIRAttribute {
    skipSpace()
    let start = position
    if byte() == UInt8(ascii: "-") { position += 1 }
    let first = position
    if byte() == UInt8(ascii: "0"), byte(1) == UInt8(ascii: "x"),
      MLIRScanner.hexDigit(byte(2)) != nil
    {
      position += 2
      while MLIRScanner.hexDigit(byte()) != nil { position += 1 }
      guard let bits = UInt64(text(in: first + 2..<position), radix: 16) else {
        throw Diagnostic("a number of more than 64 bits", at: location(from: start))
      }
      return .int(Int(bitPattern: UInt(bits)))
    }
    while MLIRScanner.isDigit(byte()) { position += 1 }
    guard position > first else {
      position = start
      throw unexpected("a number")
    }
    var isFloat = false
    if byte() == UInt8(ascii: ".") {
      isFloat = true
      position += 1
      while MLIRScanner.isDigit(byte()) { position += 1 }
    }
    if byte() | 0x20 == UInt8(ascii: "e") {
      let ahead = byte(1) == UInt8(ascii: "+") || byte(1) == UInt8(ascii: "-") ? 2 : 1
      if MLIRScanner.isDigit(byte(ahead)) {
        isFloat = true
        position += ahead
        while MLIRScanner.isDigit(byte()) { position += 1 }
      }
    }
    let spelled = text(in: start..<position)
    if !isFloat {
      if let value = Int(spelled) { return .int(value) }
      if let value = UInt64(spelled) { return .int(Int(bitPattern: UInt(value))) }
      throw Diagnostic("an integer of more than 64 bits", at: location(from: start))
    }
    return .float(Double(spelled) ?? .nan)
  }

  // MARK: Skipping

  /// The place of what stands between brackets, which may nest; the position was behind the opening
  /// one at `opening` and comes behind the closing one, which stands on the same line if `isLine`.
  mutating func skipBalanced(
    from opening: Int, isLine: Bool = false
  ) throws(Diagnostic) -> Range<Int> {
    let start = position
    var closings = [MLIRScanner.closing(of: text[opening])]
    scan: while position < text.count {
      let byte = text[position]
      switch byte {
      case UInt8(ascii: "<"), UInt8(ascii: "["), UInt8(ascii: "("), UInt8(ascii: "{"):
        closings.append(MLIRScanner.closing(of: byte))
      case UInt8(ascii: "-") where self.byte(1) == UInt8(ascii: ">"): position += 1
      case UInt8(ascii: ">"), UInt8(ascii: "]"), UInt8(ascii: ")"), UInt8(ascii: "}"):
        guard closings.removeLast() == byte else { break scan }
        if closings.isEmpty {
          position += 1
          return start..<position - 1
        }
      case UInt8(ascii: "\""):
        _ = try stringPlace()
        continue
      case 10 where isLine: break scan
      default: break
      }
      position += 1
    }
    position = start
    throw Diagnostic("this bracket is not closed", at: location(from: opening, to: opening + 1))
  }

  private static func closing(of bracket: UInt8) -> UInt8 {
    switch bracket {
    case UInt8(ascii: "<"): UInt8(ascii: ">")
    case UInt8(ascii: "["): UInt8(ascii: "]")
    case UInt8(ascii: "("): UInt8(ascii: ")")
    default: UInt8(ascii: "}")
    }
  }
}
