// All strategies on given instances: a table per instance, every plan re-checked.

import CheckpointCompiler
import Foundation

/// The comparison of the strategies.
enum StrategyBench {
  /// Prints the tables; false if the checker refused a plan.
  static func run(_ arguments: PlanBenchArguments) throws(BenchError) -> Bool {
    var isSound = true
    for (name, problem) in try PlanBench.problems(arguments) {
      var options = SolveOptions(order: arguments.order)
      options.setTimeLimit(seconds: arguments.seconds)
      print(
        row(name, arguments.budgets.sorted(by: >).map { "\($0)" } + ["smallest", "seconds"]))
      let budgets = arguments.budgets.map { Budget.percent(100 * $0) }
      for strategy in RematStrategy.allCases {
        let start = ContinuousClock.now
        do throws(Diagnostic) {
          let comparison = try StrategyComparison(
            of: problem, budgets: budgets, strategies: [strategy], options: options)
          let seconds = start.duration(to: .now) / .seconds(1)
          let plans = comparison.rows[0].plans.map { plan in
            plan.map { PlanBench.number(100 * comparison.overhead($0.cost), 3) } ?? "-"
          }
          let smallest = comparison.share(comparison.rows[0].smallestPeakBytes)
          print(
            row(
              strategy.rawValue,
              plans + [PlanBench.number(smallest, 3), PlanBench.number(seconds, 2)]))
          if strategy == .auto {
            let bounds = comparison.lowerBounds.map {
              PlanBench.number(100 * comparison.overhead($0), 3)
            }
            print(row("bound", bounds + ["", ""]))
          }
        } catch {
          isSound = false
          print(row(strategy.rawValue, ["refused: \(error.message)"]))
        }
      }
      print("")
    }
    return isSound
  }

  private static func row(_ first: String, _ cells: [String]) -> String {
    var text = first + String(repeating: " ", count: max(1, 18 - first.count))
    for cell in cells { text += String(repeating: " ", count: max(1, 9 - cell.count)) + cell }
    return text
  }
}
