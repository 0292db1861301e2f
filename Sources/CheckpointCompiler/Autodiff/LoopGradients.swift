// Gradients of loops whose number of trips is known.
//
// Forward     The loop stacks what the pullback of its body needs, one row a trip (`LoopResiduals`); what
//             does not change from trip to trip is read where it lies, and counters follow from the
//             trip.
// Backward    Runs the trips in reverse: it carries the gradients of the carried values, and adds up
//             those of the captured ones.
// Sparse      A gradient of a captured value that is zero but for some windows, as that of a row that
//             the body reads, is added in these windows.

/// What the forward part of a loop leaves for its backward part.
struct LoopGradient {
  /// How often the body runs.
  var trips: Int
  var pullback: LoopPullback
  /// Whether each operand of the loop, and so each argument of the body, is active.
  var isActive: [Bool]
  /// The carried values that follow from the trip.
  var counters: [Int: LoopCounter]
  /// What is stacked: a value of the pullback, its stack in the step.
  var stacks: [(value: ValueID, stack: ValueID)] = []
}

extension ReverseWalk {
  /// Copies a forward op; a loop gets stacks of what its backward part reads.
  mutating func cloneForward(_ op: OpID) {
    let results = Array(forward.results(of: op))
    guard forward.ops[op].opcode == .while, results.contains(where: { isActive[$0] }),
      let trips = forward.tripCount(of: op), trips <= Int(Int32.max)
    else {
      context.builder.clone(op, of: forward, map: &map)
      return
    }
    let carried = results.map { isActive[$0] }
    let active = carried + forward.operands(of: op).map { isActive[$0] }.dropFirst(results.count)
    let body = forward.calleeWithCallees(forward.ops[op].attributes.function(.body)!)!
    let pullback = LoopPullback(
      function: pullback(of: body, active: active, seeded: carried),
      gradientCount: active.count { $0 })
    var loop = LoopGradient(
      trips: trips, pullback: pullback, isActive: active, counters: forward.counters(of: op))
    stackForward(op, body, &loop)
    // After an error nothing is asked any more.
    if errors.isEmpty { loops[op] = loop }
  }

  // MARK: Forward

  /// Writes the forward loop with a stack for each value that the backward loop needs of a trip.
  private mutating func stackForward(_ op: OpID, _ body: Function, _ loop: inout LoopGradient) {
    let source = forward.ops[op]
    let results = Array(forward.results(of: op))
    let pullback = loop.pullback.function
    let stacked = loop.pullback.stackedValues(
      argumentCount: body.arguments.count, carriedCount: results.count,
      counters: Set(loop.counters.keys), residuals)
    guard !stacked.isEmpty else {
      context.builder.clone(op, of: forward, map: &map)
      return
    }
    let stackTypes = stacked.map { pullback.type(of: $0).stacked(loop.trips) }
    guard stackTypes.allSatisfy(\.isRepresentable) else {
      errors.append(
        Diagnostic(
          "the backward pass of this 'while' needs a value of each of its \(loop.trips) trips, which "
            + "takes over 1 TiB", at: source.location, constraint: "differentiate_c8"))
      context.builder.clone(op, of: forward, map: &map)
      return
    }
    context.location = source.location
    let operands = forward.operands(of: source).map { map[$0]! }
    let condition = forward.callee(source.attributes.function(.condition)!)!
    let types = body.argumentTypes
    let stackNames = stacked.indices.map { place in
      let name = pullback.values[stacked[place]].name
      return (name.isEmpty ? "kept\(place)" : name) + ".stack"
    }
    // A counter from 0 on by 1 tells the row.
    let rowCounter = loop.counters.filter { $1 == LoopCounter(start: 0, step: 1) }.keys
      .filter { types[$0] == TensorType(.i32) }.min()

    func arguments(
      _ builder: inout FunctionBuilder
    ) -> (own: [ValueID], row: ValueID, stacks: [ValueID]) {
      func add(_ range: Range<Int>) -> [ValueID] {
        range.map { builder.addArgument(name: body.nameOfArgument($0), type: types[$0]) }
      }
      let carried = add(0..<results.count)
      let stacks = zip(stackNames, stackTypes).map { builder.addArgument(name: $0, type: $1) }
      let row =
        rowCounter.map { carried[$0] }
        ?? builder.addArgument(name: "trip", type: TensorType(.i32))
      return (carried + add(results.count..<types.count), row, stacks)
    }

    var test = FunctionBuilder(name: freshName("\(condition.name).stacking"))
    let seen = arguments(&test)
    context.builder.addCallee(
      test.finish(returning: test.splice(condition, seen.own), as: condition.results))

    var next = FunctionBuilder(name: freshName("\(body.name).stacking"))
    for callee in context.builder.function.callees { next.declare(callee) }
    let own = arguments(&next)
    var images = ValueMap(for: pullback)
    for (argument, value) in zip(pullback.arguments, own.own) { images[argument.value] = value }
    var returned = next.splice(loop.pullback.results, of: pullback, map: &images)
    for (value, stack) in zip(stacked, own.stacks) {
      let kept = next.splice([value], of: pullback, map: &images)[0]
      returned.append(next.pushRow(kept, on: stack, at: own.row))
    }
    var resultNames = body.results.map(\.name) + stackNames.map { "\($0).new" }
    var starts = stackTypes.map { context.constant(0, type: $0) }
    if rowCounter == nil {
      returned.append(next.increment(own.row))
      resultNames.append("trip.new")
      starts.append(context.constant(0, type: TensorType(.i32)))
    }
    context.builder.addCallee(
      next.finish(returning: returned, as: resultNames.map { FunctionResult(name: $0) }))

    let names: [String] = results.map { forward.values[$0].name }
    let loopOp = context.builder.appendUnchecked(
      .while, operands[..<results.count] + starts + operands[results.count...],
      [.condition: .function(test.function.name), .body: .function(next.function.name)],
      types: returned.map { next.type(of: $0) }, names: names + stackNames,
      location: source.location)
    let values = Array(context.builder.function.results(of: loopOp))
    for (value, image) in zip(results, values) { map[value] = image }
    loop.stacks = Array(zip(stacked, values.dropFirst(results.count)))
  }

