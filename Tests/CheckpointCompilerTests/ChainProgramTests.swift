// The dynamic program over chains against all persistent schedules, each replayed step by step.

import Testing

@testable import CheckpointCompiler

@Suite struct ChainProgramTests {
  /// A persistent schedule of stages `first`…`last`.
  private indirect enum Tree {
    /// Save all of `first`, then the rest; nil at the last stage.
    case all(Int, Tree?)
    /// Run up to the stage, keep its input, reverse what follows, then what comes before.
    case checkpoint(Int, right: Tree, left: Tree)
  }

  private static func trees(_ first: Int, _ last: Int) -> [Tree] {
    if first == last { return [.all(first, nil)] }
    var result = trees(first + 1, last).map { Tree.all(first, $0) }
    for next in first + 1...last {
      for right in trees(next, last) {
        for left in trees(first, next - 1) {
          result.append(.checkpoint(next, right: right, left: left))
        }
      }
    }
    return result
  }

  /// Replays a schedule; its cost, or nil where it does not fit.
  private struct Replay {
    let stages: [ChainStage]
    let bytesMax: Int
    var held = 0
    var cost = 0.0
    var fits = true

    mutating func use(_ bytes: Int) { if held + bytes > bytesMax { fits = false } }

    mutating func run(_ tree: Tree, _ first: Int, _ last: Int) {
      let gradients = stages[last].gradientBytes
      switch tree {
      case .all(_, let rest):
        cost += stages[first].forwardCost
        use(stages[first].savingPeakBytes + gradients)
        held += stages[first].savedBytes
        use(0)
        if let rest { run(rest, first + 1, last) }
        use(stages[first].backwardPeakBytes)
        held -= stages[first].savedBytes
        cost += stages[first].backwardCost
      case .checkpoint(let next, let right, let left):
        for stage in first..<next {
          cost += stages[stage].forwardCost
          let input = stage == first ? 0 : stages[stage].inputBytes
          use(input + stages[stage].droppingPeakBytes + gradients)
        }
        held += stages[next].inputBytes
        use(0)
        run(right, next, last)
        held -= stages[next].inputBytes
        run(left, first, next - 1)
      }
    }
  }

  private static func randomStages(_ count: Int, seed: UInt64) -> [ChainStage] {
    var generator = SeededGenerator(seed: seed)
    return (0..<count).map { stage in
      let saved = 1 + generator.index(below: 9)
      return ChainStage(
        forwardCost: Double(1 + generator.index(below: 9)),
        backwardCost: Double(generator.index(below: 9)),
        inputBytes: stage == 0 ? 0 : generator.index(below: 6), savedBytes: saved,
        droppingPeakBytes: generator.index(below: saved + 3),
        savingPeakBytes: saved + generator.index(below: 3),
        gradientBytes: stage == count - 1 ? 0 : generator.index(below: 4),
        backwardPeakBytes: generator.index(below: 8))
    }
  }

  @Test func theProgramFindsTheBestOfAllSchedules() {
    var feasibleCount = 0
    for seed in 0..<24 as Range<UInt64> {
      let count = 1 + Int(seed % 6)
      let stages = Self.randomStages(count, seed: seed)
      let trees = Self.trees(0, count - 1)
      // One byte a slot: nothing is rounded.
      let program = ChainProgram(stages, bytesMax: 40, slots: 40)
      let costs = Array(program.costs)
      for memory in stride(from: 4, through: 40, by: 3) {
        var best = Double.infinity
        for tree in trees {
          var replay = Replay(stages: stages, bytesMax: memory)
          replay.run(tree, 0, count - 1)
          if replay.fits { best = min(best, replay.cost) }
        }
        #expect(costs[memory] == best, "\(count) stages in \(memory), seed \(seed)")
        if best < .infinity { feasibleCount += 1 }
      }
    }
    #expect(feasibleCount > 100)
  }

  @Test func theScheduleThatIsReadBackCostsWhatTheTableSays() {
    for seed in 30..<42 as Range<UInt64> {
      let stages = Self.randomStages(9, seed: seed)
      let program = ChainProgram(stages, bytesMax: 60, slots: 60)
      for (memory, cost) in program.costs.enumerated() where cost < .infinity {
        var sum = 0.0
        var reversed: [Int] = []
        program.schedule(
          memory: memory, forward: { sum += stages[$0].forwardCost },
          backward: {
            sum += stages[$0].backwardCost
            reversed.append($0)
          })
        #expect(sum == cost && reversed == Array((0..<9).reversed()))
      }
    }
  }

  @Test func stagesAreMeasuredOnTheGraph() throws {
    // A chain of 4 unit values: b_i reads f_i, f_(i-1) and the gradient before it.
    let problem = try RematSamples.chain(4)
    let graph = RematGraph(problem, order: BaseOrder.given(problem))
    let chain = try #require(graph.stageChains(stagesMax: 96).first)
    let stages = graph.stages(of: chain)
    #expect(stages.map(\.inputBytes) == [0, 1, 1, 1])
    #expect(stages.map(\.savedBytes) == [1, 1, 1, 1])
    #expect(stages.map(\.savingPeakBytes) == [1, 1, 1, 1])
    // b_0 goes with b_1.
    #expect(stages.map(\.gradientBytes) == [0, 1, 1, 0])
    #expect(stages.map(\.backwardPeakBytes) == [0, 2, 2, 1])
    #expect(stages.map(\.forwardCost) == [1, 1, 1, 1])
  }

  @Test func aChainOfUnequalStagesKeepsItsExpensivePart() throws {
    // Two expensive stages among cheap ones: they run once, the cheap ones around them again.
    var nodes: [RematProblem.Node] = []
    for index in 0..<12 {
      nodes.append(
        .init(
          cost: index % 6 == 3 ? 100 : 1, outputBytes: [10],
          inputs: index > 0 ? [.init(node: index - 1)] : []))
    }
    for index in (0..<12).reversed() {
      var inputs = [RematProblem.Input(node: index)]
      if index > 0 { inputs.append(.init(node: index - 1)) }
      if index < 11 { inputs.append(.init(node: nodes.count - 1)) }
      nodes.append(.init(cost: 1, outputBytes: [10], inputs: inputs))
    }
    let problem = try RematProblem(nodes: nodes)
    let result = solve(problem, options: SolveOptions(budgetBytes: 80, strategy: .chain))
    let figures = try RematChecker(problem).check(result.schedule, budgetBytes: 80)
    #expect(figures.cost < 240)
    let runs = result.schedule.computations
    #expect(runs.count { $0 == 3 } == 1 && runs.count { $0 == 9 } == 1)
  }
}
