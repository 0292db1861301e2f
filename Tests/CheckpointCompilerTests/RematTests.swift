// The planner against its checker, on hand-made and random graphs.

import Testing

@testable import CheckpointCompiler

@Suite struct RematTests {
  @Test func keepAllOfAChainHoldsEveryValue() throws {
    let result = solve(try RematSamples.chain(4), options: SolveOptions(strategy: .none))
    // Before b3 runs, f0…f3 are resident; b3 adds its own output; after it f3 dies.
    #expect(result.peakBytes == 5)
    #expect(result.cost == 8)
    #expect(result.status == .optimal)
    let steps = result.schedule.steps
    #expect(steps.prefix(4) == [0, 1, 2, 3].map { .compute(node: $0) }[...])
    #expect(steps[4...6] == [.compute(node: 4), .free(node: 3, output: 0), .compute(node: 5)])
  }

  @Test func aChainReachesFourBytes() throws {
    // b_i needs f_i, f_(i-1), the gradient before it and room for its own.
    let problem = try RematSamples.chain(12)
    let result = solve(problem, options: SolveOptions(budgetBytes: 4))
    #expect(result.status == .feasible)
    #expect(result.minimumBudgetBytes == 4)
    #expect(try RematChecker(problem).check(result.schedule, budgetBytes: 4).cost == result.cost)
    let tight = solve(problem, options: SolveOptions(budgetBytes: 3))
    #expect(tight.status == .infeasible)
    #expect(tight.minimumBudgetBytes == 4)
  }

  @Test func sqrtOfAChainRecomputesOnceAndSaves() throws {
    let problem = try RematSamples.chain(100)
    let result = solve(problem, options: SolveOptions(strategy: .sqrt))
    let figures = try RematChecker(problem).check(result.schedule)
    #expect(figures.peakBytes == result.peakBytes)
    #expect(result.peakBytes < 30)
    #expect(result.cost <= 300)
  }

  @Test func cheapDropsWhatSaysItIsCheap() throws {
    // conv, relu, conv, relu, …: backward reads every value.
    var nodes: [RematProblem.Node] = []
    for index in 0..<8 {
      nodes.append(
        .init(
          cost: index % 2 == 0 ? 10 : 1, outputBytes: [4],
          inputs: index > 0 ? [.init(node: index - 1)] : [], isCheap: index % 2 == 1))
    }
    for index in (0..<8).reversed() {
      var inputs = [RematProblem.Input(node: index)]
      if index < 7 { inputs.append(.init(node: nodes.count - 1)) }
      nodes.append(.init(cost: 1, outputBytes: [4], inputs: inputs, isCheap: false))
    }
    let problem = try RematProblem(nodes: nodes)
    let result = solve(problem, options: SolveOptions(strategy: .cheap))
    _ = try RematChecker(problem).check(result.schedule)
    let computed = result.schedule.computations
    for node in 0..<8 {
      let runs = computed.count { $0 == node }
      // The last relu is used at once, so dropping it gains nothing and costs nothing.
      #expect(node % 2 == 0 ? runs == 1 : runs <= 2)
    }
    #expect(result.peakBytes < result.keepAllPeakBytes)
  }

  @Test func everyScheduleOfEveryStrategyChecks() throws {
    for seed in 0..<24 as Range<UInt64> {
      let problem = try RematSamples.random(5 + 3 * Int(seed) / 2, seed: seed)
      let checker = RematChecker(problem)
      for strategy in RematStrategy.allCases {
        // Named strategies keep the order of the problem.
        for order in RematOrder.allCases where strategy == .auto || order == .given {
          let effort = strategy == .auto ? 0.02 : 0
          let full = solve(
            problem, options: SolveOptions(strategy: .none, order: order, effort: 0))
          for percent in [100, 80, 60, 40] {
            let budget = full.keepAllPeakBytes * percent / 100
            let result = solve(
              problem,
              options: SolveOptions(
                budgetBytes: budget, strategy: strategy, order: order, effort: effort))
            let figures = try checker.check(result.schedule)
            #expect(figures.peakBytes == result.peakBytes)
            #expect(figures.cost == result.cost)
            #expect(result.cost >= result.lowerBound || result.status == .infeasible)
            #expect((result.peakBytes <= budget) == (result.status != .infeasible))
            #expect(result.minimumBudgetBytes >= result.minimumBudgetLowerBound)
            if order == .given {
              var first: [Int] = []
              for node in result.schedule.computations where !first.contains(node) {
                first.append(node)
              }
              #expect(first == first.sorted())
            }
          }
        }
      }
    }
  }

