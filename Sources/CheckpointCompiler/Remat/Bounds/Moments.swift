// Where a bound looks: the nodes at whose first runs much has to be resident.
//
// Method      With the order given, the positions where keeping everything uses the most memory. With
//             a free order, the nodes across which the most bytes go from ancestors to descendants.
//             The best, a few next to it, and several at once if they run in a known order.
// Cost        O(nodes + reads) per node looked at; all nodes of small graphs, few of large ones.

/// Chooses moments for staged relaxations.
struct MomentChoice {
  let graph: RematGraph
  let keepsOrder: Bool

  /// Choices worth trying, the most promising first.
  func choices() -> [[Int]] {
    let heaviest = keepsOrder ? heaviestPositions() : heaviestCrossings()
    var choices: [[Int]] = []
    for rank in graph.nodeCount > 20_000 ? [0] : [0, 3, 11] where rank < heaviest.count {
      choices.append([heaviest[rank]])
    }
    if graph.nodeCount > 20_000 { return choices }
    for count in [2, 5] where count <= heaviest.count {
      let group = keepsOrder ? Array(heaviest.prefix(count)).sorted() : path(heaviest, count)
      if group.count > 1, !choices.contains(group) { choices.append(group) }
    }
    return choices
  }

  /// Positions of the base order by falling memory in use.
  private func heaviestPositions() -> [Int] {
    var change = [Int](repeating: 0, count: graph.nodeCount + 2)
    for value in 0..<graph.valueCount {
      let start = Int(graph.valueNode[value])
      var end = start
      if let last = graph.users[graph.userRange(of: value)].last { end = Int(last) }
      if graph.isKept[value] { end = graph.nodeCount }
      change[start] += graph.valueBytes[value]
      change[min(end, graph.nodeCount) + 1] -= graph.valueBytes[value]
    }
    var inUse: [Int] = []
    var bytes = 0
    for position in 0..<graph.nodeCount {
      bytes += change[position]
      inUse.append(bytes + graph.scratchBytes[position])
    }
    return inUse.indices.sorted { (inUse[$0], $1) > (inUse[$1], $0) }
  }

  /// Nodes by falling bytes of what their ancestors made and their descendants need.
  private func heaviestCrossings() -> [Int] {
    let candidates = heaviestPositions().prefix(
      max(8, 20_000_000 / (graph.nodeCount + graph.inputValues.count + 1)))
    var crossing: [(bytes: Int, node: Int)] = candidates.map { (crossingBytes(at: $0), $0) }
    crossing.sort { ($0.bytes, $1.node) > ($1.bytes, $0.node) }
    return crossing.map(\.node)
  }

  private func crossingBytes(at node: Int) -> Int {
    let isBefore = ancestors(of: node)
    let isAfter = descendants(of: node)
    var bytes = graph.ownBytes(of: node)
    for value in 0..<graph.valueCount where isBefore[Int(graph.valueNode[value])] {
      var isNeeded = graph.isKept[value]
      for slot in graph.userRange(of: value) where !isNeeded {
        let reader = Int(graph.users[slot])
        isNeeded = reader == node || isAfter[reader]
      }
      if isNeeded { bytes += graph.valueBytes[value] }
    }
    return bytes
  }

  private func ancestors(of node: Int) -> [Bool] {
    var isBefore = [Bool](repeating: false, count: graph.nodeCount)
    isBefore[node] = true
    for other in (0...node).reversed() where isBefore[other] {
      for slot in graph.inputRange(of: other) {
        isBefore[Int(graph.valueNode[Int(graph.inputValues[slot])])] = true
      }
    }
    isBefore[node] = false
    return isBefore
  }

  private func descendants(of node: Int) -> [Bool] {
    var isAfter = [Bool](repeating: false, count: graph.nodeCount)
    isAfter[node] = true
    for other in node + 1..<max(node + 1, graph.nodeCount) {
      for slot in graph.inputRange(of: other)
      where isAfter[Int(graph.valueNode[Int(graph.inputValues[slot])])] { isAfter[other] = true }
    }
    isAfter[node] = false
    return isAfter
  }

  /// Up to `count` of the given nodes that all follow one another.
  private func path(_ nodes: [Int], _ count: Int) -> [Int] {
    var chosen: [Int] = []
    var isComparable = [Bool](repeating: true, count: graph.nodeCount)
    for node in nodes where isComparable[node] && chosen.count < count {
      chosen.append(node)
      let isBefore = ancestors(of: node)
      let isAfter = descendants(of: node)
      for other in isComparable.indices where !isBefore[other] && !isAfter[other] {
        isComparable[other] = false
      }
    }
    return chosen.sorted()
  }
}
