// Reads JSON in one pass over its bytes, telling where it stops being what was expected.
//
// Method      Pull parsing: the caller asks for the object, array or scalar it expects; nothing is
//             built but what it keeps. Values that nobody asked for are skipped without recursion.
// Why         `JSONParser` builds a value of all that a text holds, and errors are found in it when it is
//             there. A planning problem of 100,000 nodes is read at once into its own tables, and an
//             error names what was expected in its place. Strings and numbers are read alike.
// Cost        O(bytes); 100,000 nodes take a fraction of a second.
// Source      RFC 8259.

/// A reader of one JSON text.
struct JSONScanner {
  private let bytes: [UInt8]
  private let file: Int32
  private(set) var position = 0

  /// A reader at the start of `bytes`, naming `file` of a source map in diagnostics.
  init(_ bytes: [UInt8], file: Int32) {
    self.bytes = bytes
    self.file = file
  }

  /// A diagnostic that points at `offset`, or at the current position.
  func failure(_ message: String, at offset: Int? = nil) -> Diagnostic {
    Diagnostic(message, at: location(offset ?? position))
  }

  /// The place of a byte offset.
  func location(_ offset: Int) -> SourceLocation {
    SourceLocation(file: file, offset: Int32(clamping: offset))
  }

  /// The next byte that is not white space, without consuming it; 0 at the end.
  mutating func peek() -> UInt8 {
    while position < bytes.count {
      let byte = bytes[position]
      if byte != 32 && byte != 10 && byte != 13 && byte != 9 { return byte }
      position += 1
    }
    return 0
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(
    _ character: Unicode.Scalar, _ what: String
  ) throws(Diagnostic) {
    if !accept(character) { throw failure("expected \(what)") }
  }

  /// Reads an object, handing each key to `member`, which must consume the value.
  ///
  /// - Throws: An error where a key is given twice, or what `member` throws.
  mutating func object(
    _ member: (inout JSONScanner, String) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try expect("{", "an object")
    if accept("}") { return }
    var keys = Keys()
    repeat {
      _ = peek()
      let start = position
      let key = try string()
      guard keys.insert(key) else { throw failure("the key '\(key)' is given twice", at: start) }
      try expect(":", "':' after a key")
      try member(&self, key)
    } while accept(",")
    try expect("}", "',' or '}'")
  }

  /// The keys of an object. A few are compared one by one: hashing them would take longer than reading
  /// a node.
  private struct Keys {
    private var few: [String] = []
    private var many: Set<String> = []

    init() { few.reserveCapacity(8) }

    /// Whether a key is new.
    mutating func insert(_ key: String) -> Bool {
      if few.contains(key) { return false }
      guard few.count == 16 else {
        few.append(key)
        return true
      }
      return many.insert(key).inserted
    }
  }

  /// Reads an array, calling `element` at each element, which must consume it.
  mutating func array(
    _ element: (inout JSONScanner) throws(Diagnostic) -> Void
  ) throws(Diagnostic) {
    try expect("[", "an array")
    if accept("]") { return }
    repeat { try element(&self) } while accept(",")
    try expect("]", "',' or ']'")
  }

  /// Reads a string with its escapes.
  mutating func string() throws(Diagnostic) -> String {
    guard peek() == UInt8(ascii: "\"") else { throw failure("expected a string") }
    do {
      return try jsonString(bytes, from: &position)
    } catch {
      switch error {
      case .notClosed: throw failure("a string does not end", at: bytes.count)
      case .notUTF8(let start): throw failure("a string is not UTF-8", at: start)
      case .controlCharacter(let place):
        throw failure("a string holds a control character", at: place)
      case .unknownEscape(let start): throw failure("not an escape", at: start)
      case .notHexadecimal(let escape, _) where !escape.isSecond:
        throw failure("not a \\u escape", at: escape.start)
      case .notHexadecimal(let escape, _):
        throw failure("a surrogate without its second half", at: escape.start)
      case .halfPair(let start):
        throw failure("a surrogate without its second half", at: start)
      }
    }
  }

  private mutating func numberText(
    _ what: String = "a number"
  ) throws(Diagnostic) -> (text: Substring, start: Int) {
    let byte = peek()
    guard byte >= 48 && byte <= 57 || byte == UInt8(ascii: "-") else {
      throw failure("expected \(what)")
    }
    let start = position
    let number = JSONNumberSyntax(bytes, from: start)
    if let problem = number.problem { throw failure(problem, at: number.end) }
    position = number.end
    return (Substring(decoding: bytes[start..<position], as: UTF8.self), start)
  }

  /// Reads a number.
  mutating func number() throws(Diagnostic) -> Double {
    let (text, start) = try numberText()
    guard let value = Double(text), value.isFinite else {
      throw failure("'\(text)' is not a number", at: start)
    }
    return value
  }

  /// Reads a number that is a whole 64-bit number.
  mutating func integer() throws(Diagnostic) -> Int {
    let (text, start) = try numberText()
    if let value = Int(text) { return value }
    guard let value = Double(text), let whole = Int(exactly: value) else {
      throw failure("'\(text)' is not a whole number", at: start)
    }
    return whole
  }

  private mutating func acceptWord(_ word: StaticString) -> Bool {
    _ = peek()
    let count = word.utf8CodeUnitCount
    guard position + count <= bytes.count else { return false }
    for offset in 0..<count where bytes[position + offset] != word.utf8Start[offset] {
      return false
    }
    position += count
    return true
  }

  /// Reads `true` or `false`.
  mutating func boolean() throws(Diagnostic) -> Bool {
    if acceptWord("true") { return true }
    if acceptWord("false") { return false }
    throw failure("expected true or false")
  }

  /// Consumes a `null`, if one is next.
  mutating func acceptNull() -> Bool { acceptWord("null") }

  /// Consumes any value. Nesting needs no stack frames.
  mutating func skipValue() throws(Diagnostic) {
    // What closes the objects and arrays that are open.
    var closings: [Unicode.Scalar] = []
    func key(_ scanner: inout JSONScanner) throws(Diagnostic) {
      _ = try scanner.string()
      try scanner.expect(":", "':' after a key")
    }
    repeat {
      if accept("{") {
        if !accept("}") {
          closings.append("}")
          try key(&self)
          continue
        }
      } else if accept("[") {
        if !accept("]") {
          closings.append("]")
          continue
        }
      } else {
        try skipScalar()
      }
      while let closing = closings.last, !accept(",") {
        try expect(closing, "',' or '\(closing)'")
        closings.removeLast()
      }
      if closings.last == "}" { try key(&self) }
    } while !closings.isEmpty
  }

  private mutating func skipScalar() throws(Diagnostic) {
    switch peek() {
    case UInt8(ascii: "\""): _ = try string()
    case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try boolean()
    case UInt8(ascii: "n"):
      if !acceptNull() { throw failure("expected a value") }
    default: _ = try numberText("a value")
    }
  }

  /// Fails unless only white space is left.
  mutating func end() throws(Diagnostic) {
    if peek() != 0 || position < bytes.count { throw failure("text after the end of the value") }
  }
}
