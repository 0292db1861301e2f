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
    var units: [EpilogueUnit] = []
    var unitOf: [OpID: Int] = [:]
    for op in body.reversed() where isContraction(op) {
      var search = EpilogueSearch(self, contraction: op, units: units, unitOf: unitOf)
      guard let unit = search.run() else { continue }
      for op in unit { unitOf[op] = units.count }
      units.append(unit)
    }
    return units
  }
}

/// Looks for the epilogue of one contraction.
private struct EpilogueSearch {
  /// The most ops of an epilogue, and the most operands and results.
  private static let opsMax = 40
  private static let buffersMax = 12
  /// The most ops that are asked whether they join.
  private static let candidatesMax = 100
  /// The most ops that a search for a cycle looks at.
  private static let searchMax = 400

  private let grouping: Grouping
  private let contraction: OpID
  /// What other contractions have got.
  private let units: [Grouping.EpilogueUnit]
  private let unitOf: [OpID: Int]
  private let shape: [Int]
  /// The ops that have joined.
  private var members: Set<OpID> = []

  init(
    _ grouping: Grouping, contraction: OpID, units: [Grouping.EpilogueUnit], unitOf: [OpID: Int]
  ) {
    self.grouping = grouping
    self.contraction = contraction
    self.units = units
    self.unitOf = unitOf
    shape = grouping.function.type(of: grouping.function.result(of: contraction)).shape
  }

  private var function: Function { grouping.function }

  mutating func run() -> Grouping.EpilogueUnit? {
    guard function.type(of: function.result(of: contraction)).dtype.isFloatingPoint else {
      return nil
    }
    grow()
    trim()
    let product = function.result(of: contraction)
    guard members.contains(where: { function.operands(of: $0).contains(product) }),
      !updatesFactor, !isCyclic
    else { return nil }
    let unit = (members + [contraction]).sorted { grouping.position[$0] < grouping.position[$1] }
    return canLower(unit) ? unit : nil
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
      && grouping.groupOf[op] >= 0 && unitOf[op] == nil
      && grouping.isBackward[op] == grouping.isBackward[contraction]
      && function.type(of: function.result(of: op)).shape == shape
  }

  /// An op and the ops that make what only it reads; nil where it reads what is not there.
  private func joining(_ op: OpID) -> Set<OpID>? {
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
  private func isAvailable(_ value: ValueID) -> Bool {
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
      guard grouping.isInMemory(value), !depends([source], on: isMember) else {
        return false
      }
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
  private var isCyclic: Bool {
    var sources: [OpID] = []
    for op in members + [contraction] {
      for operand in function.operands(of: op) {
        guard let source = function.definingOp(of: operand), !isMember(source) else { continue }
        sources.append(source)
      }
    }
    return depends(sources, on: isMember)
  }

  /// Whether ops depend on others that do not stand before the contraction; true where the search
  /// gives up. All ops of a kernel run together.
  private func depends(_ sources: [OpID], on isTarget: (OpID) -> Bool) -> Bool {
    let members = members
    let first =
      members.reduce(grouping.position[contraction]) { min($0, grouping.position[$1]) }
    var seen: Set<OpID> = []
    var stack = sources
    var steps = 0
    while let op = stack.popLast() {
      if isTarget(op) { return true }
      guard seen.insert(op).inserted else { continue }
      let kernel = unitOf[op].map { units[$0] } ?? [op]
      guard grouping.position[kernel.last!] >= first else { continue }
      seen.formUnion(kernel)
      steps += 1
      if steps > Self.searchMax { return true }
      for op in kernel {
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
