// A proven lower bound on the cost of any schedule within a budget.
//
// Proof       Every node runs once: the sum of costs is a bound. With the order of first runs given,
//             consider the moment just before node k runs first, its inputs resident. Every value
//             that was made and is needed by a later first run, or at the end, is resident or its
//             node runs again later. So the nodes of absent values are extra runs, and what is not
//             absent fits in the budget beside the outputs and scratch of k. The cheapest choice
//             is a knapsack: bounded by sorting nodes by cost per byte, fractions allowed, and
//             solved by branch and bound where that takes few steps.
// Cost        O(live log live) and a bounded number of steps of O(live) for each of the few
//             positions looked at.

extension RematGraph {
  /// A bound for schedules whose first runs follow the base order.
  func costBound(budgetBytes: Int) -> Double {
    let base = cost.reduce(0, +)
    var extra = 0.0
    for position in heaviestPositions(count: nodeCount > 20_000 ? 4 : 64) {
      extra = max(extra, recomputationBound(at: position, budgetBytes: budgetBytes))
    }
    return base + extra
  }

  /// Positions of the base order with the largest memory in use, well apart from each other.
  private func heaviestPositions(count: Int) -> [Int] {
    var inUse = [Int](repeating: 0, count: nodeCount)
    var bytesChange = [Int](repeating: 0, count: nodeCount + 2)
    for value in 0..<valueCount {
      let start = Int(valueNode[value])
      var end = start
      if let last = users[userRange(of: value)].last { end = Int(last) }
      if isKept[value] { end = nodeCount }
      bytesChange[start] += valueBytes[value]
      bytesChange[min(end, nodeCount) + 1] -= valueBytes[value]
    }
    var bytes = 0
    for position in 0..<nodeCount {
      bytes += bytesChange[position]
      inUse[position] = bytes + scratchBytes[position]
    }
    let order = inUse.indices.sorted { (inUse[$0], $1) > (inUse[$1], $0) }
    return Array(order.prefix(count))
  }

  /// Cost of what must run again after `position`, at least.
  private func recomputationBound(at position: Int, budgetBytes: Int) -> Double {
    var excess =
      outputBytes[position] + scratchBytes[position] - overwrittenBytesMax(of: position)
      - budgetBytes
    var isInput = [Bool](repeating: false, count: valueCount)
    for slot in inputRange(of: position) { isInput[Int(inputValues[slot])] = true }
    var candidates: [(cost: Double, bytes: Int)] = []
    for node in 0..<position {
      var bytes = 0
      for value in outputs(of: node) {
        if isInput[value] {
          excess += valueBytes[value]
          continue
        }
        let isNeededLater =
          isKept[value] || (users[userRange(of: value)].last.map { Int($0) > position } ?? false)
        if isNeededLater { bytes += valueBytes[value] }
      }
      if bytes == 0 { continue }
      excess += bytes
      if !isOnce[node] { candidates.append((cost[node], bytes)) }
    }
    if excess <= 0 { return 0 }
    candidates.sort { $0.cost * Double($1.bytes) < $1.cost * Double($0.bytes) }
    return EvictionCover(candidates: candidates).leastCost(covering: excess)
  }
}

/// The cheapest set of values whose bytes reach a number: a bound by fractions, made exact by branch
/// and bound where that ends soon.
struct EvictionCover {
  /// By growing cost per byte.
  let candidates: [(cost: Double, bytes: Int)]

  /// The least cost of a set of at least `bytes` bytes, or a bound below it.
  func leastCost(covering bytes: Int) -> Double {
    let fractional = fractionalCost(covering: bytes, from: 0, limit: .infinity)
    guard let fractional else { return candidates.reduce(0.0) { $0 + $1.cost } }
    var best = Double.infinity
    // Decisions on candidates 0… in order, as a stack: taken first, then left.
    var taken: [Bool] = []
    var cost = 0.0
    var missing = bytes
    for _ in 0..<min(4000, Self.workMax / max(1, candidates.count)) {
      let rest = fractionalCost(covering: missing, from: taken.count, limit: best - cost)
      if missing <= 0 { best = min(best, cost) }
      if missing > 0, rest != nil, taken.count < candidates.count {
        cost += candidates[taken.count].cost
        missing -= candidates[taken.count].bytes
        taken.append(true)
        continue
      }
      while let last = taken.last, !last { taken.removeLast() }
      if taken.isEmpty { return max(fractional, best) }
      taken[taken.count - 1] = false
      // Added up anew, so that no rounding gathers.
      cost = 0
      missing = bytes
      for (index, isTaken) in taken.enumerated() where isTaken {
        cost += candidates[index].cost
        missing -= candidates[index].bytes
      }
    }
    return fractional
  }

  /// Candidates looked at after which the bound by fractions has to do.
  private static let workMax = 400_000

  /// The least cost with fractions allowed; nil if it is not below `limit` or all are too few.
  private func fractionalCost(covering bytes: Int, from start: Int, limit: Double) -> Double? {
    var cost = 0.0
    var missing = bytes
    var index = start
    while missing > 0 {
      if index == candidates.count { return nil }
      let candidate = candidates[index]
      if candidate.bytes >= missing {
        cost += candidate.cost * Double(missing) / Double(candidate.bytes)
        break
      }
      cost += candidate.cost
      missing -= candidate.bytes
      index += 1
      if cost >= limit { return nil }
    }
    return cost < limit ? cost : nil
  }
}
