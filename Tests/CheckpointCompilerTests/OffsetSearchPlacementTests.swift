// The exact search of the packer against exhaustion and against packings known to be perfect.

import Testing

@testable import CheckpointCompiler

@Suite struct OffsetSearchPlacementTests {
  /// The least arena: some order of the greedy gives it.
  static func leastArena(_ problem: PlacementProblem) throws -> Int {
    let graph = try #require(OverlapGraph(problem, pairsMax: 1000))
    var greedy = GreedyPlacement(graph)
    var least = Int.max
    func extend(_ order: inout [Int32], _ rest: [Int32]) {
      if rest.isEmpty { least = min(least, greedy.run(order, limit: least).arena) }
      for index in rest.indices {
        var shorter = rest
        order.append(shorter.remove(at: index))
        extend(&order, shorter)
        order.removeLast()
      }
    }
    var order: [Int32] = []
    extend(&order, (0..<Int32(problem.buffers.count)).filter { graph.sizes[Int($0)] > 0 })
    return least
  }

  /// Buffers that fill `height` bytes at all times: a rectangle, cut again and again.
  static func perfect(_ count: Int, height: Int, seed: UInt64) throws -> PlacementProblem {
    var generator = SeededGenerator(seed: seed)
    var parts = [(lower: 0, upper: 64, size: height)]
    while parts.count < count {
      let index = generator.index(below: parts.count)
      let part = parts[index]
      if generator.index(below: 2) == 0, part.upper - part.lower > 1 {
        let cut = part.lower + 1 + generator.index(below: part.upper - part.lower - 1)
        parts[index].upper = cut
        parts.append((cut, part.upper, part.size))
      } else if part.size > 1 {
        let cut = 1 + generator.index(below: part.size - 1)
        parts[index].size = cut
        parts.append((part.lower, part.upper, part.size - cut))
      }
    }
    return try PlacementProblem(
      buffers: parts.map { .init(lower: $0.lower, upper: $0.upper, sizeBytes: $0.size) })
  }

  @Test func smallProblemsAreSolvedAsByExhaustion() throws {
    for seed in 0..<60 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let alignment = [1, 8][generator.index(below: 2)]
      let problem = try PlacementProblem(
        buffers: (0..<6).map { _ in
          let lower = generator.index(below: 5)
          return .init(
            lower: lower, upper: lower + 1 + generator.index(below: 4),
            sizeBytes: generator.index(below: 5 * alignment))
        }, alignmentBytes: alignment)
      let result = pack(problem, options: PackOptions(effort: 0.01))
      try PlacementChecker(problem).check(result.plan)
      #expect(try result.plan.arenaBytes == Self.leastArena(problem), "seed \(seed)")
      #expect(result.status == .optimal)
    }
  }

  @Test func exhaustionProvesThatACapacityIsTooSmall() throws {
    // At each time 4 bytes are alive, but the one of 2 in the middle would have to lie split.
    let problem = try PlacementProblem(buffers: [
      .init(lower: 0, upper: 4, sizeBytes: 1), .init(lower: 1, upper: 2, sizeBytes: 3),
      .init(lower: 3, upper: 6, sizeBytes: 1), .init(lower: 3, upper: 4, sizeBytes: 2),
      .init(lower: 5, upper: 9, sizeBytes: 1), .init(lower: 5, upper: 6, sizeBytes: 2),
      .init(lower: 4, upper: 6, sizeBytes: 0), .init(lower: 8, upper: 12, sizeBytes: 1),
      .init(lower: 8, upper: 9, sizeBytes: 2), .init(lower: 0, upper: 12, sizeBytes: 1),
    ])
    let result = pack(problem, options: PackOptions(capacityBytes: 4, effort: 0.1))
    try PlacementChecker(problem).check(result.plan)
    #expect(result.status == .infeasible)
    #expect(result.lowerBoundBytes == 5)
    #expect(pack(problem, options: PackOptions(effort: 0.1)).status == .optimal)
  }

  @Test func perfectPackingsAreFound() throws {
    var greedyMisses = 0
    for seed in 0..<12 as Range<UInt64> {
      let problem = try Self.perfect(20 + 3 * Int(seed), height: 400, seed: seed)
      let greedy = pack(problem, options: PackOptions(effort: 0))
      if greedy.plan.arenaBytes > 400 { greedyMisses += 1 }
      let result = pack(problem, options: PackOptions(effort: 0.1))
      try PlacementChecker(problem).check(result.plan)
      #expect(result.plan.arenaBytes == 400, "seed \(seed)")
      #expect(result.status == .optimal)
    }
    #expect(greedyMisses > 0)
  }

  @Test func groupsApartInTimeAreLoweredAlone() throws {
    let parts = try [3, 5].map { try Self.perfect(24, height: 300, seed: $0).buffers }
    let problem = try PlacementProblem(
      buffers: parts[0]
        + parts[1].map {
          .init(lower: $0.lower + 100, upper: $0.upper + 100, sizeBytes: $0.sizeBytes)
        }, alignmentBytes: 1)
    let result = pack(problem, options: PackOptions(effort: 0.1))
    try PlacementChecker(problem).check(result.plan)
    #expect(result.plan.arenaBytes == 300)
  }

  @Test func equalProblemsGetEqualPlans() throws {
    let problem = try PlacementTests.random(60, seed: 5)
    let options = PackOptions(effort: 0.02)
    #expect(pack(problem, options: options).plan == pack(problem, options: options).plan)
  }

  @Test func moreEffortIsNeverHigher() throws {
    for seed in 0..<10 as Range<UInt64> {
      let problem = try PlacementTests.random(40, seed: seed, alignment: 16)
      let greedy = pack(problem, options: PackOptions(effort: 0))
      let searched = pack(problem, options: PackOptions(effort: 0.02))
      try PlacementChecker(problem).check(searched.plan)
      #expect(searched.plan.arenaBytes <= greedy.plan.arenaBytes)
      #expect(searched.lowerBoundBytes >= greedy.lowerBoundBytes)
    }
  }
}