  @Test func aLargerBudgetNeverCostsMore() throws {
    for seed in 100..<112 as Range<UInt64> {
      let problem = try RematSamples.random(30, seed: seed)
      let full = solve(problem, options: SolveOptions(strategy: .none))
      var last = Double.infinity
      for percent in stride(from: 40, through: 110, by: 3) {
        let result = solve(
          problem,
          options: SolveOptions(
            budgetBytes: full.keepAllPeakBytes * percent / 100, effort: 0.02))
        if result.status == .infeasible { continue }
        #expect(result.cost <= last)
        last = result.cost
      }
      #expect(last == full.cost)
    }
  }

  @Test func autoIsBoundedByTheOptimum() throws {
    for seed in 0..<12 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
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
      for percent in [95, 80, 70] {
        let budget = peak * percent / 100
        let optimum = RematSamples.optimum(problem, budgetBytes: budget)
        let result = solve(problem, options: SolveOptions(budgetBytes: budget))
        guard let optimum else {
          #expect(result.status == .infeasible)
          continue
        }
        #expect(result.lowerBound <= optimum)
        if result.status != .infeasible { #expect(result.cost >= optimum) }
        if result.status == .optimal { #expect(result.cost == optimum) }
        let given = solve(problem, options: SolveOptions(budgetBytes: budget, order: .given))
        if given.status != .infeasible { #expect(given.cost >= given.lowerBound) }
      }
    }
  }

  @Test func invalidatedNodesAreNotRunAgain() throws {
    // w is updated in place by the last node but one; f reads w and is wanted after the update.
    let nodes: [RematProblem.Node] = [
      .init(name: "w", cost: 0, outputBytes: [0], isOnce: true),
      .init(name: "f", cost: 1, outputBytes: [10], inputs: [.init(node: 0)]),
      .init(name: "g", cost: 1, outputBytes: [10], inputs: [.init(node: 1)]),
      .init(name: "h", cost: 1, outputBytes: [10], inputs: [.init(node: 2)]),
      .init(
        name: "update", cost: 1, outputBytes: [0], inputs: [.init(node: 3)], isOnce: true,
        invalidates: [0, 1]),
      .init(name: "last", cost: 1, outputBytes: [1], inputs: [.init(node: 1), .init(node: 4)]),
    ]
    let problem = try RematProblem(nodes: nodes)
    // f can be made again, but only before the update.
    let again = solve(problem, options: SolveOptions(budgetBytes: 20))
    #expect(try RematChecker(problem).check(again.schedule, budgetBytes: 20).cost == 6)
    let result = solve(problem, options: SolveOptions(budgetBytes: 19))
    #expect(result.status == .infeasible)
    let fits = solve(problem, options: SolveOptions(budgetBytes: 30))
    let figures = try RematChecker(problem).check(fits.schedule, budgetBytes: 30)
    #expect(figures.cost == 5)
    let twice = Schedule(steps: [0, 1, 2, 3, 4, 1].map { .compute(node: $0) })
    #expect(throws: Diagnostic.self) { try RematChecker(problem).check(twice) }
  }

  @Test func aKeepPinPreventsRecomputation() throws {
    let problem = try RematSamples.chain(20)
    let pins = (0..<20).map { RematPin(node: $0, .keep) }
    let result = solve(problem, options: SolveOptions(budgetBytes: 10, pins: pins))
    #expect(result.status == .infeasible)
    #expect(result.minimumBudgetBytes == result.keepAllPeakBytes)
  }

  @Test func aRecomputePinForcesASecondRun() throws {
    let problem = try RematSamples.chain(8)
    let pin = RematPin(node: 2, .recompute)
    for budget in [nil, 6] as [Int?] {
      let result = solve(problem, options: SolveOptions(budgetBytes: budget, pins: [pin]))
      _ = try RematChecker(problem).check(result.schedule, budgetBytes: budget)
      #expect(result.schedule.computations.count { $0 == 2 } >= 2)
    }
  }

  @Test func overheadBoundsTheCost() throws {
    let problem = try RematSamples.chain(30)
    let result = solve(problem, options: SolveOptions(maxOverhead: 0.2))
    #expect(result.overhead <= 0.2)
    #expect(result.peakBytes < result.keepAllPeakBytes * 3 / 4)
  }

  @Test func equalInputGivesEqualOutput() throws {
    let problem = try RematSamples.random(40, seed: 7)
    let options = SolveOptions(budgetBytes: 150)
    #expect(solve(problem, options: options).json() == solve(problem, options: options).json())
  }
}
