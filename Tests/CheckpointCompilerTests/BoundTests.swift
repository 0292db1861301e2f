// Bounds against the optimum of tiny problems, and their certificates against the checker.

import Testing

@testable import CheckpointCompiler

@Suite struct BoundTests {
  /// A problem with several outputs, kept values, nodes that run once and invalidations.
  static func sample(_ count: Int, seed: UInt64) throws -> RematProblem {
    var generator = SeededGenerator(seed: seed)
    var nodes: [RematProblem.Node] = []
    for index in 0..<count {
      var inputs: [RematProblem.Input] = []
      if index > 0, generator.index(below: 6) > 0 {
        for _ in 0..<1 + generator.index(below: 2) {
          let isNear = generator.index(below: 3) > 0
          let back = isNear ? generator.index(below: min(2, index)) : generator.index(below: index)
          let node = index - 1 - back
          let output = generator.index(below: nodes[node].outputBytes.count)
          let input = RematProblem.Input(node: node, output: output)
          if !inputs.contains(input) { inputs.append(input) }
        }
      }
      let outputCount = generator.index(below: 5) == 0 ? 2 : 1
      nodes.append(
        .init(
          cost: Double(1 + generator.index(below: 8)),
          outputBytes: (0..<outputCount).map { _ in generator.index(below: 8) }, inputs: inputs,
          scratchBytes: generator.index(below: 4) == 0 ? generator.index(below: 5) : 0,
          keep: [generator.index(below: 8) == 0], isOnce: generator.index(below: 8) == 0,
          invalidates: index > 2 && generator.index(below: 10) == 0
            ? [generator.index(below: index)] : []))
    }
    return try RematProblem(nodes: nodes)
  }

  @Test func boundsAreBelowTheOptimumAndMostlyEqualIt() throws {
    var extraCount = 0
    var tightCount = 0
    for seed in 0..<24 as Range<UInt64> {
      let problem = try Self.sample(4 + Int(seed % 3), seed: seed)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      let once = graph.cost.reduce(0, +)
      let peak = try #require(graph.figures(of: graph.baseSequence)).peakBytes
      for keepsOrder in [true, false] {
        let exact = ExhaustiveOptimum(problem, keepsOrder: keepsOrder)
        let least = exact.leastPeak()
        #expect(MinimumBudget(graph, keepsOrder: keepsOrder).bytes <= least)
        for budget in Set([least, (least + peak) / 2]).sorted() {
          let optimum = try #require(exact.leastCost(budgetBytes: budget))
          // From the optimum itself, and from a plan that leaves something to find.
          for known in [optimum, optimum + 3] {
            let bound = CostBound(
              graph, budgetBytes: budget, keepsOrder: keepsOrder, knownCost: known, effort: 1)
            #expect(bound.cost <= optimum * (1 + 1e-9), "seed \(seed), budget \(budget)")
            if optimum > once {
              extraCount += 1
              if bound.cost >= optimum * (1 - 1e-9) { tightCount += 1 }
            }
            if let found = bound.found {
              #expect(graph.figures(of: found)?.cost == optimum)
              #expect(try #require(graph.figures(of: found)).peakBytes <= budget)
            }
          }
        }
      }
    }
    #expect(extraCount > 15)
    #expect(tightCount * 10 >= extraCount * 8)
  }

  @Test func optimalMeansOptimal() throws {
    for seed in 100..<108 as Range<UInt64> {
      let problem = try Self.sample(6, seed: seed)
      for order in RematOrder.allCases {
        let exact = ExhaustiveOptimum(problem, keepsOrder: order == .given)
        let least = exact.leastPeak()
        for budget in [least - 1, least, least + 2] {
          let result = solve(
            problem, options: SolveOptions(budgetBytes: budget, order: order, effort: 0.1))
          #expect(result.minimumBudgetLowerBound <= least)
          #expect(result.minimumBudgetBytes >= least)
          guard let optimum = exact.leastCost(budgetBytes: budget) else {
            #expect(result.status == .infeasible)
            continue
          }
          #expect(result.lowerBound <= optimum * (1 + 1e-9))
          if result.status == .optimal { #expect(result.cost <= optimum * (1 + 1e-9)) }
          if result.status != .infeasible {
            let figures = try RematChecker(problem).check(result.schedule, budgetBytes: budget)
            #expect(figures.cost == result.cost)
          }
        }
      }
    }
  }

  @Test func theCheckerFindsWhatCertificatesClaim() throws {
    var count = 0
    for seed in 0..<8 as Range<UInt64> {
      let problem = try RematSamples.random(12, seed: seed)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      let peak = try #require(graph.figures(of: graph.baseSequence)).peakBytes
      for keepsOrder in [true, false] {
        let bound = CostBound(
          graph, budgetBytes: peak * 7 / 10, keepsOrder: keepsOrder, knownCost: nil, effort: 3)
        guard let certificate = bound.certificate else { continue }
        count += 1
        let proved = try BoundChecker(problem).check(certificate)
        #expect(abs(proved - certificate.cost) <= 1e-9 * proved)
        #expect(certificate.cost <= bound.cost)
      }
    }
    #expect(count >= 8)
  }

  @Test func theCheckerRefusesWhatIsNoProof() throws {
    let problem = try RematSamples.chain(8)
    let options = SolveOptions(budgetBytes: 6, order: .given, effort: 2)
    let certificate = try #require(solve(problem, options: options).certificate)
    let checker = BoundChecker(problem)
    #expect(try checker.check(certificate) > 16)
    var changed = certificate
    changed.cases.removeLast()
    #expect(throws: Diagnostic.self) { try checker.check(changed) }
    changed = certificate
    changed.moments[0] = 99
    #expect(throws: Diagnostic.self) { try checker.check(changed) }
    changed = certificate
    changed.cases[0].bytePrices[0] = -1
    #expect(throws: Diagnostic.self) { try checker.check(changed) }
    changed = certificate
    changed.budgetBytes += 20
    #expect(try checker.check(changed) < certificate.cost)
  }

  @Test func valuesOfNodesThatRunOnceRaiseTheSmallestBudget() throws {
    // Both a and b wait for d; while c runs, they are resident.
    let nodes: [RematProblem.Node] = [
      .init(name: "a", cost: 1, outputBytes: [3], isOnce: true),
      .init(name: "b", cost: 1, outputBytes: [4], inputs: [.init(node: 0)], isOnce: true),
      .init(name: "c", cost: 1, outputBytes: [5], inputs: [.init(node: 1)]),
      .init(
        name: "d", cost: 1, outputBytes: [1],
        inputs: [.init(node: 0), .init(node: 2), .init(node: 1)]),
    ]
    let problem = try RematProblem(nodes: nodes)
    let result = solve(problem, options: SolveOptions(budgetBytes: 11))
    #expect(result.status == .infeasible)
    #expect(result.minimumBudgetLowerBound == 13)
    #expect(result.minimumBudgetBytes == 13)
    #expect(result.minimumBudgetNode == 3)
    #expect(result.minimumBudgetValues.count == 3)
  }
}
