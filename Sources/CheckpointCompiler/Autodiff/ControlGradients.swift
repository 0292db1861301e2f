// Gradients of loops and branches.
//
// Pullback    The gradient of a function is a function: it takes the arguments and the gradients of the
//             results, computes what it needs of the function anew, and gives the gradients of the
//             arguments. A branch is differentiated by branching between the pullbacks.
// Loop        The number of trips is known. The forward loop stacks the carried values that the
//             pullback of the body reads, one row a trip; what does not change from trip to trip is
//             read where it lies. The backward loop runs the trips in reverse: it carries the gradients
//             of the carried values, and adds up those of the captured ones.
// Memory      The carried values are all that is kept of a trip: the rest of the forward body is
//             computed again, once a trip. Keeping more costs memory times the number of trips.
// Sparse      A gradient of a captured value that is zero but for some windows, as that of a row that
//             the body reads, is added in these windows.

/// What the forward part of a loop leaves for its backward part.
struct LoopGradient {
  /// How often the body runs.
  var trips: Int
  /// The pullback of the body: arguments of the body, gradients of its active results; it gives the
  /// gradients of its active arguments.
  var pullback: Function
  /// Whether each operand of the loop, and so each argument of the body, is active.
  var isActive: [Bool]
  /// The stack of each carried value that the pullback reads.
  var stacks: [Int: ValueID] = [:]
}

extension ReverseWalk {
  /// Copies a forward op; a loop gets stacks of what its backward part reads.
  mutating func cloneForward(_ op: OpID) {
    let results = forward.results(of: op)
    guard forward.ops[op].opcode == .while, results.contains(where: { isActive[$0] }),
      let trips = forward.tripCount(of: op)
    else {
      context.builder.clone(op, of: forward, map: &map)
      return
    }
    let operands = forward.operands(of: op).map { isActive[$0] }
    let carried = Array(results).map { isActive[$0] }
    let active = carried + operands.dropFirst(results.count)
    guard let body = forward.calleeWithCallees(forward.ops[op].attributes.function(.body)!) else {
      preconditionFailure("a loop without a body")
    }
    let pullback = pullback(of: body, active: active, seeded: carried)
    var loop = LoopGradient(trips: trips, pullback: pullback, isActive: active)
    let reads = pullback.readArguments
    stackForward(op, body, (0..<results.count).filter { reads[$0] }, &loop)
    loops[op] = loop
  }

  /// The pullback of a function, with its callees added to the function being built.
  private mutating func pullback(
    of function: Function, active: [Bool], seeded: [Bool]
  ) -> Function {
    var walk = ReverseWalk(function, functions, names: names)
    var result = walk.pullback(active: active, seeded: seeded)
    errors += walk.errors
    names = walk.names
    result = Pipeline.local.run(result)
    for callee in result.callees where context.builder.function.callee(callee.name) == nil {
      context.builder.addCallee(callee)
    }
    names.formUnion(result.callees.map(\.name))
    result.callees = []
    return result
  }

  /// The function of the arguments and of the gradients of results that gives the gradients of
  /// arguments.
  private mutating func pullback(active: [Bool], seeded: [Bool]) -> Function {
    let ops = forward.blocks[forward.body].ops.dropLast()
    context.builder.cloneArguments(of: forward, into: &map)
    for (argument, isActive) in zip(forward.arguments, active) {
      self.isActive[argument.value] = isActive
    }
    findActiveValues(ops)
    for op in ops { cloneForward(op) }
    for (index, value) in forward.returnedValues.enumerated() where seeded[index] {
      let seed = context.builder.addArgument(
        name: "d.\(forward.results[index].name)", type: forward.type(of: value))
      contribute(seed, to: value)
    }
    for op in ops.reversed() { visit(op) }
    var values: [ValueID] = []
    var results: [FunctionResult] = []
    for (argument, isActive) in zip(forward.arguments, active) where isActive {
      values.append(gradients[argument.value] ?? context.zero(like: map[argument.value]!))
      results.append(FunctionResult(name: "d.\(forward.values[argument.value].name)"))
    }
    return context.builder.finish(returning: values, as: results)
  }

  private mutating func freshName(_ base: String) -> String {
    var name = base
    var number = 1
    while !names.insert(name).inserted {
      name = "\(base).\(number)"
      number += 1
    }
    return name
  }

  // MARK: Forward

