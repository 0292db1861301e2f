// Makes the optimizer's update part of the step, as ops that consume the gradients.
//
// Arguments   An input `%lr: f32`; for each parameter with a gradient the states of the optimizer,
//             `%m.w` and `%v.w`, that start as zeros; for Adam a counter `%optimizer.step: i32`.
// Results     The gradient of `%w` gives way to the update of `%w`, named `w.new`; the updates of the
//             states follow the other results. Gradients of other arguments stay.
// Order       The update of a parameter stands right after its gradient is complete and its old value
//             was read for the last time, so that the gradient dies there and the update can be done
//             in place. All of it is elementwise: scalars that are the same for all parameters are
//             computed once, at the top, and broadcast.
// Dtypes      `f64` parameters are updated in `f64`, all others in `f32` and rounded once; their
//             states have the dtype of the arithmetic.
// Source      PyTorch's `torch.optim`: SGD (no dampening, no Nesterov), Adam, AdamW. The bias
//             corrections 1 - beta^t are computed as -expm1(t * log(beta)), which is exact in f32
//             where PyTorch uses double.

import Foundation

/// The step with the optimizer's updates in place of its parameter gradients.
///
/// - Throws: A diagnostic where no result is the gradient of a parameter, where a parameter is
///   updated already, or where the name of an argument to add is taken.
/// - Complexity: O(ops + operands).
func withOptimizer(_ step: Function, _ optimizer: Optimizer) throws(Diagnostic) -> Function {
  let trained = try trainedParameters(of: step)
  try checkNames(in: step, trained, optimizer)
  var writer = OptimizerWriter(step, optimizer, trained)
  return writer.run()
}

/// A parameter and the value that is its gradient.
private struct TrainedParameter {
  /// Index among the arguments.
  var argument: Int
  /// Index of the gradient among the results.
  var result: Int
  var value: ValueID
  var gradient: ValueID
  /// The name of the argument, or its index where it has none.
  var name: String
}

/// The parameters that have a gradient, in the order of the results.
private func trainedParameters(of step: Function) throws(Diagnostic) -> [TrainedParameter] {
  let values = step.returnedValues
  var updated: [Int: SourceLocation] = [:]
  for result in step.results {
    if case .update(let argument) = result.role { updated[argument] = result.location }
  }
  var trained: [TrainedParameter] = []
  for (index, result) in step.results.enumerated() {
    guard case .gradient(let argument) = result.role,
      step.arguments[argument].role == .parameter
    else { continue }
    let value = step.arguments[argument].value
    let name = step.values[value].name
    if let place = updated[argument] {
      throw Diagnostic(
        "%\(name) has a gradient and an update already; an optimizer would update it twice",
        at: result.location, constraint: "optimizer_c2",
        notes: [.note("the update is here", at: place)])
    }
    if trained.contains(where: { $0.argument == argument }) {
      throw Diagnostic(
        "%\(name) has two gradients; an optimizer takes one", at: result.location,
        constraint: "optimizer_c2")
    }
    trained.append(
      TrainedParameter(
        argument: argument, result: index, value: value, gradient: values[index],
        name: name.isEmpty ? String(argument) : name))
  }
  guard !trained.isEmpty else {
    throw Diagnostic(
      "an optimizer needs gradients, but no result of @\(step.name) is the gradient of a parameter",
      at: step.results.first?.location ?? .unknown, constraint: "optimizer_c1")
  }
  return trained
}

/// The name of the input that holds the learning rate.
private let learningRateName = "lr"
/// The name of the state that counts steps.
private let counterName = "optimizer.step"

private func checkNames(
  in step: Function, _ trained: [TrainedParameter], _ optimizer: Optimizer
) throws(Diagnostic) {
  var places: [String: SourceLocation] = [:]
  for argument in step.arguments { places[step.values[argument.value].name] = argument.location }
  var added = [("an input", learningRateName)]
  if optimizer.countsSteps { added.append(("a state", counterName)) }
  for parameter in trained {
    for prefix in optimizer.statePrefixes {
      added.append(("a state", "\(prefix).\(parameter.name)"))
    }
  }
  for (kind, name) in added {
    guard let place = places[name] else { continue }
    throw Diagnostic(
      "the optimizer adds \(kind) %\(name), but the graph has an argument %\(name)", at: place,
      constraint: "optimizer_c3")
  }
}

private struct OptimizerWriter {
  let step: Function
  let optimizer: Optimizer
  let trained: [TrainedParameter]
  var builder: FunctionBuilder
  var map: ValueMap
  /// Scalars of the update rule by the dtype of the arithmetic.
  var scalars: [DType: Scalars] = [:]
  /// The states of each trained parameter: their arguments, and their new values once computed.
  var states: [[(argument: Int, old: ValueID, new: ValueID?)]] = []
  /// The new value of each trained parameter.
  var updates: [ValueID?]

  /// Scalars that all parameters share.
  struct Scalars {
    /// What the direction is multiplied with.
    var rate: ValueID
    /// 1 - lr * weight decay, for AdamW.
    var shrink: ValueID?
    /// The root of the second bias correction, for Adam.
    var correction: ValueID?
  }

