// Tables of what the planner and the packer reach, of what programs from elsewhere give, and of what
// training steps take: `ckc-bench plan FILE.json… [options]`, `ckc-bench pack FILE.csv… [options]`,
// `ckc-bench conformance DIR… [options]`, `ckc-bench step [options]`, `ckc-bench cuda [options]`.
//
// Output      A row per instance and budget: what was asked, what was reached, how far from the proven
//             bound, and the time. With `--compare` a table per problem: a row per strategy, a column
//             per budget. Status 1 if a checker refuses one, or losses differ.

import CheckpointCompiler
import Foundation

@main
enum Main {
  static func main() {
    do throws(BenchError) {
      let words = Array(CommandLine.arguments.dropFirst())
      let isSound =
        switch words.first {
        case "plan": try plan(PlanBenchArguments(Array(words.dropFirst())))
        case "pack": try PackBench(Array(words.dropFirst())).run()
        case "conformance": try ConformanceBench(Array(words.dropFirst())).run()
        case "step": try StepBench(StepBenchArguments(Array(words.dropFirst()))).run()
        case "cuda": try CUDABench.run(CUDABenchArguments(Array(words.dropFirst())))
        default:
          throw BenchError(
            message: [
              PlanBenchArguments.usage, PackBench.usage, ConformanceBench.usage,
              StepBenchArguments.usage, CUDABenchArguments.usage,
            ].joined(separator: "\n"))
        }
      exit(isSound ? 0 : 1)
    } catch {
      FileHandle.standardError.write(Data("ckc-bench: error: \(error.message)\n".utf8))
      exit(2)
    }
  }

  private static func plan(_ arguments: PlanBenchArguments) throws(BenchError) -> Bool {
    try arguments.isComparison ? StrategyBench.run(arguments) : PlanBench.run(arguments)
  }
}

/// What stopped a benchmark.
struct BenchError: Error {
  var message: String
}
