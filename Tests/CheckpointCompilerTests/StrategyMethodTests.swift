// The methods against figures known in closed form, and against plain enumeration.

import Testing

@testable import CheckpointCompiler

@Suite struct StrategyMethodTests {
  private static func graph(_ problem: RematProblem) -> RematGraph {
    RematGraph(problem, order: BaseOrder.given(problem))
  }

  /// How often each node runs.
  private static func runCounts(_ sequence: [Int32], _ graph: RematGraph) -> [Int] {
    var counts = [Int](repeating: 0, count: graph.nodeCount)
    for node in sequence { counts[Int(node)] += 1 }
    return counts
  }

  // MARK: sqrt and greedy

  @Test func sqrtRunsAllButTheLastSegmentTwice() throws {
    let graph = Self.graph(try RematSamples.chain(16))
    let sequence = graph.sqrtSequence()
    // Segments of 4; the last value of each crosses a cut and is saved, as is the last segment.
    let expected = (0..<32).map { $0 < 12 && $0 % 4 != 3 ? 2 : 1 }
    #expect(Self.runCounts(sequence, graph) == expected)
    // Three saved inputs, a segment of four, a gradient.
    #expect(graph.figures(of: sequence)?.peakBytes == 8)
  }

  @Test func greedyCutsByBytes() throws {
    // Segments of one large value, or of ten small ones: equal bytes, unequal numbers of nodes.
    var nodes: [RematProblem.Node] = []
    for index in 0..<24 {
      nodes.append(
        .init(
          cost: 1, outputBytes: [index < 4 ? 10 : 1],
          inputs: index > 0 ? [.init(node: index - 1)] : []))
    }
    for index in (0..<24).reversed() {
      nodes.append(
        .init(
          cost: 1, outputBytes: [1], inputs: [.init(node: index), .init(node: nodes.count - 1)])
      )
    }
    let problem = try RematProblem(nodes: nodes)
    let graph = Self.graph(problem)
    let archive = graph.archive(of: .greedy)
    let keepAll = try #require(graph.figures(of: graph.baseSequence))
    #expect(archive.plans.last?.cost == keepAll.cost)
    let smallest = try #require(archive.plans.first)
    let sqrt = try #require(graph.figures(of: graph.sqrtSequence()))
    #expect(smallest.peakBytes < sqrt.peakBytes)
    // No node runs more than twice: there is one level of segments.
    #expect(archive.plans.allSatisfy { Self.runCounts($0.sequence, graph).max()! <= 2 })
  }

  // MARK: revolve

  /// The fewest stages that run before the run that precedes each reversal, in closed form:
  /// r·l − β(c + 1, r − 1), where r is the least number with l ≤ β(c, r) = (c + r choose c).
  private static func forwardRuns(length: Int, checkpoints: Int) -> Int {
    func choose(_ n: Int, _ k: Int) -> Int {
      (0..<k).reduce(1) { $0 * (n - $1) / ($1 + 1) }
    }
    if length <= 1 { return 0 }
    var repetitions = 0
    while choose(checkpoints + repetitions, checkpoints) < length { repetitions += 1 }
    return repetitions * length - choose(checkpoints + repetitions, checkpoints + 1)
  }

