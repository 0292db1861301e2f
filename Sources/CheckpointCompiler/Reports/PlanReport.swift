// What a plan costs and saves, for people and for machines.
//
// Memory      Bytes of the arena; what the caller owns (inputs, parameters, state, results) is told
//             apart, since no plan changes it.
// Cost        Predicted nanoseconds. The lower bound is the planner's, proven without the plan.

/// The figures of one plan.
public struct PlanReport: Sendable {
  /// The prefix of emitted names.
  public var name: String
  /// The machine that was planned for.
  public var target: String
  /// How what is recomputed was chosen; `given` where the text or a file held the plan.
  public var strategy: String
  /// The arena that was allowed; nil where any was.
  public var budgetBytes: Int?
  /// The arena of the plan.
  public var arenaBytes: Int
  /// The most bytes alive at once; no arena is smaller.
  public var peakLiveBytes: Int
  /// The arena when everything is kept; nil where the text was planned already.
  public var keepAllArenaBytes: Int?
  /// The smallest arena that was found; nil where it was not looked for.
  public var minimumBudgetBytes: Int?
  /// The inputs, which the caller owns.
  public var inputBytes: Int
  /// The parameters, trained and frozen, which the caller owns.
  public var parameterBytes: Int
  /// The state, which the caller owns.
  public var stateBytes: Int
  /// The results that are no updates, which the caller owns.
  public var resultBytes: Int
  /// The predicted time of the plan in nanoseconds.
  public var cost: Double
  /// The predicted time when everything is kept; nil where the text was planned already.
  public var keepAllCost: Double?
  /// A proven lower bound of the predicted time of any plan in the budget; nil where the text was
  /// planned already.
  public var lowerBoundCost: Double?
  /// How many kernels run, repetitions included.
  public var kernels: Int
  /// How many of them are repetitions.
  public var recomputedKernels: Int
  /// The values that wait in memory from forward to backward, as they are made.
  public var kept: [String]
  /// The values that are made again for backward, as they are first made.
  public var recomputed: [String]
  /// The values that the kernels of backward compute anew in registers, where they would otherwise
  /// be stored for them.
  public var recomputedInRegisters: [String]
  /// The files that were written.
  public var files: [String]
  /// Wall-clock seconds by stage.
  public var seconds: [(stage: String, seconds: Double)]

  private var crossing: [CrossingValue]
  private var registerBytes: Int

  /// The most kernels of a graph for which the smallest arena is searched for a report.
  private static let kernelsMaxForMinimum = 3000

  /// The figures of a compilation; nil where it ended before planning.
  ///
  /// - Parameters:
  ///   - compilation: The compilation.
  ///   - files: The files that were written.
  public init?(_ compilation: Compilation, files: [String] = []) {
    guard let step = compilation.step else { return nil }
    let function = step.function
    func argumentBytes(_ roles: [ArgumentRole]) -> Int {
      function.arguments.filter { roles.contains($0.role) }
        .reduce(0) { $0 + function.type(of: $1.value).sizeBytes }
    }
    name = compilation.name
    target = compilation.options.target.name
    strategy =
      compilation.solution == nil ? "given" : compilation.options.strategy.rawValue
    budgetBytes = compilation.budgetBytes
    arenaBytes = step.arenaBytes
    peakLiveBytes = step.peakLiveBytes
    keepAllArenaBytes = compilation.keepAll?.arenaBytes
    inputBytes = argumentBytes([.input])
    parameterBytes = argumentBytes([.parameter, .frozen])
    stateBytes = argumentBytes([.state])
    resultBytes = 0
    for (result, type) in zip(function.results, function.resultTypes) {
      if case .update = result.role { continue }
      resultBytes += type.sizeBytes
    }
    cost = step.costNs
    keepAllCost = compilation.keepAll?.costNs
    lowerBoundCost = compilation.solution?.lowerBound ?? keepAllCost
    kernels = step.computations.count
    let again = step.assignment.order.kernels.count { function.isRecomputation($0.op) }
    recomputedKernels =
      compilation.priced.map { step.computations.count - $0.order.kernels.count } ?? again
    crossing = compilation.crossingValues
    kept = crossing.filter { !$0.isRecomputed }.map(\.name)
    recomputed = crossing.filter(\.isRecomputed).map(\.name)
    let registerValues = compilation.registerValues
    recomputedInRegisters = registerValues.map(\.name)
    registerBytes = registerValues.reduce(0) { $0 + $1.sizeBytes }
    self.files = files
    seconds = compilation.seconds
    minimumBudgetBytes = compilation.smallestArenaBytes(kernelsMax: Self.kernelsMaxForMinimum)
  }

  /// How much longer the step takes than when everything is kept, as a fraction; negative where it is
  /// faster, because kernels compute anew what they would have to read.
  public var overhead: Double? {
    keepAllCost.map { $0 > 0 ? cost / $0 - 1 : 0 }
  }

  /// How far the cost is above the lower bound, as a fraction.
  public var gap: Double? {
    lowerBoundCost.map { $0 > 0 ? max(0, cost / $0 - 1) : cost > 0 ? 1 : 0 }
  }
}

extension Compilation {
  /// The smallest arena that a plan was found for; nil where looking for it would take long.
  func smallestArenaBytes(kernelsMax: Int) -> Int? {
    if options.budget == .minimum, let step { return step.arenaBytes }
    guard let priced, priced.problem.nodes.count <= kernelsMax,
      var planner, let smallest = try? planner.smallestArenaBytes()
    else { return nil }
    return min(smallest, step?.arenaBytes ?? .max)
  }
}

