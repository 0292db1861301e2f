// Loops and branches: ops that run functions which they name.
//
// The functions are closed, so that what they read are operands: a loop hands its carried values and
// what it captures to both of its functions, a branch gets every operand but the index.

extension OpDefinition {
  static let `while` = OpDefinition(
    name: "while",
    summary:
      "Carried values, replaced by the results of `body` as long as `condition` holds of them; operands "
      + "beyond the results of `body` are captured: both functions get them, unchanged.",
    category: .structure,
    operands: [OperandSpec("value", .any)], isVariadic: true,
    attributes: [
      AttributeSpec(.condition, .function), AttributeSpec(.body, .function),
    ],
    constraints: [
      "`condition` and `body` take all operands.",
      "`condition` gives one `i1`.",
      "`body` gives a value of its type for each of the first operands, at least one.",
    ],
    resultsRule: { op throws(OpError) in
      let (condition, body) = (op.functionType(.condition), op.functionType(.body))
      for (name, type) in [("condition", condition), ("body", body)] {
        try op.require(
          1, type.arguments == op.operandTypes,
          "the \(name) of 'while' takes \(type.arguments), not the operands \(op.operandTypes)")
      }
      try op.require(
        2, condition.results == [TensorType(.i1)],
        "the condition of 'while' gives \(condition.results), not one i1")
      let carried = Array(op.operandTypes.prefix(body.results.count))
      try op.require(
        3, !carried.isEmpty && body.results == carried,
        "the body of 'while' gives \(body.results) for operands of \(carried)")
      return body.results
    })

  static let `case` = OpDefinition(
    name: "case",
    summary:
      "The results of the function of `branches` that the first operand counts to, from 0, applied to "
      + "the other operands; the last one where there is none.",
    category: .structure,
    operands: [OperandSpec("value", .any)], isVariadic: true,
    attributes: [AttributeSpec(.branches, .functions)],
    constraints: [
      "The first operand is an `i32` scalar.",
      "There is a branch.",
      "Every branch takes the operands after the first.",
      "All branches give values of the same types, at least one.",
    ],
    resultsRule: { op throws(OpError) in
      try op.require(1, op[0] == TensorType(.i32), "the index of 'case' is i32, not \(op[0])")
      let branches = op.functionTypes(.branches)
      guard let first = branches.first else {
        throw op.broken(2, "'case' has no branch")
      }
      let operands = Array(op.operandTypes.dropFirst())
      for branch in branches {
        try op.require(
          3, branch.arguments == operands,
          "a branch of 'case' takes \(branch.arguments), not the operands \(operands)")
        try op.require(
          4, branch.results == first.results && !branch.results.isEmpty,
          "branches of 'case' give \(first.results) and \(branch.results)")
      }
      return first.results
    })
}
