// How much work the search may do, and how it is shared out.
//
// Method      Effort is time on a machine of our choice, counted in moves: a move is taken to last as
//             long as measured there for graphs of its size and number of reads. Rungs of the ladder
//             at round fractions of the peak are what is asked for most and get most of it.
// Invariants  Shares depend on the problem and the effort alone, never on a clock or the budget.

/// The moves that an effort pays for.
struct SearchEffort: Sendable {
  /// Moves that one thread makes in the whole search.
  let moves: Double
  /// Fewer moves than this take less time than a search needs to begin.
  private let movesMin: Double
  /// Work of the eviction simulator on each thread, in its unit, beside the moves.
  let evictionWork: Double
  /// Less work than this is too little to be of use for one budget.
  let evictionWorkMin: Double
  /// Moves that take as long as a unit of the work of the simulator.
  let movesPerWork: Double

  /// Parts of the work: to find a good order, and the smallest peak.
  static let orderShare = 0.05
  static let smallestShare = 0.27
  static let ladderShare = 0.68

  /// Seconds of search on each thread at effort 1.
  private static let secondsPerEffort = 0.055
  /// Seconds of the simulator on each thread at effort 1, and how they grow: slowly beyond,
  /// because the first runs give most.
  private static let evictionSeconds = 0.25
  private static let secondsPerWork = 1.5e-8
  /// The size of a graph of which a search takes twice as long as counted.
  private static let largeNodeCount = 4000.0
  private static func evictionGrowth(_ effort: Double) -> Double {
    min(effort, effort.squareRoot().squareRoot())
  }

  /// The effort of a search of `graph` of about so many seconds on two threads.
  static func effort(seconds: Double, graph: RematGraph) -> Double {
    // What large graphs take does not fit the cache, and the named strategies take their time as well.
    let seconds = seconds / (1 + Double(graph.nodeCount) / largeNodeCount)
    var (low, high) = (0.0, max(0, seconds) / secondsPerEffort)
    for _ in 0..<40 {
      let effort = (low + high) / 2
      // What runs of the simulator lead to takes as long as a half of them.
      let time = effort * secondsPerEffort + 1.5 * evictionSeconds * evictionGrowth(effort)
      if time > seconds { high = effort } else { low = effort }
    }
    return low
  }

  init(_ effort: Double, graph: RematGraph) {
    let touches = Double(graph.inputValues.count + graph.valueCount)
    let nodes = Double(max(1, graph.nodeCount))
    let secondsPerMove = (0.3 + 0.25 * touches / nodes + 0.0002 * nodes) * 1e-6
    // Small graphs are done sooner.
    moves = min(
      effort * min(Self.secondsPerEffort / secondsPerMove, 300 * nodes), 60_000 * nodes)
    movesMin = max(20, touches / 8)
    let nodeWork = 15.0
    evictionWork =
      Self.evictionGrowth(effort)
      * min(Self.evictionSeconds / Self.secondsPerWork, nodeWork * nodes * nodes * nodes / 8)
    evictionWorkMin = 20 * nodeWork * nodes
    movesPerWork = Self.secondsPerWork / secondsPerMove
  }

  /// How many moves a share of the work pays for; 0 if too few to be of use.
  func moves(share: Double) -> Int {
    let count = moves * share
    return count < movesMin ? 0 : Int(min(count, 1e9))
  }
}

/// Budgets that plans are made for: fractions of the peak of keeping everything, closer to each other
/// where a small step is much of the budget.
struct BudgetLadder: Sendable {
  /// One budget.
  struct Rung: Sendable {
    var bytes: Int
    /// How much of the work it gets beside others.
    var weight: Double
  }

  /// By growing bytes.
  let rungs: [Rung]

  /// About `count` equal steps up to `topBytes`; where they are a hundred, half of a step below a half of
  /// it, and a quarter below a quarter.
  init(topBytes: Int, count: Int) {
    let parts = count < 100 ? 1 : 4
    let fineCount = count * parts
    rungs = (1..<fineCount).compactMap { step in
      let stride = step * 4 < fineCount ? 1 : (step * 2 < fineCount ? 2 : 4)
      guard parts == 1 || step % stride == 0 else { return nil }
      return Rung(
        bytes: topBytes / fineCount * step + topBytes % fineCount * step / fineCount,
        weight: step * 10 % fineCount == 0 ? 12 : (step * 20 % fineCount == 0 ? 6 : 1))
    }
  }
}
