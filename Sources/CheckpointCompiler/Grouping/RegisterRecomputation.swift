// Forward values that the kernels of the backward pass compute again instead of reading them.
//
// Problem     What is cheap to compute from other values need not be stored for the backward pass: a
//             kernel that wants it reads what it is made of and computes it in registers. Which values
//             to store so that the fewest bytes are, and all others can be computed inside the kernels
//             that read them?
// Method      A minimum cut between what can only be stored (contractions, reductions, random numbers,
//             what the backward pass needs in memory) and what the kernels of the backward pass read:
//             a stored value costs its bytes, one behind the cut the operations to compute it anew.
//             Every one of these kernels then gets copies of the cheap ops that it needs; products get
//             them where they pack their factors (`PrologueGrouping`). A copy that
//             grouping does not put into its kernel would be one more stored value: the value is banned
//             and the cut made anew.
// Invariants  Copies compute the same bits as the originals: no op changes.
// Cost        A minimum cut and a grouping per round, a few rounds.
// Source      PyTorch's min-cut partitioner (He, Yu, 2022) cuts the same way, for whole graphs.

/// The grouped functions worth planning: the one that stores what the backward pass reads, then those
/// whose backward kernels compute more and more of it anew; never the values named in `stored`. Where
/// contractions have epilogues, the same again with these as kernels of their own: a product and what is
/// made of it are then stored and computed again one by one.
///
/// - Precondition: The function holds no calls and no `no_grad` or `recompute` regions.
func kernelVariants(
  of function: Function, storing stored: Set<String> = [], target: Target
) -> [Function] {
  let flat = withoutFusions(function)
  var variants: [Function] = []
  // Who pins a value means it alone, not the product that it is made of.
  for joinsContractions in stored.isEmpty ? [true, false] : [false, true] {
    let first = Grouping(flat, joinsContractions: joinsContractions)
    variants.append(first.rebuilt())
    guard flat.ops.count <= RegisterRecomputation.opsMax else { return variants }
    var seen: [[OpID]] = [[]]
    for price in RegisterRecomputation.bytePrices {
      var recomputation = RegisterRecomputation(
        flat, first, storing: stored, target: target, bytePrice: price,
        joinsContractions: joinsContractions)
      guard let (grouping, recomputed) = recomputation.regrouped(),
        !seen.contains(recomputed)
      else { continue }
      seen.append(recomputed)
      variants.append(grouping.rebuilt())
    }
    if !first.hasEpilogues { break }
  }
  assert(variants.allSatisfy { $0.fusionErrors().isEmpty })
  return variants
}

/// The choice of what to store, and the function that follows from it.
private struct RegisterRecomputation {
  /// Functions of more ops are left as they are.
  static let opsMax = 40_000
  /// What a stored byte is worth, in the time to read or write it once: about what storing costs, then
  /// more, for the sake of the memory.
  static let bytePrices = [1, 4, 64]
  /// How often the cut is made anew: less often where each takes long.
  private var roundsMax: Int { min(16, max(4, 64_000 / function.ops.count)) }

  private let function: Function
  private let grouping: Grouping
  /// Capacity of the cut per stored byte, and per operation that is done again.
  private let bytePrice: Int
  private let flopPrice: Double
  private let joinsContractions: Bool
  /// Whether an op is a contraction of the backward pass that packs its factors, and so can compute
  /// them.
  private var packs: Table<OpID, Bool>
  /// Cheap ops whose value has to be stored for the backward pass after all.
  private var isBanned: Table<OpID, Bool>

  init(
    _ function: Function, _ grouping: Grouping, storing stored: Set<String>, target: Target,
    bytePrice: Int, joinsContractions: Bool
  ) {
    self.function = function
    self.grouping = grouping
    self.joinsContractions = joinsContractions
    packs = Table(repeating: false, count: function.ops.count)
    // A product is not bound by memory: what it computes anew takes time, for the sake of the memory.
    // The kernels of CUDA read factors from memory.
    let computesFactors =
      joinsContractions && bytePrice > Self.bytePrices[0] && !target.isCUDA
    for op in grouping.body where computesFactors && grouping.isBackward[op] {
      packs[op] = function.packsFactors(op)
    }
    self.bytePrice = bytePrice * Self.unitsPerByte
    flopPrice =
      Double(Self.unitsPerByte) * target.bytesPerNs
      / (target.flopsPerNs * CostModel.loopEfficiency)
    isBanned = Table(repeating: false, count: function.ops.count)
    for value in function.values.ids where stored.contains(function.values[value].name) {
      var source = function.definingOp(of: value)
      while let op = source {
        isBanned[op] = true
        // What a view shows is stored with it.
        source =
          function.ops[op].opcode == .reshape
          ? function.operands(of: op).first.flatMap { function.definingOp(of: $0) } : nil
      }
    }
  }

