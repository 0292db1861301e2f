// Which buffers are alive at one time, as flat adjacency.
//
// Cost        O(n log n + pairs); not built when there would be too many pairs.

/// For every buffer, the buffers that share some time with it. Empty buffers have none.
struct OverlapGraph {
  /// Padded sizes.
  let sizes: [Int]
  let lowers: [Int]
  let uppers: [Int]
  private let start: [Int32]
  private let list: [Int32]

  /// Nil if more than `pairsMax` pairs overlap.
  init?(_ problem: PlacementProblem, pairsMax: Int) {
    let buffers = problem.buffers
    sizes = buffers.indices.map { problem.paddedBytes($0) }
    lowers = buffers.map(\.lower)
    uppers = buffers.map(\.upper)
    let padded = sizes
    let order = buffers.indices.filter { padded[$0] > 0 }.sorted {
      (buffers[$0].lower, $0) < (buffers[$1].lower, $1)
    }
    var pairs: [(Int32, Int32)] = []
    var live: [Int] = []
    for buffer in order {
      let now = buffers[buffer].lower
      live.removeAll { buffers[$0].upper <= now }
      if pairs.count + live.count > pairsMax { return nil }
      for other in live { pairs.append((Int32(buffer), Int32(other))) }
      live.append(buffer)
    }
    var fill = [Int32](repeating: 0, count: buffers.count + 1)
    for (a, b) in pairs {
      fill[Int(a) + 1] += 1
      fill[Int(b) + 1] += 1
    }
    for index in buffers.indices { fill[index + 1] += fill[index] }
    start = fill
    var list = [Int32](repeating: 0, count: pairs.count * 2)
    for (a, b) in pairs {
      list[Int(fill[Int(a)])] = b
      fill[Int(a)] += 1
      list[Int(fill[Int(b)])] = a
      fill[Int(b)] += 1
    }
    self.list = list
  }

  /// The number of buffers.
  var count: Int { sizes.count }
  /// The neighbours of a buffer.
  func neighbors(of buffer: Int) -> ArraySlice<Int32> {
    list[Int(start[buffer])..<Int(start[buffer + 1])]
  }
}
