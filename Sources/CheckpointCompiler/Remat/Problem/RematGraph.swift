// A planning problem as flat arrays, in one fixed base order, for the planner's inner loops.
//
// Invariants  Node ids are positions in the base order. Values are numbered node by node, so that
//             the outputs of a node are a range. Inputs of a node are distinct.
//             `deadline[node]` is the first position of the base order after which the node may not
//             run any more, `nodeCount` if there is none.

/// Costs, sizes and adjacency in dense arrays.
struct RematGraph: Sendable {
  var nodeCount: Int
  var cost: [Double]
  var scratchBytes: [Int]
  /// Sum of the outputs of a node.
  var outputBytes: [Int]
  /// The node runs once: because the problem says so, or because a pin keeps its value.
  var isOnce: [Bool]
  var isCheap: [Bool?]
  /// The node that invalidates this one first, as a position; `nodeCount` if none does.
  var deadline: [Int32]

  var invalidatedStart: [Int32]
  /// Per node, the nodes that may not run after it.
  var invalidated: [Int32]

  /// A pair of an output and an input whose place it may take.
  struct Overwrite {
    /// The input.
    var input: Int32
    /// The input among those of the node, and the output among its outputs, as bits.
    var inputBit: UInt64
    var outputBit: UInt64
    /// The size of both.
    var bytes: Int
  }
  private var overwriteStart: [Int32]
  private var overwrites: [Overwrite]

  /// Nodes that a pin makes run at least twice.
  var runsTwice: [Bool]
  /// Per value, the position after which a pin drops it, or -1; empty without such pins.
  var pinnedDropAfter: [Int32] = []

  var outputStart: [Int32]
  var valueBytes: [Int]
  var valueNode: [Int32]
  var isKept: [Bool]

  var inputStart: [Int32]
  var inputValues: [Int32]
  var userStart: [Int32]
  /// The nodes that read a value, in base order.
  var users: [Int32]

  var valueCount: Int { valueNode.count }

  /// The values that a node makes.
  func outputs(of node: Int) -> Range<Int> { Int(outputStart[node])..<Int(outputStart[node + 1]) }
  /// The slots of `inputValues` of a node.
  func inputRange(of node: Int) -> Range<Int> { Int(inputStart[node])..<Int(inputStart[node + 1]) }
  /// The slots of `users` of a value.
  func userRange(of value: Int) -> Range<Int> { Int(userStart[value])..<Int(userStart[value + 1]) }

  /// The pairs of an output of a node and an input whose place it may take.
  func overwrites(of node: Int) -> ArraySlice<Overwrite> {
    overwrites[Int(overwriteStart[node])..<Int(overwriteStart[node + 1])]
  }
  /// Whether any node has such a pair.
  var hasOverwrites: Bool { !overwrites.isEmpty }

  /// Bytes of the outputs of `node` that take the place of inputs, `dies` saying which inputs are not
  /// needed after the run.
  @inline(__always)
  func overwrittenBytes(of node: Int, dies: (Int) -> Bool) -> Int {
    var takenInputs: UInt64 = 0
    var takenOutputs: UInt64 = 0
    var bytes = 0
    for slot in Int(overwriteStart[node])..<Int(overwriteStart[node + 1]) {
      let pair = overwrites[slot]
      if takenInputs & pair.inputBit != 0 || takenOutputs & pair.outputBit != 0 { continue }
      guard dies(Int(pair.input)) else { continue }
      takenInputs |= pair.inputBit
      takenOutputs |= pair.outputBit
      bytes += pair.bytes
    }
    return bytes
  }

  /// The most bytes that outputs of `node` can save in the place of inputs, or more.
  func overwrittenBytesMax(of node: Int) -> Int {
    var seen: UInt64 = 0
    return overwrites(of: node).reduce(0) { bytes, pair in
      if seen & pair.outputBit != 0 { return bytes }
      seen |= pair.outputBit
      return bytes + pair.bytes
    }
  }

