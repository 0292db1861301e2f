// The numbers that a model starts from, and its one batch.
//
// Made        Parameters and state start as the text says, from seed 0 and their names. Images and
//             features are normal with deviation 1, targets of `deepmlp` the tanh of such, labels and
//             tokens uniform; `y` of a transformer is the token after each of `x`.
// Read        From `NAME.npz` in PyTorch's layouts: `p.` before the names of parameters, `s.` before
//             those of running statistics, `x` and `y`.

import CheckpointCompiler
import Foundation

/// Values of all parameters, state and the batch, in the layouts of the graph.
struct ModelNumbers {
  /// One value, and what it is to others.
  private struct Entry {
    var name: String
    /// `p.` of parameters, `s.` of state, nothing of the batch.
    var prefix: String
    var tensor: Tensor
  }

  private var entries: [Entry] = []

  /// The values that the bench makes itself.
  init(_ model: BenchModel, for function: Function) {
    let values = InitialValues(seed: 0)
    for (name, prefix, index) in Self.names(in: function) {
      let tensor =
        prefix.isEmpty
        ? Self.batch(model, name, function.argumentType(index), values)
        : values.value(ofArgument: index, of: function)
      entries.append(Entry(name: name, prefix: prefix, tensor: tensor))
    }
  }

  /// The values of a file.
  ///
  /// - Throws: What is wrong with the file.
  init(file path: String, _ text: ModelText, for function: Function) throws(BenchError) {
    let arrays: [NamedTensor]
    do {
      arrays = try Npz.decode(readFile(path), name: path)
    } catch let error as Diagnostic {
      throw BenchError(message: error.message)
    } catch {
      throw BenchError(message: "\(error)")
    }
    for (name, prefix, index) in Self.names(in: function) {
      let type = function.argumentType(index)
      let layout = text.layouts[name] ?? .same(type.shape)
      guard let array = arrays.first(where: { $0.name == prefix + name })?.tensor else {
        throw BenchError(message: "\(path) has no array '\(prefix + name)'")
      }
      guard array.type == TensorType(type.dtype, layout.shape) else {
        throw BenchError(
          message: "\(path): '\(prefix + name)' is \(array.type), not "
            + "\(TensorType(type.dtype, layout.shape))")
      }
      entries.append(
        Entry(name: name, prefix: prefix, tensor: layout.imported(array, as: type.shape)))
    }
  }

  /// Gives a step the numbers.
  func start<Step: ExecutableStep>(_ step: Step) throws(Step.Trouble) {
    for entry in entries {
      try step.setArgument(step.function.argument(named: entry.name)!, to: entry.tensor)
    }
  }

  /// The numbers as arrays for others, in PyTorch's layouts where a text is given.
  func arrays(_ text: ModelText? = nil) -> [NamedTensor] {
    entries.map { entry in
      let layout = text?.layouts[entry.name]
      return NamedTensor(
        name: entry.prefix + entry.name,
        tensor: layout.map { $0.exported(entry.tensor) } ?? entry.tensor)
    }
  }

  /// The arguments that get numbers: all but the learning rate and the key.
  private static func names(
    in function: Function
  ) -> [(name: String, prefix: String, index: Int)] {
    function.arguments.indices.compactMap { index in
      guard !function.isKey(index), !function.isLearningRate(index) else { return nil }
      let prefix =
        switch function.arguments[index].role {
        case .input: ""
        case .parameter, .frozen: "p."
        case .state: "s."
        }
      return (function.argumentName(index), prefix, index)
    }
  }

  /// The value of `x` or `y`.
  private static func batch(
    _ model: BenchModel, _ name: String, _ type: TensorType, _ values: InitialValues
  ) -> Tensor {
    var generator = values.generator(name: "batch.\(name)")
    guard !type.dtype.isFloatingPoint else {
      let numbers = generator.normals(type.elementCount)
      let isTarget = model.network == .deepmlp && name == "y"
      return Tensor(type, floats: isTarget ? numbers.map { tanh($0) } : numbers)
    }
    guard model.text.layouts["key"] != nil else {
      let classes = 10
      return Tensor(
        type,
        integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: classes)) })
    }
    let sizes = model.transformerSizes
    var tokens = values.generator(name: "batch.tokens")
    var numbers: [Int64] = []
    for _ in 0..<sizes.batch {
      let row = (0...sizes.context).map { _ in Int64(tokens.index(below: sizes.vocabulary)) }
      numbers += name == "x" ? row.dropLast() : row.dropFirst()
    }
    return Tensor(type, integers: numbers)
  }
}
