// The forward part of a graph as a chain of stages, and the backward part of each stage.
//
// Method      The forward part is cut at positions of the base order. At an *articulation point* at
//             most one value crosses; where the graph has few of them, the chain is *linearised*: any position may
//             be a cut. Too many stages are merged: of each of `stagesMax` windows of cuts, the one with
//             the fewest crossing bytes stays.
//             A backward node votes for the earliest stage whose input or inner values it reads; the
//             backward part is cut so that the fewest votes stand on the wrong side.
// Invariants  Stages are not empty; the backward parts stand in the base order in reverse order of stages
//             and cover everything after the turn.
// Cost        O(nodes + reads + stages · backward nodes), stages at most `stagesMax`.
// Source      Articulation points: Chen et al. 2016, arXiv:1604.06174; linearisation: Jain et al.,
//             "Checkmate", MLSys 2020, arXiv:1910.02653, section 6.1.

/// Consecutive stages of the forward part.
struct StageChain: Sendable {
  /// The first node of each stage, and the node after the last.
  var starts: [Int]
  /// Bytes that cross into each stage, and 0 at the end.
  var crossingBytes: [Int]
  /// The node after the backward part of each stage, and the first node after the turn.
  var backwardEnds: [Int]

  /// How many stages there are.
  var count: Int { starts.count - 1 }
  /// The nodes of a stage.
  func forward(_ stage: Int) -> Range<Int> { starts[stage]..<starts[stage + 1] }
  /// The nodes of the backward part of a stage.
  func backward(_ stage: Int) -> Range<Int> { backwardEnds[stage + 1]..<backwardEnds[stage] }
}

extension RematGraph {
  /// Bytes, and how many values of at least a byte, that are made up to each position of the forward
  /// part and read later in it.
  func forwardCrossings(turn: Int) -> (bytes: [Int], counts: [Int]) {
    var bytes = [Int](repeating: 0, count: turn + 2)
    var counts = [Int](repeating: 0, count: turn + 2)
    for value in 0..<valueCount where Int(valueNode[value]) <= turn && valueBytes[value] > 0 {
      guard let last = lastForwardUser(of: value, turn: turn) else { continue }
      bytes[Int(valueNode[value])] += valueBytes[value]
      bytes[last] -= valueBytes[value]
      counts[Int(valueNode[value])] += 1
      counts[last] -= 1
    }
    for position in 1...turn + 1 {
      bytes[position] += bytes[position - 1]
      counts[position] += counts[position - 1]
    }
    return (bytes, counts)
  }

  /// The last reader of a value up to `turn`, if it has one.
  func lastForwardUser(of value: Int, turn: Int) -> Int? {
    users[userRange(of: value)].last { Int($0) <= turn }.map(Int.init)
  }

  /// The chains that methods for chains plan on: of articulation points where there are some, and
  /// linearised where that is another one.
  func stageChains(stagesMax: Int) -> [StageChain] {
    guard nodeCount > 0 else { return [] }
    let turn = turningPosition
    let crossings = forwardCrossings(turn: turn)
    let points = (0..<turn).filter { crossings.counts[$0] <= 1 }
    let pointChain = stageChain(
      cutAfter: thinned(points, bytes: crossings.bytes, to: stagesMax - 1), turn: turn,
      bytes: crossings.bytes)
    let linear = thinned(Array(0..<turn), bytes: crossings.bytes, to: stagesMax - 1)
    let linearChain = stageChain(cutAfter: linear, turn: turn, bytes: crossings.bytes)
    if linearChain.starts == pointChain.starts { return [linearChain] }
    return pointChain.count > 1 ? [pointChain, linearChain] : [linearChain]
  }

  /// At most `countMax` of `positions`: those with the fewest bytes of equal windows.
  private func thinned(_ positions: [Int], bytes: [Int], to countMax: Int) -> [Int] {
    guard positions.count > countMax else { return positions }
    return (0..<countMax).compactMap { window in
      let range =
        window * positions.count / countMax..<(window + 1) * positions.count / countMax
      return positions[range].min { (bytes[$0], $0) < (bytes[$1], $1) }
    }
  }

  /// The chain with a cut after each of the given positions, all before `turn`.
  func stageChain(cutAfter cuts: [Int], turn: Int, bytes: [Int]) -> StageChain {
    let starts = [0] + cuts.map { $0 + 1 } + [turn + 1]
    var stageOf = [Int32](repeating: 0, count: turn + 1)
    for stage in 0..<starts.count - 1 {
      for node in starts[stage]..<starts[stage + 1] { stageOf[node] = Int32(stage) }
    }
    var votes = [Int32](repeating: -1, count: nodeCount)
    for value in 0..<valueCount where Int(valueNode[value]) <= turn && valueBytes[value] > 0 {
      let last = lastForwardUser(of: value, turn: turn) ?? Int(valueNode[value])
      for user in users[userRange(of: value)] where Int(user) > turn {
        let vote = votes[Int(user)]
        votes[Int(user)] = vote < 0 ? stageOf[last] : min(vote, stageOf[last])
      }
    }
    let count = starts.count - 1
    var ends = [Int](repeating: nodeCount, count: count + 1)
    ends[count] = turn + 1
    for stage in stride(from: 1, to: count, by: 1) {
      // Where the backward parts of this stage and all later ones end: the latest of the best places.
      var best = (place: turn + 1, right: 0)
      var right = 0
      for node in turn + 1..<max(turn + 1, ends[stage - 1]) {
        if votes[node] >= 0 { right += Int(votes[node]) >= stage ? 1 : -1 }
        if right >= best.right { best = (node + 1, right) }
      }
      ends[stage] = best.place
    }
    return StageChain(
      starts: starts, crossingBytes: [0] + cuts.map { bytes[$0] } + [0], backwardEnds: ends)
  }
}

/// The runs that operations on a chain of stages add up to.
struct StageRuns {
  private let chain: StageChain
  private let countMax: Int
  /// The nodes that run.
  private(set) var runs: [Int32] = []
  /// Whether there were more runs than a plan may have.
  var isTooLong: Bool { runs.count > countMax }

  /// No runs yet; at most about `countMax` of them.
  init(_ chain: StageChain, countMax: Int) {
    self.chain = chain
    self.countMax = countMax
  }

  /// Runs a stage.
  mutating func forward(_ stage: Int) {
    if isTooLong { return }
    for node in chain.forward(stage) { runs.append(Int32(node)) }
  }

  /// Runs the backward part of a stage.
  mutating func backward(_ stage: Int) {
    if isTooLong { return }
    for node in chain.backward(stage) { runs.append(Int32(node)) }
  }
}

extension RematGraph {
  /// The most runs that a plan on a chain may have before what is of no use is taken out.
  var stageRunsMax: Int { 8 * nodeCount + 4000 }
}
