// A schedule written back into the function: clones where kernels run again, regions around what is
// dropped and what is recomputed.
//
// Order       The ops of the new function stand in the order of the schedule; nothing after this
//             stage moves them.
// Callees     In the order in which the schedule names them, so that the text comes back as it is.
// Names       The clone of `%h` is `%h.r1`, the next `%h.r2`.
// Regions     A run of clones becomes a `recompute` region. Forward kernels around a value that is
//             dropped and recomputed later become a `no_grad` region, so that the scoping rules of
//             the IR show that the value is not kept.

/// The function that runs the computations of a schedule, in that order.
///
/// `computations` are kernels of `priced` by position; every kernel at least once, after those that
/// it reads.
///
/// - Complexity: O(computations · operands + ops).
func rewritten(_ priced: PricedFunction, computations: [Int]) -> Function {
  let line = ScheduleLine(priced, computations: computations)
  return line.withRegions().prunedCallees()
}

/// The straight line of ops of a schedule, before regions are drawn.
private struct ScheduleLine {
  /// The ops in a row; the body has no regions but fusions.
  private var function: Function
  /// For every op of the body, whether it is or belongs to a clone.
  private var isClone: [Bool]
  /// For every op of the body, whether it makes a value that a later clone makes again.
  private var isDropped: [Bool]
  /// The position of the op that makes the loss; forward ops stand up to it.
  private var lossPosition: Int

  init(_ priced: PricedFunction, computations: [Int]) {
    let source = priced.function
    var builder = FunctionBuilder(name: source.name)
    var map = ValueMap(for: source)
    builder.cloneArguments(of: source, into: &map)
    var runs = Array(repeating: 0, count: priced.order.kernels.count)
    var opOfRun: [Int: Int] = [:]
    var isClone: [Bool] = []
    var isDropped: [Bool] = []
    /// The image that a view was made from; it is stale when its source has been made again.
    var viewSource: [ValueID: ValueID] = [:]
    var viewRuns: [ValueID: Int] = [:]

    /// Makes the image of a view, or of a dense constant, current.
    func materialize(_ value: ValueID, asClone: Bool) {
      var chain: [OpID] = []
      var cursor = value
      while let op = source.definingOp(of: cursor), source.ops[op].block == source.body,
        source.isViewOrData(op)
      {
        chain.append(op)
        guard let next = source.operands(of: op).first else { break }
        cursor = next
      }
      for op in chain.reversed() {
        let result = source.result(of: op)
        let operand = source.operands(of: op).first
        if map[result] != nil, operand == nil || viewSource[result] == map[operand!] { continue }
        if let operand { viewSource[result] = map[operand] }
        let run = viewRuns[result, default: 0]
        viewRuns[result] = run + 1
        builder.clone(op, of: source, map: &map) { _, name in run == 0 ? name : "\(name).r\(run)" }
        isClone.append(asClone)
        isDropped.append(false)
      }
    }

    for node in computations {
      let kernel = priced.order.kernels[node]
      let run = runs[node]
      runs[node] += 1
      for inner in source.opsOfKernel(kernel.op) {
        for operand in source.operands(of: inner) { materialize(operand, asClone: run > 0) }
      }
      if run > 0 { isDropped[opOfRun[node]!] = true }
      opOfRun[node] = isClone.count
      builder.clone(kernel.op, of: source, map: &map) { _, name in
        run == 0 ? name : "\(name).r\(run)"
      }
      isClone.append(run > 0)
      isDropped.append(false)
    }
    for value in source.returnedValues { materialize(value, asClone: false) }
    let returned = source.returnedValues.map { map[$0]! }
    function = builder.finish(returning: returned, as: source.results)
    self.isClone = isClone
    self.isDropped = isDropped
    let body = function.blocks[function.body].ops
    var lossPosition = body.count
    for (result, value) in zip(function.results, function.returnedValues)
    where result.role == .loss {
      if let op = function.definingOp(of: value), let place = body.firstIndex(of: op) {
        lossPosition = place
      }
    }
    self.lossPosition = lossPosition
  }

