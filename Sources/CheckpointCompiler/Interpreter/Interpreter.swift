// Executes a function: slow, plain, and what compiled code is compared with.
//
// Problem     Say what a function means without sharing a line with what compiles it.
// Method      Op after op, each on whole tensors. Numbers are read into binary64 and results rounded
//             to their dtype: for f32 that rounds sums, products, quotients and square roots
//             correctly, because binary64 has more than twice the digits (Figueroa, "When is double
//             rounding innocuous?", 1995); transcendental functions are libm's for binary64, rounded
//             once. `bf16` and `f16` round to f32 first. Sums over f32 accumulate in binary64.
// Invariants  Regions run in place, calls recurse: a chain of calls is bounded by `callDepthMax`.
// Cost        O(work of the function); a value is dropped after its last use.

/// Why a function could not be executed.
public struct InterpreterError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong.
  public var description: String
}

/// Executes a function and returns its results.
///
/// - Parameters:
///   - function: A verified function.
///   - module: Where its callees are; nil where it has none.
///   - arguments: One tensor per argument, of its type.
/// - Returns: One tensor per result.
/// - Throws: An error where an argument has another type, or a callee is missing or calls nest too
///   deeply.
public func interpret(
  _ function: Function, in module: Module? = nil, arguments: [Tensor]
) throws(InterpreterError) -> [Tensor] {
  try Interpreter(module: module, callees: function.callees, depth: 0).run(function, arguments)
}

/// How deeply calls may nest.
private let callDepthMax = 200

private struct Interpreter {
  var module: Module?
  /// The callees of the function that is executed; `module` has the others.
  var callees: [Function]
  var depth: Int

  /// The state of one execution of one function.
  struct Frame {
    var values: Table<ValueID, Tensor?>
    /// How many reads of a value are still to come.
    var remainingUses: Table<ValueID, Int32>
    /// How many ops `random` have run: the stream of those that name none.
    var randomCount = 0
  }

  func run(_ function: Function, _ arguments: [Tensor]) throws(InterpreterError) -> [Tensor] {
    guard arguments.count == function.arguments.count else {
      throw InterpreterError(
        description: "@\(function.name) takes \(function.arguments.count) arguments, not "
          + "\(arguments.count)")
    }
    var frame = Frame(
      values: Table(repeating: nil, count: function.values.count),
      remainingUses: Table(repeating: 0, count: function.values.count))
    for value in function.operandPool { frame.remainingUses[value] += 1 }
    for (argument, tensor) in zip(function.arguments, arguments) {
      let type = function.type(of: argument.value)
      guard tensor.type == type else {
        let name = function.values[argument.value].name
        throw InterpreterError(
          description: "argument '\(name)' of @\(function.name) is \(type), not \(tensor.type)")
      }
      frame.values[argument.value] = tensor
    }
    return try execute(function.body, of: function, &frame)
  }

  /// Runs the ops of a block and returns the operands of its terminator.
  private func execute(
    _ block: BlockID, of function: Function, _ frame: inout Frame
  ) throws(InterpreterError) -> [Tensor] {
    for id in function.blocks[block].ops {
      let op = function.ops[id]
      var operands: [Tensor] = []
      for value in function.operands(of: op) {
        guard let tensor = frame.values[value] else {
          preconditionFailure("\(value) is read before it is computed, by \(id)")
        }
        operands.append(tensor)
        frame.remainingUses[value] -= 1
        if frame.remainingUses[value] <= 0 { frame.values[value] = nil }
      }
      let results: [Tensor]
      switch op.opcode {
      case .yield, .return: return operands
      case .fusion, .noGrad, .recompute:
        results = try execute(op.regions[0], of: function, &frame)
      case .call:
        results = try call(op.attributes.function(.callee) ?? "", operands)
      case .while:
        results = try loop(op.attributes, operands)
      case .case:
        results = try branch(op.attributes, operands)
      case .reduceWith, .reduceWindowWith, .scatterWith, .selectAndScatterWith, .sort:
        let types = Array(function.results(of: id)).map { function.type(of: $0) }
        results = try applyToElements(op, operands, types)
      case .softmaxAttention: results = attention(operands, function.signature(of: id))
      case .softmaxAttentionGradient:
        results = attentionGradients(operands, function.signature(of: id))
      case .random:
        let stream = op.attributes.int(.stream) ?? frame.randomCount
        frame.randomCount += 1
        let type = function.type(of: function.result(of: id))
        results = [randomTensor(type, op.attributes, key: operands[0], stream: stream)]
      default:
        let type = function.type(of: function.result(of: id))
        results = [evaluate(op.opcode, operands, op.attributes, type)]
      }
      for (value, tensor) in zip(function.results(of: id), results) {
        assert(tensor.type == function.type(of: value), "\(op.opcode.name) gave \(tensor.type)")
        if frame.remainingUses[value] > 0 { frame.values[value] = tensor }
      }
    }
    preconditionFailure("\(block) of @\(function.name) has no terminator")
  }

  /// Runs the body of a loop on the carried values while the condition holds of them.
  private func loop(
    _ attributes: Attributes, _ operands: [Tensor]
  ) throws(InterpreterError) -> [Tensor] {
    let condition = attributes.function(.condition)!
    let body = attributes.function(.body)!
    var values = operands
    let carriedCount = try callee(body).results.count
    while try call(condition, values)[0].bytes[0] != 0 {
      values.replaceSubrange(..<carriedCount, with: try call(body, values))
    }
    return Array(values.prefix(carriedCount))
  }

