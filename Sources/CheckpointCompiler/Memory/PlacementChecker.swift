// Re-checks a placement from the problem alone, sharing no code with the packers.
//
// Rules       Offsets are aligned and not negative; no end exceeds the arena; no two buffers alive
//             at one time overlap.
// Method      Sweep over time with the live buffers in order of offset: an insertion compares with
//             its two neighbours only, which suffices while the live buffers are disjoint.
// Cost        O(n · live) for the insertions into a sorted array.

/// Checks placements against their problem.
public struct PlacementChecker: Sendable {
  /// The problem that plans are checked against.
  public var problem: PlacementProblem

  /// A checker of plans for `problem`.
  public init(_ problem: PlacementProblem) { self.problem = problem }

  /// Checks a plan.
  ///
  /// - Throws: The first rule that the plan breaks.
  /// - Complexity: O(*n* log *n* + *n*·*k*) for *n* buffers, *k* of them alive at once.
  public func check(_ plan: MemoryPlan) throws(Diagnostic) {
    let buffers = problem.buffers
    guard plan.offsets.count == buffers.count else {
      throw Diagnostic("\(plan.offsets.count) offsets for \(buffers.count) buffers")
    }
    for index in buffers.indices {
      let offset = plan.offsets[index]
      if offset < 0 || offset % problem.alignmentBytes != 0 {
        throw Diagnostic(
          "\(name(index)) starts at \(offset), not at a multiple of \(problem.alignmentBytes)")
      }
      let (end, overflow) = offset.addingReportingOverflow(buffers[index].sizeBytes)
      if overflow || end > plan.arenaBytes {
        throw Diagnostic("\(name(index)) ends at \(end), beyond the arena of \(plan.arenaBytes)")
      }
    }
    // Ends before starts at the same time: lives are half open. Empty buffers overlap nothing.
    let solid = buffers.indices.filter { buffers[$0].sizeBytes > 0 }
    let starts = solid.sorted { (buffers[$0].lower, $0) < (buffers[$1].lower, $1) }
    let ends = solid.sorted { (buffers[$0].upper, $0) < (buffers[$1].upper, $1) }
    var live: [(offset: Int, buffer: Int)] = []
    func place(of offset: Int) -> Int {
      var low = 0
      var high = live.count
      while low < high {
        let middle = (low + high) / 2
        if live[middle].offset < offset { low = middle + 1 } else { high = middle }
      }
      return low
    }
    var nextEnd = 0
    for buffer in starts {
      while nextEnd < ends.count, buffers[ends[nextEnd]].upper <= buffers[buffer].lower {
        live.remove(at: place(of: plan.offsets[ends[nextEnd]]))
        nextEnd += 1
      }
      let offset = plan.offsets[buffer]
      let index = place(of: offset)
      if index < live.count, live[index].offset < offset + buffers[buffer].sizeBytes {
        throw overlap(buffer, live[index].buffer)
      }
      if index > 0 {
        let below = live[index - 1]
        if below.offset + buffers[below.buffer].sizeBytes > offset {
          throw overlap(buffer, below.buffer)
        }
      }
      live.insert((offset, buffer), at: index)
    }
  }

  private func name(_ index: Int) -> String {
    "buffer \(index)\(RematProblem.quoted(problem.buffers[index].name))"
  }

  private func overlap(_ a: Int, _ b: Int) -> Diagnostic {
    Diagnostic("\(name(min(a, b))) and \(name(max(a, b))) overlap")
  }
}
