// The least cost, or the least peak, of tiny problems in any order: a search through all states.
//
// Method      A state is the set of nodes that have run and the set of values that are resident. From
//             the cheapest state not done yet, every run and every release leads on (Dijkstra).
// Relaxed     Outputs that may overwrite an input always do, and nodes may run after they are
//             invalidated. So the answer is a bound.
// Cost        States are counted, up to a limit.

/// A search through the states of one problem.
struct TinySearch {
  private struct State: Hashable {
    var done: UInt32
    var resident: UInt32
  }

  private let graph: RematGraph
  private let keepsOrder: Bool
  private var kept: UInt32 = 0
  private var inputs: [UInt32] = []
  private var outputs: [UInt32] = []

  /// A search, if the problem is small enough for its sets.
  init?(_ graph: RematGraph, keepsOrder: Bool) {
    guard graph.nodeCount > 0, graph.nodeCount <= 16, graph.valueCount <= 24 else { return nil }
    self.graph = graph
    self.keepsOrder = keepsOrder
    for value in 0..<graph.valueCount where graph.isKept[value] { kept |= 1 << UInt32(value) }
    for node in 0..<graph.nodeCount {
      inputs.append(
        graph.inputRange(of: node).reduce(0) { $0 | 1 << UInt32(graph.inputValues[$1]) })
      outputs.append(graph.outputs(of: node).reduce(0) { $0 | 1 << UInt32($1) })
    }
  }

  /// The least cost within a budget, infinite if nothing fits; nil if `statesMax` states do not
  /// suffice to tell.
  func leastCost(budgetBytes: Int, statesMax: Int) -> Double? {
    search(statesMax) { before, node, bytes in
      bytes > budgetBytes ? .infinity : before + graph.cost[node]
    }
  }

  /// The least peak; nil if `statesMax` states do not suffice to tell.
  func leastPeak(statesMax: Int) -> Int? {
    search(statesMax) { before, _, bytes in max(before, Double(bytes)) }.map { Int($0) }
  }

  /// The least figure of a schedule, where a run makes one figure of another.
  private func search(
    _ statesMax: Int, run: (_ before: Double, _ node: Int, _ bytes: Int) -> Double
  ) -> Double? {
    let start = State(done: 0, resident: 0)
    var best: [State: Double] = [start: 0]
    var open = Heap()
    open.push(0, start)
    let all: UInt32 = (1 << UInt32(graph.nodeCount)) - 1
    var statesLeft = statesMax
    while let (figure, state) = open.pop() {
      if best[state] != figure { continue }
      if state.done == all && state.resident & kept == kept { return figure }
      statesLeft -= 1
      if statesLeft < 0 { return nil }
      var bytes = 0
      func reach(_ figure: Double, _ next: State) {
        if figure < best[next] ?? .infinity {
          best[next] = figure
          open.push(figure, next)
        }
      }
      for value in 0..<graph.valueCount where state.resident >> UInt32(value) & 1 == 1 {
        bytes += graph.valueBytes[value]
        reach(
          figure, State(done: state.done, resident: state.resident & ~(1 << UInt32(value))))
      }
      for node in 0..<graph.nodeCount where state.resident & inputs[node] == inputs[node] {
        let isFirst = state.done >> UInt32(node) & 1 == 0
        if isFirst ? keepsOrder && state.done + 1 != 1 << UInt32(node) : graph.isOnce[node] {
          continue
        }
        var inUse = bytes + graph.ownBytes(of: node)
        for value in graph.outputs(of: node) where state.resident >> UInt32(value) & 1 == 1 {
          inUse -= graph.valueBytes[value]
        }
        reach(
          run(figure, node, inUse),
          State(
            done: state.done | 1 << UInt32(node), resident: state.resident | outputs[node]))
      }
    }
    return .infinity
  }

  /// Open states by growing figure.
  private struct Heap {
    private var items: [(figure: Double, state: State)] = []

    mutating func push(_ figure: Double, _ state: State) {
      items.append((figure, state))
      var child = items.count - 1
      while child > 0, items[(child - 1) / 2].figure > items[child].figure {
        items.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
    }

    mutating func pop() -> (figure: Double, state: State)? {
      guard let first = items.first, let last = items.popLast() else { return nil }
      if items.isEmpty { return first }
      items[0] = last
      var parent = 0
      while true {
        var least = parent
        for child in [2 * parent + 1, 2 * parent + 2]
        where child < items.count && items[child].figure < items[least].figure {
          least = child
        }
        if least == parent { return first }
        items.swapAt(parent, least)
        parent = least
      }
    }
  }
}