  /// The unit of capacities is this part of the time to move a byte.
  private static let unitsPerByte = 256

  /// The groups of the function with its copies, and the ops that have some; nil without copies.
  mutating func regrouped() -> (Grouping, recomputed: [OpID])? {
    for _ in 0..<roundsMax {
      guard let copied = copied() else { return nil }
      let grouping = Grouping(
        copied.function, joinsContractions: joinsContractions,
        recomputed: Set(copied.origins.map(\.copy)))
      let stored = copied.origins.filter { grouping.isReadOutside($0.copy) }
      if stored.isEmpty {
        return (grouping, Array(Set(copied.origins.map(\.original))).sorted())
      }
      for copy in stored { isBanned[copy.original] = true }
    }
    return nil
  }

  /// Whether an op can be copied into the kernels that read it.
  private func isCheap(_ op: OpID) -> Bool {
    !isBanned[op] && (function.ops[op].opcode.isElementwise || function.isIndexing(op))
  }

  /// What it costs to do an op again in one kernel, in the unit of capacities.
  private func price(of op: OpID) -> Int {
    guard function.ops[op].opcode.isElementwise else { return 1 }
    let signature = function.signature(of: op)
    let type = function.type(of: function.result(of: op))
    return 1 + Int(signature.opcode.definition.cost(signature, type).flops * flopPrice)
  }

  /// Whether an op reads its operands inside a kernel, so that what makes them can be copied there.
  private func readsInRegisters(_ op: OpID) -> Bool {
    (grouping.groupOf[op] >= 0 && !grouping.readsMemory(op)) || grouping.isCopied[op] || packs[op]
  }

  // MARK: Cut

  /// The forward ops whose values the backward pass computes anew.
  private func recomputedOps() -> Table<OpID, Bool> {
    let body = function.blocks[function.body].ops.dropLast().filter { !grouping.isBackward[$0] }
    var place = Table<OpID, Int>(repeating: -1, count: function.ops.count)
    for (index, op) in body.enumerated() { place[op] = index }
    // A node before and one after the value of every op, behind the source and the sink.
    var cut = MinimumCut(nodeCount: 2 * body.count + 2)
    for (index, op) in body.enumerated() {
      let (before, after) = (2 * index + 2, 2 * index + 3)
      var bytes = 0
      var isRead = false
      var isStored = !isCheap(op)
      for value in function.results(of: op) {
        bytes += alignedBytes(function.type(of: value).sizeBytes)
        for reader in grouping.readers[value] where place[reader] < 0 {
          isRead = true
          if !readsInRegisters(reader) { isStored = true }
        }
      }
      for operand in function.operands(of: op) {
        guard let source = function.definingOp(of: operand) else { continue }
        cut.addEdge(
          from: 2 * place[source] + 3, to: before, capacity: MinimumCut.unlimited)
      }
      cut.addEdge(from: before, to: after, capacity: bytes * bytePrice)
      // A value behind the cut is computed anew: that has its price.
      cut.addEdge(
        from: 0, to: before, capacity: isStored ? MinimumCut.unlimited : price(of: op))
      if isRead { cut.addEdge(from: after, to: 1, capacity: MinimumCut.unlimited) }
    }
    _ = cut.solve(from: 0, to: 1)
    var isRecomputed = Table<OpID, Bool>(repeating: false, count: function.ops.count)
    // How many ops in a row are recomputed up to each. No kernel has more than `Grouping.opsMax`: in
    // longer chains some values are stored, or every kernel would get copies of the whole chain.
    var inRow = Table<OpID, Int>(repeating: 0, count: function.ops.count)
    for (index, op) in body.enumerated() where !cut.isOnSourceSide(2 * index + 2) && isCheap(op) {
      let before =
        function.operands(of: op).lazy.compactMap { function.definingOp(of: $0) }
        .map { inRow[$0] }.max() ?? 0
      let isCounted = function.ops[op].opcode.isElementwise
      guard !isCounted || before < Grouping.opsMax else { continue }
      inRow[op] = before + (isCounted ? 1 : 0)
      isRecomputed[op] = true
    }
    return isRecomputed
  }