// MARK: JSON

extension PlanReport {
  /// The report as one JSON value; what is not known is null.
  package var jsonValue: JSONValue {
    func bytes(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
    func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
    return [
      "name": .string(name), "target": .string(target), "strategy": .string(strategy),
      "budgetBytes": bytes(budgetBytes), "arenaBytes": .integer(arenaBytes),
      "peakLiveBytes": .integer(peakLiveBytes), "keepAllArenaBytes": bytes(keepAllArenaBytes),
      "minimumBudgetBytes": bytes(minimumBudgetBytes),
      "persistentBytes": [
        "inputs": .integer(inputBytes), "parameters": .integer(parameterBytes),
        "state": .integer(stateBytes), "results": .integer(resultBytes),
      ],
      "cost": .number(cost), "keepAllCost": number(keepAllCost),
      "lowerBoundCost": number(lowerBoundCost), "overhead": number(overhead), "gap": number(gap),
      "kernels": .integer(kernels), "recomputedKernels": .integer(recomputedKernels),
      "kept": .array(kept.map { .string($0) }),
      "recomputed": .array(recomputed.map { .string($0) }),
      "recomputedInRegisters": .array(recomputedInRegisters.map { .string($0) }),
      "files": .array(files.map { .string($0) }),
      "seconds": .object(seconds.map { JSONMember($0.stage, .number($0.seconds)) }),
    ]
  }

  /// The report as one line of JSON.
  public func json() -> String { jsonValue.compactText + "\n" }
}

// MARK: Text

extension PlanReport {
  /// The figures: what each is, its value, and what it means.
  var figures: [[String]] {
    var rows: [[String]] = []
    func add(_ label: String, _ value: String, _ remark: String = "") {
      rows.append([label, value, remark])
    }
    if let budgetBytes { add("budget", describeBytes(budgetBytes)) }
    let share = keepAllArenaBytes.map { all in
      all == arenaBytes
        ? "as when everything is kept"
        : (all == 0 ? "" : "\(describePercent(Double(arenaBytes) / Double(all))) of ")
          + "\(describeBytes(all)), when everything is kept"
    }
    add("arena", describeBytes(arenaBytes), share ?? "")
    let loss = arenaBytes - peakLiveBytes
    add(
      "alive at the peak", describeBytes(peakLiveBytes),
      loss == 0 ? "nothing is lost to packing" : "\(describeBytes(loss)) are lost to packing")
    if let minimumBudgetBytes { add("smallest arena", describeBytes(minimumBudgetBytes)) }
    let outside = inputBytes + parameterBytes + stateBytes + resultBytes
    add(
      "outside the arena", describeBytes(outside),
      "inputs \(describeBytes(inputBytes)), parameters \(describeBytes(parameterBytes)), "
        + "state \(describeBytes(stateBytes)), results \(describeBytes(resultBytes))")
    let overheadText = overhead.flatMap { overhead in
      keepAllCost.map { keepAllCost in
        overhead == 0
          ? "as when everything is kept"
          : "\(describePercent(abs(overhead))) \(overhead > 0 ? "more" : "less") than "
            + "\(describeNs(keepAllCost)), when everything is kept"
      }
    }
    add("predicted time", describeNs(cost), overheadText ?? "")
    if let lowerBoundCost, let gap {
      add(
        "lower bound", describeNs(lowerBoundCost),
        gap == 0 ? "reached: no plan is faster" : "at most \(describePercent(gap)) to gain")
    }
    add(
      "kernels", "\(kernels)",
      recomputedKernels == 0 ? "" : "\(recomputedKernels) of them run again")
    for isRecomputed in [false, true] {
      let values = crossing.filter { $0.isRecomputed == isRecomputed }
      let bytes = values.reduce(0) { $0 + $1.sizeBytes }
      add(
        isRecomputed ? "recomputed values" : "kept values", "\(values.count)",
        values.isEmpty ? "" : "\(describeBytes(bytes)) from forward to backward")
    }
    if !recomputedInRegisters.isEmpty {
      add(
        "values in registers", "\(recomputedInRegisters.count)",
        "\(describeBytes(registerBytes)) that backward computes anew as it reads")
    }
    return rows
  }

  /// The report as lines of text.
  public func text() -> String {
    var out = "\(name): target \(target), strategy \(strategy)\n\n"
    for line in alignedColumns(figures, rightAligned: [false, true, false]) { out += "  \(line)\n" }
    out += list("kept", of: crossing.filter { !$0.isRecomputed })
    out += list("recomputed", of: crossing.filter(\.isRecomputed))
    if !files.isEmpty { out += "\nwritten\n" + files.map { "  \($0)\n" }.joined() }
    return out
  }

  /// The values of one kind with their sizes, several a line, the first of very many.
  private func list(_ title: String, of values: [CrossingValue]) -> String {
    guard !values.isEmpty else { return "" }
    let shownMax = 150
    var cells = values.prefix(shownMax).map { "%\($0.name) \(describeBytes($0.sizeBytes))" }
    if values.count > shownMax { cells.append("and \(values.count - shownMax) more") }
    let width = cells.map(\.count).max()! + 3
    let perLine = max(1, 96 / width)
    var out = "\n\(title)\n"
    for start in stride(from: 0, to: cells.count, by: perLine) {
      var line = "  "
      for cell in cells[start..<min(cells.count, start + perLine)] {
        line += cell + String(repeating: " ", count: width - cell.count)
      }
      while line.last == " " { line.removeLast() }
      out += line + "\n"
    }
    return out
  }
}