  init(_ step: Function, _ optimizer: Optimizer, _ trained: [TrainedParameter]) {
    self.step = step
    self.optimizer = optimizer
    self.trained = trained
    builder = FunctionBuilder(name: step.name)
    map = ValueMap(for: step)
    updates = Array(repeating: nil, count: trained.count)
  }

  /// The dtype in which a parameter is updated.
  private func arithmetic(_ dtype: DType) -> DType { dtype == .f64 ? .f64 : .f32 }

  mutating func run() -> Function {
    builder.cloneArguments(of: step, into: &map)
    let rate = builder.addArgument(name: learningRateName, type: TensorType(.f32))
    for parameter in trained {
      let type = step.type(of: parameter.value)
      states.append(
        optimizer.statePrefixes.map { prefix in
          let index = builder.function.arguments.count
          let value = builder.addArgument(
            name: "\(prefix).\(parameter.name)", type: type.with(arithmetic(type.dtype)),
            role: .state, initializer: .fill(0),
            location: step.arguments[parameter.argument].location)
          return (index, value, nil)
        })
    }
    var counter: (argument: Int, new: ValueID)?
    if optimizer.countsSteps {
      let index = builder.function.arguments.count
      let old = builder.addArgument(
        name: counterName, type: TensorType(.i32), role: .state, initializer: .fill(0))
      let one = constant(1, TensorType(.i32))
      counter = (index, builder.emit(.add, [old, one], name: "\(counterName).new"))
    }
    for parameter in trained {
      let dtype = arithmetic(step.type(of: parameter.value).dtype)
      if scalars[dtype] == nil {
        scalars[dtype] = makeScalars(dtype, rate: rate, counter: counter?.new)
      }
    }

    let places = placesOfUpdates()
    for index in places.atStart { update(index) }
    for op in step.blocks[step.body].ops.dropLast() {
      builder.clone(op, of: step, map: &map)
      for index in places.after[op] ?? [] { update(index) }
    }
    return finish(counter: counter)
  }

  /// For each top-level op, the parameters to be updated after it: their gradient is complete and
  /// their old value has been read.
  private func placesOfUpdates() -> (atStart: [Int], after: [OpID: [Int]]) {
    var order: [OpID: Int] = [:]
    let topLevel = step.blocks[step.body].ops.dropLast()
    for (place, op) in topLevel.enumerated() { order[op] = place }
    /// The op of the body that an op stands in.
    func outermost(_ op: OpID) -> OpID {
      var op = op
      while let owner = step.blocks[step.ops[op].block].owner { op = owner }
      return op
    }
    var lastPlace: [ValueID: Int] = [:]
    for op in step.opsInOrder {
      guard let place = order[outermost(op)] else { continue }
      for operand in step.operands(of: op) {
        lastPlace[operand] = max(lastPlace[operand] ?? -1, place)
      }
    }
    var atStart: [Int] = []
    var after: [OpID: [Int]] = [:]
    for (index, parameter) in trained.enumerated() {
      let complete = step.definingOp(of: parameter.gradient).flatMap { order[$0] } ?? -1
      let place = max(complete, lastPlace[parameter.value] ?? -1)
      if place < 0 {
        atStart.append(index)
      } else {
        after[topLevel[place], default: []].append(index)
      }
    }
    return (atStart, after)
  }

  // MARK: Rules

  private mutating func constant(_ number: Double, _ type: TensorType) -> ValueID {
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

  private mutating func makeScalars(_ dtype: DType, rate: ValueID, counter: ValueID?) -> Scalars {
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
  private mutating func update(_ index: Int) {
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

  private func stateName(_ index: Int, _ state: Int) -> String {
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

  // MARK: Results

  private mutating func finish(counter: (argument: Int, new: ValueID)?) -> Function {
    var values = step.returnedValues.map { map[$0]! }
    var results = step.results
    for (index, parameter) in trained.enumerated() {
      values[parameter.result] = updates[index]!
      results[parameter.result].role = .update(of: parameter.argument)
    }
    // Names of results that stay come before those of updates.
    var names: Set<String> = []
    for result in step.results {
      if case .gradient = result.role { continue }
      names.insert(result.name)
    }
    func unique(_ name: String) -> String {
      var candidate = name
      while !names.insert(candidate).inserted { candidate += "_" }
      return candidate
    }
    for parameter in trained { results[parameter.result].name = unique("\(parameter.name).new") }
    for (index, parameter) in trained.enumerated() {
      for (state, entry) in states[index].enumerated() {
        values.append(entry.new!)
        results.append(
          FunctionResult(
            name: unique(stateName(index, state)), role: .update(of: entry.argument),
            location: step.arguments[parameter.argument].location))
      }
    }
    if let counter {
      values.append(counter.new)
      results.append(
        FunctionResult(
          name: unique("\(counterName).new"), role: .update(of: counter.argument)))
    }
    return builder.finish(returning: values, as: results)
  }
}
