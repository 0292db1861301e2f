// Large planning problems made from a name such as `chain:100000`.
//
// Method      A forward graph, then its backward: the gradient of a node reads what the node reads and
//             the gradients of the nodes that read it. `chain` is one path. `branching` is the layered
//             random graph of Gagrani et al.: layers of widths around a mean, consecutive ones joined
//             by contiguous blocks, and skips ahead. Costs and sizes vary by a factor of four.
// Invariants  The same name gives the same problem on every machine.
// Source      Gagrani et al., "Neural Topological Ordering for Computation Graphs", NeurIPS 2022,
//             appendix A, with its edge density 0.2, width spread 0.75 and share of skips 0.14.

import CheckpointCompiler

/// A deterministic generator of problems.
struct GeneratedProblem {
  private var generator = SeededGenerator(seed: 1)

  /// The problem of a name; nil if it is not `chain:N` or `branching:N` with N from 4 to 1,000,000.
  static func problem(named name: String) throws(BenchError) -> RematProblem? {
    let parts = name.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, let count = Int(parts[1]), (4...1_000_000).contains(count) else {
      return nil
    }
    var made = GeneratedProblem()
    let inputs: [[Int]]
    switch parts[0] {
    case "chain": inputs = (0..<count / 2).map { $0 > 0 ? [$0 - 1] : [] }
    case "branching": inputs = made.layered(count / 2)
    default: return nil
    }
    do {
      return try RematProblem(nodes: made.training(inputs))
    } catch {
      throw BenchError(message: "\(name): \(error.message)")
    }
  }

  /// The inputs of each node of a layered random graph, all of lower index.
  private mutating func layered(_ count: Int) -> [[Int]] {
    let width = 0.25 + 0.25 * generator.unit()
    let depth = max(2, Int((Double(count) * (1 / width - 1)).squareRoot().rounded(.up)))
    let mean = Double(count) / Double(depth)
    var layers: [Range<Int>] = [0..<1]
    while let last = layers.last, last.upperBound < count {
      let low = max(1, Int(mean * 0.25))
      let size = low + generator.index(below: max(1, Int(mean * 1.75) - low + 1))
      layers.append(last.upperBound..<min(count, last.upperBound + size))
    }
    var inputs = [[Int]](repeating: [], count: count)
    var edgeCount = 0
    for (above, below) in zip(layers, layers.dropFirst()) {
      let wide = max(above.count, below.count)
      let edges = Int(Double(above.count * below.count) * 0.2 + 0.8 * Double(wide))
      // Each node below reads a block of those above, centred at its place.
      let block = min(above.count, max(1, edges / below.count))
      for (place, node) in below.enumerated() {
        let centre = (2 * place + 1) * above.count / (2 * below.count)
        let first = min(max(0, centre - block / 2), above.count - block)
        // Large layers would be joined by most pairs of their nodes: reads stay as few as real ones.
        for offset in 0..<min(block, 6) { inputs[node].append(above.lowerBound + first + offset) }
        edgeCount += min(block, 6)
      }
    }
    for _ in 0..<Int(Double(edgeCount) * 0.14 / 0.86) where layers.count > 3 {
      let source = generator.index(below: layers.count - 2)
      let target = source + 2 + generator.index(below: layers.count - source - 2)
      let node = layers[target].lowerBound + generator.index(below: layers[target].count)
      let input = layers[source].lowerBound + generator.index(below: layers[source].count)
      if !inputs[node].contains(input) { inputs[node].append(input) }
    }
    return inputs
  }

  /// A forward graph with these inputs, and its backward.
  private mutating func training(_ inputs: [[Int]]) -> [RematProblem.Node] {
    let count = inputs.count
    var nodes: [RematProblem.Node] = []
    nodes.reserveCapacity(2 * count)
    for node in 0..<count {
      nodes.append(
        RematProblem.Node(
          cost: Double(10 + generator.index(below: 31)),
          outputBytes: [1024 * (16 + generator.index(below: 49))],
          inputs: inputs[node].map { RematProblem.Input(node: $0) }))
    }
    var readers = [[Int]](repeating: [], count: count)
    for node in 0..<count {
      for input in inputs[node] { readers[input].append(node) }
    }
    for node in (0..<count).reversed() {
      var reads = inputs[node].map { RematProblem.Input(node: $0) }
      reads += readers[node].map { RematProblem.Input(node: 2 * count - 1 - $0) }
      if readers[node].isEmpty { reads.append(RematProblem.Input(node: node)) }
      nodes.append(
        RematProblem.Node(
          cost: 2 * nodes[node].cost, outputBytes: nodes[node].outputBytes, inputs: reads))
    }
    return nodes
  }
}
