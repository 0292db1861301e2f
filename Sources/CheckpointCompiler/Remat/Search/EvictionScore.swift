// How the eviction simulator ranks values: what is cheap to get back goes first.

/// How the simulator ranks values for eviction.
struct EvictionScore: Sendable {
  /// Exponent of the distance to the next use.
  var distanceExponent: Double
  /// Whether the cost includes the missing nodes that the recomputation would need.
  var countsMissingInputs: Bool
  /// Exponent of the cost; 0 ranks by bytes and distance alone.
  var costExponent: Double = 1
  /// A factor for each use that a value may be evicted before: use `k` of `RematGraph.users`, made by
  /// value `v`, has number `k + v`, and after the last use of each value comes its end. Empty means 1.
  var weights: [Double] = []

  /// The rank of a value of so many bytes, whose next use, `use` in the numbering of the weights, is
  /// `distance` steps away, and that costs `cost` to make again: the lowest is evicted first.
  func rank(bytes: Int, cost: Double, distance: Double, use: Int) -> Double {
    var rank = 1 / Double(bytes)
    rank *= costExponent == 1 ? cost : power(cost, costExponent)
    if !weights.isEmpty { rank *= weights[use] }
    if distanceExponent != 0 { rank /= power(distance, distanceExponent) }
    return rank
  }

  /// Exponents are 0, ½, 1 or 2, so that the result is the same on every machine.
  private func power(_ x: Double, _ exponent: Double) -> Double {
    switch exponent {
    case 0: 1
    case 0.5: x.squareRoot()
    case 2: x * x
    default: x
    }
  }
}
