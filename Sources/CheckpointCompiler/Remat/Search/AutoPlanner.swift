// The strategy `auto`: the cheapest of many plans made for a fixed ladder of budgets.
//
// Method      Plans are built by the eviction simulator under several scores, for the base orders and
//             the rungs of a ladder of budgets between the smallest that can be reached and the peak of
//             keeping everything. On each rung, searches over the weights of the scores go on from those
//             of the rung below, and searches over sequences start from keeping everything and from the
//             cheapest plan so far. All plans, and the fixed families of all named strategies, go to one
//             archive, which answers any budget.
// Invariants  What is put in the archive for a rung does not depend on the budget asked for, and a
//             query uses all rungs up to its budget; so a larger budget never costs more. Searches of
//             one rung run side by side, but enter the archive in a fixed order.
// Cost        Work is counted, never timed: see `SearchEffort`.

/// The search of `auto` over one problem.
struct AutoPlanner {
  /// One base order and what it gives when nothing is recomputed.
  struct Base: Sendable {
    var graph: RematGraph
    var order: [Int32]
    var keepAll: SequenceFigures
  }

  private var bases: [Base]
  private let floorBytes: Int
  private let effort: SearchEffort
  private let ladder: BudgetLadder
  /// No plan of a higher cost is asked for.
  private let costMax: Double
  /// Whether first runs stay in the order of the problem.
  private let keepsOrder: Bool
  private let threadCount: Int
  /// The graph of the problem in another order.
  private let makeGraph: @Sendable ([Int32]) -> RematGraph
  /// The rungs from the smallest peak to where nothing needs to be recomputed, known once the smallest
  /// peak is, and how many of them are planned.
  private var rungs: [BudgetLadder.Rung] = []
  private var plannedCount = 0
  /// The searches over weights, one for each base order and score.
  private var evictions: [Eviction] = []
  /// What was found so far.
  private(set) var archive = PlanArchive()

  /// A planner over the given base orders; the first is the problem's own.
  init(
    bases: [Base], floorBytes: Int, costMax: Double, effort: Double, keepsOrder: Bool,
    threadCount: Int, makeGraph: @escaping @Sendable ([Int32]) -> RematGraph
  ) {
    self.bases = bases
    self.floorBytes = floorBytes
    self.costMax = costMax
    self.effort = SearchEffort(effort, graph: bases[0].graph)
    self.keepsOrder = keepsOrder
    self.threadCount = threadCount
    self.makeGraph = makeGraph
    let size = max(bases[0].graph.nodeCount, bases[0].graph.valueCount)
    ladder = BudgetLadder(
      topBytes: bases[0].keepAll.peakBytes,
      count: size > 50_000 ? 10 : (size > 5000 || effort < 0.1 ? 20 : 100))
    for base in bases { record(base.graph.keepAllSequence(), of: base) }
  }

  /// What a simulation has to handle: fused kernels are few, but make many values.
  private var size: Int { max(bases[0].graph.nodeCount, bases[0].graph.valueCount) }

  /// The problem's own numbering, which that of plans is.
  private var graph: RematGraph { bases[0].graph }

  private mutating func record(_ sequence: [Int32], of base: Base) {
    guard let figures = base.graph.figures(of: sequence) else { return }
    guard archive.isBetter(peakBytes: figures.peakBytes, cost: figures.cost) else { return }
    guard base.graph.satisfiesRunCounts(sequence) else { return }
    archive.add(
      PlanArchive.Plan(
        peakBytes: figures.peakBytes, cost: figures.cost,
        sequence: sequence.map { base.order[Int($0)] }))
  }

  // MARK: Construction

  /// The three that reach the smallest budgets come first.
  private static let scores: [EvictionScore] = [
    EvictionScore(distanceExponent: 1, countsMissingInputs: true),
    EvictionScore(distanceExponent: 0, countsMissingInputs: false),
    EvictionScore(distanceExponent: 0.5, countsMissingInputs: true),
    EvictionScore(distanceExponent: 1, countsMissingInputs: false),
    EvictionScore(distanceExponent: 0.5, countsMissingInputs: false),
    EvictionScore(distanceExponent: 1, countsMissingInputs: true, costExponent: 0.5),
    EvictionScore(distanceExponent: 1, countsMissingInputs: false, costExponent: 0),
  ]

  /// Builds plans for one budget with every order and a number of scores, fewer for very large
  /// problems; true if one fits and costs at most `costMax`.
  @discardableResult
  private mutating func construct(_ budgetBytes: Int, scoresMax: Int = 7, costMax: Double) -> Bool {
    let bases = bases
    let scoreCount = min(size > 50_000 ? 2 : (size > 10_000 ? 4 : Self.scores.count), scoresMax)
    let found = concurrentMap(bases.count * scoreCount, threadCount: threadCount) { index in
      var simulator = EvictionSimulator(bases[index / scoreCount].graph)
      return simulator.run(
        budgetBytes: budgetBytes, score: Self.scores[index % scoreCount], costMax: costMax)
    }
    for (index, sequence) in found.enumerated() {
      if let sequence { record(sequence, of: bases[index / scoreCount]) }
    }
    return found.contains { $0 != nil }
  }

