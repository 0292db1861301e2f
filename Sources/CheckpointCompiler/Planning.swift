// From a grouped function to a plan that fits: solve, rewrite, assign storage, pack, check.
//
// The planner counts live bytes, the packer needs an arena. Where the arena of a plan is larger than
// the budget, the planner is asked for a smaller peak until the arena fits.

/// A planned step: the final function, its storage, and the figures of the plan.
public struct PlannedStep: Sendable {
  /// The step as it runs.
  public internal(set) var function: Function
  /// The place of every value.
  public internal(set) var storage: StoragePlan
  /// The kernels of the grouped function, by position, in the order in which they run.
  public internal(set) var computations: [Int]
  /// The largest number of bytes alive at once; no arena can be smaller.
  public internal(set) var peakLiveBytes: Int
  /// The predicted time of the step in nanoseconds.
  public internal(set) var costNs: Double
  /// The buffers of the arena: name, first and last kernel, offset, size.
  var assignment: StorageAssignment
  var packed: MemoryPlan

  /// The size of the arena.
  public var arenaBytes: Int { storage.arenaBytes }
}

/// Plans one grouped function; keeps what several plans of it share: one search serves all budgets.
struct Planner: Sendable {
  let priced: PricedFunction
  let target: Target
  let effort: Double
  let pins: [RematPin]
  private var search: PlanSearch
  private var smallestAnswer: (step: PlannedStep, plan: PlanArchive.Plan)?

  init(
    _ priced: PricedFunction, options: CompileOptions, effort: Double? = nil
  ) throws(CompileError) {
    self.priced = priced
    target = options.target
    self.effort = effort ?? options.effort
    var pins: [RematPin] = []
    for pin in options.pins {
      guard let place = Planner.find(pin.value, in: priced) else {
        let names = priced.order.kernels.flatMap(\.writes).map { priced.function.values[$0].name }
        throw .input(
          DiagnosticList([
            Diagnostic(
              "--pin: no kernel writes a value %\(pin.value)"
                + suggestion(for: pin.value, among: names))
          ]))
      }
      pins.append(RematPin(node: place.node, output: place.output, pin.choice))
    }
    self.pins = pins
    search = PlanSearch(
      priced.problem, options: SolveOptions(pins: pins, effort: effort ?? options.effort))
  }

  /// The kernel that writes the value of a name, or the memory that the value shares.
  static func find(_ name: String, in priced: PricedFunction) -> RematProblem.Input? {
    let function = priced.function
    guard let value = function.values.ids.first(where: { function.values[$0].name == name }) else {
      return nil
    }
    let root = priced.order.root[value]
    for (node, kernel) in priced.order.kernels.enumerated() {
      if let output = kernel.writes.firstIndex(of: root) {
        return RematProblem.Input(node: node, output: output)
      }
    }
    return nil
  }

  /// The answer of a strategy that does not search.
  private func solve(
    _ strategy: RematStrategy, budgetBytes: Int?, maxOverhead: Double? = nil
  ) -> SolveResult {
    CheckpointCompiler.solve(
      priced.problem,
      options: SolveOptions(
        budgetBytes: budgetBytes, strategy: strategy, maxOverhead: maxOverhead,
        pins: strategy == .none ? [] : pins, effort: effort))
  }

  /// The plans that the search found for budgets up to `limit`; without one, the smallest.
  mutating func plans(upTo limit: Int?) -> [PlanArchive.Plan] { search.archive(upTo: limit).plans }

  /// Says, before the first plan is asked for, that none of more overhead will be.
  mutating func limitOverhead(_ overhead: Double) { search.limitOverhead(overhead) }

  /// The peak of running every kernel once in the order of the function.
  var keepAllPeakBytes: Int { search.keepAll.peakBytes }

  /// A plan as the answer to a budget for which `bound` is proven.
  mutating func solution(
    _ plan: PlanArchive.Plan, within budgetBytes: Int?, bound: CostBound
  ) -> SolveResult {
    search.result(plan, of: search.archive(upTo: nil), within: budgetBytes, bound: bound)
  }

