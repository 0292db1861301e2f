// A sequence of runs with the memory between any two of them, changed run by run.
//
// Method      A value lives across a gap between two runs if it was made before and the next run that
//             touches it reads it (or none does and it is kept). Taking a run out or putting one in
//             only changes the lives of what it makes and reads, back to where each was touched last:
//             a few ranges of gaps. The figures are one pass over the gaps.
// Invariants  The bytes of a gap are those of all values that live across it. There is a current
//             sequence and a candidate that starts as its copy; only the candidate changes.
//             What a run writes over dying inputs is kept per position, and found anew for the runs
//             next to a life that changes.
// Cost        A change: O(steps) moves of memory and O(steps) steps back and ahead per value touched,
//             with small constants, where a full evaluation reads every input.
// Checked by  Every sequence found is measured again by `RematGraph.figures`.

/// A current sequence of runs, and a candidate that differs from it by a few changes.
struct SequenceProfile: ~Copyable {
  /// What a sequence takes, seen from a budget.
  struct Figures {
    /// Largest memory in use.
    var peakBytes: Int
    /// Position of the first run with that memory in use.
    var peakPosition: Int
    /// Sum over all runs of the bytes above the budget.
    var excessBytes: Int
  }

  /// Runs and the bytes that live from each to the next.
  private struct Runs {
    var nodes: UnsafeMutablePointer<Int32>
    var gapBytes: UnsafeMutablePointer<Int>
    /// Per run, the bytes that it writes over dying inputs; left at 0 where no node can.
    var savedBytes: UnsafeMutablePointer<Int>
    var count: Int

    init(capacity: Int) {
      nodes = .allocate(capacity: capacity)
      gapBytes = .allocate(capacity: capacity)
      nodes.initialize(repeating: 0, count: capacity)
      gapBytes.initialize(repeating: 0, count: capacity)
      savedBytes = .allocate(capacity: capacity)
      savedBytes.initialize(repeating: 0, count: capacity)
      count = 0
    }

    func deallocate() {
      nodes.deallocate()
      gapBytes.deallocate()
      savedBytes.deallocate()
    }
  }

  private let graph: RematGraph
  private let hasInvalidation: Bool
  private let hasOverwrites: Bool
  /// Longest sequence that fits.
  let stepsMax: Int
  /// Outputs and scratch of a node.
  private let ownBytes: UnsafeMutablePointer<Int>
  /// Per node, whether it makes (even) or reads (odd) the value of the latest stamp.
  private let mark: UnsafeMutablePointer<Int>
  private var stamp = 0
  private var affected: [Int] = []
  private var current: Runs
  private var candidate: Runs

  /// The profile of `sequence`; nil if a node runs before its inputs or is missing.
  init?(_ graph: RematGraph, sequence: [Int32], stepsMax: Int) {
    self.graph = graph
    self.stepsMax = stepsMax
    hasInvalidation = !graph.invalidated.isEmpty
    hasOverwrites = graph.hasOverwrites
    ownBytes = .allocate(capacity: graph.nodeCount + 1)
    mark = .allocate(capacity: graph.nodeCount + 1)
    mark.initialize(repeating: 0, count: graph.nodeCount + 1)
    for node in 0..<graph.nodeCount {
      (ownBytes + node).initialize(to: graph.outputBytes[node] + graph.scratchBytes[node])
    }
    current = Runs(capacity: stepsMax + 1)
    candidate = Runs(capacity: stepsMax + 1)
    guard sequence.count <= stepsMax, graph.figures(of: sequence) != nil else { return nil }
    // One pass from the end: a value lives before a run that reads it, and not before one that
    // makes it.
    var isLive = graph.isKept
    var bytes = 0
    for value in 0..<graph.valueCount where isLive[value] { bytes += graph.valueBytes[value] }
    for position in sequence.indices.reversed() {
      current.gapBytes[position] = bytes
      current.nodes[position] = sequence[position]
      let node = Int(sequence[position])
      for value in graph.outputs(of: node) where isLive[value] {
        isLive[value] = false
        bytes -= graph.valueBytes[value]
      }
      for slot in graph.inputRange(of: node) {
        let value = Int(graph.inputValues[slot])
        if isLive[value] { continue }
        isLive[value] = true
        bytes += graph.valueBytes[value]
      }
    }
    current.count = sequence.count
    resetCandidate()
    if hasOverwrites {
      for position in sequence.indices { noteSaved(at: position) }
      acceptCandidate()
      resetCandidate()
    }
    if !candidateKeepsInvalidations() { return nil }
  }

