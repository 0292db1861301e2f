// Runs the base order under a budget, evicting what is cheap to get back when memory runs short.
//
// Method      Before a node runs, resident values are evicted, lowest score first, until its outputs
//             and scratch fit. A missing input is recomputed right before its use, its own missing
//             inputs first. An evicted value makes its node *pending*: the inputs of a pending node
//             count as needed, so that they are not dropped as dead, unless evicted in their turn.
// Score       weight · cost / (bytes · distance^e): distance to the next use in steps; cost of the node
//             alone or with the missing nodes it needs; weight of the next use, 1 unless given. A lazy
//             heap holds one live entry per value.
// Invariants  Memory never exceeds the budget; `once` nodes and nodes past their deadline are never
//             run again: their values stay while anything pending may need them.
// Cost        O((steps + reads) log n) with the plain cost.
// Source      Kirisame et al., "Dynamic Tensor Rematerialization", ICLR 2021, arXiv:2006.09616; here
//             next uses are known, and pending nodes are counted.

/// How the simulator ranks values for eviction.
struct EvictionScore: Sendable {
  /// Exponent of the distance to the next use.
  var distanceExponent: Double
  /// Whether the cost includes the missing nodes that the recomputation would need.
  var countsMissingInputs: Bool
  /// Exponent of the cost; 0 ranks by bytes and distance alone.
  var costExponent: Double = 1
  /// A factor for each use that a value may be evicted before: use `k` of `RematGraph.users`, made by
  /// value `v`, has number `k + v`, and after the last use of each value comes its end. Empty means 1.
  var weights: [Double] = []
}

/// One run of the base order under a budget.
struct EvictionSimulator {
  private let graph: RematGraph
  private let budgetBytes: Int
  private let score: EvictionScore
  private let stepsMax: Int
  private let costMax: Double

  private var sequence: [Int32] = []
  private var cost = 0.0
  /// Nodes looked at to see what a value would cost or whether it can be made again; a run counts for
  /// several.
  private var work = 0
  private static let workOfRun = 8
  private var residentBytes = 0
  private var now = 0
  private var isResident: [Bool]
  /// A run wrote over the value, which is still needed: it is evicted once the run is done.
  private var isOverwritten: [Bool]
  private var lockCount: [Int32]
  /// Slot of `users` of the next use in base order.
  private var cursor: [Int32]
  /// Pending nodes that read a value, and the earliest time one of them is needed.
  private var pendingUserCount: [Int32]
  private var impliedUse: [Int32]
  private var isMissing: [Bool]
  private var missingOutputCount: [Int32]
  private var pendingTime: [Int32]
  private var heap = EvictionHeap()
  private var stamp: [Int32]
  private var walk: [Int32] = []
  private var visited: [Int]
  private var visit = 0

  private init(
    _ graph: RematGraph, budgetBytes: Int, score: EvictionScore, stepsMax: Int, costMax: Double
  ) {
    self.graph = graph
    self.budgetBytes = budgetBytes
    self.score = score
    self.stepsMax = stepsMax
    self.costMax = costMax
    let valueCount = graph.valueCount
    isResident = [Bool](repeating: false, count: valueCount)
    isOverwritten = [Bool](repeating: false, count: valueCount)
    lockCount = [Int32](repeating: 0, count: valueCount)
    cursor = Array(graph.userStart.prefix(valueCount))
    pendingUserCount = [Int32](repeating: 0, count: valueCount)
    impliedUse = [Int32](repeating: .max, count: valueCount)
    isMissing = [Bool](repeating: false, count: valueCount)
    missingOutputCount = [Int32](repeating: 0, count: graph.nodeCount)
    pendingTime = [Int32](repeating: .max, count: graph.nodeCount)
    stamp = [Int32](repeating: 0, count: valueCount)
    visited = [Int](repeating: 0, count: graph.nodeCount)
  }

  /// A sequence within the budget, or nil if this score finds none or its cost exceeds `costMax`.
  ///
  /// `dropAfter` names per value a position of the base order after which it is evicted whatever
  /// the budget, or -1; empty takes the graph's pins.
  static func run(
    _ graph: RematGraph, budgetBytes: Int, score: EvictionScore, dropAfter: [Int32] = [],
    costMax: Double = .infinity
  ) -> [Int32]? {
    var work = 0
    return run(
      graph, budgetBytes: budgetBytes, score: score, dropAfter: dropAfter, costMax: costMax,
      work: &work)
  }

