// From what a method saves over the turn to the sequence that recomputes the rest.
//
// Method      The base order; before a node of the backward part runs, what it reads and is not saved is
//             recomputed, once, missing inputs first. Lifetimes follow from the sequence: a value that
//             is recomputed dies at its last use before the turn.
// Invariants  First runs stand in base order, so that everything read was made before: whatever
//             is left out of a sequence makes a value live longer, never a plan wrong.
//             `once` nodes and nodes past their deadline count as saved.
// Cost        O(nodes + reads).

extension RematGraph {
  /// The sequence that recomputes, when the backward part first needs it, what is made up to `turn`
  /// and not saved.
  func sequence(saving isSaved: [Bool], turn: Int) -> [Int32] {
    var isRecomputed = [Bool](repeating: false, count: nodeCount)
    var sequence: [Int32] = []
    sequence.reserveCapacity(2 * nodeCount)
    var stack: [Int32] = []
    for node in 0..<nodeCount {
      if node > turn {
        stack.append(Int32(node))
        while let top = stack.last {
          // The producer of an input that has to be recomputed first.
          var missing: Int32 = -1
          for slot in inputRange(of: Int(top)) {
            let value = Int(inputValues[slot])
            let producer = Int(valueNode[value])
            if producer <= turn, !isSaved[value], !isKept[value], !isRecomputed[producer],
              !isOnce[producer], node <= Int(deadline[producer])
            {
              missing = Int32(producer)
              break
            }
          }
          if missing >= 0 {
            stack.append(missing)
          } else {
            stack.removeLast()
            isRecomputed[Int(top)] = true
            sequence.append(top)
          }
        }
      } else {
        sequence.append(Int32(node))
      }
    }
    return withPinnedRuns(sequence)
  }

  /// The runs of a list that are allowed and of use.
  ///
  /// Runs again of `once` nodes and of nodes that were invalidated are left out, and then those whose
  /// outputs nothing reads before the node runs another time.
  func usefulRuns(of runs: [Int32]) -> [Int32] {
    var hasRun = [Bool](repeating: false, count: nodeCount)
    var isInvalid = [Bool](repeating: false, count: nodeCount)
    var isFirst = [Bool](repeating: false, count: runs.count)
    var allowed: [Int32] = []
    allowed.reserveCapacity(runs.count)
    for run in runs {
      let node = Int(run)
      if hasRun[node], isOnce[node] || isInvalid[node] { continue }
      isFirst[allowed.count] = !hasRun[node]
      hasRun[node] = true
      allowed.append(run)
      for slot in Int(invalidatedStart[node])..<Int(invalidatedStart[node + 1]) {
        isInvalid[Int(invalidated[slot])] = true
      }
    }
    var isRead = [Bool](repeating: false, count: valueCount)
    var useful: [Int32] = []
    useful.reserveCapacity(allowed.count)
    for position in allowed.indices.reversed() {
      let node = Int(allowed[position])
      guard isFirst[position] || outputs(of: node).contains(where: { isRead[$0] }) else { continue }
      for value in outputs(of: node) { isRead[value] = false }
      for slot in inputRange(of: node) { isRead[Int(inputValues[slot])] = true }
      useful.append(allowed[position])
    }
    useful.reverse()
    return withPinnedRuns(useful)
  }

  /// The sequence with a second run of each node that a pin recomputes and that runs once: right before
  /// the first use after the gap in which the pin drops the value.
  func withPinnedRuns(_ sequence: [Int32]) -> [Int32] {
    if pinnedDropAfter.isEmpty { return sequence }
    var runCount = [Int32](repeating: 0, count: nodeCount)
    for node in sequence { runCount[Int(node)] += 1 }
    // Per node before whose first run something runs again; `nodeCount` stands for the end.
    var added = [[Int32]](repeating: [], count: nodeCount + 1)
    for value in 0..<valueCount where pinnedDropAfter[value] >= 0 {
      let node = Int(valueNode[value])
      guard runCount[node] == 1 else { continue }
      runCount[node] = 2
      let next = users[userRange(of: value)].first { $0 > pinnedDropAfter[value] }
      let place = next.map(Int.init) ?? nodeCount
      if !isOnce[node], place <= Int(deadline[node]) { added[place].append(Int32(node)) }
    }
    var result: [Int32] = []
    for node in sequence {
      // What runs again for several pins runs in base order: values before their readers.
      result += added[Int(node)].sorted()
      added[Int(node)] = []
      result.append(node)
    }
    return result + added[nodeCount].sorted()
  }
}
