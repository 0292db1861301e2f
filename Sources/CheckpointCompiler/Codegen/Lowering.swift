// A planned function to a kernel program: every kernel once, and its runs with places.
//
// Sharing     Kernels that do the same work on the same dtypes and shapes are one function, however
//             their values are called and wherever they lie, in the step and in the functions that its
//             loops call. A recomputation therefore runs the very code of the original, and gives its
//             bits.
// Aliasing    A kernel sees each place as one parameter: a result over an operand that dies, and an
//             update in place, read and write the same. Where two values share a place is part of
//             what makes two kernels the same.

/// Lowers a planned function.
///
/// - Complexity: O(ops + operands).
func lower(
  _ function: Function, storage: StoragePlan, name: String, target: Target
) -> KernelProgram {
  var lowering = ProgramLowering(target: target)
  for (place, callee) in function.callees.enumerated() {
    guard let routine = callee.routine else { continue }
    var callee = callee
    callee.callees = Array(function.callees[..<place])
    lowering.addRoutine(callee, routine.storage)
  }
  let step = lowering.body(of: function, storage)
  return KernelProgram(
    name: name, function: function, target: target, functions: lowering.functions,
    routines: lowering.routines, controls: lowering.controls, calls: step.calls,
    constants: lowering.constants, constantNumbers: step.constantNumbers,
    finalCopies: step.finalCopies, arenaBytes: storage.arenaBytes, alignment: storage.alignment)
}

/// The parts of a program that its functions share.
private struct ProgramLowering {
  let target: Target
  var functions: [KernelFunction] = []
  var routines: [KernelRoutine] = []
  var controls: [ControlFunction] = []
  var constants: [ConstantTable] = []
  private var numbers: [KernelFunction: Int] = [:]
  private var controlNumbers: [ControlFunction: Int] = [:]
  private var routineNumbers: [String: Int] = [:]

  init(target: Target) { self.target = target }

  /// Adds a function that loops and branches call; what it calls itself has been added.
  mutating func addRoutine(_ function: Function, _ storage: StoragePlan) {
    let updated = Set(
      function.results.compactMap { result in
        if case .update(let index) = result.role { index } else { nil }
      })
    let arguments = function.arguments.enumerated().map { index, argument in
      KernelBuffer(
        dtype: function.type(of: argument.value).dtype, isRead: true,
        isWritten: updated.contains(index))
    }
    let results = zip(function.results, function.returnedValues).map { result, value in
      if case .update = result.role { return nil as KernelBuffer? }
      return KernelBuffer(dtype: function.type(of: value).dtype, isRead: true, isWritten: true)
    }
    let body = body(of: function, storage)
    routineNumbers[function.name] = routines.count
    routines.append(
      KernelRoutine(
        name: function.name, arguments: arguments, results: results, calls: body.calls,
        finalCopies: body.finalCopies, constantNumbers: body.constantNumbers))
  }

  /// The calls of a function.
  mutating func body(
    of function: Function, _ storage: StoragePlan
  ) -> (calls: [KernelCall], finalCopies: [PlacedCopy], constantNumbers: [ValueID: Int]) {
    var constantNumbers: [ValueID: Int] = [:]
    for op in function.opsInOrder {
      guard case .dense(let bytes)? = function.ops[op].attributes.constant else { continue }
      let value = function.result(of: op)
      constantNumbers[value] = constants.count
      constants.append(ConstantTable(type: function.type(of: value), bytes: bytes))
    }
    let order = KernelOrder(function)
    let calls = order.kernels.map { call($0, of: function, order, storage) }
    let copies = storage.finalCopies.map { copy in
      PlacedCopy(
        from: storage.storage[copy.from]!, to: copy.to,
        sizeBytes: function.type(of: copy.from).sizeBytes)
    }
    return (calls, copies, constantNumbers)
  }

  private mutating func call(
    _ kernel: Kernel, of function: Function, _ order: KernelOrder, _ storage: StoragePlan
  ) -> KernelCall {
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
    var call = KernelCall(
      work: .kernel(0), buffers: [], scratchOffset: scratch > 0 ? storage.scratch[kernel.op] : nil,
      scratchBytes: alignedBytes(scratch), name: function.kernelName(kernel), written: written)
    if function.ops[kernel.op].opcode.runsRoutines {
      control(kernel, of: function, order, storage, &call)
      return call
    }
    var lowering = KernelLowering(
      function, kernel, order: order, storage: storage, target: target)
    let lowered = lowering.run()
    let number = numbers[lowered, default: functions.count]
    if number == functions.count {
      functions.append(lowered)
      numbers[lowered] = number
    }
    call.work = .kernel(number)
    call.buffers = lowering.places
    return call
  }

  /// Fills in the call of a loop or a branch. A loop works on what it carries where its results lie:
  /// what it starts with is copied there, unless it lies there already.
  private mutating func control(
    _ kernel: Kernel, of function: Function, _ order: KernelOrder, _ storage: StoragePlan,
    _ call: inout KernelCall
  ) {
    let op = function.ops[kernel.op]
    let called = op.attributes.functionNames.map { routineNumbers[$0]! }
    let operands = function.operands(of: op).map { storage.storage[order.root[$0]]! }
    let results = kernel.writes.map { storage.storage[$0]! }
    let control: ControlFunction
    if op.opcode == .while {
      for (index, value) in kernel.writes.enumerated() {
        let size = function.type(of: value).sizeBytes
        guard size > 0, operands[index] != results[index] else { continue }
        call.copies.append(PlacedCopy(from: operands[index], to: results[index], sizeBytes: size))
      }
      call.buffers = results + operands.dropFirst(results.count)
      control = ControlFunction(
        kind: .loop, routines: called, buffers: routines[called[1]].arguments)
    } else {
      call.buffers = operands + results
      let index = KernelBuffer(dtype: .i32, isRead: true, isWritten: false)
      let branch = routines[called[0]]
      control = ControlFunction(
        kind: .branch, routines: called,
        buffers: [index] + branch.arguments + branch.results.compactMap { $0 })
    }
    let number = controlNumbers[control, default: controls.count]
    if number == controls.count {
      controls.append(control)
      controlNumbers[control] = number
    }
    call.work = .control(number)
  }
}

/// Bytes of arena that a kernel needs while it runs, besides what it reads and writes.
func scratchBytes(of op: OpID, in function: Function, target: Target) -> Int {
  if function.ops[op].opcode.runsRoutines {
    // One runs after the other.
    return function.routines(of: op).map(\.storage.arenaBytes).max() ?? 0
  }
  if function.ops[op].opcode == .sort {
    return SortKernel(op, of: function, operands: [], results: [], target: target).scratchBytes
  }
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
    if ops[kernel.op].opcode.runsRoutines {
      return inPlaceOutputs(of: kernel, order: order).contains {
        kernel.writes[$0.output] == result && kernel.reads[$0.input] == operand
      }
    }
    var lowering = KernelLowering(
      self, kernel, order: order, storage: nil, target: .cpu(threadsMax: 1))
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
  private let target: Target
  private var buffers: [KernelBuffer] = []
  /// Where each buffer is.
  private(set) var places: [Storage] = []
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
        buffers[write].isRead = true
        let window = WindowLowering(
          function.ops[op].attributes, operand: operand,
          windows: function.type(of: operands.dropFirst().first!))
        body = .loops(
          window.scatter(
            selection(op, initial: reads.last!) ?? window.selection, operandBuffer: reads[0],
            sourceBuffer: reads[1], resultBuffer: write))
      }
    default: body = .loops(loops())
    }
    return KernelFunction(label: function.kernelLabel(op), buffers: buffers, body: body)
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
