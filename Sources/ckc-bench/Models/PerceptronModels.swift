// Multilayer perceptrons: `mlp`, a wide classifier, and `deepmlp`, 64 layers whose activations are
// most of its memory.

import CheckpointCompiler

/// The sizes of a perceptron.
struct PerceptronSizes {
  var batch: Int
  var inputs: Int
  var width: Int
  var layers: Int
  /// The classes to tell apart; nil where the last layer's output is the prediction.
  var classes: Int?

  var members: [JSONMember] {
    [
      JSONMember("batch", .integer(batch)), JSONMember("inputs", .integer(inputs)),
      JSONMember("width", .integer(width)), JSONMember("layers", .integer(layers)),
      JSONMember("classes", classes.map { .integer($0) } ?? .null),
    ]
  }
}

extension BenchModel {
  var perceptronSizes: PerceptronSizes {
    switch (network, size) {
    case (.deepmlp, .full): PerceptronSizes(batch: 1024, inputs: 256, width: 256, layers: 64)
    case (.deepmlp, .tiny): PerceptronSizes(batch: 8, inputs: 16, width: 16, layers: 9)
    case (_, .full): PerceptronSizes(batch: 256, inputs: 784, width: 1024, layers: 8, classes: 10)
    case (_, .tiny): PerceptronSizes(batch: 8, inputs: 16, width: 32, layers: 3, classes: 10)
    }
  }

  var perceptron: ModelText {
    let sizes = perceptronSizes
    let activation = sizes.classes == nil ? "tanh" : "relu"
    var text = ModelText(
      functions: """
        // A linear layer and its activation.
        func @layer<B, I, O>(%x: f32[B, I], %w: f32[I, O], %b: f32[O]) {
          %h = linear %x, %w, %b
          %y = \(activation) %h
          return %y
        }

        """)
    text.input("x", TensorType(.f32, [sizes.batch, sizes.inputs]))
    if sizes.classes == nil {
      text.input("y", TensorType(.f32, [sizes.batch, sizes.width]))
    } else {
      text.input("y", TensorType(.i32, [sizes.batch]))
    }
    var last = "x"
    for layer in 0..<sizes.layers {
      let name = "blocks.\(layer).linear"
      text.linear(name, layer == 0 ? sizes.inputs : sizes.width, sizes.width)
      text.line("%h\(layer) = layer %\(last), %\(name).weight, %\(name).bias")
      last = "h\(layer)"
    }
    if let classes = sizes.classes {
      text.linear("head", sizes.width, classes)
      text.line("%logits = linear %\(last), %head.weight, %head.bias")
      text.loss("cross_entropy %logits, %y")
    } else {
      text.loss("mse %\(last), %y")
    }
    return text
  }
}
