// Runs file tests: IR text with its expectation in the same file.
//
// Header      `// test: STAGE [budget=50%] [entry=NAME]`, with a stage of parse, verify, grad, simplify,
//             group, plan.
// Golden      `//| …` lines hold the text that the stage prints.
// Marks       `//    ^~ error: words` below a line: an error there, in that column, whose rendering
//             contains the words. Every error needs its mark, every mark its error.
// Runs        `// run: @f([1, 2], 3) == [4, 5]`: results of the interpreter on what the stage made,
//             all their bits with `==`, to a relative 1e-5 with `~=`.
// Blessing    `CKC_BLESS=1` rewrites golden lines and marks, and the test still fails once.

import CheckpointCompiler
import Foundation

/// One file under `Tests/Files`.
package struct FileTest: Sendable, CustomStringConvertible {
  /// The path from the root of the repository.
  package let path: String
  private let lines: [String]
  /// Whether there is a file that can be rewritten.
  private var isFile = false

  /// The file's path, which names the test.
  package var description: String { path }

  /// All file tests, or those of one folder, in the order of their paths.
  package static func all(in folder: String = "") -> [FileTest] {
    let root = repositoryPath("Tests/Files")
    let names = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return names.filter { $0.hasSuffix(".ir") && $0.hasPrefix(folder) }.sorted().map {
      FileTest(path: "Tests/Files/\($0)")
    }
  }

  /// The test in a file.
  package init(path: String) {
    let bytes = FileManager.default.contents(atPath: repositoryPath(path)) ?? Data()
    self.init(path: path, text: String(decoding: bytes, as: UTF8.self))
    isFile = true
  }

  /// The test in a text.
  package init(path: String, text: String) {
    self.path = path
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    if lines.last == "" { lines.removeLast() }
    self.lines = lines
  }

  /// Runs the test.
  ///
  /// - Returns: What failed; empty where nothing did.
  package func failures() -> [String] {
    do throws(TestTextError) {
      let header = try header()
      let outcome = run(header)
      var failures: [String] = []
      if header.printsText || !goldenLines.isEmpty {
        let printed = outcome.printed.split(separator: "\n").map { "//| \($0)" }
        if printed != goldenLines {
          failures.append("printed:\n\(printed.joined(separator: "\n"))")
        }
      }
      failures += checkMarks(outcome)
      for line in lines where line.hasPrefix("// run: ") {
        do throws(TestTextError) {
          try checkRun(line.dropFirst("// run: ".count), outcome)
        } catch {
          failures.append("\(line): \(error)")
        }
      }
      if !failures.isEmpty, isBlessing, isFile { try bless(outcome, printsText: header.printsText) }
      return failures
    } catch {
      return ["\(error)"]
    }
  }

  /// The constraints that the file's marks name.
  package var markedConstraints: [String] {
    marks.compactMap { mark in
      guard mark.words.hasSuffix("]"), let open = mark.words.lastIndex(of: "[") else { return nil }
      return String(mark.words[mark.words.index(after: open)...].dropLast())
    }
  }

  // MARK: Header

  private struct Header {
    var stage: String
    var options: CompileOptions
    var printsText: Bool { stage != "verify" }
  }

  private func header() throws(TestTextError) -> Header {
    guard let first = lines.first, first.hasPrefix("// test: ") else {
      throw TestTextError("the first line is no '// test: STAGE'")
    }
    let words = first.dropFirst("// test: ".count).split(separator: " ").map(String.init)
    let stages: [String: Stage] = [
      "parse": .parsed, "verify": .differentiated, "grad": .differentiated,
      "simplify": .simplified, "group": .kernels, "plan": .memory,
    ]
    guard let name = words.first, let stage = stages[name] else {
      throw TestTextError("unknown stage in '\(first)'")
    }
    var options = CompileOptions(lastStage: stage)
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      switch (parts.first, parts.last) {
      case ("entry", let value?): options.entry = value
      case ("budget", "min"): options.budget = .minimum
      case ("budget", let value?):
        if value.hasSuffix("%"), let percent = Double(value.dropLast()) {
          options.budget = .percent(percent)
        } else if let bytes = Int(value) {
          options.budget = .bytes(bytes)
        } else {
          throw TestTextError("'\(value)' is no budget")
        }
      default: throw TestTextError("unknown option '\(word)'")
      }
    }
    return Header(stage: name, options: options)
  }

  // MARK: Outcome

  private struct Outcome {
    var module: Module?
    /// What the stage made of the entry.
    var function: Function?
    var diagnostics: [Diagnostic] = []
    /// An error without a place, such as a budget that cannot be met.
    var failure = ""
    var sources = SourceMap()
    var printed = ""
  }

  private func run(_ header: Header) -> Outcome {
    var outcome = Outcome()
    let text = Array((lines.joined(separator: "\n") + "\n").utf8)
    do throws(CompileError) {
      let compilation = try Compiler(options: header.options).compile(
        text, fileName: path, sources: &outcome.sources)
      outcome.module = compilation.module
      outcome.diagnostics = compilation.remarks
      switch header.stage {
      case "parse":
        outcome.printed = Printer.print(compilation.module)
        return outcome
      case "grad", "verify": outcome.function = compilation.differentiated
      case "simplify": outcome.function = compilation.simplified
      case "group": outcome.function = compilation.grouped
      default: outcome.function = compilation.step?.function
      }
      if header.printsText { outcome.printed = outcome.function.map { Printer.print($0) } ?? "" }
    } catch {
      switch error {
      case .input(let list): outcome.diagnostics = list.diagnostics
      case .budget(let error): outcome.failure = "\(error)"
      case .defect(let message): outcome.failure = message
      }
    }
    return outcome
  }

  // MARK: Golden lines and marks

  private var goldenLines: [String] { lines.filter { $0.hasPrefix("//|") } }

  private struct Mark {
    /// The 1-based line that the mark is about.
    var line: Int
    /// The 1-based column of the caret.
    var column: Int
    var words: String
  }

  private static func isMark(_ line: String) -> Bool {
    let body = line.drop { $0 == " " }
    guard body.hasPrefix("//") else { return false }
    return body.dropFirst(2).drop { $0 == " " }.hasPrefix("^")
  }

  private var marks: [Mark] {
    var marks: [Mark] = []
    var subject = 0
    for (index, line) in lines.enumerated() {
      guard FileTest.isMark(line), let caret = line.firstIndex(of: "^") else {
        subject = index + 1
        continue
      }
      let words = line[caret...].drop { $0 == "^" || $0 == "~" }.drop { $0 == " " }
      marks.append(
        Mark(
          line: subject, column: line.distance(from: line.startIndex, to: caret) + 1,
          words: String(words)))
    }
    return marks
  }

  /// A diagnostic and its place, as a mark spells it.
  private static func found(_ outcome: Outcome) -> [Mark] {
    outcome.diagnostics.map { diagnostic in
      let constraint = diagnostic.constraint.map { " [\($0)]" } ?? ""
      let words = "\(diagnostic.severity.rawValue): \(diagnostic.message)\(constraint)"
      guard outcome.sources.files.indices.contains(Int(diagnostic.location.file)) else {
        return Mark(line: 0, column: 0, words: words)
      }
      let file = outcome.sources.files[Int(diagnostic.location.file)]
      let (line, column) = file.position(of: Int(diagnostic.location.offset))
      return Mark(line: line, column: column, words: words)
    }
  }

  private func checkMarks(_ outcome: Outcome) -> [String] {
    var failures: [String] = outcome.failure.isEmpty ? [] : [outcome.failure]
    var open = FileTest.found(outcome)
    for mark in marks {
      let match = open.firstIndex {
        $0.line == mark.line && $0.column == mark.column && $0.words.contains(mark.words)
      }
      if let match {
        open.remove(at: match)
      } else {
        failures.append("\(path):\(mark.line):\(mark.column): no '\(mark.words)'")
      }
    }
    failures += open.map { "\(path):\($0.line):\($0.column): unmarked \($0.words)" }
    return failures
  }

  // MARK: Runs

  private func checkRun(
    _ text: Substring, _ outcome: Outcome
  ) throws(TestTextError) {
    var reader = TensorReader(text)
    try reader.expect("@")
    let name = reader.name()
    let made = outcome.function.flatMap { $0.name == name ? $0 : nil }
    guard let function = made ?? outcome.module?[name] else {
      throw TestTextError("there is no function @\(name)")
    }
    try reader.expect("(")
    var arguments: [Tensor] = []
    for (index, type) in function.argumentTypes.enumerated() {
      if index > 0 { try reader.expect(",") }
      arguments.append(try reader.tensor(type))
    }
    try reader.expect(")")
    let isExact = reader.accept("=")
    try reader.expect(isExact ? "=" : "~=")
    var expected: [Tensor] = []
    for (index, type) in function.resultTypes.enumerated() {
      if index > 0 { try reader.expect(",") }
      expected.append(try reader.tensor(type))
    }
    if let rest = reader.peek() { throw TestTextError("'\(rest)' follows the last result") }
    let results: [Tensor]
    do {
      results = try interpret(function, in: outcome.module, arguments: arguments)
    } catch {
      throw TestTextError("\(error)")
    }
    for (index, (result, value)) in zip(results, expected).enumerated() {
      let agrees =
        isExact
        ? result == value
        : zip(result.floats, value.floats).allSatisfy { found, wanted in
          found == wanted || abs(found - wanted) <= 1e-5 * max(1e-3, abs(wanted))
        }
      guard agrees else { throw TestTextError("result \(index) is \(result.flatText)") }
    }
  }

  // MARK: Blessing

  private func bless(_ outcome: Outcome, printsText: Bool) throws(TestTextError) {
    var marksByLine: [Int: [Mark]] = [:]
    for mark in FileTest.found(outcome) { marksByLine[mark.line, default: []].append(mark) }
    var golden = outcome.printed.split(separator: "\n").map { "//| \($0)" }
    if !printsText && goldenLines.isEmpty { golden = [] }
    var text: [String] = []
    for (index, line) in lines.enumerated() where !FileTest.isMark(line) {
      if line.hasPrefix("//|") || line.hasPrefix("// run: ") {
        text += golden
        golden = []
      }
      if line.hasPrefix("//|") { continue }
      text.append(line)
      for mark in marksByLine[index + 1] ?? [] where mark.column > 2 {
        text.append(
          "//" + String(repeating: " ", count: mark.column - 3) + "^~ " + mark.words)
      }
    }
    text += golden
    do {
      let bytes = Data((text.joined(separator: "\n") + "\n").utf8)
      try bytes.write(to: URL(filePath: repositoryPath(path)))
    } catch {
      throw TestTextError("cannot write \(path): \(error)")
    }
  }
}
