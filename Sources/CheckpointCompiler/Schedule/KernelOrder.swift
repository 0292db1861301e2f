// The kernels of a grouped function in the order in which they run, and what each reads and writes.
//
// Kernel      An op of the body, or of a `no_grad` or `recompute` region, that does work: a `fusion`
//             or a single op. Neither a kernel nor in memory of its own: `reshape`, which is a view;
//             a dense constant, which is static data; the results of regions, which are the values
//             that the region yields.
// Root        The value whose memory a value shares: itself, or what it is a view of.

/// One kernel and its memory accesses, all in terms of roots.
struct Kernel: Sendable {
  /// The op.
  var op: OpID
  /// The roots it reads, each once, in order of first use.
  var reads: [ValueID]
  /// The values it writes.
  var writes: [ValueID]
}

/// The kernels of a function and the roots of its values.
struct KernelOrder: Sendable {
  /// The kernels in the order in which they run.
  private(set) var kernels: [Kernel] = []
  /// For every value outside fusions, the value whose memory it shares.
  private(set) var root: Table<ValueID, ValueID>

  /// Lists the kernels of a grouped function. O(ops + operands).
  init(_ function: Function) {
    root = Table(Array(function.values.ids))
    var lastReader = Table<ValueID, Int32>(repeating: -1, count: function.values.count)
    var owners: [(region: BlockID, op: OpID)] = []
    var isInner = Table<ValueID, Bool>(repeating: false, count: function.values.count)
    var innerFusion: OpID?
    for id in function.opsInOrder {
      let op = function.ops[id]
      if let fusion = innerFusion, op.block == function.ops[fusion].regions[0] {
        // Ops of a fusion belong to the kernel that the fusion is.
        for result in function.results(of: id) { isInner[result] = true }
        addReads(function.operands(of: op).filter { !isInner[$0] }, &lastReader)
        continue
      }
      innerFusion = nil
      switch op.opcode {
      case .reshape:
        let source = function.operands(of: op).first!
        root[function.result(of: id)] = root[source]
      case .constant:
        if case .dense? = op.attributes.constant { break }
        addKernel(id, in: function, &lastReader)
      case .noGrad, .recompute: owners.append((op.regions[0], id))
      case .yield:
        // The region is over: its results are the values it yields.
        let owner = owners.removeLast().op
        for (result, value) in zip(function.results(of: owner), function.operands(of: op)) {
          root[result] = root[value]
        }
      case .return: break
      case .fusion:
        addKernel(id, in: function, &lastReader)
        innerFusion = id
      default: addKernel(id, in: function, &lastReader)
      }
    }
  }

  private mutating func addKernel(
    _ op: OpID, in function: Function, _ lastReader: inout Table<ValueID, Int32>
  ) {
    kernels.append(Kernel(op: op, reads: [], writes: Array(function.results(of: op))))
    addReads(function.operands(of: op), &lastReader)
  }

  private mutating func addReads(
    _ operands: some Sequence<ValueID>, _ lastReader: inout Table<ValueID, Int32>
  ) {
    let kernel = Int32(kernels.count - 1)
    for operand in operands {
      let source = root[operand]
      guard lastReader[source] != kernel else { continue }
      lastReader[source] = kernel
      kernels[kernels.count - 1].reads.append(source)
    }
  }
}