  // MARK: Backward

  /// Writes the backward loop and returns the gradients of the operands.
  mutating func loopGradients(_ op: OpID) -> [ValueID?] {
    guard let loop = loops.removeValue(forKey: op) else {
      guard errors.isEmpty else { return [] }
      errors.append(
        Diagnostic(
          "the gradient of a 'while' needs to know how often it runs: by a counter that starts as a "
            + "constant, grows by a constant and is compared with one",
          at: forward.ops[op].location, constraint: "differentiate_c7"))
      return []
    }
    let operands = Array(forward.operands(of: op))
    let results = Array(forward.results(of: op))
    let pullback = loop.pullback.function
    let types = operands.map { forward.type(of: $0) }
    let active = operands.indices.filter { loop.isActive[$0] }
    let captured = operands.indices.dropFirst(results.count)

    // Carried: the trip and the gradients; captured: stacks, and what the loop captured.
    func arguments(
      _ builder: inout FunctionBuilder
    ) -> (trip: ValueID, gradients: [ValueID], stacks: [ValueID], captured: [ValueID]) {
      let trip = builder.addArgument(name: "trip", type: TensorType(.i32))
      let gradients = active.map {
        builder.addArgument(name: "d.\(pullback.nameOfArgument($0))", type: types[$0])
      }
      let stacks = loop.stacks.map { value, stack in
        builder.addArgument(name: pullback.values[value].name, type: context.type(of: stack))
      }
      let captured = captured.map {
        builder.addArgument(name: pullback.nameOfArgument($0), type: types[$0])
      }
      return (trip, gradients, stacks, captured)
    }

    let base = forward.ops[op].attributes.function(.body)!
    var test = FunctionBuilder(name: freshName("\(base).backward.more"))
    let seen = arguments(&test)
    let limit = test.number(loop.trips, TensorType(.i32))
    let goesOn = test.emit(.compare, [seen.trip, limit], [.direction: .symbol("lt")])
    context.builder.addCallee(
      test.finish(returning: [goesOn], as: [FunctionResult(name: "goes_on")]))

    var next = FunctionBuilder(name: freshName("\(base).backward"))
    for callee in context.builder.function.callees { next.declare(callee) }
    let own = arguments(&next)
    let last = next.number(loop.trips - 1, TensorType(.i32))
    let row = next.emit(.subtract, [last, own.trip], name: "row")
    var images = ValueMap(for: pullback)
    for (index, counter) in loop.counters.sorted(by: { $0.key < $1.key }) {
      images[pullback.arguments[index].value] = next.value(of: counter, at: row, as: types[index])
    }
    for ((value, _), stack) in zip(loop.stacks, own.stacks) {
      images[value] = next.row(of: stack, at: row, as: pullback.type(of: value))
    }
    for (index, value) in zip(captured, own.captured) {
      images[pullback.arguments[index].value] = value
    }
    for (seed, value) in zip(pullback.arguments.dropFirst(operands.count), own.gradients) {
      images[seed.value] = value
    }
    let parts = next.splice(loop.pullback.gradients, of: pullback, map: &images)
    var values = [next.increment(own.trip)]
    for (place, index) in active.enumerated() {
      values.append(
        index < results.count
          ? parts[place] : next.accumulate(parts[place], onto: own.gradients[place]))
    }
    let names = ["trip.new"] + active.map { "d.\(pullback.nameOfArgument($0)).new" }
    context.builder.addCallee(
      next.finish(returning: values, as: names.map { FunctionResult(name: $0) }))

    let starts = active.map { index -> ValueID in
      let seed = index < results.count ? gradients[results[index]] : nil
      return seed ?? context.zero(like: map[operands[index]]!)
    }
    let start = context.constant(0, type: TensorType(.i32))
    let loopOp = context.builder.appendUnchecked(
      .while,
      [start] + starts + loop.stacks.map(\.stack) + captured.map { map[operands[$0]]! },
      [.condition: .function(test.function.name), .body: .function(next.function.name)],
      types: values.map { next.type(of: $0) }, location: forward.ops[op].location)
    var found: [ValueID?] = Array(repeating: nil, count: operands.count)
    for (index, value) in zip(active, context.builder.function.results(of: loopOp).dropFirst()) {
      found[index] = value
    }
    return found
  }
}
