// The strategies `none`, `sqrt` and `cheap`: fixed rules that look at no budget.
//
// Method      A rule names values to drop after one of their uses; the eviction simulator, given an
//             unlimited budget, inserts what must be recomputed and holds what that needs.
// Turning     A joint graph names no forward part. Its end is taken where keeping everything has
//             its peak; a value matters if it is alive across that position.
// Source      sqrt: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016,
//             arXiv:1604.06174.

extension RematGraph {
  /// Every node once, but for what pins recompute.
  func keepAllSequence() -> [Int32] {
    pinnedDropAfter.isEmpty ? baseSequence : sequence(dropping: pinnedDropAfter)
  }

  /// The sequence that drops values after the given positions (-1: never) and takes them back.
  func sequence(dropping dropAfter: [Int32]) -> [Int32] {
    var dropAfter = dropAfter
    for value in pinnedDropAfter.indices where pinnedDropAfter[value] >= 0 {
      dropAfter[value] = pinnedDropAfter[value]
    }
    let score = EvictionScore(distanceExponent: 0, countsMissingInputs: false)
    return EvictionSimulator.run(
      self, budgetBytes: .max / 2, score: score, dropAfter: dropAfter) ?? baseSequence
  }

  /// Whether every node runs as often as pins and `once` have it.
  func satisfiesRunCounts(_ sequence: [Int32]) -> Bool {
    var runCount = [Int32](repeating: 0, count: nodeCount)
    for node in sequence { runCount[Int(node)] += 1 }
    return (0..<nodeCount).allSatisfy {
      runCount[$0] >= (runsTwice[$0] ? 2 : 1) && (runCount[$0] == 1 || !isOnce[$0])
    }
  }

  /// The last position of the forward part.
  var turningPosition: Int { figures(of: baseSequence)?.peakPosition ?? 0 }

  /// For each value alive across `turn` with an earlier and a later use: the position of its last
  /// use, or of its node, up to `turn`; -1 for all others.
  func lastUse(before turn: Int) -> [Int32] {
    (0..<valueCount).map { value in
      var last = valueNode[value]
      if last > turn { return -1 }
      var isUsedLater = isKept[value]
      for user in users[userRange(of: value)] {
        if user <= turn { last = user } else { isUsedLater = true }
      }
      return isUsedLater && !isKept[value] ? last : -1
    }
  }

  /// Keeps what crosses from one segment of `length` nodes to the next, drops the rest.
  func segmentSequence(length: Int) -> [Int32] {
    let turn = turningPosition
    var dropAfter = lastUse(before: turn)
    for value in 0..<valueCount where dropAfter[value] >= 0 {
      let segment = Int(valueNode[value]) / length
      if Int(dropAfter[value]) / length != segment { dropAfter[value] = -1 }
    }
    return sequence(dropping: dropAfter)
  }

  /// Segments of about √n nodes.
  func sqrtSequence() -> [Int32] {
    let forward = Double(turningPosition + 1)
    return segmentSequence(length: max(1, Int(forward.squareRoot().rounded())))
  }

  /// Drops what cheap nodes made and what is needed again only after the turn.
  ///
  /// A node that does not say so is cheap if its cost per byte is at most the median over
  /// the values that cross the turn.
  func cheapSequence() -> [Int32] {
    var dropAfter = lastUse(before: turningPosition)
    var crossing: [Double] = []
    for value in 0..<valueCount where dropAfter[value] >= 0 && valueBytes[value] > 0 {
      let node = Int(valueNode[value])
      if isCheap[node] == nil { crossing.append(cost[node] / Double(valueBytes[value])) }
    }
    crossing.sort()
    let threshold = crossing.isEmpty ? 0 : crossing[crossing.count / 2]
    for value in 0..<valueCount where dropAfter[value] >= 0 {
      let node = Int(valueNode[value])
      let isCheapNode =
        isCheap[node] ?? (cost[node] <= threshold * Double(max(1, valueBytes[value])))
      if !isCheapNode { dropAfter[value] = -1 }
    }
    return sequence(dropping: dropAfter)
  }
}
