// Losses of some steps, and whether two implementations agree on them.

/// The losses of one implementation.
struct Curve {
  /// Whose they are.
  var name: String
  var losses: [Double]
  /// The sum of squares of the running statistics after them; nil where it is not known.
  var squaresOfStatistics: Double?

  /// The largest relative difference from other losses, step by step.
  func difference(from other: Curve) -> Double {
    guard losses.count == other.losses.count else { return .infinity }
    let differences = zip(losses, other.losses).map { abs($0 - $1) / max(abs($1), 1e-30) }
    // A loss that is no number agrees with nothing.
    return differences.contains(where: \.isNaN) ? .infinity : differences.max() ?? 0
  }

  /// The relative difference of the running statistics; 0 where one of them is not known.
  func statisticsDifference(from other: Curve) -> Double {
    guard let own = squaresOfStatistics, let reference = other.squaresOfStatistics else { return 0 }
    let difference = abs(own - reference) / max(abs(reference), 1e-30)
    return own == reference ? 0 : difference.isNaN ? .infinity : difference
  }

  /// Whether losses and statistics are within a relative tolerance of others.
  func agrees(with other: Curve, tolerance: Double) -> Bool {
    difference(from: other) <= tolerance && statisticsDifference(from: other) <= tolerance
  }
}
