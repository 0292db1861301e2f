// Training or held-out data: samples of every input of a step, taken a batch at a time.
//
// Problem     A graph has fixed shapes; its data are tensors with more rows. Inputs may hold several
//             rows per sample, such as tokens in one line and labels one below the other.
// Method      The batch is the smallest first extent of the inputs that get data; every other first
//             extent is a multiple of it, the rows of one sample.
// Invariants  All inputs hold the same number of samples; a batch is copied into the step's own
//             buffers without allocation.

import Foundation

/// The samples of all inputs that get data.
package struct DataSet: Sendable {
  /// The data of one input.
  private struct Column: Sendable {
    var argument: Int
    var bytes: [UInt8]
    /// The bytes of one sample.
    var sampleBytes: Int
  }

  private var columns: [Column] = []
  /// The number of samples in a batch.
  package private(set) var batchCount = 0
  /// The number of samples.
  package private(set) var sampleCount = 0

  /// The number of whole batches.
  package var batches: Int { batchCount == 0 ? 0 : sampleCount / batchCount }

  /// Takes the data of the inputs of a function.
  ///
  /// - Parameters:
  ///   - tensors: Tensors by the name of the input, and what to call each in messages.
  ///   - function: The function whose inputs they are.
  ///   - option: The option that they came from, for messages.
  ///   - classes: The number of classes of the inputs that are labels, by name.
  /// - Throws: An error where an input lacks data, or a tensor does not fit.
  package init(
    _ tensors: [(name: String, source: String, tensor: Tensor)], for function: Function,
    option: String, classes: [String: Int] = [:]
  ) throws(Diagnostic) {
    let inputs = function.arguments.indices.filter {
      function.arguments[$0].role == .input && !function.isKey($0) && !function.isLearningRate($0)
    }
    let names = inputs.map { function.argumentName($0) }
    for (index, given) in tensors.enumerated() {
      guard names.contains(given.name) else {
        throw Diagnostic(
          "\(option): @\(function.name) has no input %\(given.name)"
            + suggestion(for: given.name, among: names))
      }
      if tensors[..<index].contains(where: { $0.name == given.name }) {
        throw Diagnostic("\(option): input %\(given.name) gets data twice")
      }
    }
    for index in inputs where function.argumentType(index).rank == 0 {
      throw Diagnostic(
        "input %\(function.argumentName(index)) is a scalar: it has no rows to take a batch from")
    }
    batchCount = inputs.map { function.argumentType($0).shape[0] }.min() ?? 0
    var firstSource = ""
    for index in inputs {
      let name = function.argumentName(index)
      let type = function.argumentType(index)
      guard let given = tensors.first(where: { $0.name == name }) else {
        throw Diagnostic("input %\(name) has no data; give it with \(option) \(name)=FILE.npy")
      }
      guard batchCount > 0, type.shape[0].isMultiple(of: batchCount) else {
        throw Diagnostic(
          "the first extent of %\(name) is \(type.shape[0]), no multiple of the batch of \(batchCount)"
        )
      }
      let shape = given.tensor.type.shape
      guard shape.count == type.rank, shape.dropFirst() == type.shape.dropFirst() else {
        let rows = (["…"] + type.shape.dropFirst().map(String.init)).joined(separator: ",")
        throw Diagnostic(
          "\(given.source) holds \(given.tensor.type), but %\(name) takes rows of "
            + "\(type.dtype.name)[\(rows)]")
      }
      let rowsPerSample = type.shape[0] / batchCount
      guard shape[0].isMultiple(of: rowsPerSample), shape[0] >= type.shape[0] else {
        throw Diagnostic(
          "\(given.source) has \(shape[0]) rows, but a batch of %\(name) takes \(type.shape[0])")
      }
      let samples = shape[0] / rowsPerSample
      guard columns.isEmpty || samples == sampleCount else {
        throw Diagnostic(
          "\(given.source) has \(samples) samples, but \(firstSource) has \(sampleCount)")
      }
      if columns.isEmpty { (sampleCount, firstSource) = (samples, given.source) }
      let converted = try given.tensor.exactly(
        type.dtype, source: given.source, target: "%\(name)")
      try converted.requireLabels(of: classes[name], source: given.source, target: "%\(name)")
      columns.append(
        Column(
          argument: index, bytes: converted.bytes, sampleBytes: type.sizeBytes / batchCount))
    }
  }

  /// The order of the samples in an epoch: a random one that depends on the seed and the epoch alone.
  package func order(ofEpoch epoch: Int, seed: UInt64) -> [Int] {
    var order = Array(0..<sampleCount)
    var generator = InitialValues(seed: seed).generator(name: "order of epoch \(epoch)")
    generator.shuffle(&order)
    return order
  }

  /// Copies a batch into the arguments of a step.
  ///
  /// - Parameters:
  ///   - batch: The number of the batch, below `batches`.
  ///   - order: The samples in the order in which they are taken.
  ///   - step: A step of the function that the data were taken for.
  /// - Throws: What the step throws.
  package func copy<Step: ExecutableStep>(
    batch: Int, of order: [Int], into step: Step
  ) throws(Step.Trouble) {
    for column in columns {
      try step.fillArgument(column.argument) { target in
        column.bytes.withUnsafeBytes { source in
          guard let from = source.baseAddress, let to = target.baseAddress else { return }
          let size = column.sampleBytes
          for place in 0..<batchCount {
            let sample = order[batch * batchCount + place]
            memcpy(to + place * size, from + sample * size, size)
          }
        }
      }
    }
  }
}