  // MARK: Copies

  /// The function with copies of recomputed ops before the kernels that read them, and for each copy
  /// that computes something its original; nil without such copies.
  func copied() -> (function: Function, origins: [(copy: OpID, original: OpID)])? {
    let isRecomputed = recomputedOps()
    var builder = FunctionBuilder(name: function.name)
    var map = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &map)
    // Per kernel of the backward pass, the copies it has.
    var copies: [Int: [ValueID: ValueID]] = [:]
    var origins: [(copy: OpID, original: OpID)] = []
    for op in function.blocks[function.body].ops.dropLast() {
      guard grouping.isBackward[op], readsInRegisters(op) else {
        builder.clone(op, of: function, map: &map)
        continue
      }
      let kernel = kernel(of: op)
      for operand in function.operands(of: op) {
        copy(
          operand, isRecomputed, into: &builder, &map, &copies[kernel, default: [:]], &origins)
      }
      withCopies(copies[kernel] ?? [:], of: function.operands(of: op), in: &map) {
        builder.clone(op, of: function, map: &$0)
      }
    }
    guard !origins.isEmpty else { return nil }
    builder.setGradientFunction(function.gradientFunction)
    let result = builder.finish(
      returning: function.returnedValues.map { map[$0]! }, as: function.results)
    return (result, origins)
  }

  /// The kernel that an op of the backward pass is part of, or copied into.
  private func kernel(of op: OpID) -> Int {
    var op = op
    while grouping.groupOf[op] < 0 {
      guard !packs[op],
        let reader = grouping.readers[function.result(of: op)].first(where: {
          grouping.groupOf[$0] >= 0 || grouping.isCopied[$0]
        })
      else { return -1 - op.index }
      op = reader
    }
    return grouping.groupOf[op]
  }

  /// Copies what makes a value, as far as it is recomputed; operands first, without recursion.
  private func copy(
    _ value: ValueID, _ isRecomputed: Table<OpID, Bool>, into builder: inout FunctionBuilder,
    _ map: inout ValueMap, _ copies: inout [ValueID: ValueID],
    _ origins: inout [(copy: OpID, original: OpID)]
  ) {
    var stack = [value]
    while let value = stack.last {
      guard copies[value] == nil, let op = function.definingOp(of: value),
        !grouping.isBackward[op], isRecomputed[op]
      else {
        stack.removeLast()
        continue
      }
      let missing = function.operands(of: op).filter { operand in
        guard copies[operand] == nil, let source = function.definingOp(of: operand) else {
          return false
        }
        return isRecomputed[source]
      }
      if !missing.isEmpty {
        stack += missing
        continue
      }
      stack.removeLast()
      let original = map[value]
      let copy = withCopies(copies, of: function.operands(of: op), in: &map) {
        builder.clone(op, of: function, map: &$0) { _, name in innerName(name) }
      }
      copies[value] = map[value]
      map[value] = original
      if function.ops[op].opcode.isElementwise { origins.append((copy, op)) }
    }
  }

  /// Runs `body` with `operands` mapped to their copies, where they have some; without a copy of the map,
  /// which is as large as the function.
  @discardableResult
  private func withCopies<Result>(
    _ copies: [ValueID: ValueID], of operands: some Sequence<ValueID>, in map: inout ValueMap,
    _ body: (inout ValueMap) -> Result
  ) -> Result {
    let replaced = operands.filter { copies[$0] != nil }
    let originals = replaced.map { map[$0] }
    for operand in replaced { map[operand] = copies[operand] }
    let result = body(&map)
    for (operand, original) in zip(replaced, originals) { map[operand] = original }
    return result
  }
}
