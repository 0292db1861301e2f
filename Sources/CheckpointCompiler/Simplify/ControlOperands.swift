// Which operands of a loop or a branch stay, and the functions that it calls with the others gone.

/// The operands that stay, by their position.
struct OperandPlan {
  private let operands: [ValueID]
  private let caller: Function
  /// Carried values, in order.
  private(set) var carried: [Int] = []
  /// Captured values, in order.
  private(set) var captured: [Int] = []
  /// For operands that are constants, the element that they repeat.
  private var constants: [Int: [UInt8]] = [:]
  /// For operands that another stands for, that one.
  private var standIns: [Int: Int] = [:]
  private var captures: [ValueID: Int] = [:]

  init(_ operands: [ValueID], _ caller: Function) {
    self.operands = operands
    self.caller = caller
  }

  /// Whether all operands stay what they are, the first `carriedCount` carried.
  func isUnchanged(carriedCount: Int) -> Bool {
    carried == Array(0..<carriedCount) && captured == Array(carriedCount..<operands.count)
  }

  mutating func carry(_ index: Int) { carried.append(index) }

  mutating func capture(_ index: Int, isRead: Bool) {
    guard isRead else { return }
    if let bytes = caller.splat(operands[index]) {
      constants[index] = bytes
    } else if let earlier = captures[operands[index]] {
      standIns[index] = earlier
    } else {
      captures[operands[index]] = index
      captured.append(index)
    }
  }

  /// A function that takes the operands that stay, and values that have been moved out of it.
  func rebuilt(_ function: Function, returning: [Int], hoisted: [ValueID]) -> Function {
    var builder = FunctionBuilder(name: function.name)
    builder.setGradientFunction(function.gradientFunction)
    var map = ValueMap(for: function)
    func addArgument(like value: ValueID) {
      let source = function.values[value]
      map[value] = builder.addArgument(name: source.name, type: source.type)
    }
    for index in carried + captured { addArgument(like: function.arguments[index].value) }
    for value in hoisted { addArgument(like: value) }
    for (index, earlier) in standIns.sorted(by: { $0.key < $1.key }) {
      map[function.arguments[index].value] = map[function.arguments[earlier].value]
    }
    for (index, bytes) in constants.sorted(by: { $0.key < $1.key }) {
      let value = function.values[function.arguments[index].value]
      map[function.arguments[index].value] = builder.emit(
        .constant, [], [.value: .constant(.splat(bytes))], type: value.type, name: value.name)
    }
    let needed = function.opsReached(from: returning.map { function.returnedValues[$0] }) {
      map[$0] != nil
    }
    for op in function.blocks[function.body].ops.dropLast() where needed[op] {
      builder.clone(op, of: function, map: &map)
    }
    return builder.finish(
      returning: returning.map { map[function.returnedValues[$0]]! },
      as: returning.map { FunctionResult(name: function.results[$0].name) })
  }

  /// A function with more arguments, which it does not read.
  func widened(_ function: Function, by types: [TensorType]) -> Function {
    guard !types.isEmpty else { return function }
    var builder = FunctionBuilder(name: function.name)
    var map = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &map)
    for type in types { builder.addArgument(name: "", type: type) }
    for op in function.blocks[function.body].ops.dropLast() {
      builder.clone(op, of: function, map: &map)
    }
    return builder.finish(
      returning: function.returnedValues.map { map[$0]! }, as: function.results)
  }
}

/// What the body of a loop computes anew in every trip, from captured values alone, and could have
/// from before the loop without more memory.
struct LoopInvariants {
  private let body: Function
  private var isInvariant: Table<ValueID, Bool>
  /// The values that move, in order: those that the rest of the body reads.
  private(set) var values: [ValueID] = []

  init(_ body: Function, isCaptured: (Int) -> Bool) {
    self.body = body
    isInvariant = Table(repeating: false, count: body.values.count)
    var dependsOnCapture = isInvariant
    for (index, argument) in body.arguments.enumerated() where isCaptured(index) {
      isInvariant[argument.value] = true
      dependsOnCapture[argument.value] = true
    }
    var moves = isInvariant
    let ops = body.blocks[body.body].ops
    for id in ops.dropLast() {
      let op = body.ops[id]
      let operands = body.operands(of: op)
      guard op.opcode.definition.category != .structure, op.resultCount == 1,
        operands.allSatisfy({ isInvariant[$0] })
      else { continue }
      let result = body.result(of: id)
      isInvariant[result] = true
      dependsOnCapture[result] = operands.contains { dependsOnCapture[$0] }
      moves[result] = dependsOnCapture[result] && isWorthMoving(op, result)
    }
    for id in ops {
      let stays = body.results(of: id).allSatisfy { !moves[$0] }
      guard stays else { continue }
      for operand in body.inputs(of: id) where moves[operand] && !values.contains(operand) {
        if body.definingOp(of: operand) != nil { values.append(operand) }
      }
    }
  }

  /// Whether an op takes time, and its result no more memory than its operands.
  private func isWorthMoving(_ op: Op, _ result: ValueID) -> Bool {
    switch op.opcode.definition.category {
    case .generator, .structure: return false
    case .contraction, .attention, .reduction, .window: return true
    case .movement where op.opcode == .reshape: return false
    case .elementwise, .movement, .indexed: break
    }
    let bytes = body.operands(of: op).reduce(0) { $0 + body.type(of: $1).sizeBytes }
    return body.type(of: result).sizeBytes <= bytes
  }

  /// Appends the ops that make the values, and returns their images.
  func moved(before builder: inout FunctionBuilder, _ operands: [ValueID]) -> [ValueID] {
    guard !values.isEmpty else { return [] }
    var map = ValueMap(for: body)
    for (argument, operand) in zip(body.arguments, operands) { map[argument.value] = operand }
    let needed = body.opsReached(from: values) { _ in false }
    for op in body.blocks[body.body].ops.dropLast() where needed[op] {
      builder.clone(op, of: body, map: &map)
    }
    return values.map { map[$0]! }
  }
}

extension Function {
  /// What an op reads: its operands, and those of the ops in its regions.
  func inputs(of op: OpID) -> [ValueID] {
    var found: [ValueID] = []
    var stack = [op]
    while let op = stack.popLast() {
      found += operands(of: op)
      for region in ops[op].regions { stack += blocks[region].ops }
    }
    return found
  }

  /// For each argument, whether an op reads it.
  var readArguments: [Bool] {
    var isRead = Table<ValueID, Bool>(repeating: false, count: values.count)
    for value in operandPool { isRead[value] = true }
    return arguments.map { isRead[$0.value] }
  }

  /// The ops of the body that values depend on, up to values that are given.
  func opsReached(from roots: [ValueID], isGiven: (ValueID) -> Bool) -> Table<OpID, Bool> {
    var isReached = Table<OpID, Bool>(repeating: false, count: ops.count)
    var stack = roots
    while let value = stack.popLast() {
      guard !isGiven(value), let op = definingOp(of: value), !isReached[op] else { continue }
      isReached[op] = true
      stack += inputs(of: op)
    }
    return isReached
  }

  /// The bytes of the element that a constant repeats; nil for other values.
  func splat(_ value: ValueID) -> [UInt8]? {
    guard let op = definingOp(of: value), ops[op].opcode == .constant,
      case .splat(let bytes)? = ops[op].attributes.constant
    else { return nil }
    return bytes
  }
}
