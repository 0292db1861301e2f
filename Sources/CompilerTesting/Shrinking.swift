// Makes a failing program smaller while it fails.
//
// Method      Results are dropped, and ops are replaced by an operand of the same type or by a new
//             argument; what is no longer read goes. Every change that keeps the failure stays.

package import CheckpointCompiler

/// A smaller function for which `fails` still holds.
///
/// - Parameters:
///   - function: A failing function without regions and calls.
///   - attempts: How often `fails` is called at most.
///   - fails: Whether a function fails in the same way.
/// - Returns: The smallest one found; `function` itself, where nothing can go.
package func shrunk(
  _ function: Function, attempts: Int = 400, fails: (Function) -> Bool
) -> Function {
  var smallest = function
  var left = attempts
  var changed = true
  while changed, left > 0 {
    changed = false
    for index in smallest.results.indices.reversed() where smallest.results.count > 1 && left > 0 {
      left -= 1
      let candidate = rebuilt(smallest, droppingResult: index)
      if fails(candidate) {
        smallest = candidate
        changed = true
      }
    }
    // Late ops first: with them goes most.
    var place = smallest.blocks[smallest.body].ops.count - 2
    while place >= 0, left > 0 {
      for replacement in [Replacement.operand, .argument] {
        guard place >= 0, place < smallest.blocks[smallest.body].ops.count - 1,
          let candidate = rebuilt(smallest, replacing: place, by: replacement)
        else { continue }
        left -= 1
        if fails(candidate) {
          smallest = candidate
          changed = true
          break
        }
      }
      place = min(place - 1, smallest.blocks[smallest.body].ops.count - 2)
    }
  }
  return smallest
}

private enum Replacement { case operand, argument }

/// The function without one op; nil where there is nothing to put in its place.
private func rebuilt(
  _ function: Function, replacing place: Int, by replacement: Replacement
) -> Function? {
  let id = function.blocks[function.body].ops[place]
  let results = Array(function.results(of: id))
  guard results.count == 1, let result = results.first else { return nil }
  let type = function.type(of: result)
  switch replacement {
  case .operand:
    guard let operand = function.operands(of: id).first(where: { function.type(of: $0) == type })
    else { return nil }
    return rebuilt(function, results: Array(function.results.indices), images: [result: operand])
  case .argument:
    return rebuilt(
      function, results: Array(function.results.indices), newArgument: result)
  }
}

private func rebuilt(_ function: Function, droppingResult index: Int) -> Function {
  rebuilt(function, results: function.results.indices.filter { $0 != index })
}

/// The function with some of its results, values replaced, and nothing that is not read.
private func rebuilt(
  _ function: Function, results: [Int], images: [ValueID: ValueID] = [:],
  newArgument: ValueID? = nil
) -> Function {
  func image(_ value: ValueID) -> ValueID { images[value] ?? value }
  let returned = function.returnedValues
  var isRead = Set(results.map { image(returned[$0]) })
  for index in results {
    switch function.results[index].role {
    case .gradient(let argument), .update(let argument):
      isRead.insert(function.arguments[argument].value)
    case .output, .loss: break
    }
  }
  let ops = function.blocks[function.body].ops.dropLast()
  for id in ops.reversed() where function.results(of: id).contains(where: isRead.contains) {
    if function.results(of: id).contains(where: { $0 == newArgument }) { continue }
    for operand in function.operands(of: id) { isRead.insert(image(operand)) }
  }
  var builder = FunctionBuilder(name: function.name)
  var map = ValueMap(for: function)
  for callee in function.callees { builder.addCallee(callee) }
  var argumentIndex: [Int: Int] = [:]
  for (index, argument) in function.arguments.enumerated() where isRead.contains(argument.value) {
    argumentIndex[index] = argumentIndex.count
    map[argument.value] = builder.addArgument(
      name: function.values[argument.value].name, type: function.type(of: argument.value),
      role: argument.role, initializer: argument.initializer)
  }
  if let newArgument, isRead.contains(newArgument) {
    map[newArgument] = builder.addArgument(
      name: "in\(newArgument.index)", type: function.type(of: newArgument))
  }
  for id in ops {
    let made = Array(function.results(of: id))
    guard made.contains(where: isRead.contains), !made.contains(where: { $0 == newArgument }) else {
      continue
    }
    let op = function.ops[id]
    let copy = builder.appendUnchecked(
      op.opcode, function.operands(of: id).map { map[image($0)]! }, op.attributes,
      types: made.map { function.type(of: $0) }, names: made.map { function.values[$0].name })
    for (old, new) in zip(made, builder.function.results(of: copy)) { map[old] = new }
  }
  let kept = results.map { index -> FunctionResult in
    var result = function.results[index]
    switch result.role {
    case .gradient(let argument): result.role = .gradient(of: argumentIndex[argument]!)
    case .update(let argument): result.role = .update(of: argumentIndex[argument]!)
    case .output, .loss: break
    }
    return result
  }
  return builder.finish(
    returning: results.map { map[image(returned[$0])]! }, as: kept
  ).prunedCallees()
}
