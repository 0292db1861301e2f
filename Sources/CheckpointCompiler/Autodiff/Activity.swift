// Which values depend through differentiable ops on what is asked for.
//
// Method      One sweep forward. A carried value of a loop is active if it is from some trip on: the body
//             is swept until nothing is added. What has been found of a function is kept, so that
//             loops in loops cost no more than their bodies, times the values that they carry.

/// Finds active values; remembers what it finds of callees.
struct ActivityAnalysis {
  private struct Question: Hashable {
    var function: String
    var arguments: [Bool]
  }

  private var answers: [Question: [Bool]] = [:]

  /// Marks the active results of the ops of a body, whose arguments are marked.
  mutating func mark(_ isActive: inout Table<ValueID, Bool>, in function: Function) {
    for op in function.blocks[function.body].ops.dropLast() {
      let operands = function.operands(of: op).map { isActive[$0] }
      guard operands.contains(true) else { continue }
      if function.ops[op].opcode.runsRoutines {
        let results = self.results(of: op, in: function, operands)
        for (value, active) in zip(function.results(of: op), results) { isActive[value] = active }
        continue
      }
      if case .zero = function.ops[op].opcode.definition.gradient { continue }
      for result in function.results(of: op) {
        isActive[result] = function.type(of: result).dtype.isFloatingPoint
      }
    }
  }

  /// Whether each result of a loop or a branch is active.
  private mutating func results(
    of op: OpID, in function: Function, _ operands: [Bool]
  ) -> [Bool] {
    let attributes = function.ops[op].attributes
    if function.ops[op].opcode == .case {
      var active = Array(repeating: false, count: function.ops[op].resultCount)
      for name in attributes.functions(.branches)! {
        let branch = results(of: name, of: function, Array(operands.dropFirst()))
        active = zip(active, branch).map { $0 || $1 }
      }
      return active
    }
    let carried = 0..<function.ops[op].resultCount
    var active = operands
    for (index, value) in zip(carried, function.results(of: op))
    where !function.type(of: value).dtype.isFloatingPoint { active[index] = false }
    while true {
      let next = results(of: attributes.function(.body)!, of: function, active)
      guard carried.contains(where: { next[$0] && !active[$0] }) else { break }
      for index in carried where next[index] { active[index] = true }
    }
    return Array(active[carried])
  }

  /// Whether each returned value of a callee is active.
  private mutating func results(
    of name: String, of caller: Function, _ arguments: [Bool]
  ) -> [Bool] {
    let question = Question(function: name, arguments: arguments)
    if let answer = answers[question] { return answer }
    var callee = caller.callee(name)!
    callee.callees = caller.callees
    var isActive = Table<ValueID, Bool>(repeating: false, count: callee.values.count)
    for (argument, active) in zip(callee.arguments, arguments) { isActive[argument.value] = active }
    mark(&isActive, in: callee)
    let answer = callee.returnedValues.map { isActive[$0] }
    answers[question] = answer
    return answer
  }
}
