// The planner's entry point: problem and options in, plan and figures out.

/// Plans `problem`.
///
/// The result never claims a peak above the budget unless its status is `infeasible`. Equal input
/// gives equal output; with the strategy `auto`, a larger budget never gives a higher cost.
///
/// - Complexity: Near-linear in nodes and reads per plan tried; the number of plans is bounded by
///   `effort`.
public func solve(_ problem: RematProblem, options: SolveOptions = SolveOptions()) -> SolveResult {
  var search = PlanSearch(problem, options: options)
  return search.result()
}

/// One problem and what is asked of it: plans for growing budgets, and the answer that a budget gets
/// out of them.
struct PlanSearch {
  let problem: RematProblem
  private(set) var options: SolveOptions
  /// The budget asked for, if one was.
  let budgetBytes: Int?
  private let graph: RematGraph
  private let pins: AppliedPins
  let keepAll: SequenceFigures
  private let floor: MinimumBudget
  /// No plan of a higher cost will be asked for: the search need not improve any. Set before the first
  /// plan is.
  private var costMax = Double.infinity
  private var remarks: [String] = []
  /// The search of `auto`, as far as it has come.
  private var auto: AutoPlanner?

  init(_ problem: RematProblem, options: SolveOptions) {
    self.problem = problem
    self.options = options
    budgetBytes = options.budgetBytes ?? problem.budgetBytes
    let given = BaseOrder.given(problem)
    var graph = RematGraph(problem, order: given)
    pins = AppliedPins(options.pins, problem: problem, remarks: &remarks)
    pins.apply(to: &graph, order: given)
    keepAll =
      graph.figures(of: graph.baseSequence)
      ?? SequenceFigures(peakBytes: 0, peakPosition: 0, cost: 0)
    floor = MinimumBudget(graph, keepsOrder: options.order == .given)
    self.graph = graph
    if options.strategy != .auto, options.strategy.isAdjustable, budgetBytes == nil,
      options.maxOverhead == nil
    {
      remarks.append(
        "the strategy '\(options.strategy.rawValue)' plans for a budget; without one its cheapest "
          + "plan is taken")
    }
  }

  /// The answer to what the options ask.
  mutating func result() -> SolveResult {
    guard let overhead = options.maxOverhead else {
      let archive = archive(upTo: budgetBytes)
      return result(archive.best(within: budgetBytes ?? .max), of: archive, within: budgetBytes)
    }
    limitOverhead(overhead)
    let archive = archive(upTo: min(budgetBytes ?? .max, keepAll.peakBytes))
    let small = archive.smallest(costing: keepAll.cost * (1 + max(0, overhead)) + 1e-9)
    let chosen = small.flatMap { $0.peakBytes <= budgetBytes ?? .max ? $0 : nil }
    return result(chosen, of: archive, within: budgetBytes)
  }

  /// Says that only plans of at most an overhead will be asked for; what is known to cost twice of that
  /// is not worth a search.
  mutating func limitOverhead(_ overhead: Double) {
    costMax = keepAll.cost * (1 + 2 * max(0, overhead)) + 1e-9
  }

  /// Sets how long `auto` searches; of use before the first plan is asked for.
  mutating func limitSearch(seconds: Double) { options.searchSeconds = seconds }

  /// The plans of the strategy, for budgets up to `limit`; without one, the smallest and those that
  /// fall off on the way to it.
  mutating func archive(upTo limit: Int?) -> PlanArchive {
    switch options.strategy {
    case .none, .sqrt, .greedy, .revolve, .chain, .lowerSets, .minimumCut, .dtr, .cheap:
      return graph.archive(of: options.strategy)
    case .auto:
      var planner = auto ?? autoPlanner()
      if auto == nil {
        planner.searchOrder()
        planner.findMinimum()
      }
      if let limit { planner.climb(to: limit) }
      auto = planner
      return planner.archive
    }
  }