  /// Runs the branch that the first operand counts to, or the last.
  private func branch(
    _ attributes: Attributes, _ operands: [Tensor]
  ) throws(InterpreterError) -> [Tensor] {
    let branches = attributes.functions(.branches)!
    let index = Int(operands[0].integers[0])
    let chosen = branches.indices.contains(index) ? index : branches.count - 1
    return try call(branches[chosen], Array(operands.dropFirst()))
  }

  /// The results of an op that applies functions to elements.
  private func applyToElements(
    _ op: Op, _ operands: [Tensor], _ types: [TensorType]
  ) throws(InterpreterError) -> [Tensor] {
    func function(_ name: AttributeName) throws(InterpreterError) -> ElementFunction {
      ElementFunction(try callee(op.attributes.function(name)!)) { [self] in try? callee($0) }
    }
    let attributes = op.attributes
    return switch op.opcode {
    case .reduceWith: try reducedWith(function(.function), operands, attributes, to: types)
    case .reduceWindowWith:
      try reducedWindowWith(function(.function), operands, attributes, to: types)
    case .scatterWith: try scatteredWith(function(.function), operands, attributes)
    case .selectAndScatterWith:
      [
        try selectedAndScatteredWith(
          select: function(.select), scatter: function(.scatter), operands, attributes)
      ]
    default: try sortedLines(function(.comparator), operands, attributes)
    }
  }

  private func callee(_ name: String) throws(InterpreterError) -> Function {
    guard let callee = callees.first(where: { $0.name == name }) ?? module?[name] else {
      throw InterpreterError(description: "there is no function @\(name) to call")
    }
    return callee
  }

  private func call(_ name: String, _ operands: [Tensor]) throws(InterpreterError) -> [Tensor] {
    let callee = try callee(name)
    guard depth < callDepthMax else {
      throw InterpreterError(description: "calls nest more than \(callDepthMax) deep at @\(name)")
    }
    return try Interpreter(module: module, callees: callees, depth: depth + 1)
      .run(callee, operands)
  }
}

/// The result of a primitive op, of the given type: its meaning in the op table.
///
/// - Precondition: The op is verified, and is no structure and not `random`.
func evaluate(
  _ opcode: Opcode, _ operands: [Tensor], _ attributes: Attributes, _ type: TensorType
) -> Tensor {
  switch opcode {
  case .abs, .negate, .sign, .floor, .ceil, .roundNearestEven, .roundNearestAfz, .isFinite, .not,
    .exponential, .exponentialMinusOne, .log, .logPlusOne, .tanh, .logistic, .sqrt, .rsqrt, .cbrt,
    .sine, .cosine, .tan, .erf, .erfc, .asin, .acos, .atan, .sinh, .cosh, .asinh, .acosh, .atanh,
    .popcnt, .countLeadingZeros:
    unary(opcode, operands[0])
  case .reducePrecision: reducedPrecision(operands[0], attributes)
  case .bitcastConvert: bitcast(operands[0], to: type)
  case .convert: converted(operands[0], to: type)
  case .add, .subtract, .multiply, .divide, .remainder, .maximum, .minimum, .power, .atan2, .and,
    .or,
    .xor, .shiftLeft, .shiftRightArithmetic, .shiftRightLogical:
    binary(opcode, operands[0], operands[1])
  case .compare: compared(operands[0], operands[1], attributes)
  case .select: selected(operands[0], operands[1], operands[2])
  case .clamp: binary(.minimum, binary(.maximum, operands[1], operands[0]), operands[2])
  case .constant: constantTensor(type, attributes.constant!)
  case .iota: iotaTensor(type, along: attributes.int(.dim)!)
  case .broadcastInDim: broadcast(operands[0], dims: attributes.ints(.dims)!, to: type)
  case .reshape: Tensor(type, bytes: operands[0].bytes)
  case .transpose: transposed(operands[0], dims: attributes.ints(.dims)!)
  case .slice: sliced(operands[0], attributes, to: type)
  case .pad: padded(operands[0], with: operands[1], attributes, to: type)
  case .concatenate: concatenated(operands, along: attributes.int(.dim)!, to: type)
  case .reverse: reversed(operands[0], dims: attributes.ints(.dims)!)
  case .reduce: reduced(operands[0], attributes, to: type)
  case .dotGeneral: dotGeneral(operands[0], operands[1], attributes, to: type)
  case .convolution: convolution(operands[0], operands[1], attributes, to: type)
  case .reduceWindow: reduceWindow(operands[0], attributes, to: type)
  case .selectAndScatter: selectAndScatter(operands[0], operands[1], attributes)
  case .gather: gather(operands[0], operands[1], attributes, to: type)
  case .scatter: scatter(operands[0], operands[1], operands[2], attributes)
  case .dynamicSlice: dynamicSlice(operands[0], operands.dropFirst(), to: type)
  case .dynamicUpdateSlice:
    dynamicUpdateSlice(operands[0], operands[1], operands.dropFirst(2))
  case .softmaxAttention, .softmaxAttentionGradient, .reduceWith, .reduceWindowWith, .scatterWith,
    .selectAndScatterWith, .sort, .random, .while,
    .case, .call, .fusion, .noGrad, .recompute, .yield, .return:
    preconditionFailure("'\(opcode.name)' is executed by the interpreter itself")
  }
}
