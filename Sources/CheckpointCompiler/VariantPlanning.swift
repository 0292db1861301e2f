// Plans every variant of the kernels of a step, and takes the best plan of all.
//
// Variants    The kernels that store what the backward pass reads, and kernels that compute more or less
//             of it anew in registers (`RegisterRecomputation`). Which is best depends on the budget.
// Bounds      Once a plan within a budget is known, the time of all plans of each variant is bounded. The
//             variants of the lowest bounds are planned next, and those that cannot be faster are not: most
//             differ by more than the proofs leave open.
// Default     Without a budget, a little of the time (`defaultMaxOverhead`) is spent on memory, as long as
//             it saves much: often the last percents of time cost half of the memory.

/// The plan that was chosen, and the kernels it is made of.
struct PlanChoice {
  var step: PlannedStep
  var solution: SolveResult
  /// The kernels before planning.
  var priced: PricedFunction
}

/// The planners of all variants; the first stores everything.
struct VariantPlanner: Sendable {
  private var planners: [Planner]
  private let options: CompileOptions
  /// Per variant, what is proven about the time of any plan within the budget; empty as long as no plan
  /// is known.
  private var bounds: [CostBound] = []
  /// The seconds of search that are left for variants not planned yet, if there is a limit.
  private var secondsLeft: Double?
  /// The first variant with everything kept: what plans are compared with.
  let keepAll: PlannedStep

  init(_ variants: [PricedFunction], options: CompileOptions) throws(CompileError) {
    self.options = options
    var planners: [Planner] = []
    for (index, priced) in variants.enumerated() {
      // Several full searches of a large graph would take too long.
      let isLarge = priced.problem.nodes.count > VariantPlanner.kernelsMaxForFullEffort
      let effort = index > 0 && isLarge ? options.effort / 4 : options.effort
      var planner = try Planner(priced, options: options, effort: effort)
      if let seconds = options.searchSeconds {
        // Two searches, of a graph that stores everything and of one that does not, are the rule.
        planner.limitSearch(seconds: seconds / Double(max(2, variants.count)))
      }
      planners.append(planner)
    }
    self.planners = planners
    keepAll = try planners[0].keepAll()
  }

  private static let kernelsMaxForFullEffort = 2000

  /// The planner of the first variant.
  var first: Planner { planners[0] }

  /// The first variant, with everything kept, that runs a kernel whose key is not among those given.
  func keepAll(beyond keys: Set<String>) throws(CompileError) -> PlannedStep? {
    for planner in planners {
      let priced = planner.priced
      let isKnown = priced.order.kernels.allSatisfy {
        keys.contains(kernelKey($0.op, in: priced.function))
      }
      if !isKnown { return try planner.keepAll() }
    }
    return nil
  }

  /// What one variant answers.
  private struct Candidate {
    var variant: Int
    var step: PlannedStep
    var plan: PlanArchive.Plan
  }

  /// The step that the options ask for; `budgetBytes` is the budget in bytes, if there is one.
  mutating func choose(budgetBytes: Int?) throws(CompileError) -> PlanChoice {
    bounds = []
    secondsLeft = options.searchSeconds
    if options.strategy != .auto {
      let answer = try first.step(
        options.strategy, within: budgetBytes, maxOverhead: options.maxOverhead)
      return PlanChoice(step: answer.step, solution: answer.solution, priced: first.priced)
    }
    if let budgetBytes, options.maxOverhead == nil {
      return choice(try fastest(within: budgetBytes), within: budgetBytes)
    }
    if options.maxOverhead == nil, !options.pins.isEmpty {
      // Nothing but the pins asks for a change.
      let answer = try first.keepAllButPins()
      return PlanChoice(step: answer.step, solution: answer.solution, priced: first.priced)
    }
    for index in planners.indices {
      planners[index].limitOverhead(options.maxOverhead ?? CompileOptions.defaultMaxOverhead)
    }
    if let overhead = options.maxOverhead {
      return choice(try smallest(overhead: max(0, overhead), budgetBytes), within: budgetBytes)
    }
    var best = try smallest(overhead: 0, budgetBytes)
    for share in [0.25, 0.5, 1] {
      let overhead = share * CompileOptions.defaultMaxOverhead
      let other = try smallest(overhead: overhead, budgetBytes)
      if worth(other.step) > worth(best.step) { best = other }
    }
    return choice(best, within: budgetBytes)
  }

