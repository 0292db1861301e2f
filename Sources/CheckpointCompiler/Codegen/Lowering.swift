// One kernel of a planned function to loops or a contraction.
//
// Aliasing    A kernel sees each place as one parameter: a result over an operand that dies, and an
//             update in place, read and write the same. Where two values share a place is part of
//             what makes two kernels the same.

/// Bytes of arena that a kernel needs while it runs, besides what it reads and writes.
func scratchBytes(of op: OpID, in function: Function, target: Target) -> Int {
  if function.ops[op].opcode.runsRoutines {
    // One runs after the other.
    return function.routines(of: op).map(\.storage.arenaBytes).max() ?? 0
  }
  if target.isCUDA { return cudaScratchBytes(of: op, in: function, target: target) }
  if function.ops[op].opcode == .sort {
    return SortKernel(op, of: function, operands: [], results: [], target: target).scratchBytes
  }
  if let attention = function.attention(of: op, target: target) { return attention.scratchBytes }
  if let contraction = function.contraction(of: op) {
    return scratchBytes(for: contraction, target: target)
  }
  return function.scratchBytes(ofLoops: op)
}

/// A kernel with its loops, to prove what it may write over what it reads.
struct LoweredKernel {
  private let function: Function
  private let kernel: Kernel
  /// The pairs of kernels that are routines.
  private var pairs: [InPlaceOutput] = []
  private var lowering: KernelLowering
  private var body: KernelBody?

  /// Lowers a kernel of a function; O(statements).
  init(_ function: Function, _ kernel: Kernel, order: KernelOrder) {
    self.function = function
    self.kernel = kernel
    lowering = KernelLowering(
      function, kernel, order: order, storage: nil, target: .cpu(threadsMax: 1))
    if function.ops[kernel.op].opcode.runsRoutines {
      pairs = function.inPlaceOutputs(of: kernel, order: order)
    } else {
      body = lowering.run().body
    }
  }

  /// The op that the kernel is.
  var op: OpID { kernel.op }

  /// Proves on the loops that the kernel may write a result over a value that it reads.
  ///
  /// - Parameters:
  ///   - operand: One of the roots that the kernel reads.
  ///   - result: One of the values that it writes.
  /// - Returns: Whether the loops read every element of the operand before they write it.
  /// - Complexity: O(loads · stores) of the lowered kernel.
  func mayOverwrite(_ operand: ValueID, with result: ValueID) -> Bool {
    // One buffer of the kernel has one dtype.
    guard function.type(of: operand).dtype == function.type(of: result).dtype,
      function.type(of: operand).sizeBytes == function.type(of: result).sizeBytes
    else { return false }
    guard let body else {
      return pairs.contains {
        kernel.writes[$0.output] == result && kernel.reads[$0.input] == operand
      }
    }
    guard let read = lowering.buffer(of: operand), let written = lowering.buffer(of: result) else {
      return false
    }
    switch body {
    case .loops(let statements):
      return OverwriteProof.holds(for: statements, operand: read, result: written)
    case .contraction(let contraction):
      return OverwriteProof.holds(for: contraction, operand: read, result: written)
    case .sort, .attention, .grid: return false
    }
  }
}

extension Function {
  /// Scratch for the partial results of a kernel of loops.
  fileprivate func scratchBytes(ofLoops op: OpID) -> Int {
    guard [.fusion, .reduce].contains(ops[op].opcode) else { return 0 }
    let parts = FusionParts(self, op)
    var buffers: [ValueID: Int] = [:]
    for value in parts.read + parts.outputs { buffers[value] = buffers.count }
    var lowering = LoopLowering(
      self, ops: parts.ops, outputs: parts.outputs.map { ($0, buffers[$0]!) }, buffers: buffers)
    guard lowering.order?.parts != nil else { return 0 }
    _ = lowering.run()
    return lowering.scratchBytes
  }

  /// The sum of products that a kernel is, with what it does with the sums; nil where it is none.
  func contraction(of kernel: OpID) -> Contraction? {
    guard contractionOp(of: kernel) != nil else { return nil }
    guard ops[kernel].opcode == .fusion else {
      return Contraction(signature(of: kernel), result: type(of: result(of: kernel)))
    }
    var lowering = EpilogueLowering(self, kernel)
    return lowering.trial()
  }