  /// The same, and what it took, added to `work`, of which 10^8 are about a second.
  static func run(
    _ graph: RematGraph, budgetBytes: Int, score: EvictionScore, dropAfter: [Int32] = [],
    costMax: Double = .infinity, work: inout Int
  ) -> [Int32]? {
    var simulator = EvictionSimulator(
      graph, budgetBytes: budgetBytes, score: score, stepsMax: 6 * graph.nodeCount + 4000,
      costMax: costMax)
    let isDone = simulator.run(dropAfter: dropAfter.isEmpty ? graph.pinnedDropAfter : dropAfter)
    work += simulator.work + 1
    return isDone ? simulator.sequence : nil
  }

  private mutating func run(dropAfter: [Int32]) -> Bool {
    sequence.reserveCapacity(graph.nodeCount * 2)
    for node in 0..<graph.nodeCount {
      now = node
      lockInputs(of: node)
      for slot in graph.inputRange(of: node) {
        let value = Int(graph.inputValues[slot])
        if !isResident[value], !recompute(value) { return false }
      }
      if !execute(node) { return false }
      for slot in graph.inputRange(of: node) { cursor[Int(graph.inputValues[slot])] += 1 }
      now = node + 1
      unlockInputs(of: node)
      if !dropAfter.isEmpty { applyDrops(dropAfter, at: node) }
    }
    for value in 0..<graph.valueCount where graph.isKept[value] {
      lockCount[value] += 1
      if !isResident[value], !recompute(value) { return false }
    }
    return true
  }

