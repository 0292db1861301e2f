// From the options of a command line to a compilation, for every verb that reads a graph.

import CheckpointCompiler

/// A place in the compilation at which one can look at the function.
private enum Point: Sendable, Equatable {
  case stage(Stage)
  /// A pass of simplification.
  case pass(String)

  /// The stage that it is or belongs to.
  var stage: Stage {
    switch self {
    case .stage(let stage): stage
    case .pass: .simplified
    }
  }

  /// The spelling on the command line.
  var name: String {
    switch self {
    case .stage(let stage): stage.rawValue
    case .pass(let name): name
    }
  }

  /// The texts of the place, one for each time that a pass changed something.
  func texts(of compilation: Compilation) -> [String] {
    switch self {
    case .stage(let stage): compilation.text(after: stage).map { [$0] } ?? []
    case .pass(let name):
      compilation.passes.filter { $0.name == name }.map { Printer.print($0.function) }
    }
  }
}

/// A graph, and how to compile it.
struct GraphJob {
  /// What is asked of the compiler.
  var options: CompileOptions
  /// The text of the graph.
  let text: [UInt8]
  /// The name that diagnostics show.
  let fileName: String
  private let printAfter: [Point]
  private let stopAfter: Point?
  private let costsPath: String?
  /// The texts that locations in the options refer to.
  private var sources = SourceMap()
  private let isJSON: Bool

  /// Reads the graph and the options.
  ///
  /// - Parameters:
  ///   - arguments: The command line; its first operand is the graph.
  ///   - lastStage: The last stage that the verb needs.
  ///   - defaultOptimizer: The optimizer where none is named.
  /// - Throws: A failure for options that have no meaning and files that cannot be read.
  init(
    _ arguments: Arguments, lastStage: Stage, defaultOptimizer: Optimizer? = nil
  ) throws {
    options = CompileOptions(lastStage: lastStage)
    options.target = arguments.target
    if let path = arguments.text(.schedule) {
      guard !options.target.isCUDA else {
        throw Failure.usage(
          "--schedule \(path): schedules are of emitted C, and the target is CUDA")
      }
      options.target.schedule = try GraphJob.schedule(path, &sources)
    }
    options.entry = arguments.entry
    if let name = arguments.text(.name) {
      guard name == cIdentifier(name), name.utf8.count <= Compilation.nameLengthMax else {
        throw Failure.usage(
          "--name \(name): an identifier of C of at most \(Compilation.nameLengthMax) characters is "
            + "expected")
      }
      options.name = name
    }
    options.roles = arguments.roles
    options.optimizer = GraphJob.optimizer(arguments, default: defaultOptimizer)
    isJSON = arguments.isJSON
    printAfter = try arguments.all(.printAfter).map { try GraphJob.point($0, .printAfter) }
    stopAfter = try arguments.text(.stopAfter).map { try GraphJob.point($0, .stopAfter) }
    if let stopAfter {
      guard stopAfter.stage.position <= lastStage.position else {
        throw Failure.usage(
          "--stop-after \(stopAfter.name): '\(arguments.verb.rawValue)' ends after the stage "
            + "'\(lastStage.rawValue)'")
      }
      options.lastStage = stopAfter.stage
    }
    options.keepsPasses = (printAfter + [stopAfter].compactMap { $0 }).contains {
      if case .pass = $0 { true } else { false }
    }
    fileName = arguments.operands[0] == "-" ? "<stdin>" : arguments.operands[0]
    text = try GraphJob.bytes(of: arguments.operands[0])
    costsPath = arguments.text(.costs)
    if let path = costsPath {
      options.measuredNs = try GraphJob.parse(path) { try MeasuredCosts.read(json: $0, file: $1) }
    }
    switch arguments.budget {
    case .bytes(let bytes): options.budget = .bytes(bytes)
    case .percent(let percent): options.budget = .percent(percent)
    case .minimum: options.budget = .minimum
    case nil: break
    }
    if let path = arguments.text(.planFile) {
      // The options below have no effect beside a plan; they stay unread, which is reported.
      options.plan = try GraphJob.parse(path) { try SavedPlan(json: $0, file: $1) }
      return
    }
    options.maxOverhead = arguments.fraction(.maxOverhead)
    if let name = arguments.text(.strategy) { options.strategy = RematStrategy(rawValue: name)! }
    if let effort = arguments.number(.effort) { options.effort = effort }
    if let seconds = arguments.number(.timeLimit) { options.setTimeLimit(seconds: seconds) }
    options.pins = try arguments.all(.pin).map(GraphJob.pin)
  }

  // MARK: Reading

  /// The schedules of a file, which is added to the texts that locations refer to.
  private static func schedule(_ path: String, _ sources: inout SourceMap) throws -> ScheduleRules {
    let bytes = try bytes(of: path)
    let file = sources.add(name: path == "-" ? "<stdin>" : path, text: bytes)
    do {
      return try ScheduleRules(text: bytes, file: file)
    } catch {
      throw Failure(error, sources: sources)
    }
  }

  /// The bytes of an operand; `-` is standard input.
  static func bytes(of operand: String) throws(FileError) -> [UInt8] {
    try readFile(operand == "-" ? "/dev/stdin" : operand)
  }

  /// The content of a file; its diagnostics are rendered with its lines.
  static func parse<T>(_ path: String, _ body: ([UInt8], Int32) throws -> T) throws -> T {
    var sources = SourceMap()
    let bytes = try bytes(of: path)
    let file = sources.add(name: path == "-" ? "<stdin>" : path, text: bytes)
    do {
      return try body(bytes, file)
    } catch {
      throw Failure(error, sources: sources)
    }
  }

