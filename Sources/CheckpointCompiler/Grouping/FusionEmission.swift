// Groups to a function of kernels: each group becomes a `fusion`, in an order that respects dependences.
//
// Order       Kahn's algorithm over groups and single ops: of those that are ready, the one whose last op
//             stood first.
// Copies      Indexing ops are copied into the kernels that read through them; they also run alone where
//             somebody needs their value in memory.
// Cost        O(ops + operands) and a heap of the units that are ready.

extension Grouping {
  /// The function with its groups as fusions, in an order that respects dependences and otherwise
  /// puts every kernel where its last op stood.
  func rebuilt() -> Function {
    // Units are groups of ops, then single ops that are not copied into their readers.
    var units: [[OpID]] = groups.map(\.ops).filter { !$0.isEmpty }
    var unitOf = Table<OpID, Int>(repeating: -1, count: function.ops.count)
    for op in body where groupOf[op] < 0 && isStandalone(op) { units.append([op]) }
    for (unit, ops) in units.enumerated() { for op in ops { unitOf[op] = unit } }
    let order = inOrder(units, unitOf)

    var builder = FunctionBuilder(name: function.name)
    var map = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &map)
    for unit in order {
      let ops = units[unit]
      if groupOf[ops[0]] < 0 {
        builder.clone(ops[0], of: function, map: &map)
      } else {
        emit(ops, &builder, &map)
      }
    }
    builder.setGradientFunction(function.gradientFunction)
    return builder.finish(
      returning: function.returnedValues.map { map[$0]! }, as: function.results)
  }

  /// Whether an op that is not fused has a place of its own: it is no indexing op, or somebody needs
  /// its value in memory.
  private func isStandalone(_ op: OpID) -> Bool {
    guard isCopied[op] else { return true }
    let value = function.result(of: op)
    if isReturned.contains(value) { return true }
    return readers[value].contains {
      let isOutside = groupOf[$0] < 0 || isContraction($0)
      return isOutside && (!isCopied[$0] || isStandalone($0))
    }
  }

  /// The indexing ops that a group reads through and does not find in memory, operands first.
  func indexingOps(of ops: [OpID]) -> [OpID] {
    var found: Set<OpID> = []
    var stack = ops
    while let op = stack.popLast() {
      for operand in function.operands(of: op) {
        guard let definition = function.definingOp(of: operand), isCopied[definition],
          !readsMemory(op),
          found.insert(definition).inserted
        else { continue }
        stack.append(definition)
      }
    }
    return found.sorted { position[$0] < position[$1] }
  }

  /// Kahn's algorithm, the ready unit whose last op stands first.
  private func inOrder(_ units: [[OpID]], _ unitOf: Table<OpID, Int>) -> [Int] {
    var waiting = Array(repeating: 0, count: units.count)
    var followers = Array(repeating: [Int](), count: units.count)
    for (unit, ops) in units.enumerated() {
      var sources: Set<Int> = []
      var seen: Set<OpID> = []
      var stack = ops
      while let op = stack.popLast() {
        for operand in function.operands(of: op) {
          guard let definition = function.definingOp(of: operand) else { continue }
          if unitOf[definition] == unit { continue }
          let isCopied =
            isCopied[definition] && groupOf[ops[0]] >= 0 && !readsMemory(op)
          if isCopied || unitOf[definition] < 0 {
            if seen.insert(definition).inserted { stack.append(definition) }
          } else {
            sources.insert(unitOf[definition])
          }
        }
      }
      for source in sources.sorted() {
        waiting[unit] += 1
        followers[source].append(unit)
      }
    }
    let last = units.map { position[$0.last!] }
    var ready = MinHeap()
    for unit in units.indices where waiting[unit] == 0 { ready.insert(last[unit], unit) }
    var order: [Int] = []
    while let unit = ready.popFirst() {
      order.append(unit)
      for follower in followers[unit] {
        waiting[follower] -= 1
        if waiting[follower] == 0 { ready.insert(last[follower], follower) }
      }
    }
    precondition(order.count == units.count, "kernels depend on each other in a cycle")
    return order
  }

  /// Appends a group as a fusion, or as the op itself where it is only one.
  private func emit(_ ops: [OpID], _ builder: inout FunctionBuilder, _ map: inout ValueMap) {
    let indexing = indexingOps(of: ops)
    if ops.count == 1, indexing.isEmpty {
      builder.clone(ops[0], of: function, map: &map)
      return
    }
    let outputs = ops.flatMap { Array(function.results(of: $0)) }.filter { value in
      isReturned.contains(value) || isReadOutside(value, by: groupOf[ops[0]])
    }
    let inner = merged(indexing, ops)
    // What the values are outside; a copy of the map would be as large as the function.
    let outside = inner.flatMap { Array(function.results(of: $0)) }.map { ($0, map[$0]) }
    builder.beginRegion()
    let isOutput = Set(outputs)
    for op in inner {
      // What is in memory under the same name keeps it; copies inside have a name of their own.
      builder.clone(op, of: function, map: &map) { value, name in
        let isDoubled = isOutput.contains(value) || indexing.contains(op)
        return isDoubled ? innerName(name) : name
      }
    }
    let results = builder.endRegion(
      .fusion, yielding: outputs.map { map[$0]! },
      names: outputs.map { function.values[$0].name },
      // The place of the value that the kernel is named after.
      location: function.ops[outputs.first.flatMap { function.definingOp(of: $0) } ?? ops.last!]
        .location)
    for (value, image) in outside { map[value] = image }
    for (value, result) in zip(outputs, results) { map[value] = result }
  }

  /// Whether the value of an op is written to memory.
  func isReadOutside(_ op: OpID) -> Bool {
    isReadOutside(function.result(of: op), by: groupOf[op])
  }

  /// Whether an op outside a group reads a value, itself or through copies of indexing ops.
  func isReadOutside(_ value: ValueID, by group: Int) -> Bool {
    readers[value].contains { reader in
      if groupOf[reader] >= 0 { return groupOf[reader] != group }
      guard isCopied[reader] else { return true }
      return isStandalone(reader) || isReadOutside(function.result(of: reader), by: group)
    }
  }
}

/// The name inside a kernel of a value that has its own outside: `h.k` for `h`, and for what was
/// named so when the text was grouped before.
func innerName(_ name: String) -> String {
  var parts = name.split(separator: ".", omittingEmptySubsequences: false)
  if parts.count > 2, parts.last!.allSatisfy(\.isNumber), parts[parts.count - 2] == "k" {
    parts.removeLast()
  }
  if parts.count > 1, parts.last == "k" { parts.removeLast() }
  return parts.joined(separator: ".") + ".k"
}

/// A priority queue of units; equal keys come out in the order of their numbers.
private struct MinHeap {
  private var items: [(key: Int, unit: Int)] = []

  mutating func insert(_ key: Int, _ unit: Int) {
    items.append((key, unit))
    var place = items.count - 1
    while place > 0, items[place] < items[(place - 1) / 2] {
      items.swapAt(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  mutating func popFirst() -> Int? {
    guard let first = items.first else { return nil }
    let last = items.removeLast()
    if !items.isEmpty {
      items[0] = last
      var place = 0
      while true {
        var least = place
        for child in [2 * place + 1, 2 * place + 2]
        where child < items.count && items[child] < items[least] { least = child }
        if least == place { break }
        items.swapAt(place, least)
        place = least
      }
    }
    return first.unit
  }
}