  /// A few words for the ops of a kernel, as part of an identifier.
  func kernelLabel(_ op: OpID) -> String {
    var names: [String] = []
    for inner in opsOfKernel(op) where !isIndexing(inner) && !ops[inner].opcode.isTerminator {
      names.append(ops[inner].opcode.name)
    }
    // What makes the factors of a contraction comes after it.
    if let contraction = contractionOp(of: op), names.count > 1 {
      let name = ops[contraction].opcode.name
      names.remove(at: names.firstIndex(of: name)!)
      names.insert(name, at: 0)
    }
    if names.isEmpty { names = [ops[opsOfKernel(op)[0]].opcode.name] }
    let rest = names.count > 3 ? ["\(names.count - 2)_more"] : []
    return (rest.isEmpty ? names : Array(names.prefix(2)) + rest).joined(separator: "_")
  }
}

/// Lowers one kernel: numbers its buffers and chooses how it runs.
struct KernelLowering {
  private let function: Function
  private let kernel: Kernel
  private let order: KernelOrder
  /// nil puts every value into a buffer of its own.
  private let storage: StoragePlan?
  private let target: Target
  private var buffers: [KernelBuffer] = []
  /// Where each buffer is.
  private(set) var places: [Storage] = []
  /// The size of each buffer in bytes.
  private(set) var sizes: [Int] = []
  private var numbers: [Storage: Int] = [:]

  init(
    _ function: Function, _ kernel: Kernel, order: KernelOrder, storage: StoragePlan?,
    target: Target
  ) {
    self.target = target
    self.function = function
    self.kernel = kernel
    self.order = order
    self.storage = storage
  }

  /// Where a value is; without a plan, a place that no other root has.
  private func place(of value: ValueID) -> Storage {
    let root = order.root[value]
    return storage.map { $0.storage[root]! } ?? .arena(offset: root.index)
  }

  /// The buffer of a root that the kernel reads or writes; nil where it has none.
  func buffer(of root: ValueID) -> Int? { places.firstIndex(of: place(of: root)) }

  /// The buffer of a value outside the kernel; equal places have one buffer.
  private mutating func buffer(_ value: ValueID, isRead: Bool, isWritten: Bool) -> Int {
    let type = function.type(of: value)
    let place = place(of: value)
    // An empty tensor may have the address of another.
    let isShared = type.elementCount > 0
    let number = isShared ? numbers[place, default: buffers.count] : buffers.count
    if number == buffers.count {
      buffers.append(KernelBuffer(dtype: type.dtype, isRead: false, isWritten: false))
      places.append(place)
      sizes.append(type.sizeBytes)
      if isShared { numbers[place] = number }
    }
    if isRead { buffers[number].isRead = true }
    if isWritten { buffers[number].isWritten = true }
    return number
  }

  mutating func run() -> KernelFunction {
    let function = function
    let op = kernel.op
    let operands = function.operands(of: op)
    var body: KernelBody
    switch function.ops[op].opcode {
    case .dotGeneral, .convolution:
      addFactors(operands)
      _ = buffer(kernel.writes[0], isRead: false, isWritten: true)
      body = .contraction(function.contraction(of: op)!)
    case .pad, .concatenate, .gather, .scatter, .scatterWith, .dynamicSlice, .dynamicUpdateSlice:
      let (reads, writes) = ownBuffers(operands)
      if [.scatter, .scatterWith].contains(function.ops[op].opcode) {
        for write in writes { buffers[write].isRead = true }
      }
      var lowering = MovementLowering(
        function, op, operandBuffers: reads, resultBuffers: writes)
      body = .loops(lowering.run())
    case .reduceWith, .reduceWindowWith:
      let (reads, writes) = ownBuffers(operands)
      body = .loops(
        ElementReductionLowering(function, op, operandBuffers: reads, resultBuffers: writes).run())
    case .sort:
      let (reads, writes) = ownBuffers(operands)
      body = .sort(
        SortKernel(op, of: function, operands: reads, results: writes, target: target))
    case .softmaxAttention, .softmaxAttentionGradient:
      var attention = function.attention(of: op, target: target)!
      (attention.operands, attention.results) = ownBuffers(operands)
      body = .attention(attention)
    case .reduceWindow, .selectAndScatter, .selectAndScatterWith:
      let reads = operands.map { buffer($0, isRead: true, isWritten: false) }
      let write = buffer(kernel.writes[0], isRead: false, isWritten: true)
      let operand = function.type(of: operands.first!)
      if function.ops[op].opcode == .reduceWindow {
        let window = WindowLowering(
          function.ops[op].attributes, operand: operand,
          windows: function.type(of: kernel.writes[0]))
        body = .loops(window.reduction(operandBuffer: reads[0], resultBuffer: write))
      } else {
        let attributes = function.ops[op].attributes
        let windows = function.type(of: operands.dropFirst().first!)
        let window = WindowLowering(attributes, operand: operand, windows: windows)
        let selection = selection(op, initial: reads.last!) ?? window.selection
        if target.isCUDA,
          let asked = WindowSelections(attributes, operand: operand, windows: windows)
        {
          body = .loops(
            asked.statements(
              selection, operandBuffer: reads[0], sourceBuffer: reads[1], resultBuffer: write))
        } else {
          buffers[write].isRead = true
          body = .loops(
            window.scatter(
              selection, operandBuffer: reads[0], sourceBuffer: reads[1], resultBuffer: write))
        }
      }
    case .fusion where function.contractionOp(of: op) != nil: body = .contraction(fused())
    default: body = target.isCUDA ? .grid(grid()) : .loops(loops())
    }
    if target.isCUDA, case .loops(let statements) = body {
      body = .grid(GridKernel(statements, independent: independentVariables(of: op)))
    }
    return KernelFunction(label: function.kernelLabel(op), buffers: buffers, body: body)
  }

