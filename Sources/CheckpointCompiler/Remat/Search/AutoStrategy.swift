// The strategy `auto`: the cheapest of many plans made for a fixed ladder of budgets.
//
// Method      For each base order and each rung of a ladder of budgets between the smallest that can
//             be reached and the peak of keeping everything, plans are built by the eviction
//             simulator under several scores and improved by local search. All plans go to one
//             archive, which answers any budget.
// Invariants  What is put in the archive for a rung does not depend on the budget asked for, and a
//             query uses all rungs up to its budget; so a larger budget never costs more.
// Cost        Work is counted, never timed.

/// Plans that no other known plan beats in both peak and cost.
struct PlanArchive {
  /// One plan, its nodes numbered as in the problem.
  struct Plan {
    var peakBytes: Int
    var cost: Double
    var sequence: [Int32]
  }

  /// By growing peak; costs fall strictly.
  private(set) var plans: [Plan] = []

  /// The cheapest plan within a budget.
  func best(within budgetBytes: Int) -> Plan? {
    plans.last { $0.peakBytes <= budgetBytes }
  }

  /// The plan with the smallest peak among those of at most `cost`.
  func smallest(costing cost: Double) -> Plan? { plans.first { $0.cost <= cost } }

  /// Whether a plan of these figures would be new.
  func isBetter(peakBytes: Int, cost: Double) -> Bool {
    guard let rival = best(within: peakBytes) else { return true }
    return cost < rival.cost
  }

  /// Adds a plan unless another is as good.
  mutating func add(_ plan: Plan) {
    guard isBetter(peakBytes: plan.peakBytes, cost: plan.cost) else { return }
    plans.removeAll { $0.peakBytes >= plan.peakBytes && $0.cost >= plan.cost }
    let place = plans.firstIndex { $0.peakBytes > plan.peakBytes } ?? plans.count
    plans.insert(plan, at: place)
  }
}

/// The search of `auto` over one problem.
struct AutoPlanner {
  /// One base order and what it gives when nothing is recomputed.
  struct Base {
    var graph: RematGraph
    var order: [Int32]
    var keepAll: SequenceFigures
  }

  private(set) var bases: [Base]
  let floorBytes: Int
  let effort: Double
  /// Whether first runs stay in the order of the problem.
  let keepsOrder: Bool
  /// The graph of the problem in another order.
  let makeGraph: @Sendable ([Int32]) -> RematGraph
  private(set) var archive = PlanArchive()
  /// The first rung that is not planned yet.
  private var nextRung = 1

  /// A planner over the given base orders; the first is the problem's own.
  init(
    bases: [Base], floorBytes: Int, effort: Double, keepsOrder: Bool,
    makeGraph: @escaping @Sendable ([Int32]) -> RematGraph
  ) {
    self.makeGraph = makeGraph
    self.bases = bases
    self.floorBytes = floorBytes
    self.effort = effort
    self.keepsOrder = keepsOrder
    for base in bases { record(base.graph.keepAllSequence(), of: base) }
  }

  private static let scores: [EvictionScore] = [
    EvictionScore(distanceExponent: 1, countsMissingInputs: false),
    EvictionScore(distanceExponent: 0, countsMissingInputs: false),
    EvictionScore(distanceExponent: 1, countsMissingInputs: true),
    EvictionScore(distanceExponent: 0.5, countsMissingInputs: true),
    EvictionScore(distanceExponent: 0.5, countsMissingInputs: false),
    EvictionScore(distanceExponent: 1, countsMissingInputs: true, costExponent: 0.5),
    EvictionScore(distanceExponent: 1, countsMissingInputs: false, costExponent: 0),
  ]

  /// Scores tried, fewer for very large problems.
  private var scoreCount: Int { size > 50_000 ? 2 : (size > 10_000 ? 4 : Self.scores.count) }

  /// What a simulation has to handle: fused kernels are few, but make many values.
  private var size: Int { max(bases[0].graph.nodeCount, bases[0].graph.valueCount) }

