// `--compare`: the strategies side by side, for `ckc plan` and `ckc solve`.

import CheckpointCompiler

/// The comparison of all strategies on one problem.
enum StrategyTable {
  /// The comparison in the format that is asked for: `text`, `json` or `svg`.
  ///
  /// - Throws: A defect, where the checker refuses a plan.
  static func text(
    of problem: RematProblem, name: String, budget: BudgetArgument?, options: SolveOptions,
    format: String
  ) throws(Failure) -> String {
    let budgets: [Budget] =
      switch budget {
      case .bytes(let bytes): [.bytes(bytes)]
      case .percent(let percent): [.percent(percent)]
      case .minimum: [.minimum]
      case nil: []
      }
    do throws(Diagnostic) {
      let comparison = try StrategyComparison(
        of: problem, name: name, budgets: budgets, options: options)
      switch format {
      case "json": return comparison.jsonValue.compactText + "\n"
      case "svg": return comparison.svg()
      default: return comparison.text()
      }
    } catch {
      throw Failure(.defect, "the checker refused a plan: \(error.message)")
    }
  }
}
