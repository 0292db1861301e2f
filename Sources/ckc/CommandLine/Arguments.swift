// The words of a command line, checked against the tables of verbs and options.
//
// Problem     A wrong word must be named together with what was probably meant, and an option that
//             has no effect must not pass in silence.
// Method      One pass over the words; values are checked against their kind at once. Which options
//             a verb has read is recorded, and those it never read are warned about.
// Invariants  A value that `Arguments` holds has the form of its kind.

import CheckpointCompiler

/// A parsed command line.
final class Arguments {
  /// What to do.
  let verb: Verb
  /// The words that are no options, in order.
  let operands: [String]
  private let values: [OptionName: [String]]
  /// The options that were asked for by the verb.
  private var read: Set<OptionName> = [.help, .json]

  private init(verb: Verb, operands: [String], values: [OptionName: [String]]) {
    self.verb = verb
    self.operands = operands
    self.values = values
  }

  /// The command line of `words`, which do not include the name of the program.
  ///
  /// - Throws: A failure with status 2.
  static func parse(_ words: [String]) throws(Failure) -> Arguments {
    let verbs = Verb.allCases.map(\.rawValue)
    guard let first = words.first else {
      throw .usage("no verb is given; 'ckc help' lists them")
    }
    if first == "--help" || first == "-h" {
      return Arguments(verb: .help, operands: Array(words.dropFirst().prefix(1)), values: [:])
    }
    if first == "--version" || first == "-V" {
      return Arguments(verb: .version, operands: [], values: [:])
    }
    guard let verb = Verb(rawValue: first) else {
      let hint = Suggestion.clause(for: first, in: verbs)
      throw .usage("unknown verb '\(first)'" + (hint.isEmpty ? "; 'ckc help' lists them" : hint))
    }
    var operands: [String] = []
    var values: [OptionName: [String]] = [:]
    var rest = words.dropFirst()
    while let word = rest.popFirst() {
      if word == "--" {
        operands += rest
        break
      }
      guard word.hasPrefix("-"), word != "-" else {
        operands.append(word)
        continue
      }
      let (option, attached) = try findOption(word, verb: verb)
      let definition = option.definition
      var value = ""
      if definition.value == .flag {
        guard attached == nil else { throw .usage("\(option.spelling) takes no value") }
      } else if let attached {
        value = attached
      } else {
        guard let next = rest.popFirst() else {
          throw .usage(
            "\(option.spelling) needs a value: \(option.spelling) \(definition.value.placeholder)")
        }
        value = next
      }
      if let problem = definition.value.problem(with: value) {
        throw .usage("\(option.spelling) \(value): \(problem)")
      }
      if values[option] != nil, !definition.isRepeated, definition.value != .flag {
        throw .usage("\(option.spelling) is given twice")
      }
      values[option, default: []].append(value)
    }
    if values[.help] == nil { try checkOperands(operands, verb: verb) }
    return Arguments(verb: verb, operands: operands, values: values)
  }