  /// The arrays of `problem` with its nodes in `order`, a topological order of their positions.
  init(_ problem: RematProblem, order: [Int32]) {
    let nodes = problem.nodes
    nodeCount = nodes.count
    var position = [Int32](repeating: 0, count: nodes.count)
    for (index, node) in order.enumerated() { position[Int(node)] = Int32(index) }
    cost = order.map { nodes[Int($0)].cost }
    scratchBytes = order.map { nodes[Int($0)].scratchBytes }
    outputBytes = order.map { nodes[Int($0)].outputBytes.reduce(0, +) }
    isOnce = order.map { nodes[Int($0)].isOnce }
    isCheap = order.map { nodes[Int($0)].isCheap }
    deadline = [Int32](repeating: Int32(nodes.count), count: nodes.count)
    runsTwice = [Bool](repeating: false, count: nodes.count)
    invalidatedStart = [0]
    invalidatedStart.reserveCapacity(nodes.count + 1)
    invalidated = []
    overwriteStart = [0]
    overwriteStart.reserveCapacity(nodes.count + 1)
    overwrites = []
    outputStart = [0]
    outputStart.reserveCapacity(nodes.count + 1)
    valueBytes = []
    valueNode = []
    isKept = []
    inputStart = [0]
    inputStart.reserveCapacity(nodes.count + 1)
    inputValues = []
    for (index, original) in order.enumerated() {
      let node = nodes[Int(original)]
      for (output, bytes) in node.outputBytes.enumerated() {
        valueBytes.append(bytes)
        valueNode.append(Int32(index))
        isKept.append(node.keeps(output))
      }
      outputStart.append(Int32(valueNode.count))
      for other in node.invalidates {
        let place = Int(position[other])
        deadline[place] = min(deadline[place], Int32(index))
        invalidated.append(Int32(place))
      }
      invalidatedStart.append(Int32(invalidated.count))
    }
    var lastReader = [Int32](repeating: -1, count: valueNode.count)
    var userCount = [Int32](repeating: 0, count: valueNode.count + 1)
    for (index, original) in order.enumerated() {
      let node = nodes[Int(original)]
      for pair in node.overwrites {
        let input = node.inputs[pair.input]
        // Two inputs may be the same value.
        let first = node.inputs.firstIndex(of: input) ?? pair.input
        overwrites.append(
          Overwrite(
            input: outputStart[Int(position[input.node])] + Int32(input.output),
            inputBit: 1 << UInt64(first), outputBit: 1 << UInt64(pair.output),
            bytes: node.outputBytes[pair.output]))
      }
      overwriteStart.append(Int32(overwrites.count))
      for input in node.inputs {
        let value = outputStart[Int(position[input.node])] + Int32(input.output)
        if lastReader[Int(value)] == Int32(index) { continue }
        lastReader[Int(value)] = Int32(index)
        inputValues.append(value)
        userCount[Int(value) + 1] += 1
      }
      inputStart.append(Int32(inputValues.count))
    }
    for value in 0..<valueNode.count { userCount[value + 1] += userCount[value] }
    userStart = userCount
    users = [Int32](repeating: 0, count: inputValues.count)
    var fill = userCount
    for node in 0..<nodes.count {
      for slot in Int(inputStart[node])..<Int(inputStart[node + 1]) {
        let value = Int(inputValues[slot])
        users[Int(fill[value])] = Int32(node)
        fill[value] += 1
      }
    }
  }

  /// The sequence that runs every node once.
  var baseSequence: [Int32] { (0..<nodeCount).map { Int32($0) } }

  /// A bound that no schedule can beat: the node with the largest inputs, outputs and scratch, or
  /// what must be resident at the end.
  var workingSetBytes: (bytes: Int, node: Int) {
    var largest = (bytes: 0, node: 0)
    for node in 0..<nodeCount {
      var bytes = outputBytes[node] + scratchBytes[node] - overwrittenBytesMax(of: node)
      for slot in inputRange(of: node) { bytes += valueBytes[Int(inputValues[slot])] }
      if bytes > largest.bytes { largest = (bytes, node) }
    }
    var keptBytes = 0
    for value in 0..<valueCount where isKept[value] { keptBytes += valueBytes[value] }
    return keptBytes > largest.bytes ? (keptBytes, max(0, nodeCount - 1)) : largest
  }
}
