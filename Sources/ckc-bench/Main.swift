// Tables of what the planner and the packer reach: `ckc-bench plan FILE.json… [options]`,
// `ckc-bench pack FILE.csv… [options]`.
//
// Output      A row per instance and budget: what was asked, what was reached, how far from the proven
//             bound, and the time. Status 1 if a checker refuses one.

import CheckpointCompiler
import Foundation

@main
enum Main {
  static func main() {
    do throws(BenchError) {
      let words = Array(CommandLine.arguments.dropFirst())
      let isSound =
        switch words.first {
        case "plan": try PlanBench.run(PlanBenchArguments(Array(words.dropFirst())))
        case "pack": try PackBench(Array(words.dropFirst())).run()
        default: throw BenchError(message: "\(PlanBenchArguments.usage)\n\(PackBench.usage)")
        }
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
