// Checks that a function is well formed, from the tables alone.
//
// It shares nothing with the builder but the type rules of the op table, and runs after parsing and,
// in tests, after every pass. It walks with an explicit stack: a value is visible from its definition
// to the end of the block it is defined in.

/// Every violation in a function, in the order of the ops.
///
/// - Complexity: O(ops + operands).
public func verify(_ function: Function, in module: Module? = nil) -> [Diagnostic] {
  var diagnostics: [Diagnostic] = []
  for (place, callee) in function.callees.enumerated() {
    var callee = callee
    callee.callees = Array(function.callees[..<place])
    diagnostics += verifyAlone(callee, module)
  }
  return diagnostics + verifyAlone(function, module)
}

private func verifyAlone(_ function: Function, _ module: Module?) -> [Diagnostic] {
  var verifier = Verifier(function: function, module: module)
  verifier.run()
  return verifier.diagnostics
}

private struct Verifier {
  let function: Function
  let module: Module?
  var diagnostics: [Diagnostic] = []
  var isVisible: Table<ValueID, Bool>

  init(function: Function, module: Module?) {
    self.function = function
    self.module = module
    isVisible = Table(repeating: false, count: function.values.count)
  }

  mutating func report(_ message: String, _ location: SourceLocation, _ constraint: String?) {
    diagnostics.append(Diagnostic(message, at: location, constraint: constraint))
  }

  /// A block that is being walked.
  private struct Frame {
    var block: BlockID
    var next = 0
    /// The values defined in it, which die at its end.
    var defined: [ValueID] = []
    /// The op that owns it; its results become visible after it.
    var owner: OpID?
  }

  mutating func run() {
    for argument in function.arguments { isVisible[argument.value] = true }
    var stack = [Frame(block: function.body)]
    while let frame = stack.last {
      let block = function.blocks[frame.block]
      guard frame.next < block.ops.count else {
        for value in frame.defined { isVisible[value] = false }
        stack.removeLast()
        if let owner = frame.owner { define(owner, in: &stack[stack.count - 1]) }
        continue
      }
      stack[stack.count - 1].next += 1
      let id = block.ops[frame.next]
      let op = function.ops[id]
      let isLast = frame.next == block.ops.count - 1
      checkOperands(id)
      if op.opcode.isTerminator != isLast {
        report(
          isLast ? "a block ends in 'yield' or 'return'" : "nothing may follow '\(op.opcode.name)'",
          op.location, "block_c1")
      }
      if let region = op.regions.first {
        checkRegion(id, op, region)
        stack.append(Frame(block: region, owner: id))
      } else {
        checkResults(id, op)
        define(id, in: &stack[stack.count - 1])
      }
    }
    checkRoles()
  }

  private mutating func define(_ op: OpID, in frame: inout Frame) {
    for result in function.results(of: op) {
      isVisible[result] = true
      frame.defined.append(result)
    }
  }

  private mutating func checkOperands(_ id: OpID) {
    for operand in function.operands(of: id) where !isVisible[operand] {
      let name = function.values[operand].name
      report(
        "\(name.isEmpty ? "a value" : "%\(name)") is used where it is not defined",
        function.ops[id].location, "value_c1")
    }
  }

  private mutating func checkRegion(_ id: OpID, _ op: Op, _ region: BlockID) {
    guard op.opcode.hasRegion, op.regions.count == 1 else {
      report("'\(op.opcode.name)' does not own a region", op.location, "region_c1")
      return
    }
    let function = function
    let yielded = function.yieldedValues(of: region).map { function.type(of: $0) }
    let types = function.results(of: id).map { function.type(of: $0) }
    if yielded != Array(types) {
      report(
        "'\(op.opcode.name)' yields \(yielded.map(\.description)) as \(types.map(\.description))",
        op.location, "region_c2")
    }
  }

  private mutating func checkResults(_ id: OpID, _ op: Op) {
    let function = function
    let types = function.results(of: id).map { function.type(of: $0) }
    switch op.opcode {
    case .return, .yield:
      let belongs = (op.opcode == .return) == (op.block == function.body)
      if !belongs { report("'\(op.opcode.name)' ends the wrong block", op.location, "block_c2") }
    case .fusion, .noGrad, .recompute:
      report("'\(op.opcode.name)' needs a region", op.location, "region_c1")
    case .call:
      guard let module else { return }
      guard let callee = op.attributes.function(.callee).flatMap({ module[$0] }) else {
        report("a call of an unknown function", op.location, "call_c1")
        return
      }
      let operands = function.operands(of: id).map { function.type(of: $0) }
      if callee.argumentTypes != operands || callee.resultTypes != Array(types) {
        report("a call of @\(callee.name) with other types", op.location, "call_c2")
      }
    default:
      var signature = OpSignature(
        opcode: op.opcode, operandTypes: function.operands(of: id).map { function.type(of: $0) },
        attributes: op.attributes)
      signature.declaredTypes = Array(types)
      for name in op.attributes.functionNames {
        let named = function.callee(name) ?? module?[name]
        signature.functionTypes[name] = named.map { FunctionType($0) }
      }
      do {
        _ = try signature.checkedResultTypes()
      } catch {
        report(error.message, op.location, error.constraint)
      }
    }
  }

  private mutating func checkRoles() {
    let values = function.returnedValues
    guard values.count == function.results.count else {
      report("the function returns \(values.count) values", .unknown, "return_c1")
      return
    }
    var losses = 0
    var updated: Set<Int> = []
    for (result, value) in zip(function.results, values) {
      let type = function.type(of: value)
      switch result.role {
      case .output: break
      case .loss:
        losses += 1
        if !type.dtype.isFloatingPoint || type.rank != 0 {
          report(
            "the loss is a floating-point scalar, not \(type)", result.location, "result_c1")
        }
        if losses > 1 { report("there is one loss at most", result.location, "result_c2") }
      case .gradient(let index):
        let argument = function.type(of: function.arguments[index].value)
        if argument != type {
          report("the gradient of \(argument) is not \(type)", result.location, "result_c3")
        }
      case .update(let index):
        let argument = function.arguments[index]
        if argument.role != .state && argument.role != .parameter {
          report(
            "only state and parameters are updated, not '\(argument.role.rawValue)' arguments",
            result.location, "result_c4")
        }
        let type2 = function.type(of: argument.value)
        if type2 != type {
          report("the update of \(type2) is not \(type)", result.location, "result_c5")
        }
        if !updated.insert(index).inserted {
          report("an argument is updated once at most", result.location, "result_c6")
        }
      }
    }
  }
}
