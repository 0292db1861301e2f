// Schedules of contractions, read from text.
//
// Format      A line for each rule: ROWS x COLUMNS x DEPTH [x GROUPS] DTYPE [* DTYPE]: KEY = VALUE, …
//             `//` starts a comment. A second dtype is named where the factors differ.
// Cost        O(bytes).

extension ScheduleRules {
  /// Reads rules.
  ///
  /// - Parameters:
  ///   - text: The UTF-8 text.
  ///   - file: The text's index in the source map that will render diagnostics.
  /// - Throws: What is not as the format has it, all of it.
  public init(text: [UInt8], file: Int32 = -1) throws(DiagnosticList) {
    self.init()
    var errors: [Diagnostic] = []
    var start = 0
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      var reader = ScheduleLine(line, from: start, file: file)
      start += line.count + 1
      do throws(Diagnostic) {
        guard let (size, rule) = try reader.rule() else { continue }
        if let first = rules[size] {
          throw Diagnostic(
            "there is a rule for \(size) already", at: rule.location,
            notes: [.note("it is this one", at: first.location)])
        }
        rules[size] = rule
      } catch {
        errors.append(error)
      }
    }
    if !errors.isEmpty { throw DiagnosticList(errors) }
  }
}

/// Reads one line.
private struct ScheduleLine {
  private let bytes: [UInt8]
  private let start: Int
  private let file: Int32
  private var position = 0

  init(_ bytes: ArraySlice<UInt8>, from start: Int, file: Int32) {
    let code = Array(bytes)
    let comment = code.indices.first {
      code[$0] == UInt8(ascii: "/") && $0 + 1 < code.count && code[$0 + 1] == UInt8(ascii: "/")
    }
    self.bytes = comment.map { Array(code[..<$0]) } ?? code
    self.start = start
    self.file = file
  }

  /// The rule of the line; nil where it has none.
  mutating func rule() throws(Diagnostic) -> (ContractionSize, ScheduleRule)? {
    guard let first = next() else { return nil }
    var extents = [try number(first)]
    var word = try expectedNext("'x'")
    while word.text == "x", extents.count < 4 {
      extents.append(try number(try expectedNext("a number")))
      word = try expectedNext(extents.count < 3 ? "'x'" : "a dtype")
    }
    guard extents.count >= 3 else {
      throw error("ROWS x COLUMNS x DEPTH is expected", word)
    }
    let firstDType = try dtype(word)
    var secondDType = firstDType
    word = try expectedNext("':'")
    if word.text == "*" {
      secondDType = try dtype(try expectedNext("a dtype"))
      word = try expectedNext("':'")
    }
    guard word.text == ":" else { throw error("':' is expected", word) }
    let size = ContractionSize(
      rows: extents[0], columns: extents[1], depth: extents[2],
      groups: extents.count > 3 ? extents[3] : 1, first: firstDType, second: secondDType)
    var rule = ScheduleRule()
    rule.location = first.location
    repeat {
      try readValue(into: &rule)
      guard let comma = next() else { break }
      guard comma.text == "," else { throw error("',' is expected", comma) }
    } while true
    return (size, rule)
  }

  private mutating func readValue(into rule: inout ScheduleRule) throws(Diagnostic) {
    typealias Key = ScheduleRule.Key
    let word = try expectedNext("a key")
    guard let key = Key(rawValue: word.text) else {
      let names = Key.allCases.map(\.rawValue)
      throw error("it is one of \(names.joined(separator: ", "))", word, names)
    }
    guard rule.locations[key] == nil else { throw error("it is said twice", word) }
    let equals = try expectedNext("'='")
    guard equals.text == "=" else { throw error("'=' is expected", equals) }
    let value = try expectedNext("a value")
    rule.locations[key] = value.location
    switch key {
    case .form: rule.form = try choice(value)
    case .shared: rule.shared = try choice(value)
    case .slices: rule.slices = try number(value)
    case .depth: rule.depth = try number(value)
    case .rows: rule.rows = try number(value)
    case .columns: rule.columns = try number(value)
    case .threads: rule.threads = try number(value)
    case .tasks: rule.tasks = try choice(value)
    case .chunks: rule.chunks = try number(value)
    }
  }

  // MARK: Words

  private struct Word {
    var text: String
    var location: SourceLocation
  }

  private func location(_ from: Int, _ count: Int) -> SourceLocation {
    SourceLocation(
      file: file, offset: Int32(clamping: start + from), length: Int32(clamping: max(1, count)))
  }

  /// The next word, number or sign; nil at the end.
  private mutating func next() -> Word? {
    while position < bytes.count, [9, 13, 32].contains(bytes[position]) { position += 1 }
    guard position < bytes.count else { return nil }
    func isPart(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "_") || byte >= 128 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
        || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 32
    }
    let from = position
    repeat {
      position += 1
    } while isPart(bytes[from]) && position < bytes.count && isPart(bytes[position])
    return Word(
      text: String(decoding: bytes[from..<position], as: UTF8.self),
      location: location(from, position - from))
  }

  private mutating func expectedNext(_ what: String) throws(Diagnostic) -> Word {
    if let word = next() { return word }
    throw Diagnostic("\(what) is expected, and the line ends", at: location(position, 1))
  }

  private func number(_ word: Word) throws(Diagnostic) -> Int {
    let isNumber = word.text.utf8.allSatisfy { (48...57).contains($0) }
    guard isNumber, Int(word.text) != 0 else {
      throw error("a whole number from 1 is expected", word)
    }
    guard let number = Int(word.text), number <= Int(Int32.max) else {
      throw error("it is too large: numbers are at most \(Int32.max)", word)
    }
    return number
  }

  private func dtype(_ word: Word) throws(Diagnostic) -> DType {
    if let dtype = DType.allCases.first(where: { $0.name == word.text }) { return dtype }
    throw error("a dtype is expected", word, DType.allCases.map(\.name))
  }

  private func choice<Choice: CaseIterable & RawRepresentable>(
    _ word: Word
  ) throws(Diagnostic) -> Choice where Choice.RawValue == String {
    if let choice = Choice(rawValue: word.text) { return choice }
    let names = Choice.allCases.map(\.rawValue)
    throw error("it is one of \(names.joined(separator: ", "))", word, names)
  }

  private func error(_ message: String, _ word: Word, _ names: [String] = []) -> Diagnostic {
    Diagnostic(
      "'\(word.text)': \(message)\(suggestion(for: word.text, among: names))", at: word.location)
  }
}
