// The checker of schedules: what it accepts, measures and refuses.

import Testing

@testable import CheckpointCompiler

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
