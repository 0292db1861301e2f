// What must hold of every program, stage by stage.
//
// Method      The text is compiled under a random budget; what each stage made is verified and
//             executed by the interpreter, and must give the same bits as the program itself.
// Cost        About ten executions of the program and one compilation.

package import CheckpointCompiler

/// What did not hold.
package struct ProgramFailure: Error, CustomStringConvertible {
  /// The stage that made what is wrong.
  package var stage: String
  package var message: String

  package var description: String { "\(stage): \(message)" }

  /// No failure: the target cannot run such programs, and says so.
  static let refusal = ProgramFailure(stage: "refuse", message: "it is not emitted as CUDA")
  var isRefusal: Bool { stage == ProgramFailure.refusal.stage }
}

/// A program and the options that it is compiled under.
package struct ProgramCheck: Sendable {
  package let seed: UInt64
  package let function: Function
  /// Budget, strategy and amount of search, decided by the seed.
  package let options: CompileOptions

  /// The check of a program.
  package init(_ function: Function, seed: UInt64) {
    self.seed = seed
    self.function = function
    var random = SeededGenerator(seed: seed ^ 0x5DEE_CE66)
    let budgets: [Budget] = [
      .unlimited, .percent(100), .percent(75), .percent(50), .percent(35), .percent(25), .minimum,
      .minimum, .bytes(64 * (1 + random.index(below: 64))),
    ]
    let strategies: [RematStrategy] = [.auto, .auto, .auto, .auto, .auto, .none, .sqrt, .cheap]
    options = CompileOptions(
      budget: budgets[random.index(below: budgets.count)],
      strategy: strategies[random.index(below: strategies.count)], effort: 0.3,
      lastStage: .memory)
  }

  /// Runs all checks that need no C compiler.
  ///
  /// - Returns: The compilation; nil where the budget cannot be met.
  @discardableResult
  package func run() throws(ProgramFailure) -> Compilation? {
    let arguments = randomArguments(for: function, seed: seed)
    let text = try roundTrip(function, stage: "print")
    // Random ops get the streams that they have when they are compiled.
    let numbered = inlined(
      function, in: Module(functions: [function], entryName: function.name))
    let expected = try results(of: numbered, arguments, stage: "interpret")
    guard let compilation = try compile(text, options) else { return nil }

    let differentiated = try unwrap(compilation.differentiated, stage: "differentiate")
    let all = try results(of: differentiated, arguments, stage: "differentiate")
    try compare(
      Array(all.prefix(expected.count)), expected, stage: "differentiate", of: differentiated)
    for (stage, function) in [
      ("simplify", compilation.simplified), ("group", compilation.grouped),
      ("keep all", compilation.keepAll?.function), ("plan", compilation.step?.function),
    ] {
      // A text that is planned already has no step that keeps everything.
      guard let function else { continue }
      let found = try results(of: function, arguments, stage: stage)
      try compare(found, all, stage: stage, of: function)
      try roundTrip(function, stage: stage)
    }
    try recompile(compilation, arguments, all)
    return compilation
  }

  /// The planned text is compiled again: it needs the same memory and computes the same bits.
  private func recompile(
    _ compilation: Compilation, _ arguments: [Tensor], _ expected: [Tensor]
  ) throws(ProgramFailure) {
    let step = try unwrap(compilation.step, stage: "plan")
    let text = Printer.print(step.function)
    let again = try compile(text, CompileOptions(effort: options.effort, lastStage: .memory))
    let second = try unwrap(again?.step, stage: "recompile")
    let found = try results(of: second.function, arguments, stage: "recompile")
    try compare(found, expected, stage: "recompile", of: second.function)
    guard step.function.isPlanned else { return }
    guard Printer.print(second.function) == text else {
      throw ProgramFailure(stage: "recompile", message: "the planned text changes:\n\(text)")
    }
    // Under a budget the packer stops at the first packing that fits it; here it has none.
    guard second.arenaBytes <= step.arenaBytes else {
      throw ProgramFailure(
        stage: "recompile",
        message: "the arena is \(second.arenaBytes) bytes, not \(step.arenaBytes)")
    }
  }

  /// Compiles a text.
  ///
  /// - Returns: The compilation; nil where the budget cannot be met, which is then checked: with the
  ///   smallest budget that the error names there is a plan.
  package func compile(
    _ text: String, _ options: CompileOptions
  ) throws(ProgramFailure) -> Compilation? {
    var sources = SourceMap()
    do throws(CompileError) {
      let compilation = try Compiler(options: options).compile(
        Array(text.utf8), fileName: "\(seed).ir", sources: &sources)
      if case .bytes(let bytes) = options.budget, let step = compilation.step,
        step.arenaBytes > bytes
      {
        throw .defect("the arena of \(step.arenaBytes) bytes is over the budget of \(bytes)")
      }
      return compilation
    } catch {
      switch error {
      case .input(let list) where list.diagnostics.allSatisfy(\.isCUDARefusal):
        throw .refusal
      case .input(let list):
        let rendered = DiagnosticRenderer(sources: sources).render(list.diagnostics)
        throw ProgramFailure(stage: "compile", message: rendered)
      case .defect(let message): throw ProgramFailure(stage: "compile", message: message)
      case .budget(let refusal):
        guard let minimum = refusal.minimumBytes else { return nil }
        guard minimum > refusal.budgetBytes else {
          throw ProgramFailure(
            stage: "plan",
            message: "\(refusal.budgetBytes) bytes are refused, but \(minimum) would do")
        }
        var reachable = options
        reachable.budget = .bytes(minimum)
        guard try compile(text, reachable) != nil else {
          throw ProgramFailure(
            stage: "plan", message: "\(minimum) bytes are named as the minimum, but refused")
        }
        return nil
      }
    }
  }

  /// The text of a function, which parses to a function with the same text.
  @discardableResult
  private func roundTrip(_ function: Function, stage: String) throws(ProgramFailure) -> String {
    let problems = verify(function)
    guard problems.isEmpty else {
      throw ProgramFailure(
        stage: stage,
        message: "\(problems.map(\.message).joined(separator: "\n"))\n\(Printer.print(function))")
    }
    let text = Printer.print(function)
    let again = Printer.print(try parse(text, stage: stage))
    guard again == text else {
      throw ProgramFailure(stage: stage, message: "printed again, it differs:\n\(text)\n\(again)")
    }
    return text
  }

  private func parse(_ text: String, stage: String) throws(ProgramFailure) -> Module {
    var sources = SourceMap()
    do throws(DiagnosticList) {
      return try parseModule(Array(text.utf8), name: "\(seed).ir", sources: &sources)
    } catch {
      let rendered = DiagnosticRenderer(sources: sources).render(error.diagnostics)
      throw ProgramFailure(stage: stage, message: "its text is refused:\n\(rendered)\(text)")
    }
  }

  private func results(
    of function: Function, _ arguments: [Tensor], stage: String
  ) throws(ProgramFailure) -> [Tensor] {
    do {
      return try interpret(function, arguments: arguments)
    } catch {
      throw ProgramFailure(stage: stage, message: "\(error)")
    }
  }

  private func compare(
    _ found: [Tensor], _ expected: [Tensor], stage: String, of function: Function
  ) throws(ProgramFailure) {
    for (index, (a, b)) in zip(found, expected).enumerated() where a != b {
      throw ProgramFailure(
        stage: stage,
        message: "result %\(function.results[index].name) is \(a.flatText), not \(b.flatText)\n"
          + Printer.print(function))
    }
    guard found.count == expected.count else {
      throw ProgramFailure(
        stage: stage, message: "\(found.count) results, not \(expected.count)")
    }
  }

  private func unwrap<Value>(_ value: Value?, stage: String) throws(ProgramFailure) -> Value {
    guard let value else { throw ProgramFailure(stage: stage, message: "nothing was made") }
    return value
  }
}
