// Ops to kernels: which ops run in one loop nest, decided before anything is planned.
//
// Problem     Elementwise chains, broadcasts and reductions over the same loop are bound by memory:
//             run together they read and write each value once, and what lives inside needs no
//             memory at all. The planner must see the kernels that will run, or its costs and sizes
//             are wrong.
// Method      Three sweeps. An op whose readers all stand in one kernel joins it: its value is never
//             written. Then a kernel joins the kernel that reads it where their loops fit, so that
//             what both touch is read once. Then reductions that read the same large value join.
//             Constants, broadcasts, slices and the like are copied into every kernel that reads
//             them: they only say where elements come from.
// Epilogues   Elementwise ops over the result of a contraction run in its kernel where that stores
//             nothing more than the groups without it (`EpilogueGrouping`). So groups are made twice:
//             without epilogues, to see what is stored; then around the epilogues. What makes a factor
//             anew may run in the same kernel (`PrologueGrouping`).
// Phases      Kernels of the backward pass do not join kernels of the forward pass: what the backward
//             pass alone needs would be made early and kept until then.
// Invariants  Kernels depend on each other without a cycle; every kernel passes
//             `Function.fusionErrors`, in debug builds asserted.
// Cost        O(ops) apart from searches for cycles, which give up after `searchMax` ops.

/// The function with its ops grouped into `fusion` regions.
///
/// - Parameters:
///   - function: The function.
///   - joinsContractions: Whether an epilogue runs in the kernel of its contraction, or after it.
/// - Returns: The function of kernels.
/// - Precondition: The function holds no calls and no `no_grad` or `recompute` regions.
func grouped(_ function: Function, joinsContractions: Bool = true) -> Function {
  let grouping = Grouping(withoutFusions(function), joinsContractions: joinsContractions)
  let result = grouping.rebuilt()
  assert(result.fusionErrors().isEmpty, "\(result.fusionErrors())")
  return result
}

/// The function with the ops of fusions in their place.
func withoutFusions(_ function: Function) -> Function {
  guard function.ops.elements.contains(where: { $0.opcode == .fusion }) else { return function }
  var builder = FunctionBuilder(name: function.name)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  for op in function.blocks[function.body].ops.dropLast() {
    guard function.ops[op].opcode == .fusion else {
      builder.clone(op, of: function, map: &map)
      continue
    }
    let region = function.ops[op].regions[0]
    let yielded = Array(zip(function.results(of: op), function.yieldedValues(of: region)))
    // What a fusion yields has its name outside.
    var names: [ValueID: String] = [:]
    for (result, value) in yielded { names[value] = function.values[result].name }
    for inner in function.blocks[region].ops.dropLast() {
      builder.clone(inner, of: function, map: &map) { value, name in names[value] ?? name }
    }
    for (result, value) in yielded { map[result] = map[value] }
  }
  return builder.finish(
    returning: function.returnedValues.map { map[$0]! }, as: function.results)
}

/// The groups of one function.
struct Grouping {
  /// The most ops of one kernel; long chains become several kernels.
  static let opsMax = 48
  /// The most ops that a search for a cycle looks at.
  static let searchMax = 400
  /// The most indexing ops in a row that are copied into their readers; the next one is a kernel.
  private static let indexingMax = 8

  /// Ops that run as one kernel.
  struct Group {
    /// Its ops, ascending.
    var ops: [OpID]
    /// The loops they share.
    var frame: LoopFrame
    /// Whether it is part of the backward pass.
    var isBackward: Bool
    /// Whether it is a contraction with others, or an epilogue alone, which nothing else joins.
    var isEpilogue = false
  }

  let function: Function
  /// The body in order, without the terminator.
  let body: [OpID]
  let position: Table<OpID, Int>
  /// The group of each op that may be fused; -1 for all others.
  private(set) var groupOf: Table<OpID, Int>
  private(set) var groups: [Group] = []
  /// The ops that read each value.
  private(set) var readers: Table<ValueID, [OpID]>
  let isReturned: Set<ValueID>
  /// The argument that a value is the next value of, as its reader at other places would see it.
  private(set) var updated: [ValueID: ValueID] = [:]
  /// Whether an op is copied into the kernels that read it.
  private(set) var isCopied: Table<OpID, Bool>
  /// Whether an op is part of the backward pass.
  private(set) var isBackward: Table<OpID, Bool>

