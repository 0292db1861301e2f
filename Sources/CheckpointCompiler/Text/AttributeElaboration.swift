// The attributes of an op, from what is written to what the op takes.
//
// Dimensions  Negative ones count from the end of the rank that they index. `broadcast_in_dim` may leave
//             its dimensions out: they are then the last of its result.

extension CompileTimeEvaluator {
  /// The attributes of an op by their names, converted to what the op table says they are.
  func attributes(
    of op: SyntaxOp, _ opcode: Opcode, _ operandTypes: [TensorType], _ type: TensorType?
  ) throws(Diagnostic) -> Attributes {
    let definition = opcode.definition
    var attributes = Attributes()
    for attribute in op.attributes {
      let spec = definition.attributes.first { $0.name.rawValue == attribute.name.text }
      guard let spec else {
        let known = definition.attributes.map(\.name.rawValue)
        throw Diagnostic(
          "'\(op.name.text)' has no attribute '\(attribute.name.text)'"
            + suggestion(for: attribute.name.text, among: known),
          at: attribute.name.location, constraint: "\(op.name.text)_attributes")
      }
      guard attributes[spec.name] == nil else {
        throw Diagnostic(
          "'\(attribute.name.text)' is given twice", at: attribute.name.location)
      }
      let value = try evaluate(attribute.value)
      guard var converted = CompileTimeEvaluator.attribute(value, spec.kind) else {
        throw Diagnostic(
          "'\(attribute.name.text)' of '\(op.name.text)' is not \(value.kindName)",
          at: attribute.name.location, constraint: "\(op.name.text)_attributes")
      }
      let rank = countedRank(opcode, spec.name, operandTypes, type)
      if let rank { converted = CompileTimeEvaluator.counted(converted, rank: rank) }
      attributes[spec.name] = converted
    }
    if opcode == .broadcastInDim, attributes[.dims] == nil, let type,
      let operand = operandTypes.first, operand.rank <= type.rank
    {
      attributes[.dims] = .ints(Array((type.rank - operand.rank)..<type.rank))
    }
    return attributes
  }

  /// The attribute that a value makes; nil where it is none of that kind.
  private static func attribute(_ value: CompileTimeValue, _ kind: AttributeKind) -> Attribute? {
    switch (kind, value) {
    case (.int, .int(let value)): .int(value)
    case (.number, .word("inf")): .number(.infinity)
    case (.number, _): value.number.map { .number($0) }
    case (.ints, .list): value.integers.map { .ints($0) }
    case (.symbol, .word(let word)): .symbol(word)
    case (.function, .function(let name)): .function(name)
    case (.functions, .list): value.functions.map { .functions($0) }
    case (.dimNumbers, .text(let text)), (.string, .text(let text)): .string(text)
    default: nil
    }
  }

  /// The rank from whose end negative dimensions count; nil where entries are no dimensions.
  private func countedRank(
    _ opcode: Opcode, _ name: AttributeName, _ operands: [TensorType], _ type: TensorType?
  ) -> Int? {
    switch (opcode, name) {
    case (.broadcastInDim, .dims), (.iota, .dim): type?.rank
    case (_, .dims), (_, .dim), (_, .lhsBatch), (_, .lhsContract): operands.first?.rank
    case (_, .rhsBatch), (_, .rhsContract): operands.count > 1 ? operands[1].rank : nil
    default: nil
    }
  }

  /// The attribute with negative dimensions counted from the end of a rank.
  private static func counted(_ attribute: Attribute, rank: Int) -> Attribute {
    switch attribute {
    case .int(let dim): .int(dim < 0 ? dim + rank : dim)
    case .ints(let dims): .ints(dims.map { $0 < 0 ? $0 + rank : $0 })
    case .number, .symbol, .function, .functions, .constant, .string: attribute
    }
  }
}
