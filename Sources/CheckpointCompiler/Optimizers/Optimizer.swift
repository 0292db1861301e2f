// The optimizers, with the semantics and the constants of PyTorch.

/// An optimizer whose update becomes part of the step.
public enum Optimizer: Sendable, Hashable {
  /// Stochastic gradient descent: `w -= lr * (g + weightDecay * w)`.
  case sgd(weightDecay: Double)
  /// Gradient descent with momentum: `m = momentum * m + g + weightDecay * w`, `w -= lr * m`.
  case momentum(momentum: Double, weightDecay: Double)
  /// Adam, the weight decay added to the gradient.
  case adam(weightDecay: Double)
  /// Adam, the weight decay taken off the weights: `w *= 1 - lr * weightDecay` first.
  case adamw(weightDecay: Double)

  /// Adam's rates of decay of the averages of gradients and of their squares.
  static let betas = (0.9, 0.999)
  /// What Adam adds to the root of the second average.
  static let epsilon = 1e-8

  /// The prefixes of the states that each parameter gets: `m.w` for the parameter `w`.
  var statePrefixes: [String] {
    switch self {
    case .sgd: []
    case .momentum: ["m"]
    case .adam, .adamw: ["m", "v"]
    }
  }

  /// Whether the number of the step enters the update.
  var countsSteps: Bool {
    switch self {
    case .sgd, .momentum: false
    case .adam, .adamw: true
    }
  }

  /// How much of the weights each step takes off.
  var weightDecay: Double {
    switch self {
    case .sgd(let weightDecay), .momentum(_, let weightDecay), .adam(let weightDecay),
      .adamw(let weightDecay):
      weightDecay
    }
  }

  /// The learning rate where none is given.
  package var usualLearningRate: Double {
    switch self {
    case .sgd: 0.1
    case .momentum: 0.05
    case .adam, .adamw: 0.001
    }
  }
}
