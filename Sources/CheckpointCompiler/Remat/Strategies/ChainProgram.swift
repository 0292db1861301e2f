// The strategy `chain`: the best persistent schedule of a chain of unequal stages, by dynamic programming.
//
// Problem     Stages s…t with the input of s in memory, m bytes to work with. Either stage s runs and
//             all that its backward part reads stays (*all*), or stages s…j−1 run, only the input of
//             j stays, and s…j−1 are run again later (*checkpoint at j*).
// Method      C(s, t, m) = min( f(s) + C(s+1, t, m − saved(s)) + b(s),
//                               min over j of f(s…j−1) + C(j, t, m − input(j)) + C(s, j−1, m) ),
//             where each choice needs its temporaries, and the gradients alive beside them, to fit.
//             Memory is counted in `slots` of equal size, rounded to the nearest; one table answers
//             all amounts of memory, and the plan of each amount where the cost falls is built.
// Cost        O(L³ · slots) time and O(L² · slots) memory, L ≤ 96 stages and 160 slots; both less for
//             large graphs.
// Source      Beaumont, Eyraud-Dubois, Herrmann, Joly, Shilova, "Optimal checkpointing for heterogeneous
//             chains: how to train deep neural networks with limited memory", 2019, arXiv:1911.13214.

/// What a stage of a chain takes, in time and in bytes.
struct ChainStage: Equatable {
  /// Cost of its forward and its backward part.
  var forwardCost: Double
  var backwardCost: Double
  /// Bytes of its input, which a checkpoint keeps.
  var inputBytes: Int
  /// Bytes that stay for its backward part, its output among them.
  var savedBytes: Int
  /// Most bytes in use that the stage made while it runs: if nothing, or if all that is saved, stays.
  var droppingPeakBytes: Int
  var savingPeakBytes: Int
  /// Bytes made after the turn and alive when its backward part starts, and the most while it runs.
  var gradientBytes: Int
  var backwardPeakBytes: Int
}

/// The table of the dynamic program.
struct ChainProgram {
  private let slots: Int
  private let count: Int
  /// C(s, t, m) at `(s · count + t) · (slots + 1) + m`.
  private var table: [Double]
  /// The sums of forward costs up to each stage.
  private var forwardSum: [Double]
  private let saved: [Int]
  private let input: [Int]
  private let stages: [ChainStage]
  private let slotBytes: Double

  /// Fills the table for at most `bytesMax` bytes in `slots` parts.
  init(_ stages: [ChainStage], bytesMax: Int, slots: Int) {
    self.stages = stages
    self.slots = slots
    count = stages.count
    let slotBytes = max(1, Double(bytesMax) / Double(slots))
    self.slotBytes = slotBytes
    func rounded(_ bytes: Int) -> Int { Int((Double(bytes) / slotBytes).rounded()) }
    saved = stages.map { rounded($0.savedBytes) }
    input = stages.map { rounded($0.inputBytes) }
    forwardSum = [0]
    for stage in stages { forwardSum.append(forwardSum.last! + stage.forwardCost) }
    table = [Double](repeating: .infinity, count: count * count * (slots + 1))
    for last in 0..<count {
      for first in stride(from: last, through: 0, by: -1) { fill(first, last) }
    }
  }

  private func row(_ first: Int, _ last: Int) -> Int { (first * count + last) * (slots + 1) }

  /// The fewest slots that the choice *all* for `first` of `first`…`last` needs.
  private func allNeeds(_ first: Int, _ last: Int) -> Int {
    let stage = stages[first]
    let forward = stage.savingPeakBytes + stages[last].gradientBytes
    return rounded(max(forward, stage.savedBytes + stage.backwardPeakBytes))
  }

  private func rounded(_ bytes: Int) -> Int { Int((Double(bytes) / slotBytes).rounded()) }

