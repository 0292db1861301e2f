// The strategy `revolve`: binomial checkpointing of a chain of stages.
//
// Method      With c checkpoints, the input of the chain among them, a chain of l stages is reversed by
//             running it up to a stage, storing that stage's input in one checkpoint, reversing what
//             follows with the others, and then what comes before with all of them. The stage is chosen
//             so that the fewest stages run; c runs over a ladder. Stages count as equal: costs and
//             sizes are ignored, as the method has it.
// Cost        O(l · r²) for a plan of l ≤ 256 stages, each run r times at most, beside its runs.
// Source      Griewank and Walther, "Algorithm 799: Revolve", ACM TOMS 26(1), 2000,
//             doi:10.1145/347837.347846.

/// The numbers of binomial checkpointing.
enum BinomialCheckpointing {
  /// How many stages to run before the next checkpoint, fewer than `length`, which is at least 2.
  ///
  /// With r the least number for which l ≤ β(c, r) = (c + r choose c), all numbers between the larger of β(c, r − 2) and l − β(c − 1, r) and the
  /// smaller of β(c, r − 1) and l − β(c − 1, r − 1) are best; this is the first.
  static func advance(length: Int, checkpoints: Int) -> Int {
    let repetitions = repetitions(length: length, checkpoints: checkpoints)
    let before =
      repetitions < 2 ? 0 : choose(checkpoints + repetitions - 2, checkpoints, atMost: length)
    let after = choose(checkpoints - 1 + repetitions, checkpoints - 1, atMost: length)
    return max(1, before, length - after)
  }

  /// The least r with `length` ≤ β(c, r).
  private static func repetitions(length: Int, checkpoints: Int) -> Int {
    var repetitions = 0
    while choose(checkpoints + repetitions, checkpoints, atMost: length) < length {
      repetitions += 1
    }
    return repetitions
  }

  /// The binomial coefficient, or `limit` if it is larger.
  private static func choose(_ n: Int, _ k: Int, atMost limit: Int) -> Int {
    if k > n { return 0 }
    var result = 1
    for step in stride(from: 1, through: min(k, n - k), by: 1) {
      // Exact at every step, and below limit · n.
      result = result * (n - min(k, n - k) + step) / step
      if result > limit { return limit }
    }
    return result
  }
}

extension RematGraph {
  /// Plans for growing numbers of checkpoints, on each chain of the graph.
  func revolveSequences() -> [[Int32]] {
    stageChains(stagesMax: min(256, 16 * rungCount(64))).flatMap { chain in
      let rungs = min(chain.count, rungCount(64))
      var last = 0
      return (1...max(1, rungs)).compactMap { rung -> [Int32]? in
        // All numbers of a short chain; else more of the small ones, which differ most.
        let share = Double(rung) / Double(rungs)
        let checkpoints =
          rungs == chain.count ? rung : max(rung, Int(share * share * Double(chain.count)))
        if checkpoints == last { return nil }
        last = checkpoints
        return revolveSequence(chain, checkpoints: checkpoints)
      }
    }
  }

  /// The plan for one number of checkpoints; nil if it runs too often.
  func revolveSequence(_ chain: StageChain, checkpoints: Int) -> [Int32]? {
    var out = StageRuns(chain, countMax: stageRunsMax)
    /// Stages to reverse, the last first, with so many checkpoints.
    var open = [(stages: 0..<chain.count, checkpoints: checkpoints)]
    while let (stages, checkpoints) = open.popLast(), !out.isTooLong {
      guard stages.count > 1 else {
        out.forward(stages.lowerBound)
        out.backward(stages.lowerBound)
        continue
      }
      let steps = BinomialCheckpointing.advance(length: stages.count, checkpoints: checkpoints)
      let middle = stages.lowerBound + steps
      for stage in stages.lowerBound..<middle { out.forward(stage) }
      open.append((stages.lowerBound..<middle, checkpoints))
      open.append((middle..<stages.upperBound, max(1, checkpoints - 1)))
    }
    return out.isTooLong ? nil : usefulRuns(of: out.runs)
  }
}
