// A network as text, written line by line, with what it takes to hand its tensors to others.

import CheckpointCompiler

/// The text of a training graph as it grows.
struct ModelText: Sendable {
  /// The functions before `@main`.
  var functions = ""
  /// How the inputs, parameters and state lie in PyTorch, by name.
  private(set) var layouts: [String: ForeignLayout] = [:]
  private var arguments: [String] = []
  private var lines: [String] = []
  private var results: [String] = []
  private var returned: [String] = []

  /// A text that starts with some functions.
  init(functions: String) { self.functions = functions }

  /// The whole text.
  var source: String {
    """
    \(functions)
    func @main(
        \(arguments.joined(separator: ",\n    "))) -> (
        \(results.joined(separator: ",\n    "))) {
      \(lines.joined(separator: "\n  "))
      return \(returned.joined(separator: ", "))
    }

    """
  }

  // MARK: Arguments

  /// Adds an input.
  mutating func input(_ name: String, _ type: TensorType, layout: ForeignLayout? = nil) {
    arguments.append("%\(name): \(type)")
    layouts[name] = layout ?? .same(type.shape)
  }

  /// Adds a parameter; `start` is how it starts, as the text spells it.
  mutating func parameter(
    _ name: String, _ shape: [Int], _ start: String, layout: ForeignLayout? = nil
  ) {
    arguments.append("param %\(name): \(TensorType(.f32, shape)) = \(start)")
    layouts[name] = layout ?? .same(shape)
  }

  /// Adds a weight `[inputs, outputs]` of a linear layer, and its bias where asked for.
  mutating func linear(
    _ name: String, _ inputs: Int, _ outputs: Int, gain: Double = 2, hasBias: Bool = true
  ) {
    parameter(
      "\(name).weight", [inputs, outputs], "normal(sqrt(\(gain) / \(inputs)))",
      layout: .linear(inputs: inputs, outputs: outputs))
    if hasBias { parameter("\(name).bias", [outputs], "zeros") }
  }

  /// Adds a kernel of a convolution, `inputs` features of each group to `outputs`.
  mutating func convolution(_ name: String, _ inputs: Int, _ outputs: Int, window: Int) {
    parameter(
      "\(name).weight", [window, window, inputs, outputs],
      "normal(sqrt(2.0 / \(window * window * inputs)))",
      layout: .convolution(window: window, inputs: inputs, outputs: outputs))
  }

  /// Adds gain and bias of a normalization.
  mutating func norm(_ name: String, _ channels: Int) {
    parameter("\(name).weight", [channels], "ones")
    parameter("\(name).bias", [channels], "zeros")
  }

  /// Adds gain, bias and running statistics of a batch normalization.
  mutating func batchNorm(_ name: String, _ channels: Int) {
    norm(name, channels)
    let type = TensorType(.f32, [channels])
    for (statistic, start) in [("running_mean", "zeros"), ("running_var", "ones")] {
      arguments.append("state %\(name).\(statistic): \(type) = \(start)")
      layouts["\(name).\(statistic)"] = .same([channels])
      results.append("update(%\(name).\(statistic)) %\(name).\(statistic).new: \(type)")
      returned.append("%\(name).\(statistic).new")
    }
  }

  // MARK: Body

  /// Adds an op.
  mutating func line(_ text: String) { lines.append(text) }

  /// Adds a call of a function that ends in a batch normalization: two more results.
  mutating func normalized(_ result: String, _ call: String, _ norm: String, _ attributes: String) {
    let names = ["weight", "bias", "running_mean", "running_var"].map { "%\(norm).\($0)" }
    lines.append(
      "%\(result), %\(norm).running_mean.new, %\(norm).running_var.new = "
        + "\(call), \(names.joined(separator: ", "))" + attributes)
  }

  /// Adds the loss, which is the first result.
  mutating func loss(_ call: String) {
    lines.append("%loss = \(call)")
    results.insert("loss %loss: f32", at: 0)
    returned.insert("%loss", at: 0)
  }
}
