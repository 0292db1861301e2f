// The command line of `ckc-bench plan`.

import CheckpointCompiler
import Foundation

/// What is asked of the benchmark of the planner.
struct PlanBenchArguments {
  static let usage = """
    usage: ckc-bench plan FILE.json… [--budgets 0.9,0.8,…] [--order given|free] [--time-limit S]
    """

  var paths: [String] = []
  /// Fractions of the peak of keeping everything.
  var budgets = [0.9, 0.8, 0.7, 0.6, 0.5]
  var order = RematOrder.free
  var seconds = 10.0

  init(_ words: [String]) throws(BenchError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--budgets":
        budgets = []
        for part in (rest.popFirst() ?? "").split(separator: ",", omittingEmptySubsequences: false)
        {
          guard let fraction = Double(part), fraction > 0, fraction.isFinite else {
            throw BenchError(message: "--budgets takes fractions such as 0.9,0.5, not '\(part)'")
          }
          budgets.append(fraction)
        }
      case "--order":
        let name = rest.popFirst() ?? ""
        guard let order = RematOrder(rawValue: name) else {
          throw BenchError(message: "--order takes 'given' or 'free', not '\(name)'")
        }
        self.order = order
      case "--time-limit":
        let text = rest.popFirst() ?? ""
        guard let seconds = Double(text), seconds >= 0, seconds.isFinite else {
          throw BenchError(message: "--time-limit takes seconds, not '\(text)'")
        }
        self.seconds = seconds
      default:
        guard !word.hasPrefix("-") else {
          throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
        }
        paths.append(word)
      }
    }
    if paths.isEmpty { throw BenchError(message: Self.usage) }
  }
}
