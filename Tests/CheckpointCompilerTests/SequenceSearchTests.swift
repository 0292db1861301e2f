// The search over sequences: what it returns.

import Testing

@testable import CheckpointCompiler

@Suite struct SequenceSearchTests {
  @Test func whatIsFoundRunsWithinTheBudget() throws {
    var improvedCount = 0
    for seed in 0..<12 as Range<UInt64> {
      let problem = try RematSamples.random(30, seed: seed)
      let checker = RematChecker(problem)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      let peak = try #require(graph.figures(of: graph.baseSequence)).peakBytes
      for keepsOrder in [false, true] {
        let goal = SequenceSearch.Goal(
          budgetBytes: peak * 9 / 10, keepsOrder: keepsOrder)
        var search = try #require(Held(graph, goal))
        search.run(moves: 1500)
        guard let found = search.best else { continue }
        improvedCount += 1
        #expect(graph.satisfiesRunCounts(found))
        _ = try checker.check(
          Schedule(sequence: found, of: graph), budgetBytes: goal.budgetBytes)
        if keepsOrder {
          var seen: Set<Int32> = []
          let first = found.filter { seen.insert($0).inserted }
          #expect(first == first.sorted())
        }
      }
    }
    #expect(improvedCount > 5)
  }

  /// What one search gives, in a form that can be required.
  private struct Held {
    let graph: RematGraph
    let goal: SequenceSearch.Goal
    var best: [Int32]?

    init?(_ graph: RematGraph, _ goal: SequenceSearch.Goal) {
      self.graph = graph
      self.goal = goal
    }

    mutating func run(moves: Int) {
      guard
        var search = SequenceSearch(graph, from: graph.baseSequence, goal: goal, seed: 3)
      else { return }
      search.run(moves: moves)
      best = search.best
    }
  }

  @Test func searchedPlansKeepEveryBudgetAndCostNoMoreWithALargerOne() throws {
    var plannedCount = 0
    for seed in 40..<44 as Range<UInt64> {
      let problem = try RematSamples.random(20, seed: seed)
      let checker = RematChecker(problem)
      let peak = solve(problem, options: SolveOptions(strategy: .none)).keepAllPeakBytes
      for order in RematOrder.allCases {
        var last = Double.infinity
        for percent in stride(from: 51, through: 107, by: 7) {
          let options = SolveOptions(
            budgetBytes: peak * percent / 100, order: order, effort: 0.1)
          let result = solve(problem, options: options)
          let isWithin = result.status != .infeasible
          #expect(isWithin == (result.peakBytes <= peak * percent / 100))
          let figures = try checker.check(
            result.schedule, budgetBytes: isWithin ? options.budgetBytes : nil)
          #expect(figures.peakBytes == result.peakBytes)
          #expect(isWithin || last == .infinity)
          if !isWithin { continue }
          #expect(result.cost <= last)
          last = result.cost
          plannedCount += 1
        }
      }
    }
    #expect(plannedCount > 20)
  }

  @Test func oneThreadAndTwoGiveTheSamePlan() throws {
    for seed in 20..<26 as Range<UInt64> {
      let problem = try RematSamples.random(40, seed: seed)
      let peak = solve(problem, options: SolveOptions(strategy: .none)).keepAllPeakBytes
      var options = SolveOptions(budgetBytes: peak * 3 / 4)
      options.threadCount = 1
      let alone = solve(problem, options: options)
      options.threadCount = 2
      #expect(solve(problem, options: options).json() == alone.json())
      options.threadCount = 3
      #expect(solve(problem, options: options).json() == alone.json())
    }
  }

  @Test func pruningKeepsTheBudgetAndTakesUselessRunsOut() throws {
    // The value of node 0 is made again although it may stay.
    let problem = try RematSamples.chain(6)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    var sequence = graph.baseSequence
    sequence.insert(0, at: 10)
    guard
      var search = SequenceSearch(
        graph, from: sequence, goal: .init(budgetBytes: 7), seed: 1)
    else {
      Issue.record("the sequence is refused")
      return
    }
    search.prune()
    #expect(search.best == graph.baseSequence)
  }

  @Test func annealingReachesTheOptimumOfSmallGraphs() throws {
    var provedCount = 0
    for seed in 0..<6 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed &+ 50)
      var nodes: [RematProblem.Node] = []
      for index in 0..<8 {
        var inputs: Set<Int> = []
        if index > 0 {
          inputs.insert(index - 1)
          inputs.insert(generator.index(below: index))
        }
        nodes.append(
          .init(
            cost: Double(1 + generator.index(below: 5)),
            outputBytes: [1 + generator.index(below: 6)],
            inputs: inputs.sorted().map { .init(node: $0) }))
      }
      let problem = try RematProblem(nodes: nodes)
      let peak = solve(problem, options: SolveOptions(strategy: .none)).keepAllPeakBytes
      // A rung of the ladder, so that nothing is lost to rounding.
      let budget = peak * 90 / 100
      guard let optimum = RematSamples.optimum(problem, budgetBytes: budget) else { continue }
      let result = solve(problem, options: SolveOptions(budgetBytes: budget, effort: 4))
      #expect(result.cost == optimum)
      provedCount += 1
    }
    #expect(provedCount > 0)
  }
}