  /// Writes the forward loop with a counter and a stack for each of some carried values.
  private mutating func stackForward(
    _ op: OpID, _ body: Function, _ stacked: [Int], _ loop: inout LoopGradient
  ) {
    guard !stacked.isEmpty else {
      context.builder.clone(op, of: forward, map: &map)
      return
    }
    let source = forward.ops[op]
    context.location = source.location
    let carriedCount = source.resultCount
    let operands = forward.operands(of: source).map { map[$0]! }
    let condition = forward.callee(source.attributes.function(.condition)!)!
    let types = operands.map { context.type(of: $0) }
    let carried = Array(types[..<carriedCount])
    let captured = Array(types[carriedCount...])
    let stackTypes = stacked.map { carried[$0].stacked(loop.trips) }
    let counter = TensorType(.i32)

    func arguments(
      _ builder: inout FunctionBuilder
    ) -> (own: [ValueID], counter: ValueID, stacks: [ValueID]) {
      var own: [ValueID] = []
      for (index, type) in carried.enumerated() {
        own.append(builder.addArgument(name: body.nameOfArgument(index), type: type))
      }
      let trip = builder.addArgument(name: "trip", type: counter)
      let stacks = zip(stacked, stackTypes).map { index, type in
        builder.addArgument(name: "\(body.nameOfArgument(index)).stack", type: type)
      }
      for (index, type) in captured.enumerated() {
        own.append(builder.addArgument(name: body.nameOfArgument(carriedCount + index), type: type))
      }
      return (own, trip, stacks)
    }

    var test = FunctionBuilder(name: freshName("\(condition.name).stacking"))
    let seen = arguments(&test)
    addCallee(
      test.finish(returning: test.splice(condition, seen.own), as: condition.results))

    var next = FunctionBuilder(name: freshName("\(body.name).stacking"))
    let (own, trip, stacks) = arguments(&next)
    var rows: [ValueID] = []
    for (index, stack) in zip(stacked, stacks) {
      rows.append(next.pushRow(own[index], on: stack, at: trip))
    }
    let values = next.splice(body, own)
    let one = next.emit(
      .constant, [], [.value: .constant(.splat(DType.i32.encode(1)))], type: counter)
    let later = next.emit(.add, [trip, one], name: "trip.new")
    let stackNames = stacked.map { "\(body.nameOfArgument($0)).stack.new" }
    addCallee(
      next.finish(
        returning: values + [later] + rows,
        as: body.results + [FunctionResult(name: "trip.new")]
          + stackNames.map { FunctionResult(name: $0) }))

    let start = context.constant(0, type: counter)
    let empty = stackTypes.map { context.constant(0, type: $0) }
    let results = forward.results(of: op)
    let names: [String] = results.map { forward.values[$0].name }
    let names2 = stacked.map { index in names[index].isEmpty ? "" : "\(names[index]).stack" }
    let loopOp = context.builder.appendUnchecked(
      .while, Array(operands[..<carriedCount]) + [start] + empty + operands[carriedCount...],
      [.condition: .function(test.function.name), .body: .function(next.function.name)],
      types: carried + [counter] + stackTypes, names: names + [""] + names2,
      location: source.location)
    let images = Array(context.builder.function.results(of: loopOp))
    for (value, image) in zip(results, images) { map[value] = image }
    for (place, index) in stacked.enumerated() {
      loop.stacks[index] = images[carriedCount + 1 + place]
    }
  }

  private mutating func addCallee(_ function: Function) { context.builder.addCallee(function) }

  // MARK: Backward

  /// Hands the gradients of the results of a loop or a branch on to its operands.
  mutating func visitControl(_ op: OpID) {
    let source = forward.ops[op]
    let operands = Array(forward.operands(of: source))
    if source.opcode == .case {
      visitBranch(op, operands)
      return
    }
    guard let loop = loops.removeValue(forKey: op) else {
      errors.append(
        Diagnostic(
          "the gradient of a 'while' needs to know how often it runs: by a counter that starts as a "
            + "constant, grows by a constant and is compared with one",
          at: source.location, constraint: "differentiate_c7"))
      return
    }
    let gradients = backwardLoop(op, operands, loop)
    for (operand, gradient) in zip(operands, gradients) {
      if let gradient { contribute(gradient, to: operand) }
    }
  }

