// Puts the ops of callees in the place of calls.
//
// Names       The result of a call keeps its name: the value that the callee returns gets it. Inner
//             values get the name of the (first named) result as a prefix: `%y` inside the call that
//             makes `%h1` becomes `%h1.y`.
// Streams     In a function without calls every `random` has its stream: its place among the random
//             ops, or the next stream that none has.
// Kept        Calls of functions with a gradient of their own stay until differentiation is done.
// Callees     Functions that ops name by attributes stay functions: they come along, with their own
//             calls inlined and with streams of their own.
// Method      An explicit stack of activations, one for each function entered, each with a stack of
//             the blocks entered in it.
// Cost        O(ops of the result).

/// Which calls are inlined.
public enum InlineScope: Sendable {
  /// All but those of functions with a gradient function: what differentiation wants to see.
  case beforeDifferentiation
  /// All.
  case everything
}

/// A function entered by the inliner.
private struct Activation {
  var function: Function
  var map: ValueMap
  /// Put before the names of values; ends in a dot unless empty.
  var prefix: String
  /// The names of the values returned, where the caller names them.
  var resultNames: [ValueID: String] = [:]
  /// The values of the caller that the values returned are mapped to.
  var callerResults: [ValueID] = []
  /// The blocks entered and the next op of each; the op that owns the block, where it is a region.
  var blocks: [(block: BlockID, next: Int, owner: OpID?)]
  /// The regions copied of the op whose regions are being copied, innermost last.
  var regions: [[BlockID]] = []

  init(_ function: Function, prefix: String) {
    self.function = function
    self.prefix = prefix
    map = ValueMap(for: function)
    blocks = [(function.body, 0, nil)]
  }

  func name(of value: ValueID) -> String {
    if let given = resultNames[value] { return given }
    let name = function.values[value].name
    return name.isEmpty ? "" : prefix + name
  }
}

/// A function with the ops of callees in the place of calls; what its ops name by attributes becomes
/// its callees.
///
/// - Precondition: No function of the module calls itself, directly or through others.
/// - Complexity: O(ops of the result).
public func inlined(
  _ function: Function, in module: Module, scope: InlineScope = .everything
) -> Function {
  let functions = Dictionary(
    (function.callees + module.functions).map { ($0.name, $0) },
    uniquingKeysWith: { first, _ in first })
  var result = withoutCalls(function, functions, scope)
  result.callees = functionsReached(from: result.namedFunctions) { name in
    functions[name].map { withoutCalls($0, functions, scope) }
  }
  assignStreams(of: &result, used: usedStreams(function, functions))
  return result
}

private func withoutCalls(
  _ function: Function, _ functions: [String: Function], _ scope: InlineScope
) -> Function {
  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var stack = [Activation(function, prefix: "")]
  builder.cloneArguments(of: function, into: &stack[0].map)

  while true {
    let top = stack.count - 1
    let depth = stack[top].blocks.count - 1
    let (block, next, owner) = stack[top].blocks[depth]
    let op = stack[top].function.blocks[block].ops[next]
    stack[top].blocks[depth].next += 1
    let source = stack[top].function.ops[op]
    let operands = stack[top].function.operands(of: source).map { stack[top].map[$0]! }

    switch source.opcode {
    case .return:
      let activation = stack.removeLast()
      guard let caller = stack.indices.last else {
        return builder.finish(
          returning: operands, as: function.results, location: source.location)
      }
      for (value, image) in zip(activation.callerResults, operands) {
        stack[caller].map[value] = image
      }

    case .yield:
      builder.appendUnchecked(.yield, operands, [:], types: [], location: source.location)
      stack[top].regions[stack[top].regions.count - 1].append(builder.currentBlock)
      builder.closeRegion()
      stack[top].blocks.removeLast()
      guard let owner else { preconditionFailure("'yield' outside a region") }
      finishRegion(of: owner, in: &stack[top], builder: &builder)

    case .call:
      guard let callee = source.attributes.function(.callee).flatMap({ functions[$0] }) else {
        preconditionFailure("a call of an unknown function")
      }
      if scope == .beforeDifferentiation, callee.gradientFunction != nil {
        copy(op, operands, regions: [], in: &stack[top], builder: &builder)
        continue
      }
      let results = Array(stack[top].function.results(of: op))
      let names = results.map { stack[top].name(of: $0) }
      let named = names.first { !$0.isEmpty } ?? stack[top].prefix + callee.name
      var activation = Activation(callee, prefix: named + ".")
      activation.callerResults = results
      for (argument, image) in zip(callee.arguments, operands) {
        activation.map[argument.value] = image
      }
      for (value, name) in zip(callee.returnedValues, names) where !name.isEmpty {
        if activation.resultNames[value] == nil { activation.resultNames[value] = name }
      }
      stack.append(activation)

    default:
      if source.regions.isEmpty {
        copy(op, operands, regions: [], in: &stack[top], builder: &builder)
      } else {
        stack[top].regions.append([])
        enterRegion(0, of: op, in: &stack[top], builder: &builder)
      }
    }
  }
}

private func enterRegion(
  _ index: Int, of op: OpID, in activation: inout Activation, builder: inout FunctionBuilder
) {
  builder.openRegion()
  activation.blocks.append((activation.function.ops[op].regions[index], 0, op))
}

/// Enters the next region of an op, or copies the op when all its regions have been copied.
private func finishRegion(
  of owner: OpID, in activation: inout Activation, builder: inout FunctionBuilder
) {
  let done = activation.regions[activation.regions.count - 1].count
  if done < activation.function.ops[owner].regions.count {
    enterRegion(done, of: owner, in: &activation, builder: &builder)
    return
  }
  let regions = activation.regions.removeLast()
  let operands = activation.function.operands(of: owner).map { activation.map[$0]! }
  copy(owner, operands, regions: regions, in: &activation, builder: &builder)
}

private func copy(
  _ op: OpID, _ operands: [ValueID], regions: [BlockID], in activation: inout Activation,
  builder: inout FunctionBuilder
) {
  let source = activation.function.ops[op]
  let results = activation.function.results(of: op)
  let copy = builder.appendUnchecked(
    source.opcode, operands, source.attributes,
    types: results.map { activation.function.type(of: $0) },
    names: results.map { activation.name(of: $0) }, regions: regions, location: source.location)
  for (old, new) in zip(results, builder.function.results(of: copy)) { activation.map[old] = new }
}

/// The streams that are written in the function or in a function that it may call or name.
private func usedStreams(_ function: Function, _ functions: [String: Function]) -> Set<Int> {
  var streams = Set<Int>()
  var seen = Set<String>()
  var pending = [function]
  while let function = pending.popLast() {
    for op in function.ops.elements {
      if let stream = op.attributes.int(.stream) { streams.insert(stream) }
    }
    for name in function.mentionedFunctions where seen.insert(name).inserted {
      if let next = functions[name] { pending.append(next) }
    }
  }
  return streams
}

/// Gives every `random` of a function and of its callees a stream.
private func assignStreams(of function: inout Function, used: Set<Int>) {
  var used = used
  var place = 0
  func assign(_ function: inout Function) {
    for op in function.opsInOrder where function.ops[op].opcode == .random {
      if function.ops[op].attributes.int(.stream) == nil {
        var stream = place
        while used.contains(stream) { stream += 1 }
        used.insert(stream)
        function.ops[op].attributes[.stream] = .int(stream)
      }
      place += 1
    }
  }
  assign(&function)
  for index in function.callees.indices { assign(&function.callees[index]) }
}
