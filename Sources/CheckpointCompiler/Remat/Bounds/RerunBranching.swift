// Closes the gap between a staged relaxation and a cutoff, by cases.
//
// Method      A case says of some nodes that they never run again, or that they do and are paid for.
//             The first makes their values fixed, the second adds their cost, and with either the
//             multipliers prove more. The case with the lowest bound is split first, so that the
//             lowest bound of all is a bound on the problem at any time. Where the order of first
//             runs is given, cases that the relaxation cannot close go to `OrderedSearch`.
// Cost        Iterations and states are counted as work, up to a limit.

/// A proof by cases.
struct RerunBranching {
  /// One case.
  struct Case {
    var decided: [(node: Int, decision: RerunDecision)]
    var bound: Double
    /// What multipliers prove, and which.
    var certifiedBound = 0.0
    var certificate = BoundCertificate.Case()
    fileprivate var rowMultipliers: [Float] = []
    fileprivate var branchNode = -1
  }

  private var dual: StagedDual
  private let program: StagedProgram
  private var method: PrimalDualMethod
  private var exact: OrderedProof?
  /// Extra cost to be proved: nothing above it is of use.
  private(set) var cutoff: Double
  private(set) var workLeft = 0
  private var hasStarted = false
  /// Cases that cannot be closed, or have not been yet.
  private(set) var open: [Case] = []
  /// Cases whose bound reaches the cutoff.
  private(set) var closed: [Case] = []
  /// A schedule below the first cutoff.
  private(set) var found: (sequence: [Int32], extraCost: Double)?

  /// A proof on a relaxation that has not started yet; `exact` closes cases that have nothing left to
  /// split by.
  init(_ relaxation: StagedRelaxation, exact: OrderedProof?, cutoff: Double) {
    dual = StagedDual(relaxation)
    program = StagedProgram(dual)
    method = PrimalDualMethod(program.program)
    self.exact = exact
    self.cutoff = cutoff
  }

  /// The extra cost that is proved.
  var bound: Double { hasStarted ? open.reduce(cutoff) { min($0, $1.bound) } : 0 }
  /// What multipliers alone prove, and the cases of the proof.
  var certificate: (extraCost: Double, cases: [BoundCertificate.Case]) {
    let cases = open + closed
    return (cases.map(\.certifiedBound).min() ?? 0, cases.map(\.certificate))
  }
  /// Whether more work may prove more.
  var canContinue: Bool {
    guard let least = open.min(by: { $0.bound < $1.bound }) else { return !hasStarted }
    return least.branchNode >= 0
  }

  /// Works until the cutoff is proved, nothing can be split, or `work` is used up.
  mutating func run(work: Int) {
    workLeft = work
    if !hasStarted {
      hasStarted = true
      var root = Case(decided: [], bound: 0)
      root.rowMultipliers = startMultipliers()
      place(solved(root, rounds: 40))
    }
    while workLeft > 0, let index = open.indices.min(by: { open[$0].bound < open[$1].bound }) {
      let parent = open[index]
      if parent.branchNode < 0 { return }
      open.remove(at: index)
      for decision in [RerunDecision.paid, .never] {
        var child = parent
        child.decided.append((parent.branchNode, decision))
        place(solved(child, rounds: 6))
      }
    }
  }

  /// The best price of a byte that is the same at all moments, found by bisection on a
  /// logarithmic scale.
  private mutating func startMultipliers() -> [Float] {
    let graph = dual.relaxation.graph
    var best = dual.zero
    var bestBound = dual.evaluate(best)
    let bytes = graph.valueBytes.reduce(0, +)
    guard bytes > 0 else { return program.rowMultipliers(best.bytePrice) }
    let unit = graph.cost.reduce(0, +) / Double(bytes) / Double(dual.relaxation.moments.count)
    var factor = 256.0
    var center = 1.0
    while factor > 1.05, workLeft > 0 {
      for price in [center / factor, center * factor] {
        workLeft -= program.program.columns.count * Self.evaluationWork
        var multipliers = dual.zero
        for moment in multipliers.bytePrice.indices { multipliers.bytePrice[moment] = unit * price }
        let bound = dual.evaluate(multipliers)
        if bound > bestBound {
          bestBound = bound
          best = multipliers
          center = price
        }
      }
      factor = factor.squareRoot()
    }
    return program.rowMultipliers(best.bytePrice)
  }

