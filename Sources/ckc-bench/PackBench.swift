// The packer on given instances: `ckc-bench pack FILE.csv… [--capacity N] [--time-limit S]`.
//
// Output      A row per instance: the buffers, the height reached, the proven bound, and the time.
//             Every placement is checked again.

import CheckpointCompiler
import Foundation

/// The benchmark of the packer.
struct PackBench {
  static let usage = "usage: ckc-bench pack FILE.csv… [--capacity N] [--time-limit S]"

  private var paths: [String] = []
  private var options = PackOptions()

  init(_ words: [String]) throws(BenchError) {
    options.setTimeLimit(seconds: 8)
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--capacity":
        let text = rest.popFirst() ?? ""
        guard let bytes = Int(text), bytes >= 0 else {
          throw BenchError(message: "--capacity takes bytes, not '\(text)'")
        }
        options.capacityBytes = bytes
      case "--time-limit":
        let text = rest.popFirst() ?? ""
        guard let seconds = Double(text), seconds >= 0, seconds.isFinite else {
          throw BenchError(message: "--time-limit takes seconds, not '\(text)'")
        }
        options.setTimeLimit(seconds: seconds)
      default:
        guard !word.hasPrefix("-") else {
          throw BenchError(message: "unknown option '\(word)'\n\(Self.usage)")
        }
        paths.append(word)
      }
    }
    if paths.isEmpty { throw BenchError(message: Self.usage) }
  }

  /// Prints the table; false if the checker refused a placement.
  func run() throws(BenchError) -> Bool {
    var isSound = true
    print(
      PlanBench.row("instance", "buffers", "height", "bound", "gap %", "seconds", "status"))
    for path in paths {
      let problem = try read(path)
      let start = ContinuousClock.now
      let result = pack(problem, options: options)
      let seconds = start.duration(to: .now) / .seconds(1)
      var status = result.status.rawValue
      do {
        try PlacementChecker(problem).check(result.plan)
      } catch {
        isSound = false
        status = "refused: \(error.message)"
      }
      let gap = Double(result.plan.arenaBytes) / Double(max(1, result.lowerBoundBytes)) - 1
      print(
        PlanBench.row(
          URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent,
          "\(problem.buffers.count)", "\(result.plan.arenaBytes)", "\(result.lowerBoundBytes)",
          PlanBench.number(100 * max(0, gap), 3), PlanBench.number(seconds, 3), status))
    }
    return isSound
  }

  private func read(_ path: String) throws(BenchError) -> PlacementProblem {
    do {
      return try PlacementProblem(csv: [UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
    } catch let error as Diagnostic {
      throw BenchError(message: "\(path): \(error.message)")
    } catch {
      throw BenchError(message: "\(path): \(error.localizedDescription)")
    }
  }
}
