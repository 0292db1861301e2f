// Runs the base order under a budget, evicting what is cheap to get back when memory runs short.
//
// Method      Before a node runs, resident values are evicted, lowest score first, until its outputs
//             and scratch fit. A missing input is recomputed right before its use, its own missing
//             inputs first. An evicted value makes its node *pending*: the inputs of a pending node
//             count as needed, so that they are not dropped as dead, unless evicted in their turn.
// Score       weight · cost / (bytes · distance^e): distance to the next use in steps; cost of the node
//             alone or with the missing nodes it needs; weight of the next use, 1 unless given. A lazy
//             heap holds one live entry per value. What is needed when: see `EvictionNeeds.swift`.
// Invariants  Memory never exceeds the budget; `once` nodes and nodes past their deadline are never
//             run again: their values stay while anything pending may need them. Indices are
//             checked in debug builds only: almost all of the time of a plan is spent here.
// Cost        O((steps + reads) log n) with the plain cost.
// Source      Kirisame et al., "Dynamic Tensor Rematerialization", ICLR 2021, arXiv:2006.09616; here
//             next uses are known, and pending nodes are counted.

/// Runs of the base order of one graph, each under a budget.
struct EvictionSimulator: ~Copyable {
  let graph: RematGraph
  // The graph.
  let nodeCost: FixedBuffer<Double>
  private let scratchBytes: FixedBuffer<Int>
  private let outputBytes: FixedBuffer<Int>
  let isOnce: FixedBuffer<Bool>
  let deadline: FixedBuffer<Int32>
  private let overwrites: FixedBuffer<Bool>
  private let outputStart: FixedBuffer<Int32>
  private let inputStart: FixedBuffer<Int32>
  let inputValues: FixedBuffer<Int32>
  private let valueBytes: FixedBuffer<Int>
  let valueNode: FixedBuffer<Int32>
  let isKept: FixedBuffer<Bool>
  let userStart: FixedBuffer<Int32>
  let users: FixedBuffer<Int32>

  // What is asked of the run at hand.
  private var budgetBytes = 0
  private var score = EvictionScore(distanceExponent: 0, countsMissingInputs: false)
  private let stepsMax: Int
  private var costMax = Double.infinity

  private var sequence: [Int32] = []
  private var cost = 0.0
  /// What the last run took, of which 10^8 are about a second: nodes looked at to see what a value
  /// would cost or whether it can be made again; a run of a node counts for several.
  var work = 0
  private static let workOfRun = 8
  private var residentBytes = 0
  private(set) var now = 0
  let isResident: FixedBuffer<Bool>
  /// A run wrote over the value, which is still needed: it is evicted once the run is done.
  private let isOverwritten: FixedBuffer<Bool>
  let lockCount: FixedBuffer<Int32>
  /// Slot of `users` of the next use in base order.
  let cursor: FixedBuffer<Int32>
  /// Pending nodes that read a value, and the earliest time one of them is needed.
  let pendingUserCount: FixedBuffer<Int32>
  let impliedUse: FixedBuffer<Int32>
  let isMissing: FixedBuffer<Bool>
  let missingOutputCount: FixedBuffer<Int32>
  let pendingTime: FixedBuffer<Int32>
  private var heap = EvictionHeap()
  private let stamp: FixedBuffer<Int32>
  /// Nodes whose inputs are locked until they have run, the next one last.
  private var waiting: [Int] = []
  var walk: FixedStack
  let visited: FixedBuffer<Int>
  var visit = 0

