// A planned function to a kernel program: every kernel once, and its runs with places.
//
// Sharing     Kernels that do the same work on the same dtypes and shapes are one function, however
//             their values are called and wherever they lie. A recomputation therefore runs the very
//             code of the original, and gives its bits.
// Aliasing    A kernel sees each place as one parameter: a result over an operand that dies, and an
//             update in place, read and write the same. Where two values share a place is part of
//             what makes two kernels the same.

/// Lowers a planned function.
///
/// - Complexity: O(ops + operands).
func lower(
  _ function: Function, storage: StoragePlan, name: String, target: Target
) -> KernelProgram {
  let order = KernelOrder(function)
  var functions: [KernelFunction] = []
  var numbers: [KernelFunction: Int] = [:]
  var calls: [KernelCall] = []
  for kernel in order.kernels {
    var lowering = KernelLowering(function, kernel, order: order, storage: storage)
    let lowered = lowering.run()
    let number = numbers[lowered, default: functions.count]
    if number == functions.count {
      functions.append(lowered)
      numbers[lowered] = number
    }
    let scratch = scratchBytes(of: kernel.op, in: function, target: target)
    var written: [(offset: Int, sizeBytes: Int)] = []
    let readPlaces = kernel.reads.filter { function.type(of: $0).sizeBytes > 0 }
      .map { storage.storage[$0] }
    for value in kernel.writes {
      let size = alignedBytes(function.type(of: value).sizeBytes)
      // What is written over an operand holds the operand until then.
      let place = storage.storage[value]
      if case .arena(let offset)? = place, size > 0, !readPlaces.contains(place) {
        written.append((offset, size))
      }
    }
    calls.append(
      KernelCall(
        function: number, buffers: lowering.places,
        scratchOffset: scratch > 0 ? storage.scratch[kernel.op] : nil,
        scratchBytes: alignedBytes(scratch), name: function.kernelName(kernel), written: written))
  }
  var constants: [ConstantTable] = []
  for op in function.opsInOrder {
    guard case .dense(let bytes)? = function.ops[op].attributes.constant else { continue }
    let value = function.result(of: op)
    constants.append(ConstantTable(value: value, type: function.type(of: value), bytes: bytes))
  }
  let copies = storage.finalCopies.map { copy in
    (
      from: storage.storage[copy.from]!, to: copy.to,
      sizeBytes: function.type(of: copy.from).sizeBytes
    )
  }
  return KernelProgram(
    name: name, function: function, target: target, functions: functions, calls: calls,
    constants: constants, finalCopies: copies, arenaBytes: storage.arenaBytes,
    alignment: storage.alignment)
}

/// Bytes of arena that a kernel needs while it runs, besides what it reads and writes.
func scratchBytes(of op: OpID, in function: Function, target: Target) -> Int {
  guard function.ops[op].opcode.definition.category == .contraction else { return 0 }
  return function.contraction(of: op).map { scratchBytes(for: $0, target: target) } ?? 0
}

extension Function {
  /// Proves on its loops that a kernel may write a result over a value that it reads.
  ///
  /// - Parameters:
  ///   - operand: One of the roots that the kernel reads.
  ///   - result: One of the values that it writes.
  ///   - kernel: A kernel of the function.
  ///   - order: The kernels of the function.
  /// - Returns: Whether the loops read every element of the operand before they write it.
  /// - Complexity: O(statements + loads · stores) of the lowered kernel.
  func mayOverwrite(
    _ operand: ValueID, with result: ValueID, in kernel: Kernel, order: KernelOrder
  ) -> Bool {
    // One buffer of the kernel has one dtype.
    guard type(of: operand).dtype == type(of: result).dtype,
      type(of: operand).sizeBytes == type(of: result).sizeBytes
    else { return false }
    var lowering = KernelLowering(self, kernel, order: order, storage: nil)
    guard case .loops(let statements) = lowering.run().body,
      let read = lowering.buffer(of: operand), let written = lowering.buffer(of: result)
    else { return false }
    return OverwriteProof.holds(for: statements, operand: read, result: written)
  }

