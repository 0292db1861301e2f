// A proven lower bound on the cost of any schedule within a budget.
//
// Proof       Every node runs once: the sum of costs is a bound. With the order of first runs given,
//             consider the moment just before node k runs first, its inputs resident. Every value
//             that was made and is needed by a later first run, or at the end, is resident or its
//             node runs again later. So the nodes of absent values are extra runs, and what is not
//             absent fits in the budget beside the outputs and scratch of k. The cheapest choice,
//             fractions allowed, is a knapsack solved by sorting nodes by cost per byte.
// Cost        O(live log live) for each of the few positions looked at.

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
    var excess = outputBytes[position] + scratchBytes[position] - budgetBytes
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
    var bound = 0.0
    for candidate in candidates {
      if candidate.bytes >= excess {
        return bound + candidate.cost * Double(excess) / Double(candidate.bytes)
      }
      bound += candidate.cost
      excess -= candidate.bytes
    }
    // More than can be evicted: no schedule in this order fits, and any bound holds.
    return bound
  }
}
