// Runs on slots: what is kept up to date change by change against full figures.

import Testing

@testable import CheckpointCompiler

@Suite struct RunSequenceTests {
  /// Makes one random change; false if the one drawn cannot be made.
  private func change(
    _ runs: inout RunSequence, _ graph: RematGraph, _ generator: inout SeededGenerator
  ) -> Bool {
    let slot = generator.index(below: runs.slotCount)
    switch generator.index(below: 3) {
    case 0:
      let node = generator.index(below: graph.nodeCount)
      guard runs.count < runs.countMax, runs.node(at: slot) < 0, !graph.isOnce[node],
        runs.canRun(node, at: slot)
      else { return false }
      runs.insert(node, at: slot)
    case 1:
      guard !runs.removable.isEmpty else { return false }
      let slot = Int(runs.removable[generator.index(below: runs.removable.count)])
      guard runs.canRemove(at: slot) else { return false }
      runs.remove(at: slot)
    default:
      let node = runs.node(at: slot)
      guard node >= 0 else { return false }
      let (low, high) = runs.window(of: slot)
      let empty = (low + 1..<high).filter { runs.node(at: $0) < 0 }
      guard !empty.isEmpty else { return false }
      let target = empty[generator.index(below: empty.count)]
      runs.remove(at: slot)
      guard runs.canRun(node, at: target) else {
        runs.undo()
        return false
      }
      runs.insert(node, at: target)
    }
    return true
  }

  @Test func changesAgreeWithFullFigures() throws {
    var changeCount = 0
    for seed in 0..<30 as Range<UInt64> {
      let problem = try RematSamples.random(24, seed: seed)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      var generator = SeededGenerator(seed: seed)
      guard
        var runs = RunSequence(
          graph, sequence: graph.baseSequence, limitBytes: 50, keepsFirstRuns: false)
      else {
        Issue.record("the base sequence of seed \(seed) is refused")
        continue
      }
      for round in 0..<300 {
        guard change(&runs, graph, &generator) else { continue }
        changeCount += 1
        if round % 40 == 0 { runs.spread() } else { runs.commit() }
        let sequence = runs.sequence
        let full = try #require(graph.figures(of: sequence))
        #expect(runs.figures().peakBytes == full.peakBytes)
        #expect(abs(runs.totalCost - full.cost) < 1e-9)
        #expect(graph.satisfiesRunCounts(sequence))
        #expect(runs.peakSlot() >= 0)
        let peakNode = Int32(runs.node(at: runs.peakSlot()))
        #expect(sequence[full.peakPosition] == peakNode)
        _ = try RematChecker(problem).check(
          Schedule(sequence: sequence, of: graph), budgetBytes: full.peakBytes)
      }
    }
    #expect(changeCount > 2000)
  }

  @Test func undoTakesAllChangesBack() throws {
    for seed in 0..<20 as Range<UInt64> {
      let problem = try RematSamples.random(40, seed: seed)
      let graph = RematGraph(problem, order: BaseOrder.given(problem))
      var generator = SeededGenerator(seed: seed)
      guard
        var runs = RunSequence(
          graph, sequence: graph.baseSequence, limitBytes: 60, keepsFirstRuns: false)
      else { continue }
      for _ in 0..<60 {
        let before = runs.sequence
        let figures = runs.figures()
        let removable = runs.removable.sorted()
        for _ in 0..<8 { _ = change(&runs, graph, &generator) }
        runs.undo()
        #expect(runs.sequence == before)
        #expect(runs.figures() == figures)
        #expect(runs.removable.sorted() == removable)
        if change(&runs, graph, &generator) { runs.commit() }
      }
    }
  }

  @Test func excessIsTheSumOfWhatExceedsTheLimit() throws {
    // Each run holds its value and the one it reads: 3, 3 + 5, 5 + 4.
    let problem = try RematProblem(nodes: [
      .init(cost: 1, outputBytes: [3]),
      .init(cost: 1, outputBytes: [5], inputs: [.init(node: 0)]),
      .init(cost: 1, outputBytes: [4], inputs: [.init(node: 1)]),
    ])
    let graph = RematGraph(problem, order: [0, 1, 2])
    guard
      var runs = RunSequence(
        graph, sequence: [0, 1, 2], limitBytes: 7, keepsFirstRuns: false)
    else {
      Issue.record("the sequence is refused")
      return
    }
    #expect(runs.figures() == (9, 1 + 2))
    runs.setLimit(2)
    #expect(runs.figures() == (9, 1 + 6 + 7))
    runs.setLimit(9)
    #expect(runs.figures() == (9, 0))
  }

  @Test func longListsOfTouchesKeepTheirOrder() {
    var touches = ValueTouches(expected: [1, 2])
    var expected: [Int] = []
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<200 {
      let slot = generator.index(below: 10_000)
      if expected.contains(slot) { continue }
      let index = expected.count { $0 < slot }
      #expect(touches.count(of: 1, before: slot) == index)
      touches.insert(slot, isMake: slot % 3 == 0, at: index, of: 1)
      expected.insert(slot, at: index)
    }
    while expected.count > 20 {
      let index = generator.index(below: expected.count)
      touches.remove(at: index, of: 1)
      expected.remove(at: index)
    }
    #expect(touches.count(of: 1) == expected.count)
    #expect(touches.count(of: 0) == 0)
    for (index, slot) in expected.enumerated() {
      #expect(touches.slot(index, of: 1) == slot)
      #expect(touches.isMake(index, of: 1) == (slot % 3 == 0))
    }
  }
}
