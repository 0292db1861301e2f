// `ckc pack`: the packer alone, on buffers with lifetimes.

import CheckpointCompiler

/// `ckc pack`
enum PackVerb {
  static func run(_ arguments: Arguments, console: Console) throws -> ExitCode {
    let problem = try GraphJob.parse(arguments.operands[0]) {
      try PlacementProblem(csv: $0, file: $1)
    }
    var options = PackOptions(capacityBytes: arguments.bytes(.capacity))
    if let seconds = arguments.number(.timeLimit) { options.setTimeLimit(seconds: seconds) }
    let start = ContinuousClock.now
    let result = pack(problem, options: options)
    let seconds = start.duration(to: .now) / .seconds(1)
    do {
      try PlacementChecker(problem).check(result.plan)
    } catch {
      throw Failure(.defect, "the checker refused the placement: \(error.message)")
    }
    if result.status == .infeasible, let capacity = options.capacityBytes {
      let height = result.plan.arenaBytes
      let bound = result.lowerBoundBytes
      console.printError(
        "ckc: error: no packing in \(capacity) bytes was found: the lowest has \(height) bytes, and "
          + (bound > capacity ? "none has fewer than \(bound)" : "none is below \(bound)") + "\n")
      if arguments.isJSON { console.print(result.json(seconds: seconds)) }
      return .budget
    }
    let path = arguments.text(.output)
    if path != nil || !arguments.isJSON {
      try writeResult(problem.csv(plan: result.plan), arguments, console: console)
    }
    if arguments.isJSON {
      console.print(result.json(seconds: seconds))
    } else if let path, path != "-" {
      console.print(
        "\(result.status.rawValue): height \(result.plan.arenaBytes) bytes, no packing is below "
          + "\(result.lowerBoundBytes)\n")
    }
    return .done
  }
}
