// Improves a sequence of runs step by step: annealing over insertions, removals and shifts.
//
// Method      A move changes a few runs: it takes repeated ones out, makes values anew right before a
//             use, with some of what that reads, or shifts a run within the window that its inputs and
//             readers leave. A move is accepted if the cost, plus a price for every byte above the
//             budget, is below a random threshold; the thresholds sink. The price rises while the
//             budget is exceeded and falls while it is kept.
// Invariants  Every node runs at least once, `once` nodes exactly once, pinned nodes twice; the
//             sequence that is returned is within the budget. No clock and no logarithm is used, so
//             the same input gives the same sequence on every machine.
// Cost        One measurement per move that is not refused for its cost alone.
// Source      Annealing over one sequence of runs as in Imanishi et al., "FastSA" (2023); moves and
//             price are our own.

/// A search that starts from one sequence.
struct SequenceSearch: ~Copyable {
  /// What is looked for.
  struct Goal {
    /// Largest memory in use.
    var budgetBytes: Int
    /// Lower the budget whenever it is met, down to `floorBytes`.
    var lowersBudget = false
    var floorBytes = 0
    /// Whether nodes may be made to run more often.
    var insertsRuns = true
    /// Whether first runs stay in the order of the graph.
    var keepsOrder = false
  }

  private let graph: RematGraph
  private var goal: Goal
  private var random: SeededGenerator
  private let meanCost: Double
  /// Weight of the cost beside that of bytes above the budget.
  private let costWeight: Double

  private var profile: SequenceProfile
  private var currentCost: Double
  private var currentFigures: SequenceProfile.Figures
  private var candidateCost = 0.0

  private var runCount: [Int32]
  /// Positions of runs that may be taken out.
  private var removable: [Int32] = []
  private var removed: [Int32] = []
  private var block: [Int32] = []

  /// The first temperature, in mean costs of a node.
  private static let startTemperature = 0.3

  /// The best sequence so far within the budget.
  private(set) var best: [Int32]?
  private var bestCost = Double.infinity
  private var bestPeakBytes = Int.max

  /// A search that starts from `sequence`, in the numbering of `graph`; nil if it cannot run.
  init?(_ graph: RematGraph, from sequence: [Int32], goal: Goal, seed: UInt64) {
    self.graph = graph
    self.goal = goal
    random = SeededGenerator(seed: seed)
    let totalCost = graph.cost.reduce(0, +)
    meanCost = totalCost > 0 ? totalCost / Double(max(1, graph.nodeCount)) : 1
    costWeight = goal.lowersBudget ? 0.05 : 1
    runCount = [Int32](repeating: 0, count: graph.nodeCount)
    guard graph.satisfiesRunCounts(sequence),
      let profile = SequenceProfile(
        graph, sequence: sequence, stepsMax: sequence.count + graph.nodeCount + 64)
    else { return nil }
    currentFigures = profile.currentFigures(budgetBytes: goal.budgetBytes)
    self.profile = profile
    currentCost = sequence.reduce(0.0) { $0 + graph.cost[Int($1)] }
    noteRuns()
  }

  /// Tries `moves` moves.
  mutating func run(moves: Int) {
    let totalBytes = graph.valueBytes.reduce(0, +)
    let basePrice = 2 * meanCost * Double(graph.nodeCount) / Double(max(1, totalBytes))
    var price = basePrice
    func energy(_ cost: Double, _ figures: SequenceProfile.Figures) -> Double {
      let above = max(0, figures.peakBytes - goal.budgetBytes)
      return costWeight * cost + price * (Double(above) + Double(figures.excessBytes) / 8)
    }
    keepBest()
    for move in 0..<moves {
      if move & 63 == 0 {
        let isAbove = currentFigures.peakBytes > goal.budgetBytes
        price = isAbove ? min(price * 1.1, basePrice * 64) : max(price / 1.05, basePrice / 4)
      }
      guard propose() else { continue }
      let left = 1 - Double(move) / Double(moves)
      let temperature = meanCost * (Self.startTemperature * left * left + 1e-6)
      let threshold = energy(currentCost, currentFigures) + temperature * randomExponential()
      if costWeight * candidateCost > threshold { continue }
      let figures = profile.candidateFigures(budgetBytes: goal.budgetBytes)
      guard energy(candidateCost, figures) <= threshold, profile.candidateKeepsInvalidations()
      else { continue }
      profile.acceptCandidate()
      currentCost = candidateCost
      currentFigures = figures
      noteRuns()
      keepBest()
      if goal.lowersBudget, goal.budgetBytes <= goal.floorBytes, best != nil,
        bestPeakBytes <= goal.floorBytes
      {
        return
      }
    }
  }

  private mutating func keepBest() {
    let peak = currentFigures.peakBytes
    guard peak <= goal.budgetBytes else { return }
    let isBetter =
      goal.lowersBudget
      ? (peak, currentCost) < (bestPeakBytes, bestCost) : currentCost < bestCost - 1e-12 * bestCost
    guard isBetter || best == nil else { return }
    best = profile.sequence
    bestCost = currentCost
    bestPeakBytes = peak
    guard goal.lowersBudget else { return }
    goal.budgetBytes = max(goal.floorBytes, peak - max(1, peak / 200))
    currentFigures = profile.currentFigures(budgetBytes: goal.budgetBytes)
  }