  /// The fastest step of all within a budget.
  private mutating func fastest(within budgetBytes: Int) throws(CompileError) -> Candidate {
    try best(byCost: true) { (variants, index, rest, rival) throws(CompileError) in
      if let rival, variants.bounds[index].cost >= rival.costNs { return nil }
      let others = rest.filter { other in
        rival.map { variants.bounds[other].cost < $0.costNs } ?? true
      }
      variants.limitSearch(of: index, beside: others.count)
      let answer = try variants.planners[index].step(within: budgetBytes)
      variants.findBounds(within: budgetBytes, knownCost: answer.step.costNs)
      return answer
    }
  }

  /// Bounds the time of the plans of all variants, if that is not done yet.
  private mutating func findBounds(within budgetBytes: Int?, knownCost: Double) {
    guard bounds.isEmpty else { return }
    let planners = planners
    bounds = concurrentMap(planners.count, threadCount: SolveOptions().threadCount) {
      planners[$0].costBound(within: budgetBytes, knownCost: knownCost)
    }
  }

  /// Gives the search of a variant its part of the seconds that are left for it and `others`: half of
  /// them as long as nothing is known about the others.
  private mutating func limitSearch(of variant: Int, beside others: Int) {
    guard let seconds = secondsLeft else { return }
    let share = seconds / Double(bounds.isEmpty ? min(2, others + 1) : others + 1)
    planners[variant].limitSearch(seconds: share)
    secondsLeft = seconds - share
  }

  /// The step with the smallest arena of all that are at most so much slower than keeping everything.
  private mutating func smallest(
    overhead: Double, _ budgetBytes: Int?
  ) throws(CompileError) -> Candidate {
    let costMax = keepAll.costNs * (1 + overhead)
    return try best(byCost: false) { (variants, index, _, _) throws(CompileError) in
      try variants.planners[index].smallestStep(costing: costMax, within: budgetBytes)
    }
  }

  /// What a step saves of the memory, less what it costs in time: time that nobody asked for is spent as
  /// long as a percent of it saves `memoryWorth` percent of the memory.
  private func worth(_ step: PlannedStep) -> Double {
    let overhead = step.costNs / max(1, keepAll.costNs) - 1
    let saved = 1 - Double(step.arenaBytes) / Double(max(1, keepAll.arenaBytes))
    return saved - VariantPlanner.memoryWorth * overhead
  }

  private static let memoryWorth = 5.0

  /// The step with the smallest arena that was found.
  mutating func smallest() throws(CompileError) -> PlanChoice {
    bounds = []
    let least = try best(byCost: false) { (variants, index, _, _) throws(CompileError) in
      try variants.planners[index].smallest()
    }
    return choice(least, within: least.step.arenaBytes)
  }

  /// The smallest arena that was found: that of `smallest()`, without what is known about its time.
  mutating func smallestArenaBytes() throws(CompileError) -> Int {
    let peaks = planners.indices.map { planners[$0].plans(upTo: nil)[0].peakBytes }
    var least = Int.max
    // No arena is smaller than its peak: the variant with the smallest is packed, and seldom another.
    for index in planners.indices.sorted(by: { (peaks[$0], $0) < (peaks[$1], $1) }) {
      guard peaks[index] < least else { break }
      least = min(least, try planners[index].smallest().step.arenaBytes)
    }
    return least
  }