  /// Looks for an order of small peak without repetition, and builds plans in it too from then on.
  mutating func searchOrder() {
    let moves = effort.moves(share: SearchEffort.orderShare)
    guard !keepsOrder, moves > 0, graph.pinnedDropAfter.isEmpty else { return }
    guard let start = bases.min(by: { $0.keepAll.peakBytes < $1.keepAll.peakBytes }) else { return }
    let goal = SequenceSearch.Goal(
      budgetBytes: start.keepAll.peakBytes, lowersBudget: true, floorBytes: floorBytes,
      insertsRuns: false)
    let task = Search(start: start.order, moves: moves, goal: goal, seed: 1)
    guard let order = search([task]).first ?? nil else { return }
    let graph = makeGraph(order)
    guard let figures = graph.figures(of: graph.baseSequence),
      figures.peakBytes < start.keepAll.peakBytes
    else { return }
    let base = Base(graph: graph, order: order, keepAll: figures)
    bases.append(base)
    record(graph.baseSequence, of: base)
  }

  /// Looks for the smallest budget that a plan can be made for, by bisection and by search.
  mutating func findMinimum() {
    recordNamedStrategies()
    let roundsMax = size > 50_000 ? 6 : (size > 2000 ? 9 : 16)
    let scoresMax = size > 2000 ? 3 : 7
    // A plan of many times the cost is of no use, but takes long to build.
    let costMax = 4 * max(1, bases[0].keepAll.cost)
    var low = floorBytes - 1
    var rounds = 0
    while let best = archive.plans.first, best.peakBytes - low > 1, rounds < roundsMax {
      // The low end first: many graphs reach their floor.
      let middle = rounds == 0 ? floorBytes : low + (best.peakBytes - low) / 2
      if !construct(middle, scoresMax: scoresMax, costMax: costMax) { low = middle }
      rounds += 1
    }
    searchSmallest()
    guard let smallest = archive.plans.first, let free = archive.smallest(costing: leastCost) else {
      return
    }
    rungs = ladder.rungs.filter {
      $0.bytes >= smallest.peakBytes && $0.bytes < free.peakBytes
    }
  }

  private mutating func recordNamedStrategies() {
    let bases = bases
    let strategies = RematGraph.namedStrategies
    let families = concurrentMap(bases.count * strategies.count, threadCount: threadCount) {
      bases[$0 / strategies.count].graph.sequences(of: strategies[$0 % strategies.count])
    }
    for (index, family) in families.enumerated() {
      for sequence in family { record(sequence, of: bases[index / strategies.count]) }
    }
  }

  // MARK: Search

  /// One search over sequences.
  private struct Search: Sendable {
    var start: [Int32]
    var moves: Int
    var goal: SequenceSearch.Goal
    var seed: UInt64
  }

  /// Runs searches side by side; what they find enters the archive in their order.
  @discardableResult
  private mutating func search(_ tasks: [Search]) -> [[Int32]?] {
    let graph = graph
    let found = concurrentMap(tasks.count, threadCount: threadCount) { index -> [Int32]? in
      let task = tasks[index]
      guard
        var search = SequenceSearch(graph, from: task.start, goal: task.goal, seed: task.seed)
      else { return nil }
      search.prune()
      search.run(moves: task.moves)
      return search.best
    }
    for case let sequence? in found { record(sequence, of: bases[0]) }
    return found
  }

  private mutating func searchSmallest() {
    let moves = effort.moves(share: SearchEffort.smallestShare)
    guard moves > 0, let smallest = archive.plans.first, smallest.peakBytes > floorBytes else {
      return
    }
    let goal = SequenceSearch.Goal(
      budgetBytes: smallest.peakBytes, lowersBudget: true, floorBytes: floorBytes,
      keepsOrder: keepsOrder)
    search([
      Search(start: smallest.sequence, moves: moves, goal: goal, seed: 1),
      Search(start: graph.keepAllSequence(), moves: moves, goal: goal, seed: 2),
    ])
  }

  /// Plans every rung up to `budgetBytes` that is not planned yet.
  mutating func climb(to budgetBytes: Int) {
    let weightSum = rungs.reduce(0.0) { $0 + $1.weight }
    while plannedCount < rungs.count, rungs[plannedCount].bytes <= budgetBytes {
      let rung = rungs[plannedCount]
      plannedCount += 1
      if size <= 200 || rung.weight > 1 {
        let best = archive.best(within: rung.bytes)
        construct(rung.bytes, costMax: best?.cost ?? .infinity)
      }
      searchWeights(rung)
      let share = SearchEffort.ladderShare * rung.weight / weightSum
      searchRung(rung, moves: effort.moves(share: share))
    }
  }

  // MARK: Weights

  /// A search over weights in one of the base orders.
  private struct Eviction: Sendable {
    var base: Int
    var search: EvictionSearch
    var plan: EvictionSearch.Plan?
  }

