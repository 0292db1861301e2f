// A planned function to a kernel program: every kernel once, and its runs with places.
//
// Sharing     Kernels that do the same work on the same dtypes and shapes are one function, however
//             their values are called and wherever they lie, in the step and in the functions that its
//             loops call. A recomputation therefore runs the very code of the original, and gives its
//             bits.
// Loops       What a loop or a branch calls is a routine: calls of kernels, on an arena and buffers that
//             it is given. Callees come first.

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
        kind: .loop, routines: called, buffers: routines[called[1]].arguments,
        trips: target.isCUDA ? function.tripCount(of: kernel.op) : nil)
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
