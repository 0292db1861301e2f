// Bytes to tokens.
//
// A token is a kind and a byte range; its text is cut out only where it is needed. Comments run from
// `//` to the end of the line. The grammar is in docs/ir.md.

/// One token.
struct Token: Sendable {
  enum Kind: UInt8, Sendable {
    case identifier, value, symbol, integer, float, string
    case leftParen, rightParen, leftBrace, rightBrace, leftBracket, rightBracket, less, greater
    case comma, colon, semicolon, equal, arrow, ellipsis, plus, minus, star, slash
    case end
  }

  var kind: Kind
  var start: Int32
  var end: Int32
  /// Whether it is the first token of its line: where a parser picks up after an error.
  var startsLine: Bool
}

/// Splits a text into tokens.
struct Lexer {
  private let text: [UInt8]
  private let file: Int32
  private var position = 0
  private var startsLine = true
  private(set) var tokens: [Token] = []
  private(set) var diagnostics: [Diagnostic] = []

  /// Tokenizes a file of a source map. O(bytes).
  init(file: Int32, text: [UInt8]) {
    self.text = text
    self.file = file
    tokens.reserveCapacity(text.count / 3)
    run()
  }

  private mutating func run() {
    // The marker that some editors put before UTF-8 means nothing.
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    while position < text.count {
      let byte = text[position]
      switch byte {
      case UInt8(ascii: "\n"):
        startsLine = true
        position += 1
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): position += 1
      case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "/"):
        while position < text.count, text[position] != UInt8(ascii: "\n") { position += 1 }
      case UInt8(ascii: "%"): name(.value, "a value is named by letters, digits, '_' and '.'")
      case UInt8(ascii: "@"): name(.symbol, "a function is named by letters, digits, '_' and '.'")
      case UInt8(ascii: "\""): string()
      case UInt8(ascii: "0")...UInt8(ascii: "9"): number()
      case UInt8(ascii: "-") where peek(1) == UInt8(ascii: ">"): add(.arrow, 2)
      case UInt8(ascii: ".") where peek(1) == byte && peek(2) == byte: add(.ellipsis, 3)
      default:
        if Lexer.isLetter(byte) {
          let start = position
          while position < text.count, Lexer.isNameByte(text[position]) {
            if text[position] == UInt8(ascii: "."), peek(1) == UInt8(ascii: ".") { break }
            position += 1
          }
          add(.identifier, from: start)
        } else if let kind = Lexer.punctuation(byte) {
          add(kind, 1)
        } else {
          unexpected(byte)
        }
      }
      if diagnostics.count >= 20 { break }
    }
    add(.end, 0)
  }

  private func peek(_ distance: Int) -> UInt8? {
    position + distance < text.count ? text[position + distance] : nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
      || byte == UInt8(ascii: "_")
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
  }

  static func isNameByte(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: ".")
  }

  private static func punctuation(_ byte: UInt8) -> Token.Kind? {
    switch byte {
    case UInt8(ascii: "("): .leftParen
    case UInt8(ascii: ")"): .rightParen
    case UInt8(ascii: "{"): .leftBrace
    case UInt8(ascii: "}"): .rightBrace
    case UInt8(ascii: "["): .leftBracket
    case UInt8(ascii: "]"): .rightBracket
    case UInt8(ascii: "<"): .less
    case UInt8(ascii: ">"): .greater
    case UInt8(ascii: ","): .comma
    case UInt8(ascii: ":"): .colon
    case UInt8(ascii: ";"): .semicolon
    case UInt8(ascii: "="): .equal
    case UInt8(ascii: "+"): .plus
    case UInt8(ascii: "-"): .minus
    case UInt8(ascii: "*"): .star
    case UInt8(ascii: "/"): .slash
    default: nil
    }
  }

  private mutating func add(_ kind: Token.Kind, _ length: Int) {
    let start = position
    position += length
    add(kind, from: start)
  }

  private mutating func add(_ kind: Token.Kind, from start: Int) {
    tokens.append(
      Token(kind: kind, start: Int32(start), end: Int32(position), startsLine: startsLine))
    startsLine = false
  }

  private mutating func report(_ message: String, from start: Int) {
    diagnostics.append(
      Diagnostic(
        message,
        at: SourceLocation(
          file: file, offset: Int32(start), length: Int32(max(1, position - start)))))
  }

  private mutating func name(_ kind: Token.Kind, _ rule: String) {
    let start = position
    position += 1
    while position < text.count, Lexer.isNameByte(text[position]) { position += 1 }
    if position - start == 1 { report(rule, from: start) }
    add(kind, from: start)
  }

  private mutating func string() {
    let start = position
    position += 1
    while position < text.count, text[position] != UInt8(ascii: "\""),
      text[position] != UInt8(ascii: "\n")
    {
      position += 1
    }
    if peek(0) == UInt8(ascii: "\"") {
      position += 1
    } else {
      report("a string ends on the line it starts on", from: start)
    }
    add(.string, from: start)
  }

  private mutating func number() {
    let start = position
    var isFloat = false
    while let byte = peek(0), Lexer.isDigit(byte) { position += 1 }
    if peek(0) == UInt8(ascii: "."), peek(1) != UInt8(ascii: ".") {
      isFloat = true
      position += 1
      while let byte = peek(0), Lexer.isDigit(byte) { position += 1 }
    }
    if let byte = peek(0), byte | 0x20 == UInt8(ascii: "e") {
      var ahead = 1
      if peek(1) == UInt8(ascii: "+") || peek(1) == UInt8(ascii: "-") { ahead = 2 }
      if let digit = peek(ahead), Lexer.isDigit(digit) {
        isFloat = true
        position += ahead
        while let byte = peek(0), Lexer.isDigit(byte) { position += 1 }
      }
    }
    add(isFloat ? .float : .integer, from: start)
  }

  private mutating func unexpected(_ byte: UInt8) {
    let start = position
    position += 1
    while position < text.count, text[position] & 0xC0 == 0x80 { position += 1 }
    let isText = byte >= 32 && byte != 127
    let character =
      isText
      ? "'\(String(decoding: text[start..<position], as: UTF8.self))'"
      : "byte \(byte); is this a text file?"
    report("unexpected \(isText ? "character " : "")\(character)", from: start)
  }
}
