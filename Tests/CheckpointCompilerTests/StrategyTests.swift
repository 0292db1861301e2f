// What holds for every strategy on every graph: valid plans, budgets kept, pins obeyed, `auto` never worse.

import Testing

@testable import CheckpointCompiler

@Suite struct StrategyTests {
  private static func peak(_ problem: RematProblem) -> Int {
    solve(problem, options: SolveOptions(strategy: .none)).keepAllPeakBytes
  }

  @Test func everyPlanOfEveryFamilyIsValid() throws {
    var recomputingCount = 0
    for seed in 0..<60 as Range<UInt64> {
      let problem = try RematSamples.random(4 + Int(seed), seed: seed + 500)
      let checker = RematChecker(problem)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      for strategy in RematGraph.namedStrategies {
        let sequences = graph.sequences(of: strategy)
        #expect(!sequences.isEmpty)
        for sequence in sequences {
          let figures = try #require(graph.figures(of: sequence), "\(strategy)")
          let checked = try checker.check(Schedule(sequence: sequence, of: graph))
          #expect(checked.peakBytes == figures.peakBytes && checked.cost == figures.cost)
          #expect(graph.satisfiesRunCounts(sequence))
          if sequence.count > graph.nodeCount { recomputingCount += 1 }
        }
      }
    }
    #expect(recomputingCount > 1000)
  }

  @Test func autoIsNeverWorse() throws {
    for seed in 0..<6 as Range<UInt64> {
      let problem =
        seed < 4
        ? try RematSamples.random(24, seed: seed) : try RematSamples.chain(2 + 3 * Int(seed))
      let peak = Self.peak(problem)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      let archives = RematGraph.namedStrategies.map { graph.archive(of: $0) }
      for order in RematOrder.allCases {
        for percent in [100, 75, 45] {
          let budget = peak * percent / 100
          let options = SolveOptions(budgetBytes: budget, order: order, effort: 0.02)
          let result = solve(problem, options: options)
          for (strategy, archive) in zip(RematGraph.namedStrategies, archives) {
            guard let plan = archive.best(within: budget) else { continue }
            #expect(result.status != .infeasible, "\(strategy) fits")
            #expect(result.cost <= plan.cost, "\(strategy) at \(percent) % of seed \(seed)")
          }
        }
      }
    }
  }

  @Test func aLargerBudgetNeverCostsMore() throws {
    let problem = try RematSamples.random(40, seed: 11)
    let peak = Self.peak(problem)
    for strategy in RematGraph.namedStrategies {
      var last = Double.infinity
      for percent in stride(from: 30, through: 120, by: 5) {
        let result = solve(
          problem,
          options: SolveOptions(
            budgetBytes: peak * percent / 100, strategy: strategy, effort: 0))
        if result.status == .infeasible {
          // What is reported instead is the smallest that the strategy reached.
          #expect(result.peakBytes == result.minimumBudgetBytes && last == .infinity)
          continue
        }
        #expect(result.cost <= last)
        last = result.cost
      }
    }
  }