  /// A simulator for many runs on `graph`.
  init(_ graph: RematGraph) {
    self.graph = graph
    let (nodeCount, valueCount) = (graph.nodeCount, graph.valueCount)
    nodeCost = FixedBuffer(graph.cost)
    scratchBytes = FixedBuffer(graph.scratchBytes)
    outputBytes = FixedBuffer(graph.outputBytes)
    isOnce = FixedBuffer(graph.isOnce)
    deadline = FixedBuffer(graph.deadline)
    overwrites = FixedBuffer((0..<nodeCount).map { !graph.overwrites(of: $0).isEmpty })
    outputStart = FixedBuffer(graph.outputStart)
    inputStart = FixedBuffer(graph.inputStart)
    inputValues = FixedBuffer(graph.inputValues)
    valueBytes = FixedBuffer(graph.valueBytes)
    valueNode = FixedBuffer(graph.valueNode)
    isKept = FixedBuffer(graph.isKept)
    userStart = FixedBuffer(graph.userStart)
    users = FixedBuffer(graph.users)
    stepsMax = 6 * nodeCount + 4000
    isResident = FixedBuffer(repeating: false, count: valueCount)
    isOverwritten = FixedBuffer(repeating: false, count: valueCount)
    lockCount = FixedBuffer(repeating: 0, count: valueCount)
    cursor = FixedBuffer(repeating: 0, count: valueCount)
    pendingUserCount = FixedBuffer(repeating: 0, count: valueCount)
    impliedUse = FixedBuffer(repeating: .max, count: valueCount)
    isMissing = FixedBuffer(repeating: false, count: valueCount)
    missingOutputCount = FixedBuffer(repeating: 0, count: nodeCount)
    pendingTime = FixedBuffer(repeating: .max, count: nodeCount)
    stamp = FixedBuffer(repeating: 0, count: valueCount)
    walk = FixedStack(capacity: max(nodeCount, valueCount) + 1)
    visited = FixedBuffer(repeating: 0, count: nodeCount)
  }

  /// The values that a node makes.
  private func outputs(of node: Int) -> Range<Int> {
    Int(outputStart[node])..<Int(outputStart[node + 1])
  }
  /// The slots of `inputValues` of a node.
  func inputRange(of node: Int) -> Range<Int> { Int(inputStart[node])..<Int(inputStart[node + 1]) }

  /// A sequence within the budget that keeps to the pins of the graph, or nil if this score finds none
  /// or its cost exceeds `costMax`.
  mutating func run(
    budgetBytes: Int, score: EvictionScore, costMax: Double = .infinity
  ) -> [Int32]? {
    self.budgetBytes = budgetBytes
    self.score = score
    self.costMax = costMax
    reset()
    let isDone = run()
    // The weights are the caller's alone again, who changes them in place.
    self.score.weights = []
    return isDone ? sequence : nil
  }

  private mutating func reset() {
    sequence = []
    sequence.reserveCapacity(graph.nodeCount * 2)
    cost = 0
    work = 0
    residentBytes = 0
    isResident.fill(false)
    isOverwritten.fill(false)
    lockCount.fill(0)
    cursor.copy(userStart, count: cursor.count)
    pendingUserCount.fill(0)
    impliedUse.fill(.max)
    isMissing.fill(false)
    missingOutputCount.fill(0)
    pendingTime.fill(.max)
    heap.removeAll()
    stamp.fill(0)
    waiting.removeAll(keepingCapacity: true)
    walk.removeAll()
  }

  private mutating func run() -> Bool {
    let dropAfter = graph.pinnedDropAfter
    for node in 0..<graph.nodeCount {
      now = node
      lockInputs(of: node)
      for slot in inputRange(of: node) {
        let value = Int(inputValues[slot])
        if !isResident[value], !recompute(value) { return false }
      }
      if !execute(node) { return false }
      for slot in inputRange(of: node) { cursor[Int(inputValues[slot])] += 1 }
      now = node + 1
      unlockInputs(of: node)
      if !dropAfter.isEmpty { applyDrops(dropAfter, at: node) }
    }
    for value in 0..<graph.valueCount where isKept[value] {
      lockCount[value] += 1
      if !isResident[value], !recompute(value) { return false }
    }
    return true
  }

  private mutating func applyDrops(_ dropAfter: [Int32], at node: Int) {
    for value in outputs(of: node) where dropAfter[value] == Int32(node) {
      if isResident[value], canEvict(value) { evict(value) }
    }
    for slot in inputRange(of: node) {
      let value = Int(inputValues[slot])
      if dropAfter[value] == Int32(node), isResident[value], canEvict(value) { evict(value) }
    }
  }

  // MARK: Running nodes

  private mutating func lockInputs(of node: Int) {
    for slot in inputRange(of: node) { lockCount[Int(inputValues[slot])] += 1 }
  }

  private mutating func unlockInputs(of node: Int) {
    for slot in inputRange(of: node) {
      let value = Int(inputValues[slot])
      lockCount[value] -= 1
      settle(value)
    }
  }

  /// Drops a resident value that nothing needs any more; offers it for eviction otherwise.
  private mutating func settle(_ value: Int) {
    guard isResident[value], lockCount[value] == 0 else { return }
    if isOverwritten[value] {
      isOverwritten[value] = false
      if isNeeded(value) { return evict(value) }
    }
    if isNeeded(value) { offer(value) } else { release(value) }
  }

