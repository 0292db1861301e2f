// The cheapest set of evictions, against all sets.

import Testing

@testable import CheckpointCompiler

@Suite struct CostBoundTests {
  @Test func theCheapestCoverIsThatOfAllSets() {
    var exactCount = 0
    for seed in 0..<60 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      var candidates = (0..<1 + generator.index(below: 9)).map { _ in
        (cost: Double(generator.index(below: 20)), bytes: 1 + generator.index(below: 30))
      }
      candidates.sort { $0.cost * Double($1.bytes) < $1.cost * Double($0.bytes) }
      let totalBytes = candidates.reduce(0) { $0 + $1.bytes }
      let bytes = 1 + generator.index(below: totalBytes)
      var least = Double.infinity
      for set in 0..<1 << candidates.count {
        let members = candidates.indices.filter { set >> $0 & 1 == 1 }
        guard members.reduce(0, { $0 + candidates[$1].bytes }) >= bytes else { continue }
        least = min(least, members.reduce(0.0) { $0 + candidates[$1].cost })
      }
      let bound = EvictionCover(candidates: candidates).leastCost(covering: bytes)
      #expect(bound <= least)
      if bound == least { exactCount += 1 }
    }
    #expect(exactCount == 60)
  }
}