  @Test func aStrategyThatNeedsABudgetSaysSo() throws {
    let problem = try RematSamples.chain(8)
    for strategy in RematStrategy.allCases {
      let remarks = solve(problem, options: SolveOptions(strategy: strategy)).remarks
      let isToldOf = remarks.contains { $0.contains("'\(strategy.rawValue)' plans for a budget") }
      #expect(isToldOf == (strategy.isAdjustable && strategy != .auto))
      #expect(
        solve(problem, options: SolveOptions(budgetBytes: 9, strategy: strategy)).remarks.isEmpty)
    }
  }

  @Test func pinsAreObeyed() throws {
    let problem = try RematSamples.chain(16)
    for strategy in RematGraph.namedStrategies {
      let recomputed = solve(
        problem,
        options: SolveOptions(strategy: strategy, pins: [RematPin(node: 5, .recompute)]))
      _ = try RematChecker(problem).check(recomputed.schedule)
      #expect(recomputed.status != .infeasible)
      #expect(recomputed.schedule.computations.count { $0 == 5 } >= 2, "\(strategy)")
      let kept = solve(
        problem,
        options: SolveOptions(
          budgetBytes: 15, strategy: strategy, pins: [RematPin(node: 5, .keep)]))
      _ = try RematChecker(problem).check(kept.schedule)
      #expect(kept.schedule.computations.count { $0 == 5 } == 1, "\(strategy)")
    }
  }

  @Test func theForwardPartEndsAtTheLoss() throws {
    let problem = try RematSamples.chain(12)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    #expect(graph.turningPosition == 11)
    let chain = try #require(graph.stageChains(stagesMax: 96).first)
    #expect(chain.count == 12)
    #expect((0..<12).allSatisfy { chain.forward($0) == $0..<$0 + 1 })
    #expect((2..<12).allSatisfy { chain.backward($0) == 23 - $0..<24 - $0 })
    // What reverses the first stage reads its output only, as the second does.
    #expect(chain.backward(1) == 22..<24 && chain.backward(0).isEmpty)
    // Seven windows of cuts, so eight stages.
    #expect(graph.stageChains(stagesMax: 8).map(\.count) == [8])
  }

  @Test func extremeGraphsGivePlans() throws {
    let huge = Int.max / 40
    let problems = [
      try RematProblem(nodes: []),
      try RematProblem(nodes: [.init(cost: 0, outputBytes: [0])]),
      // Everything `once`, costs of zero, the largest sizes.
      try RematProblem(
        nodes: (0..<4).map { index in
          .init(
            cost: 0, outputBytes: [huge], inputs: (0..<index).map { .init(node: $0) },
            isOnce: true)
        }),
      try RematProblem(
        nodes: (0..<5).map { index in
          .init(
            cost: 1e299, outputBytes: [huge / 2], inputs: index > 0 ? [.init(node: index - 1)] : [],
            scratchBytes: huge / 4)
        }),
      // No edges, all kept.
      try RematProblem(nodes: (0..<9).map { _ in .init(cost: 1, outputBytes: [8], keep: [true]) }),
    ]
    for problem in problems {
      for strategy in RematStrategy.allCases {
        let result = solve(problem, options: SolveOptions(strategy: strategy, effort: 0.02))
        let figures = try RematChecker(problem).check(result.schedule)
        #expect(figures.peakBytes == result.peakBytes && result.status != .infeasible)
      }
    }
  }

  /// What a proof comes across is no plan of a strategy by name.
  @Test func proofsLeaveNamedStrategiesAlone() throws {
    let problem = try RematSamples.chain(12)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    let peak = try #require(graph.figures(of: graph.baseSequence)).peakBytes
    for strategy in [RematStrategy.none, .sqrt, .cheap] {
      for budget in stride(from: peak / 4, to: peak, by: max(1, peak / 5)) {
        let result = solve(
          problem,
          options: SolveOptions(budgetBytes: budget, strategy: strategy, order: .given))
        let own = graph.archive(of: strategy).best(within: budget)
        #expect(result.status == .infeasible ? own == nil : result.cost == own?.cost)
      }
    }
  }

  @Test func sumsOfCostsAreFinite() {
    #expect(throws: Diagnostic.self) {
      try RematProblem(nodes: (0..<2).map { _ in .init(cost: 1e300, outputBytes: [1]) })
    }
  }

  @Test func largeGraphsAreWithinReach() throws {
    // 8000 nodes; the methods that are quadratic in stages or sets must thin theirs.
    let problem = try RematSamples.chain(4000)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    for strategy in [.greedy, .revolve, .chain, .lowerSets, .minimumCut] as [RematStrategy] {
      let archive = graph.archive(of: strategy)
      let smallest = try #require(archive.plans.first)
      _ = try RematChecker(problem).check(
        Schedule(sequence: smallest.sequence, of: graph), budgetBytes: smallest.peakBytes)
      // A cut saves bytes over the turn; where all nodes are alike, that recomputes all at once.
      if strategy != .minimumCut { #expect(smallest.peakBytes < 2000, "\(strategy)") }
    }
  }
}
