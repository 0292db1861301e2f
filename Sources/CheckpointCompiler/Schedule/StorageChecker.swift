// Checks a storage plan against the final function, without looking at how it was made.
//
// Method      Runs the kernels in order on a model of the memory that knows which value each byte
//             range holds. A kernel may run if every value that it reads is whole at its place. What
//             it writes erases whatever it overlaps; afterwards its inputs, its outputs and its
//             scratch must all be whole, so that none of them overlap. At the end every result must
//             be whole in its buffer.
// In place    The exception: an input that one output has replaced at exactly its place, if the loops
//             of the kernel prove that they read every element before they write it. The input is
//             gone then, and no later kernel may read it.
// Cost        O(kernels · log n), and the moves of a sorted array of n ranges, n values in the arena.

/// Finds the first violation of a storage plan.
struct StorageChecker {
  private let function: Function
  private let plan: StoragePlan
  private let order: KernelOrder
  private let target: Target
  private var arena = ArenaMap()
  private var isWhole: Table<ValueID, Bool>
  /// What the kernel at hand has erased, and the value that did it; nil for scratch.
  private var erasedBy: [ValueID: ValueID?] = [:]
  /// The last kernel whose loops were asked.
  private var lowered: LoweredKernel?
  /// The value that the buffer of each argument and of each result holds.
  private var argumentHolder: [ValueID?]
  private var resultHolder: [ValueID?]
  /// The highest byte of the arena that any kernel touches, plus one.
  private(set) var highWaterBytes = 0

  /// A checker of one plan.
  init(_ function: Function, _ plan: StoragePlan, target: Target) {
    self.function = function
    self.plan = plan
    self.target = target
    order = KernelOrder(function)
    isWhole = Table(repeating: false, count: function.values.count)
    argumentHolder = function.arguments.map(\.value)
    resultHolder = Array(repeating: nil, count: function.results.count)
    for argument in function.arguments { isWhole[argument.value] = true }
  }

  /// Throws a diagnostic that names the kernel and the value of the first violation.
  mutating func check() throws(Diagnostic) {
    for kernel in order.kernels {
      let name = function.kernelName(kernel)
      erasedBy.removeAll(keepingCapacity: true)
      for value in kernel.reads { try requireWhole(value, "'\(name)' reads") }
      let scratch = scratchBytes(of: kernel.op, in: function, target: target)
      if scratch > 0 {
        try write(nil, at: plan.scratch[kernel.op], size: scratch, "the scratch of '\(name)'")
      }
      for value in kernel.writes { try write(value) }
      for value in kernel.reads where !isReplaced(value, by: kernel) {
        try requireWhole(value, "'\(name)' overwrites")
      }
      for value in kernel.writes { try requireWhole(value, "'\(name)' overwrites its own") }
      if scratch > 0, !arena.holdsScratch(at: plan.scratch[kernel.op]) {
        throw Diagnostic("'\(name)' overwrites its own scratch")
      }
    }
    for copy in plan.finalCopies {
      try requireWhole(copy.from, "a result is copied from")
      hold(order.root[copy.from], in: copy.to)
    }
    for (index, value) in function.returnedValues.enumerated() where !isEmpty(value) {
      let root = order.root[value]
      let holder: ValueID? =
        if case .update(let argument) = function.results[index].role {
          argumentHolder[argument]
        } else {
          resultHolder[index]
        }
      guard holder == root else {
        throw Diagnostic("the result %\(function.results[index].name) is not in its buffer")
      }
    }
  }

  private func isEmpty(_ value: ValueID) -> Bool { function.type(of: value).elementCount == 0 }

  /// Whether a kernel has written a value over one that it reads, and reads each element in time.
  private mutating func isReplaced(_ value: ValueID, by kernel: Kernel) -> Bool {
    guard case .some(.some(let other)) = erasedBy[value], kernel.writes.contains(other),
      plan.storage[other] == plan.storage[value]
    else { return false }
    let lowered =
      if let lowered, lowered.op == kernel.op {
        lowered
      } else {
        LoweredKernel(function, kernel, order: order)
      }
    self.lowered = lowered
    return lowered.mayOverwrite(value, with: other)
  }

  private func requireWhole(_ value: ValueID, _ action: String) throws(Diagnostic) {
    if case .constantData? = plan.storage[value] { return }
    guard isWhole[value] || isEmpty(value) else {
      throw Diagnostic(
        "\(action) %\(function.values[value].name), which is not whole in memory")
    }
  }

  private mutating func write(_ value: ValueID) throws(Diagnostic) {
    let name = "%\(function.values[value].name)"
    guard let storage = plan.storage[value] else { throw Diagnostic("\(name) has no storage") }
    if case .arena(let offset) = storage {
      try write(value, at: offset, size: function.type(of: value).sizeBytes, name)
    } else {
      hold(value, in: storage)
    }
    isWhole[value] = true
  }

  /// Puts a value, or scratch, at a place in the arena.
  private mutating func write(
    _ value: ValueID?, at offset: Int, size: Int, _ what: String
  ) throws(Diagnostic) {
    guard size > 0 else { return }
    guard offset >= 0, offset + size <= plan.arenaBytes, offset % plan.alignment == 0 else {
      throw Diagnostic("\(what) is at \(offset) of an arena of \(plan.arenaBytes) bytes")
    }
    highWaterBytes = max(highWaterBytes, offset + size)
    for erased in arena.replace(offset..<offset + size, with: value) { erase(erased, by: value) }
  }

  private mutating func erase(_ value: ValueID, by other: ValueID?) {
    // Who comes second has not replaced it, but what replaced it.
    if isWhole[value] { erasedBy.updateValue(other, forKey: value) }
    isWhole[value] = false
  }

  /// Puts a value into a buffer of the caller.
  private mutating func hold(_ value: ValueID, in storage: Storage) {
    switch storage {
    case .argument(let index):
      if let old = argumentHolder[index] { erase(old, by: value) }
      argumentHolder[index] = value
    case .result(let index):
      if let old = resultHolder[index] { erase(old, by: value) }
      resultHolder[index] = value
    case .arena, .constantData: break
    }
  }
}

/// Which value each range of the arena holds: disjoint ranges, sorted.
private struct ArenaMap {
  private var starts: [Int] = []
  private var ends: [Int] = []
  private var values: [ValueID?] = []

  /// Puts a value at a range and returns the values that it overlaps, which are gone.
  mutating func replace(_ range: Range<Int>, with value: ValueID?) -> [ValueID] {
    let first = partition(ends) { $0 > range.lowerBound }
    var last = first
    while last < starts.count, starts[last] < range.upperBound { last += 1 }
    let erased = values[first..<last].compactMap { $0 }
    starts.replaceSubrange(first..<last, with: CollectionOfOne(range.lowerBound))
    ends.replaceSubrange(first..<last, with: CollectionOfOne(range.upperBound))
    values.replaceSubrange(first..<last, with: CollectionOfOne(value))
    return erased
  }

  /// Whether scratch lies untouched at an offset.
  func holdsScratch(at offset: Int) -> Bool {
    let place = partition(ends) { $0 > offset }
    return place < starts.count && starts[place] == offset && values[place] == nil
  }

  /// The first index whose element satisfies a predicate that is false, then true.
  private func partition(_ elements: [Int], _ predicate: (Int) -> Bool) -> Int {
    var low = 0
    var high = elements.count
    while low < high {
      let middle = (low + high) / 2
      if predicate(elements[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
