// The strategies `sqrt` and `greedy`: keep what crosses from segment to segment, recompute the rest.
//
// Method      sqrt: segments of about √n nodes of the forward part. greedy: the forward part is walked
//             adding up bytes, and cut at the next articulation point, or at the next node, once a threshold
//             is passed; the threshold runs over a ladder from all bytes down to the largest node.
//             Values that cross a cut are saved, and all of the last segment, which the backward part
//             starts with.
// Cost        O(rungs · (nodes + reads)), at most 2 · 48 rungs.
// Source      Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174,
//             algorithm 3 for `greedy`.

extension RematGraph {
  /// Segments of about √n nodes.
  func sqrtSequence() -> [Int32] {
    let turn = turningPosition
    let length = max(1, Int(Double(turn + 1).squareRoot().rounded()))
    return segmentSequence(turn: turn) { $0 / length }
  }

  /// Cuts by bytes, for a ladder of thresholds.
  func greedySequences() -> [[Int32]] {
    guard nodeCount > 0 else { return [] }
    let turn = turningPosition
    let counts = forwardCrossings(turn: turn).counts
    var bytesBefore = [0]
    for node in 0...turn { bytesBefore.append(bytesBefore[node] + outputBytes[node]) }
    let total = Double(bytesBefore[turn + 1])
    let smallest = Double(max(1, outputBytes[0...turn].max() ?? 1))
    let rungs = rungCount(48)
    // One segment keeps everything.
    var sequences = [keepAllSequence()]
    var known: [[Int32]] = []
    for onlyPoints in [true, false] {
      for rung in 0..<rungs {
        // Thresholds of even steps of the number of segments for few, of the threshold for many.
        let share = Double(rung + 1) / Double(rungs)
        let threshold = max(smallest / 2, total * share * share)
        var segmentOf = [Int32](repeating: 0, count: turn + 1)
        var segment: Int32 = 0
        var start = 0
        for node in 0...turn {
          segmentOf[node] = segment
          let bytes = bytesBefore[node + 1] - bytesBefore[start]
          if Double(bytes) > threshold, !onlyPoints || counts[node] <= 1 {
            segment += 1
            start = node + 1
          }
        }
        if segment == 0 || known.contains(segmentOf) { continue }
        known.append(segmentOf)
        sequences.append(segmentSequence(turn: turn) { Int(segmentOf[$0]) })
      }
    }
    return sequences
  }

  /// Saves what crosses from one segment of the forward part to the next.
  private func segmentSequence(turn: Int, segment: (Int) -> Int) -> [Int32] {
    let lastSegment = segment(turn)
    let isSaved = (0..<valueCount).map { value in
      let node = Int(valueNode[value])
      if node > turn || segment(node) == lastSegment { return true }
      return lastForwardUser(of: value, turn: turn).map { segment($0) != segment(node) } ?? false
    }
    return sequence(saving: isSaved, turn: turn)
  }
}
