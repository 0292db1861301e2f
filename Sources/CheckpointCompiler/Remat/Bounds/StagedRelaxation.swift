// What every schedule has to do between the first runs of a few nodes: a relaxation of the problem.
//
// Idea        Some nodes, the moments, run first in an order that is known: any nodes if the order of
//             first runs is given, the nodes of one path if it is free. They cut a schedule into
//             stages: stage t ends with the first run of moment t, and one more stage follows the
//             last. A node runs first in a window of stages, and what it costs to run after its
//             window is extra.
// Variables   R[t,a]: node a runs in stage t, not counting the first run of a moment. H[t,v]: value
//             v is resident while moment t runs. Available in stage t is what runs in it or was
//             resident at the moment before.
// Rules       A run and a residence need the value's own availability or that of the inputs;
//             moments need their inputs resident; what is kept is available after the last moment;
//             the bytes of H[t,·] fit in the budget beside the outputs and scratch of moment t.
// Relaxed     Memory is looked at only while moments run, a node runs at most once in a stage, and runs
//             in the window are free. So the optimum of this is a bound on that of the problem.
// Invariants  Variables of a node or value are a range of stages; nothing else can be of use.

/// What a branch of the proof says about the extra runs of a node.
enum RerunDecision: UInt8, Sendable {
  /// Nothing.
  case open
  /// There are none.
  case never
  /// There is one at least: its cost is counted, and all extra runs are free.
  case paid
}

/// The relaxation for one choice of moments.
struct StagedRelaxation {
  let graph: RematGraph
  /// Nodes that run first in this order.
  let moments: [Int]
  /// The moment that a node is, or -1.
  private(set) var momentOf: [Int32]
  /// The stages in which a node may run first; for a moment, the stage that it ends.
  private(set) var windowStart: [Int32]
  private(set) var windowEnd: [Int32]
  /// The stages in which a node may run, first runs of moments not counted; may be empty.
  private(set) var runStages: [Range<Int32>]
  /// The stages at whose ends a value may be resident; the last stage ends the schedule.
  private(set) var residentStages: [Range<Int32>]

  /// What is decided of every node.
  private(set) var decisions: [RerunDecision]
  /// Bytes of the values that stay resident all through each stage, as their nodes never run again.
  private var fixedBytes: [Int]
  private let budgetBytes: Int

  /// The relaxation of `graph` with `moments`, in the order of their first runs.
  ///
  /// - Precondition: With `keepsOrder`, the moments ascend; else each can be reached from the one
  ///   before.
  init(_ graph: RematGraph, moments: [Int], keepsOrder: Bool, budgetBytes: Int) {
    self.graph = graph
    self.moments = moments
    self.budgetBytes = budgetBytes
    decisions = [RerunDecision](repeating: .open, count: graph.nodeCount)
    fixedBytes = []
    let last = Int32(moments.count)
    momentOf = [Int32](repeating: -1, count: graph.nodeCount)
    for (index, node) in moments.enumerated() { momentOf[node] = Int32(index) }
    windowStart = [Int32](repeating: 0, count: graph.nodeCount)
    windowEnd = [Int32](repeating: last, count: graph.nodeCount)
    var next: Int32 = 0
    for node in 0..<graph.nodeCount {
      if keepsOrder {
        windowStart[node] = next
        windowEnd[node] = next
        if momentOf[node] >= 0 { next += 1 }
      } else if momentOf[node] >= 0 {
        windowStart[node] = momentOf[node]
        windowEnd[node] = momentOf[node]
      } else {
        for slot in graph.inputRange(of: node) {
          let maker = Int(graph.valueNode[Int(graph.inputValues[slot])])
          let start = momentOf[maker] >= 0 ? momentOf[maker] + 1 : windowStart[maker]
          windowStart[node] = max(windowStart[node], start)
        }
      }
    }
    runStages = [Range<Int32>](repeating: 0..<0, count: graph.nodeCount)
    residentStages = [Range<Int32>](repeating: 0..<0, count: graph.valueCount)
    for node in (0..<graph.nodeCount).reversed() {
      var useful: Int32 = -1
      for value in graph.outputs(of: node) {
        var end: Int32 = graph.isKept[value] ? last : -1
        for slot in graph.userRange(of: value) {
          let reader = Int(graph.users[slot])
          if !keepsOrder && momentOf[node] < 0 {
            windowEnd[node] = min(windowEnd[node], windowEnd[reader])
          }
          end = max(end, windowEnd[reader], runStages[reader].upperBound - 1)
        }
        let made = momentOf[node] >= 0 ? windowEnd[node] + 1 : windowStart[node]
        residentStages[value] = made..<max(made, end + 1)
        useful = max(useful, end)
      }
      let isMoment = momentOf[node] >= 0
      let start = isMoment ? windowEnd[node] + 1 : windowStart[node]
      var end = isMoment ? useful : max(useful, windowEnd[node])
      if graph.isOnce[node] { end = min(end, windowEnd[node]) }
      end = min(end, lastPossibleStage(of: node, in: graph))
      runStages[node] = start..<max(start, end + 1)
    }
    decide([])
  }

