// `ckc plan`: what would be kept and recomputed, and what it costs.

import CheckpointCompiler

/// `ckc plan`
enum PlanVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    let format = arguments.text(.format) ?? (arguments.isJSON ? "json" : "text")
    let isCurve = arguments.has(.pareto)
    let isComparison = arguments.has(.compare)
    guard ["text", "json", "svg"].contains(format) else {
      throw Failure.usage(
        "--format \(format) is for inspect; plan takes text, svg or json")
    }
    if arguments.isJSON, format != "json" {
      throw Failure.usage(
        "--json and --format \(format) ask for different things: give one of them")
    }
    if isCurve, isComparison {
      throw Failure.usage("--pareto and --compare ask for different things: give one of them")
    }
    var job = try GraphJob(arguments, lastStage: .memory)
    if isComparison {
      try compare(&job, arguments, format: format, console: console)
      return
    }
    guard isCurve else {
      guard let compilation = try job.compile(console: console) else { return }
      guard let report = PlanReport(compilation), let drawing = compilation.timelineSVG() else {
        throw Failure(.defect, "planning made nothing")
      }
      let text =
        switch format {
        case "json": report.json()
        case "svg": drawing
        default: report.text()
        }
      try writeResult(text, arguments, console: console)
      return
    }
    // The curve has a plan for every budget.
    for option in [OptionName.budget, .maxOverhead, .strategy, .planFile]
    where arguments.has(option) {
      console.warn("\(option.spelling) changes nothing beside --pareto")
    }
    job.options.budget = .unlimited
    job.options.maxOverhead = nil
    job.options.strategy = .auto
    job.options.plan = nil
    guard let compilation = try job.compile(console: console) else { return }
    guard let curve = try compilation.paretoCurve() else {
      throw Failure.input(
        "\(job.fileName): the graph holds 'no_grad' or 'recompute' regions and is planned: "
          + "there is one plan only")
    }
    let text =
      switch format {
      case "json": curve.jsonValue.compactText + "\n"
      case "svg": curve.svg()
      default: curve.text()
      }
    try writeResult(text, arguments, console: console)
  }

  /// Prints what each strategy makes of the kernels of the graph.
  private static func compare(
    _ job: inout GraphJob, _ arguments: Arguments, format: String, console: Console
  ) throws {
    for option in [OptionName.maxOverhead, .strategy, .planFile] where arguments.has(option) {
      console.warn("\(option.spelling) changes nothing beside --compare")
    }
    job.options.budget = .unlimited
    job.options.maxOverhead = nil
    job.options.strategy = .none
    job.options.plan = nil
    guard let compilation = try job.compile(console: console) else { return }
    guard let (problem, options) = compilation.planningProblem else {
      throw Failure.input(
        "\(job.fileName): the graph holds 'no_grad' or 'recompute' regions and is planned: "
          + "there is nothing to compare")
    }
    let text = try StrategyTable.text(
      of: problem, name: compilation.step?.function.name ?? "", budget: arguments.budget,
      options: options, format: format)
    try writeResult(text, arguments, console: console)
  }
}
