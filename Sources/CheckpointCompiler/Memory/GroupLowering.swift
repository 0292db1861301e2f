// Lowers a placement with searches that can also prove that it cannot be lowered.
//
// Method      Buffers that are not connected by overlaps in time do not care for each other: each
//             group is lowered alone, the highest first. The first search asks for the goal at
//             once, which is most often reached; then the range between what is proved and what is
//             reached is halved, again with more work when it has closed without a proof.
// Units       Offsets of buffers that rest on each other are sums of sizes: all is counted in the
//             greatest common divisor of the sizes, so that alignment costs nothing.
// Cost        As much work as is allowed; groups too large for the search are left as they are.

/// The lowering of one placement.
struct GroupLowering {
  /// The placement so far.
  private(set) var plan: MemoryPlan
  /// No placement is lower than this.
  private(set) var provedBytes = 0
  /// Whether no group was too large for the search.
  private(set) var isComplete = true

  /// The search is as deep as a group is large.
  private static let buffersMax = 1000

  /// Lowers `start` to `goal` or as far as it gets with `workMax`; 10^9 is about a second.
  init(_ start: MemoryPlan, graph: OverlapGraph, goal: Int, workMax: Int) {
    plan = start
    func height(_ group: [Int], _ offsets: [Int]) -> Int {
      group.reduce(0) { max($0, offsets[$1] + graph.sizes[$1]) }
    }
    var groups = Self.groups(graph).map { (height: height($0, start.offsets), buffers: $0) }
    groups.sort { ($1.height, $0.buffers[0]) < ($0.height, $1.buffers[0]) }
    var reached = goal
    var workLeft = workMax
    for (index, group) in groups.enumerated() where group.height > reached {
      let waiting = groups[index...].prefix { $0.height > reached }.count
      var search = HeightSearch(group.buffers, graph: graph, height: group.height)
      if group.buffers.count <= Self.buffersMax {
        workLeft -= search.lower(to: reached, workMax: workLeft / waiting)
      } else {
        isComplete = false
      }
      for (place, buffer) in group.buffers.enumerated() {
        if let offsets = search.offsets { plan.offsets[buffer] = offsets[place] }
      }
      provedBytes = max(provedBytes, search.provedBytes)
      reached = max(reached, search.heightBytes)
    }
    plan.arenaBytes = graph.sizes.indices.reduce(0) {
      max($0, plan.offsets[$1] + graph.sizes[$1])
    }
  }

  /// The buffers that are not empty, in groups connected in time.
  private static func groups(_ graph: OverlapGraph) -> [[Int]] {
    let order = (0..<graph.count).filter { graph.sizes[$0] > 0 }.sorted {
      (graph.lowers[$0], $0) < (graph.lowers[$1], $1)
    }
    var groups: [[Int]] = []
    var end = Int.min
    for buffer in order {
      if groups.isEmpty || graph.lowers[buffer] >= end { groups.append([]) }
      groups[groups.count - 1].append(buffer)
      end = max(end, graph.uppers[buffer])
    }
    return groups
  }
}

/// The search for the least height of one group.
private struct HeightSearch {
  /// Where the buffers lie if a lower placement was found.
  private(set) var offsets: [Int]?
  private(set) var heightBytes: Int
  private(set) var provedBytes: Int

  private let sizes: [Int]
  private let lowers: [Int]
  private let uppers: [Int]

  /// A search that begins at `height`, which the group is known to fit in.
  init(_ group: [Int], graph: OverlapGraph, height: Int) {
    sizes = group.map { graph.sizes[$0] }
    lowers = group.map { graph.lowers[$0] }
    uppers = group.map { graph.uppers[$0] }
    heightBytes = height
    provedBytes = 0
    let ends = group.indices.sorted { graph.uppers[group[$0]] < graph.uppers[group[$1]] }
    var live = 0
    var nextEnd = 0
    for (place, buffer) in group.enumerated() {
      while uppers[ends[nextEnd]] <= graph.lowers[buffer] {
        live -= sizes[ends[nextEnd]]
        nextEnd += 1
      }
      live += sizes[place]
      provedBytes = max(provedBytes, live)
    }
  }

  /// Lowers the height to `goal` if it can, and returns the work done.
  mutating func lower(to goal: Int, workMax: Int) -> Int {
    let unit = sizes.reduce(0, greatestCommonDivisor)
    // The search counts in 32 bits.
    if sizes.reduce(0, +) / unit >= 1 << 30 || heightBytes <= max(goal, provedBytes) { return 0 }
    let search = OffsetSearch(
      sizes: sizes.map { Int32($0 / unit) }, lowers: lowers, uppers: uppers,
      workMax: workMax)
    var high = (heightBytes + unit - 1) / unit
    var proved = provedBytes / unit
    func ask(_ height: Int, _ work: Int) -> Bool {
      switch search.run(capacity: Int32(height), workMax: work) {
      case .found:
        let found = search.offsets.map { Int($0) }
        high = found.indices.reduce(0) { max($0, found[$1] + sizes[$1] / unit) }
        offsets = found.map { $0 * unit }
        heightBytes = high * unit
        return true
      case .none:
        proved = max(proved, height + 1)
        return false
      case .undecided:
        return false
      }
    }
    var lowest: Int { max(proved, goal / unit) }
    if !ask(lowest, workMax / 3) {
      var share = workMax / 8
      while search.work < workMax, lowest < high {
        var low = lowest
        while search.work < workMax, low < high {
          let middle = (low + high) / 2
          if !ask(middle, min(share, workMax - search.work)) { low = middle + 1 }
        }
        share *= 2
      }
    }
    provedBytes = max(provedBytes, proved * unit)
    return search.work
  }
}
