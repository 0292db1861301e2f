// The planner against its checker, on hand-made and random graphs.

import Testing

@testable import CheckpointCompiler

/// Random and hand-made planning problems.
enum RematSamples {
  /// A forward chain of `length` unit nodes and its backward: the gradient of step i reads the
  /// values i - 1 and i and the gradient of step i + 1.
  static func chain(_ length: Int, bytes: Int = 1) throws -> RematProblem {
    var nodes: [RematProblem.Node] = []
    for index in 0..<length {
      nodes.append(
        .init(
          name: "f\(index)", cost: 1, outputBytes: [bytes],
          inputs: index > 0 ? [.init(node: index - 1)] : []))
    }
    for index in (0..<length).reversed() {
      var inputs = [RematProblem.Input(node: index)]
      if index > 0 { inputs.append(.init(node: index - 1)) }
      if index + 1 < length { inputs.append(.init(node: nodes.count - 1)) }
      nodes.append(.init(name: "b\(index)", cost: 1, outputBytes: [bytes], inputs: inputs))
    }
    nodes[nodes.count - 1].keep = [true]
    return try RematProblem(nodes: nodes)
  }

  /// A layered graph with skips, several outputs, scratch, kept outputs, `once` nodes, updates in
  /// place and outputs that may take the place of inputs.
  static func random(_ count: Int, seed: UInt64) throws -> RematProblem {
    var generator = SeededGenerator(seed: seed)
    var nodes: [RematProblem.Node] = []
    for index in 0..<count {
      let outputs = generator.index(below: 5) == 0 ? 2 : 1
      var node = RematProblem.Node(
        name: "n\(index)", cost: Double(1 + generator.index(below: 9)),
        outputBytes: (0..<outputs).map { _ in generator.index(below: 20) })
      if index > 0 {
        for _ in 0..<1 + generator.index(below: 3) {
          let near = generator.index(below: 2) == 0
          let other = near ? max(0, index - 1 - generator.index(below: 3)) : index - 1
          let source = near ? other : generator.index(below: index)
          let output = generator.index(below: nodes[source].outputBytes.count)
          node.inputs.append(.init(node: source, output: output))
        }
      }
      if generator.index(below: 6) == 0 { node.scratchBytes = generator.index(below: 30) }
      if generator.index(below: 12) == 0 { node.keep = [true] }
      if generator.index(below: 15) == 0 { node.isOnce = true }
      if index > 4, generator.index(below: 15) == 0 {
        node.invalidates = [generator.index(below: index)]
        node.isOnce = true
      }
      for (position, input) in node.inputs.enumerated() where generator.index(below: 2) == 0 {
        let output = generator.index(below: outputs)
        let bytes = nodes[input.node].outputBytes[input.output]
        if node.overwrites.allSatisfy({ $0.output != output }) { node.outputBytes[output] = bytes }
        if node.outputBytes[output] == bytes {
          node.overwrites.append(.init(output: output, input: position))
        }
      }
      nodes.append(node)
    }
    return try RematProblem(nodes: nodes)
  }

