// What ops compute that apply a function to elements.
//
// Method      The function is evaluated on many elements at once, as vectors, wherever they do not
//             depend on each other: all results of a reduction advance by one element, all merges of a
//             round of a sort by one comparison, updates until a place is met again.

/// A function of scalars, evaluated on vectors.
struct ElementFunction {
  private let function: Function
  private let find: (String) -> Function?

  /// - Parameters:
  ///   - function: Takes and gives scalars.
  ///   - find: The functions that it calls.
  init(_ function: Function, _ find: @escaping (String) -> Function?) {
    self.function = function
    self.find = find
  }

  /// The results for vectors of arguments of one length.
  func callAsFunction(_ arguments: [Tensor]) throws(InterpreterError) -> [Tensor] {
    let count = arguments[0].type.elementCount
    var values: [ValueID: Tensor] = [:]
    for (argument, tensor) in zip(function.arguments, arguments) {
      values[argument.value] = tensor
    }
    for id in function.opsInOrder {
      let op = function.ops[id]
      let operands = function.operands(of: op).map { values[$0]! }
      switch op.opcode {
      case .fusion, .noGrad, .recompute: continue
      case .yield:
        let owner = function.blocks[op.block].owner!
        for (result, tensor) in zip(function.results(of: owner), operands) {
          values[result] = tensor
        }
        continue
      case .return: return operands
      default: break
      }
      let results: [Tensor]
      if op.opcode == .call, let callee = op.attributes.function(.callee).flatMap(find) {
        results = try ElementFunction(callee, find)(operands)
      } else if function.isOfElements(id) {
        let type = function.type(of: function.result(of: id)).with(shape: [count])
        results = [evaluated(op.opcode, operands, op.attributes, type)]
      } else {
        throw InterpreterError(
          description: "'\(op.opcode.name)' in @\(function.name), which is applied to elements")
      }
      for (result, tensor) in zip(function.results(of: id), results) { values[result] = tensor }
    }
    preconditionFailure("@\(function.name) has no 'return'")
  }

  private func evaluated(
    _ opcode: Opcode, _ operands: [Tensor], _ attributes: Attributes, _ type: TensorType
  ) -> Tensor {
    switch opcode {
    case .constant:
      switch attributes.constant! {
      case .splat(let element), .dense(let element): Tensor(type, repeating: element)
      }
    case .reshape, .broadcastInDim, .transpose: operands[0]
    default: evaluate(opcode, operands, attributes, type)
    }
  }
}

/// The elements at the given places as a vector; `other` where the place is -1.
private func vector(of x: Tensor, at places: [Int], else other: Tensor? = nil) -> Tensor {
  let type = x.type.with(shape: [places.count])
  guard let other else { return elements(of: x, at: places, as: type) }
  var result = Tensor(type, repeating: other.bytes)
  let inside = places.indices.filter { places[$0] >= 0 }
  copy(from: x, inside.map { places[$0] }, to: &result, inside)
  return result
}

func reducedWith(
  _ function: ElementFunction, _ operands: [Tensor], _ attributes: Attributes,
  to types: [TensorType]
) throws(InterpreterError) -> [Tensor] {
  let (tensors, initial) = (operands.prefix(types.count), operands.suffix(types.count))
  let dims = attributes.ints(.dims)!.sorted()
  let (shape, strides) = (tensors[0].type.shape, tensors[0].type.strides)
  let kept = shape.indices.filter { !dims.contains($0) }
  let outer = places(shape: kept.map { shape[$0] }, steps: kept.map { strides[$0] })
  var combined = initial.map { Tensor($0.type.with(shape: [outer.count]), repeating: $0.bytes) }
  for step in places(shape: dims.map { shape[$0] }, steps: dims.map { strides[$0] }) {
    combined = try function(combined + tensors.map { vector(of: $0, at: outer.map { $0 + step }) })
  }
  return zip(combined, types).map { Tensor($1, bytes: $0.bytes) }
}

func reducedWindowWith(
  _ function: ElementFunction, _ operands: [Tensor], _ attributes: Attributes,
  to types: [TensorType]
) throws(InterpreterError) -> [Tensor] {
  let (tensors, initial) = (operands.prefix(types.count), Array(operands.suffix(types.count)))
  let window = PoolingWindow(attributes, rank: types[0].rank)
  let table = WindowTable(window, operand: tensors[0].type, windows: types[0])
  var windows: [Int] = []
  var taps: [[Int]] = []
  table.forEach { window, start, places in
    windows.append(window)
    taps.append(places.map { $0 < 0 ? -1 : start + $0 })
  }
  var combined = initial.map { Tensor($0.type.with(shape: [windows.count]), repeating: $0.bytes) }
  for tap in 0..<(taps.first?.count ?? 0) {
    let places = taps.map { $0[tap] }
    combined = try function(
      combined + tensors.indices.map { vector(of: tensors[$0], at: places, else: initial[$0]) })
  }
  return zip(combined, types).map { vector, type in
    var result = Tensor(zeros: type)
    copy(from: vector, nil, to: &result, windows)
    return result
  }
}

