// Updates of parameters as ops of the step.

/// An optimizer whose update becomes part of the step.
public enum Optimizer: Sendable, Hashable {
  /// Stochastic gradient descent.
  case sgd(weightDecay: Double)
  /// Gradient descent with momentum.
  case momentum(momentum: Double, weightDecay: Double)
  /// Adam with an L2 penalty.
  case adam(weightDecay: Double)
  /// Adam with decoupled weight decay.
  case adamw(weightDecay: Double)
}

func withOptimizer(_ step: Function, _ optimizer: Optimizer) throws(Diagnostic) -> Function { step }
