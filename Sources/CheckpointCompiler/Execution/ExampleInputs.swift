// Values for inputs that nobody gave, where zeros would hide what is to be seen.

/// Makes values for the inputs of a step, the same for the same seed on every machine.
package struct ExampleInputs: Sendable {
  /// The seed.
  package var seed: UInt64
  /// What an input `%lr` gets.
  package var learningRate: Double

  /// Values for a seed.
  package init(seed: UInt64, learningRate: Double = 0.01) {
    self.seed = seed
    self.learningRate = learningRate
  }

  /// The value of an input in a step.
  ///
  /// The key is the seed and the step. Floating-point numbers are normal with standard deviation 1,
  /// integers are in 0..<8: indices beyond the end of a table are defined, and mean little.
  package func value(ofArgument index: Int, of function: Function, step: Int) -> Tensor {
    let type = function.argumentType(index)
    if function.isKey(index) { return ExampleInputs.key(seed: seed, step: step) }
    if function.isLearningRate(index) { return Tensor(type, floats: [learningRate]) }
    var generator = InitialValues(seed: seed)
      .generator(name: "\(function.argumentName(index)) of step \(step)")
    if type.dtype.isFloatingPoint {
      return Tensor(type, floats: generator.normals(type.elementCount))
    }
    let bound = type.dtype == .i1 ? 2 : 8
    return Tensor(
      type, integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: bound)) })
  }

  /// The key of the random ops in a step.
  package static func key(seed: UInt64, step: Int) -> Tensor {
    Tensor(
      TensorType(.ui32, [2]),
      integers: [Int64(UInt32(truncatingIfNeeded: seed)), Int64(UInt32(truncatingIfNeeded: step))])
  }
}