  /// The variables that windows of a `select_and_scatter` do not slide along, whose iterations never
  /// meet; none of other ops.
  private func independentVariables(of op: OpID) -> Set<Int> {
    let opcode = function.ops[op].opcode
    guard opcode == .selectAndScatter || opcode == .selectAndScatterWith else { return [] }
    let (attributes, operands) = (function.ops[op].attributes, Array(function.operands(of: op)))
    let (operand, windows) = (function.type(of: operands[0]), function.type(of: operands[1]))
    let isAsked = WindowSelections(attributes, operand: operand, windows: windows) != nil
    return isAsked ? [] : WindowLowering.independentVariables(attributes, rank: operand.rank)
  }

  /// The buffers of the operands and of the results of an op that is lowered by itself.
  private mutating func ownBuffers(
    _ operands: some Sequence<ValueID>
  ) -> (reads: [Int], writes: [Int]) {
    let reads = operands.map { buffer($0, isRead: true, isWritten: false) }
    return (reads, kernel.writes.map { buffer($0, isRead: false, isWritten: true) })
  }

  /// What a `select_and_scatter_with` does with elements; nil for other ops.
  private func selection(_ op: OpID, initial: Int) -> WindowLowering.Selection? {
    guard function.ops[op].opcode == .selectAndScatterWith else { return nil }
    let select = ElementFunctionCode(.select, of: op, in: function)
    let scatter = ElementFunctionCode(.scatter, of: op, in: function)
    return WindowLowering.Selection(initial: .load(buffer: initial, Index())) { operands, next in
      let code = select.applied(to: operands, nextLocal: &next)
      return (code.statements, code.results[0])
    } combined: { operands, next in
      let code = scatter.applied(to: operands, nextLocal: &next)
      return (code.statements, code.results[0])
    }
  }

  /// Both factors may be the same value; the contraction numbers them apart.
  private mutating func addFactors(_ operands: some Sequence<ValueID>) {
    for operand in operands {
      buffers.append(
        KernelBuffer(dtype: function.type(of: operand).dtype, isRead: true, isWritten: false))
      places.append(place(of: operand))
      sizes.append(function.type(of: operand).sizeBytes)
    }
  }

  /// A fusion that holds a contraction.
  private mutating func fused() -> Contraction {
    var lowering = EpilogueLowering(function, kernel.op)
    addFactors(lowering.factorReads)
    var reads: [ValueID: Int] = [:]
    for value in lowering.read { reads[value] = buffer(value, isRead: true, isWritten: false) }
    let written = kernel.writes.map { buffer($0, isRead: false, isWritten: true) }
    guard let contraction = lowering.run(buffers: reads, written: written) else {
      preconditionFailure("a fusion that cannot run: \(lowering.problem ?? "")")
    }
    return contraction
  }

  /// A fusion, or a single op that can stand in one.
  private mutating func loops() -> [Statement] {
    var lowering = loopLowering()
    return lowering.run()
  }

  /// The same for a graphics processor.
  private mutating func grid() -> GridKernel {
    var lowering = loopLowering()
    return lowering.grid()
  }

  private mutating func loopLowering() -> LoopLowering {
    let parts = FusionParts(function, kernel.op)
    var reads: [ValueID: Int] = [:]
    for value in parts.read { reads[value] = buffer(value, isRead: true, isWritten: false) }
    var outputs: [(value: ValueID, buffer: Int)] = []
    for (value, result) in zip(parts.outputs, kernel.writes) {
      outputs.append((value, buffer(result, isRead: false, isWritten: true)))
    }
    return LoopLowering(function, ops: parts.ops, outputs: outputs, buffers: reads)
  }
}
