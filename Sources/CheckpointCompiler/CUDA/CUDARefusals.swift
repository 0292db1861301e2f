// What a graph may hold that CUDA is not emitted for.
//
// A step is one sequence of launches that waits for nothing. What runs next may therefore not depend on
// data: loops must have a known number of trips.

extension Function {
  /// An error for every op that CUDA is not emitted for, in the function and in what it calls.
  func cudaRefusals() -> [Diagnostic] {
    var errors: [Diagnostic] = []
    var functions = [self]
    for place in callees.indices {
      var callee = callees[place]
      callee.callees = Array(callees[..<place])
      if callee.routine != nil { functions.append(callee) }
    }
    for function in functions {
      for id in function.opsInOrder {
        let op = function.ops[id]
        let reason: String
        switch op.opcode {
        case .while where function.tripCount(of: id) == nil:
          reason = "how often it runs is known on the device only"
        case .case: reason = "which branch runs is known on the device only"
        default: continue
        }
        errors.append(
          Diagnostic(
            "'\(op.opcode.name)' cannot be emitted as CUDA: \(reason)", at: op.location,
            constraint: "cuda_c1"))
      }
    }
    return errors
  }
}
