// A budget below which no schedule exists, and what sets it.
//
// Proof       While a node runs first, its inputs, its outputs and its scratch are in use, and every
//             value whose node runs only once, has run for sure, and is needed for sure from here on.
//             At the end, what is kept is resident. Tiny problems are searched through
//             (`TinySearch`).
// Cost        O(nodes + reads) where the order of first runs is given; else that much for each of
//             the nodes looked at, the largest working sets first.

/// A bound on the memory that any schedule needs.
struct MinimumBudget {
  /// No schedule has a smaller peak.
  private(set) var bytes = 0
  /// The node that needs as much, and the values that are resident while it runs.
  private(set) var node = 0
  private(set) var resident: [Int] = []

  /// The bound for schedules of `graph`, whose first runs follow the base order if `keepsOrder` says
  /// so.
  init(_ graph: RematGraph, keepsOrder: Bool) {
    let floor = graph.workingSetBytes
    bytes = floor.bytes
    node = floor.node
    if graph.nodeCount == 0 { return }
    resident = Self.inputs(of: node, in: graph)
    // Nodes that run once are what there is to add.
    if !graph.isOnce.contains(true) { return }
    let own = (0..<graph.nodeCount).map { node in
      Self.inputs(of: node, in: graph).reduce(graph.ownBytes(of: node)) {
        $0 + graph.valueBytes[$1]
      }
    }
    let order = own.indices.sorted { (own[$0], $1) > (own[$1], $0) }
    let count = max(4, Self.work / (graph.nodeCount + graph.inputValues.count + 1))
    for candidate in order.prefix(count) {
      let values = Self.residentValues(at: candidate, in: graph, keepsOrder: keepsOrder)
      let needed = values.reduce(graph.ownBytes(of: candidate)) { $0 + graph.valueBytes[$1] }
      if needed > bytes {
        bytes = needed
        node = candidate
        resident = values
      }
    }
  }

  /// Nodes and reads looked at.
  private static let work = 10_000_000

  private static func inputs(of node: Int, in graph: RematGraph) -> [Int] {
    graph.inputRange(of: node).map { Int(graph.inputValues[$0]) }
  }

  /// The values that are resident whenever `node` runs first.
  private static func residentValues(
    at node: Int, in graph: RematGraph, keepsOrder: Bool
  ) -> [Int] {
    var isBefore = [Bool](repeating: keepsOrder, count: graph.nodeCount)
    var isAfter = [Bool](repeating: keepsOrder, count: graph.nodeCount)
    for other in node..<graph.nodeCount { isBefore[other] = false }
    for other in 0...node { isAfter[other] = false }
    var isInput = [Bool](repeating: false, count: graph.valueCount)
    for value in inputs(of: node, in: graph) { isInput[value] = true }
    if !keepsOrder {
      isBefore[node] = true
      for other in (0...node).reversed() where isBefore[other] {
        for value in inputs(of: other, in: graph) { isBefore[Int(graph.valueNode[value])] = true }
      }
      isBefore[node] = false
      isAfter[node] = true
      for other in node..<graph.nodeCount {
        for value in inputs(of: other, in: graph) where isAfter[Int(graph.valueNode[value])] {
          isAfter[other] = true
        }
      }
      isAfter[node] = false
    }
    return (0..<graph.valueCount).filter { value in
      if isInput[value] { return true }
      let maker = Int(graph.valueNode[value])
      guard graph.isOnce[maker], isBefore[maker] else { return false }
      return graph.isKept[value]
        || graph.userRange(of: value).contains { isAfter[Int(graph.users[$0])] }
    }
  }
}
