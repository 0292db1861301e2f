// An order of runs and releases, derived from the order of runs alone.
//
// Method      A value lives from a run of its node to its last use before the node runs again, or to
//             the end if it is kept; so a sequence of nodes says everything. One backward pass finds
//             last uses, one forward pass the memory in use.
// Invariants  A value is freed right after its last use; an output nobody uses right after its node.
// Cost        O(steps + inputs read).
// Checked by  `RematChecker`, which shares no code with this.

/// A sequence of runs and releases.
public struct Schedule: Sendable, Equatable {
  /// One step.
  public enum Step: Sendable, Hashable {
    /// Run a node.
    case compute(node: Int)
    /// Release the memory of an output.
    case free(node: Int, output: Int)
  }

  /// The steps in order.
  public var steps: [Step]

  /// A schedule of the given steps.
  public init(steps: [Step]) { self.steps = steps }

  /// The nodes in the order in which they run, repetitions included.
  public var computations: [Int] {
    steps.compactMap { step in
      if case .compute(let node) = step { node } else { nil }
    }
  }

  /// The schedule that runs `sequence`, releasing every value right after its last use.
  init(sequence: [Int32], of graph: RematGraph) {
    var isNeeded = graph.isKept
    // Per position: the values whose last use it is, in one flat list, last position first.
    var freed: [Int32] = []
    var freedEnd = [Int](repeating: 0, count: sequence.count)
    for position in sequence.indices.reversed() {
      let node = Int(sequence[position])
      for value in graph.outputs(of: node).reversed() {
        if !isNeeded[value] { freed.append(Int32(value)) }
        isNeeded[value] = false
      }
      for slot in graph.inputRange(of: node).reversed() {
        let value = Int(graph.inputValues[slot])
        if !isNeeded[value] {
          isNeeded[value] = true
          freed.append(Int32(value))
        }
      }
      freedEnd[position] = freed.count
    }
    steps = []
    steps.reserveCapacity(sequence.count + freed.count)
    for position in sequence.indices {
      steps.append(.compute(node: Int(sequence[position])))
      let start = position + 1 < sequence.count ? freedEnd[position + 1] : 0
      for slot in (start..<freedEnd[position]).reversed() {
        let value = Int(freed[slot])
        let node = Int(graph.valueNode[value])
        steps.append(.free(node: node, output: value - Int(graph.outputStart[node])))
      }
    }
  }
}

/// What a sequence of runs takes.
struct SequenceFigures: Equatable {
  /// Largest memory in use.
  var peakBytes: Int
  /// Position of the first run with that memory in use.
  var peakPosition: Int
  /// Sum of the costs of all runs.
  var cost: Double
}

extension RematGraph {
  /// Peak and cost of running `sequence`; nil if a node would run before its inputs.
  func figures(of sequence: [Int32]) -> SequenceFigures? {
    var residentBytes = 0
    var figures = SequenceFigures(peakBytes: 0, peakPosition: 0, cost: 0)
    let deaths = lastUses(in: sequence)
    guard let deaths else { return nil }
    var next = deaths.values.count
    // Per value, the position at which it died last.
    var deathOf = [Int](repeating: -1, count: hasOverwrites ? valueCount : 0)
    for position in sequence.indices {
      let node = Int(sequence[position])
      figures.cost += cost[node]
      residentBytes += outputBytes[node]
      let end = position + 1 < sequence.count ? deaths.starts[position + 1] : 0
      var inUse = residentBytes + scratchBytes[node]
      if hasOverwrites, !overwrites(of: node).isEmpty {
        for slot in end..<next { deathOf[Int(deaths.values[slot])] = position }
        inUse -= overwrittenBytes(of: node) { deathOf[$0] == position }
      }
      if inUse > figures.peakBytes {
        figures.peakBytes = inUse
        figures.peakPosition = position
      }
      while next > end {
        next -= 1
        residentBytes -= valueBytes[Int(deaths.values[next])]
      }
    }
    return figures
  }

  /// The values that die at each position, stacked from the last position to the first; nil if a
  /// value is used before it is made or a node is missing.
  private func lastUses(in sequence: [Int32]) -> (values: [Int32], starts: [Int])? {
    var isNeeded = isKept
    var values: [Int32] = []
    values.reserveCapacity(sequence.count * 2)
    var starts = [Int](repeating: 0, count: sequence.count)
    for position in sequence.indices.reversed() {
      let node = Int(sequence[position])
      for value in outputs(of: node) {
        if !isNeeded[value] { values.append(Int32(value)) }
        isNeeded[value] = false
      }
      for slot in inputRange(of: node) {
        let value = Int(inputValues[slot])
        if !isNeeded[value] {
          isNeeded[value] = true
          values.append(Int32(value))
        }
      }
      starts[position] = values.count
    }
    for value in isNeeded.indices where isNeeded[value] { return nil }
    return (values, starts)
  }
}
