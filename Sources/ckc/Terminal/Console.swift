// Where a command writes, so that tests can look at it.

import CheckpointCompiler
import Foundation

/// The two output streams of a command.
final class Console {
  private let writeOutput: (String) -> Void
  private let writeError: (String) -> Void
  /// Whether standard error is a terminal.
  let errorIsTerminal: Bool
  /// The number of columns of that terminal.
  let columns: () -> Int

  /// A console that hands its text to closures.
  init(
    errorIsTerminal: Bool = false, columns: @escaping () -> Int = { 80 },
    output: @escaping (String) -> Void, error: @escaping (String) -> Void
  ) {
    self.errorIsTerminal = errorIsTerminal
    self.columns = columns
    writeOutput = output
    writeError = error
  }

  /// The streams of this process.
  static func standard() -> Console {
    Console(
      errorIsTerminal: isatty(2) == 1,
      columns: {
        var size = winsize()
        return ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
      },
      output: { Console.write($0, to: 1) }, error: { Console.write($0, to: 2) })
  }

  /// Writes to standard output.
  func print(_ text: String) { writeOutput(text) }
  /// Writes to standard error.
  func printError(_ text: String) { writeError(text) }
  /// Writes a warning.
  func warn(_ text: String) { writeError("ckc: warning: \(text)\n") }

  private static func write(_ text: String, to descriptor: Int32) {
    if writeAll(Array(text.utf8), to: descriptor) { return }
    // Nothing can be told where standard error fails.
    if descriptor == 1 { write("ckc: error: cannot write standard output\n", to: 2) }
    exit(ExitCode.input.rawValue)
  }
}
