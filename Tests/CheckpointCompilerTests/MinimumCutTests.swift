// The minimum cut against all cuts of small random networks.

import Testing

@testable import CheckpointCompiler

@Suite struct MinimumCutTests {
  @Test func equalsTheBestOfAllCuts() {
    for seed in 0..<200 as Range<UInt64> {
      var generator = SeededGenerator(seed: seed)
      let count = 2 + generator.index(below: 6)
      var edges: [(from: Int, to: Int, capacity: Int)] = []
      for _ in 0..<generator.index(below: 3 * count) {
        edges.append(
          (
            generator.index(below: count), generator.index(below: count),
            generator.index(below: 10)
          ))
      }
      func capacity(_ sourceSide: (Int) -> Bool) -> Int {
        edges.reduce(0) { $0 + (sourceSide($1.from) && !sourceSide($1.to) ? $1.capacity : 0) }
      }
      // Node 0 is the source, the last one the sink.
      var best = Int.max
      for side in 0..<1 << (count - 1) where side & 1 == 1 {
        best = min(best, capacity { $0 < count - 1 && side >> $0 & 1 == 1 })
      }
      var cut = MinimumCut(nodeCount: count)
      for edge in edges { cut.addEdge(from: edge.from, to: edge.to, capacity: edge.capacity) }
      #expect(cut.solve(from: 0, to: count - 1) == best)
      #expect(capacity { cut.isOnSourceSide($0) } == best)
      #expect(cut.isOnSourceSide(0) && !cut.isOnSourceSide(count - 1))
    }
  }

  @Test func noFiniteCutIsTold() {
    var cut = MinimumCut(nodeCount: 3)
    cut.addEdge(from: 0, to: 1, capacity: MinimumCut.unlimited)
    cut.addEdge(from: 1, to: 2, capacity: MinimumCut.unlimited)
    #expect(cut.solve(from: 0, to: 2) >= MinimumCut.unlimited)
  }
}
