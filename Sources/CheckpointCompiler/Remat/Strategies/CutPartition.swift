// The strategy `mincut`: save the bytes of a minimum cut between forward and backward part.
//
// Method      A value is two vertices joined by an arc of its weight: cutting the arc saves the value. What
//             makes a value leads to it, and a value that the backward part reads to the sink, by arcs
//             that are never cut. The source leads to values that may not be recomputed. A value weighs
//             its bytes times 1.1^d, d nodes away from the nearest one that the backward part reads.
// Family      1. Expensive nodes, and those that read 4 times what they write, may not be recomputed.
//             2. Anything may be. 3. For a ladder of budgets, a knapsack saves the values of expensive
//             nodes whose recomputation would cost most within a share of the bytes of the first
//             cut, and the cut is made with the rest free.
// Differences Ops have no names here: *expensive* is what does not say that it is cheap, or costs more
//             per byte than the median. Rules about fusion do not apply, since nodes are kernels
//             already. The knapsack is solved greedily by cost per byte.
// Cost        One minimum cut per member, of at most 20,000,000 arcs looked at; at most 26 members.
// Source      functorch's min-cut partitioner, torch/_functorch/partitioners.py of PyTorch 2.

extension RematGraph {
  /// The cuts of the family.
  func minimumCutSequences() -> [[Int32]] {
    guard nodeCount > 0 else { return [] }
    let turn = turningPosition
    let isCheapNode = cheapNodes(turn: turn)
    let mayRun = (0...turn).map { node in
      // What ends before the backward part starts cannot be recomputed in it.
      !isOnce[node] && Int(deadline[node]) > turn
    }
    let distance = distanceFromBackward(turn: turn)
    var saves: [[Bool]] = []
    func add(_ isBanned: [Bool]) -> Int? {
      guard let isSaved = minimumCut(turn: turn, isBanned: isBanned, distance: distance) else {
        return nil
      }
      if !saves.contains(isSaved) { saves.append(isSaved) }
      return (0..<valueCount).reduce(0) { $0 + (isSaved[$1] ? valueBytes[$1] : 0) }
    }
    let isBanned = (0...turn).map { node in
      !mayRun[node] || !isCheapNode[node] || outputBytes[node] < inputBytes(of: node) / 4
    }
    if let most = add(isBanned) {
      _ = add(mayRun.map { !$0 })
      let items = (0...turn).filter { mayRun[$0] && isBanned[$0] && outputBytes[$0] > 0 }
        .sorted { a, b in
          let (left, right) = (
            cost[a] * Double(outputBytes[b]), cost[b] * Double(outputBytes[a])
          )
          return left != right ? left > right : a < b
        }
      let rungs = rungCount(24)
      for rung in 1..<rungs {
        var bytesLeft = Int(Double(most) * Double(rung) / Double(rungs))
        var isHeld = mayRun.map { !$0 }
        for node in items where outputBytes[node] <= bytesLeft {
          bytesLeft -= outputBytes[node]
          isHeld[node] = true
        }
        _ = add(isHeld)
      }
    }
    return saves.map { sequence(saving: $0, turn: turn) }
  }

  private func inputBytes(of node: Int) -> Int {
    inputRange(of: node).reduce(0) { $0 + valueBytes[Int(inputValues[$1])] }
  }

  /// Per forward node, how many nodes lead from it to one that the backward part reads, at most 100.
  private func distanceFromBackward(turn: Int) -> [Int] {
    var distance = [Int](repeating: 100, count: turn + 1)
    for node in (0...turn).reversed() {
      for value in outputs(of: node) {
        for user in users[userRange(of: value)] {
          distance[node] = min(distance[node], Int(user) > turn ? 0 : distance[Int(user)] + 1)
        }
      }
    }
    return distance
  }

  /// The values that a minimum cut saves where banned nodes may not be recomputed; nil where finding it
  /// takes too long.
  private func minimumCut(turn: Int, isBanned: [Bool], distance: [Int]) -> [Bool]? {
    let count = Int(outputStart[turn + 1])
    // Two vertices per forward value, one per forward node, source and sink.
    let nodeVertex = 2 * count
    let source = nodeVertex + turn + 1
    let sink = source + 1
    var power = [1.0]
    for _ in 0..<100 { power.append(power.last! * 1.1) }
    let weights = (0..<count).map { value in
      Double(valueBytes[value]) * power[max(1, distance[Int(valueNode[value])])]
    }
    // As fine as the sum of all weights allows.
    let scale = min(1024, Double(MinimumCut.unlimited / 2) / max(1, weights.reduce(0, +)))
    var network = MinimumCut(nodeCount: sink + 1)
    network.workLeft = 20_000_000
    for node in 0...turn {
      if isBanned[node] {
        network.addEdge(from: source, to: nodeVertex + node, capacity: MinimumCut.unlimited)
      }
      for slot in inputRange(of: node) {
        network.addEdge(
          from: 2 * Int(inputValues[slot]) + 1, to: nodeVertex + node,
          capacity: MinimumCut.unlimited)
      }
      for value in outputs(of: node) {
        network.addEdge(from: nodeVertex + node, to: 2 * value, capacity: MinimumCut.unlimited)
        network.addEdge(
          from: 2 * value, to: 2 * value + 1, capacity: Int((weights[value] * scale).rounded()))
        if users[userRange(of: value)].last.map({ Int($0) > turn }) ?? false {
          network.addEdge(from: 2 * value + 1, to: sink, capacity: MinimumCut.unlimited)
        }
      }
    }
    _ = network.solve(from: source, to: sink)
    if network.workLeft < 0 { return nil }
    return (0..<valueCount).map { value in
      value >= count
        || network.isOnSourceSide(2 * value) && !network.isOnSourceSide(2 * value + 1)
    }
  }
}
