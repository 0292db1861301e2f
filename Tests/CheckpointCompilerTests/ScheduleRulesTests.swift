import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// Schedules that a user decides: printed, changed, given back.
@Suite struct ScheduleRulesTests {
  private static let needsDriver = ConditionTrait.enabled(
    if: TestToolchain.driver != nil, TestToolchain.absence)

  /// Convolutions with and without minimal filtering, and products that read rows in place, packed, and
  /// over a long depth; all with an epilogue in the step, some alone where they are recomputed.
  private static let text = """
    func @main(
        %x: f32[8,24,24,32],
        param %w: f32[3,3,32,32],
        param %v: f32[2,2,32,40],
        param %u: f32[40,60],
        param %t: f32[64,1152]) -> (loss %loss: f32) {
      %a = convolution %x, %w {dim_numbers = "b01f_01io->b01f", low = [1, 1], high = [1, 1]}
      %b = relu %a
      %c = convolution %b, %v {dim_numbers = "b01f_01io->b01f", strides = [2, 2]}
      %d = relu %c
      %e = reshape %d : f32[1152,40]
      %f = dot_general %e, %u {lhs_contract = [1], rhs_contract = [0]}
      %g = tanh %f
      %h = dot_general %t, %g {lhs_contract = [1], rhs_contract = [0]}
      %i = tanh %h
      %loss = reduce %i {kind = add, dims = [0, 1]}
      return %loss
    }
    """

  private func compilation(
    rules: String = "", threads: Int = 2, budget: Budget = .unlimited, stage: Stage = .code
  ) throws -> Compilation {
    var target = Target.cpu(threadsMax: threads)
    target.schedule = try ScheduleRules(text: Array(rules.utf8))
    return try LoopSamples.compile(
      Self.text,
      CompileOptions(
        name: "step", target: target, optimizer: .sgd(weightDecay: 0), budget: budget,
        lastStage: stage))
  }

  /// What is printed and given back gives the same code, without a word.
  @Test(arguments: [1, 2, 5])
  func whatIsPrintedIsRead(threads: Int) throws {
    let plain = try compilation(threads: threads)
    let rules = try #require(plain.program).scheduleText
    #expect(rules.contains("form = packed") && rules.contains("form = winograd"))
    let again = try compilation(rules: rules, threads: threads)
    #expect(again.source == plain.source)
    #expect(again.remarks.isEmpty)
    #expect(try #require(again.program).scheduleText == rules)
  }

  @Test func linesSayWhatKernelsHaveInCommon() throws {
    func rule(_ text: String) throws -> ScheduleRule {
      try #require(ScheduleRules(text: Array("2 x 3 x 4 f32: \(text)".utf8)).rules.first).value
    }
    let (one, order) = (try rule("form = packed, depth = 4, rows = 2"), "form = packed, depth = 4")
    #expect(one.common(with: one)?.description == one.description)
    #expect(one.common(with: try rule("form = packed, depth = 4, rows = 1"))?.description == order)
    #expect(one.common(with: try rule("form = packed, depth = 3, rows = 2")) == nil)
    #expect(one.common(with: try rule("form = winograd")) == nil)
  }

  @Test func theStageEndsBeforeCode() throws {
    let compilation = try compilation(stage: .schedule)
    #expect(compilation.source.isEmpty && compilation.text(after: .schedule) != nil)
  }

  /// The results of a step within a budget.
  private func results(rules: String, budget: Budget = .unlimited) throws -> [Tensor] {
    let step = try CompiledStep(
      try compilation(rules: rules, budget: budget), driver: TestToolchain.driver!)
    step.initialize(seed: 3)
    for (argument, value) in randomArguments(for: step.function, seed: 3).enumerated()
    where step.function.arguments[argument].role == .input {
      step.setArgument(argument, to: value)
    }
    step.run()
    return step.resultValues + step.argumentValues
  }