  /// The share of a rung of the work of the simulator: the closer to the smallest budget, the more there
  /// is to gain. Where it is too small to be of use, only rungs of round fractions have one, a larger one.
  private func evictionWork(_ rung: BudgetLadder.Rung) -> Double {
    let least = Double(rungs[0].bytes)
    func part(_ rung: BudgetLadder.Rung) -> Double {
      let ratio = least / Double(rung.bytes)
      return ratio * ratio * ratio * ratio * ratio
    }
    let work = effort.evictionWork * part(rung)
    let share = work / rungs.reduce(0) { $0 + part($1) }
    if share >= effort.evictionWorkMin { return share }
    let sum = rungs.reduce(0) { $0 + ($1.weight > 1 ? part($1) : 0) }
    return rung.weight > 1 && work >= effort.evictionWorkMin * sum ? work / sum : 0
  }

  /// How many pairs of order and score are tried on a rung, but for those of round fractions, and how
  /// many of them are improved.
  private static let pairsTried = 8
  private static let pairsImproved = 4

  /// Improves the plans of the simulator for a rung: those of the few pairs of order and score that do
  /// best there, each from the weights that it had on the rung below. Then the best plan of all.
  private mutating func searchWeights(_ rung: BudgetLadder.Rung) {
    let work = evictionWork(rung)
    guard work > 0, let known = archive.best(within: rung.bytes), known.cost > leastCost,
      known.cost <= costMax
    else { return }
    if evictions.isEmpty {
      for base in bases.indices {
        for score in Self.scores {
          let search = EvictionSearch(
            bases[base].graph, score: score, seed: UInt64(evictions.count))
          evictions.append(Eviction(base: base, search: search))
        }
      }
    }
    let begin = evictions.reduce(0) { $0 + $1.search.work }
    let isFirst = evictions.allSatisfy { $0.plan == nil }
    changeCheapest(isFirst || rung.weight > 1 ? evictions.count : Self.pairsTried) { eviction in
      eviction.plan = eviction.search.plan(within: rung.bytes, costMax: 2 * known.cost)
    }
    let used = evictions.reduce(0) { $0 + $1.search.work } - begin
    let workMax = (Int(2 * work) - used) / Self.pairsImproved
    if workMax > 0 {
      changeCheapest(Self.pairsImproved) { eviction in
        eviction.plan = eviction.plan.map {
          eviction.search.improve($0, within: rung.bytes, workMax: workMax)
        }
      }
    }
    for eviction in evictions {
      if let plan = eviction.plan { record(plan.sequence, of: bases[eviction.base]) }
    }
    guard let best = archive.best(within: rung.bytes), best.cost > leastCost else { return }
    var goal = SequenceSearch.Goal(budgetBytes: rung.bytes, keepsOrder: keepsOrder)
    goal.startTemperature = 0.1
    let polishing = Int(work * effort.movesPerWork / 2)
    search((4..<6).map { Search(start: best.sequence, moves: polishing, goal: goal, seed: $0) })
  }

  /// Changes the pairs whose plans are cheapest so far, side by side.
  private mutating func changeCheapest(
    _ count: Int, _ change: @Sendable (inout Eviction) -> Void
  ) {
    let costs = evictions.map { $0.plan?.cost ?? .infinity }
    let order = evictions.indices.sorted { (costs[$0], $0) < (costs[$1], $1) }.prefix(count)
    let chosen = order.map { evictions[$0] }
    let changed = concurrentMap(chosen.count, threadCount: threadCount) { index in
      var eviction = chosen[index]
      change(&eviction)
      return eviction
    }
    for (index, eviction) in zip(order, changed) { evictions[index] = eviction }
  }

  /// Nothing costs less than what keeping everything costs, pins considered.
  private var leastCost: Double { archive.plans.last?.cost ?? 0 }

  /// Improves the cheapest plan of a rung, in two rounds of two searches.
  private mutating func searchRung(_ rung: BudgetLadder.Rung, moves: Int) {
    // Without a move, what was built is pruned.
    guard moves > 0 || rung.weight > 1 else { return }
    let goal = SequenceSearch.Goal(budgetBytes: rung.bytes, keepsOrder: keepsOrder)
    // A plan of many repetitions may be the wrong end to start from; the other end is none, but it
    // takes many moves from there.
    let startsAnew = rung.weight > 1 && moves > 100 * graph.nodeCount
    for round in 0..<(moves > 0 ? 2 : 1) {
      guard let best = archive.best(within: goal.budgetBytes), best.cost > leastCost else { return }
      let isAnew = startsAnew && round == 0
      var hot = goal
      hot.startTemperature = isAnew ? 3 : 1
      var cool = goal
      // Of a large plan that has drifted above the budget, little finds its way back.
      cool.staysWithin = graph.nodeCount > 5000
      cool.startTemperature = cool.staysWithin ? 0.02 : 0.1
      let seed = UInt64(round * 2)
      search([
        Search(
          start: isAnew ? graph.keepAllSequence() : best.sequence, moves: moves / 2, goal: hot,
          seed: seed),
        Search(start: best.sequence, moves: moves / 2, goal: cool, seed: seed + 1),
      ])
    }
  }
}
