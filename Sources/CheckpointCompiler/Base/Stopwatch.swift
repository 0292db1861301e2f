// Where the time of a compilation goes.

/// Seconds since the last lap, by name.
struct Stopwatch {
  private(set) var laps: [(stage: String, seconds: Double)] = []
  private var last = ContinuousClock.now

  /// Notes the time since the last lap.
  mutating func lap(_ stage: String) {
    let now = ContinuousClock.now
    laps.append((stage, (now - last) / .seconds(1)))
    last = now
  }
}