  /// What the search for a cycle has met.
  var met: MetOps
  /// Whether epilogues were found.
  private(set) var hasEpilogues = false

  /// The groups of a function without fusions.
  ///
  /// Where epilogues do not join their contractions, they are kernels of their own, and all other
  /// kernels are the same: how a reduction runs does not depend on it.
  ///
  /// - Parameters:
  ///   - function: The function.
  ///   - joinsContractions: Whether other ops run in the kernels of contractions.
  ///   - recomputed: Ops that may make factors where these are packed.
  init(
    _ function: Function, joinsContractions: Bool = true, recomputed: Set<OpID> = []
  ) {
    self.function = function
    body = Array(function.blocks[function.body].ops.dropLast())
    var position = Table<OpID, Int>(repeating: 0, count: function.ops.count)
    for (place, op) in body.enumerated() { position[op] = place }
    self.position = position
    groupOf = Table(repeating: -1, count: function.ops.count)
    readers = Table(repeating: [], count: function.values.count)
    isReturned = Set(function.returnedValues)
    isBackward = Table(repeating: false, count: function.ops.count)
    isCopied = Grouping.copiedOps(function, body)
    met = MetOps(of: function)
    for op in body {
      var seen: Set<ValueID> = []
      for operand in function.operands(of: op) where seen.insert(operand).inserted {
        readers[operand].append(op)
      }
    }
    for (result, value) in zip(function.results, function.returnedValues) {
      if case .update(let argument) = result.role {
        updated[value] = function.arguments[argument].value
      }
    }
    findBackward()
    formGroups(around: [])
    let epilogues = epilogues()
    hasEpilogues = !epilogues.isEmpty
    let units =
      joinsContractions
      ? withPrologues(epilogues, among: recomputed)
      : epilogues.map { $0.filter { !isContraction($0) } }
    if !units.isEmpty { formGroups(around: units) }
  }

  private mutating func formGroups(around epilogues: [EpilogueUnit]) {
    groupOf = Table(repeating: -1, count: function.ops.count)
    groups = []
    for unit in epilogues {
      for op in unit { groupOf[op] = groups.count }
      let shape = function.type(of: function.result(of: unit.last!)).shape
      groups.append(
        Group(
          ops: unit, frame: LoopFrame(domain: shape, reduced: []),
          isBackward: isBackward[unit.last!], isEpilogue: true))
    }
    for op in body where groupOf[op] < 0 {
      guard let frame = LoopFrame(op, of: function) ?? randomFrame(op) else { continue }
      groupOf[op] = groups.count
      groups.append(Group(ops: [op], frame: frame, isBackward: isBackward[op]))
    }
    joinSingleReaders()
    joinReaders()
    joinReductions()
  }

  func isContraction(_ op: OpID) -> Bool { function.ops[op].opcode.isSumOfProducts }

  /// Whether an op reads its operands from memory, also within a group.
  func readsMemory(_ op: OpID) -> Bool {
    function.ops[op].opcode == .random || isContraction(op)
  }

  /// Whether a value is in memory once the kernels run that the groups are.
  func isInMemory(_ value: ValueID) -> Bool {
    guard let op = function.definingOp(of: value) else { return true }
    if groupOf[op] < 0 { return !isCopied[op] }
    return isReturned.contains(value) || isReadOutside(value, by: groupOf[op])
  }

  /// Indexing ops, but for every one after `indexingMax` in a row.
  private static func copiedOps(_ function: Function, _ body: [OpID]) -> Table<OpID, Bool> {
    var depth = Table<OpID, Int>(repeating: 0, count: function.ops.count)
    var isCopied = Table<OpID, Bool>(repeating: false, count: function.ops.count)
    for op in body where function.isIndexing(op) {
      let before = function.operands(of: op).first.flatMap { function.definingOp(of: $0) }
      depth[op] = 1 + (before.map { depth[$0] } ?? 0)
      if depth[op] > indexingMax {
        depth[op] = 0
      } else {
        isCopied[op] = true
      }
    }
    return isCopied
  }

