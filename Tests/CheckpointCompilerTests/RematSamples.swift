// Problems to plan, small ones and random ones, and their optimum by exhaustive search.

import Testing

@testable import CheckpointCompiler

/// Random and hand-made planning problems.
enum RematSamples {
  /// A forward chain of `length` unit nodes and its backward: the gradient of step i reads the
  /// values i - 1 and i and the gradient of step i + 1.
  static func chain(_ length: Int, bytes: Int = 1) throws -> RematProblem {
    var nodes: [RematProblem.Node] = []
    for index in 0..<length {
      nodes.append(
        .init(
          name: "f\(index)", cost: 1, outputBytes: [bytes],
          inputs: index > 0 ? [.init(node: index - 1)] : []))
    }
    for index in (0..<length).reversed() {
      var inputs = [RematProblem.Input(node: index)]
      if index > 0 { inputs.append(.init(node: index - 1)) }
      if index + 1 < length { inputs.append(.init(node: nodes.count - 1)) }
      nodes.append(.init(name: "b\(index)", cost: 1, outputBytes: [bytes], inputs: inputs))
    }
    nodes[nodes.count - 1].keep = [true]
    return try RematProblem(nodes: nodes)
  }

  /// A layered graph with skips, several outputs, scratch, kept outputs, `once` nodes, updates in
  /// place and outputs that may take the place of inputs.
  static func random(_ count: Int, seed: UInt64) throws -> RematProblem {
    var generator = SeededGenerator(seed: seed)
    var nodes: [RematProblem.Node] = []
    for index in 0..<count {
      let outputs = generator.index(below: 5) == 0 ? 2 : 1
      var node = RematProblem.Node(
        name: "n\(index)", cost: Double(1 + generator.index(below: 9)),
        outputBytes: (0..<outputs).map { _ in generator.index(below: 20) })
      if index > 0 {
        for _ in 0..<1 + generator.index(below: 3) {
          let near = generator.index(below: 2) == 0
          let other = near ? max(0, index - 1 - generator.index(below: 3)) : index - 1
          let source = near ? other : generator.index(below: index)
          let output = generator.index(below: nodes[source].outputBytes.count)
          node.inputs.append(.init(node: source, output: output))
        }
      }
      if generator.index(below: 6) == 0 { node.scratchBytes = generator.index(below: 30) }
      if generator.index(below: 12) == 0 { node.keep = [true] }
      if generator.index(below: 15) == 0 { node.isOnce = true }
      if index > 4, generator.index(below: 15) == 0 {
        node.invalidates = [generator.index(below: index)]
        node.isOnce = true
      }
      for (position, input) in node.inputs.enumerated() where generator.index(below: 2) == 0 {
        let output = generator.index(below: outputs)
        let bytes = nodes[input.node].outputBytes[input.output]
        if node.overwrites.allSatisfy({ $0.output != output }) { node.outputBytes[output] = bytes }
        if node.outputBytes[output] == bytes {
          node.overwrites.append(.init(output: output, input: position))
        }
      }
      nodes.append(node)
    }
    return try RematProblem(nodes: nodes)
  }

  /// The lowest cost within each peak over all schedules in any order, by exhaustive search over
  /// sets of resident values; for graphs of single-output nodes without invalidation.
  static func optimum(_ problem: RematProblem, budgetBytes: Int) -> Double? {
    struct State: Hashable {
      var done: UInt64
      var resident: UInt64
    }
    let count = problem.nodes.count
    let all: UInt64 = (1 << UInt64(count)) - 1
    var distance: [State: Double] = [State(done: 0, resident: 0): 0]
    var open: [(cost: Double, state: State)] = [(0, State(done: 0, resident: 0))]
    func bytes(_ set: UInt64) -> Int {
      (0..<count).reduce(0) {
        $0 + (set >> UInt64($1) & 1 == 1 ? problem.nodes[$1].outputBytes[0] : 0)
      }
    }
    while let index = open.indices.min(by: { open[$0].cost < open[$1].cost }) {
      let (cost, state) = open.remove(at: index)
      if distance[state] != cost { continue }
      let isKept = (0..<count).allSatisfy {
        !problem.nodes[$0].keeps(0) || state.resident >> UInt64($0) & 1 == 1
      }
      if state.done == all && isKept { return cost }
      func reach(_ next: State, _ cost: Double) {
        if cost < distance[next] ?? .infinity {
          distance[next] = cost
          open.append((cost, next))
        }
      }
      for node in 0..<count {
        let bit: UInt64 = 1 << UInt64(node)
        if state.resident & bit != 0 {
          reach(State(done: state.done, resident: state.resident & ~bit), cost)
          continue
        }
        let item = problem.nodes[node]
        if item.isOnce && state.done & bit != 0 { continue }
        guard item.inputs.allSatisfy({ state.resident >> UInt64($0.node) & 1 == 1 }) else {
          continue
        }
        let resident = state.resident | bit
        if bytes(resident) + item.scratchBytes > budgetBytes { continue }
        reach(State(done: state.done | bit, resident: resident), cost + item.cost)
      }
    }
    return nil
  }
}
