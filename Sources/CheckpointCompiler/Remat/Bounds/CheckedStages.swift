// When nodes may run, and how long values are needed, for the moments of a certificate: see `BoundChecker`.

/// When nodes run first, for the moments of a certificate.
struct CheckedStages {
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
    lastRun = nodes.map { _ in count }
    if certificate.keepsOrder { findStagesInOrder() } else { try findStages() }
    for node in nodes.indices {
      if nodes[node].isOnce { lastRun[node] = latest[node] }
    }
    for node in nodes.indices {
      for other in nodes[node].invalidates { lastRun[other] = min(lastRun[other], latest[node]) }
    }
  }

  /// Where first runs have the order of the nodes, each has one stage.
  private mutating func findStagesInOrder() {
    var stage = 0
    for node in problem.nodes.indices {
      earliest[node] = stage
      latest[node] = stage
      if moment[node] >= 0 { stage += 1 }
    }
  }

  /// Where it is free, what a moment is made from runs before it, what is made from it after.
  private mutating func findStages() throws(Diagnostic) {
    let nodes = problem.nodes
    for (index, start) in certificate.moments.enumerated() {
      var isAfter = nodes.map { _ in false }
      isAfter[start] = true
      for node in start..<nodes.count where !isAfter[node] {
        isAfter[node] = inputs[node].contains { isAfter[$0.node] }
        if isAfter[node] { earliest[node] = max(earliest[node], index + 1) }
      }
      if index + 1 < certificate.moments.count, !isAfter[certificate.moments[index + 1]] {
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

  /// What a moment, or another run, needs beside its inputs.
  func ownBytes(_ index: Int) -> Int {
    let node = problem.nodes[index]
    let overwriting = Set(node.overwrites.map(\.output))
    return node.scratchBytes
      + node.outputBytes.indices.reduce(0) {
        $0 + (overwriting.contains($1) ? 0 : node.outputBytes[$1])
      }
  }

  /// The last stage at whose end an output is needed, if its node runs once.
  func lastNeed(_ node: Int, _ output: Int) -> Int {
    if problem.nodes[node].keeps(output) { return certificate.moments.count }
    return readers[node][output].reduce(-1) { last, reader in
      if moment[reader] >= 0 { return max(last, moment[reader]) }
      return earliest[reader] == latest[reader] ? max(last, latest[reader] - 1) : last
    }
  }
}