  private static func point(_ name: String, _ option: OptionName) throws(Failure) -> Point {
    if let stage = Stage(rawValue: name) { return .stage(stage) }
    if simplificationPasses.contains(name) { return .pass(name) }
    let names = Stage.allCases.map(\.rawValue) + simplificationPasses
    throw .usage(
      "\(option.spelling) \(name): it is one of \(names.joined(separator: ", "))"
        + Suggestion.clause(for: name, in: names))
  }

  private static func pin(_ text: String) throws(Failure) -> ValuePin {
    let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, let choice = RematPin.Choice(rawValue: parts[1]) else {
      let hint =
        parts.count == 2 ? Suggestion.clause(for: parts[1], in: ["keep", "recompute"]) : ""
      throw .usage("--pin \(text): %VALUE=keep or %VALUE=recompute is expected\(hint)")
    }
    return ValuePin(
      value: parts[0].hasPrefix("%") ? String(parts[0].dropFirst()) : parts[0], choice)
  }

  /// The optimizer; options that it has no use for stay unread.
  private static func optimizer(
    _ arguments: Arguments, default defaultOptimizer: Optimizer?
  ) -> Optimizer? {
    switch arguments.text(.optimizer) {
    case "sgd": return .sgd(weightDecay: arguments.number(.weightDecay) ?? 0)
    case "momentum":
      return .momentum(
        momentum: arguments.number(.momentum) ?? 0.9,
        weightDecay: arguments.number(.weightDecay) ?? 0)
    case "adam": return .adam(weightDecay: arguments.number(.weightDecay) ?? 0)
    case "adamw": return .adamw(weightDecay: arguments.number(.weightDecay) ?? 0.01)
    case "none": return nil
    default:
      if case .sgd = defaultOptimizer {
        return .sgd(weightDecay: arguments.number(.weightDecay) ?? 0)
      }
      return defaultOptimizer
    }
  }

  // MARK: Compiling

  /// Compiles the graph; warnings and what `--print-after` asks for go to standard error.
  ///
  /// - Returns: The compilation; nil where `--stop-after` has ended the command, its result printed.
  /// - Throws: A failure with the rendered diagnostics and the exit status.
  func compile(console: Console) throws(Failure) -> Compilation? {
    var sources = sources
    let compilation: Compilation
    do {
      compilation = try Compiler(options: options).compile(
        text, fileName: fileName, sources: &sources)
    } catch {
      throw Failure(error, sources: sources)
    }
    console.printError(DiagnosticRenderer(sources: sources).render(compilation.remarks))
    for remark in compilation.solution?.remarks ?? [] { console.warn(remark) }
    warnAboutCosts(compilation, console)
    for point in printAfter {
      let texts = point.texts(of: compilation)
      for text in texts { console.printError("// after \(point.name)\n\(text)") }
      if texts.isEmpty {
        let reason = if case .pass = point { "the pass changes nothing" } else { "it does not run" }
        console.warn("--print-after \(point.name) prints nothing: \(reason)")
      }
    }
    guard let stopAfter else { return compilation }
    // The text after a pass that changes nothing is the text before it.
    let text =
      stopAfter.texts(of: compilation).first ?? compilation.text(after: stopAfter.stage) ?? ""
    let value: JSONValue = ["stage": .string(stopAfter.name), "text": .string(text)]
    console.print(isJSON ? value.compactText + "\n" : text)
    return nil
  }

  /// Warns where measured costs do not cover the kernels of the graph.
  private func warnAboutCosts(_ compilation: Compilation, _ console: Console) {
    guard let costsPath else { return }
    let keys = compilation.kernelKeys
    let missing = keys.count { options.measuredNs[$0] == nil }
    if missing > 0 {
      console.warn(
        "\(costsPath) has no cost for \(missing) of \(keys.count) kernels; they are estimated")
    }
  }
}

extension Arguments {
  /// The machine that code is emitted for.
  var target: Target {
    let threads = integer(.threads) ?? Target.cpu().threadsMax
    return Target(name: text(.target) ?? "c", threadsMax: threads)!
  }

  /// The function to compile.
  var entry: String? { text(.entry).map { $0.hasPrefix("@") ? String($0.dropFirst()) : $0 } }

  /// The roles of the arguments and results of a StableHLO graph.
  var roles: GraphRoles {
    func words(_ option: OptionName) -> [String] {
      all(option).flatMap { $0.split(separator: ",").map(String.init) }.map {
        $0.hasPrefix("%") ? String($0.dropFirst()) : $0
      }
    }
    return GraphRoles(
      loss: text(.loss).map { $0.hasPrefix("%") ? String($0.dropFirst()) : $0 },
      parameters: words(.params), state: words(.state))
  }
}

extension Stage {
  /// The place in the order of the stages.
  var position: Int { Stage.allCases.firstIndex(of: self)! }
}

/// Writes the result of a verb to the file of `--output`, or to standard output.
func writeResult(_ text: String, _ arguments: Arguments, console: Console) throws(FileError) {
  guard let path = arguments.text(.output), path != "-" else {
    console.print(text)
    return
  }
  try writeFileAtomically(Array(text.utf8), to: path)
}

extension Compilation {
  /// The planned step, which a compilation that got so far has.
  var plannedStep: PlannedStep {
    get throws(Failure) {
      guard let step else { throw Failure(.defect, "the compilation has no step") }
      return step
    }
  }
}
