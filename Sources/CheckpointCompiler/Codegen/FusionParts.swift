// What a fusion is made of, and whether its ops can run as one kernel.

/// The ops of a loop kernel, what they read from outside, and the inner values that are written.
struct FusionParts {
  /// The ops without the terminator.
  var ops: [OpID]
  /// Values from outside, each once, in order of first use.
  var read: [ValueID] = []
  /// The inner value of each result.
  var outputs: [ValueID]

  init(_ function: Function, _ op: OpID) {
    let isFusion = function.ops[op].opcode == .fusion
    let all = function.opsOfKernel(op)
    ops = all.filter { !function.ops[$0].opcode.isTerminator }
    outputs =
      isFusion
      ? function.yieldedValues(of: function.ops[op].regions[0])
      : Array(function.results(of: op))
    var inner: Set<ValueID> = []
    for op in ops { inner.formUnion(function.results(of: op)) }
    var seen = inner
    for op in all {
      for operand in function.operands(of: op) where seen.insert(operand).inserted {
        read.append(operand)
      }
    }
  }
}

extension Function {
  /// The fusions that cannot run, each with the reason.
  ///
  /// Those that grouping makes can; a text may hold others.
  func fusionErrors() -> [Diagnostic] {
    opsInOrder.filter { ops[$0].opcode == .fusion }.compactMap { op in
      problem(ofFusion: op).map {
        Diagnostic("this 'fusion' cannot run: \($0)", at: ops[op].location, constraint: "fusion_c1")
      }
    }
  }

  /// The fusions that hold regions.
  func nestedFusionErrors() -> [Diagnostic] {
    opsInOrder.filter { ops[$0].opcode == .fusion }.compactMap { op in
      opsOfKernel(op).contains { ops[$0].opcode.hasRegion }
        ? Diagnostic(
          "this 'fusion' cannot run: a region cannot stand in a 'fusion'", at: ops[op].location,
          constraint: "fusion_c1") : nil
    }
  }

  /// Why a fusion cannot run as one loop nest; nil where it can.
  private func problem(ofFusion op: OpID) -> String? {
    let parts = FusionParts(self, op)
    // Elements are followed through the ops of a kernel by recursion.
    guard parts.ops.count <= 1000 else {
      return "it holds \(parts.ops.count) ops, not at most 1000"
    }
    let isContraction = contractionOp(of: op) != nil
    for inner in parts.ops {
      let opcode = ops[inner].opcode
      if opcode.isSumOfProducts { continue }
      let fits =
        opcode.isElementwise || isIndexing(inner) || opcode == .reduce || opcode == .random
        || opcode == .reshape
      if !fits { return "'\(opcode.name)' cannot stand in a 'fusion'" }
    }
    if isContraction {
      var lowering = EpilogueLowering(self, op)
      return lowering.trial() == nil ? lowering.problem : nil
    }
    var buffers: [ValueID: Int] = [:]
    for value in parts.read { buffers[value] = buffers.count }
    var lowering = LoopLowering(
      self, ops: parts.ops, outputs: parts.outputs.map { ($0, 0) }, buffers: buffers)
    return lowering.problem()
  }
}
