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
      if rest.isEmpty { least = min(least, greedy.run(order, limit: least)) }
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

  /// Lives and sizes of which at most 6 are alive at once, and that need 7.
  static let gaps = [
    [
      (4, 8, 1), (8, 10, 3), (1, 5, 3), (2, 4, 2), (2, 5, 1), (4, 6, 1), (1, 2, 3), (7, 10, 3),
      (6, 7, 1), (5, 8, 2),
    ],
    [
      (0, 2, 3), (4, 6, 1), (8, 11, 3), (5, 8, 3), (1, 4, 3), (3, 6, 1), (3, 5, 2), (4, 5, 1),
      (7, 9, 3), (4, 6, 1),
    ],
    [
      (0, 2, 3), (4, 5, 1), (4, 8, 1), (7, 10, 3), (5, 8, 1), (1, 5, 3), (8, 10, 3), (5, 8, 1),
      (3, 7, 1), (5, 7, 1),
    ],
  ]

  @Test(arguments: gaps.indices, [1, 64])
  func exhaustionProvesThatACapacityIsTooSmall(gap: Int, alignment: Int) throws {
    let problem = try PlacementProblem(
      buffers: Self.gaps[gap].map {
        .init(lower: $0.0, upper: $0.1, sizeBytes: $0.2 * alignment)
      }, alignmentBytes: alignment)
    #expect(problem.maxLiveBytes == 6 * alignment)
    for capacity in [nil, 6, 7] {
      let options = PackOptions(capacityBytes: capacity.map { $0 * alignment }, effort: 0.01)
      let result = pack(problem, options: options)
      try PlacementChecker(problem).check(result.plan)
      #expect(result.plan.arenaBytes == 7 * alignment)
      #expect(result.lowerBoundBytes == (capacity == 7 ? 6 : 7) * alignment)
      #expect(
        result.status == (capacity == 6 ? .infeasible : (capacity == 7 ? .feasible : .optimal)))
    }
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
