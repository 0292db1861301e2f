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

  /// How much longer a plan takes than keeping everything, as a fraction.
  public func overhead(_ point: Point) -> Double {
    keepAllCost > 0 ? max(0, point.cost / keepAllCost - 1) : 0
  }
}

extension Compilation {
  /// Plans for `count` budgets between the smallest arena and that of keeping everything.
  ///
  /// - Parameter count: How many budgets to plan for; at least 2.
  /// - Returns: The plans that are worth it; nil where the text was planned already, or planning has
  ///   not run.
  /// - Throws: A defect of ckc.
  public func paretoCurve(count: Int = 24) throws(CompileError) -> ParetoCurve? {
    guard let priced, let keepAll else { return nil }
    let planner = try Planner(priced, options: options)
    let smallest = try planner.smallest()
    var steps = [smallest, keepAll]
    let range = keepAll.arenaBytes - smallest.arenaBytes
    if range > 0 {
      for index in 1..<max(2, count) {
        let budget = smallest.arenaBytes + Int(Double(range) * Double(index) / Double(count))
        do {
          steps.append(try planner.step(.auto, within: budget, maxOverhead: nil).step)
        } catch {
          // A budget between two that can be met may be out of reach of the packer.
          if case .budget = error { continue }
          throw error
        }
      }
    }
    steps.sort { ($0.arenaBytes, $0.costNs) < ($1.arenaBytes, $1.costNs) }
    var points: [ParetoCurve.Point] = []
    for step in steps where step.costNs < points.last?.cost ?? .infinity {
      points.append(
        ParetoCurve.Point(
          arenaBytes: step.arenaBytes, peakLiveBytes: step.peakLiveBytes, cost: step.costNs,
          recomputedKernels: step.computations.count - keepAll.computations.count))
    }
    return ParetoCurve(
      name: keepAll.function.name, points: points, keepAllArenaBytes: keepAll.arenaBytes,
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