  /// Plans of all variants for budgets from the smallest to keeping everything, packed: about `count`
  /// of them, evenly spread over the memory.
  mutating func frontier(count: Int) throws(CompileError) -> [ParetoCurve.Point] {
    var plans: [(variant: Int, plan: PlanArchive.Plan)] = []
    for variant in planners.indices {
      plans += planners[variant].plans(upTo: planners[variant].keepAllPeakBytes)
        .map { (variant, $0) }
    }
    plans.sort { ($0.plan.peakBytes, $0.plan.cost) < ($1.plan.peakBytes, $1.plan.cost) }
    var best: [(variant: Int, plan: PlanArchive.Plan)] = []
    for entry in plans where entry.plan.cost < best.last?.plan.cost ?? .infinity {
      best.append(entry)
    }
    let low = best[0].plan.peakBytes
    let range = best.last!.plan.peakBytes - low
    var points: [ParetoCurve.Point] = []
    var place = -1
    for (variant, plan) in best {
      let nextPlace =
        range > 0 ? Int(Double(plan.peakBytes - low) / Double(range) * Double(count)) : 0
      if nextPlace == place { continue }
      place = nextPlace
      let step = try planners[variant].step(plan, capacityBytes: plan.peakBytes)
      points.append(
        ParetoCurve.Point(
          arenaBytes: step.arenaBytes, peakLiveBytes: step.peakLiveBytes, cost: step.costNs,
          recomputedKernels: step.computations.count - planners[variant].priced.order.kernels.count)
      )
    }
    return points
  }

  /// The best of the steps that the variants give: by predicted time, or by the arena. `answer` gets
  /// the number of a variant, those that come after it, and the best step so far.
  private mutating func best(
    byCost: Bool,
    _ answer: (inout VariantPlanner, Int, [Int], PlannedStep?) throws(CompileError) -> (
      step: PlannedStep, plan: PlanArchive.Plan
    )?
  ) throws(CompileError) -> Candidate {
    func rank(_ step: PlannedStep) -> (Double, Double) {
      let (time, bytes) = (step.costNs, Double(step.arenaBytes))
      return byCost ? (time, bytes) : (bytes, time)
    }
    var best: Candidate?
    var refusal: BudgetError?
    var open = Array(planners.indices)
    while let index = bounds.isEmpty ? open.first : open.min(by: { isAhead($0, of: $1) }) {
      open.removeAll { $0 == index }
      do throws(CompileError) {
        guard let (step, plan) = try answer(&self, index, open, best?.step) else { continue }
        if let rival = best?.step, rank(step) >= rank(rival) { continue }
        best = Candidate(variant: index, step: step, plan: plan)
      } catch {
        guard case .budget(let failure) = error else { throw error }
        if failure.leastBytes < refusal?.leastBytes ?? .max { refusal = failure }
      }
    }
    if let best { return best }
    guard let refusal else { throw .input(DiagnosticList([try tooSlow()])) }
    throw .budget(refusal)
  }

  /// Whether the plans of a variant may be faster than those of another, for all that is proven.
  private func isAhead(_ variant: Int, of other: Int) -> Bool {
    (bounds[variant].cost, variant) < (bounds[other].cost, other)
  }

  /// The choice of a candidate, and a proof of how much faster any plan could be, of any variant, also
  /// of those of which none was found within the budget.
  private mutating func choice(_ candidate: Candidate, within budgetBytes: Int?) -> PlanChoice {
    let cost = candidate.step.costNs
    findBounds(within: budgetBytes, knownCost: cost)
    let lowerBound = bounds.reduce(cost) { min($0, $1.cost) }
    var solution = planners[candidate.variant].solution(
      candidate.plan, within: budgetBytes, bound: bounds[candidate.variant])
    if lowerBound < solution.lowerBound, solution.status == .optimal {
      solution.status = .feasible
    }
    solution.lowerBound = lowerBound
    return PlanChoice(
      step: candidate.step, solution: solution, priced: planners[candidate.variant].priced)
  }

  /// The refusal of a largest overhead that no plan keeps to.
  private mutating func tooSlow() throws(CompileError) -> Diagnostic {
    var fastest = Double.infinity
    for index in planners.indices {
      let plans = planners[index].plans(upTo: planners[index].keepAllPeakBytes)
      fastest = plans.reduce(fastest) { min($0, $1.cost) }
    }
    let overhead = max(0, fastest / max(1, keepAll.costNs) - 1)
    return Diagnostic(
      "no plan is as fast as asked: the fastest that was found is \(describePercent(overhead)) "
        + "slower than keeping everything")
  }
}

extension BudgetError {
  /// The arena that is known to do.
  fileprivate var leastBytes: Int { minimumBytes ?? neededBytes ?? .max }
}
