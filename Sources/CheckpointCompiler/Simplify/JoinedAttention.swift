// Attentions that read queries, keys and values where one product has put them.
//
// Problem     A transformer computes queries, keys and values in one product, and slices it. That copies
//             all three; and the gradient of every slice is a tensor of the size of all, of zeros but for a
//             third, before the three are added.
// Method      Thirds of one tensor along one dimension, in this order, are the operand `qkv_dim` of
//             attention: it reads them in place, and its gradient writes the thirds of one tensor.
// Bounds      The slices, and what reshapes them, are read by the attention alone: else they would be
//             there as well.
// Place       Before differentiation, so that the gradient is the op's own.
// Bits        Those of the slices.
// Cost        O(ops + operands).

extension Function {
  /// Makes the three operands of attentions one where they are its thirds; nil where none are.
  func joiningAttention() -> Function? {
    guard ops.elements.contains(where: { $0.opcode == .softmaxAttention }) else { return nil }
    var readerCount = Table<ValueID, Int>(repeating: 0, count: values.count)
    for op in opsInOrder {
      for operand in operands(of: op) { readerCount[operand] += 1 }
    }
    var joined: [OpID: Third] = [:]
    for op in blocks[body].ops where ops[op].opcode == .softmaxAttention {
      joined[op] = thirds(of: op, readerCount)
    }
    guard !joined.isEmpty else { return nil }
    var builder = FunctionBuilder(name: name)
    builder.setGradientFunction(gradientFunction)
    var map = ValueMap(for: self)
    builder.cloneArguments(of: self, into: &map)
    for op in blocks[body].ops.dropLast() {
      if let third = joined[op] {
        builder.appendJoined(op, of: self, third, &map)
      } else {
        builder.clone(op, of: self, map: &map)
      }
    }
    let function = builder.finish(
      returning: returnedValues.map { map[$0]! }, as: results,
      location: ops[blocks[body].ops.last!].location)
    return Pipeline.local.run(function)
  }

  /// The first third, where the operands of an attention are the thirds of one tensor.
  private func thirds(of op: OpID, _ readerCount: Table<ValueID, Int>) -> Third? {
    guard ops[op].attributes.int(.qkvDim) == nil else { return nil }
    let thirds = operands(of: op).prefix(3).compactMap { third($0, readerCount) }
    guard thirds.count == 3, thirds.map(\.number) == [0, 1, 2],
      thirds.allSatisfy({ $0.whole == thirds[0].whole && $0.type == thirds[0].type })
    else { return nil }
    return thirds[0]
  }

  /// The third that a value is, which nothing else reads.
  private func third(_ value: ValueID, _ readerCount: Table<ValueID, Int>) -> Third? {
    var part = value
    while readerCount[part] == 1, let reshape = op(.reshape, defining: part) {
      part = operands(of: reshape).first!
    }
    guard readerCount[part] == 1, let slice = op(.slice, defining: part),
      (ops[slice].attributes.ints(.strides) ?? []).allSatisfy({ $0 == 1 })
    else { return nil }
    let whole = operands(of: slice).first!
    let (shape, start) = (type(of: whole).shape, ops[slice].attributes.ints(.start)!)
    let partShape = type(of: part).shape
    let cut = shape.indices.filter { partShape[$0] != shape[$0] }
    guard cut.count == 1, shape[cut[0]] == 3 * partShape[cut[0]],
      start[cut[0]].isMultiple(of: partShape[cut[0]])
    else { return nil }
    // The dimension of the value before which there is as much as before the one that is cut.
    var type = type(of: value)
    let before = shape[..<cut[0]].reduce(1, *)
    guard
      let dim = type.shape.indices.last(where: { type.shape[..<$0].reduce(1, *) == before })
    else { return nil }
    type.shape[dim] *= 3
    return Third(
      whole: whole, type: type, dim: dim, number: start[cut[0]] / partShape[cut[0]])
  }
}

/// A third of a tensor.
private struct Third {
  /// The tensor, and the type as which it has the third along a dimension.
  var whole: ValueID
  var type: TensorType
  var dim: Int
  /// Which third it is.
  var number: Int
}

extension FunctionBuilder {
  /// Appends an attention of one tensor.
  fileprivate mutating func appendJoined(
    _ op: OpID, of old: Function, _ third: Third, _ map: inout ValueMap
  ) {
    let location = old.ops[op].location
    var whole = map[third.whole]!
    if type(of: whole) != third.type {
      let name = old.values[third.whole].name
      whole = emit(
        .reshape, [whole], type: third.type, name: name.isEmpty ? "" : "\(name).thirds",
        location: location)
    }
    var attributes = old.ops[op].attributes
    attributes[.qkvDim] = .int(third.dim)
    let extras = old.operands(of: op).dropFirst(3).map { map[$0]! }
    let results = old.results(of: op)
    do {
      let joined = try append(
        .softmaxAttention, [whole, whole, whole] + extras, attributes,
        names: results.map { old.values[$0].name }, location: location)
      for (old, new) in zip(results, joined) { map[old] = new }
    } catch {
      preconditionFailure("an attention of thirds with \(error.message) [\(error.constraint)]")
    }
  }
}