  private mutating func record(_ sequence: [Int32], of base: Base) {
    guard let figures = base.graph.figures(of: sequence) else { return }
    guard archive.isBetter(peakBytes: figures.peakBytes, cost: figures.cost) else { return }
    guard base.graph.satisfiesRunCounts(sequence) else { return }
    archive.add(
      PlanArchive.Plan(
        peakBytes: figures.peakBytes, cost: figures.cost,
        sequence: sequence.map { base.order[Int($0)] }))
  }

  /// Builds plans for one budget with every order and score; true if one fits.
  @discardableResult
  private mutating func construct(_ budgetBytes: Int) -> Bool {
    var fits = false
    for base in bases {
      for score in Self.scores.prefix(scoreCount) {
        guard
          let sequence = EvictionSimulator.run(base.graph, budgetBytes: budgetBytes, score: score)
        else { continue }
        fits = true
        record(sequence, of: base)
      }
    }
    return fits
  }

  /// Looks for the smallest budget that a plan can be built for, by bisection.
  mutating func findMinimum() {
    let limit = size > 50_000 ? 3 : (size > 10_000 ? 6 : 20)
    for base in bases {
      record(base.graph.sqrtSequence(), of: base)
      record(base.graph.cheapSequence(), of: base)
    }
    var low = floorBytes - 1
    var rounds = 0
    while let best = archive.plans.first, best.peakBytes - low > 1, rounds < limit {
      // The low end first: many graphs reach their floor.
      let middle = rounds == 0 ? floorBytes : low + (best.peakBytes - low) / 2
      if !construct(middle) { low = middle }
      rounds += 1
    }
    if let smallest = archive.plans.first { improve(within: smallest.peakBytes) }
    searchSmallest()
  }

  // MARK: Search

  /// Work of the search at effort 1, in steps and reads looked at.
  private static let searchWork = 20_000_000.0
  /// Parts of the work: to find a good order, the smallest peak, and each weighted rung.
  private static let orderShare = 0.15
  private static let smallestShare = 0.1
  private static let rungShare = 0.75 / 280

  /// How many moves a share of the work pays for; 0 if too few to be of use.
  private func moves(share: Double) -> Int {
    let graph = bases[0].graph
    let work = graph.nodeCount * 2 + graph.inputValues.count + graph.valueCount
    // Small graphs are done sooner.
    let movesMax = min(Self.searchWork / Double(max(1, work)), 300 * Double(graph.nodeCount))
    let moves = movesMax * effort * share
    return moves < 20 ? 0 : Int(min(moves, 1e8))
  }

  /// Looks for an order of small peak without repetition, and plans in it from then on.
  mutating func searchOrder() {
    let moves = moves(share: Self.orderShare)
    guard !keepsOrder, moves > 0, bases[0].graph.pinnedDropAfter.isEmpty else { return }
    guard let start = bases.min(by: { $0.keepAll.peakBytes < $1.keepAll.peakBytes }) else { return }
    let goal = SequenceSearch.Goal(
      budgetBytes: start.keepAll.peakBytes, lowersBudget: true, floorBytes: floorBytes,
      insertsRuns: false)
    guard var search = SequenceSearch(bases[0].graph, from: start.order, goal: goal, seed: 1) else {
      return
    }
    search.run(moves: moves)
    guard let order = search.best else { return }
    let graph = makeGraph(order)
    guard let figures = graph.figures(of: graph.baseSequence),
      figures.peakBytes < start.keepAll.peakBytes
    else { return }
    let base = Base(graph: graph, order: order, keepAll: figures)
    bases.append(base)
    record(graph.baseSequence, of: base)
  }

  private mutating func searchSmallest() {
    let moves = moves(share: Self.smallestShare)
    guard moves > 0, let smallest = archive.plans.first else { return }
    search(
      from: smallest.sequence, moves: moves,
      goal: SequenceSearch.Goal(
        budgetBytes: smallest.peakBytes, lowersBudget: true, floorBytes: floorBytes,
        keepsOrder: keepsOrder))
  }

