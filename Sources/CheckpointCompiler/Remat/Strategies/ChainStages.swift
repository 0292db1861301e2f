// What the stages of a chain cost and hold, measured on the graph.
//
// Method      One sweep over the base order with a difference array per figure: each value is alive from
//             its node to its last use of a kind, and counts for the stage, or for the backward part, that
//             made it.
// Cost        O(nodes + reads).

extension RematGraph {
  /// The figures of every stage of a chain of this graph.
  func stages(of chain: StageChain) -> [ChainStage] {
    let turn = chain.starts[chain.count] - 1
    var stageOf = [Int](repeating: 0, count: nodeCount)
    for stage in 0..<chain.count {
      for node in chain.forward(stage) { stageOf[node] = stage }
      for node in chain.backward(stage) { stageOf[node] = stage }
    }
    // Change of the bytes alive before each node: what is made in the stage, dropped after its
    // last use in it, or kept where it is needed later; and what is made after the turn.
    var dropping = [Int](repeating: 0, count: nodeCount + 1)
    var saving = [Int](repeating: 0, count: nodeCount + 1)
    var gradients = [Int](repeating: 0, count: nodeCount + 1)
    var saved = [Int](repeating: 0, count: chain.count)
    for value in 0..<valueCount {
      let node = Int(valueNode[value])
      let bytes = valueBytes[value]
      let last = users[userRange(of: value)].last.map(Int.init) ?? node
      if node > turn {
        gradients[node] += bytes
        gradients[isKept[value] ? nodeCount : last + 1] -= bytes
        continue
      }
      let end = chain.starts[stageOf[node] + 1]
      let lastForward = lastForwardUser(of: value, turn: turn) ?? node
      dropping[node] += bytes
      dropping[min(end, lastForward >= end ? end : lastForward + 1)] -= bytes
      let isSaved = last >= end || isKept[value]
      saving[node] += bytes
      saving[isSaved ? end : last + 1] -= bytes
      if isSaved { saved[stageOf[node]] += bytes }
    }
    var stages = (0..<chain.count).map { stage in
      ChainStage(
        forwardCost: 0, backwardCost: 0, inputBytes: chain.crossingBytes[stage],
        savedBytes: saved[stage], droppingPeakBytes: 0, savingPeakBytes: 0, gradientBytes: 0,
        backwardPeakBytes: 0)
    }
    var (droppingBytes, savingBytes, gradientBytes) = (0, 0, 0)
    for node in 0..<nodeCount {
      let stage = stageOf[node]
      droppingBytes += dropping[node]
      savingBytes += saving[node]
      gradientBytes += gradients[node]
      if node > turn, node == chain.backward(stage).lowerBound {
        stages[stage].gradientBytes = gradientBytes - outputBytes[node]
      }
      if node <= turn {
        stages[stage].forwardCost += cost[node]
        stages[stage].droppingPeakBytes = max(
          stages[stage].droppingPeakBytes, droppingBytes + scratchBytes[node])
        stages[stage].savingPeakBytes = max(
          stages[stage].savingPeakBytes, savingBytes + scratchBytes[node])
      } else {
        stages[stage].backwardCost += cost[node]
        stages[stage].backwardPeakBytes = max(
          stages[stage].backwardPeakBytes, gradientBytes + scratchBytes[node])
      }
    }
    return stages
  }
}