  deinit {
    ownBytes.deallocate()
    mark.deallocate()
    current.deallocate()
    candidate.deallocate()
  }

  /// Number of runs of the current sequence.
  var count: Int { current.count }
  /// Number of runs of the candidate.
  var candidateCount: Int { candidate.count }
  /// The current sequence.
  var sequence: [Int32] { Array(UnsafeBufferPointer(start: current.nodes, count: current.count)) }
  /// The run of the current sequence at a position.
  func node(at position: Int) -> Int { Int(current.nodes[position]) }
  /// The run of the candidate at a position.
  func candidateNode(at position: Int) -> Int { Int(candidate.nodes[position]) }

  /// Makes the candidate a copy of the current sequence.
  mutating func resetCandidate() {
    candidate.nodes.update(from: current.nodes, count: current.count)
    candidate.gapBytes.update(from: current.gapBytes, count: current.count)
    if hasOverwrites {
      affected.removeAll(keepingCapacity: true)
      candidate.savedBytes.update(from: current.savedBytes, count: current.count)
    }
    candidate.count = current.count
  }

  /// Makes the candidate the current sequence.
  mutating func acceptCandidate() { swap(&current, &candidate) }

  // MARK: Changes

  /// Puts a run of `node` before position `place` of the candidate; false if an input was not made
  /// before it: the candidate is then of no use.
  mutating func insert(_ node: Int, at place: Int) -> Bool {
    var bytes = place > 0 ? candidate.gapBytes[place - 1] : 0
    for value in graph.outputs(of: node) {
      let touch = touches(value, before: place, after: place)
      guard touch.isLive else { continue }
      let size = graph.valueBytes[value]
      if place == 0 { bytes += size }
      add(-size, from: max(0, touch.last), to: place)
      affected.append(touch.last)
    }
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
      let touch = touches(value, before: place, after: place)
      if touch.isLive { continue }
      if touch.last < 0 { return false }
      add(graph.valueBytes[value], from: touch.last, to: place)
      affected.append(touch.last)
    }
    let tail = candidate.count - place
    (candidate.nodes + place + 1).update(from: candidate.nodes + place, count: tail)
    (candidate.gapBytes + place + 1).update(from: candidate.gapBytes + place, count: tail)
    candidate.nodes[place] = Int32(node)
    candidate.gapBytes[place] = bytes
    candidate.count += 1
    if hasOverwrites {
      (candidate.savedBytes + place + 1).update(from: candidate.savedBytes + place, count: tail)
      affected.append(place)
    }
    noteAffected()
    return true
  }

  /// Takes the run at `place` out of the candidate; false if what it makes is then missing: the
  /// candidate is of no use, unless `isMoved` says that the run is put back in before its readers.
  mutating func remove(at place: Int, isMoved: Bool = false) -> Bool {
    let node = Int(candidate.nodes[place])
    for value in graph.outputs(of: node) {
      let touch = touches(value, before: place, after: place + 1)
      guard touch.isLive else { continue }
      if touch.last < 0, !isMoved { return false }
      add(graph.valueBytes[value], from: max(0, touch.last), to: place)
      affected.append(touch.last)
    }
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
      let touch = touches(value, before: place, after: place + 1)
      if touch.isLive { continue }
      add(-graph.valueBytes[value], from: max(0, touch.last), to: place)
      affected.append(touch.last)
    }
    let tail = candidate.count - place - 1
    (candidate.nodes + place).update(from: candidate.nodes + place + 1, count: tail)
    (candidate.gapBytes + place).update(from: candidate.gapBytes + place + 1, count: tail)
    candidate.count -= 1
    if hasOverwrites {
      (candidate.savedBytes + place).update(from: candidate.savedBytes + place + 1, count: tail)
    }
    noteAffected()
    return true
  }

  /// Renews what the runs do whose inputs may have begun or ceased to die there.
  private mutating func noteAffected() {
    if hasOverwrites {
      for position in affected where position >= 0 { noteSaved(at: position) }
    }
    affected.removeAll(keepingCapacity: true)
  }

  private mutating func noteSaved(at position: Int) {
    let node = Int(candidate.nodes[position])
    candidate.savedBytes[position] = graph.overwrittenBytes(of: node) {
      !touches($0, before: 0, after: position + 1).isLive
    }
  }

  private func add(_ bytes: Int, from start: Int, to end: Int) {
    var position = start
    while position < end {
      candidate.gapBytes[position] &+= bytes
      position += 1
    }
  }

  /// The last run before `before` that makes or reads a value, or -1; and whether the value is read,
  /// or kept to the end, from `after` on before it is made again.
  private mutating func touches(
    _ value: Int, before: Int, after: Int
  ) -> (last: Int, isLive: Bool) {
    markTouches(of: value)
    let nodes = candidate.nodes
    var last = before - 1
    while last >= 0, mark[Int(nodes[last])] < stamp { last -= 1 }
    var next = after
    while next < candidate.count, mark[Int(nodes[next])] < stamp { next += 1 }
    let isLive = next < candidate.count ? mark[Int(nodes[next])] > stamp : graph.isKept[value]
    return (last, isLive)
  }

  private mutating func markTouches(of value: Int) {
    stamp += 2
    mark[Int(graph.valueNode[value])] = stamp
    for slot in graph.userRange(of: value) { mark[Int(graph.users[slot])] = stamp + 1 }
  }

  // MARK: Questions

  /// The last run of the candidate before `place` that makes or reads `value`, or -1.
  mutating func lastTouch(of value: Int, before place: Int) -> Int {
    markTouches(of: value)
    var last = place - 1
    while last >= 0, mark[Int(candidate.nodes[last])] < stamp { last -= 1 }
    return last
  }

  /// Where the run at `position` of the candidate can stand without a change of what reads what.
  mutating func window(of position: Int) -> ClosedRange<Int> {
    let node = Int(candidate.nodes[position])
    stamp += 2
    mark[node] = stamp
    for slot in graph.inputRange(of: node) {
      mark[Int(graph.valueNode[Int(graph.inputValues[slot])])] = stamp
    }
    for value in graph.outputs(of: node) {
      for slot in graph.userRange(of: value) { mark[Int(graph.users[slot])] = stamp }
    }
    var low = position
    while low > 0, mark[Int(candidate.nodes[low - 1])] < stamp { low -= 1 }
    for slot in graph.inputRange(of: node) {
      mark[Int(graph.valueNode[Int(graph.inputValues[slot])])] = 0
    }
    var high = position
    while high + 1 < candidate.count, mark[Int(candidate.nodes[high + 1])] < stamp { high += 1 }
    return low...high
  }

  /// Whether no run of the candidate follows one that overwrites what it reads.
  mutating func candidateKeepsInvalidations() -> Bool {
    if !hasInvalidation { return true }
    stamp += 2
    for position in 0..<candidate.count {
      let node = Int(candidate.nodes[position])
      if mark[node] == stamp { return false }
      for slot in Int(graph.invalidatedStart[node])..<Int(graph.invalidatedStart[node + 1]) {
        mark[Int(graph.invalidated[slot])] = stamp
      }
    }
    return true
  }

  /// What the candidate takes.
  func candidateFigures(budgetBytes: Int) -> Figures { figures(of: candidate, budgetBytes) }
  /// What the current sequence takes.
  func currentFigures(budgetBytes: Int) -> Figures { figures(of: current, budgetBytes) }

  private func figures(of runs: Runs, _ budgetBytes: Int) -> Figures {
    var figures = Figures(peakBytes: 0, peakPosition: 0, excessBytes: 0)
    var residentBytes = 0
    for position in 0..<runs.count {
      let inUse =
        residentBytes &+ ownBytes[Int(runs.nodes[position])] &- runs.savedBytes[position]
      if inUse > figures.peakBytes {
        figures.peakBytes = inUse
        figures.peakPosition = position
      }
      // Sums over many runs may exceed a word for the largest problems: they are cut off.
      if inUse > budgetBytes {
        figures.excessBytes = min(.max / 4, figures.excessBytes &+ (inUse &- budgetBytes))
      }
      residentBytes = runs.gapBytes[position]
    }
    return figures
  }
}
