// Makes loops and branches smaller: what they carry, what they capture, and whether they run.
//
// Loops       One that runs no time or once is replaced by what it starts with or by its body. A carried
//             value that nothing reads is dropped; one that its body only passes on is captured. A
//             captured constant moves into the functions, one that is captured twice or not read is
//             dropped. What the body computes from captured values alone moves before the loop.
// Branches    One whose index is known, or whose branches are all the same, is replaced by it.
// Method      One walk over the callees, callees first, and the function. A function that changes for
//             one op of several that name it becomes a new one.
// Invariants  No bit of a result changes. A loop that does not end may begin to compute what it never
//             did before.
// Cost        O(ops), for each round.

/// Simplifies loops and branches, in the function and in its callees.
let loopSimplification = Pass(
  name: "loops", summary: "shrinks what loops carry and capture, folds loops and branches",
  includesCallees: true
) { function in
  var simplification = LoopSimplification(function)
  return simplification.run()
}

private struct LoopSimplification {
  private let function: Function
  /// The callees so far, callees before callers.
  private var callees: [Function] = []
  private var names: Set<String>
  /// How many ops name a callee.
  private var references: [String: Int] = [:]
  private var changed = false

  init(_ function: Function) {
    self.function = function
    names = Set(function.callees.map(\.name))
    for function in function.callees + [function] {
      for op in function.ops.elements {
        for name in op.attributes.functionNames { references[name, default: 0] += 1 }
      }
    }
  }

  mutating func run() -> Function? {
    guard !function.callees.isEmpty else { return nil }
    for callee in function.callees { callees.append(rewritten(callee)) }
    var result = rewritten(function)
    guard changed else { return nil }
    result.callees = callees
    return result.prunedCallees()
  }

  private func callee(_ name: String) -> Function { callees.first { $0.name == name }! }

  /// Puts a changed callee in the place of one that an op names, and returns its name.
  private mutating func replace(_ name: String, by changed: Function) -> String {
    var changed = changed
    if references[name] == 1, let index = callees.firstIndex(where: { $0.name == name }) {
      changed.name = name
      callees[index] = changed
      return name
    }
    var number = 1
    while !names.insert("\(name).\(number)").inserted { number += 1 }
    changed.name = "\(name).\(number)"
    callees.append(changed)
    return changed.name
  }

  /// A function with its loops and branches simplified.
  private mutating func rewritten(_ function: Function) -> Function {
    guard function.ops.elements.contains(where: { $0.opcode.runsRoutines }) else { return function }
    var scoped = function
    scoped.callees = callees
    var isRead = Table<ValueID, Bool>(repeating: false, count: function.values.count)
    for value in function.operandPool { isRead[value] = true }
    var builder = FunctionBuilder(name: function.name)
    builder.setGradientFunction(function.gradientFunction)
    var map = ValueMap(for: function)
    var bare = function
    bare.callees = []
    builder.cloneArguments(of: bare, into: &map)
    let before = changed
    changed = false
    for id in function.blocks[function.body].ops.dropLast() {
      let op = function.ops[id]
      let site = ControlSite(
        operands: function.operands(of: op).map { map[$0]! }, attributes: op.attributes,
        isRead: function.results(of: id).map { isRead[$0] }, location: op.location)
      let results: [ValueID]?
      switch op.opcode {
      case .while: results = loop(site, trips: scoped.tripCount(of: id), &builder)
      case .case: results = branch(site, &builder)
      default:
        builder.clone(id, of: function, map: &map)
        continue
      }
      guard let results else {
        builder.clone(id, of: function, map: &map)
        continue
      }
      changed = true
      for (value, image) in zip(function.results(of: id), results) {
        map[value] = image
        let name = function.values[value].name
        if builder.function.values[image].name.isEmpty { builder.rename(image, to: name) }
      }
    }
    guard changed else {
      changed = before
      return function
    }
    return builder.finish(
      returning: function.returnedValues.map { map[$0]! }, as: function.results)
  }

  /// An op that names functions, in the function that is being built.
  private struct ControlSite {
    var operands: [ValueID]
    var attributes: Attributes
    /// Whether each result has a reader.
    var isRead: [Bool]
    var location: SourceLocation
  }

  // MARK: Loops

