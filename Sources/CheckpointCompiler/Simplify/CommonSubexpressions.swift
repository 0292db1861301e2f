// Joins ops that compute the same value.
//
// Before planning only: a pass that joined a recomputation with its original would undo the plan.
// `random` is a function of its key and its stream, so two with equal ones are one.
//
// Method      One forward walk with a hash table of the ops seen, keyed by opcode, operands,
//             attributes and type. Ops that own regions, and calls, stay as they are, and so do ops
//             inside regions.
// Cost        O(ops + operands), expected.

/// What makes two ops compute the same value.
private struct ExpressionKey: Hashable {
  var opcode: Opcode
  var operands: [ValueID]
  var attributes: Attributes
  var type: TensorType
}

/// Joins ops of equal opcode, operands, attributes and type.
let commonSubexpressions = Pass(
  name: "cse", summary: "joins ops that compute the same value"
) { function in
  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  var seen: [ExpressionKey: ValueID] = [:]
  var changed = false
  for id in function.blocks[function.body].ops {
    let op = function.ops[id]
    let operands = function.operands(of: op).map { map[$0]! }
    if op.opcode == .return {
      let finished = builder.finish(
        returning: operands, as: function.results, location: op.location)
      return changed ? finished : nil
    }
    let isNumbered = op.opcode != .random || op.attributes.int(.stream) != nil
    guard op.opcode.definition.category != .structure, isNumbered else {
      builder.clone(id, of: function, map: &map)
      continue
    }
    let result = function.result(of: id)
    let key = ExpressionKey(
      opcode: op.opcode, operands: operands, attributes: op.attributes,
      type: function.type(of: result))
    guard let earlier = seen[key] else {
      builder.clone(id, of: function, map: &map)
      seen[key] = map[result]
      continue
    }
    changed = true
    map[result] = earlier
    let name = function.values[result].name
    if builder.function.values[earlier].name.isEmpty, !name.isEmpty {
      builder.rename(earlier, to: name)
    }
  }
  preconditionFailure("@\(function.name) has no 'return'")
}
