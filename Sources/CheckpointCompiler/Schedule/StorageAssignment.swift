// Where every value of the final function lives: lifetimes, buffers, and offsets from the packer.
//
// Life        From the kernel that writes a value up to the last kernel that reads it or a view of
//             it; results that are copied at the end live until then. Scratch lives while its
//             kernel runs.
// In place    A value that a kernel may write over one that it reads for the last time goes on in
//             the buffer of that one: results in order, each over the first operand that is free.
//             So a chain of values over each other is one buffer of the packer.

/// The buffers of a final function as a packing problem, and what is decided without packing.
struct StorageAssignment: Sendable {
  /// What the arena holds.
  enum Content: Hashable, Sendable {
    /// A value of a kernel.
    case value(ValueID)
    /// The scratch of a kernel.
    case scratch(OpID)
  }

  /// A value or scratch in the arena.
  struct Tenant: Sendable {
    /// What it is.
    var content: Content
    /// Its name, its size, and its life: from the kernel that writes it to the last that reads it.
    var life: PlacementProblem.Buffer
    /// The buffer of the packing problem that it is in.
    var buffer: Int
    /// The tenant that the last kernel that reads this one writes over it.
    var successor: Int?
    /// The tenant that it was written over.
    var predecessor: Int?

    /// The kernels at which the memory is its own: a kernel that writes over it is the successor's.
    var occupied: Range<Int> {
      life.lower..<(successor == nil ? life.upper : life.upper - 1)
    }
  }

  /// The final function.
  let function: Function
  /// Its kernels.
  let order: KernelOrder
  /// What is in the arena, in the order in which it is written.
  private(set) var tenants: [Tenant] = []
  /// The buffers, alive from one kernel to another.
  private(set) var problem: PlacementProblem
  /// Values that live outside the arena.
  private var fixed: [ValueID: Storage] = [:]
  private var finalCopies: [FinalCopy] = []

  /// Finds the lifetimes of all buffers. O(ops + operands).
  init(_ function: Function, target: Target) throws(Diagnostic) {
    self.function = function
    order = KernelOrder(function)
    problem = try PlacementProblem(buffers: [], alignmentBytes: arenaAlignmentBytes)
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
    startLoopsInResults(lastUse, copied: atEnd)
    var tenant: [ValueID: Int] = [:]
    for (step, kernel) in order.kernels.enumerated() {
      let first = tenants.count
      for value in kernel.writes where fixed[value] == nil {
        let size = alignedBytes(function.type(of: value).sizeBytes)
        // An empty tensor needs an address, but no room.
        if size == 0 {
          fixed[value] = .arena(offset: 0)
          continue
        }
        let last = atEnd.contains(value) ? end : max(step, lastUse[value] ?? step)
        tenant[value] = tenants.count
        tenants.append(
          Tenant(
            content: .value(value),
            life: PlacementProblem.Buffer(
              name: function.name(of: value, in: kernel), lower: step, upper: last + 1,
              sizeBytes: size),
            buffer: -1))
      }
      let scratch = alignedBytes(scratchBytes(of: kernel.op, in: function, target: target))
      if scratch > 0 {
        tenants.append(
          Tenant(
            content: .scratch(kernel.op),
            life: PlacementProblem.Buffer(
              name: "scratch.\(function.kernelName(kernel))", lower: step, upper: step + 1,
              sizeBytes: scratch),
            buffer: -1))
      }
      var dying = [Int?](repeating: nil, count: kernel.reads.count)
      for (place, value) in kernel.reads.enumerated() {
        if let old = tenant[value], tenants[old].life.upper == step + 1 { dying[place] = old }
      }
      writeInPlace(kernel, first: first, dying)
    }
    try findBuffers()
  }

  /// Puts what a loop starts with into the buffer of the result that it ends in, where nothing else
  /// needs it.
  private mutating func startLoopsInResults(_ lastUse: [ValueID: Int], copied: Set<ValueID>) {
    for (step, kernel) in order.kernels.enumerated().reversed()
    where function.ops[kernel.op].opcode == .while {
      for pair in function.inPlaceOutputs(of: kernel, order: order) {
        let start = kernel.reads[pair.input]
        guard case .result(let index)? = fixed[kernel.writes[pair.output]], fixed[start] == nil,
          lastUse[start] == step, !copied.contains(start), function.isKernelOutput(start)
        else { continue }
        fixed[start] = .result(index)
      }
    }
  }

  /// Gives every tenant the buffer of the one that it is written over, or one of its own.
  private mutating func findBuffers() throws(Diagnostic) {
    var buffers: [PlacementProblem.Buffer] = []
    for index in tenants.indices {
      if let predecessor = tenants[index].predecessor {
        tenants[index].buffer = tenants[predecessor].buffer
        buffers[tenants[index].buffer].upper = tenants[index].life.upper
      } else {
        tenants[index].buffer = buffers.count
        buffers.append(tenants[index].life)
      }
    }
    problem = try PlacementProblem(buffers: buffers, alignmentBytes: arenaAlignmentBytes)
  }

  /// The same where values that are written in place get a buffer of their own wherever old and new
  /// value fit beside each other without raising the peak; nil where that changes nothing.
  ///
  /// A chain of values over each other is one buffer with a long life, for which a packer may not
  /// find a place: several with short lives are easier.
  func cuttingChains() throws(Diagnostic) -> StorageAssignment? {
    var live = problem.liveBytes(steps: order.kernels.count + 1)
    let peak = problem.maxLiveBytes
    var result = self
    var isChanged = false
    for index in tenants.indices {
      guard let old = tenants[index].predecessor else { continue }
      let step = tenants[index].life.lower
      guard live[step] + tenants[index].life.sizeBytes <= peak else { continue }
      live[step] += tenants[index].life.sizeBytes
      result.tenants[index].predecessor = nil
      result.tenants[old].successor = nil
      isChanged = true
    }
    guard isChanged else { return nil }
    try result.findBuffers()
    return result
  }

  /// Puts the values of a kernel, tenants from `first` on, over those that die in it: `dying` has the
  /// tenant of each value that the kernel reads for the last time.
  private mutating func writeInPlace(_ kernel: Kernel, first: Int, _ dying: [Int?]) {
    let sizes = Set(dying.compactMap { $0.map { tenants[$0].life.sizeBytes } })
    guard tenants[first...].contains(where: { sizes.contains($0.life.sizeBytes) }) else { return }
    for pair in function.inPlaceOutputs(of: kernel, order: order) {
      let value = kernel.writes[pair.output]
      guard let old = dying[pair.input], tenants[old].successor == nil,
        let new = tenants.indices.dropFirst(first).first(where: {
          tenants[$0].content == .value(value)
        }), tenants[new].predecessor == nil,
        tenants[new].life.sizeBytes == tenants[old].life.sizeBytes
      else { continue }
      tenants[new].predecessor = old
      tenants[old].successor = new
    }
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
    for tenant in tenants {
      let offset = offsets.offsets[tenant.buffer]
      switch tenant.content {
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