  /// What does not decide the order of sums changes no bit; what does changes sums by rounding, and by
  /// the same for every plan.
  @Test(needsDriver) func resultsFollowFromTheOrderOfSums() throws {
    let plain = try results(rules: "")
    let blocks = [
      "1152 x 60 x 40 f32: rows = 28, columns = 32, threads = 1",
      "64 x 1152 x 60 f32: shared = columns, rows = 28, chunks = 2",
      "1152 x 60 x 64 f32: shared = rows, columns = 32, threads = 2, chunks = 1",
      "1152 x 40 x 128 f32: rows = 280, threads = 2, tasks = blocks",
    ]
    let source = try compilation().source
    for rule in blocks { #expect(try compilation(rules: rule).source != source, "\(rule)") }
    #expect(try results(rules: blocks.joined(separator: "\n")) == plain)

    let order = """
      4608 x 32 x 288 f32: form = packed  // without minimal filtering
      1152 x 40 x 128 f32: depth = 48
      64 x 60 x 1152 f32: slices = 4, depth = 100
      """
    let changed = try results(rules: order)
    #expect(changed != plain)
    for (one, other) in zip(changed, plain) {
      #expect(InterpreterCheck.difference(one, other) < 1e-4)
    }
    #expect(try results(rules: order, budget: .minimum) == changed)
  }

  @Test(arguments: [
    ("1152 x 60 x 40 f32: depth = 41", "depth: 1 to 40"),
    ("1152 x 60 x 40 f32: rows = 30", "rows: a multiple of 14 below 1152, or all 1152"),
    ("1152 x 60 x 40 f32: columns = 96", "columns: a multiple of 32 up to 64"),
    ("1152 x 60 x 40 f32: slices = 41", "slices: 1 to 40"),
    ("1152 x 60 x 40 f32: slices = 2, rows = 28", "rows: a slice has all 1152"),
    ("1152 x 60 x 40 f32: shared = rows", "shared: every thread has rows of its own here"),
    ("1152 x 60 x 40 f32: threads = 3", "threads: 1 to 2, what --threads allows"),
    ("1152 x 60 x 40 f32: chunks = 1153", "chunks: 1 to 1152"),
    ("1152 x 60 x 40 f32: tasks = blocks, chunks = 2", "chunks: threads have whole blocks here"),
    ("1152 x 60 x 40 f32: tasks = groups", "tasks: threads cannot have whole groups here"),
    ("1152 x 60 x 40 f32: slices = 2, tasks = blocks", "tasks: threads have whole slices here"),
    ("1152 x 60 x 40 f32: form = winograd", "form: it is not computed by minimal filtering"),
    ("4608 x 32 x 288 f32: rows = 28", "rows: it is computed by minimal filtering"),
  ])
  func impossibleSchedulesAreRefused(rule: String, message: String) throws {
    do {
      _ = try compilation(rules: rule)
      Issue.record("\(rule) is taken")
    } catch CompileError.input(let list) {
      #expect(list.diagnostics.contains { $0.message.hasPrefix(message) }, "\(list)")
      let key = message.prefix { $0 != ":" }
      let value = try #require(rule.firstRange(of: "\(key) = "))
      let offset = rule.utf8.distance(from: rule.startIndex, to: value.upperBound)
      #expect(list.diagnostics.map { Int($0.location.offset) } == [offset])
    }
  }

  @Test func fewRowsAreOneBlock() throws {
    var target = Target.cpu()
    target.schedule = try ScheduleRules(text: Array("8 x 512 x 512 f32: rows = 4".utf8))
    let text = """
      func @main(%x: f32[8,512], %w: f32[512,512]) -> f32[8,512] {
        %y = linear %x, %w
        return %y
      }
      """
    do {
      _ = try LoopSamples.compile(text, CompileOptions(target: target))
      Issue.record("4 of 8 rows are taken")
    } catch CompileError.input(let list) {
      #expect(list.diagnostics.map(\.message) == ["rows: all 8"])
    }
  }

  @Test func rulesAboutNothingAreWarnedOf() throws {
    let remarks = try compilation(rules: "\n  7 x 7 x 7 bf16: depth = 7").remarks
    #expect(remarks.map(\.severity) == [.warning] && remarks[0].location.offset == 3)
    #expect(remarks[0].message.hasPrefix("no contraction has the size 7 x 7 x 7 bf16;"))
  }

  @Test(arguments: [
    ("200 x 60 f32: depth = 4", "'f32': ROWS x COLUMNS x DEPTH is expected", 9),
    ("200 x 60 x 40 f31: depth = 4", "'f31': a dtype is expected", 14),
    ("0 x 60 x 40 f32: depth = 4", "'0': a whole number from 1 is expected", 0),
    ("9999999999999999999999 x 1", "'9999999999999999999999': it is too large", 0),
    ("6 x 5 x 4 f32: slices = 1000000000000", "'1000000000000': it is too large", 24),
    ("2 x 6 x 4 f32 depth = 4", "'depth': ':' is expected", 14),
    ("2 x 6 x 4 f32: dept = 4", "'dept': it is one of form, slices,", 15),
    ("2 x 6 x 4 f32: depth 4", "'4': '=' is expected", 21),
    ("2 x 6 x 4 f32: depth = 4 rows = 3", "'rows': ',' is expected", 25),
    ("2 x 6 x 4 f32: depth = 4, depth = 3", "'depth': it is said twice", 26),
    ("2 x 6 x 4 f32: shared = lines", "'lines': it is one of rows, columns", 24),
    ("2 x 6 x 4 f32: depth = 4,", "a key is expected, and the line ends", 25),
    ("2 x 6 x 4 f32:", "a key is expected, and the line ends", 14),
    ("2 x 6 x 4 f32: form = packed\n2 x 6 x 4 f32: depth = 4", "there is a rule for", 29),
    ("\u{FE}", "'\u{FE}': a whole number", 0),
  ])
  func textsAreRefusedWhereTheyAreWrong(text: String, message: String, offset: Int) {
    do {
      _ = try ScheduleRules(text: Array(text.utf8))
      Issue.record("\(text) is taken")
    } catch {
      #expect(error.diagnostics.count == 1)
      #expect(error.diagnostics[0].message.hasPrefix(message), "\(error.diagnostics[0].message)")
      #expect(Int(error.diagnostics[0].location.offset) == offset)
    }
  }

  @Test func textsAreRead() throws {
    let text = """
      // a comment
      6 x 5 x 4 x 3 bf16 * f32: depth=4,shared=rows // another

      6x5x4 f32: form = packed
      """
    // Letters and digits without blanks are one word.
    #expect(throws: DiagnosticList.self) { try ScheduleRules(text: Array(text.utf8)) }
    let rules = try ScheduleRules(text: Array(text.replacing("6x5x4", with: "6 x 5 x 4").utf8))
    #expect(rules.rules.count == 2)
    let size = ContractionSize(
      rows: 6, columns: 5, depth: 4, groups: 3, first: .bf16, second: .f32)
    #expect(size.description == "6 x 5 x 4 x 3 bf16 * f32")
    #expect(rules[size]?.depth == 4 && rules[size]?.shared == .rows)
    #expect(rules[size]?.description == "depth = 4, shared = rows")
  }
}
