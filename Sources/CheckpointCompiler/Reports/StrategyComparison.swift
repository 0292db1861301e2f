// What each published method makes of one graph, beside the search and the proven bound.
//
// Method      Each strategy's plans are made once, and the cheapest taken for every budget. Each that is
//             taken is re-checked.
// Invariants  Budgets fall; a strategy's costs do not fall with them. `auto` is never above another row, the
//             bound never above `auto`.

/// The costs of all strategies for some budgets.
public struct StrategyComparison: Sendable {
  /// What a strategy takes at one budget.
  public struct Plan: Sendable, Equatable {
    /// The largest memory in use.
    public var peakBytes: Int
    /// The cost of all runs.
    public var cost: Double
  }

  /// The plans of one strategy.
  public struct Row: Sendable, Equatable {
    /// The strategy.
    public var strategy: RematStrategy
    /// Its cheapest plan for each budget; nil where it has none.
    public var plans: [Plan?]
    /// The smallest peak that it reached.
    public var smallestPeakBytes: Int
  }

  /// What was planned.
  public var name: String
  /// The budgets, largest first, in bytes of memory in use.
  public let budgets: [Int]
  /// A row per strategy.
  public let rows: [Row]
  /// For each budget, a proven lower bound on the cost of any plan.
  public let lowerBounds: [Double]
  /// The peak of running every node once.
  public let keepAllPeakBytes: Int
  /// The cost of running every node once.
  public let keepAllCost: Double

  /// How much more than running every node once a cost is, as a fraction.
  public func overhead(_ cost: Double) -> Double {
    keepAllCost > 0 ? max(0, cost / keepAllCost - 1) : 0
  }

  /// How much of the peak of running every node once some bytes are.
  public func share(_ bytes: Int) -> Double { Double(bytes) / Double(max(1, keepAllPeakBytes)) }

  /// Plans `problem` with each of `strategies` for each of `budgets`.
  ///
  /// - Parameters:
  ///   - problem: What to plan.
  ///   - name: What to call it.
  ///   - budgets: What may be in use; percentages are of the peak of running every node once. Without
  ///     any: the tenths of that peak that can be met, and the smallest peak that `auto` finds.
  ///   - strategies: The rows.
  ///   - options: Order, pins and effort.
  /// - Throws: Why the checker refused a plan, which is a defect of the planner.
  public init(
    of problem: RematProblem, name: String = "", budgets: [Budget] = [],
    strategies: [RematStrategy] = RematStrategy.allCases, options: SolveOptions = SolveOptions()
  ) throws(Diagnostic) {
    self.name = name
    var graph = RematGraph(problem, order: BaseOrder.given(problem))
    var remarks: [String] = []
    AppliedPins(options.pins, problem: problem, remarks: &remarks)
      .apply(to: &graph, order: BaseOrder.given(problem))
    let keepAll = graph.figures(of: graph.baseSequence)
    let peak = keepAll?.peakBytes ?? 0
    keepAllPeakBytes = peak
    keepAllCost = keepAll?.cost ?? 0

    // One search answers all budgets.
    var searching = options
    searching.strategy = .auto
    searching.maxOverhead = nil
    searching.budgetBytes = budgets.map { Self.bytes($0, peak: peak, smallest: 0) }.max() ?? peak
    var search = PlanSearch(problem, options: searching)
    let isSearched =
      strategies.contains(.auto) || budgets.isEmpty || budgets.contains { $0 == .minimum }
    let found = isSearched ? search.archive(upTo: searching.budgetBytes) : PlanArchive()
    let smallest = found.plans.first?.peakBytes ?? peak
    if budgets.isEmpty {
      let tenths = stride(from: 10, through: 1, by: -1).map { peak / 10 * $0 + peak % 10 * $0 / 10 }
      self.budgets = tenths.filter { $0 > smallest } + [smallest]
    } else {
      self.budgets = budgets.map { Self.bytes($0, peak: peak, smallest: smallest) }.sorted(by: >)
    }
    let answers = self.budgets.map {
      search.result(found.best(within: $0), of: found, within: $0)
    }
    lowerBounds = answers.map(\.lowerBound)

    let checker = RematChecker(problem)
    var rows: [Row] = []
    for strategy in strategies {
      let archive = strategy == .auto ? found : graph.archive(of: strategy)
      var row = Row(
        strategy: strategy, plans: [], smallestPeakBytes: archive.plans.first?.peakBytes ?? peak)
      for (budget, answer) in zip(self.budgets, answers) {
        if strategy == .auto {
          try checker.check(answer)
          let plan = Plan(peakBytes: answer.peakBytes, cost: answer.cost)
          row.plans.append(answer.status == .infeasible ? nil : plan)
        } else if let plan = archive.best(within: budget) {
          let figures = try checker.check(
            Schedule(sequence: plan.sequence, of: graph), budgetBytes: budget)
          row.plans.append(Plan(peakBytes: figures.peakBytes, cost: figures.cost))
        } else {
          row.plans.append(nil)
        }
      }
      rows.append(row)
    }
    self.rows = rows
  }

