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
  /// A compiler of C or CUDA, or a device, is missing or failed.
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
  /// The smallest budget that can be reached, where a budget was refused for it.
  var minimumBudgetBytes: Int?

  init(_ status: ExitCode, _ message: String, rendered: String? = nil) {
    self.status = status
    self.message = message
    self.rendered = rendered
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
      self.init(
        .input, diagnostic.message,
        rendered: DiagnosticRenderer(sources: sources).render([diagnostic]))
    case let list as DiagnosticList:
      self.init(
        .input, list.diagnostics.first?.message ?? "the input is wrong",
        rendered: DiagnosticRenderer(sources: sources).render(list.diagnostics))
    case let error as CompileError: self.init(error, sources: sources)
    case let file as FileError: self.init(.input, file.description)
    case let toolchain as ToolchainError: self.init(.toolchain, toolchain.description)
    default: self.init(.defect, "\(error)")
    }
  }

  private init(_ error: CompileError, sources: SourceMap) {
    let message = error.diagnostics.first?.message ?? "the input is wrong"
    let rendered = error.rendered(with: sources)
    switch error {
    case .input: self.init(.input, message, rendered: rendered)
    case .budget(let budget):
      self.init(.budget, message, rendered: rendered)
      minimumBudgetBytes = budget.minimumBytes
    case .defect: self.init(.defect, message, rendered: rendered)
    }
  }
}
