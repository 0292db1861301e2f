// `ckc inspect`: a stage of the compilation, printed or drawn.

import CheckpointCompiler

/// `ckc inspect`
enum InspectVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    let format = arguments.text(.format) ?? (arguments.isJSON ? "json" : "ir")
    if format == "text" {
      throw Failure.usage("--format text is for plan; inspect takes ir, dot, svg, html or json")
    }
    if arguments.isJSON, format != "json" {
      throw Failure.usage(
        "--json and --format \(format) ask for different things: give one of them")
    }
    let draws = format == "svg" || format == "html"
    let stage =
      arguments.text(.stage).flatMap(Stage.init(rawValue:)) ?? (draws ? .memory : .planned)
    if draws, stage != .memory, stage != .planned {
      throw Failure.usage(
        "--format \(format) draws the memory of the planned step: "
          + "use --format dot for the stage '\(stage.rawValue)'")
    }
    if stage == .schedule, arguments.target.isCUDA {
      throw Failure.usage("--stage schedule is of emitted C, and the target is CUDA")
    }
    let job = try GraphJob(arguments, lastStage: stage)
    guard let compilation = try job.compile(console: console) else { return }
    let text: String? =
      switch format {
      case "json": compilation.json(after: stage).map { $0.prettyText }
      case "svg": compilation.timelineSVG()
      case "html": compilation.timelineHTML()
      case "dot": compilation.dot(after: stage)
      default: compilation.text(after: stage)
      }
    guard let text else { throw Failure(.defect, "the stage '\(stage.rawValue)' made nothing") }
    try writeResult(text, arguments, console: console)
  }
}
