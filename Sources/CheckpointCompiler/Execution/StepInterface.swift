// What the caller of a step owns: the tensors of its four structs of pointers, in their order.

/// The arguments and results of a step as the emitted structs hold them.
public struct StepInterface: Sendable {
  /// Indices of the arguments that are inputs.
  public let inputs: [Int]
  /// Indices of the arguments that are parameters, trained or frozen.
  public let parameters: [Int]
  /// Indices of the arguments that are state.
  public let state: [Int]
  /// Indices of the results that have a buffer of their own: all but updates, which are written over
  /// the argument they update.
  public let results: [Int]

  /// The interface of a function.
  public init(_ function: Function) {
    inputs = function.arguments.indices.filter { function.arguments[$0].role == .input }
    parameters = function.arguments.indices.filter {
      function.arguments[$0].role == .parameter || function.arguments[$0].role == .frozen
    }
    state = function.arguments.indices.filter { function.arguments[$0].role == .state }
    results = function.results.indices.filter { function.results[$0].updatedArgument == nil }
  }
}

extension FunctionResult {
  /// The index of the argument whose new value it is.
  public var updatedArgument: Int? {
    if case .update(let argument) = role { argument } else { nil }
  }
}

extension Function {
  /// The name of the argument at an index, without `%`.
  public func argumentName(_ index: Int) -> String { values[arguments[index].value].name }

  /// The type of the argument at an index.
  public func argumentType(_ index: Int) -> TensorType { type(of: arguments[index].value) }

  /// The index of the argument of a name.
  public func argument(named name: String) -> Int? {
    arguments.indices.first { argumentName($0) == name }
  }

  /// The index of the result that is the loss, one number.
  public var lossResult: Int? {
    let types = resultTypes
    return results.indices.first { results[$0].role == .loss && types[$0].elementCount == 1 }
  }

  /// Whether an argument is the key of the random ops: it gets the seed and the number of the step.
  package func isKey(_ index: Int) -> Bool {
    arguments[index].role == .input && argumentName(index) == "key"
      && argumentType(index) == TensorType(.ui32, [2])
  }

  /// Whether an argument is the learning rate that optimizers add.
  package func isLearningRate(_ index: Int) -> Bool {
    arguments[index].role == .input && argumentName(index) == "lr"
      && argumentType(index).rank == 0 && argumentType(index).dtype.isFloatingPoint
  }

  /// Whether it returns new values of parameters.
  package var updatesParameters: Bool {
    results.contains { result in
      result.updatedArgument.map { arguments[$0].role == .parameter } ?? false
    }
  }
}
