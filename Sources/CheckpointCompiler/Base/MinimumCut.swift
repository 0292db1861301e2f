// Maximum flow and minimum cut in a directed graph with integer capacities.
//
// Method      Dinic: breadth-first levels of the residual graph, then a blocking flow along them by a
//             depth-first walk with one cursor per node. Both keep their own stack.
// Invariants  Edges are stored in pairs: the reverse of edge e is e ^ 1. The capacities of a path add up
//             without overflow as long as every finite sum stays below `unlimited`.
// Cost        O(nodes² · edges) at worst, near-linear on the shallow graphs cut here.
// Source      Y. Dinitz, "Algorithm for solution of a problem of maximum flow in a network with power
//             estimation", Soviet Math. Doklady 11, 1970.

/// A flow network; edges first, then one `solve`.
struct MinimumCut {
  /// The capacity of an edge that no cut may go through.
  static let unlimited = Int.max / 4

  private var firstEdge: [Int32]
  private var nextEdge: [Int32] = []
  private var head: [Int32] = []
  private var residual: [Int] = []
  private var level: [Int32]

  /// A network without edges.
  init(nodeCount: Int) {
    firstEdge = [Int32](repeating: -1, count: nodeCount)
    level = [Int32](repeating: -1, count: nodeCount)
  }

  /// Adds an edge of a capacity of at least zero.
  mutating func addEdge(from tail: Int, to head: Int, capacity: Int) {
    link(tail, head, capacity)
    link(head, tail, 0)
  }

  private mutating func link(_ tail: Int, _ target: Int, _ capacity: Int) {
    nextEdge.append(firstEdge[tail])
    firstEdge[tail] = Int32(head.count)
    head.append(Int32(target))
    residual.append(capacity)
  }

  /// Sends as much as possible from `source` to `sink`; the amount is the capacity of a minimum cut.
  /// `unlimited` or more means that there is no finite cut.
  mutating func solve(from source: Int, to sink: Int) -> Int {
    var total = 0
    while total < Self.unlimited, findLevels(from: source, to: sink) {
      var cursor = firstEdge
      while true {
        let amount = advance(from: source, to: sink, &cursor)
        if amount == 0 { break }
        total += amount
        if total >= Self.unlimited { break }
      }
    }
    return total
  }

  /// After `solve`: whether a node is on the side of the source, in the cut nearest to the source.
  func isOnSourceSide(_ node: Int) -> Bool { level[node] >= 0 }

  private mutating func findLevels(from source: Int, to sink: Int) -> Bool {
    for node in level.indices { level[node] = -1 }
    level[source] = 0
    var queue = [Int32(source)]
    var next = 0
    while next < queue.count {
      let node = Int(queue[next])
      next += 1
      var edge = firstEdge[node]
      while edge >= 0 {
        let target = Int(head[Int(edge)])
        if residual[Int(edge)] > 0, level[target] < 0 {
          level[target] = level[node] + 1
          queue.append(Int32(target))
        }
        edge = nextEdge[Int(edge)]
      }
    }
    return level[sink] >= 0
  }

  /// Sends flow along one path of growing levels; 0 if there is none left.
  private mutating func advance(from source: Int, to sink: Int, _ cursor: inout [Int32]) -> Int {
    var path: [Int32] = []
    var node = source
    while node != sink {
      let edge = cursor[node]
      if edge < 0 {
        // A dead end: back, and past the edge that led here.
        guard let last = path.popLast() else { return 0 }
        node = Int(head[Int(last ^ 1)])
        cursor[node] = nextEdge[Int(cursor[node])]
        continue
      }
      let target = Int(head[Int(edge)])
      if residual[Int(edge)] > 0, level[target] == level[node] + 1 {
        path.append(edge)
        node = target
      } else {
        cursor[node] = nextEdge[Int(edge)]
      }
    }
    let amount = path.reduce(Int.max) { min($0, residual[Int($1)]) }
    for edge in path {
      residual[Int(edge)] -= amount
      residual[Int(edge ^ 1)] += amount
    }
    return amount
  }
}