  /// The images of the results of a loop; nil where it stays as it is.
  private mutating func loop(
    _ site: ControlSite, trips: Int?, _ builder: inout FunctionBuilder
  ) -> [ValueID]? {
    let condition = callee(site.attributes.function(.condition)!)
    let body = callee(site.attributes.function(.body)!)
    let carriedCount = body.results.count
    if trips == 0 { return Array(site.operands.prefix(carriedCount)) }
    if trips == 1 { return builder.splice(body, site.operands) }

    var plan = OperandPlan(site.operands, builder.function)
    let conditionReads = condition.readArguments
    let bodyReads = body.readArguments
    let isLive = liveCarried(conditionReads, body, isRead: site.isRead)
    var isPassedOn = Array(repeating: false, count: carriedCount)
    for index in 0..<carriedCount {
      isPassedOn[index] = body.returnedValues[index] == body.arguments[index].value
    }
    for index in site.operands.indices {
      if index >= carriedCount || isPassedOn[index] {
        plan.capture(index, isRead: conditionReads[index] || bodyReads[index])
      } else if isLive[index] {
        plan.carry(index)
      }
    }
    let hoisted = LoopInvariants(body, isCaptured: { $0 >= carriedCount || isPassedOn[$0] })
    guard !plan.isUnchanged(carriedCount: carriedCount) || !hoisted.values.isEmpty else {
      return nil
    }

    // A loop that carries nothing any more is not run: its results are what it starts with.
    let kept = plan.carried
    if kept.isEmpty { return Array(site.operands.prefix(carriedCount)) }
    let moved = hoisted.moved(before: &builder, site.operands)
    let operands = plan.carried.map { site.operands[$0] } + plan.captured.map { site.operands[$0] }
    let newCondition = plan.rebuilt(condition, returning: [0], hoisted: [])
    let newBody = plan.rebuilt(body, returning: kept, hoisted: hoisted.values)
    let wide = plan.widened(newCondition, by: hoisted.values.map { body.type(of: $0) })
    var attributes = site.attributes
    attributes[.condition] = .function(replace(condition.name, by: wide))
    attributes[.body] = .function(replace(body.name, by: newBody))
    let op = builder.appendUnchecked(
      .while, operands + moved, attributes,
      types: kept.map { body.type(of: body.arguments[$0].value) },
      location: site.location)
    var results = Array(site.operands.prefix(carriedCount))
    for (index, value) in zip(kept, builder.function.results(of: op)) { results[index] = value }
    return results
  }

  /// Whether each carried value reaches a result that is read, or the condition.
  private func liveCarried(
    _ conditionReads: [Bool], _ body: Function, isRead: [Bool]
  ) -> [Bool] {
    var isLive = Array(repeating: false, count: body.results.count)
    var pending: [Int] = []
    func markLive(_ index: Int) {
      guard index < isLive.count, !isLive[index] else { return }
      isLive[index] = true
      pending.append(index)
    }
    for index in isLive.indices where isRead[index] || conditionReads[index] {
      markLive(index)
    }
    var isNeeded = Table<ValueID, Bool>(repeating: false, count: body.values.count)
    while let index = pending.popLast() {
      var stack = [body.returnedValues[index]]
      while let value = stack.popLast() {
        guard !isNeeded[value] else { continue }
        isNeeded[value] = true
        switch body.values[value].definition {
        case .argument(let argument): markLive(argument)
        case .result(let op, _): stack += body.inputs(of: op)
        }
      }
    }
    return isLive
  }

  // MARK: Branches

  /// The images of the results of a branch; nil where it stays as it is.
  private mutating func branch(
    _ site: ControlSite, _ builder: inout FunctionBuilder
  ) -> [ValueID]? {
    let branches = site.attributes.functions(.branches)!.map(callee)
    let operands = Array(site.operands.dropFirst())
    var chosen: Int?
    if Set(branches.map(\.name)).count == 1 { chosen = 0 }
    if let bytes = builder.function.splat(site.operands[0]) {
      let index = DType.i32.decodeInteger(bytes[...])
      chosen = branches.indices.contains(index) ? index : branches.count - 1
    }
    if let chosen { return builder.splice(branches[chosen], operands) }

    var plan = OperandPlan(operands, builder.function)
    let reads = branches.map(\.readArguments)
    for index in operands.indices {
      plan.capture(index, isRead: reads.contains { $0[index] })
    }
    var returned = site.isRead.indices.filter { site.isRead[$0] }
    if returned.isEmpty { returned = [0] }
    guard !plan.isUnchanged(carriedCount: 0) || returned.count < site.isRead.count else {
      return nil
    }
    var attributes = site.attributes
    attributes[.branches] = .functions(
      branches.map { replace($0.name, by: plan.rebuilt($0, returning: returned, hoisted: [])) })
    let types = returned.map { branches[0].resultTypes[$0] }
    let op = builder.appendUnchecked(
      .case, [site.operands[0]] + plan.captured.map { operands[$0] }, attributes, types: types,
      location: site.location)
    let values = Array(builder.function.results(of: op))
    // What nobody reads may have any image.
    return site.isRead.indices.map { index in
      returned.firstIndex(of: index).map { values[$0] } ?? values[0]
    }
  }
}
