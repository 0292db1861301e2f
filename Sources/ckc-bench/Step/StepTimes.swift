// Times of steps, ours and those of others in turns.
//
// Method      After five steps of warm-up, turns of three: ours, theirs, ours, theirs. What disturbs
//             the machine for a while then disturbs both. The ratio of each pair of turns is taken by
//             itself, of its medians; the median of the ratios is what counts.

import CheckpointCompiler

/// Milliseconds of some steps.
struct StepTimes {
  static let warmUp = 5
  /// The steps of a turn.
  static let turn = 3

  var ms: [Double] = []
  var median: Double { medianOf(ms) }
  var least: Double { ms.min() ?? .nan }

  /// Runs a step alone.
  init(_ step: ModelStep, count: Int) throws(BenchError) {
    for number in 0..<Self.warmUp { _ = try step.run(number: number) }
    for number in 0..<count { ms.append(try step.run(number: Self.warmUp + number).ms) }
  }

  private init(ms: [Double]) { self.ms = ms }

  /// Runs a peer and steps in turns.
  ///
  /// - Returns: The times of the peer, and for every step the median of its ratios to the peer.
  static func alternating(
    _ steps: [ModelStep], _ peer: PeerProcess, count: Int
  ) throws(BenchError) -> (peer: StepTimes, ratios: [Double]) {
    var times = StepTimes(ms: [])
    var ratios = Array(repeating: [Double](), count: steps.count)
    for step in steps { for number in 0..<2 { _ = try step.run(number: number) } }
    for _ in 0..<max(3, (count + turn - 1) / turn) {
      for (place, step) in steps.enumerated() {
        let own = try (0..<turn).map { number throws(BenchError) in try step.run(number: number).ms
        }
        let others = try peer.steps(turn).ms
        times.ms += others
        ratios[place].append(medianOf(own) / medianOf(others))
      }
    }
    return (times, ratios.map { medianOf($0) })
  }
}

/// The median; no number where there are none.
func medianOf(_ numbers: [Double]) -> Double {
  guard !numbers.isEmpty else { return .nan }
  let sorted = numbers.sorted()
  let middle = sorted.count / 2
  return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
