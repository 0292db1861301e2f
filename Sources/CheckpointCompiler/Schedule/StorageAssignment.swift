// Where every value of the final function lives: lifetimes, buffers, and offsets from the packer.
//
// Life        From the kernel that writes a value up to the last kernel that reads it or a view of
//             it; results that are copied at the end live until then. Scratch lives while its
//             kernel runs.

/// The buffers of a final function as a packing problem, and what is decided without packing.
struct StorageAssignment: Sendable {
  /// What a buffer holds.
  enum Content: Hashable, Sendable {
    /// A value of a kernel.
    case value(ValueID)
    /// The scratch of a kernel.
    case scratch(OpID)
  }

  /// The final function.
  let function: Function
  /// Its kernels.
  let order: KernelOrder
  /// What each buffer of `problem` holds.
  private(set) var contents: [Content] = []
  /// The buffers, alive from one kernel to another.
  let problem: PlacementProblem
  /// Values that live outside the arena.
  private var fixed: [ValueID: Storage] = [:]
  private var finalCopies: [FinalCopy] = []

  /// Finds the lifetimes of all buffers. O(ops + operands).
  init(_ function: Function, target: Target) throws(Diagnostic) {
    self.function = function
    order = KernelOrder(function)
    for (index, argument) in function.arguments.enumerated() {
      fixed[argument.value] = .argument(index)
    }
    for update in InPlaceUpdates(function, order).updates
    where update.readers.allSatisfy({ $0 < update.kernel }) {
      fixed[update.value] = .argument(update.argument)
    }
    finalCopies = []
    var atEnd: Set<ValueID> = []
    Self.assignResults(function, order, &fixed, &finalCopies)
    for copy in finalCopies { atEnd.insert(copy.from) }

    let end = order.kernels.count
    var lastUse: [ValueID: Int] = [:]
    for (step, kernel) in order.kernels.enumerated() {
      for value in kernel.reads { lastUse[value] = step }
    }
    var buffers: [PlacementProblem.Buffer] = []
    for (step, kernel) in order.kernels.enumerated() {
      for value in kernel.writes where fixed[value] == nil {
        let size = alignedBytes(function.type(of: value).sizeBytes)
        let last = atEnd.contains(value) ? end : max(step, lastUse[value] ?? step)
        // An empty tensor needs an address, but no room.
        if size == 0 {
          fixed[value] = .arena(offset: 0)
          continue
        }
        contents.append(.value(value))
        buffers.append(
          PlacementProblem.Buffer(
            name: function.values[value].name, lower: step, upper: last + 1, sizeBytes: size))
      }
      let scratch = alignedBytes(scratchBytes(of: kernel.op, in: function, target: target))
      if scratch > 0 {
        contents.append(.scratch(kernel.op))
        buffers.append(
          PlacementProblem.Buffer(
            name: "scratch.\(function.kernelName(kernel))", lower: step, upper: step + 1,
            sizeBytes: scratch))
      }
    }
    problem = try PlacementProblem(buffers: buffers, alignmentBytes: arenaAlignmentBytes)
  }

  /// Gives every result its buffer, or a copy at the end where the value has another.
  private static func assignResults(
    _ function: Function, _ order: KernelOrder, _ fixed: inout [ValueID: Storage],
    _ copies: inout [FinalCopy]
  ) {
    var reading: [FinalCopy] = []
    var writing: [FinalCopy] = []
    let inResult = function.valuesInResults(order)
    for (index, result) in function.results.enumerated() {
      let value = order.root[function.returnedValues[index]]
      if case .update(let argument) = result.role {
        guard fixed[value] != .argument(argument) else { continue }
        writing.append(FinalCopy(from: value, to: .argument(argument)))
      } else if inResult.contains(value), fixed[value] == nil {
        fixed[value] = .result(index)
      } else {
        reading.append(FinalCopy(from: value, to: .result(index)))
      }
    }
    // Old values are copied out before new ones are written over them.
    copies = reading + writing
  }

  /// The plan for offsets that the packer found.
  func plan(_ offsets: MemoryPlan) -> StoragePlan {
    var storage = Table<ValueID, Storage?>(repeating: nil, count: function.values.count)
    var scratch = Table<OpID, Int>(repeating: 0, count: function.ops.count)
    for (content, offset) in zip(contents, offsets.offsets) {
      switch content {
      case .value(let value): storage[value] = .arena(offset: offset)
      case .scratch(let op): scratch[op] = offset
      }
    }
    for (value, place) in fixed { storage[value] = place }
    var insideFusion = Table<BlockID, Bool>(repeating: false, count: function.blocks.count)
    for op in function.opsInOrder where function.ops[op].opcode == .fusion {
      insideFusion[function.ops[op].regions[0]] = true
    }
    for op in function.opsInOrder where !insideFusion[function.ops[op].block] {
      for value in function.results(of: op) where storage[value] == nil {
        let root = order.root[value]
        if case .dense? = function.definingOp(of: root).flatMap({
          function.ops[$0].attributes.constant
        }) {
          storage[value] = .constantData(root)
        } else {
          storage[value] = storage[root]
        }
      }
    }
    // Region results stand before the values they are made of in running order.
    for op in function.opsInOrder where !insideFusion[function.ops[op].block] {
      for value in function.results(of: op) where storage[value] == nil {
        storage[value] = storage[order.root[value]]
      }
    }
    return StoragePlan(
      storage: storage, scratch: scratch, finalCopies: finalCopies,
      arenaBytes: offsets.arenaBytes, alignment: arenaAlignmentBytes)
  }
}
