// Which elementwise ops run as the epilogue of the contraction whose result they read.
//
// Problem     A bias, an activation, the gradient of one, a residual or the update of a parameter reads
//             a product that was in registers a moment before. In the kernel of the product they cost no
//             traffic for it, and often the product need not be stored at all. But what such a kernel
//             reads must be in memory before the product is made, and what it makes is stored.
// Method      From the groups as they are without epilogues it is known what is stored in any case. From
//             the result of a contraction on, elementwise ops over its shape join as long as all else
//             that they read is stored, or is made of stored values for them alone. Then those leave
//             again whose values were not stored before: a softmax, a norm or any other kernel that
//             reduces keeps what it makes on the way in its own registers.
// Several     An op that reads two products joins the later one: the other is stored by then.
// Invariants  No kernel depends on itself through others; every epilogue can be lowered
//             (`EpilogueLowering`). Forward and backward pass are not mixed.
// Cost        O(ops of epilogues · readers), and searches for cycles that give up after `searchMax` ops.

extension Grouping {
  /// A contraction and the ops of its epilogue, ascending.
  typealias EpilogueUnit = [OpID]

  /// The epilogues worth having, given the groups without.
  func epilogues() -> [EpilogueUnit] {
    var search = EpilogueSearch(self)
    for op in body.reversed() where isContraction(op) { search.run(from: op) }
    return search.units
  }
}

/// Looks for the epilogues of contractions, one after the other.
private struct EpilogueSearch {
  /// The most ops of an epilogue, and the most operands and results.
  private static let opsMax = 40
  private static let buffersMax = 12
  /// The most ops that are asked whether they join.
  private static let candidatesMax = 100
  /// The most ops that a search for a cycle looks at.
  private static let searchMax = 400

  private let grouping: Grouping
  /// What was found, and the unit of each op; -1 for ops of none.
  private(set) var units: [Grouping.EpilogueUnit] = []
  private var unitOf: Table<OpID, Int32>
  /// The contraction that is looked at, and its shape.
  private var contraction: OpID
  private var shape: [Int] = []
  /// The ops that have joined it.
  private var members: Set<OpID> = []
  /// What the search for a cycle has met.
  private var met: MetOps

  init(_ grouping: Grouping) {
    self.grouping = grouping
    contraction = OpID(rawValue: 0)
    unitOf = Table(repeating: -1, count: grouping.function.ops.count)
    met = MetOps(of: grouping.function)
  }

  private var function: Function { grouping.function }

  /// Adds the epilogue of a contraction, if it has one.
  mutating func run(from contraction: OpID) {
    let product = function.result(of: contraction)
    guard function.type(of: product).dtype.isFloatingPoint else { return }
    self.contraction = contraction
    shape = function.type(of: product).shape
    members = []
    grow()
    trim()
    guard members.contains(where: { function.operands(of: $0).contains(product) }),
      !updatesFactor, !isCyclic()
    else { return }
    let unit = (members + [contraction]).sorted { grouping.position[$0] < grouping.position[$1] }
    guard canLower(unit) else { return }
    for op in unit { unitOf[op] = Int32(units.count) }
    units.append(unit)
  }

  private func isMember(_ op: OpID) -> Bool { op == contraction || members.contains(op) }

  // MARK: Growing

  /// Takes readers in, first those that stand first.
  private mutating func grow() {
    var waiting = Array(
      grouping.readers[function.result(of: contraction)].prefix(Self.candidatesMax))
    var seen = Set(waiting)
    while !waiting.isEmpty, members.count < Self.opsMax {
      let next = waiting.indices.min {
        grouping.position[waiting[$0]] < grouping.position[waiting[$1]]
      }!
      let op = waiting.remove(at: next)
      guard let joining = joining(op) else { continue }
      members.formUnion(joining)
      for reader in grouping.readers[function.result(of: op)]
      where seen.count < Self.candidatesMax && seen.insert(reader).inserted {
        waiting.append(reader)
      }
    }
  }

  /// Whether an op works element by element over the product, in the same pass.
  private func fits(_ op: OpID) -> Bool {
    function.ops[op].opcode.isElementwise && !function.isIndexing(op)
      && grouping.groupOf[op] >= 0 && unitOf[op] < 0
      && grouping.isBackward[op] == grouping.isBackward[contraction]
      && function.type(of: function.result(of: op)).shape == shape
  }

