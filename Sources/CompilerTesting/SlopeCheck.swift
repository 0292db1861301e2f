// The gradients of a random program against one central difference in f64.
//
// Method      The program is made double precision. Along one random direction in the space of all
//             parameters, the slope that the gradients give is compared with a central difference of
//             the loss.
// Kinks       Where the direction crosses one, the difference is wrong; a failure counts only if it
//             shows at several random points.

package import CheckpointCompiler

/// Checks the gradients of a forward function that has a loss.
///
/// - Throws: The two slopes, where they differ by more than a relative 1e-5 at every point tried.
package func checkGradients(_ function: Function, seed: UInt64) throws(ProgramFailure) {
  guard let loss = function.results.firstIndex(where: { $0.role == .loss }) else { return }
  // Random ops get their streams first, so that both runs draw the same numbers.
  let forward = inDoublePrecision(
    inlined(function, in: Module(functions: [function], entryName: function.name)))
  guard forward.arguments.contains(where: { $0.role == .parameter }) else { return }
  var remarks: [Diagnostic] = []
  let step: Function
  do {
    step = try differentiated(
      Module(functions: [forward], entryName: forward.name), remarks: &remarks)
  } catch {
    throw ProgramFailure(
      stage: "gradient", message: error.diagnostics.map(\.message).joined(separator: "\n"))
  }
  var failure = ""
  for attempt in 0..<4 {
    var random = SeededGenerator(seed: seed &+ UInt64(attempt) &* 0x1234_5678_9ABC)
    var arguments = randomArguments(for: forward, seed: seed)
    var direction: [Int: [Double]] = [:]
    for (index, argument) in forward.arguments.enumerated()
    where arguments[index].type.dtype == .f64 {
      let type = arguments[index].type
      // Off the grid, where ties are rare.
      arguments[index] = Tensor(
        type, floats: arguments[index].floats.map { $0 + 0.05 * (random.unit() - 0.5) })
      if argument.role == .parameter {
        direction[index] = (0..<type.elementCount).map { _ in random.unit() * 2 - 1 }
      }
    }
    func moved(by distance: Double) throws(InterpreterError) -> Double {
      var moved = arguments
      for (index, direction) in direction {
        moved[index] = Tensor(
          moved[index].type,
          floats: zip(moved[index].floats, direction).map { $0 + distance * $1 })
      }
      return try interpret(forward, arguments: moved)[loss].floats[0]
    }
    do throws(InterpreterError) {
      let distance = 1e-5
      let measured = (try moved(by: distance) - moved(by: -distance)) / (2 * distance)
      let results = try interpret(step, arguments: arguments)
      var slope = 0.0
      for (result, tensor) in zip(step.results, results) {
        guard case .gradient(let index) = result.role, let direction = direction[index] else {
          continue
        }
        slope += zip(tensor.floats, direction).reduce(0) { $0 + $1.0 * $1.1 }
      }
      if abs(slope - measured) <= 1e-5 * max(1e-2, abs(slope), abs(measured)) { return }
      failure = "the gradients give the slope \(slope), a difference gives \(measured)"
    } catch {
      throw ProgramFailure(stage: "gradient", message: "\(error)")
    }
  }
  throw ProgramFailure(stage: "gradient", message: "\(failure)\n\(Printer.print(step))")
}
