// Tables of what the planner reaches: `ckc-bench plan FILE.json… [options]`.
//
// Output      A row per instance and budget: what was asked, what was reached, how far from the proven
//             bound, and the time. With `--compare` a table per instance: a row per strategy, a column
//             per budget. Status 1 if the checker refuses a plan.

import CheckpointCompiler
import Foundation

@main
enum Main {
  static func main() {
    do throws(BenchError) {
      let arguments = try PlanBenchArguments(Array(CommandLine.arguments.dropFirst()))
      let isSound =
        try arguments.isComparison ? StrategyBench.run(arguments) : PlanBench.run(arguments)
      exit(isSound ? 0 : 1)
    } catch {
      FileHandle.standardError.write(Data("ckc-bench: error: \(error.message)\n".utf8))
      exit(2)
    }
  }
}

/// What stopped a benchmark.
struct BenchError: Error {
  var message: String
}