  private mutating func applyDrops(_ dropAfter: [Int32], at node: Int) {
    for value in graph.outputs(of: node) where dropAfter[value] == Int32(node) {
      if isResident[value], canEvict(value) { evict(value) }
    }
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
      if dropAfter[value] == Int32(node), isResident[value], canEvict(value) { evict(value) }
    }
  }

  // MARK: Running nodes

  private mutating func lockInputs(of node: Int) {
    for slot in graph.inputRange(of: node) { lockCount[Int(graph.inputValues[slot])] += 1 }
  }

  private mutating func unlockInputs(of node: Int) {
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
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

  /// Brings a missing value back. The stack holds nodes whose inputs are locked.
  private mutating func recompute(_ value: Int) -> Bool {
    var stack = [Int(graph.valueNode[value])]
    lockInputs(of: stack[0])
    while let node = stack.last {
      var missing = -1
      for slot in graph.inputRange(of: node) where !isResident[Int(graph.inputValues[slot])] {
        missing = Int(graph.inputValues[slot])
        break
      }
      if missing >= 0 {
        let producer = Int(graph.valueNode[missing])
        lockInputs(of: producer)
        stack.append(producer)
        continue
      }
      if graph.isOnce[node] || now > Int(graph.deadline[node]) { return false }
      if !execute(node) { return false }
      unlockInputs(of: node)
      stack.removeLast()
    }
    return true
  }

  private mutating func execute(_ node: Int) -> Bool {
    // An output that is still resident dies here: this run makes it anew.
    for value in graph.outputs(of: node) where isResident[value] { release(value) }
    let needed = graph.outputBytes[node] + graph.scratchBytes[node]
    if residentBytes + needed > budgetBytes, !makeRoom(for: needed, running: node) { return false }
    sequence.append(Int32(node))
    cost += graph.cost[node]
    work += Self.workOfRun
    if sequence.count > stepsMax || cost > costMax { return false }
    for value in graph.outputs(of: node) {
      isResident[value] = true
      residentBytes += graph.valueBytes[value]
      if isMissing[value] { found(value) }
    }
    for value in graph.outputs(of: node) { settle(value) }
    return true
  }

  private mutating func release(_ value: Int) {
    isResident[value] = false
    residentBytes -= graph.valueBytes[value]
  }

  // MARK: What is needed, and when

  private func isNeeded(_ value: Int) -> Bool {
    pendingUserCount[value] > 0 || graph.isKept[value]
      || cursor[value] < graph.userStart[value + 1]
  }

  private mutating func nextUse(_ value: Int) -> Int32 {
    let slot = cursor[value]
    var time = slot < graph.userStart[value + 1] ? graph.users[Int(slot)] : Int32.max
    if time == .max, graph.isKept[value] { time = Int32(graph.nodeCount) }
    if pendingUserCount[value] > 0 {
      if impliedUse[value] < Int32(now) {
        var earliest = Int32.max
        for slot in graph.userRange(of: value) {
          let user = Int(graph.users[slot])
          if missingOutputCount[user] > 0 { earliest = min(earliest, pendingTime[user]) }
        }
        impliedUse[value] = max(earliest, Int32(now))
      }
      time = min(time, impliedUse[value])
    }
    return time
  }

  /// Marks an absent value as needed at `time`; what its node reads is then needed too.
  private mutating func miss(_ value: Int, at time: Int32) {
    walk.append(Int32(value))
    isMissing[value] = true
    while let next = walk.popLast() {
      let node = Int(graph.valueNode[Int(next)])
      missingOutputCount[node] += 1
      if missingOutputCount[node] > 1 {
        pendingTime[node] = min(pendingTime[node], time)
        continue
      }
      pendingTime[node] = time
      for slot in graph.inputRange(of: node) {
        let input = Int(graph.inputValues[slot])
        pendingUserCount[input] += 1
        impliedUse[input] = min(impliedUse[input], time)
        if !isResident[input], !isMissing[input] {
          isMissing[input] = true
          walk.append(Int32(input))
        }
      }
    }
  }

  /// Undoes `miss` for a value that is resident again or no longer needed.
  private mutating func found(_ value: Int) {
    walk.append(Int32(value))
    isMissing[value] = false
    while let next = walk.popLast() {
      let node = Int(graph.valueNode[Int(next)])
      missingOutputCount[node] -= 1
      if missingOutputCount[node] > 0 { continue }
      for slot in graph.inputRange(of: node) {
        let input = Int(graph.inputValues[slot])
        pendingUserCount[input] -= 1
        if pendingUserCount[input] > 0 { continue }
        impliedUse[input] = .max
        if isNeeded(input) { continue }
        if isResident[input] {
          if lockCount[input] == 0 { release(input) }
        } else if isMissing[input] {
          isMissing[input] = false
          walk.append(Int32(input))
        }
      }
    }
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
    let pairs = graph.overwrites(of: node)
    if pairs.isEmpty { return makeRoom(for: bytes) }
    let saved = graph.overwrittenBytes(of: node) { dies($0, after: node) }
    if makeRoom(for: bytes - saved) { return true }
    for pair in pairs {
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
    guard lockCount[input] == 1, !graph.isKept[input] else { return false }
    let cursor = cursor[input]
    let isLastUse =
      cursor == graph.userStart[input + 1]
      || (node == now && cursor + 1 == graph.userStart[input + 1])
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
    if graph.valueBytes[value] == 0 || graph.isOnce[Int(graph.valueNode[value])] { return }
    stamp[value] += 1
    heap.push(scoredEntry(value))
  }

  private mutating func scoredEntry(_ value: Int) -> EvictionHeap.Entry {
    let time = nextUse(value)
    var nodeCost = graph.cost[Int(graph.valueNode[value])]
    if score.countsMissingInputs { nodeCost += missingCost(value) }
    let distance = Double(max(1, Int(time) - now))
    var key = 1 / Double(graph.valueBytes[value])
    key *= score.costExponent == 1 ? nodeCost : power(nodeCost, score.costExponent)
    if !score.weights.isEmpty { key *= score.weights[Int(cursor[value]) + value] }
    if score.distanceExponent != 0 { key /= power(distance, score.distanceExponent) }
    return EvictionHeap.Entry(
      score: key, time: time, value: Int32(value), stamp: stamp[value])
  }

  /// Exponents are 0, ½, 1 or 2, so that the result is the same on every machine.
  private func power(_ x: Double, _ exponent: Double) -> Double {
    switch exponent {
    case 0: 1
    case 0.5: x.squareRoot()
    case 2: x * x
    default: x
    }
  }

  /// Cost of the absent nodes that recomputing `value` would run first, up to 64 of them.
  private mutating func missingCost(_ value: Int) -> Double {
    var sum = 0.0
    var count = 0
    visit += 1
    walk.append(graph.valueNode[value])
    while let node = walk.popLast() {
      work += 1
      for slot in graph.inputRange(of: Int(node)) {
        let input = Int(graph.inputValues[slot])
        let producer = Int(graph.valueNode[input])
        if isResident[input] || visited[producer] == visit || count == 64 { continue }
        visited[producer] = visit
        count += 1
        sum += graph.cost[producer]
        walk.append(Int32(producer))
      }
    }
    return sum
  }

  /// Whether a value can be made again by its next use: neither its node nor an absent node that
  /// nothing else waits for is `once` or past its deadline then.
  private mutating func canEvict(_ value: Int) -> Bool {
    let time = nextUse(value)
    visit += 1
    walk.append(graph.valueNode[value])
    defer { walk.removeAll(keepingCapacity: true) }
    while let node = walk.popLast() {
      work += 1
      if graph.isOnce[Int(node)] || time > graph.deadline[Int(node)] { return false }
      for slot in graph.inputRange(of: Int(node)) {
        let input = Int(graph.inputValues[slot])
        let producer = Int(graph.valueNode[input])
        if isResident[input] || isMissing[input] || visited[producer] == visit { continue }
        visited[producer] = visit
        walk.append(Int32(producer))
      }
    }
    return true
  }
}
