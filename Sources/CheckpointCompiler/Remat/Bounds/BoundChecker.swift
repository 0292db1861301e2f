// Re-checks a lower bound from the problem and its certificate alone, sharing no code with the planner.
//
// Argument    Take any schedule within the budget, and in it the moments' first runs, which end its
//             stages. Let every byte that is resident while a moment runs pay that moment's byte
//             price: all of them pay at most the price of the capacity left beside the moment. Let
//             every run pay for its inputs, and credit a value, in a stage in which it is available,
//             with what all runs of that stage could pay for it. Both change the cost of the schedule by
//             nothing or downwards; and what is left falls apart into the values, each of which is
//             made, held and dropped from stage to stage at a cost that is bounded by the
//             cheapest way, found stage by stage. A run of a node with several outputs is shared out.
// Known runs  First runs are free; a node that a case says runs again is paid for once and then free;
//             a run is impossible if its node may not run again, or if it does not fit in the budget
//             beside values that stay resident all through the stage since their nodes run once.
// Cost        O(cases × stages × (values + reads)).

/// Checks lower bounds against their problem.
public struct BoundChecker: Sendable {
  /// The problem that bounds are checked against.
  public var problem: RematProblem

  /// A checker of bounds of `problem`.
  public init(_ problem: RematProblem) { self.problem = problem }

  /// Returns the cost that `certificate` proves no schedule within its budget to go below.
  ///
  /// - Throws: What makes it no certificate.
  public func check(_ certificate: BoundCertificate) throws(Diagnostic) -> Double {
    let stages = try Stages(problem, certificate)
    try checkCases(certificate.cases)
    let once = problem.nodes.reduce(0.0) { $0 + $1.cost }
    var least = Double.infinity
    for item in certificate.cases { least = min(least, try stages.bound(of: item)) }
    return once + least
  }

  /// Every schedule falls under one of the cases: they are the leaves of a tree of decisions.
  private func checkCases(_ cases: [BoundCertificate.Case]) throws(Diagnostic) {
    var groups: [(members: [Int], depth: Int)] = [(Array(cases.indices), 0)]
    while let (members, depth) = groups.popLast() {
      if members.count == 1, cases[members[0]].decisions.count == depth { continue }
      guard let first = members.first, cases[first].decisions.count > depth else {
        throw Diagnostic("the cases of the bound leave something out")
      }
      let node = cases[first].decisions[depth].node
      guard problem.nodes.indices.contains(node),
        members.allSatisfy({
          cases[$0].decisions.count > depth && cases[$0].decisions[depth].node == node
        })
      else { throw Diagnostic("the cases of the bound are no tree") }
      let again = members.filter { cases[$0].decisions[depth].runsAgain }
      let never = members.filter { !cases[$0].decisions[depth].runsAgain }
      groups.append((again, depth + 1))
      groups.append((never, depth + 1))
    }
  }
}

/// When nodes run first, for the moments of a certificate.
private struct Stages {
  let problem: RematProblem
  let certificate: BoundCertificate
  /// Per node: the moment that it is, or -1, and the stages in which it may run first.
  var moment: [Int]
  var earliest: [Int]
  var latest: [Int]
  /// Per node: the last stage in which it may run.
  var lastRun: [Int]
  /// Per node, distinct inputs; per output, its readers.
  var inputs: [[RematProblem.Input]]
  var readers: [[[Int]]]

  init(_ problem: RematProblem, _ certificate: BoundCertificate) throws(Diagnostic) {
    self.problem = problem
    self.certificate = certificate
    let nodes = problem.nodes
    let count = certificate.moments.count
    moment = nodes.map { _ in -1 }
    for (index, node) in certificate.moments.enumerated() {
      guard nodes.indices.contains(node), moment[node] < 0,
        !certificate.keepsOrder || index == 0 || certificate.moments[index - 1] < node
      else { throw Diagnostic("moment \(index) of the bound is no node, or out of order") }
      moment[node] = index
    }
    inputs = nodes.map { node in
      var distinct: [RematProblem.Input] = []
      var seen: Set<RematProblem.Input> = []
      for input in node.inputs where seen.insert(input).inserted { distinct.append(input) }
      return distinct
    }
    readers = nodes.map { $0.outputBytes.map { _ in [] } }
    for node in nodes.indices {
      for input in inputs[node] { readers[input.node][input.output].append(node) }
    }
    earliest = nodes.map { _ in 0 }
    latest = nodes.map { _ in count }
    if certificate.keepsOrder {
      var stage = 0
      for node in nodes.indices {
        earliest[node] = stage
        latest[node] = stage
        if moment[node] >= 0 { stage += 1 }
      }
    } else {
      for (index, start) in certificate.moments.enumerated() {
        var isAfter = nodes.map { _ in false }
        isAfter[start] = true
        for node in start..<nodes.count where !isAfter[node] {
          isAfter[node] = inputs[node].contains { isAfter[$0.node] }
          if isAfter[node] { earliest[node] = max(earliest[node], index + 1) }
        }
        if index + 1 < count, !isAfter[certificate.moments[index + 1]] {
          throw Diagnostic("moment \(index + 1) of the bound may run before the one before it")
        }
        var isBefore = nodes.map { _ in false }
        isBefore[start] = true
        for node in (0...start).reversed() where isBefore[node] {
          latest[node] = min(latest[node], index)
          for input in inputs[node] { isBefore[input.node] = true }
        }
        earliest[start] = index
      }
    }
    lastRun = nodes.map { _ in count }
    for node in nodes.indices {
      if nodes[node].isOnce { lastRun[node] = latest[node] }
    }
    for node in nodes.indices {
      for other in nodes[node].invalidates { lastRun[other] = min(lastRun[other], latest[node]) }
    }
  }

