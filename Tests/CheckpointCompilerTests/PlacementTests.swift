// The packer against its checker, on hand-made and random instances.

import Testing

@testable import CheckpointCompiler

@Suite struct PlacementTests {
  static func random(_ count: Int, seed: UInt64, alignment: Int = 1) throws -> PlacementProblem {
    var generator = SeededGenerator(seed: seed)
    return try PlacementProblem(
      buffers: (0..<count).map { index in
        let lower = generator.index(below: 2 * count)
        return .init(
          name: "b\(index)", lower: lower, upper: lower + 1 + generator.index(below: count / 2 + 1),
          sizeBytes: generator.index(below: 100))
      }, alignmentBytes: alignment)
  }

  @Test func everyPlanChecks() throws {
    for seed in 0..<30 as Range<UInt64> {
      for alignment in [1, 64] {
        let problem = try Self.random(3 + 4 * Int(seed), seed: seed, alignment: alignment)
        for effort in [0, 0.01] {
          let result = pack(problem, options: PackOptions(effort: effort))
          try PlacementChecker(problem).check(result.plan)
          #expect(result.plan.arenaBytes >= result.lowerBoundBytes)
          #expect((result.plan.arenaBytes == result.lowerBoundBytes) == (result.status == .optimal))
        }
        for fit in SweepFit.allCases {
          for reversed in [false, true] {
            try PlacementChecker(problem).check(
              sweepPlacement(problem, fit: fit, reversed: reversed))
          }
        }
      }
    }
  }

  @Test func chainNeedsTwoBuffers() throws {
    let problem = try PlacementProblem(
      buffers: (0..<10).map { .init(lower: $0, upper: $0 + 2, sizeBytes: 8) })
    let result = pack(problem)
    #expect(result.plan.arenaBytes == 16)
    #expect(result.status == .optimal)
  }

  @Test func halfOpenLivesShareTheirPlace() throws {
    let problem = try PlacementProblem(buffers: [
      .init(lower: 0, upper: 3, sizeBytes: 5), .init(lower: 3, upper: 4, sizeBytes: 5),
      .init(lower: 2, upper: 9, sizeBytes: 0),
    ])
    #expect(pack(problem).plan == MemoryPlan(offsets: [0, 0, 0], arenaBytes: 5))
  }

  @Test func capacityDecidesTheStatus() throws {
    let problem = try PlacementProblem(buffers: [.init(lower: 0, upper: 1, sizeBytes: 5)])
    #expect(pack(problem, options: PackOptions(capacityBytes: 4)).status == .infeasible)
    #expect(pack(problem, options: PackOptions(capacityBytes: 5)).status == .optimal)
    #expect(pack(try PlacementProblem(buffers: [])).plan.arenaBytes == 0)
  }

  @Test func checkerRejects() throws {
    let problem = try PlacementProblem(
      buffers: [
        .init(name: "a", lower: 0, upper: 4, sizeBytes: 6),
        .init(name: "b", lower: 3, upper: 5, sizeBytes: 4),
        .init(name: "c", lower: 4, upper: 6, sizeBytes: 4),
      ], alignmentBytes: 2)
    let checker = PlacementChecker(problem)
    try checker.check(MemoryPlan(offsets: [0, 6, 0], arenaBytes: 10))
    for (offsets, arena, message) in [
      ([0, 4, 0], 10, "'a' and buffer 1 'b' overlap"), ([0, 6, 8], 12, "overlap"),
      ([0, 6, 0], 9, "beyond the arena"), ([0, 7, 0], 12, "multiple"), ([0, 6], 12, "2 offsets"),
      ([-2, 6, 0], 12, "multiple"),
    ] {
      let thrown = #expect(throws: Diagnostic.self) {
        try checker.check(MemoryPlan(offsets: offsets, arenaBytes: arena))
      }
      #expect(try #require(thrown).message.contains(message))
    }
  }

  @Test func lifetimesAreBounded() {
    for (lower, upper) in [(Int.min, 0), (0, Int.max)] {
      let buffer = PlacementProblem.Buffer(name: "a", lower: lower, upper: upper, sizeBytes: 1)
      #expect(throws: Diagnostic.self) { try PlacementProblem(buffers: [buffer]) }
    }
  }

  @Test func csvRoundTrip() throws {
    let text = "id,lower,upper,size\nx,0,3,10\ny,2,5,4\n"
    let problem = try PlacementProblem(csv: Array(text.utf8))
    #expect(problem.csv() == text)
    let plan = pack(problem).plan
    #expect(problem.csv(plan: plan) == "id,lower,upper,size,offset\nx,0,3,10,0\ny,2,5,4,10\n")
    let swapped = "size, upper ,lower,id\r\n10,3,0,x\r\n\r\n4,5,2,y"
    #expect(try PlacementProblem(csv: Array(swapped.utf8)) == problem)
  }

  @Test(arguments: [
    ("", "no header", 0), ("id,lower,size\n", "no column 'upper'", 0),
    ("id,lower,upper,size\na,1,x,3\n", "'x' is not a whole number", 24),
    ("id,lower,upper,size\na,1,1,3\n", "not after its start", 20),
    ("id,lower,upper,size\na,1\n", "no field 'upper'", 20),
    ("id,lower,upper,size\na,1,2,-3\n", "negative", -1),
  ])
  func refuses(text: String, message: String, offset: Int) throws {
    let thrown = #expect(throws: Diagnostic.self) {
      try PlacementProblem(csv: Array(text.utf8))
    }
    let diagnostic = try #require(thrown)
    #expect(diagnostic.message.contains(message))
    if offset >= 0 { #expect(Int(diagnostic.location.offset) == offset) }
  }
}
