// The planner on given instances, every plan re-checked by the independent checker.

import CheckpointCompiler
import Foundation

/// The benchmark of the planner.
enum PlanBench {
  /// Prints the table; false if the checker refused a plan.
  static func run(_ arguments: PlanBenchArguments) throws(BenchError) -> Bool {
    var isSound = true
    print(
      row(
        "instance", "budget", "peak", "overhead %", "bound %", "checked %", "gap %", "seconds",
        "status"))
    for (name, problem) in try problems(arguments) {
      let keepAll = solve(problem, options: SolveOptions(strategy: .none, order: .given))
      for fraction in arguments.budgets {
        var options = SolveOptions(
          budgetBytes: Budget.bytes(percent: 100 * fraction, of: keepAll.keepAllPeakBytes),
          order: arguments.order)
        options.setTimeLimit(seconds: arguments.seconds)
        let start = ContinuousClock.now
        let result = solve(problem, options: options)
        let seconds = start.duration(to: .now) / .seconds(1)
        var status = result.status.rawValue
        if let refusal = refusal(of: result, problem) {
          isSound = false
          status = "refused: \(refusal)"
        }
        let certified = try certifiedCost(result, problem)
        let bound = max(0, result.lowerBound / result.keepAllCost - 1)
        let hasPlan = result.status != .infeasible
        print(
          row(
            name, number(fraction, 3),
            number(Double(result.peakBytes) / Double(max(1, keepAll.keepAllPeakBytes)), 4),
            hasPlan ? number(100 * result.overhead, 3) : "-", number(100 * bound, 3),
            number(100 * max(0, certified / result.keepAllCost - 1), 3),
            hasPlan ? number(100 * result.gap, 3) : "-", number(seconds, 2), status))
      }
    }
    return isSound
  }

  /// The problems of the files and those to be made, each with its name.
  static func problems(
    _ arguments: PlanBenchArguments
  ) throws(BenchError) -> [(name: String, problem: RematProblem)] {
    var problems: [(name: String, problem: RematProblem)] = []
    for path in arguments.paths {
      let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
      problems.append((name, try read(path)))
    }
    for name in arguments.generated {
      guard let problem = try GeneratedProblem.problem(named: name) else {
        throw BenchError(
          message: "--generate takes 'chain:N' or 'branching:N', N from 4 to 1000000, not '\(name)'"
        )
      }
      problems.append((name, problem))
    }
    return problems
  }

  private static func read(_ path: String) throws(BenchError) -> RematProblem {
    do {
      return try RematProblem(json: [UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
    } catch let error as Diagnostic {
      throw BenchError(message: "\(path): \(error.message)")
    } catch {
      throw BenchError(message: "\(path): \(error.localizedDescription)")
    }
  }

  /// Why the checker does not accept a result, if it does not.
  private static func refusal(of result: SolveResult, _ problem: RematProblem) -> String? {
    do throws(Diagnostic) {
      try RematChecker(problem).check(result)
      return nil
    } catch {
      return error.message
    }
  }

  /// The bound that the checker finds the result's certificate to prove.
  private static func certifiedCost(
    _ result: SolveResult, _ problem: RematProblem
  ) throws(BenchError) -> Double {
    guard let certificate = result.certificate else { return result.keepAllCost }
    do throws(Diagnostic) {
      return try BoundChecker(problem).check(certificate)
    } catch {
      throw BenchError(message: "the certificate of a bound is no proof: \(error.message)")
    }
  }

  static func number(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  static func row(_ cells: String...) -> String {
    var text = ""
    for (index, cell) in cells.enumerated() {
      let width = index == 0 ? 18 : 11
      let padding = String(repeating: " ", count: max(1, width - cell.count))
      switch index {
      case 0: text += cell + padding
      case cells.count - 1: text += "  " + cell
      default: text += padding + cell
      }
    }
    return text
  }
}
