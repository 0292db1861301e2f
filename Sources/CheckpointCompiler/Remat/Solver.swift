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
  let options: SolveOptions
  /// The budget asked for, if one was.
  let budgetBytes: Int?
  private let graph: RematGraph
  private let pins: AppliedPins
  let keepAll: SequenceFigures
  private let floor: (bytes: Int, node: Int)
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
    floor = graph.workingSetBytes
    self.graph = graph
  }

  /// The answer to what the options ask.
  mutating func result() -> SolveResult {
    guard let overhead = options.maxOverhead else {
      let archive = archive(upTo: budgetBytes)
      return result(archive.best(within: budgetBytes ?? .max), of: archive, within: budgetBytes)
    }
    let archive = archive(upTo: min(budgetBytes ?? .max, keepAll.peakBytes))
    let small = archive.smallest(costing: keepAll.cost * (1 + max(0, overhead)) + 1e-9)
    let chosen = small.flatMap { $0.peakBytes <= budgetBytes ?? .max ? $0 : nil }
    return result(chosen, of: archive, within: budgetBytes)
  }

  /// The plans of the strategy, for budgets up to `limit`; without one, the smallest and those that
  /// fall off on the way to it.
  mutating func archive(upTo limit: Int?) -> PlanArchive {
    switch options.strategy {
    case .none: return archive(of: [graph.keepAllSequence()])
    case .sqrt: return archive(of: [graph.sqrtSequence()])
    case .cheap: return archive(of: [graph.cheapSequence()])
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

  private func archive(of sequences: [[Int32]]) -> PlanArchive {
    var archive = PlanArchive()
    for sequence in sequences {
      guard let figures = graph.figures(of: sequence), graph.satisfiesRunCounts(sequence) else {
        continue
      }
      archive.add(
        PlanArchive.Plan(
          peakBytes: figures.peakBytes, cost: figures.cost, sequence: sequence))
    }
    return archive
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
      bases: bases, floorBytes: floor.bytes, effort: options.searchEffort ?? options.effort,
      keepsOrder: options.order == .given, makeGraph: pinnedGraph)
  }

  private func pinnedGraph(in order: [Int32]) -> RematGraph {
    var graph = RematGraph(problem, order: order)
    pins.apply(to: &graph, order: order)
    return graph
  }

  /// A plan of `archive`, if one was chosen, as the answer to a budget.
  func result(
    _ chosen: PlanArchive.Plan?, of archive: PlanArchive, within budget: Int?
  ) -> SolveResult {
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
}