  /// The lowest cost within each peak over all schedules in any order, by exhaustive search over
  /// sets of resident values; for graphs of single-output nodes without invalidation.
  static func optimum(_ problem: RematProblem, budgetBytes: Int) -> Double? {
    struct State: Hashable {
      var done: UInt64
      var resident: UInt64
    }
    let count = problem.nodes.count
    let all: UInt64 = (1 << UInt64(count)) - 1
    var distance: [State: Double] = [State(done: 0, resident: 0): 0]
    var open: [(cost: Double, state: State)] = [(0, State(done: 0, resident: 0))]
    func bytes(_ set: UInt64) -> Int {
      (0..<count).reduce(0) {
        $0 + (set >> UInt64($1) & 1 == 1 ? problem.nodes[$1].outputBytes[0] : 0)
      }
    }
    while let index = open.indices.min(by: { open[$0].cost < open[$1].cost }) {
      let (cost, state) = open.remove(at: index)
      if distance[state] != cost { continue }
      let isKept = (0..<count).allSatisfy {
        !problem.nodes[$0].keeps(0) || state.resident >> UInt64($0) & 1 == 1
      }
      if state.done == all && isKept { return cost }
      func reach(_ next: State, _ cost: Double) {
        if cost < distance[next] ?? .infinity {
          distance[next] = cost
          open.append((cost, next))
        }
      }
      for node in 0..<count {
        let bit: UInt64 = 1 << UInt64(node)
        if state.resident & bit != 0 {
          reach(State(done: state.done, resident: state.resident & ~bit), cost)
          continue
        }
        let item = problem.nodes[node]
        if item.isOnce && state.done & bit != 0 { continue }
        guard item.inputs.allSatisfy({ state.resident >> UInt64($0.node) & 1 == 1 }) else {
          continue
        }
        let resident = state.resident | bit
        if bytes(resident) + item.scratchBytes > budgetBytes { continue }
        reach(State(done: state.done | bit, resident: resident), cost + item.cost)
      }
    }
    return nil
  }
}

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

@Suite struct RematProblemTests {
  @Test func jsonRoundTrip() throws {
    for seed in 0..<10 as Range<UInt64> {
      let problem = try RematSamples.random(20, seed: seed)
      #expect(try RematProblem(json: Array(problem.json().utf8)) == problem)
    }
  }

