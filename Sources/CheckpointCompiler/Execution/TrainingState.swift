// What training needs to go on: weights, state, and how far it has come.
//
// Invariants  The file depends on graph, data, seed and options of the optimizer only, never on the
//             plan, the number of threads or the clock: two runs that differ in their budget write
//             the same bytes, and a run that was interrupted and resumed ends like one that was not.

/// How far a training run has come.
package struct TrainingPosition: Sendable, Equatable {
  /// The seed of initial values, shuffling and random ops.
  package var seed: UInt64
  /// The number of finished steps.
  package var step = 0
  /// The number of finished epochs.
  package var epoch = 0
  /// The number of finished batches of the epoch after those.
  package var batch = 0
  /// The number of samples of the data; 0 before the first step.
  package var sampleCount = 0

  /// The start of a run.
  package init(seed: UInt64) { self.seed = seed }
}

/// Tensors by name, and a position.
package struct TrainingState: Sendable {
  /// How far training has come; nil where a file holds weights only.
  package var position: TrainingPosition?
  /// Parameters, frozen ones among them, and state.
  package var tensors: [NamedTensor]

  /// The state of a run.
  package init(position: TrainingPosition?, tensors: [NamedTensor]) {
    self.position = position
    self.tensors = tensors
  }

  private static let keys = ["seed", "step", "epoch", "batch", "samples"]
  /// What no run has counted to; the seed counts nothing.
  private static let countMax = 1 << 53

  /// The bytes of a safetensors file; the position is in its metadata.
  package func encode(name: String) throws(Diagnostic) -> [UInt8] {
    var metadata = ["format": "ckc"]
    if let position {
      metadata["ckc.seed"] = String(position.seed)
      metadata["ckc.step"] = String(position.step)
      metadata["ckc.epoch"] = String(position.epoch)
      metadata["ckc.batch"] = String(position.batch)
      metadata["ckc.samples"] = String(position.sampleCount)
    }
    return try Safetensors(tensors: tensors, metadata: metadata).encode(name: name)
  }

  /// Reads a file that `encode` made, or weights of another origin.
  ///
  /// - Throws: An error that names what is wrong with the file.
  package static func decode(_ bytes: [UInt8], name: String) throws(Diagnostic) -> TrainingState {
    let file = try Safetensors.decode(bytes, name: name)
    let present = keys.filter { file.metadata["ckc.\($0)"] != nil }
    guard !present.isEmpty else { return TrainingState(position: nil, tensors: file.tensors) }
    var numbers: [Int] = []
    for key in keys {
      let text = file.metadata["ckc.\(key)"] ?? ""
      guard let number = Int(text), number >= 0 else {
        throw Diagnostic("\(name): metadata 'ckc.\(key)' is '\(text)', not a whole number")
      }
      guard key == "seed" || number < countMax else {
        throw Diagnostic("\(name): metadata 'ckc.\(key)' is \(text), more than any run counts")
      }
      numbers.append(number)
    }
    var position = TrainingPosition(seed: UInt64(numbers[0]))
    (position.step, position.epoch) = (numbers[1], numbers[2])
    (position.batch, position.sampleCount) = (numbers[3], numbers[4])
    return TrainingState(position: position, tensors: file.tensors)
  }
}

extension ExecutableStep {
  /// The arguments that training carries from step to step, in their order.
  private var carried: [Int] {
    function.arguments.indices.filter { function.arguments[$0].role != .input }
  }

  /// Parameters and state as they are now.
  package func carriedTensors() throws(Trouble) -> [NamedTensor] {
    var tensors: [NamedTensor] = []
    for index in carried {
      tensors.append(
        NamedTensor(name: function.argumentName(index), tensor: try argument(index)))
    }
    return tensors
  }

  /// Gives every parameter and state its first value.
  package func initialize(seed: UInt64) throws(Trouble) {
    let values = InitialValues(seed: seed)
    for index in carried {
      try setArgument(index, to: values.value(ofArgument: index, of: function))
    }
  }

  /// Takes parameters and state from tensors.
  ///
  /// - Parameters:
  ///   - tensors: The values by name.
  ///   - source: What to call their origin in messages.
  ///   - requiresAll: Whether every parameter and state must be there, and nothing else.
  /// - Returns: The names that were taken.
  /// - Throws: A diagnostic where a name is missing or unknown, or a type differs; what the step throws.
  @discardableResult
  package func take(
    _ tensors: [NamedTensor], source: String, requiresAll: Bool
  ) throws -> [String] {
    var taken: [String] = []
    for index in carried {
      let name = function.argumentName(index)
      guard let given = tensors.first(where: { $0.name == name }) else {
        if requiresAll {
          throw Diagnostic("\(source) has no %\(name), which is \(function.argumentType(index))")
        }
        continue
      }
      try setArgument(
        index,
        to: try given.tensor.exactly(
          function.argumentType(index), source: "\(source): '\(name)'", target: "%\(name)"))
      taken.append(name)
    }
    if requiresAll {
      let names = carried.map { function.argumentName($0) }
      for tensor in tensors where !names.contains(tensor.name) {
        throw Diagnostic(
          "\(source): @\(function.name) has no parameter or state %\(tensor.name)"
            + suggestion(for: tensor.name, among: names))
      }
    }
    return taken
  }
}
