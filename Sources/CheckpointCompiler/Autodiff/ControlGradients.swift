// Gradients of branches, and what the gradients of loops and branches share.
//
// Pullback    The gradient of a function is a function: it takes the arguments and the gradients of the
//             results, computes what it needs of the function anew, and gives the gradients of the
//             arguments. A branch is differentiated by branching between the pullbacks.

extension ReverseWalk {
  /// The pullback of a function, with its callees added to the function being built: arguments, then
  /// gradients of `seeded` results; it gives the gradients of the `active` arguments, then the results.
  mutating func pullback(of function: Function, active: [Bool], seeded: [Bool]) -> Function {
    var walk = ReverseWalk(function, functions, residuals, names: names)
    walk.activity = activity
    var result = walk.pullback(active: active, seeded: seeded)
    errors += walk.errors
    names = walk.names
    activity = walk.activity
    result = Pipeline.local.run(result)
    for callee in result.callees where context.builder.function.callee(callee.name) == nil {
      context.builder.addCallee(callee)
    }
    result.callees = []
    return result
  }

  private mutating func pullback(active: [Bool], seeded: [Bool]) -> Function {
    let ops = forward.blocks[forward.body].ops.dropLast()
    context.builder.cloneArguments(of: forward, into: &map)
    for (argument, isActive) in zip(forward.arguments, active) {
      self.isActive[argument.value] = isActive
    }
    activity.mark(&isActive, in: forward)
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
    return context.builder.finish(
      returning: values + forward.returnedValues.map { map[$0]! }, as: results + forward.results)
  }

  /// A name that no function has.
  mutating func freshName(_ base: String) -> String {
    var name = base
    var number = 1
    while !names.insert(name).inserted {
      name = "\(base).\(number)"
      number += 1
    }
    return name
  }

  /// Hands the gradients of the results of a loop or a branch on to its operands.
  mutating func visitControl(_ op: OpID) {
    let operands = Array(forward.operands(of: op))
    let contributions =
      forward.ops[op].opcode == .case ? branchGradients(op) : loopGradients(op)
    for (operand, gradient) in zip(operands, contributions) {
      if let gradient { contribute(gradient, to: operand) }
    }
  }

  /// The gradients of the operands of a branch.
  private mutating func branchGradients(_ op: OpID) -> [ValueID?] {
    let operands = Array(forward.operands(of: op))
    let results = Array(forward.results(of: op))
    let active = operands.dropFirst().map { isActive[$0] }
    let seeded = results.map { gradients[$0] != nil }
    let sought = operands.indices.dropFirst().filter { isActive[operands[$0]] }
    var branches: [String] = []
    for name in forward.ops[op].attributes.functions(.branches)! {
      let both = pullback(
        of: forward.calleeWithCallees(name)!, active: active, seeded: seeded)
      var builder = FunctionBuilder(name: freshName("\(name).backward"))
      var map = ValueMap(for: both)
      builder.cloneArguments(of: both, into: &map)
      let values = builder.splice(
        Array(both.returnedValues.prefix(sought.count)), of: both, map: &map)
      branches.append(builder.function.name)
      context.builder.addCallee(
        builder.finish(returning: values, as: Array(both.results.prefix(sought.count))))
    }
    let seeds = results.compactMap { gradients[$0] }
    let branch = context.builder.appendUnchecked(
      .case, operands.map { map[$0]! } + seeds, [.branches: .functions(branches)],
      types: sought.map { forward.type(of: operands[$0]) }, location: forward.ops[op].location)
    var found: [ValueID?] = Array(repeating: nil, count: operands.count)
    for (index, value) in zip(sought, context.builder.function.results(of: branch)) {
      found[index] = value
    }
    return found
  }
}
