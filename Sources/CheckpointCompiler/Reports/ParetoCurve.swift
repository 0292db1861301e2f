// Plans for many budgets: how much time the step takes in how much memory.

/// The plans of one graph that no other found plan beats in both memory and time.
public struct ParetoCurve: Sendable {
  /// One plan.
  public struct Point: Sendable, Equatable {
    /// The arena of the plan.
    public var arenaBytes: Int
    /// The most bytes alive at once.
    public var peakLiveBytes: Int
    /// The predicted time in nanoseconds.
    public var cost: Double
    /// How many kernels run a second time or more.
    public var recomputedKernels: Int
  }

  /// The function that was planned.
  public let name: String
  /// The plans by growing arena; costs fall strictly.
  public let points: [Point]
  /// The arena when everything is kept.
  public let keepAllArenaBytes: Int
  /// The predicted time when everything is kept.
  public let keepAllCost: Double

  /// How much longer a plan takes than keeping everything, as a fraction; negative where it is faster.
  public func overhead(_ point: Point) -> Double {
    keepAllCost > 0 ? point.cost / keepAllCost - 1 : 0
  }
}

extension Compilation {
  /// The plans of one search, from the smallest arena to that of keeping everything.
  ///
  /// - Parameter count: About how many plans to pack.
  /// - Returns: The plans that are worth it; nil where the text was planned already, or planning has
  ///   not run.
  /// - Throws: A defect of ckc.
  public func paretoCurve(count: Int = 48) throws(CompileError) -> ParetoCurve? {
    guard var planner, let keepAll else { return nil }
    var points = try planner.frontier(count: count)
    points.append(
      ParetoCurve.Point(
        arenaBytes: keepAll.arenaBytes, peakLiveBytes: keepAll.peakLiveBytes, cost: keepAll.costNs,
        recomputedKernels: 0))
    points.sort { ($0.arenaBytes, $0.cost) < ($1.arenaBytes, $1.cost) }
    var best: [ParetoCurve.Point] = []
    for point in points where point.cost < best.last?.cost ?? .infinity { best.append(point) }
    return ParetoCurve(
      name: keepAll.function.name, points: best, keepAllArenaBytes: keepAll.arenaBytes,
      keepAllCost: keepAll.costNs)
  }
}

extension ParetoCurve {
  /// The curve as a JSON value.
  package var jsonValue: JSONValue {
    [
      "name": .string(name), "keepAllArenaBytes": .integer(keepAllArenaBytes),
      "keepAllCost": .number(keepAllCost),
      "points": .array(
        points.map { point in
          [
            "arenaBytes": .integer(point.arenaBytes),
            "peakLiveBytes": .integer(point.peakLiveBytes), "cost": .number(point.cost),
            "overhead": .number(overhead(point)),
            "recomputedKernels": .integer(point.recomputedKernels),
          ]
        }),
    ]
  }

  /// The curve as a table.
  public func text() -> String {
    var rows = [["arena", "of all", "time", "more time", "kernels again"]]
    for point in points {
      rows.append([
        describeBytes(point.arenaBytes),
        describePercent(Double(point.arenaBytes) / Double(max(1, keepAllArenaBytes))),
        describeNs(point.cost), describePercent(overhead(point)), "\(point.recomputedKernels)",
      ])
    }
    return alignedColumns(rows, rightAligned: [true, true, true, true, true]).map { "\($0)\n" }
      .joined()
  }
}
