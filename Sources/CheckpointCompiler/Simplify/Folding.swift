// Replaces ops by what they are known to give: constants, operands, simpler ops.
//
// Method      One forward walk that copies the function. Every op is looked at with the operands that
//             its own operands were replaced by; a rule gives a value that exists already or a simpler
//             op, which is looked at again. Rules are in the files of their families.
// Invariants  No bit of a result changes, signed zeros and NaN included: a rule holds for every value
//             of its operands. Ops inside regions stay as they are.
// Cost        O(ops + operands): each op is replaced a bounded number of times.

/// An op that may be appended, or replaced by something simpler.
struct FoldingCandidate {
  var opcode: Opcode
  var operands: [ValueID]
  var attributes: Attributes = [:]
  /// The type of its result.
  var type: TensorType
}

/// What stands in the place of a candidate.
enum FoldingResult {
  case value(ValueID)
  case op(FoldingCandidate)
  /// An op whose last operand is a new constant: this element everywhere, of the op's type.
  case withConstant(FoldingCandidate, [UInt8])

  /// A constant with the given bytes in every element.
  static func splat(_ bytes: [UInt8], _ type: TensorType) -> FoldingResult {
    .op(
      FoldingCandidate(
        opcode: .constant, operands: [], attributes: [.value: .constant(.splat(bytes))], type: type)
    )
  }
}

/// What the rules look at: the function that has been built so far.
struct FoldingContext {
  let function: Function
  /// Whether the first operand of the candidate is a product that nothing else reads.
  let readsProductAlone: Bool

  /// The type of a value.
  func type(of value: ValueID) -> TensorType { function.type(of: value) }

  /// The op that defines a value, where it is of the given opcode.
  func op(_ opcode: Opcode, defining value: ValueID) -> Op? {
    guard let id = function.definingOp(of: value) else { return nil }
    let op = function.ops[id]
    return op.opcode == opcode ? op : nil
  }

  /// The operand of an op that has one.
  func operand(of op: Op) -> ValueID { function.operands(of: op).first! }

  /// The bytes of one element, where all elements of a value are known to be equal.
  func splat(_ value: ValueID) -> [UInt8]? {
    guard let op = op(.constant, defining: value), case .splat(let bytes)? = op.attributes.constant
    else { return nil }
    return bytes
  }
}

/// Folds constants and identities.
let folding = Pass(
  name: "fold", summary: "folds constants, identities, and transposes of contraction operands"
) { function in
  var builder = FunctionBuilder(name: function.name)
  builder.setGradientFunction(function.gradientFunction)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  var readers = Table<ValueID, Int32>(repeating: 0, count: function.values.count)
  for op in function.opsInOrder {
    for operand in function.operands(of: op) { readers[operand] += 1 }
  }
  var changed = false

  for id in function.blocks[function.body].ops {
    let op = function.ops[id]
    let operands = function.operands(of: op)
    if op.opcode == .return {
      let finished = builder.finish(
        returning: operands.map { map[$0]! }, as: function.results, location: op.location)
      return changed ? finished : nil
    }
    guard op.opcode.definition.category != .structure, op.resultCount == 1 else {
      builder.clone(id, of: function, map: &map)
      continue
    }
    let result = function.result(of: id)
    let candidate = FoldingCandidate(
      opcode: op.opcode, operands: operands.map { map[$0]! }, attributes: op.attributes,
      type: function.type(of: result))
    let readsProductAlone = operands.first.map {
      readers[$0] == 1 && function.definingOp(of: $0).map { function.ops[$0].opcode } == .dotGeneral
    }
    guard
      var replacement = folded(
        candidate, in: builder.function, readsProductAlone: readsProductAlone ?? false)
    else {
      builder.clone(id, of: function, map: &map)
      continue
    }
    changed = true
    while case .op(let next) = replacement,
      let simpler = folded(next, in: builder.function, readsProductAlone: false)
    {
      replacement = simpler
    }
    let name = function.values[result].name
    switch replacement {
    case .value(let value):
      map[result] = value
      // A value without a name takes that of the value it stands for.
      if builder.function.values[value].name.isEmpty, !name.isEmpty {
        builder.rename(value, to: name)
      }
    case .op(let next):
      map[result] = builder.emit(
        next.opcode, next.operands, next.attributes, type: next.type, name: name,
        location: op.location)
    case .withConstant(let next, let bytes):
      let constant = builder.emit(
        .constant, [], [.value: .constant(.splat(bytes))], type: next.type, location: op.location)
      map[result] = builder.emit(
        next.opcode, next.operands + [constant], next.attributes, type: next.type, name: name,
        location: op.location)
    }
  }
  preconditionFailure("@\(function.name) has no 'return'")
}

/// One step of folding: the first rule that applies.
private func folded(
  _ candidate: FoldingCandidate, in function: Function, readsProductAlone: Bool
) -> FoldingResult? {
  let context = FoldingContext(function: function, readsProductAlone: readsProductAlone)
  switch candidate.opcode.definition.category {
  case .elementwise: return foldedElementwise(candidate, context)
  case .movement: return foldedMovement(candidate, context)
  case .contraction: return foldedContraction(candidate, context)
  case .generator, .reduction, .attention, .window, .indexed, .structure: return nil
  }
}