  private static func bytes(_ budget: Budget, peak: Int, smallest: Int) -> Int {
    switch budget {
    case .unlimited: peak
    case .bytes(let bytes): bytes
    case .percent(let percent): Budget.bytes(percent: percent, of: peak)
    case .minimum: smallest
    }
  }
}

extension Compilation {
  /// The kernels of the step, each storing all that it makes, as a planning problem, and the options to
  /// plan it with; nil where the text was planned already, or planning has not run.
  public var planningProblem: (problem: RematProblem, options: SolveOptions)? {
    guard let planner = planner?.first else { return nil }
    return (planner.priced.problem, SolveOptions(pins: planner.pins, effort: planner.effort))
  }
}

extension StrategyComparison {
  /// The comparison as a JSON value.
  package var jsonValue: JSONValue {
    [
      "name": .string(name), "keepAllPeakBytes": .integer(keepAllPeakBytes),
      "keepAllCost": .number(keepAllCost), "budgets": .array(budgets.map { .integer($0) }),
      "lowerBounds": .array(lowerBounds.map { .number($0) }),
      "strategies": .array(
        rows.map { row in
          [
            "strategy": .string(row.strategy.rawValue),
            "smallestPeakBytes": .integer(row.smallestPeakBytes),
            "peaks": .array(row.plans.map { $0.map { .integer($0.peakBytes) } ?? .null }),
            "costs": .array(row.plans.map { $0.map { .number($0.cost) } ?? .null }),
            "overheads": .array(row.plans.map { $0.map { .number(overhead($0.cost)) } ?? .null }),
          ]
        }),
    ]
  }

  /// The overheads as a table: a column per budget, and the smallest peak of each strategy.
  public func text() -> String {
    var table = [
      [""] + budgets.map { describePercent(share($0)) } + ["smallest"],
      [""] + budgets.map { describeBytes($0) } + [""],
    ]
    for row in rows {
      table.append(
        [row.strategy.rawValue] + row.plans.map { $0.map { percent($0.cost) } ?? "-" }
          + [describePercent(share(row.smallestPeakBytes))])
    }
    table.append(["bound"] + lowerBounds.map { percent($0) } + [""])
    let heading =
      "\(name.isEmpty ? "" : "\(name): ")cost in % over running everything once, for budgets of "
      + "memory in use\n\(describeBytes(keepAllPeakBytes)) when everything is kept; -: no plan of "
      + "the strategy fits\n\n"
    return heading
      + alignedColumns(
        table, rightAligned: [false] + [Bool](repeating: true, count: budgets.count + 1)
      ).map { "\($0)\n" }.joined()
  }

  /// An overhead with two decimals, without its unit.
  private func percent(_ cost: Double) -> String {
    let text = decimalText(overhead(cost) * 100)
    guard let point = text.firstIndex(of: ".") else { return text + ".00" }
    return text.distance(from: point, to: text.endIndex) == 2 ? text + "0" : text
  }
}
