// Places buffers in a fixed order, each at the lowest offset that is free over its whole life.
//
// Orders      By area, size, lifetime, start, and by the load of the busiest time they live through.
// Cost        O(pairs log live) an order.
// Source      The orders are those that Moffitt, "MiniMalloc", ASPLOS 2023, and Pisarchyk & Lee,
//             "Efficient Memory Management for Deep Neural Net Inference", 2020, compare.

/// An order for greedy placement.
enum PlacementOrder: CaseIterable {
  case area, size, lifetime, start, load

  /// The buffers of `graph` in this order; ties go to the larger size, then the lower index.
  func buffers(of graph: OverlapGraph) -> [Int32] {
    let keys: [Double] =
      switch self {
      case .area:
        (0..<graph.count).map {
          Double(graph.sizes[$0]) * Double(graph.uppers[$0] - graph.lowers[$0])
        }
      case .size: graph.sizes.map { Double($0) }
      case .lifetime: (0..<graph.count).map { Double(graph.uppers[$0] - graph.lowers[$0]) }
      case .start: graph.lowers.map { -Double($0) }
      case .load:
        (0..<graph.count).map { buffer in
          graph.neighbors(of: buffer).reduce(Double(graph.sizes[buffer])) {
            $0 + Double(graph.sizes[Int($1)])
          }
        }
      }
    return (0..<graph.count).filter { graph.sizes[$0] > 0 }.sorted { a, b in
      if keys[a] != keys[b] { return keys[a] > keys[b] }
      if graph.sizes[a] != graph.sizes[b] { return graph.sizes[a] > graph.sizes[b] }
      return a < b
    }.map { Int32($0) }
  }
}

/// The lowest-offset greedy, with its scratch arrays kept between runs.
struct GreedyPlacement {
  private let graph: OverlapGraph
  /// Offsets of the last run; -1 for buffers not placed.
  private(set) var offsets: [Int]
  private var taken: [(low: Int, high: Int)] = []

  init(_ graph: OverlapGraph) {
    self.graph = graph
    offsets = [Int](repeating: -1, count: graph.count)
  }

  /// Places `order` and returns the arena; stops, with a height above it, beyond `limit`.
  mutating func run(_ order: [Int32], limit: Int = .max) -> (arena: Int, last: Int) {
    for index in offsets.indices { offsets[index] = graph.sizes[index] > 0 ? -1 : 0 }
    var arena = 0
    for (place, next) in order.enumerated() {
      let buffer = Int(next)
      taken.removeAll(keepingCapacity: true)
      for other in graph.neighbors(of: buffer) where offsets[Int(other)] >= 0 {
        let low = offsets[Int(other)]
        taken.append((low, low + graph.sizes[Int(other)]))
      }
      taken.sort { $0.low < $1.low }
      var offset = 0
      let size = graph.sizes[buffer]
      for range in taken {
        if range.low - offset >= size { break }
        offset = max(offset, range.high)
      }
      offsets[buffer] = offset
      if offset + size > arena {
        arena = offset + size
        if arena > limit { return (arena, place) }
      }
    }
    return (arena, order.count)
  }
}
