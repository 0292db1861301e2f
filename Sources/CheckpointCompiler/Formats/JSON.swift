// JSON values with the order of their keys kept, a strict parser and a deterministic writer.
//
// Problem     Safetensors headers, cost files, planning problems and `--json` output are JSON. Which
//             byte breaks which rule must be told; the same value must print as the same bytes.
// Method      Recursive descent over UTF-8 bytes, nesting bounded by `maximumDepth`.
// Invariants  Objects keep the order of their members; a key given twice is an error; integers that
//             fit stay integers; numbers that overflow a double are errors.
// Cost        O(bytes), plus O(members) hashing per object.
// Source      RFC 8259.

/// One member of a JSON object.
package struct JSONMember: Sendable, Equatable {
  /// The name.
  package var key: String
  /// The value.
  package var value: JSONValue

  /// A member.
  package init(_ key: String, _ value: JSONValue) {
    self.key = key
    self.value = value
  }
}

/// A JSON value; objects keep the order of their members.
package enum JSONValue: Sendable, Equatable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number written without fraction and exponent that fits 64 bits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// A string.
  case string(String)
  /// An array.
  case array([JSONValue])
  /// An object.
  case object([JSONMember])

  /// How deep arrays and objects may nest.
  package static let maximumDepth = 200
}

extension JSONValue {
  /// The value of `key` in an object; nil where it is absent or this is no object. O(members).
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
  /// The elements of an array.
  package var arrayValue: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }
  /// The members of an object.
  package var objectValue: [JSONMember]? {
    if case .object(let members) = self { members } else { nil }
  }
  /// The text of a string.
  package var stringValue: String? { if case .string(let text) = self { text } else { nil } }
  /// An integer, also when it was written as `3.0` or `3e2`.
  package var intValue: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  /// Any number.
  package var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  /// What kind of value it is, for messages.
  package var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { JSONMember($0.0, $0.1) })
  }
}

// MARK: Writing

extension JSONValue {
  /// The value as compact text, members in their order, no spaces.
  package var compactText: String {
    var out = ""
    write(into: &out)
    return out
  }

  /// The value as indented text that ends in a line break; arrays of scalars stay on one line.
  package var prettyText: String {
    var out = ""
    writePretty(into: &out, indent: 0)
    out += "\n"
    return out
  }

  private func write(into out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .integer(let value): out += String(value)
    // JSON has no infinities; a value that is not known is null.
    case .number(let value): out += value.isFinite ? String(value) : "null"
    case .string(let text): JSONValue.quote(text, into: &out)
    case .array(let elements):
      out += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { out += "," }
        element.write(into: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { out += "," }
        JSONValue.quote(member.key, into: &out)
        out += ":"
        member.value.write(into: &out)
      }
      out += "}"
    }
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private func writePretty(into out: inout String, indent: Int) {
    let inner = String(repeating: "  ", count: indent + 1)
    let outer = String(repeating: "  ", count: indent)
    switch self {
    case .array(let elements) where !elements.isEmpty && !elements.allSatisfy(\.isScalar):
      out += "[\n"
      for (index, element) in elements.enumerated() {
        out += inner
        // Rows of scalars, such as a schedule's steps, read best one per line.
        if let row = element.arrayValue, row.allSatisfy(\.isScalar) {
          element.write(into: &out)
        } else {
          element.writePretty(into: &out, indent: indent + 1)
        }
        out += index + 1 < elements.count ? ",\n" : "\n"
      }
      out += outer + "]"
    case .object(let members) where !members.isEmpty:
      out += "{\n"
      for (index, member) in members.enumerated() {
        out += inner
        JSONValue.quote(member.key, into: &out)
        out += ": "
        member.value.writePretty(into: &out, indent: indent + 1)
        out += index + 1 < members.count ? ",\n" : "\n"
      }
      out += outer + "}"
    default: write(into: &out)
    }
  }

  private static func quote(_ text: String, into out: inout String) {
    let digits = Array("0123456789abcdef")
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        out += "\\u00"
        out.append(digits[Int(scalar.value >> 4)])
        out.append(digits[Int(scalar.value & 15)])
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}

// MARK: Reading

extension JSONValue {
  /// Reads one value that fills `bytes`.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8 text.
  ///   - file: The text's index in the caller's `SourceMap`, for the location of an error.
  /// - Returns: The value.
  /// - Throws: A located error that names the rule.
  package static func parse(_ bytes: [UInt8], file: Int32 = -1) throws(Diagnostic) -> JSONValue {
    var parser = JSONParser(bytes: bytes, file: file)
    // Editors on some systems put a byte order mark in front.
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { parser.offset = 3 }
    let value = try parser.parseValue(depth: 0)
    parser.skipSpace()
    guard parser.offset == bytes.count else {
      throw parser.error("text follows the JSON value")
    }
    return value
  }
}

private struct JSONParser {
  let bytes: [UInt8]
  let file: Int32
  var offset = 0

  init(bytes: [UInt8], file: Int32) {
    self.bytes = bytes
    self.file = file
  }

