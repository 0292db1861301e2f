// What is asked of the planner, and what it answers.

/// A named way to choose what is recomputed.
///
/// All but `auto` are published methods. Each builds a fixed family of plans by its own rule, and the
/// cheapest of them within the budget is taken; `none`, `sqrt` and `cheap` have one plan.
public enum RematStrategy: String, CaseIterable, Sendable {
  /// Keep everything: every node runs once, values die after their last use.
  case none
  /// Segments of about √n nodes of the forward part; inner values are recomputed for the backward
  /// (Chen et al. 2016).
  case sqrt
  /// Segments of about equal bytes between articulation points (Chen et al. 2016).
  case greedy
  /// Binomial checkpointing of the chain of stages (Griewank and Walther 2000).
  case revolve
  /// The best persistent schedule of the chain of unequal stages (Beaumont et al. 2019, Rotor).
  case chain
  /// Dynamic programming over sets of nodes closed under inputs (Kusumoto et al. 2019).
  case lowerSets = "lowersets"
  /// A minimum cut between forward and backward, and a knapsack of what is expensive (PyTorch's
  /// partitioner).
  case minimumCut = "mincut"
  /// Eviction online, by cost, size and staleness (Kirisame et al. 2021, DTR).
  case dtr
  /// Recompute cheap values that live long, keep expensive ones.
  case cheap
  /// Search for the lowest cost within the budget; never worse than any of the others.
  case auto

  /// Whether there are plans to choose from: a budget, or its absence, makes a difference.
  public var isAdjustable: Bool {
    switch self {
    case .none, .sqrt, .cheap: false
    case .greedy, .revolve, .chain, .lowerSets, .minimumCut, .dtr, .auto: true
    }
  }
}

/// Which orders of first runs the planner may use.
public enum RematOrder: String, CaseIterable, Sendable {
  /// The order of the problem's nodes.
  case given
  /// Any topological order.
  case free
}

/// A decision that the user takes out of the planner's hands.
public struct RematPin: Sendable, Hashable {
  /// What is decided.
  public enum Choice: String, Sendable {
    /// The value stays resident from its first run to its last use: its node runs once.
    case keep
    /// The value is dropped in its longest gap between uses: its node runs at least twice.
    case recompute
  }

  /// Position of the node.
  public var node: Int
  /// Position among its outputs.
  public var output: Int
  /// The decision.
  public var choice: Choice

  /// A decision about output `output` of node `node`.
  public init(node: Int, output: Int = 0, _ choice: Choice) {
    self.node = node
    self.output = output
    self.choice = choice
  }
}

/// What to plan for.
public struct SolveOptions: Sendable {
  /// Largest memory in use; nil takes the problem's budget, and without that, no limit.
  public var budgetBytes: Int?
  /// How to choose what is recomputed.
  public var strategy: RematStrategy
  /// Which orders may be used.
  public var order: RematOrder
  /// Look for the smallest peak whose cost is at most `1 + maxOverhead` times that of keeping
  /// everything, within the budget if there is one.
  public var maxOverhead: Double?
  /// Decisions taken by the user.
  public var pins: [RematPin]
  /// Amount of search; 1 is the default, 100 take about ten seconds on two threads. The search counts its
  /// work, not time, so that the same problem gives the same plan everywhere.
  public var effort: Double
  /// Threads that the search may use; the plan is the same for any number.
  public var threadCount = 2
  /// How long `auto` searches, in seconds of a common machine, where that is not left to the effort: the
  /// default is a small part of what is worth waiting for.
  var searchSeconds: Double?

  /// Plan within `budgetBytes` with everything else at its default.
  public init(
    budgetBytes: Int? = nil, strategy: RematStrategy = .auto, order: RematOrder = .free,
    maxOverhead: Double? = nil, pins: [RematPin] = [], effort: Double = 1
  ) {
    self.budgetBytes = budgetBytes
    self.strategy = strategy
    self.order = order
    self.maxOverhead = maxOverhead
    self.pins = pins
    self.effort = effort
  }

  /// Sets the effort to what takes about `seconds` on a common machine.
  public mutating func setTimeLimit(seconds: Double) {
    // The search and then the bound.
    effort = max(0, seconds / 7)
    searchSeconds = 0.8 * seconds
  }
}

/// A plan, its figures, and what is known about the best one.
public struct SolveResult: Sendable {
  /// How good the plan is.
  public enum Status: String, Sendable {
    /// No plan within the budget costs less.
    case optimal
    /// The plan is within the budget.
    case feasible
    /// No plan within the budget was found; the schedule is the one of the smallest peak found.
    case infeasible
  }

  /// How good the plan is.
  public var status: Status
  /// The budget asked for, if one was.
  public var budgetBytes: Int?
  /// Largest memory in use by the schedule.
  public var peakBytes: Int
  /// Cost of the schedule.
  public var cost: Double
  /// Peak of running every node once in the given order.
  public var keepAllPeakBytes: Int
  /// Cost of running every node once.
  public var keepAllCost: Double
  /// A proven lower bound on the cost of any schedule within the budget.
  public var lowerBound: Double
  /// Cost over the lower bound, minus one.
  public var gap: Double { lowerBound > 0 ? max(0, cost / lowerBound - 1) : (cost > 0 ? 1 : 0) }
  /// Cost over that of running every node once, minus one.
  public var overhead: Double { keepAllCost > 0 ? max(0, cost / keepAllCost - 1) : 0 }
  /// Smallest peak that the strategy was found to reach.
  public var minimumBudgetBytes: Int
  /// A bound that no schedule can go below; the smallest peak is proved where the two are equal.
  public var minimumBudgetLowerBound: Int
  /// The node whose first run needs the most memory in every schedule.
  public var minimumBudgetNode: Int
  /// The values that are resident then, beside its outputs and scratch.
  public var minimumBudgetValues: [RematProblem.Input]
  /// The plan.
  public var schedule: Schedule
  /// What proves the lower bound, or most of it; nil if there is nothing to prove, or only a
  /// search through all states does. `BoundChecker` re-checks it.
  public var certificate: BoundCertificate?
  /// Options without effect, and other things worth knowing.
  public var remarks: [String]

  /// The result as one line of JSON, as `ckc solve` prints it.
  public func json(seconds: Double? = nil) -> String {
    var out = "{\"status\":\"\(status.rawValue)\",\"budget\":"
    out += budgetBytes.map(String.init) ?? "null"
    out += ",\"peak\":\(peakBytes),\"cost\":\(jsonNumber(cost))"
    out += ",\"keepAllPeak\":\(keepAllPeakBytes),\"keepAllCost\":\(jsonNumber(keepAllCost))"
    out += ",\"lowerBound\":\(jsonNumber(lowerBound)),\"gap\":\(jsonNumber(gap))"
    out += ",\"minimumBudget\":\(minimumBudgetBytes),\"schedule\":["
    for (index, step) in schedule.steps.enumerated() {
      if index > 0 { out += "," }
      switch step {
      case .compute(let node): out += "[\"compute\",\(node)]"
      case .free(let node, let output): out += "[\"free\",\(node),\(output)]"
      }
    }
    out += "]"
    out += ",\"minimumBudgetLowerBound\":\(minimumBudgetLowerBound)"
    if let certificate {
      out += ",\"certificate\":{\"cost\":\(jsonNumber(certificate.cost))"
      out += ",\"moments\":[\(certificate.moments.map(String.init).joined(separator: ","))]"
      out += ",\"cases\":\(certificate.cases.count)}"
    }
    if let seconds { out += ",\"seconds\":\(jsonNumber(seconds))" }
    return out + "}\n"
  }
}