  /// The last position of the body that uses a result of each op; its own where none does.
  private func lastUses(_ body: [OpID]) -> [Int] {
    var position = Table<OpID, Int>(repeating: -1, count: function.ops.count)
    for (place, op) in body.enumerated() { position[op] = place }
    var last = Array(body.indices)
    for (place, op) in body.enumerated() {
      for inner in function.opsOfKernel(op) {
        for operand in function.operands(of: inner) {
          guard let definition = function.definingOp(of: operand), position[definition] >= 0 else {
            continue
          }
          last[position[definition]] = place
        }
      }
    }
    return last
  }

  /// Disjoint ranges of the body that become regions, in order.
  private func regions(_ body: [OpID], _ lastUse: [Int]) -> [(range: Range<Int>, opcode: Opcode)] {
    var regions: [(range: Range<Int>, opcode: Opcode)] = []
    var place = 0
    let end = body.count - 1
    while place < end {
      if isClone[place] {
        var stop = place
        while stop < end, isClone[stop] { stop += 1 }
        regions.append((place..<stop, .recompute))
        place = stop
      } else if isDropped[place], place <= lossPosition {
        // Grow until everything that is dropped inside has died inside.
        var stop = lastUse[place] + 1
        var cursor = place
        while cursor < stop {
          if isDropped[cursor] { stop = max(stop, lastUse[cursor] + 1) }
          cursor += 1
        }
        let isForward = stop <= lossPosition + 1 && !isClone[place..<stop].contains(true)
        if isForward { regions.append((place..<stop, .noGrad)) }
        place = isForward ? stop : place + 1
      } else {
        place += 1
      }
    }
    return regions
  }

  /// The function with its regions drawn.
  func withRegions() -> Function {
    let body = function.blocks[function.body].ops
    let lastUse = lastUses(body)
    let usedAfter = lastUsePositions()
    var builder = FunctionBuilder(name: function.name)
    var map = ValueMap(for: function)
    builder.cloneArguments(of: function, into: &map)
    var place = 0
    for region in regions(body, lastUse) {
      while place < region.range.lowerBound {
        builder.clone(body[place], of: function, map: &map)
        place += 1
      }
      builder.beginRegion()
      var escaping: [ValueID] = []
      for op in body[region.range] {
        escaping += function.results(of: op).filter { usedAfter[$0] >= region.range.upperBound }
        // What leaves the region keeps its name outside.
        builder.clone(op, of: function, map: &map) { value, name in
          usedAfter[value] >= region.range.upperBound ? "\(name).in" : name
        }
      }
      let inner = escaping.map { map[$0]! }
      let names = escaping.map { function.values[$0].name }
      let outer = builder.endRegion(region.opcode, yielding: inner, names: names)
      for (value, image) in zip(escaping, outer) { map[value] = image }
      place = region.range.upperBound
    }
    while place < body.count - 1 {
      builder.clone(body[place], of: function, map: &map)
      place += 1
    }
    let returned = function.returnedValues.map { map[$0]! }
    return builder.finish(returning: returned, as: function.results)
  }

  /// The last position of the body that uses a value; -1 where none does.
  private func lastUsePositions() -> Table<ValueID, Int> {
    var last = Table<ValueID, Int>(repeating: -1, count: function.values.count)
    for (place, op) in function.blocks[function.body].ops.enumerated() {
      for inner in function.opsOfKernel(op) {
        for operand in function.operands(of: inner) { last[operand] = place }
      }
    }
    return last
  }
}

extension Function {
  /// Whether an op is no kernel: a view or static data.
  func isViewOrData(_ op: OpID) -> Bool {
    switch ops[op].opcode {
    case .reshape: return true
    case .constant:
      if case .dense? = ops[op].attributes.constant { return true }
      return false
    default: return false
    }
  }
}
