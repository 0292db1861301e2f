// The planner's entry point: problem and options in, plan and figures out.

/// Plans `problem`.
///
/// The result never claims a peak above the budget unless its status is `infeasible`. Equal input
/// gives equal output; with the strategy `auto`, a larger budget never gives a higher cost.
///
/// - Complexity: Near-linear in nodes and reads per plan tried; the number of plans is bounded by
///   `effort`.
public func solve(_ problem: RematProblem, options: SolveOptions = SolveOptions()) -> SolveResult {
  var remarks: [String] = []
  let given = BaseOrder.given(problem)
  var graph = RematGraph(problem, order: given)
  let pins = AppliedPins(options.pins, problem: problem, remarks: &remarks)
  pins.apply(to: &graph, order: given)
  let keepAll =
    graph.figures(of: graph.baseSequence)
    ?? SequenceFigures(peakBytes: 0, peakPosition: 0, cost: 0)
  let budget = options.budgetBytes ?? problem.budgetBytes
  let floor = graph.workingSetBytes

  var archive = PlanArchive()
  func record(_ sequence: [Int32]) {
    guard let figures = graph.figures(of: sequence), graph.satisfiesRunCounts(sequence) else {
      return
    }
    archive.add(
      PlanArchive.Plan(
        peakBytes: figures.peakBytes, cost: figures.cost, sequence: sequence))
  }
  switch options.strategy {
  case .none: record(graph.keepAllSequence())
  case .sqrt: record(graph.sqrtSequence())
  case .cheap: record(graph.cheapSequence())
  case .auto:
    var bases = [AutoPlanner.Base(graph: graph, order: given, keepAll: keepAll)]
    if options.order == .free {
      let order = BaseOrder.smallGrowth(problem)
      var other = RematGraph(problem, order: order)
      pins.apply(to: &other, order: order)
      if order != given, let figures = other.figures(of: other.baseSequence) {
        bases.append(AutoPlanner.Base(graph: other, order: order, keepAll: figures))
      }
    }
    var planner = AutoPlanner(
      bases: bases, floorBytes: floor.bytes, effort: options.searchEffort ?? options.effort,
      keepsOrder: options.order == .given, threadCount: options.threadCount
    ) { order in
      var graph = RematGraph(problem, order: order)
      pins.apply(to: &graph, order: order)
      return graph
    }
    planner.searchOrder()
    planner.findMinimum()
    if let budget, options.maxOverhead == nil {
      planner.climb(to: budget)
    } else if options.maxOverhead != nil {
      planner.climb(to: min(budget ?? .max, keepAll.peakBytes))
    }
    archive = planner.archive
  }

  let chosen: PlanArchive.Plan?
  if let overhead = options.maxOverhead {
    let small = archive.smallest(costing: keepAll.cost * (1 + max(0, overhead)) + 1e-9)
    chosen = small.flatMap { $0.peakBytes <= budget ?? .max ? $0 : nil }
  } else {
    chosen = archive.best(within: budget ?? .max)
  }
  let fallback = PlanArchive.Plan(
    peakBytes: keepAll.peakBytes, cost: keepAll.cost, sequence: graph.baseSequence)
  let plan = chosen ?? archive.plans.first ?? fallback
  var bound =
    options.order == .given
    ? graph.costBound(budgetBytes: budget ?? .max / 2) : graph.cost.reduce(0, +)
  // Costs are added up in different orders: the last digits may differ.
  let isOptimal = chosen != nil && options.maxOverhead == nil && plan.cost <= bound * (1 + 1e-12)
  if chosen != nil { bound = min(bound, plan.cost) }
  return SolveResult(
    status: chosen == nil ? .infeasible : (isOptimal ? .optimal : .feasible),
    budgetBytes: budget, peakBytes: plan.peakBytes, cost: plan.cost,
    keepAllPeakBytes: keepAll.peakBytes, keepAllCost: keepAll.cost, lowerBound: bound,
    minimumBudgetBytes: archive.plans.first?.peakBytes ?? keepAll.peakBytes,
    minimumBudgetLowerBound: floor.bytes, minimumBudgetNode: floor.node,
    schedule: Schedule(sequence: plan.sequence, of: graph), remarks: remarks)
}
