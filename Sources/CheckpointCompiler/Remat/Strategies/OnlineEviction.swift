// The strategy `dtr`: eviction online, knowing the past only.
//
// Method      Nodes run in base order. When memory runs short, the resident value with the lowest score
//             is evicted; when an absent value is read, it is recomputed, missing inputs first. What the
//             program has released, after its last reader, is evicted at once.
// Score       (cost + cost of the evicted neighbourhood) / (bytes · staleness). The neighbourhood is kept as
//             components of evicted values in a union-find structure; a value that returns is
//             taken out of the cost of its component, whose other members stay together. Staleness is
//             the cost of what ran since the last access.
// Invariants  A value that cannot be made again, because its node or one that it would need is `once` or
//             was invalidated, is not evicted, and is released when nothing absent needs it; what depends on
//             a node is brought back before that node is invalidated.
// Failure     A budget at which nothing can be evicted, or at which more than 6 runs per node are
//             made (it *thrashes*), or too much is looked at, gives no plan.
// Cost        O(evictions · candidates · degree); of more than 256 candidates a sample of 256 is scored, of
//             fewer in graphs above 8000 nodes; 40,000,000 neighbours are looked at per budget.
// Source      Kirisame et al., "Dynamic Tensor Rematerialization", ICLR 2021, arXiv:2006.09616: heuristic
//             h_DTR^eq with eager eviction, and its sampling.

/// A run of the base order under a budget by an allocator that evicts when it has to.
struct OnlineEviction {
  private let graph: RematGraph
  private let budgetBytes: Int
  private let runsMax: Int
  private var sequence: [Int32] = []
  private var residentBytes = 0
  /// The base position of the node whose turn it is.
  private var now = 0
  /// Cost of all runs so far, with a little for each.
  private var clock = 0.0
  private let tick: Double

  private var isResident: [Bool]
  private var hasRun: [Bool]
  private var lockCount: [Int32]
  private var readersLeft: [Int32]
  private var lastAccess: [Double]
  /// Resident values that may be evicted as far as is known, and where each stands among them.
  private var candidates: [Int32] = []
  private var candidatePlace: [Int32]
  private var components = EvictedComponents()
  private var component: [Int32]
  private var visited: [Int32]
  private var visit: Int32 = 0
  /// Released values that wait for something absent to return.
  private var waiting: [Int32] = []
  private var generator = SeededGenerator(seed: 1)
  private let sampleMax: Int
  /// Whether some node that has run may not run again.
  private var hasBarredNodes = false
  /// Neighbours that may still be looked at.
  private var workLeft = 40_000_000

  private init(_ graph: RematGraph, budgetBytes: Int) {
    self.graph = graph
    self.budgetBytes = budgetBytes
    runsMax = 6 * graph.nodeCount + 1000
    sampleMax = max(16, min(256, 2_000_000 / max(1, graph.nodeCount)))
    let total = graph.cost.reduce(0, +)
    tick = total > 0 ? total / Double(max(1, graph.nodeCount)) * 1e-3 : 1
    isResident = [Bool](repeating: false, count: graph.valueCount)
    hasRun = [Bool](repeating: false, count: graph.nodeCount)
    lockCount = [Int32](repeating: 0, count: graph.valueCount)
    readersLeft = (0..<graph.valueCount).map {
      // The end of the program reads what is kept.
      Int32(graph.userRange(of: $0).count) + (graph.isKept[$0] ? 1 : 0)
    }
    lastAccess = [Double](repeating: 0, count: graph.valueCount)
    candidatePlace = [Int32](repeating: -1, count: graph.valueCount)
    component = [Int32](repeating: -1, count: graph.valueCount)
    visited = [Int32](repeating: 0, count: graph.nodeCount)
  }

  /// A sequence within the budget, or nil if the method finds none.
  static func run(_ graph: RematGraph, budgetBytes: Int) -> [Int32]? {
    var simulation = OnlineEviction(graph, budgetBytes: budgetBytes)
    return simulation.run() ? simulation.sequence : nil
  }

  private mutating func run() -> Bool {
    for node in 0..<graph.nodeCount {
      now = node
      guard let secured = secureDependents(ofThoseInvalidatedBy: node) else { return false }
      guard makeResident(inputsOf: node), execute(node) else { return false }
      for value in secured { unlock(value) }
      for slot in graph.inputRange(of: node) {
        let value = Int(graph.inputValues[slot])
        readersLeft[value] -= 1
        unlock(value)
      }
      for value in graph.outputs(of: node) { settle(value) }
      if graph.isOnce[node] || graph.invalidatedStart[node] < graph.invalidatedStart[node + 1] {
        hasBarredNodes = true
      }
    }
    for value in 0..<graph.valueCount where graph.isKept[value] {
      if !isResident[value], !recompute(Int(graph.valueNode[value])) { return false }
      lock(value)
    }
    return true
  }

