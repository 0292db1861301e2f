// Pins, checked against the problem and written into its arrays.
//
// Method      A keep pin makes its node run once. A recompute pin drops its value in the longest gap
//             between two of its uses in base order; it has no effect where the node cannot run
//             again by the end of the gap, and then says so.

/// The pins that have an effect.
struct AppliedPins {
  private var kept: [Int] = []
  private var recomputed: [RematPin] = []

  /// Checks `pins`; what has no effect is told in `remarks` and left out.
  init(_ pins: [RematPin], problem: RematProblem, remarks: inout [String]) {
    for pin in pins {
      let place = "output \(pin.output) of node \(pin.node)"
      guard problem.nodes.indices.contains(pin.node),
        problem.nodes[pin.node].outputBytes.indices.contains(pin.output)
      else {
        remarks.append("a pin names \(place), which does not exist")
        continue
      }
      if pin.choice == .keep { kept.append(pin.node) }
    }
    let order = BaseOrder.given(problem)
    for pin in pins where pin.choice == .recompute {
      guard problem.nodes.indices.contains(pin.node),
        problem.nodes[pin.node].outputBytes.indices.contains(pin.output)
      else { continue }
      // Beside the pins before it: does it make the node run twice?
      recomputed.append(pin)
      var graph = RematGraph(problem, order: order)
      apply(to: &graph, order: order)
      if graph.satisfiesRunCounts(graph.keepAllSequence()) { continue }
      recomputed.removeLast()
      remarks.append(
        "output \(pin.output) of node \(pin.node)\(RematProblem.quoted(problem.nodes[pin.node].name))"
          + " cannot be recomputed: the pin has no effect")
    }
  }

  /// Writes the pins into a graph of the problem in `order`.
  func apply(to graph: inout RematGraph, order: [Int32]) {
    if kept.isEmpty && recomputed.isEmpty { return }
    var place = [Int](repeating: 0, count: order.count)
    for (index, node) in order.enumerated() { place[Int(node)] = index }
    for node in kept { graph.isOnce[place[node]] = true }
    if recomputed.isEmpty { return }
    graph.pinnedDropAfter = [Int32](repeating: -1, count: graph.valueCount)
    for pin in recomputed {
      let node = place[pin.node]
      let value = Int(graph.outputStart[node]) + pin.output
      graph.runsTwice[node] = true
      graph.pinnedDropAfter[value] = graph.longestGapStart(of: value)
    }
  }
}

extension RematGraph {
  /// The use, or the node, after which a value waits longest for its next use.
  func longestGapStart(of value: Int) -> Int32 {
    var uses = [valueNode[value]] + users[userRange(of: value)]
    if isKept[value] { uses.append(Int32(nodeCount)) }
    var start = uses[0]
    var longest: Int32 = 0
    for (use, next) in zip(uses, uses.dropFirst()) where next - use > longest {
      longest = next - use
      start = use
    }
    return start
  }
}
