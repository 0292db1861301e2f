// Topological orders to plan in: the given one, and one that keeps little alive.

/// Orders of the nodes of a problem.
enum BaseOrder {
  /// The order of the problem.
  static func given(_ problem: RematProblem) -> [Int32] {
    problem.nodes.indices.map { Int32($0) }
  }

  /// List scheduling that prefers the ready node with the smallest growth of live memory, then
  /// the one that the problem has first. O((nodes + reads) log nodes) with a lazy heap.
  ///
  /// The growth of a node changes only when another reader of one of its inputs runs, so keys are
  /// renewed for the readers of values that are down to their last use.
  static func smallGrowth(_ problem: RematProblem) -> [Int32] {
    let graph = RematGraph(problem, order: given(problem))
    let count = graph.nodeCount
    var blockers = [Int32](repeating: 0, count: count)
    var after = [[Int32]](repeating: [], count: count)
    for node in 0..<count {
      blockers[node] += Int32(graph.inputRange(of: node).count)
      for other in problem.nodes[node].invalidates {
        // The node waits for what it invalidates and for nothing else of it.
        blockers[node] += 1
        after[other].append(Int32(node))
      }
    }
    var readersLeft = (0..<graph.valueCount).map { Int32(graph.userRange(of: $0).count) }
    var heap = EvictionHeap()
    var stamp = [Int32](repeating: 0, count: count)
    var isDone = [Bool](repeating: false, count: count)

    func growth(_ node: Int) -> Int {
      var bytes = 0
      for value in graph.outputs(of: node) where readersLeft[value] > 0 || graph.isKept[value] {
        bytes += graph.valueBytes[value]
      }
      for slot in graph.inputRange(of: node) {
        let value = Int(graph.inputValues[slot])
        if readersLeft[value] == 1, !graph.isKept[value] { bytes -= graph.valueBytes[value] }
      }
      return bytes
    }
    func offer(_ node: Int) {
      stamp[node] += 1
      heap.push(
        EvictionHeap.Entry(
          score: Double(growth(node)), time: 0, value: Int32(node), stamp: stamp[node]))
    }

    for node in 0..<count where blockers[node] == 0 { offer(node) }
    var order: [Int32] = []
    order.reserveCapacity(count)
    while let entry = heap.pop() {
      let node = Int(entry.value)
      if isDone[node] || stamp[node] != entry.stamp { continue }
      isDone[node] = true
      order.append(entry.value)
      for slot in graph.inputRange(of: node) {
        let value = Int(graph.inputValues[slot])
        readersLeft[value] -= 1
        guard readersLeft[value] == 1 else { continue }
        for user in graph.users[graph.userRange(of: value)]
        where !isDone[Int(user)] && blockers[Int(user)] == 0 { offer(Int(user)) }
      }
      for value in graph.outputs(of: node) {
        for user in graph.users[graph.userRange(of: value)] {
          blockers[Int(user)] -= 1
          if blockers[Int(user)] == 0 { offer(Int(user)) }
        }
      }
      for other in after[node] {
        blockers[Int(other)] -= 1
        if blockers[Int(other)] == 0 { offer(Int(other)) }
      }
    }
    return order
  }
}