  /// The plan that runs `sequence`, if that is a schedule.
  private func plan(of sequence: [Int32]) -> PlanArchive.Plan? {
    guard let figures = graph.figures(of: sequence), graph.satisfiesRunCounts(sequence) else {
      return nil
    }
    return PlanArchive.Plan(
      peakBytes: figures.peakBytes, cost: figures.cost, sequence: sequence)
  }

  private func autoPlanner() -> AutoPlanner {
    let given = BaseOrder.given(problem)
    var bases = [AutoPlanner.Base(graph: graph, order: given, keepAll: keepAll)]
    if options.order == .free {
      let order = BaseOrder.smallGrowth(problem)
      let other = pinnedGraph(in: order)
      if order != given, let figures = other.figures(of: other.baseSequence) {
        bases.append(AutoPlanner.Base(graph: other, order: order, keepAll: figures))
      }
    }
    return AutoPlanner(
      bases: bases, floorBytes: floor.bytes, costMax: costMax,
      effort: options.searchSeconds.map { SearchEffort.effort(seconds: $0, graph: graph) }
        ?? options.effort, keepsOrder: options.order == .given,
      threadCount: options.threadCount, makeGraph: pinnedGraph)
  }

  private func pinnedGraph(in order: [Int32]) -> RematGraph {
    var graph = RematGraph(problem, order: order)
    pins.apply(to: &graph, order: order)
    return graph
  }

  /// What is proven about the cost of any plan within a budget, where a plan of `knownCost` is known.
  func costBound(within budget: Int?, knownCost: Double?) -> CostBound {
    CostBound(
      graph, budgetBytes: budget ?? .max / 2, keepsOrder: options.order == .given,
      knownCost: knownCost, effort: options.effort)
  }

  /// A plan of `archive`, if one was chosen, as the answer to a budget for which `bound` is proven.
  func result(
    _ chosen: PlanArchive.Plan?, of archive: PlanArchive, within budget: Int?,
    bound known: CostBound? = nil
  ) -> SolveResult {
    let bound = known ?? costBound(within: budget, knownCost: chosen?.cost)
    let fallback = PlanArchive.Plan(
      peakBytes: keepAll.peakBytes, cost: keepAll.cost, sequence: graph.baseSequence)
    var chosen = chosen
    // What the proof comes across belongs to the search, not to a strategy by name.
    if options.strategy == .auto, options.maxOverhead == nil,
      let found = bound.found.flatMap(self.plan(of:)), found.peakBytes <= budget ?? .max,
      found.cost < chosen?.cost ?? .infinity
    {
      chosen = found
    }
    let plan = chosen ?? archive.plans.first ?? fallback
    let isOptimal =
      chosen != nil && options.maxOverhead == nil
      && plan.cost <= bound.cost * (1 + CostBound.tolerance)
    let reached = min(archive.plans.first?.peakBytes ?? keepAll.peakBytes, plan.peakBytes)
    return SolveResult(
      status: chosen == nil ? .infeasible : (isOptimal ? .optimal : .feasible),
      budgetBytes: budget, peakBytes: plan.peakBytes, cost: plan.cost,
      keepAllPeakBytes: keepAll.peakBytes, keepAllCost: keepAll.cost,
      lowerBound: chosen == nil ? bound.cost : min(bound.cost, plan.cost),
      minimumBudgetBytes: reached,
      minimumBudgetLowerBound: floorBytes(reached: reached), minimumBudgetNode: floor.node,
      minimumBudgetValues: floor.resident.map(value),
      schedule: Schedule(sequence: plan.sequence, of: graph), certificate: bound.certificate,
      remarks: remarks)
  }

  /// The bound on the smallest budget, improved by a search where that is quick.
  private func floorBytes(reached: Int) -> Int {
    guard reached > floor.bytes, options.strategy == .auto,
      let search = TinySearch(graph, keepsOrder: options.order == .given),
      let least = search.leastPeak(statesMax: CostBound.states(effort: options.effort))
    else { return floor.bytes }
    return max(floor.bytes, least)
  }

  private func value(_ index: Int) -> RematProblem.Input {
    let node = Int(graph.valueNode[index])
    return RematProblem.Input(node: node, output: index - Int(graph.outputStart[node]))
  }
}
