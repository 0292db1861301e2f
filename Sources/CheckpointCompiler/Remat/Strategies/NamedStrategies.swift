// The published strategies: each names a fixed family of plans, of which the cheapest that fits is taken.
//
// Method      A strategy's own parameter (segment size, number of checkpoints, memory it plans for) runs
//             over a ladder that depends on the graph alone. All plans of the ladder are built and their
//             exact figures taken, so that what a method estimates wrongly costs it a rung, not
//             the budget.
// Invariants  A family does not depend on the budget asked for. So a larger budget never costs
//             more, and `auto`, which records the families too, is never worse than any of them.
//             Nodes run for the first time in base order.
// Cost        Ladders get shorter as graphs get larger: O(rungs · (nodes + reads)) plus what the
//             files of the methods say.

extension RematGraph {
  /// The strategies that are rules, not searches, in the order in which they are compared.
  static let namedStrategies = RematStrategy.allCases.filter { $0 != .auto }

  /// The plans of a strategy's family; where its rule gives none, and for `auto`, which is no rule, the
  /// plan that keeps everything.
  func sequences(of strategy: RematStrategy) -> [[Int32]] {
    let family: [[Int32]] =
      switch strategy {
      case .none, .auto: []
      case .sqrt: [sqrtSequence()]
      case .greedy: greedySequences()
      case .revolve: revolveSequences()
      case .chain: chainSequences()
      case .lowerSets: lowerSetSequences()
      case .minimumCut: minimumCutSequences()
      case .dtr: onlineEvictionSequences()
      case .cheap: [cheapSequence()]
      }
    return family.isEmpty ? [keepAllSequence()] : family
  }

  /// The plans of a strategy's family that no other of them beats, nodes numbered as in the graph.
  func archive(of strategy: RematStrategy) -> PlanArchive {
    var archive = PlanArchive()
    for sequence in sequences(of: strategy) {
      guard let figures = figures(of: sequence), satisfiesRunCounts(sequence) else { continue }
      archive.add(
        PlanArchive.Plan(peakBytes: figures.peakBytes, cost: figures.cost, sequence: sequence))
    }
    return archive
  }

  /// The length of a ladder whose full length is `full`: shorter for graphs above 4000 nodes, but not
  /// shorter than `least`.
  func rungCount(_ full: Int, atLeast least: Int = 8) -> Int {
    let size = max(nodeCount, valueCount, 1)
    return max(min(full, least), min(full, full * 4000 / size))
  }

  /// Every node once, but for what pins recompute.
  func keepAllSequence() -> [Int32] { withPinnedRuns(baseSequence) }

  /// Whether every node runs as often as pins and `once` have it.
  func satisfiesRunCounts(_ sequence: [Int32]) -> Bool {
    var runCount = [Int32](repeating: 0, count: nodeCount)
    for node in sequence { runCount[Int(node)] += 1 }
    return (0..<nodeCount).allSatisfy {
      runCount[$0] >= (runsTwice[$0] ? 2 : 1) && (runCount[$0] == 1 || !isOnce[$0])
    }
  }

  /// The last position of the forward part.
  ///
  /// A joint graph names no forward part. Forward, more and more values wait for the backward part; from
  /// the loss on they are used up. So the forward part ends where most values wait in the base order,
  /// the first such place. Values are counted, not bytes: large gradients would move the place.
  var turningPosition: Int {
    var change = [Int](repeating: 0, count: nodeCount + 1)
    for value in 0..<valueCount where valueBytes[value] > 0 && !isKept[value] {
      guard let last = users[userRange(of: value)].last else { continue }
      change[Int(valueNode[value])] += 1
      change[Int(last)] -= 1
    }
    var waiting = 0
    var most = (count: 0, position: 0)
    for position in 0..<nodeCount {
      waiting += change[position]
      if waiting > most.count { most = (waiting, position) }
    }
    return most.position
  }

  /// Drops what cheap nodes made and what is needed again only after the turn.
  ///
  /// A node that does not say so is cheap if its cost per byte is at most the median over
  /// the values that cross the turn.
  func cheapSequence() -> [Int32] {
    let turn = turningPosition
    let isCheapNode = cheapNodes(turn: turn)
    let isSaved = (0..<valueCount).map { !isCheapNode[Int(valueNode[$0])] }
    return sequence(saving: isSaved, turn: turn)
  }

  /// The nodes of the forward part that are called cheap, by themselves or by cost per byte.
  func cheapNodes(turn: Int) -> [Bool] {
    var crossing: [Double] = []
    for value in 0..<valueCount where Int(valueNode[value]) <= turn && valueBytes[value] > 0 {
      let node = Int(valueNode[value])
      guard isCheap[node] == nil, !isKept[value],
        users[userRange(of: value)].last.map({ Int($0) > turn }) ?? false
      else { continue }
      crossing.append(cost[node] / Double(valueBytes[value]))
    }
    crossing.sort()
    let threshold = crossing.isEmpty ? 0 : crossing[crossing.count / 2]
    return (0..<nodeCount).map { node in
      isCheap[node] ?? (cost[node] <= threshold * Double(max(1, outputBytes[node])))
    }
  }
}
