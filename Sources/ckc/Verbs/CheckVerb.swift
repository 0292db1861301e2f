// `ckc check`

import CheckpointCompiler

/// Compiles a graph, runs it, and compares what happens with what was promised.
enum CheckVerb {
  static func run(_ arguments: Arguments, console: Console) throws -> ExitCode {
    let job = try GraphJob(arguments, lastStage: .code)
    let given = try GivenValues(arguments)
    let tolerance = arguments.number(.tolerance) ?? 1e-5
    let driver = try arguments.compilerDriver()
    guard let compilation = try job.compile(console: console) else { return .done }
    var check = StepCheck(
      job: job, compilation: compilation, given: given, driver: driver, seed: arguments.seed,
      threads: min(max(2, arguments.threadCount), job.options.target.threadsMax))
    try check.gradients(tolerance: tolerance)
    if job.options.target.isCUDA {
      try check.cuda(arguments)
    } else {
      try check.plan()
    }
    let hasPassed = check.outcomes.allSatisfy { $0.isPassed != false }
    if arguments.isJSON {
      let value: JSONValue = [
        "name": .string(compilation.name), "passed": .bool(hasPassed),
        "arenaBytes": .integer(compilation.step?.arenaBytes ?? 0),
        "checks": .array(check.outcomes.map(\.json)),
      ]
      console.print(value.compactText + "\n")
    } else {
      let rows = check.outcomes.map { [$0.word, $0.name, $0.detail] }
      for line in alignedColumns(rows, rightAligned: [false, false, false]) {
        console.print(line + "\n")
      }
    }
    return hasPassed ? .done : .input
  }
}