  private mutating func place(_ item: Case) {
    if item.bound >= cutoff { closed.append(item) } else { open.append(item) }
  }

  /// Finds multipliers for a case, and the node to split it by.
  private mutating func solved(_ item: Case, rounds: Int) -> Case {
    var item = item
    dual.relaxation.decide(item.decided)
    let parentBound = item.bound
    var best = dual.zero
    var caseBound = dual.evaluate(best)
    let bounds = program.bounds(under: dual.relaxation)
    method.restart(cost: bounds.cost, upper: bounds.upper, dual: item.rowMultipliers)
    var sinceProgress = 0
    for round in 0...rounds {
      if round > 0 {
        method.iterate(Self.iterations)
        workLeft -= program.program.columns.count * 2 * Self.iterations
      }
      if caseBound >= cutoff { break }
      for rows in round == 0 ? [method.dual] : [method.dual, method.averageDual] {
        let multipliers = program.multipliers(rows)
        let value = dual.evaluate(multipliers)
        if value > caseBound {
          if value > caseBound + 0.01 * (cutoff - caseBound) { sinceProgress = 0 }
          caseBound = value
          best = multipliers
          item.rowMultipliers = rows.map { Float($0) }
        }
      }
      sinceProgress += 1
      if caseBound >= cutoff || workLeft <= 0 || sinceProgress > max(2, rounds / 4) { break }
      method.restartIfCloser()
    }
    item.bound = max(parentBound, caseBound)
    item.certifiedBound = caseBound
    item.certificate = dual.certificateCase(item.decided, best)
    if item.bound >= cutoff { return item }
    item.branchNode = branchNode(method.averagePrimal)
    if item.branchNode < 0 { search(&item) }
    return item
  }

  private static let iterations = 60
  /// Work of an evaluation, per entry of the program.
  private static let evaluationWork = 8
  private static let searchWork = 2_000_000

  /// The node whose runs are the most undecided and expensive.
  private func branchNode(_ primal: [Double]) -> Int {
    let relaxation = dual.relaxation
    let reruns = program.reruns(primal)
    var best = -1
    var bestScore = -1.0
    for node in reruns.indices where relaxation.decisions[node] == .open {
      guard relaxation.runStages[node].upperBound > relaxation.windowEnd[node] + 1 else { continue }
      let isOpen = relaxation.runStages[node].contains {
        $0 > relaxation.windowEnd[node] && relaxation.cost(of: node, in: Int($0)) < .infinity
      }
      guard isOpen else { continue }
      let score = relaxation.graph.cost[node] * min(reruns[node], 1)
      if score > bestScore {
        best = node
        bestScore = score
      }
    }
    return best
  }

  /// Tries to close a case by a search that relaxes nothing.
  private mutating func search(_ item: inout Case) {
    guard exact != nil else { return }
    let never = item.decided.filter { $0.decision == .never }
    var goal = cutoff
    for _ in 0..<4 {
      let outcome = exact!.prove(
        never, cutoff: goal, workMax: min(workLeft / OrderedProof.searchWeight, Self.searchWork))
      workLeft -= exact!.lastWork
      switch outcome {
      case .undecided: goal = (goal + item.bound) / 2
      case .noneBelowCutoff:
        item.bound = goal
        return
      case .optimum(let sequence, let extraCost):
        found = (sequence, extraCost)
        cutoff = min(cutoff, extraCost)
        item.bound = extraCost
        return
      }
    }
  }
}
