// The optimum of tiny planning problems, by looking at all states: what the bounds are tested against.

@testable import CheckpointCompiler

/// All states of a tiny problem, as sets of nodes that have run and values that are resident.
struct ExhaustiveOptimum {
  private struct State: Hashable {
    var done: UInt32
    var resident: UInt32
  }

  private let problem: RematProblem
  private let keepsOrder: Bool
  private var firstValue: [Int] = []
  private var bytes: [Int] = []
  private var kept: UInt32 = 0

  init(_ problem: RematProblem, keepsOrder: Bool) {
    self.problem = problem
    self.keepsOrder = keepsOrder
    for node in problem.nodes {
      firstValue.append(bytes.count)
      for output in node.outputBytes.indices where node.keeps(output) {
        kept |= 1 << UInt32(bytes.count + output)
      }
      bytes += node.outputBytes
    }
  }

  private func residentBytes(_ set: UInt32) -> Int {
    bytes.indices.reduce(0) { $0 + (set >> UInt32($1) & 1 == 1 ? bytes[$1] : 0) }
  }

  /// The states that a run or a release leads to, with what it costs and the memory it needs.
  private func successors(_ state: State) -> [(state: State, cost: Double, bytes: Int)] {
    var result: [(State, Double, Int)] = []
    for value in bytes.indices where state.resident >> UInt32(value) & 1 == 1 {
      result.append(
        (State(done: state.done, resident: state.resident & ~(1 << UInt32(value))), 0, 0))
    }
    for (index, node) in problem.nodes.enumerated() {
      let isFirst = state.done >> UInt32(index) & 1 == 0
      if !isFirst && node.isOnce { continue }
      if keepsOrder, isFirst, state.done != (1 << UInt32(index)) - 1 { continue }
      let isReady = node.inputs.allSatisfy {
        state.resident >> UInt32(firstValue[$0.node] + $0.output) & 1 == 1
      }
      let isInvalid = problem.nodes.indices.contains {
        state.done >> UInt32($0) & 1 == 1 && problem.nodes[$0].invalidates.contains(index)
      }
      guard isReady, !isInvalid else { continue }
      var resident = state.resident
      for output in node.outputBytes.indices {
        resident |= 1 << UInt32(firstValue[index] + output)
      }
      result.append(
        (
          State(done: state.done | 1 << UInt32(index), resident: resident), node.cost,
          residentBytes(resident) + node.scratchBytes
        ))
    }
    return result
  }

  /// The least cost within a budget; nil if nothing fits.
  func leastCost(budgetBytes: Int) -> Double? {
    search(reached: { before, cost, _ in before + cost }, fits: { $0 <= budgetBytes })
  }

  /// The least peak of all schedules.
  func leastPeak() -> Int {
    Int(search(reached: { before, _, bytes in max(before, Double(bytes)) }) { _ in true } ?? 0)
  }

  /// Dijkstra's algorithm; `reached` says what a step of some cost and bytes makes of the figure of
  /// the state before.
  private func search(
    reached: (Double, Double, Int) -> Double, fits: (Int) -> Bool
  ) -> Double? {
    var best: [State: Double] = [State(done: 0, resident: 0): 0]
    var open: [Double: [State]] = [0: [State(done: 0, resident: 0)]]
    let all: UInt32 = (1 << UInt32(problem.nodes.count)) - 1
    while let cost = open.keys.min() {
      guard let state = open[cost]?.popLast() else {
        open[cost] = nil
        continue
      }
      if best[state] != cost { continue }
      if state.done == all && state.resident & kept == kept { return cost }
      for (next, stepCost, stepBytes) in successors(state) where fits(stepBytes) {
        let figure = reached(cost, stepCost, stepBytes)
        if figure < best[next] ?? .infinity {
          best[next] = figure
          open[figure, default: []].append(next)
        }
      }
    }
    return nil
  }
}
