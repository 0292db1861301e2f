// What a graph may hold that CUDA is not emitted for.
//
// A step is one sequence of launches that waits for nothing. What runs next may therefore not depend on
// data: loops must have a known number of trips. Factors that the C of a product computes while it packs
// them are not computed by the tiles of the GPU; `ckc` makes no such kernels for it.

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
        case .fusion where function.computesFactor(id):
          reason = "it computes a factor of a product"
        default: continue
        }
        errors.append(
          Diagnostic(
            "'\(op.opcode.name)' \(Diagnostic.cudaRefusal): \(reason)", at: op.location))
      }
    }
    return errors
  }

  /// Whether a fusion holds a contraction of something that it computes itself.
  private func computesFactor(_ fusion: OpID) -> Bool {
    let inside = opsOfKernel(fusion)
    let made = Set(inside.flatMap { results(of: $0) })
    return inside.contains { op in
      ops[op].opcode.definition.category == .contraction
        && operands(of: op).contains { made.contains($0) }
    }
  }
}

extension Diagnostic {
  /// What the message of an op says that CUDA is not emitted for.
  static let cudaRefusal = "cannot be emitted as CUDA"
  /// Whether it refuses an op only as CUDA.
  package var isCUDARefusal: Bool { message.contains(Diagnostic.cudaRefusal) }
}
