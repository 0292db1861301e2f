// `ckc solve`: the planner alone, on a graph of costs and sizes.

import CheckpointCompiler

/// `ckc solve`
enum SolveVerb {
  static func run(_ arguments: Arguments, console: Console) throws -> ExitCode {
    let problem = try GraphJob.parse(arguments.operands[0]) {
      try RematProblem(json: $0, file: $1)
    }
    var options = SolveOptions()
    if arguments.text(.order) == "given" { options.order = .given }
    if let effort = arguments.number(.effort) { options.effort = effort }
    if let seconds = arguments.number(.timeLimit) { options.setTimeLimit(seconds: seconds) }
    let isComparison = arguments.has(.compare)
    let format = arguments.text(.format) ?? (arguments.isJSON || !isComparison ? "json" : "text")
    guard (isComparison ? ["text", "json", "svg"] : ["json"]).contains(format) else {
      throw Failure.usage(
        isComparison
          ? "--format \(format) is for inspect; solve --compare takes text, svg or json"
          : "--format \(format): solve writes JSON, and text or svg with --compare")
    }
    if arguments.isJSON, format != "json" {
      throw Failure.usage(
        "--json and --format \(format) ask for different things: give one of them")
    }
    if isComparison {
      if arguments.has(.strategy) {
        console.warn("\(OptionName.strategy.spelling) changes nothing beside --compare")
      }
      let text = try StrategyTable.text(
        of: problem, name: "", budget: arguments.budget ?? problem.budgetBytes.map { .bytes($0) },
        options: options, format: format)
      try writeResult(text, arguments, console: console)
      return .done
    }
    if let name = arguments.text(.strategy) { options.strategy = RematStrategy(rawValue: name)! }
    let start = ContinuousClock.now
    switch arguments.budget {
    case .bytes(let bytes): options.budgetBytes = bytes
    case .percent(let percent):
      let keepAll = solve(problem, options: SolveOptions(strategy: .none)).keepAllPeakBytes
      options.budgetBytes = Budget.bytes(percent: percent, of: keepAll)
    case .minimum:
      var smallest = options
      smallest.budgetBytes = 0
      options.budgetBytes = solve(problem, options: smallest).minimumBudgetBytes
    case nil: options.budgetBytes = problem.budgetBytes
    }
    let result = solve(problem, options: options)
    let seconds = start.duration(to: .now) / .seconds(1)
    try check(result, problem)
    for remark in result.remarks { console.warn(remark) }
    if result.status == .infeasible {
      console.printError("ckc: error: \(refusal(result, problem))\n")
      if arguments.isJSON { console.print(result.json(seconds: seconds)) }
      return .budget
    }
    try writeResult(result.json(seconds: seconds), arguments, console: console)
    if let path = arguments.text(.output), path != "-", !arguments.isJSON {
      console.print(summary(result))
    }
    return .done
  }

  /// The figures in one line.
  private static func summary(_ result: SolveResult) -> String {
    "\(result.status.rawValue): peak \(describeBytes(result.peakBytes)) of "
      + "\(describeBytes(result.keepAllPeakBytes)), cost \(describePercent(result.overhead)) above "
      + "keeping everything, at most \(describePercent(result.gap)) above the optimum\n"
  }

  private static func refusal(_ result: SolveResult, _ problem: RematProblem) -> String {
    let floor = result.minimumBudgetLowerBound
    var text =
      "the budget of \(result.budgetBytes ?? 0) bytes cannot be met: the smallest that was reached "
      + "is \(result.minimumBudgetBytes) bytes, and none is below \(floor)"
    if problem.nodes.indices.contains(result.minimumBudgetNode) {
      let name = problem.nodes[result.minimumBudgetNode].name
      text += ", which node \(result.minimumBudgetNode)\(name.isEmpty ? "" : " '\(name)'") needs"
    }
    return text
  }

  /// Re-checks the schedule and its figures.
  private static func check(_ result: SolveResult, _ problem: RematProblem) throws(Failure) {
    do throws(Diagnostic) {
      try RematChecker(problem).check(result)
    } catch {
      throw Failure(.defect, "the checker refused the schedule: \(error.message)")
    }
  }
}
