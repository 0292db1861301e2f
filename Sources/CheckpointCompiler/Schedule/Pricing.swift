// A grouped function as a planning problem on plain numbers.

/// The planning problem of a function: node `i` is kernel `i`.
struct PricedFunction: Sendable {
  /// The function whose kernels were priced.
  var function: Function
  /// Its kernels.
  var order: KernelOrder
  /// Costs in nanoseconds, sizes in bytes, rounded up to the alignment of the arena.
  var problem: RematProblem
}

/// The alignment of every buffer in the arena, in bytes: a cache line, and the widest vector.
public let arenaAlignmentBytes = 64

/// A size rounded up to the alignment of the arena.
func alignedBytes(_ size: Int) -> Int {
  (size + arenaAlignmentBytes - 1) / arenaAlignmentBytes * arenaAlignmentBytes
}

/// Prices the kernels of a grouped function that has not been planned yet.
///
/// - Complexity: O(ops + operands).
func priced(_ function: Function, costs: CostModel) throws(Diagnostic) -> PricedFunction {
  let order = KernelOrder(function)
  var producer: [ValueID: RematProblem.Input] = [:]
  var nodes: [RematProblem.Node] = []
  nodes.reserveCapacity(order.kernels.count)
  let returned = Set(function.returnedValues.map { order.root[$0] })
  let inResult = function.valuesInResults(order)
  let updates = InPlaceUpdates(function, order)
  for (kernel, timeNs) in zip(order.kernels, costs.timesNs(of: order, in: function)) {
    for (output, value) in kernel.writes.enumerated() {
      producer[value] = RematProblem.Input(node: nodes.count, output: output)
    }
    let isContraction = function.opsOfKernel(kernel.op).contains {
      [.contraction, .attention].contains(function.ops[$0].opcode.definition.category)
    }
    nodes.append(
      RematProblem.Node(
        name: function.kernelName(kernel),
        cost: timeNs,
        // Results live in buffers of the caller.
        outputBytes: kernel.writes.isEmpty
          ? [0]
          : kernel.writes.map {
            inResult.contains($0) ? 0 : alignedBytes(function.type(of: $0).sizeBytes)
          },
        inputs: kernel.reads.compactMap { producer[$0] },
        scratchBytes: alignedBytes(scratchBytes(of: kernel.op, in: function, target: costs.target)),
        keep: kernel.writes.map { returned.contains($0) }, isCheap: !isContraction))
  }
  for update in updates.updates {
    guard update.readers.allSatisfy({ $0 < update.kernel }) else { continue }
    let output = order.kernels[update.kernel].writes.firstIndex(of: update.value)!
    nodes[update.kernel].outputBytes[output] = 0
    nodes[update.kernel].isOnce = true
    // One kernel may update a parameter and the state of its optimizer.
    nodes[update.kernel].invalidates += update.readers
  }
  for (node, kernel) in order.kernels.enumerated() {
    nodes[node].overwrites = overwrites(of: node, kernel, function, order, producer, nodes)
  }
  return PricedFunction(
    function: function, order: order, problem: try RematProblem(nodes: nodes))
}

/// The outputs of a node that may take the place of an input, as both lie in the arena.
private func overwrites(
  of node: Int, _ kernel: Kernel, _ function: Function, _ order: KernelOrder,
  _ producer: [ValueID: RematProblem.Input], _ nodes: [RematProblem.Node]
) -> [RematProblem.Overwrite] {
  let sizes = nodes[node].outputBytes
  let inputs = nodes[node].inputs
  let inputSizes = inputs.map { nodes[$0.node].outputBytes[$0.output] }
  guard sizes.contains(where: { $0 > 0 && inputSizes.contains($0) }) else { return [] }
  return function.inPlaceOutputs(of: kernel, order: order).compactMap { pair in
    guard let source = producer[kernel.reads[pair.input]],
      let input = inputs.firstIndex(of: source),
      sizes[pair.output] > 0, sizes[pair.output] == inputSizes[input],
      max(pair.output, input) < RematProblem.Overwrite.positionsMax
    else { return nil }
    return RematProblem.Overwrite(output: pair.output, input: input)
  }
}

extension Function {
  /// The roots that are written straight into the buffer of a result: each into the first result
  /// that returns it.
  func valuesInResults(_ order: KernelOrder) -> Set<ValueID> {
    var values: Set<ValueID> = []
    for (result, value) in zip(results, returnedValues) {
      if case .update = result.role { continue }
      let source = order.root[value]
      if isKernelOutput(source) { values.insert(source) }
    }
    return values
  }

  /// Whether a root is written by a kernel: it is neither an argument nor a dense constant.
  func isKernelOutput(_ value: ValueID) -> Bool {
    guard let op = definingOp(of: value) else { return false }
    if case .dense? = ops[op].attributes.constant { return false }
    return true
  }

  /// The name of a result of a kernel in reports: its own, else that of the kernel.
  func name(of value: ValueID, in kernel: Kernel) -> String {
    values[value].name.isEmpty ? kernelName(kernel) : values[value].name
  }

  /// The name of a kernel in reports: its first result with a name, else its op.
  func kernelName(_ kernel: Kernel) -> String {
    for value in kernel.writes where !values[value].name.isEmpty { return values[value].name }
    return "\(ops[kernel.op].opcode.name).\(kernel.op.index)"
  }
}