  /// Improves the cheapest plan of a rung.
  private mutating func searchRung(_ rung: Int, of count: Int, within budgetBytes: Int) {
    // Round fractions are what is asked for most.
    let weight = rung * 10 % count == 0 ? 20.0 : (rung * 20 % count == 0 ? 4.0 : 0.5)
    let moves = moves(share: Self.rungShare * weight)
    guard moves > 0, let best = archive.best(within: budgetBytes) else { return }
    // Nothing is cheaper than running every node once.
    if best.sequence.count == bases[0].graph.nodeCount { return }
    let goal = SequenceSearch.Goal(budgetBytes: budgetBytes, keepsOrder: keepsOrder)
    var movesLeft = moves
    // A plan of many repetitions may be the wrong end to start from; the other end is none.
    if weight > 1, best.cost > 1.1 * bases[0].keepAll.cost,
      let start = bases.min(by: { $0.keepAll.peakBytes < $1.keepAll.peakBytes })
    {
      movesLeft = moves / 2
      search(from: start.order, moves: moves - movesLeft, goal: goal)
    }
    if let best = archive.best(within: budgetBytes) {
      search(from: best.sequence, moves: movesLeft, goal: goal)
    }
  }

  private mutating func search(from sequence: [Int32], moves: Int, goal: SequenceSearch.Goal) {
    guard
      var search = SequenceSearch(bases[0].graph, from: sequence, goal: goal, seed: 1)
    else { return }
    search.run(moves: moves)
    if let found = search.best { record(found, of: bases[0]) }
  }

  /// Plans every rung up to `budgetBytes` that is not planned yet.
  mutating func climb(to budgetBytes: Int) {
    let top = bases[0].keepAll.peakBytes
    let count =
      size > 50_000 ? 4 : (size > 10_000 ? 10 : (size > 2000 || effort < 0.1 ? 20 : 100))
    for rung in nextRung..<max(count, nextRung) {
      let rungBytes = top / count * rung + top % count * rung / count
      if rungBytes > budgetBytes { break }
      nextRung = rung + 1
      guard let smallest = archive.plans.first, rungBytes >= smallest.peakBytes else { continue }
      construct(rungBytes)
      improve(within: rungBytes)
      searchRung(rung, of: count, within: rungBytes)
    }
  }

  /// Takes runs out of the cheapest plan of a budget, the most expensive first, as long as what they
  /// made can stay in memory, or was not needed before it was made again.
  ///
  /// The simulator decides with what it knows when memory runs short; with the whole plan at hand, some
  /// of its repetitions turn out to be for nothing.
  private mutating func improve(within budgetBytes: Int) {
    // A long plan would take the whole work for a handful of tries.
    guard size <= 50_000, let best = archive.best(within: budgetBytes) else { return }
    // Plans are numbered as the problem is, and so is the graph of its own order.
    let graph = bases[0].graph
    var sequence = best.sequence
    var evaluations = max(1, Int(Self.improvementWork * min(1, effort)) / max(1, sequence.count))
    var hasChanged = true
    while hasChanged, evaluations > 0 {
      hasChanged = false
      var runs = [Int32](repeating: 0, count: graph.nodeCount)
      var isFirst = [Bool](repeating: false, count: sequence.count)
      for (position, node) in sequence.enumerated() {
        isFirst[position] = runs[Int(node)] == 0
        runs[Int(node)] += 1
      }
      let repeated = sequence.indices
        .filter { runs[Int(sequence[$0])] > 1 && !(keepsOrder && isFirst[$0]) }
        .sorted { (graph.cost[Int(sequence[$1])], $0) < (graph.cost[Int(sequence[$0])], $1) }
      for position in repeated where evaluations > 0 {
        var candidate = sequence
        candidate.remove(at: position)
        evaluations -= 1
        guard let figures = graph.figures(of: candidate), figures.peakBytes <= budgetBytes,
          graph.satisfiesRunCounts(candidate)
        else { continue }
        sequence = candidate
        hasChanged = true
        // Positions have moved.
        break
      }
    }
    record(sequence, of: bases[0])
  }

  /// Steps of plans that the improvement of one rung may look at.
  private static let improvementWork = 20_000_000.0
}
