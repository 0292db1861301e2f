// Exact answers for problems whose order of first runs is given, with some nodes that never run again.
//
// Method      A staged relaxation with every node a moment, its multipliers improved for the case at
//             hand, guides an `OrderedSearch`.

/// What answers one case after the other.
struct OrderedProof {
  private var dual: StagedDual
  private let program: StagedProgram
  private var method: PrimalDualMethod
  private let budgetBytes: Int
  private var rowMultipliers: [Float]
  /// Work that a state looked at by the search stands for.
  static let searchWeight = 30
  /// Work of the last answer.
  private(set) var lastWork = 0

  init(_ graph: RematGraph, budgetBytes: Int) {
    let relaxation = StagedRelaxation(
      graph, moments: Array(0..<graph.nodeCount), keepsOrder: true, budgetBytes: budgetBytes)
    dual = StagedDual(relaxation)
    program = StagedProgram(dual)
    method = PrimalDualMethod(program.program)
    self.budgetBytes = budgetBytes
    rowMultipliers = []
  }

  /// Solves the relaxation without any decision, to start from.
  private mutating func findRowMultipliers() {
    for _ in 0..<15 {
      method.iterate(100)
      method.restartIfCloser()
    }
    rowMultipliers = method.dual.map { Float($0) }
  }

  /// Looks for schedules below `cutoff` in which the nodes of `never` run once.
  mutating func prove(
    _ never: [(node: Int, decision: RerunDecision)], cutoff: Double, workMax: Int
  ) -> OrderedSearch.Outcome {
    if rowMultipliers.isEmpty { findRowMultipliers() }
    dual.relaxation.decide(never)
    let bounds = program.bounds(under: dual.relaxation)
    method.restart(cost: bounds.cost, upper: bounds.upper, dual: rowMultipliers)
    lastWork = 0
    var best = -Double.infinity
    var bestMultipliers = dual.zero
    for round in 0...10 {
      if round > 0 {
        method.iterate(60)
        lastWork += program.program.columns.count * 120
        method.restartIfCloser()
      }
      let multipliers = program.multipliers(method.dual)
      let bound = dual.evaluate(multipliers)
      if bound > best {
        best = bound
        bestMultipliers = multipliers
      }
      if best >= cutoff { return .noneBelowCutoff }
    }
    _ = dual.evaluate(bestMultipliers)
    var search = OrderedSearch(dual, budgetBytes: budgetBytes, cutoff: cutoff, workMax: workMax)
    let outcome = search.run()
    lastWork += (workMax - search.remainingWork) * Self.searchWeight
    return outcome
  }
}
