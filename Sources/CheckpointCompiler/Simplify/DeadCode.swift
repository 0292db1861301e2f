// Removes ops whose results nothing reads.
//
// No op has an effect besides its results: state is updated by what the function returns. A `random`
// without a stream stays, because it counts in the numbering of those after it. Ops inside a region
// live as long as the op that owns it.
//
// Method      One backward sweep marks the live ops, one forward walk copies them.
// Cost        O(ops + operands).

/// Removes ops without a live reader.
let deadCode = Pass(name: "dce", summary: "removes ops whose results nothing reads") { function in
  var isRead = Table<ValueID, Bool>(repeating: false, count: function.values.count)
  var isLive = Table<OpID, Bool>(repeating: false, count: function.ops.count)
  let body = function.blocks[function.body].ops
  var liveCount = 0
  for id in body.reversed() {
    let isCounted =
      function.ops[id].opcode == .random
      && function.ops[id].attributes.int(.stream) == nil
    guard
      function.ops[id].opcode == .return || isCounted
        || function.results(of: id).contains(where: { isRead[$0] })
    else { continue }
    isLive[id] = true
    liveCount += 1
    var pending = [id]
    while let id = pending.popLast() {
      for operand in function.operands(of: id) { isRead[operand] = true }
      for region in function.ops[id].regions {
        pending.append(contentsOf: function.blocks[region].ops)
      }
    }
  }
  guard liveCount < body.count else { return nil }

  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  for id in body where isLive[id] {
    let op = function.ops[id]
    if op.opcode == .return {
      return builder.finish(
        returning: function.operands(of: op).map { map[$0]! }, as: function.results,
        location: op.location)
    }
    builder.clone(id, of: function, map: &map)
  }
  preconditionFailure("@\(function.name) has no 'return'")
}
