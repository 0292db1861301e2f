// The search over the weights of the eviction simulator, and the budgets that it is run for.

import Testing

@testable import CheckpointCompiler

@Suite struct EvictionSearchTests {
  private static let score = EvictionScore(distanceExponent: 1, countsMissingInputs: true)

  @Test func weightsMakePlansCheaperWithinTheBudget() throws {
    var cheaperCount = 0
    for seed in 0..<20 as Range<UInt64> {
      let problem = try RematSamples.random(40, seed: seed)
      let checker = RematChecker(problem)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      let budget = try #require(graph.figures(of: graph.baseSequence)).peakBytes * 7 / 10
      var search = EvictionSearch(graph, score: Self.score, seed: 1)
      guard let start = search.plan(within: budget, costMax: .infinity) else { continue }
      let best = search.improve(start, within: budget, workMax: 200_000)
      #expect(best.cost <= start.cost)
      if best.cost < start.cost { cheaperCount += 1 }
      let figures = try checker.check(
        Schedule(sequence: best.sequence, of: graph), budgetBytes: budget)
      #expect(abs(figures.cost - best.cost) <= 1e-9 * best.cost)
      // The weights that are left make the plan again, and no other ones are needed for it.
      let again = search.plan(within: budget, costMax: best.cost)
      #expect(try #require(again).cost <= best.cost)
    }
    #expect(cheaperCount > 3)
  }

  @Test func aPlanAboveTheCostIsNone() throws {
    let problem = try RematSamples.chain(20)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    var search = EvictionSearch(graph, score: Self.score, seed: 1)
    let known = search.plan(within: 8, costMax: .infinity)
    let plan = try #require(known)
    #expect(plan.cost > Double(graph.nodeCount))
    let cheaper = search.plan(within: 8, costMax: plan.cost - 1)
    #expect(cheaper == nil)
  }

  /// For a chain of equal stages the best plan is known: Griewank and Walther's.
  @Test func theSearchFindsBinomialCheckpoints() throws {
    let problem = try RematSamples.chain(16)
    for budget in [6, 8] {
      let revolve = solve(problem, options: SolveOptions(budgetBytes: budget, strategy: .revolve))
      let found = solve(problem, options: SolveOptions(budgetBytes: budget, effort: 0.5))
      #expect(found.status != .infeasible)
      #expect(revolve.status == .infeasible || found.cost <= revolve.cost)
    }
  }

  @Test func theLadderIsFinerWhereAStepIsMuchOfTheBudget() {
    let ladder = BudgetLadder(topBytes: 1000, count: 100)
    let bytes = ladder.rungs.map(\.bytes)
    #expect(bytes == bytes.sorted())
    for (low, high) in zip(bytes, bytes.dropFirst()) {
      #expect(high - low <= (low < 250 ? 3 : low < 500 ? 5 : 10))
    }
    for percent in 1..<100 { #expect(bytes.contains(percent * 10)) }
    #expect(ladder.rungs.filter { $0.weight > 1 }.map(\.bytes) == (1..<20).map { $0 * 50 })
    #expect(BudgetLadder(topBytes: 1000, count: 10).rungs.map(\.bytes) == (1..<10).map { $0 * 100 })
  }
}
