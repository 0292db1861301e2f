// StableHLO programs from elsewhere: read, interpreted, compiled under two budgets, run, compared.
//
// Method      Each program is executed by the reference interpreter, and as compiled C twice: keeping
//             everything, and within half of that memory, or the least that is possible. Every run is compared
//             with what the program must give, and the two compiled runs with each other, bit by bit. Programs
//             without values are planned only.
// Output      A row per program with arguments, and per program that does not pass; then a count.

import CheckpointCompiler
import Foundation

/// The benchmark of conformance.
struct ConformanceBench {
  static let usage =
    "usage: ckc-bench conformance DIR|FILE.mlir… [--filter TEXT] [--cc PATH] [--jobs N] [--all]"

  private var paths: [String] = []
  private var filter = ""
  private var compiler: String?
  private var jobs = 2
  private var printsAll = false

  init(_ words: [String]) throws(BenchError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--filter": filter = rest.popFirst() ?? ""
      case "--cc": compiler = rest.popFirst()
      case "--all": printsAll = true
      case "--jobs":
        let text = rest.popFirst() ?? ""
        guard let count = Int(text), (1...256).contains(count) else {
          throw BenchError(message: "--jobs takes a number of threads, not '\(text)'")
        }
        jobs = count
      default:
        guard !word.hasPrefix("-") else {
          throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
        }
        paths.append(word)
      }
    }
    if paths.isEmpty { throw BenchError(message: Self.usage) }
  }

  /// What became of one program.
  private struct Row: Sendable {
    var name: String
    var cells: [String] = []
    var complaint: String?
    var isPlannedOnly = false
  }

  /// Prints the table; false if a program does not pass.
  func run() throws(BenchError) -> Bool {
    let files = try ConformanceFile.files(in: paths).filter {
      filter.isEmpty || $0.path.contains(filter) || $0.name.contains(filter)
    }
    guard !files.isEmpty else { throw BenchError(message: "no .mlir file is there") }
    let driver: CompilerDriver
    do {
      driver = try CompilerDriver(preferred: compiler)
    } catch {
      throw BenchError(message: "\(error)")
    }
    print(
      line(
        "program",
        [
          "ops", "read s", "plan s", "keep all", "least", "budget", "overhead %", "XLA temp",
        ], "status"))
    let rows = concurrentMap(files.count, threadCount: jobs) { index -> Row in
      let row = row(files[index], driver)
      if printsAll || row.complaint != nil || !row.cells.isEmpty { show(row) }
      return row
    }
    let failed = rows.count { $0.complaint != nil }
    let plannedOnly = rows.count { $0.complaint == nil && $0.isPlannedOnly }
    let passed = rows.count - failed - plannedOnly
    let share = 100 * Double(rows.count - failed) / Double(rows.count)
    print(
      "\(passed) of \(rows.count) programs pass, \(plannedOnly) are planned only, \(failed) fail "
        + "(\(PlanBench.number(share, 1)) % without failure)")
    return failed == 0
  }

  private func show(_ row: Row) {
    let cells = row.cells.isEmpty ? Array(repeating: "", count: 8) : row.cells
    print(
      line(row.name, cells, row.complaint ?? (row.isPlannedOnly ? "planned" : "pass")))
  }

  // MARK: One program

  private func row(_ file: ConformanceFile, _ driver: CompilerDriver) -> Row {
    var row = Row(name: file.name)
    do {
      let program = try ConformanceCase(file)
      row.isPlannedOnly = program.arguments == nil
      let plans = try Plans(program, stage: row.isPlannedOnly ? .memory : .code)
      if !program.module.entry.arguments.isEmpty { row.cells = cells(program, plans) }
      if let arguments = program.arguments {
        row.complaint = try complaint(program, plans, arguments, driver)
      }
    } catch let error as BenchError {
      let lines = error.message.split(separator: "\n")
      row.complaint = lines.first.map(String.init) ?? "it failed"
    } catch {
      row.complaint = "\(error)"
    }
    return row
  }

  private func cells(_ program: ConformanceCase, _ plans: Plans) -> [String] {
    let all = plans.keepAll
    let share = Double(plans.small.arenaBytes) / Double(max(1, all.arenaBytes))
    let overhead = all.costNs > 0 ? 100 * (plans.small.costNs / all.costNs - 1) : 0
    return [
      "\(program.opCount)", PlanBench.number(program.readSeconds, 2),
      PlanBench.number(plans.seconds, 2), describeBytes(all.arenaBytes),
      "\(PlanBench.number(100 * share, 0)) %", plans.isHalf ? "50 %" : "min",
      PlanBench.number(max(0, overhead), 1), program.peerBytes.map { describeBytes($0) } ?? "-",
    ]
  }

  /// The plans of a program: everything kept, and half of that memory or the least.
  private struct Plans {
    var compilations: [Compilation]
    var isHalf = true
    var seconds: Double

    init(_ program: ConformanceCase, stage: Stage) throws {
      let start = ContinuousClock.now
      var options = CompileOptions(name: "p", strategy: .none, lastStage: stage)
      func compiled() throws -> Compilation {
        do {
          return try Compiler(options: options).compile(program.module, sources: program.sources)
        } catch CompileError.budget(let error) {
          throw CompileError.budget(error)
        } catch {
          throw BenchError(message: error.rendered(with: program.sources))
        }
      }
      compilations = [try compiled()]
      options.strategy = .auto
      options.budget = .percent(50)
      do {
        compilations.append(try compiled())
      } catch CompileError.budget {
        isHalf = false
        options.budget = .minimum
        compilations.append(try compiled())
      }
      seconds = start.duration(to: .now) / .seconds(1)
    }

    var keepAll: PlannedStep { compilations[0].step! }
    var small: PlannedStep { compilations[1].step! }
  }

  /// What is wrong with the interpreted or the compiled program; nil where nothing is.
  private func complaint(
    _ program: ConformanceCase, _ plans: Plans, _ arguments: [Tensor], _ driver: CompilerDriver
  ) throws -> String? {
    // The functions as they were read, and what is derived from them, if anything is.
    let function = plans.compilations[0].differentiated ?? program.module.entry
    let meaning = try interpret(
      program.module.entry.results.count == function.results.count
        ? program.module.entry : function, in: program.module, arguments: arguments)
    if let complaint = program.complaint(meaning, of: function) {
      return "interpreter: \(complaint)"
    }
    var results: [[Tensor]] = []
    for compilation in plans.compilations {
      let step = try CompiledStep(compilation, driver: driver, defines: ["CKC_POISON"])
      for (index, tensor) in arguments.enumerated() { step.setArgument(index, to: tensor) }
      step.fillArena(0xA5)
      guard step.run() == 0 else { return "compiled: the step does not return 0" }
      if let broken = step.brokenGuards.first {
        return "compiled: writes past the end of \(broken)"
      }
      results.append(step.resultValues)
      if let complaint = program.complaint(results.last!, of: function) {
        return "compiled: \(complaint)"
      }
    }
    for (index, result) in results[1].enumerated() where result != results[0][index] {
      return "%\(function.results[index].name) has other bits within the budget"
    }
    return nil
  }

  private func line(_ name: String, _ cells: [String], _ status: String) -> String {
    func pad(_ text: String, _ width: Int, before: Bool) -> String {
      let space = String(repeating: " ", count: max(1, width - text.count))
      return before ? space + text : text + space
    }
    return pad(name, 34, before: false) + cells.map { pad($0, 11, before: true) }.joined()
      + "  " + status
  }
}
