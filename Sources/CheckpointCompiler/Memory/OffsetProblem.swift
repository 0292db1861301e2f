// What the search over offsets knows about its buffers before it starts.
//
// Sections    A section of time begins with the first start after an end: sets of live buffers that contain
//             those of the times around them. Only these can be the largest.
// Ranks       Orders that break ties in the search: by width, area and the load of the busiest section of
//             a buffer, in several orders.
// Cost        O(n log n + pairs + n · sections).

/// Buffers by sections of time, their neighbours and their ranks.
struct OffsetProblem {
  /// The size of each buffer, in units.
  let sizes: [Int32]
  /// The buffers by start, then end.
  let order: [Int]
  let sectionCount: Int
  /// The first and the last section of each buffer.
  let firsts: [Int32]
  let lasts: [Int32]
  /// The buffers that share time with each.
  let neighbors: [[Int32]]
  /// How many pairs share time.
  let pairCount: Int
  /// Several ranks of all buffers; the first buffer has rank 0.
  let ranks: [[Int32]]

  /// The problem of buffers with the given sizes and half-open lives.
  init(sizes: [Int32], lowers: [Int], uppers: [Int]) {
    self.sizes = sizes
    let order = sizes.indices.sorted {
      (lowers[$0], uppers[$0], $0) < (lowers[$1], uppers[$1], $1)
    }
    self.order = order
    let starts = Self.sectionStarts(order: order, lowers: lowers, uppers: uppers)
    sectionCount = starts.count
    firsts = lowers.map { Self.section(of: $0, starts) }
    lasts = uppers.map { Self.section(of: $0 - 1, starts) }
    neighbors = Self.neighbors(order: order, lowers: lowers, uppers: uppers)
    pairCount = neighbors.reduce(0) { $0 + $1.count } / 2
    let widths = sizes.indices.map { uppers[$0] - lowers[$0] }
    ranks = Self.ranks(sizes, widths: widths, firsts, lasts, sectionCount: starts.count)
  }

  private static func sectionStarts(order: [Int], lowers: [Int], uppers: [Int]) -> [Int] {
    let ends = uppers.sorted()
    var starts: [Int] = []
    var nextEnd = 0
    for buffer in order {
      let time = lowers[buffer]
      let before = nextEnd
      while nextEnd < ends.count, ends[nextEnd] <= time { nextEnd += 1 }
      if starts.isEmpty || nextEnd > before { starts.append(time) }
    }
    return starts
  }

  /// The section in which a time lies.
  private static func section(of time: Int, _ starts: [Int]) -> Int32 {
    var low = 0
    var high = starts.count
    while low < high {
      let middle = (low + high) / 2
      if starts[middle] <= time { low = middle + 1 } else { high = middle }
    }
    return Int32(low - 1)
  }

  private static func neighbors(order: [Int], lowers: [Int], uppers: [Int]) -> [[Int32]] {
    var neighbors = [[Int32]](repeating: [], count: order.count)
    var live: [Int] = []
    for buffer in order {
      live.removeAll { uppers[$0] <= lowers[buffer] }
      for other in live {
        neighbors[buffer].append(Int32(other))
        neighbors[other].append(Int32(buffer))
      }
      live.append(buffer)
    }
    return neighbors
  }

  private static func ranks(
    _ sizes: [Int32], widths: [Int], _ firsts: [Int32], _ lasts: [Int32], sectionCount: Int
  ) -> [[Int32]] {
    var load = [Int](repeating: 0, count: sectionCount)
    for buffer in sizes.indices {
      for section in Int(firsts[buffer])...Int(lasts[buffer]) {
        load[section] += Int(sizes[buffer])
      }
    }
    let areas = sizes.indices.map { Double(widths[$0]) * Double(sizes[$0]) }
    let loads = sizes.indices.map { load[Int(firsts[$0])...Int(lasts[$0])].max() ?? 0 }
    func ranked(_ isBefore: (Int, Int) -> Bool) -> [Int32] {
      var ranks = [Int32](repeating: 0, count: sizes.count)
      let sorted = sizes.indices.sorted { isBefore($0, $1) || !isBefore($1, $0) && $0 < $1 }
      for (index, buffer) in sorted.enumerated() { ranks[buffer] = Int32(index) }
      return ranks
    }
    return [
      ranked { (areas[$0], widths[$0]) > (areas[$1], widths[$1]) },
      ranked { (loads[$0], widths[$0], areas[$0]) > (loads[$1], widths[$1], areas[$1]) },
      ranked { (loads[$0], areas[$0], widths[$0]) > (loads[$1], areas[$1], widths[$1]) },
      ranked { (widths[$0], areas[$0], loads[$0]) > (widths[$1], areas[$1], loads[$1]) },
    ]
  }
}