  func error(_ message: String, at position: Int? = nil) -> Diagnostic {
    let place = Int32(clamping: min(position ?? offset, bytes.count))
    return Diagnostic(message, at: SourceLocation(file: file, offset: place))
  }

  var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  mutating func skipSpace() {
    while let byte = peek, byte == 32 || byte == 9 || byte == 10 || byte == 13 { offset += 1 }
  }

  mutating func parseValue(depth: Int) throws(Diagnostic) -> JSONValue {
    guard depth <= JSONValue.maximumDepth else {
      throw error("JSON nests deeper than \(JSONValue.maximumDepth) levels")
    }
    skipSpace()
    guard let byte = peek else { throw error("JSON ends where a value is expected") }
    switch byte {
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
    case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
    default: throw error("expected a JSON value, found \(describe(byte))")
    }
  }

  func describe(_ byte: UInt8) -> String {
    byte > 32 && byte < 127
      ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(String(byte, radix: 16))"
  }

  mutating func parseWord(_ word: String, _ value: JSONValue) throws(Diagnostic) -> JSONValue {
    guard bytes[offset...].starts(with: word.utf8) else {
      throw error("expected '\(word)' in JSON")
    }
    offset += word.utf8.count
    return value
  }

  mutating func parseArray(depth: Int) throws(Diagnostic) -> JSONValue {
    offset += 1
    var elements: [JSONValue] = []
    skipSpace()
    if peek == UInt8(ascii: "]") {
      offset += 1
      return .array([])
    }
    while true {
      elements.append(try parseValue(depth: depth + 1))
      skipSpace()
      switch peek {
      case UInt8(ascii: ","): offset += 1
      case UInt8(ascii: "]"):
        offset += 1
        return .array(elements)
      case nil: throw error("JSON ends inside an array")
      default: throw error("expected ',' or ']' in a JSON array")
      }
    }
  }

  mutating func parseObject(depth: Int) throws(Diagnostic) -> JSONValue {
    offset += 1
    var members: [JSONMember] = []
    var keys: Set<String> = []
    skipSpace()
    if peek == UInt8(ascii: "}") {
      offset += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else {
        throw error(peek == nil ? "JSON ends inside an object" : "expected a JSON object key")
      }
      let start = offset
      let key = try parseString()
      guard keys.insert(key).inserted else {
        throw error("JSON object has the key \"\(key)\" twice", at: start)
      }
      skipSpace()
      guard peek == UInt8(ascii: ":") else { throw error("expected ':' after a JSON object key") }
      offset += 1
      members.append(JSONMember(key, try parseValue(depth: depth + 1)))
      skipSpace()
      switch peek {
      case UInt8(ascii: ","): offset += 1
      case UInt8(ascii: "}"):
        offset += 1
        return .object(members)
      case nil: throw error("JSON ends inside an object")
      default: throw error("expected ',' or '}' in a JSON object")
      }
    }
  }

  mutating func parseNumber() throws(Diagnostic) -> JSONValue {
    let start = offset
    let number = JSONNumberSyntax(bytes, from: start)
    offset = number.end
    if let problem = number.problem { throw error(problem) }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if number.isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw error("JSON number \(text) is out of range", at: start)
    }
    return .number(value)
  }

  mutating func parseString() throws(Diagnostic) -> String {
    let start = offset
    offset += 1
    var text: [UInt8] = []
    while true {
      guard let byte = peek else { throw error("JSON string is not closed", at: start) }
      switch byte {
      case UInt8(ascii: "\""):
        offset += 1
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("JSON string is not UTF-8", at: start)
        }
        return string
      case UInt8(ascii: "\\"): try parseEscape(into: &text)
      case 0..<32: throw error("JSON string holds a control character")
      default:
        text.append(byte)
        offset += 1
      }
    }
  }

  mutating func parseEscape(into text: inout [UInt8]) throws(Diagnostic) {
    let start = offset
    offset += 1
    guard let byte = peek else { throw error("JSON string is not closed", at: start) }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "u"):
      var code = try parseHex()
      if (0xD800..<0xDC00).contains(code) {
        guard offset + 1 < bytes.count, bytes[offset] == UInt8(ascii: "\\"),
          bytes[offset + 1] == UInt8(ascii: "u")
        else { throw error("JSON string holds half a surrogate pair", at: start) }
        offset += 2
        let low = try parseHex()
        guard (0xDC00..<0xE000).contains(low) else {
          throw error("JSON string holds half a surrogate pair", at: start)
        }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = UnicodeScalar(code) else {
        throw error("JSON string holds half a surrogate pair", at: start)
      }
      text.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw error("unknown escape in a JSON string", at: start)
    }
  }

  mutating func parseHex() throws(Diagnostic) -> UInt32 {
    guard offset + 4 <= bytes.count else { throw error("JSON string is not closed") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(UnicodeScalar(bytes[offset])).hexDigitValue else {
        throw error("expected four hexadecimal digits after \\u in a JSON string")
      }
      code = code << 4 | UInt32(digit)
      offset += 1
    }
    return code
  }
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
