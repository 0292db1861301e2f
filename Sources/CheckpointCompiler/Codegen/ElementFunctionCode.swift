// A function that is applied to elements, as statements over scalars.

/// Puts the ops of a function where it is applied.
struct ElementFunctionCode {
  private let function: Function

  /// - Precondition: All ops can stand in such a function: `Function.isOfElements(_:)`.
  init(_ function: Function) { self.function = function }

  /// The function that an attribute of an op names.
  init(_ name: AttributeName, of op: OpID, in function: Function) {
    self.init(function.callee(function.ops[op].attributes.function(name)!)!)
  }

  /// The function applied to elements.
  ///
  /// - Parameters:
  ///   - arguments: One expression per argument.
  ///   - nextLocal: The first scalar that is free; moved past those that are defined.
  /// - Returns: Definitions, and an expression without loads for each result.
  func applied(
    to arguments: [Expression], nextLocal: inout Int
  ) -> (statements: [Statement], results: [Expression]) {
    var statements: [Statement] = []
    var values: [ValueID: Expression] = [:]
    func define(_ value: ValueID, _ expression: Expression) {
      statements.append(.define(local: nextLocal, function.type(of: value).dtype, expression))
      values[value] = .local(nextLocal)
      nextLocal += 1
    }
    for (argument, expression) in zip(function.arguments, arguments) {
      define(argument.value, expression)
    }
    for id in function.opsInOrder {
      let op = function.ops[id]
      let operands = function.operands(of: op).map { values[$0]! }
      switch op.opcode {
      case .return: return (statements, operands)
      case .fusion: continue
      case .yield:
        for (result, operand) in zip(
          function.results(of: function.blocks[op.block].owner!), operands)
        { values[result] = operand }
      case .constant:
        let value = function.result(of: id)
        switch op.attributes.constant! {
        case .splat(let bytes), .dense(let bytes):
          values[value] = .constant(function.type(of: value).dtype, bytes)
        }
      case .reshape, .broadcastInDim, .transpose: values[function.result(of: id)] = operands[0]
      default: define(function.result(of: id), function.application(of: id, to: operands))
      }
    }
    preconditionFailure("@\(function.name) has no 'return'")
  }
}
