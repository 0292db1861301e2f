// A planned callee: what the function that calls it has to know.

/// Storage and price of a function that loops and branches call.
struct Routine: Sendable {
  /// Where its values live; its arena is scratch of the op that calls it.
  var storage: StoragePlan
  /// The predicted time of one run in nanoseconds.
  var costNs: Double
  /// The buffers of its arena, one a line, for people.
  var bufferTable: String
}

extension Function {
  /// The planned functions that an op calls, in the order of its attributes.
  func routines(of op: OpID) -> [Routine] {
    guard ops[op].opcode.runsRoutines else { return [] }
    return ops[op].attributes.functionNames.compactMap { callee($0)?.routine }
  }

  /// The names of the callees that loops and branches call, in the function and in its callees.
  var routineNames: Set<String> {
    var names: Set<String> = []
    for function in callees + [self] {
      for op in function.ops.elements where op.opcode.runsRoutines {
        names.formUnion(op.attributes.functionNames)
      }
    }
    return names
  }
}