  /// Brings a missing value back, what its node reads first.
  private mutating func recompute(_ value: Int) -> Bool {
    let node = Int(valueNode[value])
    lockInputs(of: node)
    waiting.append(node)
    while let node = waiting.last {
      var missing = -1
      for slot in inputRange(of: node) where !isResident[Int(inputValues[slot])] {
        missing = Int(inputValues[slot])
        break
      }
      if missing >= 0 {
        let producer = Int(valueNode[missing])
        lockInputs(of: producer)
        waiting.append(producer)
        continue
      }
      if isOnce[node] || now > Int(deadline[node]) { return false }
      if !execute(node) { return false }
      unlockInputs(of: node)
      waiting.removeLast()
    }
    return true
  }

  private mutating func execute(_ node: Int) -> Bool {
    // An output that is still resident dies here: this run makes it anew.
    for value in outputs(of: node) where isResident[value] { release(value) }
    let needed = outputBytes[node] + scratchBytes[node]
    if residentBytes + needed > budgetBytes, !makeRoom(for: needed, running: node) { return false }
    sequence.append(Int32(node))
    cost += nodeCost[node]
    work += Self.workOfRun
    if sequence.count > stepsMax || cost > costMax { return false }
    for value in outputs(of: node) {
      isResident[value] = true
      residentBytes += valueBytes[value]
      if isMissing[value] { found(value) }
    }
    for value in outputs(of: node) { settle(value) }
    return true
  }

  mutating func release(_ value: Int) {
    isResident[value] = false
    residentBytes -= valueBytes[value]
  }

  // MARK: Eviction

  private mutating func evict(_ value: Int) {
    let time = nextUse(value)
    release(value)
    miss(value, at: time)
  }

  /// Makes room for `bytes` of outputs and scratch of `node`, less what it writes over dying inputs;
  /// where nothing else is left, over inputs that are needed again.
  private mutating func makeRoom(for bytes: Int, running node: Int) -> Bool {
    if !overwrites[node] { return makeRoom(for: bytes) }
    let saved = graph.overwrittenBytes(of: node) { dies($0, after: node) }
    if makeRoom(for: bytes - saved) { return true }
    for pair in graph.overwrites(of: node) {
      let input = Int(pair.input)
      guard lockCount[input] == 1, !dies(input, after: node), canEvict(input) else { continue }
      isOverwritten[input] = true
      let saved = graph.overwrittenBytes(of: node) { dies($0, after: node) || isOverwritten[$0] }
      if residentBytes + bytes - saved <= budgetBytes { return true }
    }
    return false
  }

  /// Whether nothing but the run of `node` at hand needs an input of it.
  private func dies(_ input: Int, after node: Int) -> Bool {
    guard lockCount[input] == 1, !isKept[input] else { return false }
    let cursor = cursor[input]
    let isLastUse =
      cursor == userStart[input + 1]
      || (node == now && cursor + 1 == userStart[input + 1])
    return isLastUse && pendingUserCount[input] <= (missingOutputCount[node] > 0 ? 1 : 0)
  }

  private mutating func makeRoom(for bytes: Int) -> Bool {
    var setAside: [EvictionHeap.Entry] = []
    defer { for entry in setAside { heap.push(entry) } }
    while residentBytes + bytes > budgetBytes {
      guard let entry = heap.pop() else { return false }
      let value = Int(entry.value)
      guard stamp[value] == entry.stamp, isResident[value] else { continue }
      if lockCount[value] > 0 {
        setAside.append(entry)
        continue
      }
      // Offered anew at its next use.
      if !canEvict(value) { continue }
      let current = scoredEntry(value)
      if let top = heap.top, top < current {
        heap.push(current)
        continue
      }
      evict(value)
    }
    return true
  }

  private mutating func offer(_ value: Int) {
    if valueBytes[value] == 0 || isOnce[Int(valueNode[value])] { return }
    stamp[value] += 1
    heap.push(scoredEntry(value))
  }

  private mutating func scoredEntry(_ value: Int) -> EvictionHeap.Entry {
    let time = nextUse(value)
    var cost = nodeCost[Int(valueNode[value])]
    if score.countsMissingInputs { cost += missingCost(value) }
    let rank = score.rank(
      bytes: valueBytes[value], cost: cost, distance: Double(max(1, Int(time) - now)),
      use: Int(cursor[value]) + value)
    return EvictionHeap.Entry(score: rank, time: time, value: Int32(value), stamp: stamp[value])
  }
}
