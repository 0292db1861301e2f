// Plans what loops and branches call, before the function that calls it is priced.
//
// Problem     A loop is one kernel to the planner: it needs a price and the memory that it works in.
// Method      Callees come first, so that one walk plans each after all that it calls: grouped, priced,
//             ordered, packed and checked like a step. Its arena is scratch of the op that calls it.
// Carried     The body of a loop gets what it carries as state that it updates: what allows a step to
//             update its state in place allows a loop to do so from trip to trip, and what has to be
//             copied is copied at the end of each.
// Budget      Nothing is recomputed inside: such a function gets the least memory that is no slower.

/// The function with everything that its loops and branches call planned.
///
/// - Parameters:
///   - function: A function before grouping, or one that is planned.
///   - options: What is asked of the compilation; budget and pins are about the step alone.
///   - isTaken: Whether the order of the ops of callees is their plan.
/// - Returns: The function, whose callees have storage and a price.
/// - Throws: A defect of ckc, or a graph whose sizes cannot be added up.
func withRoutines(
  _ function: Function, options: CompileOptions, isTaken: Bool
) throws(CompileError) -> Function {
  var result = function.withCalleeRoles()
  let names = result.routineNames
  guard !names.isEmpty else { return result }
  if !isTaken {
    result = result.givingLoopsTheirConstants()
    result.callees = result.callees.map { $0.givingLoopsTheirConstants() }
  }
  var inner = options
  inner.budget = .unlimited
  inner.maxOverhead = 0
  inner.strategy = .auto
  inner.pins = []
  inner.plan = nil
  for index in result.callees.indices where names.contains(result.callees[index].name) {
    var callee = result.callees[index]
    callee.callees = Array(result.callees[..<index])
    let step = try plannedRoutine(callee.prunedCallees(), inner, isTaken: isTaken)
    var planned = step.function
    planned.callees = []
    planned.routine = Routine(
      storage: step.storage, costNs: step.costNs, bufferTable: step.bufferTable)
    result.callees[index] = planned
  }
  return result
}

private func plannedRoutine(
  _ function: Function, _ options: CompileOptions, isTaken: Bool
) throws(CompileError) -> PlannedStep {
  let costs = CostModel(target: options.target, measuredNs: options.measuredNs)
  if isTaken {
    let taken = copyingUpdates(function)
    let order = KernelOrder(taken)
    return try Planner.place(
      taken, computations: Array(order.kernels.indices),
      costNs: costs.timesNs(of: order, in: taken).reduce(0, +), target: options.target,
      effort: options.effort, capacityBytes: nil)
  }
  var variants: [PricedFunction] = []
  do {
    for variant in kernelVariants(of: function, target: options.target) {
      variants.append(try priced(sinkingUpdates(variant), costs: costs))
    }
  } catch {
    throw .input(DiagnosticList([error]))
  }
  var planner = try VariantPlanner(variants, options: options)
  return try planner.choose(budgetBytes: nil).step
}

extension Function {
  /// The function with a constant of its own for each carried value that starts as one: it can go on in
  /// the memory of that.
  fileprivate func givingLoopsTheirConstants() -> Function {
    guard ops.elements.contains(where: { $0.opcode == .while }) else { return self }
    var builder = FunctionBuilder(name: name)
    builder.setGradientFunction(gradientFunction)
    var map = ValueMap(for: self)
    builder.cloneArguments(of: self, into: &map)
    for id in blocks[body].ops.dropLast() {
      let op = ops[id]
      guard op.opcode == .while else {
        builder.clone(id, of: self, map: &map)
        continue
      }
      var operands = operands(of: op).map { map[$0]! }
      for (index, value) in self.operands(of: op).prefix(op.resultCount).enumerated() {
        guard let bytes = splat(value) else { continue }
        operands[index] = builder.emit(
          .constant, [], [.value: .constant(.splat(bytes))], type: type(of: value),
          name: values[value].name)
      }
      let results = results(of: id)
      let copy = builder.appendUnchecked(
        op.opcode, operands, op.attributes, types: results.map { type(of: $0) },
        names: results.map { values[$0].name }, location: op.location)
      for (old, new) in zip(results, builder.function.results(of: copy)) { map[old] = new }
    }
    let finished = builder.finish(returning: returnedValues.map { map[$0]! }, as: results)
    return deadCode.run(finished) ?? finished
  }

  /// The function whose callees have the roles that loops and branches give them: arguments and
  /// results, but for the body of a loop, which updates the values that are carried.
  ///
  /// A function that is a body, and something else elsewhere, becomes two.
  func withCalleeRoles() -> Function {
    var bodies: Set<String> = []
    var others: Set<String> = []
    for function in callees + [self] {
      for op in function.ops.elements {
        var attributes = op.attributes
        if op.opcode == .while, let body = attributes.function(.body) {
          bodies.insert(body)
          attributes[.body] = nil
        }
        others.formUnion(attributes.functionNames)
      }
    }
    guard !bodies.isEmpty || !others.isEmpty else { return self }
    var taken = bodies.union(others)
    var bodyNames: [String: String] = [:]
    var function = self
    function.callees = []
    for callee in callees {
      let renamed = callee.namingBodies(bodyNames)
      if others.contains(callee.name) || !bodies.contains(callee.name) {
        function.callees.append(renamed.withRoles(isBody: false))
      }
      guard bodies.contains(callee.name) else { continue }
      var body = renamed.withRoles(isBody: true)
      if others.contains(callee.name) {
        body.name += ".body"
        while !taken.insert(body.name).inserted { body.name += "_" }
        bodyNames[callee.name] = body.name
      }
      function.callees.append(body)
    }
    return function.namingBodies(bodyNames)
  }

  private func namingBodies(_ names: [String: String]) -> Function {
    guard !names.isEmpty else { return self }
    var function = self
    for op in function.ops.ids where function.ops[op].opcode == .while {
      guard let name = function.ops[op].attributes.function(.body).flatMap({ names[$0] }) else {
        continue
      }
      function.ops[op].attributes[.body] = .function(name)
    }
    return function
  }

  private func withRoles(isBody: Bool) -> Function {
    var function = self
    for index in function.arguments.indices {
      let isCarried = isBody && index < function.results.count
      function.arguments[index].role = isCarried ? .state : .input
      function.arguments[index].initializer = nil
    }
    for index in function.results.indices {
      function.results[index].role = isBody ? .update(of: index) : .output
    }
    return function
  }
}
