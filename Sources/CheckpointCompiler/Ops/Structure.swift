// Calls, regions and terminators: ops that arrange other ops. Their operands and results are checked
// by the verifier, because they depend on functions and blocks.

extension OpDefinition {
  private static func structure(
    _ name: String, _ summary: String, attributes: [AttributeSpec] = []
  ) -> OpDefinition {
    OpDefinition(
      name: name, summary: summary, category: .structure, operands: [], isVariadic: true,
      attributes: attributes)
  }

  static let call = structure(
    "call", "The results of the function `callee`, applied to the operands.",
    attributes: [AttributeSpec(.callee, .function)])
  static let fusion = structure(
    "fusion", "Ops that run as one kernel; only what is yielded is ever written to memory.",
    attributes: [AttributeSpec(.label, .string, .optional)])
  static let noGrad = structure(
    "no_grad", "Forward ops whose inner values die inside: only what is yielded is kept.",
    attributes: [AttributeSpec(.label, .string, .optional)])
  static let recompute = structure(
    "recompute", "Clones of forward ops, run again just before the backward ops that need them.",
    attributes: [AttributeSpec(.label, .string, .optional)])
  static let yield = structure("yield", "Ends a region with the values it gives.")
  static let `return` = structure("return", "Ends a function with the values it gives.")
}