  /// Makes decisions, beside which all nodes are open.
  mutating func decide(_ decided: [(node: Int, decision: RerunDecision)]) {
    for node in decisions.indices { decisions[node] = .open }
    for (node, decision) in decided { decisions[node] = decision }
    var change = [Int](repeating: 0, count: moments.count + 2)
    for value in 0..<graph.valueCount {
      let node = Int(graph.valueNode[value])
      guard decisions[node] == .never || graph.isOnce[node] else { continue }
      let lastNeed = lastNeed(of: value)
      // Made before the stage, needed at its end or later.
      if lastNeed > windowEnd[node] {
        change[Int(windowEnd[node]) + 1] += graph.valueBytes[value]
        change[Int(lastNeed) + 1] -= graph.valueBytes[value]
      }
    }
    fixedBytes = []
    var bytes = 0
    for stage in 0...moments.count {
      bytes += change[stage]
      fixedBytes.append(bytes)
    }
  }

  /// The last stage at whose end a value is resident if its node never runs again.
  private func lastNeed(of value: Int) -> Int32 {
    if graph.isKept[value] { return Int32(moments.count) }
    var last: Int32 = -1
    for slot in graph.userRange(of: value) {
      let reader = Int(graph.users[slot])
      if momentOf[reader] >= 0 {
        last = max(last, momentOf[reader])
      } else if windowStart[reader] == windowEnd[reader] {
        last = max(last, windowEnd[reader] - 1)
      }
    }
    return last
  }

  /// Whether a value is among those of `fixedBytes`.
  private func isFixed(_ value: Int, in stage: Int) -> Bool {
    let node = Int(graph.valueNode[value])
    return (decisions[node] == .never || graph.isOnce[node]) && windowEnd[node] < stage
      && lastNeed(of: value) >= stage
  }

  /// Whether an extra run fits in the budget beside what is known to be resident.
  private func hasRoom(for node: Int, in stage: Int) -> Bool {
    var bytes = fixedBytes[stage] + graph.ownBytes(of: node)
    for slot in graph.inputRange(of: node) {
      let value = Int(graph.inputValues[slot])
      if !isFixed(value, in: stage) { bytes += graph.valueBytes[value] }
    }
    return bytes <= budgetBytes
  }

  /// The last stage in which a node can run, for all that is known of the node that ends its runs.
  private func lastPossibleStage(of node: Int, in graph: RematGraph) -> Int32 {
    let invalidator = Int(graph.deadline[node])
    return invalidator < graph.nodeCount ? windowEnd[invalidator] : Int32(moments.count)
  }

  /// Extra cost of running `node` in `stage`; infinite if it cannot.
  func cost(of node: Int, in stage: Int) -> Double {
    if stage <= windowEnd[node] { return 0 }
    if decisions[node] == .never || !hasRoom(for: node, in: stage) { return .infinity }
    return decisions[node] == .paid ? 0 : graph.cost[node]
  }

  /// Cost of the runs that are decided.
  var paidCost: Double {
    decisions.indices.reduce(0.0) { $0 + (decisions[$1] == .paid ? graph.cost[$1] : 0) }
  }

  /// Whether a node that is no moment runs in this stage in every schedule.
  func isMandatory(_ node: Int, in stage: Int) -> Bool {
    momentOf[node] < 0 && windowStart[node] == windowEnd[node] && windowEnd[node] == stage
  }

  /// Whether `value` is available in `stage` because the moment that ended the stage before made it.
  func isFresh(_ value: Int, in stage: Int) -> Bool {
    let moment = Int(momentOf[Int(graph.valueNode[value])])
    return moment >= 0 && moment + 1 == stage
  }

  /// Bytes of the budget that are left for values while a moment runs; negative if there are none.
  func capacity(of moment: Int) -> Int {
    budgetBytes - graph.ownBytes(of: moments[moment])
  }
}

extension RematGraph {
  /// What a run needs beside its inputs, at least.
  func ownBytes(of node: Int) -> Int {
    outputBytes[node] + scratchBytes[node] - overwrittenBytesMax(of: node)
  }
}
