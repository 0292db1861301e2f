// The plans worth keeping: none of them is beaten by another in both peak and cost.

/// Plans that no other known plan beats in both peak and cost.
struct PlanArchive {
  /// One plan, its nodes numbered as in the problem.
  struct Plan: Sendable {
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
