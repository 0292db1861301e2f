// The learning loop: batch after batch of shuffled epochs.
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
