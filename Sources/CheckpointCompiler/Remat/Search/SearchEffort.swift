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

  /// Parts of the work: to find a good order, and the smallest peak.
  static let orderShare = 0.05
  static let smallestShare = 0.15
  static let ladderShare = 0.8

  /// Seconds of search on each thread at effort 1.
  private static let secondsPerEffort = 0.025

  init(_ effort: Double, graph: RematGraph) {
    let touches = Double(graph.inputValues.count + graph.valueCount)
    let nodes = Double(max(1, graph.nodeCount))
    let secondsPerMove = (0.3 + 0.25 * touches / nodes + 0.0002 * nodes) * 1e-6
    // Small graphs are done sooner.
    moves = min(
      effort * min(Self.secondsPerEffort / secondsPerMove, 300 * nodes), 60_000 * nodes)
  }

  /// How many moves a share of the work pays for; 0 if too few to be of use.
  func moves(share: Double) -> Int {
    let count = moves * share
    return count < 20 ? 0 : Int(min(count, 1e9))
  }
}

/// Budgets that plans are made for: fractions of the peak of keeping everything.
struct BudgetLadder: Sendable {
  let topBytes: Int
  let count: Int

  /// The bytes of a rung.
  func bytes(_ rung: Int) -> Int { topBytes / count * rung + topBytes % count * rung / count }

  /// How much of the work a rung gets beside others.
  func weight(_ rung: Int) -> Double {
    if rung * 10 % count == 0 { return 12 }
    return rung * 20 % count == 0 ? 6 : 1
  }
}
