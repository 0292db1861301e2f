// Which ops compute a factor in the kernel of the contraction that multiplies it.
//
// Problem     A forward value that the backward pass can compute anew need not be stored, but a product
//             reads its factors from memory: that of `gelu(u)` and a gradient wants all of `gelu(u)`.
// Method      What is computed anew stands before its reader as a copy (`RegisterRecomputation`). Copies
//             of the factor's shape that nothing but the kernel of a product reads become the prologue of
//             that product, and are computed where it is packed.
// Why copies  A forward value that one product alone reads could go the same way. But a window packs an
//             element once for each of its taps, and what makes the value can often store it in passing.
// Invariants  Every prologue can be lowered (`PrologueLowering`). A copy depends on forward values
//             alone, so no kernel comes to depend on itself.
// Cost        O(copies · readers).

extension Grouping {
  /// The most buffers of a kernel with prologues.
  private static let buffersMax = 14
  /// The most ops that make a factor.
  private static let prologueOpsMax = 40

  /// Contractions with their epilogues and with what makes their factors.
  ///
  /// - Parameters:
  ///   - units: The contractions that have epilogues, with these.
  ///   - recomputed: The ops that may make factors.
  /// - Returns: The same units with more ops, and those of contractions without epilogues.
  func withPrologues(_ units: [EpilogueUnit], among recomputed: Set<OpID>) -> [EpilogueUnit] {
    guard !recomputed.isEmpty else { return units }
    var units = units
    var unitOf: [OpID: Int] = [:]
    for (number, unit) in units.enumerated() { for op in unit { unitOf[op] = number } }
    for op in body where isContraction(op) {
      var unit = unitOf[op].map { units[$0] } ?? [op]
      let before = unit.count
      for factor in Set(function.operands(of: op)).sorted() {
        let making = prologue(factor, of: unit, among: recomputed)
        guard !making.isEmpty, !updatesOperand(of: making, unit) else { continue }
        let longer = merged(unit, making)
        if canLower(longer) { unit = longer }
      }
      guard unit.count > before else { continue }
      if let number = unitOf[op] { units[number] = unit } else { units.append(unit) }
    }
    return units
  }

  /// The ops that make a factor and join a unit; none where others read what they make.
  private func prologue(
    _ factor: ValueID, of unit: EpilogueUnit, among recomputed: Set<OpID>
  ) -> [OpID] {
    let shape = function.type(of: factor).shape
    var making: Set<OpID> = []
    var seen: Set<ValueID> = []
    var stack = [factor]
    while let value = stack.popLast() {
      guard seen.insert(value).inserted, let op = function.definingOp(of: value),
        recomputed.contains(op), function.type(of: value).shape == shape
      else { continue }
      making.insert(op)
      guard making.count <= Self.prologueOpsMax else { return [] }
      stack += function.operands(of: op)
    }
    let members = making.union(unit)
    for op in making {
      let isInside = readers[function.result(of: op)].allSatisfy { members.contains($0) }
      guard isInside, !isReturned.contains(function.result(of: op)) else { return [] }
    }
    return making.subtracting(unit).sorted()
  }

  /// Whether a unit makes the next value of an argument that ops read: a factor is read until the last
  /// product is made, so that it could not be written in place.
  private func updatesOperand(of making: [OpID], _ unit: EpilogueUnit) -> Bool {
    let arguments = Set(unit.compactMap { updated[function.result(of: $0)] })
    guard !arguments.isEmpty else { return false }
    var seen: Set<ValueID> = []
    var stack = making.flatMap { Array(function.operands(of: $0)) }
    while let value = stack.popLast() {
      guard seen.insert(value).inserted else { continue }
      if arguments.contains(value) { return true }
      guard let source = function.definingOp(of: value),
        isCopied[source] || function.ops[source].opcode == .reshape
      else { continue }
      stack += function.operands(of: source)
    }
    return false
  }

  /// Whether a contraction and other ops can run as one kernel.
  private func canLower(_ unit: EpilogueUnit) -> Bool {
    let members = Set(unit)
    let outputs = unit.map { function.result(of: $0) }.filter { value in
      isReturned.contains(value) || !readers[value].allSatisfy(members.contains)
    }
    var lowering = EpilogueLowering(
      function, ops: merged(indexingOps(of: unit), unit), outputs: outputs)
    let count = lowering.factorReads.count + lowering.read.count + outputs.count
    return count <= Self.buffersMax && lowering.trial() != nil
  }
}
