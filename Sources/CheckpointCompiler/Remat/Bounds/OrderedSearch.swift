// The optimum, or a bound near it, where the order of first runs is given: a search over the sets of
// resident values.
//
// Method      A state is a stage and the set of values that are resident in it. From it, the next node
//             runs first, or an earlier node runs again; before a run, a set of values is dropped that
//             is just large enough, since what can stay may as well. The prices of a staged
//             relaxation bound what is to come from any state, so that states which cannot stay
//             below the cutoff are left out.
// Result      If no schedule is below the cutoff, the cutoff is a bound; else the cheapest
//             schedule is found, and it is optimal. Memory is looked at in every run. One thing is
//             relaxed: outputs that may overwrite inputs always do, though the input stays. Then the
//             schedule found may not fit, and its cost is a bound.
// Cost        The states looked at are counted, and the search gives up at a limit.
// Source      A*: Hart, Nilsson, Raphael, 1968; bounds from multipliers for dynamic programs:
//             Christofides, Mingozzi, Toth, "State-space relaxation", 1981.

/// A search below a cutoff.
struct OrderedSearch {
  /// What a search has found.
  enum Outcome: Equatable {
    /// No schedule costs less than the cutoff.
    case noneBelowCutoff
    /// The cheapest schedule, and its extra cost.
    case optimum(sequence: [Int32], extraCost: Double)
    /// The limit of work was reached.
    case undecided
  }

  private let dual: StagedDual
  private let graph: RematGraph
  private let budgetBytes: Int
  /// Extra cost that schedules have to stay below.
  private let cutoff: Double
  private var workLeft: Int

  /// Bound on the extra cost from each stage on, if nothing is resident but what has to be.
  private var stageBound: [Double] = []
  /// Per value: what its absence adds to the bound, from the current stage on; infinite if it cannot
  /// be absent, and zero if it is of no use.
  private var absence: [Double]
  private var isUseful: [Bool]
  private var usefulValues: [Int] = []
  /// The nodes that may run again in the current stage.
  private var candidates: [Int] = []

  /// Runs in the order in which they were tried: the run, and the one before it.
  private var records: [(node: Int32, previous: Int32)] = []
  private var current: StateTable
  private var next: StateTable
  private var queue: [Int] = []

  /// - Precondition: The moments of `dual` are all nodes in order, and it holds the tables of the
  ///   multipliers to use.
  init(_ dual: StagedDual, budgetBytes: Int, cutoff: Double, workMax: Int) {
    self.dual = dual
    graph = dual.relaxation.graph
    self.budgetBytes = budgetBytes
    self.cutoff = cutoff
    workLeft = workMax
    absence = [Double](repeating: 0, count: graph.valueCount)
    isUseful = [Bool](repeating: false, count: graph.valueCount)
    current = StateTable(valueCount: graph.valueCount)
    next = StateTable(valueCount: graph.valueCount)
    findStageBounds()
  }

  /// Work left of the limit.
  var remainingWork: Int { workLeft }

  private mutating func findStageBounds() {
    let relaxation = dual.relaxation
    var change = [Double](repeating: 0, count: graph.nodeCount + 2)
    stageBound = [Double](repeating: 0, count: graph.nodeCount + 1)
    for value in 0..<graph.valueCount {
      let stages = relaxation.residentStages[value]
      if stages.isEmpty { continue }
      // Until it is made, a value is sure to cost what it does when it is made.
      change[0] += dual.residentCost[dual.stageStart[value]]
      change[Int(stages.lowerBound) + 1] -= dual.residentCost[dual.stageStart[value]]
      for (offset, stage) in stages.enumerated().dropFirst() {
        stageBound[Int(stage)] += dual.residentCost[dual.stageStart[value] + offset]
      }
    }
    var sum = 0.0
    for stage in 0...graph.nodeCount {
      sum += change[stage]
      stageBound[stage] += sum - dual.budgetWorth[stage]
    }
  }

  /// Searches for the cheapest schedule below the cutoff.
  mutating func run() -> Outcome {
    let empty = [UInt64](repeating: 0, count: current.wordCount)
    _ = next.add(empty, cost: 0, remaining: 0, record: -1)
    for stage in 0...graph.nodeCount {
      swap(&current, &next)
      next.removeAll()
      enter(stage)
      queue = Array(0..<current.count)
      var head = 0
      while head < queue.count {
        expand(queue[head], stage)
        if workLeft <= 0 { return .undecided }
        head += 1
      }
    }
    var best = -1
    for state in 0..<next.count where best < 0 || next.cost[state] < next.cost[best] {
      best = state
    }
    if best < 0 { return .noneBelowCutoff }
    var sequence: [Int32] = []
    var record = next.record[best]
    while record >= 0 {
      sequence.append(records[Int(record)].node)
      record = records[Int(record)].previous
    }
    return .optimum(sequence: sequence.reversed(), extraCost: next.cost[best])
  }

  /// Looks up what matters in a stage.
  private mutating func enter(_ stage: Int) {
    let relaxation = dual.relaxation
    usefulValues.removeAll(keepingCapacity: true)
    candidates.removeAll(keepingCapacity: true)
    for value in 0..<graph.valueCount {
      let stages = relaxation.residentStages[value]
      isUseful[value] = stages.contains(Int32(stage))
      absence[value] = 0
      guard isUseful[value] else { continue }
      usefulValues.append(value)
      let place = dual.stageStart[value] + stage - Int(stages.lowerBound)
      absence[value] =
        dual.absentCost[place] == .infinity
        ? .infinity : dual.absentCost[place] - dual.residentCost[place]
    }
    for node in 0..<min(stage, graph.nodeCount)
    where relaxation.runStages[node].contains(Int32(stage))
      && relaxation.cost(of: node, in: stage) < .infinity
    {
      candidates.append(node)
    }
    // Large values first: a set of drops is then as small as its last member makes it.
    usefulValues.sort { (graph.valueBytes[$1], $0) < (graph.valueBytes[$0], $1) }
  }

