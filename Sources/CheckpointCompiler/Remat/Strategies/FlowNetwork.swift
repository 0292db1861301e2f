// The minimum cut of a network: blocking flows on level graphs.
//
// Method      Dinic: levels by breadth-first search from the source, then a blocking flow by depth-first
//             search with a current arc per vertex, both with explicit stacks; until the sink is out of
//             reach. The cut is what the last search reached.
// Numbers     Capacities are floating point. The arc that limits a path is left with exactly 0, so each
//             phase ends and the distance of the sink grows; rounding may make the cut a little larger
//             than the smallest, but it never crosses an infinite arc.
// Cost        O(V² · E) at worst; the arcs looked at are counted, and there is no answer beyond a limit.
// Source      Dinic, "Algorithm for solution of a problem of maximum flow in networks with power
//             estimation", Soviet Math. Doklady 11, 1970.

/// A network of vertices and arcs with capacities.
struct FlowNetwork {
  private let vertexCount: Int
  private var heads: [Int32] = []
  private var capacities: [Double] = []
  private var tails: [Int32] = []

  /// A network without arcs.
  init(vertexCount: Int) { self.vertexCount = vertexCount }

  /// Adds an arc; its reverse follows it.
  mutating func addArc(from tail: Int, to head: Int, capacity: Double) {
    tails.append(Int32(tail))
    heads.append(Int32(head))
    capacities.append(capacity)
    tails.append(Int32(head))
    heads.append(Int32(tail))
    capacities.append(0)
  }

  /// Per vertex, whether it is on the source's side of a minimum cut; nil where that takes looking at more than
  /// `workMax` arcs, or there is no finite cut.
  func minimumCut(source: Int, sink: Int, workMax: Int) -> [Bool]? {
    var starts = [Int32](repeating: 0, count: vertexCount + 1)
    for tail in tails { starts[Int(tail) + 1] += 1 }
    for vertex in 0..<vertexCount { starts[vertex + 1] += starts[vertex] }
    var arcs = [Int32](repeating: 0, count: heads.count)
    var fill = starts
    for (arc, tail) in tails.enumerated() {
      arcs[Int(fill[Int(tail)])] = Int32(arc)
      fill[Int(tail)] += 1
    }
    var residual = capacities
    var level = [Int32](repeating: -1, count: vertexCount)
    var work = 0
    while true {
      for vertex in level.indices { level[vertex] = -1 }
      level[source] = 0
      var queue = [Int32(source)]
      var head = 0
      while head < queue.count {
        let vertex = Int(queue[head])
        head += 1
        for slot in Int(starts[vertex])..<Int(starts[vertex + 1]) {
          let arc = Int(arcs[slot])
          work += 1
          if residual[arc] > 0, level[Int(heads[arc])] < 0 {
            level[Int(heads[arc])] = level[vertex] + 1
            queue.append(heads[arc])
          }
        }
      }
      if level[sink] < 0 { return level.map { $0 >= 0 } }
      var current = starts
      var path: [Int32] = []
      while true {
        let vertex = path.last.map { Int(heads[Int($0)]) } ?? source
        if vertex == sink {
          var flow = Double.infinity
          for arc in path { flow = min(flow, residual[Int(arc)]) }
          if flow == .infinity { return nil }
          var cut = path.count
          for (index, arc) in path.enumerated().reversed() {
            residual[Int(arc)] -= flow
            residual[Int(arc) ^ 1] += flow
            if residual[Int(arc)] <= 0 { cut = index }
          }
          work += path.count
          path.removeSubrange(cut...)
          continue
        }
        var next: Int32 = -1
        while current[vertex] < starts[vertex + 1] {
          let arc = arcs[Int(current[vertex])]
          work += 1
          if residual[Int(arc)] > 0, level[Int(heads[Int(arc)])] == level[vertex] + 1 {
            next = arc
            break
          }
          current[vertex] += 1
        }
        if work > workMax { return nil }
        if next >= 0 {
          path.append(next)
        } else {
          guard let last = path.popLast() else { break }
          // Nothing leads on from here.
          current[Int(tails[Int(last)])] += 1
        }
      }
    }
  }
}
