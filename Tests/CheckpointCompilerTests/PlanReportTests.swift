import Testing

@testable import CheckpointCompiler

@Suite struct PlanReportTests {
  /// A forward graph of layers, each a contraction with an activation, and a product that is added up:
  /// the backward part needs %h0 up to the last %h, of 512 bytes each.
  static func layers(_ count: Int) -> String {
    var text = "func @main(%x: f32[8,16]"
    for i in 1...count { text += ", param %w\(i): f32[16,16]" }
    text += ") -> (loss %loss: f32) {\n  %h0 = negate %x\n"
    for i in 1...count {
      text += "  %z\(i) = dot_general %h\(i - 1), %w\(i) {lhs_contract = [1], rhs_contract = [0]}\n"
      text += "  %h\(i) = tanh %z\(i)\n"
    }
    text += "  %p = dot_general %h\(count), %w\(count) {lhs_contract = [1], rhs_contract = [0]}\n"
    return text + "  %loss = reduce %p {kind = add, dims = [0, 1]}\n  return %loss\n}\n"
  }

  /// The layers, planned; little search keeps the tests quick.
  static func compile(
    _ options: CompileOptions = CompileOptions(budget: .percent(60)), length: Int = 5
  ) throws -> Compilation {
    var options = options
    options.lastStage = .memory
    options.effort = 0.02
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(layers(length).utf8), fileName: "layers.ir",
      sources: &sources)
  }

  @Test func figuresAgreeWithThePlan() throws {
    let compilation = try Self.compile()
    let report = try #require(PlanReport(compilation))
    let step = try #require(compilation.step)
    let keepAll = try #require(compilation.keepAll)
    #expect(report.name == "main" && report.target == "c" && report.strategy == "auto")
    #expect(report.arenaBytes == step.arenaBytes)
    #expect(report.keepAllArenaBytes == keepAll.arenaBytes)
    #expect(report.budgetBytes == keepAll.arenaBytes * 60 / 100)
    #expect(try #require(report.minimumBudgetBytes) <= report.arenaBytes)
    #expect(report.inputBytes == 512 && report.parameterBytes == 5120 && report.stateBytes == 0)
    #expect(report.resultBytes == 5124)
    #expect(report.kernels - report.recomputedKernels == keepAll.computations.count)
    #expect(report.recomputedKernels > 0 && !report.recomputed.isEmpty && !report.kept.isEmpty)
    #expect(Set(report.kept).isDisjoint(with: report.recomputed))
    #expect((report.kept + report.recomputed).sorted() == (0..<6).map { "h\($0)" })
    let overhead = try #require(report.overhead)
    #expect(abs(overhead - (report.cost / keepAll.costNs - 1)) < 1e-12 && overhead > 0)
  }

  @Test func jsonHasTheKeysThatAreDocumented() throws {
    let report = try #require(PlanReport(try Self.compile(), files: ["a.c"]))
    let value = try JSONValue.parse(Array(report.json().utf8))
    #expect(
      value.objectValue?.map(\.key) == [
        "name", "target", "strategy", "budgetBytes", "arenaBytes", "peakLiveBytes",
        "keepAllArenaBytes", "minimumBudgetBytes", "persistentBytes", "cost", "keepAllCost",
        "lowerBoundCost", "overhead", "gap", "kernels", "recomputedKernels", "kept", "recomputed",
        "recomputedInRegisters", "files", "seconds",
      ])
    #expect(
      value["persistentBytes"]?.objectValue?.map(\.key) == [
        "inputs", "parameters", "state", "results",
      ])
    #expect(value["files"] == ["a.c"])
  }

  @Test func aTextThatWasPlannedTellsTheSameValues() throws {
    let compilation = try Self.compile()
    let report = try #require(PlanReport(compilation))
    let text = Printer.print(try #require(compilation.step).function)
    var sources = SourceMap()
    let again = try Compiler(options: CompileOptions(lastStage: .memory)).compile(
      Array(text.utf8), fileName: "planned.ir", sources: &sources)
    let other = try #require(PlanReport(again))
    #expect(other.strategy == "given" && other.keepAllArenaBytes == nil && other.gap == nil)
    #expect(other.arenaBytes == report.arenaBytes)
    #expect(other.recomputedKernels == report.recomputedKernels)
    #expect(other.kept.sorted() == report.kept.sorted())
    #expect(Set(other.recomputed) == Set(report.recomputed))
    #expect(other.text().contains("strategy given"))
  }

  @Test func nothingIsAShareOfNoMemory() throws {
    var sources = SourceMap()
    let text = """
      func @main(%x: f32[4], param %w: f32[4]) -> (loss %loss: f32) {
        %h = multiply %x, %w
        %loss = reduce %h {kind = add, dims = [0]}
        return %loss
      }
      """
    let options = CompileOptions(pins: [ValuePin(value: "loss", .recompute)])
    let compilation = try Compiler(options: options).compile(
      Array(text.utf8), fileName: "net.ir", sources: &sources)
    let report = try #require(PlanReport(compilation))
    #expect(report.keepAllArenaBytes == 0 && report.arenaBytes > 0)
    #expect(report.text().contains("64 B  0 B, when everything is kept"), "\(report.text())")
  }

  @Test func aSavedPlanIsReadBack() throws {
    let compilation = try Self.compile()
    let plan = try #require(SavedPlan(compilation))
    #expect(try SavedPlan(json: Array(plan.json().utf8)) == plan)
    let again = try Self.compile(CompileOptions(plan: plan))
    #expect(again.step?.arenaBytes == compilation.step?.arenaBytes)
    #expect(throws: CompileError.self) {
      try Self.compile(CompileOptions(budget: .bytes(64), plan: plan))
    }
    for wrong in [
      "{}", "[1]", "{\"kernels\":[1],\"order\":[]}", "{\"kernels\":[],\"order\":[0.5]}",
    ] {
      #expect(throws: Diagnostic.self) { try SavedPlan(json: Array(wrong.utf8)) }
    }
    let wrong = "{\"order\":[0,\n [1]], \"kernels\":[\"a\"]}"
    let error = #expect(throws: Diagnostic.self) { try SavedPlan(json: Array(wrong.utf8)) }
    #expect(error?.location.offset == 14, "\(String(describing: error))")
  }

  @Test func measuredCostsAreReadBack() throws {
    let costs = ["b#1": 2.5, "a#2": 1000]
    let text = MeasuredCosts.json(costs)
    #expect(try MeasuredCosts.read(json: Array(text.utf8)) == costs)
    for wrong in [
      "{}", "{\"kernels\":[]}", "{\"kernels\":{\"a\":-1}}", "{\"kernels\":{\"a\":\"\"}}",
    ] {
      #expect(throws: Diagnostic.self) { try MeasuredCosts.read(json: Array(wrong.utf8)) }
    }
    let wrong = "{\"kernels\":{\"a\":1,\"b\": -1}}"
    let error = #expect(throws: Diagnostic.self) {
      try MeasuredCosts.read(json: Array(wrong.utf8))
    }
    #expect(error?.location.offset == 23, "\(String(describing: error))")
  }

  @Test func explainsWhatBecomesOfValues() throws {
    let compilation = try Self.compile()
    let report = try #require(PlanReport(compilation))
    func explain(_ name: String) throws -> ValueExplanation {
      try #require(try compilation.explain(name))
    }
    let kept = try explain(report.kept[0])
    #expect(kept.decision == .kept && kept.runs == 1 && kept.lives.count == 1)
    let recomputed = try explain(report.recomputed[0])
    #expect(recomputed.decision == .recomputed && recomputed.runs == recomputed.lives.count)
    #expect(recomputed.runs > 1 && recomputed.backwardReaders > 0)
    #expect(try explain("x").decision == .argument)
    #expect(try explain("loss").decision == .result)
    #expect(try explain("p").decision == .shortLived)
    #expect(try explain("d.z3").decision == .backward)
    do {
      _ = try explain("h55")
      Issue.record("a value that does not exist was explained")
    } catch let error as Diagnostic {
      #expect(error.message == "no value %h55; did you mean 'h5'?")
    }
  }

  @Test func theCurveFallsStrictly() throws {
    let curve = try #require(try Self.compile(CompileOptions()).paretoCurve(count: 5))
    #expect(curve.points.count > 2)
    for (point, next) in zip(curve.points, curve.points.dropFirst()) {
      #expect(point.arenaBytes < next.arenaBytes && point.cost > next.cost)
    }
    #expect(curve.points.last?.arenaBytes == curve.keepAllArenaBytes)
    #expect(curve.text().split(separator: "\n").count == curve.points.count + 1)
  }

  @Test func describesQuantities() {
    #expect(
      describeNs(0) == "0 ns" && describeNs(999.6) == "1 µs" && describeNs(12_345) == "12.3 µs")
    #expect(describeNs(2.5e9) == "2.5 s" && describePercent(0.1234) == "12.3 %")
    #expect(decimalText(-0.001) == "0" && decimalText(-1.5) == "-1.5")
    #expect(decimalText(.infinity) == "∞" && decimalText(1e300) == "1e+300")
  }
}
