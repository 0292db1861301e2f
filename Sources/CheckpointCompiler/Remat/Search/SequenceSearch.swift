// Improves a sequence of runs step by step: annealing over insertions, removals and shifts.
//
// Method      A move changes a few runs: see `SequenceMoves.swift`. It is accepted if the cost, plus a
//             price for every byte above the budget, is below a random threshold; the thresholds
//             sink. The price rises while the budget is exceeded and falls while it is kept.
// Invariants  Every node runs at least once, `once` nodes exactly once, pinned nodes twice; the
//             sequence that is returned is within the budget. No clock and no logarithm is used, so
//             the same input gives the same sequence on every machine.
// Cost        A move that is refused for its cost alone changes nothing; others cost a few changes of
//             a `RunSequence`.
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
    /// Whether a sequence within the budget stays within it.
    var staysWithin = false
    /// The first temperature, in mean costs of a node.
    var startTemperature = 0.3
  }

  let graph: RematGraph
  private(set) var goal: Goal
  var random: SeededGenerator
  let meanCost: Double
  /// Weight of the cost beside that of bytes above the budget.
  let costWeight: Double

  var runs: RunSequence
  private var currentCost: Double
  private var currentFigures: (peakBytes: Int, excessBytes: Int)
  /// The slot of the current peak; nil if not looked up yet.
  var peakSlot: Int?
  /// Energy above which a candidate is refused.
  var threshold = 0.0
  /// Whether a run was not put in for lack of an empty slot.
  var isCrowded = false
  /// Nodes to be put in.
  var block: [Int32] = []
  /// Empty slots for them, last first.
  var slots: [Int32] = []

  /// The best sequence so far within the budget.
  private(set) var best: [Int32]?
  private(set) var bestCost = Double.infinity
  private(set) var bestPeakBytes = Int.max

  /// A search that starts from `sequence`, in the numbering of `graph`; nil if it cannot run.
  init?(_ graph: RematGraph, from sequence: [Int32], goal: Goal, seed: UInt64) {
    self.graph = graph
    self.goal = goal
    random = SeededGenerator(seed: seed)
    let totalCost = graph.cost.reduce(0, +)
    meanCost = totalCost > 0 ? totalCost / Double(max(1, graph.nodeCount)) : 1
    costWeight = goal.lowersBudget ? 0.05 : 1
    guard
      var runs = RunSequence(
        graph, sequence: sequence, limitBytes: goal.budgetBytes, keepsFirstRuns: goal.keepsOrder)
    else { return nil }
    currentFigures = runs.figures()
    currentCost = runs.totalCost
    self.runs = runs
  }

  /// Tries `moves` moves.
  mutating func run(moves: Int) {
    let totalBytes = graph.valueBytes.reduce(0, +)
    let nodeCount = Double(max(1, graph.nodeCount))
    let basePrice = 2 * meanCost * nodeCount / Double(max(1, totalBytes))
    // A value dropped relieves the more runs the longer the sequence is: the price starts low, so that
    // what is dropped first is what costs little. A plan that fits is not to fall apart.
    let leastPrice = basePrice * (goal.staysWithin ? 64 : min(0.25, 16 / nodeCount))
    var price =
      currentFigures.peakBytes > goal.budgetBytes ? leastPrice : max(basePrice, leastPrice)
    let round = max(16, graph.nodeCount / 20)
    var lastSpread = 0
    keepBest()
    for move in 0..<moves {
      if move % round == 0 {
        let isAbove = currentFigures.peakBytes > goal.budgetBytes
        price = isAbove ? min(price * 1.1, basePrice * 64) : max(price / 1.05, leastPrice)
        if isCrowded, move - lastSpread > runs.count {
          runs.spread()
          currentCost = runs.totalCost
          peakSlot = nil
          isCrowded = false
          lastSpread = move
        }
      }
      let left = 1 - Double(move) / Double(moves)
      let temperature = meanCost * (goal.startTemperature * left * left + 1e-6)
      threshold =
        energy(currentCost, currentFigures, price) + temperature * randomExponential()
      if propose(), costWeight * runs.totalCost <= threshold {
        let figures = runs.figures()
        if energy(runs.totalCost, figures, price) <= threshold {
          runs.commit()
          currentCost = runs.totalCost
          currentFigures = figures
          peakSlot = nil
          keepBest()
          if goal.lowersBudget, goal.budgetBytes <= goal.floorBytes,
            bestPeakBytes <= goal.floorBytes
          {
            return
          }
          continue
        }
      }
      runs.undo()
      runs.setCost(currentCost)
    }
  }

  /// Takes runs out, the most expensive first, as long as that keeps the budget.
  mutating func prune() {
    for slot in runs.removable.sorted(by: {
      let (a, b) = (runs.node(at: Int($0)), runs.node(at: Int($1)))
      return (runs.cost[b], $0) < (runs.cost[a], $1)
    }) where runs.isRemovable(Int(slot)) && runs.canRemove(at: Int(slot)) {
      runs.remove(at: Int(slot))
      let figures = runs.figures()
      if figures.peakBytes <= max(goal.budgetBytes, currentFigures.peakBytes) {
        runs.commit()
        currentCost = runs.totalCost
        currentFigures = figures
      } else {
        runs.undo()
        runs.setCost(currentCost)
      }
    }
    peakSlot = nil
    keepBest()
  }

  private func energy(
    _ cost: Double, _ figures: (peakBytes: Int, excessBytes: Int), _ price: Double
  ) -> Double {
    let above = max(0, figures.peakBytes - goal.budgetBytes)
    return costWeight * cost + price * (Double(above) + Double(figures.excessBytes) / 8)
  }

  private mutating func keepBest() {
    let peak = currentFigures.peakBytes
    guard peak <= goal.budgetBytes else { return }
    let isBetter =
      goal.lowersBudget
      ? (peak, currentCost) < (bestPeakBytes, bestCost) : currentCost < bestCost - 1e-12 * bestCost
    guard isBetter || best == nil else { return }
    best = runs.sequence
    bestCost = currentCost
    bestPeakBytes = peak
    guard goal.lowersBudget else { return }
    goal.budgetBytes = max(goal.floorBytes, peak - max(1, peak / 200))
    runs.setLimit(goal.budgetBytes)
    currentFigures = runs.figures()
  }

  /// About exponentially distributed with mean 1: a geometric number of halvings, linear in between.
  private mutating func randomExponential() -> Double {
    let halvings = Double(random.next().leadingZeroBitCount)
    return 0.6931471805599453 * (halvings + random.unit())
  }
}
