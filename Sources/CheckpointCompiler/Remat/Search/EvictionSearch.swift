// Improves what the eviction simulator makes: a search over how dearly it holds each value.
//
// Method      Every use of a value has a weight, which multiplies the score of the value until then. A
//             move changes the weights of a few uses, and is kept if the plan that comes out costs no
//             more than the last one kept, and a little, which sinks to nothing.
// Why         Near the smallest budget hardly any change of a sequence of runs stays within it. The
//             simulator keeps the budget whatever the weights are.
// Cost        A move is one run of the simulator.
// Source      Search in the priorities of a constructive rule: Bean, "Genetic algorithms and random
//             keys for sequencing and optimization", ORSA Journal on Computing 6 (1994).

/// The simulator in one base order under one score, and the weights that served it best so far.
struct EvictionSearch: Sendable {
  /// What the simulator made of some weights.
  struct Plan {
    var sequence: [Int32]
    var cost: Double
  }

  private let graph: RematGraph
  private var score: EvictionScore
  private var random: SeededGenerator
  /// What all runs of the simulator took, in its unit.
  private(set) var work = 0

  /// A search that starts from equal weights.
  init(_ graph: RematGraph, score: EvictionScore, seed: UInt64) {
    self.graph = graph
    self.score = score
    random = SeededGenerator(seed: seed)
  }

  /// The plan of the weights as they are, or of equal ones if that is cheaper: those are taken then. Nil
  /// if neither has a plan of at most `costMax`.
  mutating func plan(within budgetBytes: Int, costMax: Double) -> Plan? {
    var simulator = EvictionSimulator(graph)
    let known = plan(score, &simulator, within: budgetBytes, costMax: costMax)
    if score.weights.isEmpty { return known }
    var plain = score
    plain.weights = []
    guard
      let other = plan(plain, &simulator, within: budgetBytes, costMax: known?.cost ?? costMax)
    else { return known }
    score = plain
    return other
  }

  /// The best plan that moves lead to from `start`, the plan of the weights as they are, until they have
  /// taken `workMax`.
  mutating func improve(_ start: Plan, within budgetBytes: Int, workMax: Int) -> Plan {
    if score.weights.isEmpty {
      score.weights = [Double](repeating: 1, count: graph.users.count + graph.valueCount)
    }
    var simulator = EvictionSimulator(graph)
    var current = start.cost
    var best = start
    var bestScore = score
    let begin = work
    while work - begin < workMax {
      let left = 1 - Double(work - begin) / Double(workMax)
      var changes: [(place: Int, weight: Double)] = []
      for _ in 0...random.index(below: 3) { changes.append(change()) }
      let slack = Self.slack * left * left * random.unit() * random.unit()
      guard
        let plan = plan(
          score, &simulator, within: budgetBytes, costMax: current * (1 + slack))
      else {
        for (place, weight) in changes.reversed() { score.weights[place] = weight }
        continue
      }
      current = plan.cost
      if plan.cost < best.cost {
        best = plan
        bestScore = score
      }
    }
    score = bestScore
    return best
  }

  /// The largest part of its cost by which a plan may be worse than the one before.
  private static let slack = 0.03

  /// Changes a weight; says which, and what it was.
  private mutating func change() -> (place: Int, weight: Double) {
    let place = random.index(below: score.weights.count)
    let weight = score.weights[place]
    let factors: [5 of Double] = [0.01, 0.25, 0.6, 4, 100]
    let draw = random.index(below: factors.count + 1)
    score.weights[place] =
      draw < factors.count ? min(max(weight * factors[draw], 1e-9), 1e9) : 1
    return (place, weight)
  }

  private mutating func plan(
    _ score: EvictionScore, _ simulator: inout EvictionSimulator, within budgetBytes: Int,
    costMax: Double
  ) -> Plan? {
    let sequence = simulator.run(budgetBytes: budgetBytes, score: score, costMax: costMax)
    work += simulator.work + 1
    // What is written over a dying input is an estimate in the simulator: a search must not live on
    // its errors.
    guard let sequence, let figures = graph.figures(of: sequence),
      figures.peakBytes <= budgetBytes
    else { return nil }
    return Plan(sequence: sequence, cost: figures.cost)
  }
}
