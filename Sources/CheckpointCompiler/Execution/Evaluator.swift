// What a network is worth on data that it has not learnt from, between the epochs of training.

/// Runs a function on held-out data with the parameters of a step.
package final class Evaluator {
  /// The function's step.
  package let step: any ExecutableStep
  /// What it runs on.
  package let data: DataSet
  private let order: [Int]
  private let scalars: [Int]

  /// An evaluator.
  ///
  /// - Throws: An error where no result is a scalar, or the data have no whole batch.
  package init(_ step: any ExecutableStep, data: DataSet) throws(Diagnostic) {
    self.step = step
    self.data = data
    order = Array(0..<data.sampleCount)
    let types = step.function.resultTypes
    scalars = step.function.results.indices.filter { types[$0].rank == 0 }
    guard !scalars.isEmpty else {
      throw Diagnostic("@\(step.function.name) returns no scalar to evaluate by")
    }
  }

  /// The mean of every scalar result over all whole batches, in the order of the results.
  ///
  /// - Throws: A diagnostic where a parameter or state of the function is none of the trained step's,
  ///   or has another type there, or a step fails; what the steps throw.
  package func run(
    parametersOf trained: any ExecutableStep, seed: UInt64
  ) throws -> [(name: String, mean: Double)] {
    try takeValues(of: trained, seed: seed)
    var sums = Array(repeating: 0.0, count: scalars.count)
    for batch in 0..<data.batches {
      try data.copy(batch: batch, of: order, into: step)
      let status = try step.run()
      guard status == 0 else {
        throw Diagnostic("the step of @\(step.function.name) returned \(status)")
      }
      for (place, result) in scalars.enumerated() {
        sums[place] += try step.scalar(ofResult: result)
      }
    }
    return zip(scalars, sums).map {
      (step.function.results[$0].name, $1 / Double(max(1, data.batches)))
    }
  }

  /// Gives the function the parameters and state of the trained step, and the key of a seed.
  private func takeValues(of trained: any ExecutableStep, seed: UInt64) throws {
    let function = step.function
    for index in function.arguments.indices {
      let name = function.argumentName(index)
      if function.isKey(index) {
        try step.setArgument(index, to: ExampleInputs.key(seed: seed, step: 0))
      }
      guard function.arguments[index].role != .input else { continue }
      guard let source = trained.function.argument(named: name),
        trained.function.arguments[source].role != .input
      else {
        throw Diagnostic(
          "@\(function.name) takes %\(name), which is no parameter or state of "
            + "@\(trained.function.name)",
          at: function.arguments[index].location)
      }
      let value = try trained.argument(source)
      guard value.type == function.argumentType(index) else {
        throw Diagnostic(
          "%\(name) is \(function.argumentType(index)) in @\(function.name), but \(value.type) in "
            + "@\(trained.function.name)",
          at: function.arguments[index].location)
      }
      try step.setArgument(index, to: value)
    }
  }
}
