// A proven lower bound on the cost of any schedule within a budget.
//
// Proof       Every node runs once: the sum of costs is a bound. What is extra is bounded by staged
//             relaxations (`StagedRelaxation`) with moments chosen by `MomentChoice`, each split into
//             cases (`RerunBranching`). Where the order of first runs is given and the problem is
//             small, what is left is closed by a search that relaxes nothing (`OrderedSearch`).
// Method      Every choice of moments gets a small part of the work, and the best of them the rest.
// Cost        Work is counted: about two units per entry of the linear program and iteration.

/// What is known about the cost of the best schedule.
struct CostBound: Sendable {
  /// No schedule costs less.
  private(set) var cost: Double
  /// What proves it, or as much of it as multipliers can prove.
  private(set) var certificate: BoundCertificate?
  /// A schedule cheaper than the one known, if one was found, as nodes of the graph.
  private(set) var found: [Int32]?

  /// A bound for schedules of `graph` within `budgetBytes`, whose first runs follow the base order if
  /// `keepsOrder` says so; `knownCost` is that of a schedule within the budget, if one is known, and
  /// an effort of 1 is the default.
  init(
    _ graph: RematGraph, budgetBytes: Int, keepsOrder: Bool, knownCost: Double?, effort: Double
  ) {
    let base = graph.cost.reduce(0, +)
    cost = base
    let tolerance = Self.tolerance * base
    let cutoff = (knownCost ?? 2 * base) - base - tolerance
    guard cutoff > 0, graph.nodeCount > 1 else { return }
    if let once = graph.figures(of: graph.baseSequence), once.peakBytes <= budgetBytes { return }
    let size = Double(graph.nodeCount + graph.inputValues.count)
    let work = Int(min(Self.workMax, Self.workPerCube * size * size * size) * min(effort, 4))
    var workLeft = work
    var proofs: [(moments: [Int], proof: RerunBranching)] = []
    let exact =
      keepsOrder && graph.nodeCount <= Self.exactNodesMax && effort >= 0.5
      ? OrderedProof(graph, budgetBytes: budgetBytes) : nil
    // The best guess has to do where there is little time.
    let choices = MomentChoice(graph: graph, keepsOrder: keepsOrder).choices()
    for moments in effort < 0.5 ? choices.prefix(1) : choices[...] {
      let relaxation = StagedRelaxation(
        graph, moments: moments, keepsOrder: keepsOrder, budgetBytes: budgetBytes)
      if moments.indices.contains(where: { relaxation.capacity(of: $0) < 0 }) { continue }
      var proof = RerunBranching(relaxation, exact: exact, cutoff: cutoff)
      proof.run(work: work / 20)
      workLeft -= work / 20 - proof.workLeft
      proofs.append((moments, proof))
      if proof.bound >= proof.cutoff { break }
    }
    func isBehind(_ one: Int, _ other: Int) -> Bool {
      (proofs[one].proof.bound, other) < (proofs[other].proof.bound, one)
    }
    while workLeft > 0, proofs.allSatisfy({ $0.proof.bound < $0.proof.cutoff }),
      let next = proofs.indices.filter({ proofs[$0].proof.canContinue }).max(by: isBehind)
    {
      proofs[next].proof.run(work: work / 10)
      workLeft -= max(1, work / 10 - proofs[next].proof.workLeft)
    }
    guard let best = proofs.indices.max(by: isBehind) else { return }
    let proof = proofs[best].proof
    cost = base + max(0, proof.bound)
    found = proofs.compactMap(\.proof.found).min { $0.extraCost < $1.extraCost }?.sequence
    if proof.bound >= cutoff, found == nil, let knownCost { cost = knownCost }
    let certified = proof.certificate
    if certified.extraCost > 0 {
      certificate = BoundCertificate(
        budgetBytes: budgetBytes, keepsOrder: keepsOrder, moments: proofs[best].moments,
        cases: certified.cases, cost: base + certified.extraCost)
      if knownCost == nil { cost = max(cost, base + certified.extraCost) }
    }
    let isTight = proof.bound >= proof.cutoff
    if !isTight, let search = TinySearch(graph, keepsOrder: keepsOrder),
      let least = search.leastCost(
        budgetBytes: budgetBytes, statesMax: Self.states(effort: effort)), least < .infinity
    {
      cost = max(cost, least)
    }
  }

  /// Costs that differ by less than this part of the cost of running every node once are equal.
  static let tolerance = 1e-10
  /// How many states of a tiny problem are looked at.
  static func states(effort: Double) -> Int { Int(4000 * min(1, effort)) }
  /// Work at effort 1, at most, and per cube of nodes and reads.
  private static let workMax = 3e8
  private static let workPerCube = 8.0
  /// Largest problem for which every node can be a moment.
  private static let exactNodesMax = 160
}
