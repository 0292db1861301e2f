// The networks that steps are measured on.
//
// Sizes       `full` is what is measured; `tiny` has the same shape of graph, for tests.
// Names       Parameters are called as in a PyTorch `state_dict`, so that peers load them as they are.
// Tolerance   How far losses in single precision may stray from those in double precision within five
//             steps, relatively: what PyTorch and JAX were seen to stray by, and some room for other
//             orders of summation. Batch normalization over few places amplifies most.

import CheckpointCompiler

/// A network with its sizes.
struct BenchModel: Sendable {
  /// The networks by name.
  enum Network: String, CaseIterable, Sendable {
    case mlp, deepmlp, resnet18, gpt
    case gptWithDropout = "gpt_drop"
    case unet, mobilenet
  }

  /// How large a network is.
  enum Size: String, CaseIterable, Sendable { case full, tiny }

  var network: Network
  var size: Size

  var name: String { network.rawValue }

  /// The learning rate of plain gradient descent.
  var learningRate: Double {
    switch network {
    case .mlp, .deepmlp: 0.05
    case .resnet18: 0.005
    case .gpt, .gptWithDropout, .unet: 0.02
    // The last blocks of the small one normalize over four places: long steps would be chaos.
    case .mobilenet: size == .full ? 2e-4 : 4e-6
    }
  }

  /// The largest relative difference of a loss that passes.
  var tolerance: Double {
    switch network {
    case .mlp: 3e-4
    case .deepmlp, .resnet18: 1e-4
    case .unet: 5e-5
    case .gpt: 1e-5
    case .mobilenet: 2e-3
    // Masks are random, and every implementation draws its own.
    case .gptWithDropout: size == .full ? 0.05 : 0.1
    }
  }

  /// The text of the network and how its tensors lie in PyTorch.
  var text: ModelText {
    switch network {
    case .mlp, .deepmlp: perceptron
    case .resnet18: residualNetwork
    case .mobilenet: separableNetwork
    case .gpt, .gptWithDropout: transformer
    case .unet: encoderDecoder
    }
  }

  /// The sizes and tables that the scripts of the peers read.
  var dimensions: [JSONMember] {
    switch network {
    case .mlp, .deepmlp: perceptronSizes.members
    case .resnet18: residualSizes.members
    case .mobilenet: separableSizes.members
    case .gpt, .gptWithDropout: transformerSizes.members
    case .unet: encoderDecoderSizes.members
    }
  }
}
