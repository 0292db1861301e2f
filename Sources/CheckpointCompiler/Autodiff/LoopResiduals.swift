// What a loop keeps of every trip for its backward part.
//
// Problem     The pullback of the body reads values of the forward body. Each can be stacked, a row a
//             trip, or computed again from others that are.
// Method      A minimum cut between what each trip brings and what the gradients read, priced in bytes.
//             Captured values, counters and what follows from them alone cost nothing. Where a loop is
//             to be fast, the results of ops that take time are brought by the trip: they are not
//             computed again. Where it is to be small, only the carried values are.
// Cost        That of a minimum cut of the ops of the body.

/// How much the backward part of a loop computes again.
enum LoopResiduals: Sendable {
  /// No contraction, reduction or loop.
  case stacked
  /// All of the body, where that keeps less.
  case recomputed
}

/// The pullback of the body of a loop, and what it needs of the forward trip.
struct LoopPullback {
  /// Arguments of the body, then gradients of its active results; gives the gradients of the active
  /// arguments, then the results of the body.
  var function: Function
  /// How many gradients it gives.
  var gradientCount: Int

  /// The gradients that it gives.
  var gradients: [ValueID] { Array(function.returnedValues.prefix(gradientCount)) }
  /// The results of the body.
  var results: [ValueID] { Array(function.returnedValues.dropFirst(gradientCount)) }

  /// The values to stack, in order.
  ///
  /// - Parameters:
  ///   - argumentCount: The number of arguments of the body.
  ///   - carriedCount: How many of them are carried.
  ///   - counters: Those that follow from the number of the trip.
  ///   - residuals: What may be computed again.
  /// - Returns: Values that follow from the arguments of the body.
  func stackedValues(
    argumentCount: Int, carriedCount: Int, counters: Set<Int>, _ residuals: LoopResiduals
  ) -> [ValueID] {
    var isGradient = Table<ValueID, Bool>(repeating: false, count: function.values.count)
    for argument in function.arguments.dropFirst(argumentCount) {
      isGradient[argument.value] = true
    }
    let ops = function.blocks[function.body].ops.dropLast()
    for op in ops where function.inputs(of: op).contains(where: { isGradient[$0] }) {
      for result in function.results(of: op) { isGradient[result] = true }
    }
    var isRead = Table<ValueID, Bool>(repeating: false, count: function.values.count)
    for op in ops where function.results(of: op).contains(where: { isGradient[$0] }) {
      for value in function.inputs(of: op) where !isGradient[value] { isRead[value] = true }
    }
    for value in gradients where !isGradient[value] { isRead[value] = true }

    // A node before and one after every value, behind the source and the sink.
    var cut = MinimumCut(nodeCount: 2 * function.values.count + 2)
    func before(_ value: ValueID) -> Int { 2 * value.index + 2 }
    func after(_ value: ValueID) -> Int { 2 * value.index + 3 }
    func add(_ value: ValueID, isBrought: Bool) {
      if isBrought { cut.addEdge(from: 0, to: before(value), capacity: MinimumCut.unlimited) }
      cut.addEdge(
        from: before(value), to: after(value),
        capacity: max(1, function.type(of: value).sizeBytes))
      if isRead[value] { cut.addEdge(from: after(value), to: 1, capacity: MinimumCut.unlimited) }
    }
    var varies = Table<ValueID, Bool>(repeating: false, count: function.values.count)
    for (index, argument) in function.arguments.prefix(carriedCount).enumerated() {
      varies[argument.value] = true
      add(argument.value, isBrought: !counters.contains(index))
    }
    for op in ops where function.results(of: op).allSatisfy({ !isGradient[$0] }) {
      let varying = function.inputs(of: op).filter { varies[$0] }
      guard !varying.isEmpty else { continue }
      for result in function.results(of: op) {
        varies[result] = true
        add(result, isBrought: residuals == .stacked && !isCheap(op))
        for value in varying {
          cut.addEdge(from: after(value), to: before(result), capacity: MinimumCut.unlimited)
        }
      }
    }
    _ = cut.solve(from: 0, to: 1)
    return function.values.ids.filter { value in
      varies[value] && cut.isOnSourceSide(before(value)) && !cut.isOnSourceSide(after(value))
    }
  }

  /// Whether an op takes hardly longer than reading what it gives.
  private func isCheap(_ op: OpID) -> Bool {
    switch function.ops[op].opcode.definition.category {
    case .elementwise, .movement: true
    case .generator: function.ops[op].opcode != .random
    case .indexed: !function.ops[op].opcode.updatesWindows
    case .reduction, .contraction, .attention, .window, .structure: false
    }
  }
}
