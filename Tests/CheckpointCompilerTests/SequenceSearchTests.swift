// The search over sequences: its incremental figures against full ones, and what it returns.

import Testing

@testable import CheckpointCompiler

@Suite struct SequenceSearchTests {
  @Test func changesOfAProfileAgreeWithFullFigures() throws {
    var acceptedCount = 0
    for seed in 0..<30 as Range<UInt64> {
      let problem = try RematSamples.random(24, seed: seed)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      var generator = SeededGenerator(seed: seed)
      guard
        var profile = SequenceProfile(graph, sequence: graph.baseSequence, stepsMax: 80)
      else {
        Issue.record("the base sequence of seed \(seed) is refused")
        continue
      }
      for _ in 0..<150 {
        profile.resetCandidate()
        let isValid: Bool
        switch generator.index(below: 3) {
        case 0 where profile.count < 78:
          isValid = profile.insert(
            generator.index(below: graph.nodeCount),
            at: generator.index(below: profile.candidateCount + 1))
        case 1:
          let place = generator.index(below: profile.candidateCount)
          let node = Int32(profile.candidateNode(at: place))
          if profile.sequence.count(where: { $0 == node }) == 1 { continue }
          isValid = profile.remove(at: place)
        default:
          let place = generator.index(below: profile.candidateCount)
          let window = profile.window(of: place)
          let node = profile.candidateNode(at: place)
          isValid =
            profile.remove(at: place, isMoved: true)
            && profile.insert(
              node, at: window.lowerBound + generator.index(below: window.count))
        }
        guard isValid else { continue }
        let figures = profile.candidateFigures(budgetBytes: 50)
        profile.acceptCandidate()
        let sequence = profile.sequence
        let full = try #require(graph.figures(of: sequence))
        #expect(figures.peakBytes == full.peakBytes)
        #expect(figures.peakPosition == full.peakPosition)
        acceptedCount += 1
      }
    }
    #expect(acceptedCount > 500)
  }

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
