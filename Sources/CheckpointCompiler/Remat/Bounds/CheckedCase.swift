// What one case of a certificate proves: see `BoundChecker`.

/// A case, and what it says about the runs of all nodes.
struct CheckedCase {
  private let stages: CheckedStages
  private let item: BoundCertificate.Case
  private var isNever: [Bool]
  private var isPaid: [Bool]
  /// Per stage, the bytes of values that stay resident all through it.
  private var fixedBytes: [Int] = []
  /// What runs pay for inputs, per node and stage, and what values are credited with, per node, output
  /// and stage.
  private var paid: [[Double]]
  private var credit: [[[Double]]]
  private var weights: [Int: Double] = [:]

  private var problem: RematProblem { stages.problem }
  private var moments: [Int] { stages.certificate.moments }

  /// The case `item` of the certificate that the stages are of.
  ///
  /// - Throws: What makes it no case of a certificate.
  init(_ item: BoundCertificate.Case, _ stages: CheckedStages) throws(Diagnostic) {
    self.item = item
    self.stages = stages
    let nodes = stages.problem.nodes
    let count = stages.certificate.moments.count
    guard item.bytePrices.count == count, item.bytePrices.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { throw Diagnostic("a case of the bound has no price for every moment") }
    isNever = nodes.map(\.isOnce)
    isPaid = nodes.map { _ in false }
    for decision in item.decisions {
      if decision.runsAgain {
        isPaid[decision.node] = true
      } else {
        isNever[decision.node] = true
      }
    }
    paid = nodes.map { _ in [Double](repeating: 0, count: count + 1) }
    credit = nodes.map { node in
      node.outputBytes.map { _ in [Double](repeating: 0, count: count + 1) }
    }
    findFixedBytes()
    try addInputPrices()
    try addOutputWeights()
  }

  private mutating func findFixedBytes() {
    fixedBytes = [Int](repeating: 0, count: moments.count + 1)
    for node in problem.nodes.indices where isNever[node] {
      for (output, bytes) in problem.nodes[node].outputBytes.enumerated() {
        let last = stages.lastNeed(node, output)
        if last > stages.latest[node] {
          for stage in stages.latest[node] + 1...last { fixedBytes[stage] += bytes }
        }
      }
    }
  }

  private mutating func addInputPrices() throws(Diagnostic) {
    for entry in item.inputPrices {
      guard problem.nodes.indices.contains(entry.node), (0...moments.count).contains(entry.stage),
        entry.price >= 0, entry.price.isFinite, stages.inputs[entry.node].contains(entry.input)
      else { throw Diagnostic("a case of the bound prices what is no input") }
      if isForced(entry.node, entry.stage) || runCost(entry.node, entry.stage) == nil { continue }
      paid[entry.node][entry.stage] += entry.price
      credit[entry.input.node][entry.input.output][entry.stage] += entry.price
    }
  }

  private mutating func addOutputWeights() throws(Diagnostic) {
    for entry in item.outputWeights {
      guard problem.nodes.indices.contains(entry.node), (0...moments.count).contains(entry.stage),
        problem.nodes[entry.node].outputBytes.indices.contains(entry.output), entry.weight >= 0,
        entry.weight.isFinite
      else { throw Diagnostic("a case of the bound weighs what is no output") }
      weights[key(entry.node, entry.stage, entry.output)] = entry.weight
    }
  }

  private func key(_ node: Int, _ stage: Int, _ output: Int) -> Int {
    (node * (moments.count + 1) + stage) * 1024 + output
  }

  // MARK: Runs

  /// Whether an output stays resident all through a stage since its node never runs again.
  private func isFixed(_ node: Int, _ output: Int, _ stage: Int) -> Bool {
    isNever[node] && stages.latest[node] < stage && stage <= stages.lastNeed(node, output)
  }

  /// Whether a node that is no moment runs in a stage in every schedule.
  private func isForced(_ node: Int, _ stage: Int) -> Bool {
    stages.moment[node] < 0 && stages.earliest[node] == stage && stages.latest[node] == stage
  }

  /// The cost of a run, without prices; nil if there is none.
  private func runCost(_ node: Int, _ stage: Int) -> Double? {
    let first = stages.moment[node] >= 0 ? stages.moment[node] + 1 : stages.earliest[node]
    if stage < first || stage > stages.lastRun[node] { return nil }
    if stage <= stages.latest[node] { return 0 }
    if isNever[node] { return nil }
    var bytes = fixedBytes[stage] + stages.ownBytes(node)
    for input in stages.inputs[node] where !isFixed(input.node, input.output, stage) {
      bytes += problem.nodes[input.node].outputBytes[input.output]
    }
    let fits = bytes <= stages.certificate.budgetBytes
    return fits ? (isPaid[node] ? 0 : problem.nodes[node].cost) : nil
  }

  /// The part of the price of a run that one of the outputs bears.
  private func share(_ node: Int, _ output: Int, _ stage: Int) -> Double {
    let count = problem.nodes[node].outputBytes.count
    let total = (0..<count).reduce(0.0) { $0 + (weights[key(node, stage, $1)] ?? 0) }
    return total > 0 ? (weights[key(node, stage, output)] ?? 0) / total : 1 / Double(count)
  }

  // MARK: Bound

  /// The extra cost that the case proves.
  func bound() -> Double {
    var result = item.decisions.reduce(0.0) {
      $0 + ($1.runsAgain ? problem.nodes[$1.node].cost : 0)
    }
    for (node, spec) in problem.nodes.enumerated() {
      for output in spec.outputBytes.indices { result += leastCost(node, output) }
    }
    for (stage, node) in moments.enumerated() {
      let bytes = stages.certificate.budgetBytes - stages.ownBytes(node)
      result -= item.bytePrices[stage] * Double(bytes)
    }
    return result
  }

  /// What the cheapest way to make, hold and drop an output costs, found from the last stage to the
  /// first.
  private func leastCost(_ node: Int, _ output: Int) -> Double {
    let spec = problem.nodes[node]
    var absent = 0.0
    var resident = 0.0
    for stage in (0...moments.count).reversed() {
      var price = 0.0
      var isNeeded = spec.keeps(output)
      if stage < moments.count {
        price = item.bytePrices[stage] * Double(spec.outputBytes[output])
        isNeeded = stages.inputs[moments[stage]].contains(.init(node: node, output: output))
      }
      // The moment itself is no value at its own stage, nor before.
      if stages.moment[node] >= stage {
        if stages.moment[node] == stage { absent = resident }
        continue
      }
      let isRead = stages.readers[node][output].contains { isForced($0, stage) }
      let available =
        (isNeeded ? resident + price : min(resident + price, absent)) - credit[node][output][stage]
      var made = Double.infinity
      if let cost = runCost(node, stage) {
        made = available
        if !isForced(node, stage) {
          made += (cost + paid[node][stage]) * share(node, output, stage)
        }
      }
      absent = isNeeded || isRead || isForced(node, stage) ? made : min(made, absent)
      resident = available
    }
    return absent
  }
}