  private mutating func expand(_ state: Int, _ stage: Int) {
    workLeft -= usefulValues.count + candidates.count
    let cost = current.cost[state]
    var bytes = 0
    var missing = 0.0
    for value in usefulValues {
      if current.contains(value, in: state) {
        bytes += graph.valueBytes[value]
      } else {
        missing += absence[value]
      }
    }
    let bound = stageBound[stage] + missing
    let remaining = max(current.remaining[state], bound)
    if cost + remaining >= cutoff { return }
    let start = Start(state: state, stage: stage, bytes: bytes, bound: bound, remaining: remaining)
    if stage < graph.nodeCount {
      tryRun(stage, from: start, isFirst: true)
    } else {
      var isComplete = true
      for value in usefulValues
      where graph.isKept[value] && !current.contains(value, in: state) { isComplete = false }
      if isComplete {
        _ = next.add(
          Array(current.set(state)), cost: cost, remaining: 0, record: current.record[state])
        return
      }
    }
    for node in candidates where cost + graph.cost[node] < cutoff {
      tryRun(node, from: start, isFirst: false)
    }
  }

  /// A state that runs are tried in.
  private struct Start {
    var state: Int
    var stage: Int
    var bytes: Int
    /// What the prices say of the cost to come, and the best that is known of it.
    var bound: Double
    var remaining: Double
  }

  /// Runs `node` in a state, after every set of drops that makes room for it.
  private mutating func tryRun(_ node: Int, from start: Start, isFirst: Bool) {
    let state = start.state
    for slot in graph.inputRange(of: node)
    where !current.contains(Int(graph.inputValues[slot]), in: state) { return }
    var inUse = start.bytes
    var cost = current.cost[state]
    // Dropping a value does not make the rest cheaper, and running a node not by more than its cost.
    var remaining = start.remaining
    var bound = start.bound
    if !isFirst {
      cost += graph.cost[node]
      remaining -= graph.cost[node]
      var isNew = false
      for value in graph.outputs(of: node) where isUseful[value] {
        if current.contains(value, in: state) {
          inUse -= graph.valueBytes[value]
        } else {
          isNew = true
          bound -= absence[value]
        }
      }
      if !isNew || cost + max(remaining, bound) >= cutoff { return }
    }
    inUse += graph.ownBytes(of: node)
    var set = Array(current.set(state))
    let excess = inUse - budgetBytes
    if excess <= 0 {
      finish(set, node, start, cost: cost, remaining: max(remaining, bound), isFirst: isFirst)
      return
    }
    var droppable: [Int] = []
    var behind = 0
    for value in usefulValues
    where current.contains(value, in: state) && graph.valueBytes[value] > 0
      && cost + bound + absence[value] < cutoff && Int(graph.valueNode[value]) != node
      && !isInput(value, of: node)
    {
      droppable.append(value)
      behind += graph.valueBytes[value]
    }
    workLeft -= droppable.count
    // Depth-first over sets, their members by growing position; `missing` bytes are still to be
    // dropped, and all candidates from `position` on have `behind`.
    var chosen: [Int] = []
    var missing = excess
    var position = 0
    while true {
      if position < droppable.count, behind >= missing, workLeft > 0 {
        let value = droppable[position]
        let bytes = graph.valueBytes[value]
        let bit: UInt64 = 1 << UInt64(value & 63)
        if cost + bound + absence[value] < cutoff {
          workLeft -= 1
          set[value >> 6] &= ~bit
          if bytes >= missing {
            let rest = max(remaining, bound + absence[value])
            finish(set, node, start, cost: cost, remaining: rest, isFirst: isFirst)
            set[value >> 6] |= bit
          } else {
            chosen.append(position)
            missing -= bytes
            bound += absence[value]
          }
        }
        behind -= bytes
        position += 1
        continue
      }
      guard let last = chosen.popLast() else { return }
      let value = droppable[last]
      missing += graph.valueBytes[value]
      bound -= absence[value]
      set[value >> 6] |= 1 << UInt64(value & 63)
      position = last + 1
      behind = 0
      for rest in position..<droppable.count { behind += graph.valueBytes[droppable[rest]] }
    }
  }

  private func isInput(_ value: Int, of node: Int) -> Bool {
    for slot in graph.inputRange(of: node) where Int(graph.inputValues[slot]) == value {
      return true
    }
    return false
  }

  /// Adds the state after a run.
  private mutating func finish(
    _ before: [UInt64], _ node: Int, _ start: Start, cost: Double, remaining: Double, isFirst: Bool
  ) {
    var set = before
    let record = Int32(records.count)
    let nextStage = Int32(isFirst ? start.stage + 1 : start.stage)
    for value in graph.outputs(of: node)
    where dual.relaxation.residentStages[value].contains(nextStage) {
      set[value >> 6] |= 1 << UInt64(value & 63)
    }
    if isFirst {
      for value in usefulValues
      where !dual.relaxation.residentStages[value].contains(nextStage) {
        set[value >> 6] &= ~(1 << UInt64(value & 63))
      }
      if next.add(set, cost: cost, remaining: remaining, record: record) == nil { return }
    } else {
      guard let added = current.add(set, cost: cost, remaining: remaining, record: record) else {
        return
      }
      queue.append(added)
    }
    records.append((Int32(node), current.record[start.state]))
  }
}
