// How a command ends when it does not succeed.

import CheckpointCompiler

/// The exit statuses of `ckc`.
enum ExitCode: Int32, Sendable {
  /// Done.
  case done = 0
  /// The input is wrong.
  case input = 1
  /// The command line is wrong.
  case usage = 2
  /// The budget cannot be met.
  case budget = 3
  /// A compiler of C or CUDA, or a device, is missing or failed, or the machine has too little memory.
  case toolchain = 4
  /// A defect of `ckc`.
  case defect = 70
}

/// The end of a command, with what to tell.
struct Failure: Error, Sendable {
  /// The exit status.
  var status: ExitCode
  /// The message, without `ckc: error:`.
  var message: String
  /// Diagnostics with their source lines, printed in place of the message.
  var rendered: String?
  /// The diagnostics for machines; where there are none, the message.
  var diagnostics: [JSONValue]
  /// The smallest budget that can be reached, where a budget was refused for it.
  var minimumBudgetBytes: Int?

  init(_ status: ExitCode, _ message: String, rendered: String? = nil) {
    self.status = status
    self.message = message
    self.rendered = rendered
    diagnostics = [["severity": "error", "message": .string(message)]]
  }

  /// Diagnostics, the first of which gives the message.
  private init(_ status: ExitCode, _ diagnostics: [Diagnostic], sources: SourceMap) {
    self.init(
      status, diagnostics.first?.message ?? "the input is wrong",
      rendered: DiagnosticRenderer(sources: sources).render(diagnostics))
    self.diagnostics = diagnostics.map { $0.json(sources) }
  }

  /// A wrong command line.
  static func usage(_ message: String) -> Failure { Failure(.usage, message) }
  /// A wrong input.
  static func input(_ message: String) -> Failure { Failure(.input, message) }

  /// What an error of the library means for the exit status.
  init(_ error: any Error, sources: SourceMap = SourceMap()) {
    switch error {
    case let failure as Failure: self = failure
    case let diagnostic as Diagnostic:
      self.init(.input, [diagnostic], sources: sources)
    case let list as DiagnosticList: self.init(.input, list.diagnostics, sources: sources)
    case let error as CompileError: self.init(error, sources: sources)
    case let file as FileError: self.init(.input, file.description)
    case let toolchain as ToolchainError: self.init(.toolchain, toolchain.description)
    default: self.init(.defect, "\(error)")
    }
  }

  private init(_ error: CompileError, sources: SourceMap) {
    let diagnostics = error.diagnostics
    switch error {
    case .input: self.init(.input, diagnostics, sources: sources)
    case .budget(let budget):
      self.init(.budget, diagnostics, sources: sources)
      minimumBudgetBytes = budget.minimumBytes
    case .defect: self.init(.defect, diagnostics, sources: sources)
    }
  }
}

extension Diagnostic {
  /// The diagnostic for machines, with file, line and column where it has a place.
  fileprivate func json(_ sources: SourceMap) -> JSONValue {
    var members = [
      JSONMember("severity", .string(severity.rawValue)), JSONMember("message", .string(message)),
    ]
    if sources.files.indices.contains(Int(location.file)) {
      let file = sources.files[Int(location.file)]
      let place = file.position(of: min(max(0, Int(location.offset)), file.text.count))
      members.append(JSONMember("file", .string(file.name)))
      members.append(JSONMember("line", .integer(place.line)))
      members.append(JSONMember("column", .integer(place.column)))
    }
    if let constraint { members.append(JSONMember("constraint", .string(constraint))) }
    if !notes.isEmpty {
      members.append(JSONMember("notes", .array(notes.map { $0.json(sources) })))
    }
    return .object(members)
  }
}