  @Test func readsTheDocumentedKeysAndSkipsOthers() throws {
    let text = """
      {"constantBytes": 12, "extra": {"a": [1, {"b": "]"}]}, "nodes": [
        {"name": "a\\u0041\\n", "cost": 1.5, "outputs": [4, 0], "inputs": [], "cheap": true},
        {"cost": 2, "outputs": [8], "inputs": [[0, 1]], "scratch": 3, "keep": [true],
         "once": true, "invalidates": [0]}], "budget": 16}
      """
    let problem = try RematProblem(json: Array(text.utf8))
    #expect(problem.budgetBytes == 16)
    #expect(
      problem.nodes == [
        .init(name: "aA\n", cost: 1.5, outputBytes: [4, 0], isCheap: true),
        .init(
          cost: 2, outputBytes: [8], inputs: [.init(node: 0, output: 1)], scratchBytes: 3,
          keep: [true], isOnce: true, invalidates: [0]),
      ])
  }

  @Test(arguments: [
    (#"{"nodes":[{"cost":-1,"outputs":[1],"inputs":[]}]}"#, "cost", 10),
    (#"{"nodes":[{"cost":1,"outputs":[-4],"inputs":[]}]}"#, "negative", 10),
    (#"{"nodes":[{"cost":1,"outputs":[],"inputs":[]}]}"#, "no output", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[0,0]]}]}"#, "does not stand before", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[7,0]]}]}"#, "does not exist", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1.5],"inputs":[]}]}"#, "whole number", 31),
    (#"{"nodes":[{"outputs":[1],"inputs":[]}]}"#, "no \"cost\"", 10),
    (#"{"nodes":[{"cost":1,"outputs":[1],"inputs":[[0]]}]}"#, "[node, output]", 44),
    (#"{"nodes":[{"cost":1,"outputs":[9223372036854775807],"inputs":[]}]}"#, "exceed", 10),
    (#"{"nodes":[] "budget":3}"#, "expected ',' or '}'", 12),
    (#"{"budget":3}"#, "no \"nodes\"", 0),
    (#"{"nodes":[]} x"#, "after the end", 13),
    (#"{"nodes":[{"cost":1,"outputs":[1],"invalidates":[0]}]}"#, "invalidates node 0", 10),
  ])
  func refuses(text: String, message: String, offset: Int) throws {
    let thrown = #expect(throws: Diagnostic.self) { try RematProblem(json: Array(text.utf8)) }
    let diagnostic = try #require(thrown)
    #expect(diagnostic.message.contains(message))
    #expect(Int(diagnostic.location.offset) == offset, "\(diagnostic.message)")
  }

  @Test func resultJSONHasItsKeysInOrder() throws {
    let problem = try RematProblem(nodes: [.init(cost: 2, outputBytes: [3])])
    let text = solve(problem, options: SolveOptions(budgetBytes: 5)).json(seconds: 0.5)
    #expect(
      text == """
        {"status":"optimal","budget":5,"peak":3,"cost":2,"keepAllPeak":3,"keepAllCost":2,\
        "lowerBound":2,"gap":0,"minimumBudget":3,"schedule":[["compute",0],["free",0,0]],\
        "minimumBudgetLowerBound":3,"seconds":0.5}

        """)
  }
}

@Suite struct RematCheckerTests {
  private func problem() throws -> RematProblem {
    try RematProblem(nodes: [
      .init(cost: 1, outputBytes: [4]),
      .init(cost: 1, outputBytes: [2], inputs: [.init(node: 0)], scratchBytes: 3, keep: [true]),
    ])
  }

  @Test func acceptsAndMeasures() throws {
    let schedule = Schedule(steps: [
      .compute(node: 0), .compute(node: 1), .free(node: 0, output: 0),
    ])
    let figures = try RematChecker(problem()).check(schedule, budgetBytes: 9)
    #expect(figures == .init(peakBytes: 9, cost: 2))
    #expect(throws: Diagnostic.self) { try RematChecker(problem()).check(schedule, budgetBytes: 8) }
  }

  @Test func anOverwriteOfAnotherSizeIsRefused() {
    let thrown = #expect(throws: Diagnostic.self) {
      try RematProblem(nodes: [
        .init(cost: 1, outputBytes: [4]),
        .init(
          cost: 1, outputBytes: [8], inputs: [.init(node: 0)],
          overwrites: [.init(output: 0, input: 0)]),
      ])
    }
    #expect(thrown?.message.contains("an input of another size") == true)
  }

  @Test func anOutputInThePlaceOfADyingInputCountsOnce() throws {
    // d = a + b may be written over either, e = d + b over d or b.
    let problem = try RematProblem(nodes: [
      .init(cost: 1, outputBytes: [4]), .init(cost: 1, outputBytes: [4]),
      .init(
        cost: 1, outputBytes: [4], inputs: [.init(node: 0), .init(node: 1)],
        overwrites: [.init(output: 0, input: 0), .init(output: 0, input: 1)]),
      .init(
        cost: 1, outputBytes: [4], inputs: [.init(node: 2), .init(node: 1)], keep: [true],
        overwrites: [.init(output: 0, input: 0), .init(output: 0, input: 1)]),
    ])
    let result = solve(problem, options: SolveOptions(strategy: .none))
    #expect(result.peakBytes == 8)
    #expect(result.minimumBudgetLowerBound == 8)
    _ = try RematChecker(problem).check(result.schedule, budgetBytes: 8)
    // With an input of the first sum needed later, the sum has a place of its own.
    var steps = result.schedule.steps
    let place = try #require(steps.firstIndex(of: .free(node: 0, output: 0)))
    steps.append(steps.remove(at: place))
    #expect(try RematChecker(problem).check(Schedule(steps: steps)).peakBytes == 12)
  }

  @Test(
    arguments: [
      ([.compute(node: 1)], "not resident"),
      ([.compute(node: 0), .free(node: 0, output: 0)], "never runs"),
      ([.compute(node: 0), .compute(node: 1)], "never freed"),
      ([.compute(node: 0), .compute(node: 0)], "already resident"),
      ([.free(node: 0, output: 0)], "freed but not resident"),
      ([.compute(node: 2)], "does not exist"),
      (
        [
          .compute(node: 0), .compute(node: 1), .free(node: 0, output: 0),
          .free(node: 1, output: 0),
        ], "not resident at the end"
      ),
    ] as [([Schedule.Step], String)])
  func rejects(steps: [Schedule.Step], message: String) throws {
    let problem = try problem()
    let thrown = #expect(throws: Diagnostic.self) {
      try RematChecker(problem).check(Schedule(steps: steps))
    }
    #expect(try #require(thrown).message.contains(message))
  }
}
