// When a kernel of loops reads and writes: its passes over the reduced dimensions.
//
// Level       The pass from which on a value is known: one after that in which the reduction runs
//             whose result it needs; 0 where it needs none.
// Reading     A value is read in the pass of every reduction and of every result that is made from
//             it by elementwise ops: values in between are computed again, not kept.
// Writing     A result is written in the last pass that computes it, so that what it is made from may
//             be overwritten by it.
// Cost        O(ops + operands).

/// The passes of the values of one kernel of loops.
struct LoopPasses: Sendable {
  /// The pass from which on a value is known; 0 where no reduction precedes it.
  private(set) var level: [ValueID: Int] = [:]
  /// The last pass that reads a value at the place of the loops; `anywhere` where one reads it
  /// elsewhere; -1 where none does.
  private(set) var lastRead: [ValueID: Int] = [:]
  /// Later than any pass.
  private static let anywhere = Int.max

  /// Finds the passes of a kernel of the given ops that writes the given values.
  init(_ function: Function, ops: [OpID], outputs: [ValueID]) {
    func isReduction(_ op: OpID) -> Bool {
      // Along no dimension it is a copy.
      function.ops[op].opcode == .reduce && !function.ops[op].attributes.ints(.dims)!.isEmpty
    }
    for op in ops {
      let before = function.operands(of: op).map { level[$0] ?? 0 }.max() ?? 0
      for result in function.results(of: op) {
        level[result] = isReduction(op) ? before + 1 : before
      }
    }
    for output in outputs { note(output, level[output] ?? 0) }
    for op in ops.reversed() {
      let opcode = function.ops[op].opcode
      for operand in function.operands(of: op) {
        if isReduction(op) {
          note(operand, level[operand] ?? 0)
        } else if opcode.isElementwise && !function.isIndexing(op) || opcode == .reduce {
          note(operand, lastRead[function.result(of: op)] ?? -1)
        } else {
          note(operand, LoopPasses.anywhere)
        }
      }
    }
  }

  private mutating func note(_ value: ValueID, _ pass: Int) {
    lastRead[value] = max(lastRead[value] ?? -1, pass)
  }

  /// The pass that writes a result of the shape of the loops.
  func write(_ output: ValueID) -> Int {
    let last = lastRead[output] ?? LoopPasses.anywhere
    return last == LoopPasses.anywhere ? level[output] ?? 0 : last
  }
}
