// Improves a placement by changing the order in which the greedy places buffers.
//
// Method      The offsets of a plan give back an order, bottom up. A move takes a buffer that reaches
//             above the goal, or one beside it, to an earlier place; the greedy replaces all. A
//             change that is not worse is kept, so that the walk crosses plateaus.
// Cost        `effort` · 80 million comparisons of buffers, a few tenths of a second; what stands before
//             the moved buffer is not placed again.

/// A walk over greedy orders.
enum OrderSearch {
  /// A plan at most as high as `start`, and at most `goal` if the walk gets there.
  static func improved(
    _ start: MemoryPlan, graph: OverlapGraph, goal: Int, effort: Double
  ) -> MemoryPlan {
    var best = start
    let solid = (0..<graph.count).filter { graph.sizes[$0] > 0 }
    if solid.count < 2 { return best }
    var order = solid.sorted { (start.offsets[$0], $0) < (start.offsets[$1], $1) }.map { Int32($0) }
    var greedy = GreedyPlacement(graph)
    var current = greedy.run(order)
    if current < best.arenaBytes {
      best = MemoryPlan(offsets: greedy.offsets, arenaBytes: current)
    }
    let workMax = Int(min(1e15, effort * 8e7))
    var generator = SeededGenerator(seed: 1)
    var place = [Int](repeating: 0, count: graph.count)
    while best.arenaBytes > goal, greedy.work < workMax {
      for (index, buffer) in order.enumerated() { place[Int(buffer)] = index }
      // A buffer at the top of the current placement, or one of those it stands on.
      let tops = order.filter { greedy.offsets[Int($0)] + graph.sizes[Int($0)] == current }
      var buffer = Int(tops[generator.index(below: tops.count)])
      if generator.index(below: 3) > 0 {
        let beside = graph.neighbors(of: buffer)
        if !beside.isEmpty {
          buffer = Int(beside[beside.startIndex + generator.index(below: beside.count)])
        }
      }
      let from = place[buffer]
      let to = generator.index(below: order.count)
      let saved = (order: order, offsets: greedy.offsets)
      order.remove(at: from)
      order.insert(Int32(buffer), at: to)
      let arena = greedy.run(order, from: min(from, to), limit: current)
      if arena <= current {
        current = arena
        if arena < best.arenaBytes {
          best = MemoryPlan(offsets: greedy.offsets, arenaBytes: arena)
        }
      } else {
        order = saved.order
        greedy.restore(saved.offsets)
      }
    }
    return best
  }
}
