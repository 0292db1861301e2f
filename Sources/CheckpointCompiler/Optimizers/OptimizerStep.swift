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
//
// Which parameters are updated is in `TrainedParameters.swift`, where in `UpdatePlaces.swift`, and how in
// `UpdateRules.swift`.

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

/// The name of the input that holds the learning rate.
private let learningRateName = "lr"
/// The name of the state that counts steps.
private let counterName = "optimizer.step"

/// Checks that no argument has the name of one that is to be added.
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

/// Writes the step with its updates.
struct OptimizerWriter {
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
  func arithmetic(_ dtype: DType) -> DType { dtype == .f64 ? .f64 : .f32 }

  mutating func run() -> Function {
    builder.cloneArguments(of: step, into: &map)
    let rate = builder.addArgument(name: learningRateName, type: TensorType(.f32))
    for parameter in trained { addStates(of: parameter) }
    let counter = optimizer.countsSteps ? addCounter() : nil
    for parameter in trained {
      let dtype = arithmetic(step.type(of: parameter.value).dtype)
      if scalars[dtype] == nil {
        scalars[dtype] = makeScalars(dtype, rate: rate, counter: counter?.new)
      }
    }

    let places = UpdatePlaces(trained, in: step)
    for index in places.atStart { update(index) }
    for op in step.blocks[step.body].ops.dropLast() {
      builder.clone(op, of: step, map: &map)
      for index in places.after[op] ?? [] { update(index) }
    }
    return finish(counter: counter)
  }

  private mutating func addStates(of parameter: TrainedParameter) {
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

  /// Adds the number of the step as an argument, and one more than it.
  private mutating func addCounter() -> (argument: Int, new: ValueID) {
    let index = builder.function.arguments.count
    let old = builder.addArgument(
      name: counterName, type: TensorType(.i32), role: .state, initializer: .fill(0))
    let one = constant(1, TensorType(.i32))
    return (index, builder.emit(.add, [old, one], name: "\(counterName).new"))
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
