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

/// Plans one grouped function; keeps what several plans of it share.
struct Planner {
  let priced: PricedFunction
  let target: Target
  let effort: Double
  let pins: [RematPin]

  init(_ priced: PricedFunction, options: CompileOptions) throws(CompileError) {
    self.priced = priced
    target = options.target
    effort = options.effort
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

  func solve(
    _ strategy: RematStrategy, budgetBytes: Int?, maxOverhead: Double? = nil,
    effort: Double? = nil
  ) -> SolveResult {
    CheckpointCompiler.solve(
      priced.problem,
      options: SolveOptions(
        budgetBytes: budgetBytes, strategy: strategy, maxOverhead: maxOverhead,
        pins: strategy == .none ? [] : pins, effort: effort ?? self.effort))
  }

  /// The step that runs the given computations, packed and checked.
  func step(
    _ computations: [Int], capacityBytes: Int? = nil, packingEffort: Double = 1
  ) throws(CompileError) -> PlannedStep {
    let function = rewritten(priced, computations: computations)
    let costNs = computations.reduce(0.0) { $0 + priced.problem.nodes[$1].cost }
    return try Planner.place(
      function, computations: computations, costNs: costNs, target: target,
      effort: effort * packingEffort, capacityBytes: capacityBytes)
  }

  /// Packs and checks a function whose order of ops is final.
  static func place(
    _ function: Function, computations: [Int], costNs: Double, target: Target, effort: Double,
    capacityBytes: Int?
  ) throws(CompileError) -> PlannedStep {
    do throws(Diagnostic) {
      var assignment = try StorageAssignment(function, target: target)
      let options = PackOptions(capacityBytes: capacityBytes, effort: effort)
      var packing = pack(assignment.problem, options: options)
      let goal = max(assignment.problem.maxLiveBytes, capacityBytes ?? 0)
      // Fewer values written in place may pack better.
      if packing.plan.arenaBytes > goal, let other = try assignment.cuttingChains() {
        let second = pack(other.problem, options: options)
        if second.plan.arenaBytes < packing.plan.arenaBytes {
          (assignment, packing) = (other, second)
        }
      }
      let storage = assignment.plan(packing.plan)
      var checker = StorageChecker(function, storage, target: target)
      try checker.check()
      guard checker.highWaterBytes <= storage.arenaBytes else {
        throw Diagnostic("\(checker.highWaterBytes) bytes of \(storage.arenaBytes) are touched")
      }
      return PlannedStep(
        function: function, storage: storage, computations: computations,
        peakLiveBytes: assignment.problem.maxLiveBytes, costNs: costNs, assignment: assignment,
        packed: packing.plan)
    } catch {
      throw .defect(error.message)
    }
  }

  /// The step when everything is kept.
  func keepAll() throws(CompileError) -> PlannedStep {
    try step(solve(.none, budgetBytes: nil).schedule.computations)
  }

  /// The step with the smallest arena that was found.
  func smallest() throws(CompileError) -> PlannedStep {
    let unlimited = solve(.auto, budgetBytes: 0)
    // Every byte counts here, and it is packed once.
    var best = try step(unlimited.schedule.computations, packingEffort: 8)
    // The smallest peak does not always pack best; nor does the cheapest plan of that peak.
    if best.arenaBytes > best.peakLiveBytes {
      let other = solve(.auto, budgetBytes: 0, effort: 0)
      let candidate = try step(other.schedule.computations, packingEffort: 8)
      if candidate.arenaBytes < best.arenaBytes { best = candidate }
    }
    for slack in [1.02, 1.05, 1.1] {
      let budget = Int(Double(unlimited.minimumBudgetBytes) * slack)
      guard budget < best.arenaBytes else { break }
      let result = solve(.auto, budgetBytes: budget)
      guard result.status != .infeasible else { continue }
      let candidate = try step(result.schedule.computations, capacityBytes: budget)
      if candidate.arenaBytes < best.arenaBytes { best = candidate }
    }
    return best
  }

  /// The cheapest step of a strategy whose arena fits a budget.
  func step(
    _ strategy: RematStrategy, within budgetBytes: Int?, maxOverhead: Double?
  ) throws(CompileError) -> (step: PlannedStep, solution: SolveResult) {
    var solverBudget = budgetBytes
    for _ in 0..<12 {
      let solution = solve(strategy, budgetBytes: solverBudget, maxOverhead: maxOverhead)
      if solution.status == .infeasible { break }
      let candidate = try step(solution.schedule.computations, capacityBytes: budgetBytes)
      guard let budgetBytes, let asked = solverBudget, candidate.arenaBytes > budgetBytes else {
        return (candidate, solution)
      }
      guard strategy == .auto else { break }
      let scaled = Int(Double(asked) * Double(budgetBytes) / Double(candidate.arenaBytes))
      solverBudget = max(0, min(asked - arenaAlignmentBytes, scaled))
    }
    let budget = budgetBytes ?? 0
    guard strategy == .auto else {
      let unlimited = try step(solve(strategy, budgetBytes: nil).schedule.computations)
      throw .budget(budgetError(budget, unlimited, isMinimum: false))
    }
    let least = try smallest()
    guard least.arenaBytes <= budget else {
      throw .budget(budgetError(budget, least, isMinimum: true))
    }
    return (least, solve(strategy, budgetBytes: budget))
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