/// Combines updates into tensors, each into the place of its target, in order; -1 is no place.
private func combine(
  _ updates: [Tensor], into tensors: [Tensor], at targets: [Int], _ function: ElementFunction
) throws(InterpreterError) -> [Tensor] {
  var results = tensors
  var pending: [Int] = []
  var met: Set<Int> = []
  func flush() throws(InterpreterError) {
    let places = pending.map { targets[$0] }
    let news = try function(
      results.map { vector(of: $0, at: places) } + updates.map { vector(of: $0, at: pending) })
    for index in results.indices { copy(from: news[index], nil, to: &results[index], places) }
    pending.removeAll()
    met.removeAll()
  }
  for (update, target) in targets.enumerated() where target >= 0 {
    if !met.insert(target).inserted {
      try flush()
      met.insert(target)
    }
    pending.append(update)
  }
  if !pending.isEmpty { try flush() }
  return results
}

func scatteredWith(
  _ function: ElementFunction, _ operands: [Tensor], _ attributes: Attributes
) throws(InterpreterError) -> [Tensor] {
  let count = operands.count / 2
  let targets = scatterTargets(
    operands[0].type, operands[count], operands[count + 1].type, attributes)
  return try combine(
    Array(operands[(count + 1)...]), into: Array(operands[..<count]), at: targets, function)
}

func selectedAndScatteredWith(
  select: ElementFunction, scatter: ElementFunction, _ operands: [Tensor], _ attributes: Attributes
) throws(InterpreterError) -> Tensor {
  let (x, source, initial) = (operands[0], operands[1], operands[2])
  let window = PoolingWindow(attributes, rank: x.type.rank)
  let table = WindowTable(window, operand: x.type, windows: source.type)
  var windows: [Int] = []
  var taps: [[Int]] = []
  table.forEach { window, start, places in
    windows.append(window)
    taps.append(places.map { $0 < 0 ? -1 : start + $0 })
  }
  var chosen = Array(repeating: -1, count: windows.count)
  for tap in 0..<(taps.first?.count ?? 0) {
    let rivals = chosen.indices.filter { chosen[$0] >= 0 && taps[$0][tap] >= 0 }
    let stays = try select([
      vector(of: x, at: rivals.map { chosen[$0] }),
      vector(of: x, at: rivals.map { taps[$0][tap] }),
    ])[0]
    for place in chosen.indices where chosen[place] < 0 { chosen[place] = taps[place][tap] }
    for (index, place) in rivals.enumerated() where stays.bytes[index] == 0 {
      chosen[place] = taps[place][tap]
    }
  }
  return try combine(
    [vector(of: source, at: windows)], into: [Tensor(x.type, repeating: initial.bytes)],
    at: chosen, scatter)[0]
}

/// Two neighbouring runs of a line, being merged.
private struct Merge {
  /// Where the line starts in the tensors.
  var line: Int
  /// Where the merged run starts among the places of all lines.
  var target: Int
  /// What is left of both runs: places along the line.
  var left: ArraySlice<Int>
  var right: ArraySlice<Int>
  var merged: [Int] = []
}

/// A merge sort from runs of one element on, all merges of a round side by side.
func sortedLines(
  _ comparator: ElementFunction, _ operands: [Tensor], _ attributes: Attributes
) throws(InterpreterError) -> [Tensor] {
  let dim = attributes.int(.dim)!
  let (shape, strides) = (operands[0].type.shape, operands[0].type.strides)
  let others = shape.indices.filter { $0 != dim }
  let lines = places(shape: others.map { shape[$0] }, steps: others.map { strides[$0] })
  let (extent, step) = (shape[dim], strides[dim])
  // For every line and place along it, which element stands there.
  var order = lines.flatMap { _ in Array(0..<extent) }
  var width = 1
  while width < extent {
    var merges: [Merge] = []
    for (number, line) in lines.enumerated() {
      for start in stride(from: 0, to: extent - width, by: 2 * width) {
        let target = number * extent + start
        let (middle, end) = (target + width, min(target + 2 * width, (number + 1) * extent))
        merges.append(
          Merge(
            line: line, target: target, left: order[target..<middle], right: order[middle..<end]))
      }
    }
    var active = Array(merges.indices)
    while !active.isEmpty {
      let lefts = active.map { merges[$0].line + merges[$0].left.first! * step }
      let rights = active.map { merges[$0].line + merges[$0].right.first! * step }
      let isLess = try comparator(
        operands.flatMap { [vector(of: $0, at: rights), vector(of: $0, at: lefts)] })[0]
      for (index, number) in active.enumerated() {
        let taken =
          isLess.bytes[index] != 0
          ? merges[number].right.removeFirst() : merges[number].left.removeFirst()
        merges[number].merged.append(taken)
      }
      active.removeAll { merges[$0].left.isEmpty || merges[$0].right.isEmpty }
    }
    for merge in merges {
      let all = merge.merged + merge.left + merge.right
      order.replaceSubrange(merge.target..<merge.target + all.count, with: all)
    }
    width *= 2
  }
  let from = order.enumerated().map { lines[$0.offset / extent] + $0.element * step }
  let to = order.indices.map { lines[$0 / extent] + $0 % extent * step }
  return operands.map { operand in
    var result = operand
    copy(from: operand, from, to: &result, to)
    return result
  }
}