  /// Writes the backward loop and returns the gradients of the operands.
  private mutating func backwardLoop(
    _ op: OpID, _ operands: [ValueID], _ loop: LoopGradient
  ) -> [ValueID?] {
    let results = Array(forward.results(of: op))
    let counter = TensorType(.i32)
    let active = operands.indices.filter { loop.isActive[$0] }
    let types = operands.map { forward.type(of: $0) }
    let reads = loop.pullback.readArguments
    let seedCount = active.filter { $0 < results.count }.count
    let stacked = loop.stacks.keys.sorted()
    let capturedRead = operands.indices.filter { $0 >= results.count && reads[$0] }

    // Carried: the counter and the gradients; captured: stacks and what the pullback reads.
    func arguments(
      _ builder: inout FunctionBuilder
    ) -> (counter: ValueID, gradients: [ValueID], stacks: [ValueID], captured: [ValueID]) {
      let trip = builder.addArgument(name: "trip", type: counter)
      let gradients = active.map {
        builder.addArgument(
          name: "d.\(loop.pullback.nameOfArgument($0))", type: types[$0])
      }
      let stacks = stacked.map {
        builder.addArgument(
          name: "\(loop.pullback.nameOfArgument($0)).stack", type: types[$0].stacked(loop.trips))
      }
      let captured = capturedRead.map {
        builder.addArgument(name: loop.pullback.nameOfArgument($0), type: types[$0])
      }
      return (trip, gradients, stacks, captured)
    }
    func number(_ value: Int, _ builder: inout FunctionBuilder) -> ValueID {
      builder.emit(
        .constant, [], [.value: .constant(.splat(DType.i32.encode(Double(value))))], type: counter)
    }

    let base = forward.ops[op].attributes.function(.body)!
    var test = FunctionBuilder(name: freshName("\(base).backward.more"))
    let seen = arguments(&test)
    let limit = number(loop.trips, &test)
    let goesOn = test.emit(.compare, [seen.counter, limit], [.direction: .symbol("lt")])
    addCallee(test.finish(returning: [goesOn], as: [FunctionResult(name: "goes_on")]))

    var next = FunctionBuilder(name: freshName("\(base).backward"))
    for callee in context.builder.function.callees { next.declare(callee) }
    let own = arguments(&next)
    let last = number(loop.trips - 1, &next)
    let trip = next.emit(.subtract, [last, own.counter], name: "reversed")
    var inputs: [ValueID?] = Array(repeating: nil, count: operands.count)
    for (index, stack) in zip(stacked, own.stacks) {
      inputs[index] = next.row(of: stack, at: trip, as: types[index])
    }
    for (index, value) in zip(capturedRead, own.captured) { inputs[index] = value }
    let parts = next.splice(loop.pullback, inputs + own.gradients.prefix(seedCount).map { $0 })
    var values = [next.emit(.add, [own.counter, number(1, &next)], name: "trip.new")]
    for (place, index) in active.enumerated() {
      values.append(
        index < results.count
          ? parts[place] : next.accumulate(parts[place], onto: own.gradients[place]))
    }
    let resultNames = ["trip.new"] + active.map { "d.\(loop.pullback.nameOfArgument($0)).new" }
    addCallee(
      next.finish(returning: values, as: resultNames.map { FunctionResult(name: $0) }))

    let starts = active.map { index -> ValueID in
      let seed = index < results.count ? gradients[results[index]] : nil
      return seed ?? context.zero(like: map[operands[index]]!)
    }
    let start = context.constant(0, type: counter)
    let loopOp = context.builder.appendUnchecked(
      .while,
      [start] + starts + stacked.map { loop.stacks[$0]! } + capturedRead.map { map[operands[$0]]! },
      [.condition: .function(test.function.name), .body: .function(next.function.name)],
      types: [counter] + active.map { types[$0] }, location: forward.ops[op].location)
    var found: [ValueID?] = Array(repeating: nil, count: operands.count)
    for (index, value) in zip(active, context.builder.function.results(of: loopOp).dropFirst()) {
      found[index] = value
    }
    return found
  }

  private mutating func visitBranch(_ op: OpID, _ operands: [ValueID]) {
    let results = Array(forward.results(of: op))
    let inputs = Array(operands.dropFirst())
    let active = inputs.map { isActive[$0] }
    let seeded = results.map { gradients[$0] != nil }
    var branches: [String] = []
    for name in forward.ops[op].attributes.functions(.branches)! {
      let branch = forward.calleeWithCallees(name)!
      var gradient = pullback(of: branch, active: active, seeded: seeded)
      gradient.name = freshName("\(name).backward")
      addCallee(gradient)
      branches.append(gradient.name)
    }
    let seeds = results.compactMap { gradients[$0] }
    let sought = inputs.indices.filter { active[$0] }
    let branchOp = context.builder.appendUnchecked(
      .case, operands.map { map[$0]! } + seeds, [.branches: .functions(branches)],
      types: sought.map { forward.type(of: inputs[$0]) }, location: forward.ops[op].location)
    for (index, value) in zip(sought, context.builder.function.results(of: branchOp)) {
      contribute(value, to: inputs[index])
    }
  }
}