  // MARK: Running nodes

  private mutating func lock(_ value: Int) {
    lockCount[value] += 1
    leaveCandidates(value)
  }

  private mutating func unlock(_ value: Int) {
    lockCount[value] -= 1
    settle(value)
  }

  /// Locks the inputs of a node, all of them resident then.
  private mutating func makeResident(inputsOf node: Int) -> Bool {
    for slot in graph.inputRange(of: node) { lock(Int(graph.inputValues[slot])) }
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
      if !isResident[value], !recompute(Int(graph.valueNode[value])) { return false }
    }
    return true
  }

  /// Runs a node again, after what it misses. The stack holds nodes whose inputs are locked.
  private mutating func recompute(_ node: Int) -> Bool {
    var stack = [node]
    for slot in graph.inputRange(of: node) { lock(Int(graph.inputValues[slot])) }
    while let top = stack.last {
      let missing = graph.inputRange(of: top).first { !isResident[Int(graph.inputValues[$0])] }
      if let missing {
        let producer = Int(graph.valueNode[Int(graph.inputValues[missing])])
        for slot in graph.inputRange(of: producer) { lock(Int(graph.inputValues[slot])) }
        stack.append(producer)
        continue
      }
      guard mayRun(top), execute(top) else { return false }
      for slot in graph.inputRange(of: top) { unlock(Int(graph.inputValues[slot])) }
      for value in graph.outputs(of: top) { settle(value) }
      stack.removeLast()
    }
    return true
  }

  private mutating func execute(_ node: Int) -> Bool {
    // Outputs that are still there are made anew.
    for value in graph.outputs(of: node) where isResident[value] { remove(value) }
    // What an input that is released after this run gives up to an output needs no room.
    let overwritten = graph.overwrittenBytes(of: node) {
      node == now && readersLeft[$0] == 1 && lockCount[$0] == 1
    }
    let needed = graph.outputBytes[node] + graph.scratchBytes[node] - overwritten
    guard makeRoom(for: needed), sequence.count < runsMax, workLeft > 0 else { return false }
    sequence.append(Int32(node))
    hasRun[node] = true
    clock += graph.cost[node] + tick
    for slot in graph.inputRange(of: node) {
      lastAccess[Int(graph.inputValues[slot])] = clock
    }
    for value in graph.outputs(of: node) {
      isResident[value] = true
      residentBytes += graph.valueBytes[value]
      lastAccess[value] = clock
      if component[value] >= 0 {
        components.leave(component[value], cost: graph.cost[node])
        component[value] = -1
      }
    }
    return true
  }

  /// Whether a node may run again now.
  private func mayRun(_ node: Int) -> Bool {
    !hasRun[node] || !graph.isOnce[node] && now <= Int(graph.deadline[node])
  }

  // MARK: Releasing and evicting

  /// Puts a resident value that nothing holds among the candidates, or evicts it if it is released.
  private mutating func settle(_ value: Int) {
    guard isResident[value], lockCount[value] == 0 else { return }
    if readersLeft[value] > 0 {
      if candidatePlace[value] < 0, graph.valueBytes[value] > 0 {
        candidatePlace[value] = Int32(candidates.count)
        candidates.append(Int32(value))
      }
    } else if canReturn(value) {
      evict(value)
    } else if graph.valueBytes[value] == 0 || isNeeded(value) {
      leaveCandidates(value)
      waiting.append(Int32(value))
    } else {
      // Gone for good: what reads it cannot return any more, and is not evicted from now on.
      remove(value)
    }
  }

  private mutating func leaveCandidates(_ value: Int) {
    let place = Int(candidatePlace[value])
    guard place >= 0, let last = candidates.popLast() else { return }
    if place < candidates.count {
      candidates[place] = last
      candidatePlace[Int(last)] = Int32(place)
    }
    candidatePlace[value] = -1
  }

  private mutating func remove(_ value: Int) {
    leaveCandidates(value)
    isResident[value] = false
    residentBytes -= graph.valueBytes[value]
  }

  private mutating func evict(_ value: Int) {
    remove(value)
    let node = Int(graph.valueNode[value])
    var joined = components.add(cost: graph.cost[node])
    forEachEvictedNeighbour(of: value) { joined = $1.join(joined, $0) }
    component[value] = joined
  }

  /// Calls `body` with the component of each evicted neighbour.
  private mutating func forEachEvictedNeighbour(
    of value: Int, _ body: (Int32, inout EvictedComponents) -> Void
  ) {
    workLeft -= graph.inputRange(of: Int(graph.valueNode[value])).count
    workLeft -= graph.userRange(of: value).count + 1
    for slot in graph.inputRange(of: Int(graph.valueNode[value])) {
      let other = component[Int(graph.inputValues[slot])]
      if other >= 0 { body(other, &components) }
    }
    for slot in graph.userRange(of: value) {
      for output in graph.outputs(of: Int(graph.users[slot])) where component[output] >= 0 {
        body(component[output], &components)
      }
    }
  }

  private mutating func score(_ value: Int) -> Double {
    var cost = graph.cost[Int(graph.valueNode[value])]
    components.startSum()
    forEachEvictedNeighbour(of: value) { cost += $1.costOnce($0) }
    return cost / (Double(graph.valueBytes[value]) * max(tick, clock - lastAccess[value]))
  }

  private mutating func makeRoom(for bytes: Int) -> Bool {
    var barred: [Int32] = []
    defer { for value in barred { settle(Int(value)) } }
    while residentBytes + bytes > budgetBytes {
      var best = (score: Double.infinity, value: Int32.max)
      let isAll = candidates.count <= sampleMax
      for index in 0..<min(candidates.count, sampleMax) {
        let value = candidates[isAll ? index : generator.index(below: candidates.count)]
        let score = score(Int(value))
        if (score, value) < best { best = (score, value) }
      }
      guard best.value != .max else { return dropWaiting(for: bytes) }
      if canReturn(Int(best.value)) {
        evict(Int(best.value))
      } else {
        leaveCandidates(Int(best.value))
        barred.append(best.value)
      }
    }
    return true
  }

  /// Releases what waited for something that has returned.
  private mutating func dropWaiting(for bytes: Int) -> Bool {
    for value in waiting.map(Int.init)
    where isResident[value] && lockCount[value] == 0 && graph.valueBytes[value] > 0 {
      if !isNeeded(value) { remove(value) }
    }
    waiting.removeAll { !isResident[Int($0)] || graph.valueBytes[Int($0)] == 0 }
    return residentBytes + bytes <= budgetBytes
  }

  // MARK: What can return, and what is needed for it

  /// Whether neither the node of a value nor an absent one that it would need first is barred.
  private mutating func canReturn(_ value: Int) -> Bool {
    if !hasBarredNodes { return true }
    visit += 1
    var open = [graph.valueNode[value]]
    while let node = open.popLast() {
      workLeft -= 1
      if !mayRun(Int(node)) { return false }
      for slot in graph.inputRange(of: Int(node)) {
        let input = Int(graph.inputValues[slot])
        let producer = graph.valueNode[input]
        if isResident[input] || visited[Int(producer)] == visit { continue }
        visited[Int(producer)] = visit
        open.append(producer)
      }
    }
    return true
  }

  /// The absent values that are not released and cannot return without node `node`.
  private mutating func absentDependents(of node: Int) -> [Int] {
    visit += 1
    visited[node] = visit
    var open = [node]
    var found: [Int] = []
    while let node = open.popLast() {
      workLeft -= 1
      for value in graph.outputs(of: node) where !isResident[value] {
        if readersLeft[value] > 0 { found.append(value) }
        for slot in graph.userRange(of: value) {
          let user = Int(graph.users[slot])
          if hasRun[user], visited[user] != visit {
            visited[user] = visit
            open.append(user)
          }
        }
      }
    }
    return found.sorted()
  }

  /// Whether something absent that is not released would need a resident value to return.
  private mutating func isNeeded(_ value: Int) -> Bool {
    isResident[value] = false
    defer { isResident[value] = true }
    return !absentDependents(of: Int(graph.valueNode[value])).isEmpty
  }

  /// Brings back, and locks, what would need a node that `node` invalidates; nil if it cannot.
  private mutating func secureDependents(ofThoseInvalidatedBy node: Int) -> [Int]? {
    var locked: [Int] = []
    let range = Int(graph.invalidatedStart[node])..<Int(graph.invalidatedStart[node + 1])
    for slot in range {
      for value in absentDependents(of: Int(graph.invalidated[slot])) {
        if !isResident[value], !recompute(Int(graph.valueNode[value])) { return nil }
        lock(value)
        locked.append(value)
      }
    }
    return locked
  }
}

extension RematGraph {
  /// The plans for a ladder of budgets below the peak of keeping everything.
  func onlineEvictionSequences() -> [[Int32]] {
    let peak = figures(of: baseSequence)?.peakBytes ?? 0
    let rungs = rungCount(20, atLeast: 4)
    var sequences = [keepAllSequence()]
    var failures = 0
    for rung in (1..<rungs).reversed() {
      let budget = Int(Double(peak) * Double(rung) / Double(rungs))
      if let sequence = OnlineEviction.run(self, budgetBytes: budget) {
        sequences.append(withPinnedRuns(sequence))
      } else {
        // Smaller budgets fail sooner or later as well.
        failures += 1
        if failures == 3 { break }
      }
    }
    return sequences
  }
}
