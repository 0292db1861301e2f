// The command line of `ckc-bench plan`.

import CheckpointCompiler
import Foundation

/// What is asked of the benchmark of the planner.
struct PlanBenchArguments {
  static let usage = """
    usage: ckc-bench plan FILE.json… [--generate chain:N|branching:N] [--budgets 0.9,0.8,…]
                          [--order given|free] [--time-limit S] [--compare]
    """

  var paths: [String] = []
  /// Names of problems to make.
  var generated: [String] = []
  /// Fractions of the peak of keeping everything.
  var budgets = [0.9, 0.8, 0.7, 0.6, 0.5]
  var order = RematOrder.free
  var seconds = 10.0
  /// A row for every strategy instead of a row for every budget.
  var isComparison = false

  init(_ words: [String]) throws(BenchError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--budgets":
        budgets = []
        for part in (rest.popFirst() ?? "").split(separator: ",", omittingEmptySubsequences: false)
        {
          guard let fraction = Double(part), fraction > 0, fraction <= 1 else {
            throw BenchError(
              message: "--budgets takes fractions of at most 1, such as 0.9,0.5, not '\(part)'")
          }
          budgets.append(fraction)
        }
      case "--order":
        let name = rest.popFirst() ?? ""
        guard let order = RematOrder(rawValue: name) else {
          throw BenchError(message: "--order takes 'given' or 'free', not '\(name)'")
        }
        self.order = order
      case "--generate":
        let name = rest.popFirst() ?? ""
        guard name.contains(":") else {
          throw BenchError(message: "--generate takes a name such as 'chain:1000', not '\(name)'")
        }
        generated.append(name)
      case "--time-limit":
        let text = rest.popFirst() ?? ""
        guard let seconds = Double(text), seconds >= 0, seconds.isFinite else {
          throw BenchError(message: "--time-limit takes seconds, not '\(text)'")
        }
        self.seconds = seconds
      case "--compare": isComparison = true
      default:
        guard !word.hasPrefix("-") else {
          throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
        }
        paths.append(word)
      }
    }
    if paths.isEmpty && generated.isEmpty { throw BenchError(message: Self.usage) }
  }
}
