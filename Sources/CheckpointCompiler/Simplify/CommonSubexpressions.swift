// Joins ops that compute the same value.
//
// Before planning only: a pass that joined a recomputation with its original would undo the plan.
// `random` is a function of its key and its stream, so two with equal ones are one.
//
// Method      One forward walk with a hash table of the ops seen, keyed by opcode, operands,
//             attributes and type; loops and branches among them, whose functions are attributes. Ops
//             that own regions, and calls, stay as they are, and so do ops inside regions.
// Cost        O(ops + operands), expected.

/// What makes two ops compute the same value.
private struct ExpressionKey: Hashable {
  var opcode: Opcode
  var operands: [ValueID]
  var attributes: Attributes
  var types: [TensorType]
}

/// Joins ops of equal opcode, operands, attributes and type.
let commonSubexpressions = Pass(
  name: "cse", summary: "joins ops that compute the same value"
) { function in
  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  var seen: [ExpressionKey: OpID] = [:]
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
    let isClosed = op.opcode.definition.category != .structure || op.opcode.runsRoutines
    guard isClosed, isNumbered else {
      builder.clone(id, of: function, map: &map)
      continue
    }
    let results = function.results(of: id)
    let key = ExpressionKey(
      opcode: op.opcode, operands: operands, attributes: op.attributes,
      types: results.map { function.type(of: $0) })
    guard let earlier = seen[key] else {
      seen[key] = builder.clone(id, of: function, map: &map)
      continue
    }
    changed = true
    for (result, image) in zip(results, builder.function.results(of: earlier)) {
      map[result] = image
      let name = function.values[result].name
      if builder.function.values[image].name.isEmpty, !name.isEmpty {
        builder.rename(image, to: name)
      }
    }
  }
  preconditionFailure("@\(function.name) has no 'return'")
}