  private func randomFrame(_ op: OpID) -> LoopFrame? {
    guard function.ops[op].opcode == .random else { return nil }
    return LoopFrame(domain: function.type(of: function.result(of: op)).shape, reduced: [])
  }

  /// An op is part of the forward pass if the loss depends on it.
  private mutating func findBackward() {
    guard let loss = function.results.firstIndex(where: { $0.role == .loss }) else { return }
    for op in body { isBackward[op] = true }
    var stack: [OpID] = []
    func visit(_ value: ValueID, _ isBackward: inout Table<OpID, Bool>, _ stack: inout [OpID]) {
      guard let op = function.definingOp(of: value), isBackward[op] else { return }
      isBackward[op] = false
      stack.append(op)
    }
    visit(function.returnedValues[loss], &isBackward, &stack)
    while let op = stack.popLast() {
      for operand in function.operands(of: op) { visit(operand, &isBackward, &stack) }
    }
  }

  // MARK: Sweeps

  /// Joins two groups if their loops fit and no cycle arises.
  @discardableResult
  private mutating func join(_ a: Int, _ b: Int) -> Bool {
    guard a != b, !groups[a].isEpilogue, !groups[b].isEpilogue,
      let frame = joinedFrame(a, b), !dependsIndirectly(a, on: b),
      !dependsIndirectly(b, on: a)
    else { return false }
    let (into, from) = groups[a].ops.count >= groups[b].ops.count ? (a, b) : (b, a)
    for op in groups[from].ops { groupOf[op] = into }
    groups[into].ops = merged(groups[into].ops, groups[from].ops)
    groups[into].frame = frame
    groups[into].isBackward = groups[a].isBackward && groups[b].isBackward
    groups[from].ops = []
    return true
  }

  /// The ops of two groups, ascending.
  func merged(_ a: [OpID], _ b: [OpID]) -> [OpID] {
    var ops: [OpID] = []
    ops.reserveCapacity(a.count + b.count)
    var next = b.startIndex
    for op in a {
      while next < b.endIndex, position[b[next]] < position[op] {
        ops.append(b[next])
        next += 1
      }
      ops.append(op)
    }
    return ops + b[next...]
  }

  /// An op that one kernel alone reads joins it, from the last op to the first.
  private mutating func joinSingleReaders() {
    for op in body.reversed() where groupOf[op] >= 0 {
      guard let readers = fusibleReaders(of: function.result(of: op)), let first = readers.first,
        readers.allSatisfy({ groupOf[$0.op] == groupOf[first.op] })
      else { continue }
      join(groupOf[first.op], groupOf[op])
    }
  }

  /// A kernel joins a kernel of the same phase that reads what it makes.
  private mutating func joinReaders() {
    for op in body where groupOf[op] >= 0 {
      for reader in someReaders(of: function.result(of: op)) {
        let (a, b) = (groupOf[op], groupOf[reader.op])
        guard a != b, groups[a].isBackward == groups[b].isBackward else { continue }
        join(a, b)
      }
    }
  }

  /// Reductions over the same dimensions of the same value join.
  private mutating func joinReductions() {
    for op in body where groupOf[op] >= 0 {
      for operand in Set(function.operands(of: op)).sorted() {
        guard function.type(of: operand).shape == groups[groupOf[op]].frame.domain else { continue }
        for reader in readers[operand].prefix(8) where groupOf[reader] >= 0 {
          let (a, b) = (groupOf[op], groupOf[reader])
          guard a != b, groups[a].isBackward == groups[b].isBackward,
            !groups[a].frame.reduced.isEmpty, groups[a].frame == groups[b].frame
          else { continue }
          join(a, b)
        }
      }
    }
  }
}
