// The `ckc` command.

import Foundation

@main
enum Main {
  static func main() {
    let status = Commands.run(
      Array(ProcessInfo.processInfo.arguments.dropFirst()), console: .standard())
    exit(status.rawValue)
  }
}