  private mutating func fill(_ first: Int, _ last: Int) {
    let target = row(first, last)
    let width = slots + 1
    let stage = stages[first]
    let own = stage.forwardCost + stage.backwardCost
    let needed = allNeeds(first, last)
    if first == last {
      for memory in min(needed, width)..<width { table[target + memory] = own }
      return
    }
    let rest = row(first + 1, last)
    for memory in min(max(needed, saved[first]), width)..<width {
      table[target + memory] = own + table[rest + memory - saved[first]]
    }
    // The most that running on from `first` without keeping anything takes.
    var running = 0
    for next in first + 1...last {
      let entry = next - 1 == first ? 0 : stages[next - 1].inputBytes
      running = max(running, entry + stages[next - 1].droppingPeakBytes)
      let least = max(rounded(running + stages[last].gradientBytes), input[next])
      if least >= width { continue }
      let forward = forwardSum[next] - forwardSum[first]
      let right = row(next, last) - input[next]
      let left = row(first, next - 1)
      table.withUnsafeMutableBufferPointer { table in
        for memory in least..<width {
          let cost = forward + table[right + memory] + table[left + memory]
          table[target + memory] = min(table[target + memory], cost)
        }
      }
    }
  }

  /// The cost of the whole chain for each number of slots; infinite where it does not fit.
  var costs: ArraySlice<Double> {
    count == 0 ? [] : table[row(0, count - 1)...row(0, count - 1) + slots]
  }

  /// Hands the operations of the best schedule within so many slots to the two closures.
  ///
  /// - Precondition: It fits.
  func schedule(memory: Int, forward: (Int) -> Void, backward: (Int) -> Void) {
    enum Part {
      case chain(first: Int, last: Int, memory: Int)
      case backward(Int)
    }
    var open = [Part.chain(first: 0, last: count - 1, memory: memory)]
    while let part = open.popLast() {
      switch part {
      case .backward(let stage): backward(stage)
      case .chain(let first, let last, let memory):
        guard let next = checkpoint(first, last, memory) else {
          forward(first)
          open.append(.backward(first))
          if first < last {
            open.append(.chain(first: first + 1, last: last, memory: memory - saved[first]))
          }
          continue
        }
        for stage in first..<next { forward(stage) }
        open.append(.chain(first: first, last: next - 1, memory: memory))
        open.append(.chain(first: next, last: last, memory: memory - input[next]))
      }
    }
  }

  /// The stage whose input the best choice keeps; nil if it is to save all of `first`.
  private func checkpoint(_ first: Int, _ last: Int, _ memory: Int) -> Int? {
    let best = table[row(first, last) + memory]
    if first == last { return nil }
    let stage = stages[first]
    if memory >= max(allNeeds(first, last), saved[first]),
      stage.forwardCost + stage.backwardCost + table[row(first + 1, last) + memory - saved[first]]
        == best
    {
      return nil
    }
    var running = 0
    for next in first + 1...last {
      let entry = next - 1 == first ? 0 : stages[next - 1].inputBytes
      running = max(running, entry + stages[next - 1].droppingPeakBytes)
      guard memory >= max(rounded(running + stages[last].gradientBytes), input[next]) else {
        continue
      }
      let cost =
        forwardSum[next] - forwardSum[first] + table[row(next, last) - input[next] + memory]
        + table[row(first, next - 1) + memory]
      if cost == best { return next }
    }
    return nil
  }
}

extension RematGraph {
  /// The plans of the dynamic program on each chain of the graph.
  func chainSequences() -> [[Int32]] {
    let share = rungCount(96)
    let peak = figures(of: baseSequence)?.peakBytes ?? 0
    // Saving all of every stage keeps everything.
    return [keepAllSequence()]
      + stageChains(stagesMax: max(24, share)).flatMap { chain -> [[Int32]] in
        let slots = max(64, 160 * share / 96)
        let program = ChainProgram(stages(of: chain), bytesMax: peak, slots: slots)
        let costs = Array(program.costs)
        let falls = costs.indices.filter {
          costs[$0] < ($0 > 0 ? costs[$0 - 1] : .infinity)
        }
        let count = min(falls.count, rungCount(160))
        return (0..<count).compactMap { index in
          var out = StageRuns(chain, countMax: stageRunsMax)
          program.schedule(
            memory: falls[index * falls.count / count], forward: { out.forward($0) },
            backward: { out.backward($0) })
          return out.isTooLong ? nil : usefulRuns(of: out.runs)
        }
      }
  }
}