  /// Says, before the first plan is asked for, how long to search for better ones, about.
  mutating func limitSearch(seconds: Double) { search.limitSearch(seconds: seconds) }

  /// What is proven about the cost of any plan within a budget, where a plan of `knownCost` is known.
  func costBound(within budgetBytes: Int?, knownCost: Double) -> CostBound {
    search.costBound(within: budgetBytes, knownCost: knownCost)
  }

  /// The step of a plan.
  func step(
    _ plan: PlanArchive.Plan, capacityBytes: Int? = nil
  ) throws(CompileError) -> PlannedStep {
    try step(plan.sequence.map { Int($0) }, capacityBytes: capacityBytes)
  }

  /// The step that runs the given computations, packed and checked.
  func step(
    _ computations: [Int], capacityBytes: Int? = nil
  ) throws(CompileError) -> PlannedStep {
    var draft = try draft(computations, capacityBytes: capacityBytes)
    draft.improve(effort: effort, capacityBytes: capacityBytes)
    return try draft.checked()
  }

  /// The step that runs the given computations, packed roughly.
  private func draft(
    _ computations: [Int], capacityBytes: Int?
  ) throws(CompileError) -> StepDraft {
    try StepDraft(
      rewritten(priced, computations: computations), computations: computations,
      costNs: computations.reduce(0.0) { $0 + priced.problem.nodes[$1].cost }, target: target,
      effort: effort, capacityBytes: capacityBytes)
  }

  /// Packs and checks a function whose order of ops is final.
  static func place(
    _ function: Function, computations: [Int], costNs: Double, target: Target, effort: Double,
    capacityBytes: Int?
  ) throws(CompileError) -> PlannedStep {
    var draft = try StepDraft(
      function, computations: computations, costNs: costNs, target: target, effort: effort,
      capacityBytes: capacityBytes)
    draft.improve(effort: effort, capacityBytes: capacityBytes)
    return try draft.checked()
  }

  /// The step when everything is kept.
  func keepAll() throws(CompileError) -> PlannedStep {
    try step(solve(.none, budgetBytes: nil).schedule.computations)
  }

  /// The step with the smallest arena that was found, and its plan.
  mutating func smallest() throws(CompileError) -> (step: PlannedStep, plan: PlanArchive.Plan) {
    if let smallestAnswer { return smallestAnswer }
    let peak = plans(upTo: nil)[0].peakBytes
    // The smallest peak does not always pack best.
    let plans = plans(upTo: peak + peak / 10).prefix(Planner.packingsMax)
    var drafts: [(draft: StepDraft, plan: PlanArchive.Plan)] = []
    for plan in plans where plan.peakBytes < drafts.map(\.draft.arenaBytes).min() ?? .max {
      let draft = try draft(plan.sequence.map { Int($0) }, capacityBytes: plan.peakBytes)
      drafts.append((draft, plan))
    }
    // Every byte counts here: for the draft that packs best, and for the one that could be smallest.
    var best = drafts.indices.min { drafts[$0].draft.arenaBytes < drafts[$1].draft.arenaBytes }!
    for index in [best, 0] where drafts[index].plan.peakBytes < drafts[best].draft.arenaBytes {
      drafts[index].draft.improve(effort: effort, capacityBytes: drafts[index].plan.peakBytes)
      if drafts[index].draft.arenaBytes < drafts[best].draft.arenaBytes { best = index }
    }
    let answer = (step: try drafts[best].draft.checked(), plan: drafts[best].plan)
    smallestAnswer = answer
    return answer
  }

  /// How many plans are packed for one answer.
  private static let packingsMax = 12