  /// An op and the ops that make what only it reads; nil where it reads what is not there.
  private mutating func joining(_ op: OpID) -> Set<OpID>? {
    var joining: Set<OpID> = []
    var stack = [op]
    while let op = stack.popLast() {
      guard fits(op), members.count + joining.count < Self.opsMax else { return nil }
      joining.insert(op)
      for operand in function.operands(of: op) {
        guard let source = function.definingOp(of: operand), !isMember(source),
          !joining.contains(source), !isAvailable(operand)
        else { continue }
        stack.append(source)
      }
    }
    return joining
  }

  /// Whether a value is in memory before the product is made, or tells where such a value is read.
  private mutating func isAvailable(_ value: ValueID) -> Bool {
    var stack = [value]
    while let value = stack.popLast() {
      guard let source = function.definingOp(of: value) else { continue }
      // A member is read at its own place only.
      guard !isMember(source) else { return false }
      if grouping.isCopied[source] {
        guard function.ops[source].opcode != .bitcastConvert else { return false }
        stack += function.operands(of: source)
        continue
      }
      guard grouping.isInMemory(value), !dependsOnMembers([source]) else { return false }
    }
    return true
  }

  // MARK: Trimming

  /// Lets those go whose values would be stored for them alone, and those that read these.
  private mutating func trim() {
    var isDone = false
    while !isDone {
      isDone = true
      for op in members.sorted(by: { grouping.position[$0] > grouping.position[$1] })
      where !stays(op) {
        remove(op)
        isDone = false
      }
    }
  }

  private func stays(_ op: OpID) -> Bool {
    let value = function.result(of: op)
    let isOutput =
      grouping.isReturned.contains(value)
      || !grouping.readers[value].allSatisfy { members.contains($0) }
    return !isOutput || grouping.isInMemory(value)
  }

  private mutating func remove(_ op: OpID) {
    var stack = [op]
    while let op = stack.popLast() {
      guard members.remove(op) != nil else { continue }
      stack += grouping.readers[function.result(of: op)].filter(members.contains)
    }
  }

  // MARK: Whether it can be

  /// Whether the kernel would make the next value of an argument that it reads elsewhere than at the
  /// place of the result: that could not be written in place.
  private var updatesFactor: Bool {
    let arguments = Set(members.compactMap { grouping.updated[function.result(of: $0)] })
    guard !arguments.isEmpty else { return false }
    var stack = Array(function.operands(of: contraction))
    for op in members {
      for operand in function.operands(of: op) {
        if let source = function.definingOp(of: operand), grouping.isCopied[source] {
          stack.append(operand)
        }
      }
    }
    while let value = stack.popLast() {
      if arguments.contains(value) { return true }
      guard let source = function.definingOp(of: value),
        grouping.isCopied[source] || function.ops[source].opcode == .reshape
      else { continue }
      stack += function.operands(of: source)
    }
    return false
  }

  /// Whether what the kernel reads depends on what it makes.
  private mutating func isCyclic() -> Bool {
    var sources: [OpID] = []
    for op in members + [contraction] {
      for operand in function.operands(of: op) {
        guard let source = function.definingOp(of: operand), !isMember(source) else { continue }
        sources.append(source)
      }
    }
    return dependsOnMembers(sources)
  }

  /// Whether ops depend on those of the kernel, of which all that stand before its first op are clear;
  /// true where the search gives up. All ops of a kernel run together.
  private mutating func dependsOnMembers(_ sources: [OpID]) -> Bool {
    let first =
      members.reduce(grouping.position[contraction]) { min($0, grouping.position[$1]) }
    met.removeAll()
    var stack = sources
    var steps = 0
    while let op = stack.popLast() {
      let unit = unitOf[op]
      let last = unit < 0 ? op : units[Int(unit)].last!
      guard grouping.position[last] >= first, met.insert(op) else { continue }
      if isMember(op) { return true }
      steps += 1
      if steps > Self.searchMax { return true }
      let kernel = unit < 0 ? [op] : units[Int(unit)]
      for op in kernel {
        _ = met.insert(op)
        for operand in function.operands(of: op) {
          if let source = function.definingOp(of: operand) { stack.append(source) }
        }
      }
    }
    return false
  }

  private func canLower(_ unit: Grouping.EpilogueUnit) -> Bool {
    let outputs = unit.map { function.result(of: $0) }.filter { value in
      grouping.isReturned.contains(value)
        || !grouping.readers[value].allSatisfy { members.contains($0) }
    }
    let ops = grouping.merged(grouping.indexingOps(of: unit), unit)
    var lowering = EpilogueLowering(function, ops: ops, outputs: outputs)
    guard lowering.read.count + outputs.count <= Self.buffersMax else { return false }
    return lowering.trial() != nil
  }
}
