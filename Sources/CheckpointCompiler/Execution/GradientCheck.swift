// Gradients of a compiled step against central differences of its loss.
//
// Problem     Is the gradient that the step returns the derivative of the loss that it returns?
// Method      In binary64: for every parameter and a few random directions v of length 1, the
//             gradient times v against (L(p + hv) - L(p - hv)) / 2h. Rounding spoils a small h,
//             curvature a large one, and a kink such as that of `relu` whichever crosses it: the best
//             of several h counts. A wrong gradient agrees at no h.
// Invariants  State is set back before every run, so that all runs see the same loss.
// Cost        Two steps for every parameter, direction and h that is tried.

/// How far the gradient of one parameter is from central differences.
package struct GradientOutcome: Sendable {
  /// The parameter.
  package var name: String
  /// The largest relative error over the directions.
  package var error: Double
  /// The derivative by the gradient, in the direction of that error.
  package var analytic: Double
  /// The derivative by central differences, in the direction of that error.
  package var numeric: Double
}

/// Compares the gradients of a step with central differences.
package struct GradientCheck {
  /// The directions for each parameter.
  package var directionCount = 3
  /// The largest relative error that is taken for agreement.
  package var tolerance: Double
  /// The seed of the directions.
  package var seed: UInt64

  private static let stepSizes = [1e-4, 1e-5, 1e-3, 1e-6, 1e-2, 1e-7]
  /// Derivatives below this share of the loss are compared by their distance: what is left of them
  /// in a difference of two losses is rounding.
  private static let floor = 1e-5

  /// A check.
  package init(tolerance: Double = 1e-5, seed: UInt64 = 0) {
    self.tolerance = tolerance
    self.seed = seed
  }

  /// Compares the gradient of every parameter with the differences of the loss.
  ///
  /// - Parameter step: A step on `f64` whose arguments have the values to check at; they have them
  ///   again afterwards.
  /// - Returns: The outcome for every parameter whose gradient the step returns, in the order of the
  ///   results.
  /// - Precondition: The step returns a loss.
  package func run(_ step: CompiledStep) -> [GradientOutcome] {
    let start = step.argumentValues
    let loss = step.function.lossResult!
    let carried = start.indices.filter { step.function.arguments[$0].role != .input }
    func evaluate() -> Double {
      step.run()
      let value = step.scalarResult(loss)
      for index in carried { step.setArgument(index, to: start[index]) }
      return value
    }
    let scale = max(1, abs(evaluate()))
    let gradients = step.function.results.indices.compactMap { index in
      step.function.results[index].gradientArgument.map { argument in
        (argument: argument, values: step.result(index).floats)
      }
    }
    var outcomes: [GradientOutcome] = []
    for (argument, gradient) in gradients {
      let name = step.function.argumentName(argument)
      var generator = InitialValues(seed: seed).generator(name: "directions of \(name)")
      let point = start[argument].floats
      var worst = GradientOutcome(name: name, error: 0, analytic: 0, numeric: 0)
      for _ in 0..<directionCount where !point.isEmpty {
        let direction = unitVector(point.count, &generator)
        var analytic = 0.0
        for (g, v) in zip(gradient, direction) { analytic += g * v }
        var best = GradientOutcome(
          name: name, error: .infinity, analytic: analytic, numeric: .nan)
        for h in GradientCheck.stepSizes where !(best.error <= tolerance / 10) {
          func loss(at offset: Double) -> Double {
            let moved = zip(point, direction).map { $0 + offset * $1 }
            step.setArgument(argument, to: Tensor(start[argument].type, floats: moved))
            return evaluate()
          }
          let numeric = (loss(at: h) - loss(at: -h)) / (2 * h)
          let size = max(abs(analytic), abs(numeric), GradientCheck.floor * scale)
          let error = abs(analytic - numeric) / size
          if error < best.error { (best.error, best.numeric) = (error, numeric) }
        }
        if best.error > worst.error { worst = best }
      }
      outcomes.append(worst)
    }
    return outcomes
  }

  private func unitVector(_ count: Int, _ generator: inout SeededGenerator) -> [Double] {
    let numbers = generator.normals(count)
    let length = numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return numbers.map { $0 / length }
  }
}

extension FunctionResult {
  /// The index of the argument whose gradient it is.
  var gradientArgument: Int? {
    if case .gradient(let argument) = role { argument } else { nil }
  }
}