  /// The option of a word such as `--budget=1GiB` or `-o`, and the value that is attached to it.
  private static func findOption(
    _ word: String, verb: Verb
  ) throws(Failure) -> (OptionName, String?) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let attached = parts.count == 2 ? String(parts[1]) : nil
    let spelling = String(parts[0])
    if !spelling.hasPrefix("--") {
      let letters = spelling.dropFirst()
      for option in verb.options where option.definition.short == letters.first {
        if letters.count == 1 { return (option, attached) }
        // `-oDIR`
        if option.definition.value != .flag { return (option, String(word.dropFirst(2))) }
      }
    }
    let name = String(spelling.drop { $0 == "-" })
    if spelling.hasPrefix("--"), let option = OptionName(rawValue: name) {
      if verb.options.contains(option) { return (option, attached) }
      let others = option.definition.verbs.map { "'\($0.rawValue)'" }
      let closest = Suggestion.closest(to: name, in: verb.options.map(\.rawValue))
      let hint = closest.map { "; did you mean '--\($0)'?" } ?? ""
      throw .usage(
        "\(spelling) is no option of '\(verb.rawValue)', only of "
          + others.joined(separator: ", ") + hint)
    }
    let hint = Suggestion.clause(for: name, in: verb.options.map(\.rawValue), prefix: "--")
    throw .usage(
      "unknown option \(spelling)"
        + (hint.isEmpty ? "; 'ckc help \(verb.rawValue)' lists the options" : hint))
  }

  private static func checkOperands(_ operands: [String], verb: Verb) throws(Failure) {
    let expected = verb.definition.operands
    let required = expected.filter { !$0.isOptional }
    guard operands.count >= required.count else {
      let missing = expected[operands.count]
      throw .usage("\(missing.placeholder) is missing: \(HelpText.usage(of: verb))")
    }
    let isOpen = expected.last?.isRepeated ?? false
    guard isOpen || operands.count <= expected.count else {
      throw .usage(
        "'\(operands[expected.count])' is one word too many: \(HelpText.usage(of: verb))")
    }
    for (operand, definition) in zip(operands, expected) {
      if let problem = definition.completion.problem(with: operand) {
        throw .usage("\(operand): \(problem)")
      }
    }
  }

  // MARK: Reading

  /// Whether the option is given.
  func has(_ option: OptionName) -> Bool {
    read.insert(option)
    return values[option] != nil
  }

  /// The value of an option.
  func text(_ option: OptionName) -> String? {
    read.insert(option)
    return values[option]?.last
  }

  /// The values of an option that may be repeated, in order.
  func all(_ option: OptionName) -> [String] {
    read.insert(option)
    return values[option] ?? []
  }

  /// The words of a comma-separated option, without repetition, in order.
  func words(_ option: OptionName) -> [String]? {
    text(option).map { text in
      var words: [String] = []
      for word in text.split(separator: ",").map(String.init) where !words.contains(word) {
        words.append(word)
      }
      return words
    }
  }

  /// The value of an option that is a whole number.
  func integer(_ option: OptionName) -> Int? { text(option).flatMap { Int($0) } }
  /// The value of an option that is a number.
  func number(_ option: OptionName) -> Double? { text(option).flatMap { Double($0) } }
  /// The value of an option that is a number of bytes.
  func bytes(_ option: OptionName) -> Int? { text(option).flatMap(ByteSize.parse) }
  /// The budget.
  var budget: BudgetArgument? { text(.budget).flatMap(ByteSize.parseBudget) }
  /// The value of an option that is a percentage, as a fraction.
  func fraction(_ option: OptionName) -> Double? {
    text(option).flatMap(ByteSize.parsePercentage).map { $0 / 100 }
  }
  /// The `NAME=FILE` pairs of an option, in order.
  func bindings(_ option: OptionName) -> [(name: String, path: String)] {
    read.insert(option)
    return pairs(option)
  }
  private func pairs(_ option: OptionName) -> [(name: String, path: String)] {
    (values[option] ?? []).compactMap { text in
      guard let equals = text.firstIndex(of: "=") else { return nil }
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
  }
  /// Refuses to write over what is read: a graph or data under the path of an output.
  ///
  /// - Throws: A failure that names the option, or what is written where no option says it.
  func refuseOverwriting(with paths: [String]? = nil) throws(Failure) {
    let outputs =
      paths.map { $0.map { (path: $0, name: "") } }
      ?? [OptionName.output, .save].flatMap { option in
        (values[option] ?? []).map { (path: $0, name: option.spelling + " ") }
      }
    let data = [OptionName.data, .eval, .input].flatMap(pairs).map(\.path)
    for (path, name) in outputs {
      for input in operands + data where isSameFile(path, input) {
        throw .usage("\(name)\(path): that is the input \(input), which would be lost")
      }
    }
  }
  /// Whether JSON is asked for.
  var isJSON: Bool { values[.json] != nil }
  /// Whether help is asked for.
  var wantsHelp: Bool { values[.help] != nil }

  /// The options that were given and never asked for, in the order of the table.
  var unread: [OptionName] {
    OptionName.allCases.filter { values[$0] != nil && !read.contains($0) }
  }
}

extension ValueKind {
  /// What is wrong with a value, or nil.
  func problem(with text: String) -> String? {
    switch self {
    case .flag, .text: return nil
    case .file, .output: return text.isEmpty ? "a path is expected" : nil
    case .binding(let suffix):
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex,
        text.index(after: equals) != text.endIndex
      else { return "NAME=FILE.\(suffix) is expected" }
      return nil
    case .choice(let words):
      guard !words.contains(text) else { return nil }
      return "it is one of \(words.joined(separator: ", "))"
        + Suggestion.clause(for: text, in: words)
    case .choices(let words):
      let given = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard let wrong = given.first(where: { !words.contains($0) }) else { return nil }
      return "'\(wrong)' is none of \(words.joined(separator: ", "))"
        + Suggestion.clause(for: wrong, in: words)
    case .integer(_, let range):
      guard let value = Int(text) else { return "a whole number is expected" }
      if value < range.lowerBound { return "it is at least \(range.lowerBound)" }
      return value > range.upperBound ? "it is at most \(range.upperBound)" : nil
    case .number:
      guard let value = Double(text), value.isFinite else { return "a number is expected" }
      return value < 0 ? "it is not negative" : nil
    case .bytes:
      return ByteSize.parse(text) == nil ? "a size such as 512KiB, 64MiB or 12345 is expected" : nil
    case .budget:
      guard ByteSize.parseBudget(text) == nil else { return nil }
      return "a size such as 512KiB, 64MiB, 2GiB, 12345, 50% or min is expected"
    case .percentage:
      return ByteSize.parsePercentage(text) == nil ? "a percentage such as 10% is expected" : nil
    }
  }
}
