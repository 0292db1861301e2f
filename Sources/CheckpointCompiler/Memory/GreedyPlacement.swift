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

/// The lowest-offset greedy, with its scratch memory kept between runs.
struct GreedyPlacement: ~Copyable {
  private let graph: OverlapGraph
  /// Offsets of the last run; -1 for buffers not placed.
  private(set) var offsets: [Int]
  /// Neighbours looked at so far, once for every offset that was tried.
  private(set) var work = 0
  /// What is taken by the placed buffers beside one: from, and up to.
  private let low: FixedBuffer<Int>
  private let high: FixedBuffer<Int>

  init(_ graph: OverlapGraph) {
    self.graph = graph
    offsets = graph.sizes.map { $0 > 0 ? -1 : 0 }
    low = FixedBuffer(repeating: 0, count: graph.count)
    high = FixedBuffer(repeating: 0, count: graph.count)
  }

  /// Places `order` and returns the arena; stops, with a height above it, beyond `limit`. The buffers
  /// before the place `first` of the order stay where the last run put them.
  mutating func run(_ order: [Int32], from first: Int = 0, limit: Int = .max) -> Int {
    var arena = 0
    for buffer in order[..<first] {
      arena = max(arena, offsets[Int(buffer)] + graph.sizes[Int(buffer)])
    }
    for buffer in order[first...] { offsets[Int(buffer)] = -1 }
    for next in order[first...] {
      let buffer = Int(next)
      arena = max(arena, put(buffer) + graph.sizes[buffer])
      if arena > limit { break }
    }
    return arena
  }

  /// Puts a buffer at the lowest offset that is free, and returns it.
  ///
  /// What meets the buffer where it lies meets it at every offset up to its own end: the offset rises
  /// to the highest of these ends until nothing is met, which is cheaper than to sort what is taken.
  private mutating func put(_ buffer: Int) -> Int {
    var count = 0
    for other in graph.neighbors(of: buffer) {
      let offset = offsets[Int(other)]
      guard offset >= 0 else { continue }
      low[count] = offset
      high[count] = offset + graph.sizes[Int(other)]
      count += 1
    }
    let size = graph.sizes[buffer]
    var offset = 0
    while true {
      work += count + 1
      let end = offset + size
      var free = offset
      for index in 0..<count where low[index] < end && high[index] > free { free = high[index] }
      if free == offset { break }
      offset = free
    }
    offsets[buffer] = offset
    return offset
  }

  /// Takes up the offsets of an earlier run again.
  mutating func restore(_ offsets: [Int]) { self.offsets = offsets }
}
