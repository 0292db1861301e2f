// The learning loop: batch after batch of shuffled epochs, and the evaluation between them.
//
// Invariants  What happens depends on data, seed and learning rate alone; the plan, the number of
//             threads and the moments at which training stops and resumes change no bit.

/// Trains one step at a time.
package final class Trainer {
  /// The step that learns.
  package let step: any ExecutableStep
  /// What it learns from.
  package let data: DataSet
  /// How far it has come.
  package private(set) var position: TrainingPosition
  private var order: [Int]
  private let key: Int?
  private let loss: Int?

  /// A trainer that goes on from a position; parameters and state are the step's own.
  ///
  /// - Precondition: The data have a whole batch.
  /// - Throws: What the step throws.
  package init(
    _ step: any ExecutableStep, data: DataSet, position: TrainingPosition, learningRate: Double
  ) throws {
    self.step = step
    self.data = data
    self.position = position
    self.position.sampleCount = data.sampleCount
    order = data.order(ofEpoch: position.epoch, seed: position.seed)
    let function = step.function
    key = function.arguments.indices.first { function.isKey($0) }
    loss = function.lossResult
    for index in function.arguments.indices where function.isLearningRate(index) {
      try step.setArgument(
        index, to: Tensor(function.argumentType(index), floats: [learningRate]))
    }
  }

  /// The loss of the last step; nil where the step returns none.
  package private(set) var lastLoss: Double?

  /// Runs one step on the next batch.
  ///
  /// - Returns: What the step returns; 0 is success.
  /// - Throws: What the step throws.
  package func advance() throws -> Int32 {
    try data.copy(batch: position.batch, of: order, into: step)
    if let key {
      try step.setArgument(key, to: ExampleInputs.key(seed: position.seed, step: position.step))
    }
    let status = try step.run()
    lastLoss = try loss.map { try step.scalar(ofResult: $0) }
    position.step += 1
    position.batch += 1
    if position.batch == data.batches {
      position.batch = 0
      position.epoch += 1
      order = data.order(ofEpoch: position.epoch, seed: position.seed)
    }
    return status
  }

  /// What a later run needs to go on.
  ///
  /// - Throws: What the step throws.
  package func state() throws -> TrainingState {
    TrainingState(position: position, tensors: try step.carriedTensors())
  }
}

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
    var sums = Array(repeating: 0.0, count: scalars.count)
    for batch in 0..<data.batches {
      try data.copy(batch: batch, of: order, into: step)
      let status = try step.run()
      guard status == 0 else {
        throw Diagnostic("the step of @\(function.name) returned \(status)")
      }
      for (place, result) in scalars.enumerated() {
        sums[place] += try step.scalar(ofResult: result)
      }
    }
    return zip(scalars, sums).map {
      (step.function.results[$0].name, $1 / Double(max(1, data.batches)))
    }
  }
}

extension Optimizer {
  /// The learning rate where none is given.
  package var usualLearningRate: Double {
    switch self {
    case .sgd: 0.1
    case .momentum: 0.05
    case .adam, .adamw: 0.001
    }
  }
}

extension Function {
  /// Whether it returns new values of parameters.
  package var updatesParameters: Bool {
    results.contains { result in
      result.updatedArgument.map { arguments[$0].role == .parameter } ?? false
    }
  }
}
