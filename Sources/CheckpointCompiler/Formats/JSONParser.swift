// JSON text to a value.
//
// Method      Recursive descent over UTF-8 bytes, nesting bounded by `maximumDepth`.
// Invariants  A key given twice is an error; integers that fit stay integers; numbers that overflow a
//             double are errors.
// Cost        O(bytes), plus O(members) hashing per object.

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
    do {
      return try jsonString(bytes, from: &offset)
    } catch {
      switch error {
      case .notClosed(let start): throw self.error("JSON string is not closed", at: start)
      case .notUTF8(let start): throw self.error("JSON string is not UTF-8", at: start)
      case .controlCharacter(let place):
        throw self.error("JSON string holds a control character", at: place)
      case .unknownEscape(let start):
        throw self.error("unknown escape in a JSON string", at: start)
      case .notHexadecimal(let escape, _) where escape.digits.count < 4:
        throw self.error("JSON string is not closed", at: escape.digits.lowerBound)
      case .notHexadecimal(_, let place):
        throw self.error("expected four hexadecimal digits after \\u in a JSON string", at: place)
      case .halfPair(let start):
        throw self.error("JSON string holds half a surrogate pair", at: start)
      }
    }
  }
}