  /// The sum of products that an op is; nil where it is none.
  func contraction(of op: OpID) -> Contraction? {
    Contraction(signature(of: op), result: type(of: result(of: op)))
  }

  /// A few words for the ops of a kernel, as part of an identifier.
  func kernelLabel(_ op: OpID) -> String {
    var names: [String] = []
    for inner in opsOfKernel(op) where !isIndexing(inner) && !ops[inner].opcode.isTerminator {
      names.append(ops[inner].opcode.name)
    }
    if names.isEmpty { names = [ops[opsOfKernel(op)[0]].opcode.name] }
    let rest = names.count > 3 ? ["\(names.count - 2)_more"] : []
    return (rest.isEmpty ? names : Array(names.prefix(2)) + rest).joined(separator: "_")
  }
}

/// Lowers one kernel: numbers its buffers and chooses how it runs.
private struct KernelLowering {
  private let function: Function
  private let kernel: Kernel
  private let order: KernelOrder
  /// nil puts every value into a buffer of its own.
  private let storage: StoragePlan?
  private var buffers: [KernelBuffer] = []
  /// Where each buffer is.
  private(set) var places: [Storage] = []
  private var numbers: [Storage: Int] = [:]

  init(_ function: Function, _ kernel: Kernel, order: KernelOrder, storage: StoragePlan?) {
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
    let body: KernelBody
    switch function.ops[op].opcode {
    case .dotGeneral, .convolution:
      for operand in operands {
        // Both operands may be the same value; the contraction numbers them apart.
        buffers.append(
          KernelBuffer(dtype: function.type(of: operand).dtype, isRead: true, isWritten: false))
        places.append(place(of: operand))
      }
      _ = buffer(kernel.writes[0], isRead: false, isWritten: true)
      body = .contraction(function.contraction(of: op)!)
    case .pad, .concatenate, .gather, .scatter, .dynamicSlice, .dynamicUpdateSlice:
      let reads = operands.map { buffer($0, isRead: true, isWritten: false) }
      let write = buffer(kernel.writes[0], isRead: false, isWritten: true)
      if function.ops[op].opcode == .scatter { buffers[write].isRead = true }
      var lowering = MovementLowering(
        function, op, operandBuffers: reads, resultBuffer: write)
      body = .loops(lowering.run())
    case .reduceWindow, .selectAndScatter:
      let reads = operands.map { buffer($0, isRead: true, isWritten: false) }
      let write = buffer(kernel.writes[0], isRead: false, isWritten: true)
      let operand = function.type(of: operands.first!)
      if function.ops[op].opcode == .reduceWindow {
        let window = WindowLowering(
          function.ops[op].attributes, operand: operand,
          windows: function.type(of: kernel.writes[0]))
        body = .loops(window.reduction(operandBuffer: reads[0], resultBuffer: write))
      } else {
        buffers[write].isRead = true
        let window = WindowLowering(
          function.ops[op].attributes, operand: operand,
          windows: function.type(of: operands.last!))
        body = .loops(
          window.selection(
            operandBuffer: reads[0], sourceBuffer: reads[1], resultBuffer: write))
      }
    default: body = .loops(loops())
    }
    return KernelFunction(label: function.kernelLabel(op), buffers: buffers, body: body)
  }

  /// A fusion, or a single op that can stand in one.
  private mutating func loops() -> [Statement] {
    let parts = FusionParts(function, kernel.op)
    var reads: [ValueID: Int] = [:]
    for value in parts.read { reads[value] = buffer(value, isRead: true, isWritten: false) }
    var outputs: [(value: ValueID, buffer: Int)] = []
    for (value, result) in zip(parts.outputs, kernel.writes) {
      outputs.append((value, buffer(result, isRead: false, isWritten: true)))
    }
    var lowering = LoopLowering(function, ops: parts.ops, outputs: outputs, buffers: reads)
    return lowering.run()
  }
}
