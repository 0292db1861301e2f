// From the words of a command line to an exit status.

import CheckpointCompiler

/// Runs commands.
enum Commands {
  /// Runs one command line and returns the exit status.
  ///
  /// - Parameters:
  ///   - words: The words after the name of the program.
  ///   - console: Where it writes.
  /// - Returns: The exit status.
  static func run(_ words: [String], console: Console) -> ExitCode {
    var isJSON = words.contains(OptionName.json.spelling)
    do {
      let arguments = try Arguments.parse(words)
      isJSON = arguments.isJSON
      if arguments.wantsHelp {
        try HelpVerb.run(arguments.verb, isJSON: isJSON, console: console)
        return .done
      }
      try arguments.refuseOverwriting()
      let status = try perform(arguments, console: console)
      if status == .done {
        for option in arguments.unread {
          console.warn("\(option.spelling) changes nothing here")
        }
      }
      return status
    } catch {
      let failure = Failure(error)
      console.printError(failure.rendered ?? "ckc: error: \(failure.message)\n")
      if isJSON {
        let status = JSONValue.integer(Int(failure.status.rawValue))
        var members = [
          JSONMember("error", .string(failure.message)), JSONMember("exitStatus", status),
        ]
        if let bytes = failure.minimumBudgetBytes {
          members.append(JSONMember("minimumBudgetBytes", .integer(bytes)))
        }
        members.append(JSONMember("diagnostics", .array(failure.diagnostics)))
        console.print(JSONValue.object(members).compactText + "\n")
      }
      return failure.status
    }
  }

  private static func perform(_ arguments: Arguments, console: Console) throws -> ExitCode {
    switch arguments.verb {
    case .version: VersionVerb.run(arguments, console: console)
    case .help: try HelpVerb.run(arguments, console: console)
    case .completions: CompletionsVerb.run(arguments, console: console)
    case .inspect: try InspectVerb.run(arguments, console: console)
    case .import: try ImportVerb.run(arguments, console: console)
    case .solve: return try SolveVerb.run(arguments, console: console)
    case .pack: return try PackVerb.run(arguments, console: console)
    case .fmt: return try FmtVerb.run(arguments, console: console)
    case .ops: try OpsVerb.run(arguments, console: console)
    case .plan: try PlanVerb.run(arguments, console: console)
    case .explain: try ExplainVerb.run(arguments, console: console)
    case .compile: try CompileVerb.run(arguments, console: console)
    case .run: try RunVerb.run(arguments, console: console)
    case .train: try TrainVerb.run(arguments, console: console)
    case .check: return try CheckVerb.run(arguments, console: console)
    case .profile: try ProfileVerb.run(arguments, console: console)
    }
    return .done
  }
}