  /// What a moment, or another run, needs beside its inputs.
  private func ownBytes(_ index: Int) -> Int {
    let node = problem.nodes[index]
    let overwriting = Set(node.overwrites.map(\.output))
    return node.scratchBytes
      + node.outputBytes.indices.reduce(0) {
        $0 + (overwriting.contains($1) ? 0 : node.outputBytes[$1])
      }
  }

  /// The last stage at whose end an output is needed, if its node runs once.
  private func lastNeed(_ node: Int, _ output: Int) -> Int {
    if problem.nodes[node].keeps(output) { return certificate.moments.count }
    return readers[node][output].reduce(-1) { last, reader in
      if moment[reader] >= 0 { return max(last, moment[reader]) }
      return earliest[reader] == latest[reader] ? max(last, latest[reader] - 1) : last
    }
  }

  /// The extra cost that a case proves.
  func bound(of item: BoundCertificate.Case) throws(Diagnostic) -> Double {
    let nodes = problem.nodes
    let count = certificate.moments.count
    guard item.bytePrices.count == count, item.bytePrices.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { throw Diagnostic("a case of the bound has no price for every moment") }
    var isNever = nodes.map(\.isOnce)
    var isPaid = nodes.map { _ in false }
    var result = 0.0
    for decision in item.decisions {
      if decision.runsAgain {
        isPaid[decision.node] = true
        result += nodes[decision.node].cost
      } else {
        isNever[decision.node] = true
      }
    }
    func isFixed(_ node: Int, _ output: Int, _ stage: Int) -> Bool {
      isNever[node] && latest[node] < stage && stage <= lastNeed(node, output)
    }
    var fixedBytes = [Int](repeating: 0, count: count + 1)
    for node in nodes.indices where isNever[node] {
      for (output, bytes) in nodes[node].outputBytes.enumerated() {
        let last = lastNeed(node, output)
        if last > latest[node] {
          for stage in latest[node] + 1...last { fixedBytes[stage] += bytes }
        }
      }
    }
    /// The cost of a run, without prices; nil if there is none.
    func runCost(_ node: Int, _ stage: Int) -> Double? {
      let first = moment[node] >= 0 ? moment[node] + 1 : earliest[node]
      if stage < first || stage > lastRun[node] { return nil }
      if stage <= latest[node] { return 0 }
      if isNever[node] { return nil }
      var bytes = fixedBytes[stage] + ownBytes(node)
      for input in inputs[node] where !isFixed(input.node, input.output, stage) {
        bytes += nodes[input.node].outputBytes[input.output]
      }
      return bytes > certificate.budgetBytes ? nil : isPaid[node] ? 0 : nodes[node].cost
    }
    func isForced(_ node: Int, _ stage: Int) -> Bool {
      moment[node] < 0 && earliest[node] == stage && latest[node] == stage
    }
    // What runs pay, and what values are credited with.
    var paid: [[Double]] = nodes.map { _ in [Double](repeating: 0, count: count + 1) }
    var credit = nodes.map { node in
      node.outputBytes.map { _ in [Double](repeating: 0, count: count + 1) }
    }
    for entry in item.inputPrices {
      guard nodes.indices.contains(entry.node), (0...count).contains(entry.stage),
        entry.price >= 0, entry.price.isFinite, inputs[entry.node].contains(entry.input)
      else { throw Diagnostic("a case of the bound prices what is no input") }
      if isForced(entry.node, entry.stage) || runCost(entry.node, entry.stage) == nil { continue }
      paid[entry.node][entry.stage] += entry.price
      credit[entry.input.node][entry.input.output][entry.stage] += entry.price
    }
    var weights: [Int: Double] = [:]
    func key(_ node: Int, _ stage: Int, _ output: Int) -> Int {
      (node * (count + 1) + stage) * 1024 + output
    }
    for entry in item.outputWeights {
      guard nodes.indices.contains(entry.node), (0...count).contains(entry.stage),
        nodes[entry.node].outputBytes.indices.contains(entry.output), entry.weight >= 0,
        entry.weight.isFinite
      else { throw Diagnostic("a case of the bound weighs what is no output") }
      weights[key(entry.node, entry.stage, entry.output)] = entry.weight
    }
    for (index, node) in nodes.enumerated() {
      for output in node.outputBytes.indices {
        var absent = 0.0
        var resident = 0.0
        for stage in (0...count).reversed() {
          var price = 0.0
          var isNeeded = node.keeps(output)
          if stage < count {
            price = item.bytePrices[stage] * Double(node.outputBytes[output])
            isNeeded = inputs[certificate.moments[stage]].contains(
              .init(node: index, output: output))
          }
          // The moment itself is no value at its own stage, nor before.
          if moment[index] >= stage {
            if moment[index] == stage { absent = resident }
            continue
          }
          let isRead = readers[index][output].contains { isForced($0, stage) }
          let available =
            (isNeeded ? resident + price : min(resident + price, absent))
            - credit[index][output][stage]
          var made = Double.infinity
          if let cost = runCost(index, stage) {
            let total = (0..<node.outputBytes.count).reduce(0.0) {
              $0 + (weights[key(index, stage, $1)] ?? 0)
            }
            let share =
              total > 0
              ? (weights[key(index, stage, output)] ?? 0) / total
              : 1 / Double(node.outputBytes.count)
            made = available
            if !isForced(index, stage) { made += (cost + paid[index][stage]) * share }
          }
          absent = isNeeded || isRead || isForced(index, stage) ? made : min(made, absent)
          resident = available
        }
        result += absent
      }
    }
    for (stage, index) in certificate.moments.enumerated() {
      result -= item.bytePrices[stage] * Double(certificate.budgetBytes - ownBytes(index))
    }
    return result
  }
}
