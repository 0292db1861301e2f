// The update rules of the optimizers, as ops.
//
// Source      PyTorch's `torch.optim`: SGD (no dampening, no Nesterov), Adam, AdamW. The bias
//             corrections 1 - beta^t are computed as -expm1(t * log(beta)), which is exact in f32
//             where PyTorch uses double.

import Foundation

extension OptimizerWriter {
  /// A constant whose elements are all one number.
  mutating func constant(_ number: Double, _ type: TensorType) -> ValueID {
    builder.emit(
      .constant, [], [.value: .constant(.splat(type.dtype.encode(number)))], type: type)
  }

  /// `a * number`, or `a` where that is the same.
  private mutating func scaled(_ a: ValueID, by number: Double) -> ValueID {
    if number == 1 { return a }
    let factor = constant(number, builder.type(of: a))
    return builder.emit(.multiply, [a, factor])
  }

  private mutating func converted(_ a: ValueID, to dtype: DType) -> ValueID {
    let type = builder.type(of: a)
    return type.dtype == dtype ? a : builder.emit(.convert, [a], type: type.with(dtype))
  }

  /// A scalar in every element of the type of `model`.
  private mutating func spread(_ scalar: ValueID, like model: ValueID) -> ValueID {
    let type = builder.type(of: model)
    if type.rank == 0 { return scalar }
    return builder.emit(.broadcastInDim, [scalar], [.dims: .ints([])], type: type)
  }

  /// The scalars of a dtype, from the learning rate and, where the optimizer counts steps, their number.
  mutating func makeScalars(_ dtype: DType, rate: ValueID, counter: ValueID?) -> Scalars {
    let rate = converted(rate, to: dtype)
    var scalars = Scalars(rate: rate)
    if case .adamw(let weightDecay) = optimizer, weightDecay != 0 {
      let one = constant(1, TensorType(dtype))
      let taken = scaled(rate, by: weightDecay)
      scalars.shrink = builder.emit(.subtract, [one, taken])
    }
    if let counter {
      let count = converted(counter, to: dtype)
      func correction(_ beta: Double, _ writer: inout OptimizerWriter) -> ValueID {
        let exponent = writer.scaled(count, by: Foundation.log(beta))
        let power = writer.builder.emit(.exponentialMinusOne, [exponent])
        return writer.builder.emit(.negate, [power])
      }
      let first = correction(Optimizer.betas.0, &self)
      scalars.rate = builder.emit(.divide, [rate, first])
      let second = correction(Optimizer.betas.1, &self)
      scalars.correction = builder.emit(.sqrt, [second])
    }
    return scalars
  }

  /// Appends the update of a parameter and of its states.
  mutating func update(_ index: Int) {
    let parameter = trained[index]
    let type = step.type(of: parameter.value)
    let dtype = arithmetic(type.dtype)
    guard let shared = scalars[dtype] else { preconditionFailure("no scalars of \(dtype)") }
    let old = converted(map[parameter.value]!, to: dtype)
    let gradient = converted(map[parameter.gradient]!, to: dtype)
    var weights = old
    let direction: ValueID
    switch optimizer {
    case .sgd(let weightDecay):
      direction = decayed(gradient, old, weightDecay)
    case .momentum(let momentum, let weightDecay):
      let decayed = decayed(gradient, old, weightDecay)
      let kept = scaled(states[index][0].old, by: momentum)
      direction = builder.emit(.add, [kept, decayed], name: stateName(index, 0))
      states[index][0].new = direction
    case .adam(let weightDecay):
      direction = adam(index, decayed(gradient, old, weightDecay), shared)
    case .adamw:
      if let shrink = shared.shrink {
        let factor = spread(shrink, like: old)
        weights = builder.emit(.multiply, [old, factor])
      }
      direction = adam(index, gradient, shared)
    }
    let rate = spread(shared.rate, like: direction)
    let change = builder.emit(.multiply, [direction, rate])
    let new = builder.emit(.subtract, [weights, change])
    let stored = converted(new, to: type.dtype)
    builder.rename(stored, to: "\(parameter.name).new")
    updates[index] = stored
  }

  /// The name of the new value of a state.
  func stateName(_ index: Int, _ state: Int) -> String {
    "\(optimizer.statePrefixes[state]).\(trained[index].name).new"
  }

  /// `gradient + weightDecay * old`.
  private mutating func decayed(
    _ gradient: ValueID, _ old: ValueID, _ weightDecay: Double
  ) -> ValueID {
    if weightDecay == 0 { return gradient }
    let penalty = scaled(old, by: weightDecay)
    return builder.emit(.add, [gradient, penalty])
  }

  /// The direction of Adam, without the first bias correction, which is in the rate; the averages
  /// are updated.
  private mutating func adam(_ index: Int, _ gradient: ValueID, _ shared: Scalars) -> ValueID {
    let (first, second) = Optimizer.betas
    func average(
      _ state: Int, _ fresh: ValueID, _ beta: Double, _ writer: inout OptimizerWriter
    ) -> ValueID {
      let kept = writer.scaled(writer.states[index][state].old, by: beta)
      let added = writer.scaled(fresh, by: 1 - beta)
      let new = writer.builder.emit(.add, [kept, added], name: writer.stateName(index, state))
      writer.states[index][state].new = new
      return new
    }
    let mean = average(0, gradient, first, &self)
    let square = builder.emit(.multiply, [gradient, gradient])
    let meanSquare = average(1, square, second, &self)
    let root = builder.emit(.sqrt, [meanSquare])
    let correction = spread(shared.correction!, like: root)
    let corrected = builder.emit(.divide, [root, correction])
    let epsilon = constant(Optimizer.epsilon, builder.type(of: corrected))
    let denominator = builder.emit(.add, [corrected, epsilon])
    return builder.emit(.divide, [mean, denominator])
  }
}