  /// The cheapest step whose arena fits a budget, and its plan.
  mutating func step(
    within budgetBytes: Int
  ) throws(CompileError) -> (step: PlannedStep, plan: PlanArchive.Plan) {
    // The next cheapest plan where the packer does not get one into the budget; in large steps where
    // that does not help soon.
    let plans = plans(upTo: budgetBytes)
    var place = plans.lastIndex { $0.peakBytes <= budgetBytes }
    for attempt in 0..<Planner.packingsMax {
      guard let index = place else { break }
      let candidate = try step(plans[index], capacityBytes: plans[index].peakBytes)
      if candidate.arenaBytes <= budgetBytes {
        return (candidate, plans[index])
      }
      var limit = plans[index].peakBytes - 1
      if attempt >= Planner.packingsMax / 2 {
        limit -= candidate.arenaBytes - budgetBytes
      }
      place = plans.lastIndex { $0.peakBytes <= limit }
    }
    let least = try smallest()
    guard least.step.arenaBytes <= budgetBytes else {
      throw .budget(budgetError(budgetBytes, least.step, isMinimum: true))
    }
    return least
  }

  /// The step that keeps everything but what is pinned to be recomputed.
  func keepAllButPins() throws(CompileError) -> (step: PlannedStep, solution: SolveResult) {
    let solution = CheckpointCompiler.solve(
      priced.problem, options: SolveOptions(strategy: .none, pins: pins, effort: effort))
    return (try step(solution.schedule.computations), solution)
  }

  /// The smallest step of at most a cost, and its plan; nil where every plan costs more.
  mutating func smallestStep(
    costing costMax: Double, within budgetBytes: Int?
  ) throws(CompileError) -> (step: PlannedStep, plan: PlanArchive.Plan)? {
    // No plan costs less than running every kernel once.
    if search.keepAll.cost > costMax * (1 + 1e-9) { return nil }
    let plans = plans(upTo: min(budgetBytes ?? .max, keepAllPeakBytes))
    var best: (step: PlannedStep, plan: PlanArchive.Plan)?
    for plan in plans.drop(while: { $0.cost > costMax * (1 + 1e-12) }).prefix(Planner.packingsMax)
    where plan.peakBytes < best?.step.arenaBytes ?? .max {
      let candidate = try step(plan, capacityBytes: plan.peakBytes)
      if candidate.arenaBytes < best?.step.arenaBytes ?? .max { best = (candidate, plan) }
    }
    if let budgetBytes, let best, best.step.arenaBytes > budgetBytes {
      throw .budget(budgetError(budgetBytes, best.step, isMinimum: false))
    }
    return best
  }

  /// The step of a strategy that does not search.
  func step(
    _ strategy: RematStrategy, within budgetBytes: Int?, maxOverhead: Double?
  ) throws(CompileError) -> (step: PlannedStep, solution: SolveResult) {
    var solverBudget = budgetBytes
    for _ in 0..<Planner.packingsMax {
      let solution = solve(strategy, budgetBytes: solverBudget, maxOverhead: maxOverhead)
      if solution.status == .infeasible { break }
      let candidate = try step(
        solution.schedule.computations, capacityBytes: solution.peakBytes)
      guard let budgetBytes, candidate.arenaBytes > budgetBytes else {
        return (candidate, solution)
      }
      solverBudget = solution.peakBytes - 1
    }
    let smallest = try step(solve(strategy, budgetBytes: 0).schedule.computations)
    throw .budget(budgetError(budgetBytes ?? 0, smallest, isMinimum: false))
  }

  /// The refusal of a budget: the kernel where a step needs most, and what is in memory there.
  func budgetError(
    _ budget: Int, _ step: PlannedStep, isMinimum: Bool
  ) -> BudgetError {
    let kernels = step.assignment.order.kernels
    let live = step.liveBytes
    var most = (step: 0, bytes: -1)
    for place in kernels.indices where live[place] > most.bytes { most = (place, live[place]) }
    let resident = step.assignment.tenants.filter { $0.occupied.contains(most.step) }
      .map { (name: outsideName($0.life.name), bytes: $0.life.sizeBytes) }
      .sorted { ($1.bytes, $0.name) < ($0.bytes, $1.name) }
    let kernel = kernels.indices.contains(most.step) ? kernels[most.step] : nil
    return BudgetError(
      budgetBytes: budget, minimumBytes: isMinimum ? step.arenaBytes : nil,
      neededBytes: isMinimum ? nil : step.arenaBytes,
      kernel: kernel.map { step.function.kernelName($0) } ?? "", resident: resident,
      location: kernel.map { step.function.ops[$0.op].location } ?? .unknown)
  }
}
