// The packer's entry point: buffers in, offsets out.
//
// Method      Greedy orders; then, while the arena is above the bound, a search over offsets that
//             may also raise the bound, and a search over orders. Beyond `pairsMax` overlapping
//             pairs, sweeps over time alone.
// Cost        Work is counted, never timed.

/// What is asked of the packer.
public struct PackOptions: Sendable {
  /// Stop at the first plan whose arena is at most this; nil asks for the smallest.
  public var capacityBytes: Int?
  /// Amount of search, a few tenths of a second for 1, which is the default; 0 gives the best greedy
  /// plan, and more than 10 million count as so many.
  public var effort: Double

  /// A search of the default effort for the smallest arena, unless told otherwise.
  public init(capacityBytes: Int? = nil, effort: Double = 1) {
    self.capacityBytes = capacityBytes
    self.effort = effort
  }

  /// Sets the effort to what takes at most about `seconds` on a common machine.
  public mutating func setTimeLimit(seconds: Double) { effort = max(0, seconds * 4) }
}

/// A plan and what is known about the best one.
public struct PackResult: Sendable {
  /// How good the plan is.
  public enum Status: String, Sendable {
    /// No smaller arena exists.
    case optimal
    /// The plan is within the capacity, if one was given.
    case feasible
    /// No plan within the capacity was found; the plan is the best one found. There is none if
    /// the lower bound exceeds the capacity.
    case infeasible
  }

  /// How good the plan is.
  public var status: Status
  /// The plan.
  public var plan: MemoryPlan
  /// No arena is smaller: the largest sum of sizes alive at once, or what a search proved.
  public var lowerBoundBytes: Int

  /// The result as one line of JSON, as `ckc pack` prints it.
  public func json(seconds: Double? = nil) -> String {
    var out = "{\"status\":\"\(status.rawValue)\",\"height\":\(plan.arenaBytes)"
    out += ",\"lowerBound\":\(lowerBoundBytes)"
    if let seconds { out += ",\"seconds\":\(jsonNumber(seconds))" }
    return out + "}\n"
  }
}

/// Places the buffers of `problem`.
///
/// Equal input gives equal output.
///
/// - Complexity: O(*n* log *n* + *p*) for *n* buffers, *p* pairs of which are alive at once, for each
///   greedy order; then as many steps of search as `effort` says, or fewer where an arena is proved to
///   be the smallest. Beyond 4 million pairs O(*n* log *n* + *n*·*k*), *k* buffers alive at once, without
///   search.
public func pack(_ problem: PlacementProblem, options: PackOptions = PackOptions()) -> PackResult {
  var bound = problem.maxLiveBytes
  var goal = max(bound, options.capacityBytes ?? 0)
  var best: MemoryPlan?
  func consider(_ plan: MemoryPlan) {
    if plan.arenaBytes < best?.arenaBytes ?? .max { best = plan }
  }
  var isDone: Bool { best.map { $0.arenaBytes <= goal } ?? false }

  if let graph = OverlapGraph(problem, pairsMax: 4_000_000) {
    var greedy = GreedyPlacement(graph)
    for order in PlacementOrder.allCases where !isDone {
      let arena = greedy.run(order.buffers(of: graph))
      consider(MemoryPlan(offsets: greedy.offsets, arenaBytes: arena))
    }
    if !isDone, let start = best, options.effort > 0 {
      let work = min(1e15, options.effort * 1.2e8)
      let lowering = GroupLowering(start, graph: graph, goal: goal, workMax: Int(work))
      consider(lowering.plan)
      bound = max(bound, lowering.provedBytes)
      goal = max(goal, bound)
      // What the search over offsets leaves, the one over orders rarely improves.
      let effort = lowering.isComplete ? options.effort * 0.1 : options.effort
      if !isDone {
        consider(OrderSearch.improved(lowering.plan, graph: graph, goal: goal, effort: effort))
      }
    }
  }
  for fit in SweepFit.allCases where !isDone {
    for reversed in [false, true] where !isDone {
      consider(sweepPlacement(problem, fit: fit, reversed: reversed))
    }
  }
  let plan = best ?? MemoryPlan(offsets: [], arenaBytes: 0)
  let isWithin = plan.arenaBytes <= options.capacityBytes ?? .max
  return PackResult(
    status: plan.arenaBytes == bound && isWithin ? .optimal : (isWithin ? .feasible : .infeasible),
    plan: plan, lowerBoundBytes: bound)
}