  @Test func binomialNumbersSolveTheirRecurrence() {
    var runs = [[Int]](repeating: [Int](repeating: 0, count: 7), count: 41)
    for length in 2...40 {
      runs[length][1] = length * (length - 1) / 2
      for checkpoints in 2...6 {
        runs[length][checkpoints] =
          (1..<length).map {
            $0 + runs[length - $0][checkpoints - 1] + runs[$0][checkpoints]
          }
          .min()!
      }
    }
    for length in 1...40 {
      for checkpoints in 1...6 {
        #expect(
          Self.forwardRuns(length: length, checkpoints: checkpoints)
            == runs[length][checkpoints])
      }
    }
    // Ten stages are the most that three checkpoints reverse with two runs each: 2·10 − 5.
    #expect(Self.forwardRuns(length: 10, checkpoints: 3) == 15)
  }

  @Test func revolveOfAUnitChainRunsAsOftenAsTheFormulaSays() throws {
    let graph = Self.graph(try RematSamples.chain(20))
    let chain = try #require(graph.stageChains(stagesMax: 96).first)
    for checkpoints in 1...20 {
      let sequence = try #require(graph.revolveSequence(chain, checkpoints: checkpoints))
      let forwardRuns = sequence.count { $0 < 20 }
      let formula = Self.forwardRuns(length: 20, checkpoints: checkpoints)
      // One more run of each stage comes right before it is reversed; but what reverses the first
      // reads its output only, and goes with the second.
      #expect(forwardRuns == formula + 20 - 1)
      let figures = try #require(graph.figures(of: sequence))
      #expect(figures.cost == Double(sequence.count))
      // The checkpoints but the input of the chain, a value made, two read, a gradient made.
      #expect(figures.peakBytes <= checkpoints + 4)
    }
  }

  // MARK: lowersets

  @Test func lowerSetsOfAChainSaveWhereTheyCut() throws {
    let graph = Self.graph(try RematSamples.chain(9))
    let program = LowerSetProgram(graph, turn: 8, setsMax: 64)
    #expect(program.sets.map { $0.count { $0 } } == Array(1...9))
    // Cut after 3 and 6 nodes: two values saved; the last segment needs twice 3 bytes.
    // With so much memory that only one set is needed, nothing is recomputed.
    #expect(try #require(program.path(bytes: 18)) == [8])
    let path = try #require(program.path(bytes: 9))
    // Of 9 bytes, saved values and twice the largest segment must fit, and the reader of each cut.
    var saved = 0
    var start = 0
    for set in path {
      let size = set + 1 - start
      #expect(saved + 2 * size + (set < 8 ? 1 : 0) <= 9)
      saved += 1
      start = set + 1
    }
    #expect(path.count >= 3 && program.path(bytes: 1) == nil)
  }

  // MARK: mincut

  @Test func theCutSavesTheNarrowPlaceAndRecomputesWhatIsCheap() throws {
    // narrow (1 byte, expensive) → wide (100 bytes, cheap), which the backward part reads.
    let problem = try RematProblem(nodes: [
      .init(name: "narrow", cost: 50, outputBytes: [1], isCheap: false),
      .init(name: "wide", cost: 1, outputBytes: [100], inputs: [.init(node: 0)], isCheap: true),
      .init(name: "other", cost: 1, outputBytes: [1], inputs: [.init(node: 1)], isCheap: true),
      .init(name: "loss", cost: 1, outputBytes: [1], inputs: [.init(node: 2)], isCheap: true),
      .init(cost: 1, outputBytes: [1], inputs: [.init(node: 3), .init(node: 2)]),
      .init(cost: 1, outputBytes: [1], inputs: [.init(node: 4), .init(node: 1)], keep: [true]),
    ])
    let graph = Self.graph(problem)
    let sequence = graph.minimumCutSequences()[0]
    #expect(Self.runCounts(sequence, graph)[0...1] == [1, 2])
  }

  // MARK: dtr

  @Test func onlineEvictionKeepsItsBudgetOrFails() throws {
    let problem = try RematSamples.chain(40)
    let graph = Self.graph(problem)
    let full = try #require(graph.figures(of: graph.baseSequence))
    let unlimited = try #require(OnlineEviction.run(graph, budgetBytes: full.peakBytes))
    #expect(unlimited == graph.baseSequence)
    for budget in [30, 20, 12] {
      let sequence = try #require(OnlineEviction.run(graph, budgetBytes: budget))
      let figures = try #require(graph.figures(of: sequence))
      #expect(figures.peakBytes <= budget && figures.cost > full.cost)
    }
    // No schedule of a backward step does with less than 4.
    #expect(OnlineEviction.run(graph, budgetBytes: 3) == nil)
    let result = solve(problem, options: SolveOptions(budgetBytes: 3, strategy: .dtr))
    #expect(result.status == .infeasible && result.minimumBudgetBytes == result.peakBytes)
    #expect(result.minimumBudgetBytes < full.peakBytes)
  }

  @Test func whatIsInvalidatedIsBroughtBackBefore() throws {
    // big (evicted while the large nodes run) is wanted after w was updated in place.
    let nodes: [RematProblem.Node] = [
      .init(name: "w", cost: 0, outputBytes: [0], isOnce: true),
      .init(name: "value", cost: 1, outputBytes: [10], inputs: [.init(node: 0)]),
      .init(name: "large", cost: 1, outputBytes: [30], inputs: [.init(node: 1)]),
      .init(name: "larger", cost: 1, outputBytes: [60], inputs: [.init(node: 2)]),
      .init(name: "small", cost: 1, outputBytes: [1], inputs: [.init(node: 3)]),
      .init(
        name: "update", cost: 1, outputBytes: [0], inputs: [.init(node: 4)], isOnce: true,
        invalidates: [0, 1]),
      .init(name: "last", cost: 1, outputBytes: [1], inputs: [.init(node: 1), .init(node: 5)]),
    ]
    let problem = try RematProblem(nodes: nodes)
    let sequence = try #require(OnlineEviction.run(Self.graph(problem), budgetBytes: 95))
    #expect(sequence == [0, 1, 2, 3, 4, 1, 5, 6])
    _ = try RematChecker(problem).check(
      Schedule(sequence: sequence, of: Self.graph(problem)), budgetBytes: 95)
  }
}
