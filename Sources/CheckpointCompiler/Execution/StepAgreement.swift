// What one step computes on one machine, beside what it computes on another.
//
// Problem     A processor and a device add up in other orders: equal bits cannot be asked for.
// Method      The tolerance of `InterpreterCheck`, for the results of one step. Later steps amplify what
//             an order of sums changes; so does Adam, which divides by the gradient's own size, and
//             whose updates are therefore passed over.

import Foundation

extension Compilation {
  /// Whether the values of a step agree with those that another machine has computed.
  ///
  /// - Parameters:
  ///   - found: The results of the step, then more.
  ///   - expected: Those of emitted C.
  /// - Returns: Whether they agree, and how well, or what differs.
  package func agreement(of found: [Tensor], with expected: [Tensor]) -> (Bool, String) {
    guard let function = step?.function else { return (false, "nothing was planned") }
    let skipsUpdates =
      switch options.optimizer {
      case .adam, .adamw: true
      case .sgd, .momentum, nil: false
      }
    var largest = (difference: 0.0, name: "")
    let tolerances = function.resultTolerances
    for (index, result) in function.results.enumerated() {
      if skipsUpdates, case .update = result.role { continue }
      let difference = InterpreterCheck.difference(found[index], expected[index])
      guard difference <= tolerances[index] else {
        return (
          false,
          "result %\(result.name) is off by \(short(difference)) of its largest element from C"
        )
      }
      if difference >= largest.difference { largest = (difference, result.name) }
    }
    return (
      true,
      "one step agrees with C, the largest difference is \(short(largest.difference)) of the largest "
        + "element (%\(largest.name))"
    )
  }

  private func short(_ number: Double) -> String { String(format: "%.2g", number) }
}
