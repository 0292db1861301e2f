// Re-checks a schedule from the problem alone, step by step, sharing no code with the planner.
//
// Rules       Every node runs at least once, a `once` node exactly once; inputs are resident when a
//             node runs and its outputs are not; no node runs after one that invalidates it; memory
//             in use, inputs, all outputs and scratch included, stays within the budget; every kept
//             output is resident at the end; what is freed was resident. An output that may overwrite
//             an input freed right after the run is not counted beside it, one output per input.
// Cost        O(steps + values + inputs read).

/// Checks schedules against their problem.
public struct RematChecker: Sendable {
  /// What a valid schedule takes.
  public struct Figures: Sendable, Equatable {
    /// Largest memory in use at any run.
    public var peakBytes: Int
    /// Sum of the costs of all runs.
    public var cost: Double
  }

  /// The problem that schedules are checked against.
  public var problem: RematProblem

  /// A checker of schedules of `problem`.
  public init(_ problem: RematProblem) { self.problem = problem }

  /// Walks `schedule` and returns its figures.
  ///
  /// - Throws: The first rule that a step breaks.
  public func check(
    _ schedule: Schedule, budgetBytes: Int? = nil
  ) throws(Diagnostic) -> Figures {
    var isResident = problem.nodes.map { [Bool](repeating: false, count: $0.outputBytes.count) }
    var runCount = [Int](repeating: 0, count: problem.nodes.count)
    var isInvalid = [Bool](repeating: false, count: problem.nodes.count)
    var residentBytes = 0
    var figures = Figures(peakBytes: 0, cost: 0)
    for (position, step) in schedule.steps.enumerated() {
      switch step {
      case .compute(let index):
        guard problem.nodes.indices.contains(index) else {
          throw Diagnostic("step \(position): node \(index) does not exist")
        }
        let node = problem.nodes[index]
        let place = "step \(position): node \(index)\(RematProblem.quoted(node.name))"
        if isInvalid[index] { throw Diagnostic("\(place) runs after it was invalidated") }
        if node.isOnce && runCount[index] > 0 { throw Diagnostic("\(place) runs twice") }
        for input in node.inputs where !isResident[input.node][input.output] {
          throw Diagnostic("\(place): output \(input.output) of node \(input.node) is not resident")
        }
        for output in node.outputBytes.indices where isResident[index][output] {
          throw Diagnostic("\(place): its output \(output) is already resident")
        }
        for output in node.outputBytes.indices {
          isResident[index][output] = true
          residentBytes += node.outputBytes[output]
        }
        let inUse =
          residentBytes + node.scratchBytes - overwrittenBytes(of: node, at: position, in: schedule)
        if let budgetBytes, inUse > budgetBytes {
          throw Diagnostic("\(place) needs \(inUse) bytes of a budget of \(budgetBytes)")
        }
        figures.peakBytes = max(figures.peakBytes, inUse)
        figures.cost += node.cost
        runCount[index] += 1
        for other in node.invalidates { isInvalid[other] = true }
      case .free(let index, let output):
        guard problem.nodes.indices.contains(index),
          isResident[index].indices.contains(output), isResident[index][output]
        else {
          throw Diagnostic(
            "step \(position): output \(output) of node \(index) is freed but not resident")
        }
        isResident[index][output] = false
        residentBytes -= problem.nodes[index].outputBytes[output]
      }
    }
    for (index, node) in problem.nodes.enumerated() {
      if runCount[index] == 0 {
        throw Diagnostic("node \(index)\(RematProblem.quoted(node.name)) never runs")
      }
      for output in node.outputBytes.indices {
        let place = "output \(output) of node \(index)\(RematProblem.quoted(node.name))"
        if node.keeps(output) && !isResident[index][output] {
          throw Diagnostic("\(place) is not resident at the end")
        }
        if !node.keeps(output) && isResident[index][output] {
          throw Diagnostic("\(place) is never freed")
        }
      }
    }
    return figures
  }

  /// Walks the schedule of a result and compares the figures that it claims.
  ///
  /// - Throws: The first rule that a step breaks, or the figures that differ.
  public func check(_ result: SolveResult) throws(Diagnostic) {
    let figures = try check(
      result.schedule, budgetBytes: result.status == .infeasible ? nil : result.budgetBytes)
    guard figures.peakBytes == result.peakBytes,
      abs(figures.cost - result.cost) <= 1e-9 * max(1, figures.cost)
    else {
      throw Diagnostic(
        "the schedule has peak \(figures.peakBytes) and cost \(figures.cost), not "
          + "\(result.peakBytes) and \(result.cost)")
    }
  }

  /// Bytes of the outputs that the run at `position` writes over inputs freed before the next run.
  private func overwrittenBytes(
    of node: RematProblem.Node, at position: Int, in schedule: Schedule
  ) -> Int {
    if node.overwrites.isEmpty { return 0 }
    var dying: [RematProblem.Input] = []
    for step in schedule.steps[(position + 1)...] {
      guard case .free(let other, let output) = step else { break }
      dying.append(RematProblem.Input(node: other, output: output))
    }
    var written: [Int] = []
    var bytes = 0
    for pair in node.overwrites where !written.contains(pair.output) {
      guard let place = dying.firstIndex(of: node.inputs[pair.input]) else { continue }
      dying.remove(at: place)
      written.append(pair.output)
      bytes += node.outputBytes[pair.output]
    }
    return bytes
  }
}