  /// Counts runs and lists those that may go.
  private mutating func noteRuns() {
    for node in runCount.indices { runCount[node] = 0 }
    for position in 0..<profile.count { runCount[profile.node(at: position)] += 1 }
    removable.removeAll(keepingCapacity: true)
    if profile.count == graph.nodeCount { return }
    // Ids of nodes grow with their first runs where those stay in order.
    var firstRuns = 0
    for position in 0..<profile.count {
      let node = profile.node(at: position)
      if goal.keepsOrder, node == firstRuns {
        firstRuns += 1
        continue
      }
      if runCount[node] > (graph.runsTwice[node] ? 2 : 1) { removable.append(Int32(position)) }
    }
  }

  /// About exponentially distributed with mean 1: a geometric number of halvings, linear in between.
  private mutating func randomExponential() -> Double {
    let halvings = Double(random.next().leadingZeroBitCount)
    return 0.6931471805599453 * (halvings + random.unit())
  }

  // MARK: Moves

  /// Makes a candidate; false if the move drawn changes nothing.
  private mutating func propose() -> Bool {
    profile.resetCandidate()
    candidateCost = currentCost
    let draw = random.index(below: 100)
    if !goal.insertsRuns { return shift() }
    if removable.isEmpty { return draw < 50 ? insert() : shift() }
    switch draw {
    case 0..<25: return remove()
    case 25..<50: return insert()
    case 50..<70: return remove() && insert()
    default: return shift()
    }
  }

  /// Takes out a repeated run, and sometimes those right after it.
  private mutating func remove() -> Bool {
    if removable.isEmpty { return false }
    let first = random.index(below: removable.count)
    let lengthMax = random.index(below: 4) > 0 ? 1 : 2 + random.index(below: 6)
    let place = Int(removable[first])
    removed.removeAll(keepingCapacity: true)
    defer { for node in removed { runCount[Int(node)] += 1 } }
    while removed.count < lengthMax, first + removed.count < removable.count,
      Int(removable[first + removed.count]) == place + removed.count
    {
      let node = profile.candidateNode(at: place)
      if runCount[node] <= (graph.runsTwice[node] ? 2 : 1) { break }
      if !profile.remove(at: place) { return false }
      runCount[node] -= 1
      removed.append(Int32(node))
      candidateCost -= graph.cost[node]
    }
    return true
  }

  /// Makes a value anew right before a use, with some of what that reads.
  private mutating func insert() -> Bool {
    let peak = min(currentFigures.peakPosition, profile.candidateCount - 1)
    for _ in 0..<8 {
      let isAfterPeak = peak + 1 < profile.candidateCount && random.index(below: 4) > 0
      let place =
        isAfterPeak
        ? peak + 1 + random.index(below: profile.candidateCount - peak - 1)
        : random.index(below: profile.candidateCount)
      let reader = profile.candidateNode(at: place)
      let slots = graph.inputRange(of: reader)
      if slots.isEmpty { continue }
      let value = Int(graph.inputValues[slots.lowerBound + random.index(below: slots.count)])
      let node = Int(graph.valueNode[value])
      if graph.isOnce[node] { continue }
      let last = profile.lastTouch(of: value, before: place)
      if last == place - 1 || (isAfterPeak && last > peak) { continue }
      block.removeAll(keepingCapacity: true)
      block.append(Int32(node))
      // How likely an input is made anew as well: not, half, or nearly all.
      let depth = [0, 0, 50, 85][random.index(below: 4)]
      var next = 0
      while depth > 0, next < block.count, block.count < 16 {
        let reader = Int(block[next])
        next += 1
        for slot in graph.inputRange(of: reader) where random.index(below: 100) < depth {
          let input = Int(graph.inputValues[slot])
          let producer = graph.valueNode[input]
          if graph.isOnce[Int(producer)] || block.contains(producer) { continue }
          let last = profile.lastTouch(of: input, before: place)
          if last == place - 1 || (isAfterPeak && last > peak) { continue }
          block.append(producer)
        }
      }
      if profile.candidateCount + block.count > profile.stepsMax { return false }
      block.sort()
      for (offset, node) in block.enumerated() {
        if !profile.insert(Int(node), at: place + offset) { return false }
        candidateCost += graph.cost[Int(node)]
      }
      return true
    }
    return false
  }

  /// Moves a run to another place between what it reads and what reads it.
  private mutating func shift() -> Bool {
    if goal.keepsOrder, removable.isEmpty { return false }
    let position =
      goal.keepsOrder
      ? Int(removable[random.index(below: removable.count)])
      : random.index(below: profile.candidateCount)
    let node = profile.candidateNode(at: position)
    let window = profile.window(of: position)
    if window.count == 1 { return false }
    let target: Int
    switch random.index(below: 4) {
    case 0: target = window.lowerBound
    case 1: target = window.upperBound
    default: target = window.lowerBound + random.index(below: window.count)
    }
    if target == position { return false }
    return profile.remove(at: position, isMoved: true) && profile.insert(node, at: target)
  }
}
