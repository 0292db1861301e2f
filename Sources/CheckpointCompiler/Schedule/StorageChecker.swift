// Checks a storage plan against the final function, without looking at how it was made.
//
// Method      Runs the kernels in order on a model of the memory that knows, for every byte range,
//             which value was written there last. A kernel may run if each value that it reads is
//             whole at its place; what it writes erases everything it overlaps. At the end every
//             result must be whole in its buffer.
// Cost        O(kernels · values in memory at once).

/// Finds the first violation of a storage plan.
struct StorageChecker {
  /// A range of one of the memories: the arena, or one of the caller's buffers.
  private struct Place: Hashable {
    enum Memory: Hashable { case arena, argument(Int), result(Int), constant }
    var memory: Memory
    var range: Range<Int>
  }

  private let function: Function
  private let plan: StoragePlan
  private let order: KernelOrder
  private let target: Target
  private var held: [(place: Place, value: ValueID)] = []
  /// The highest byte of the arena that any kernel touches, plus one.
  private(set) var highWaterBytes = 0

  /// A checker of one plan.
  init(_ function: Function, _ plan: StoragePlan, target: Target) {
    self.function = function
    self.plan = plan
    self.target = target
    order = KernelOrder(function)
  }

  /// Throws a diagnostic that names the kernel and the value of the first violation.
  mutating func check() throws(Diagnostic) {
    for argument in function.arguments {
      held.append((try place(argument.value), argument.value))
    }
    for kernel in order.kernels {
      let name = function.kernelName(kernel)
      for value in kernel.reads { try requireWhole(value, readBy: name) }
      var own: [Place] = []
      let scratch = scratchBytes(of: kernel.op, in: function, target: target)
      if scratch > 0 {
        let start = plan.scratch[kernel.op]
        let place = Place(memory: .arena, range: start..<start + scratch)
        try requireInside(place, "the scratch of '\(name)'")
        erase(place)
        own.append(place)
        // What the kernel reads must survive its own scratch.
        for value in kernel.reads { try requireWhole(value, readBy: name) }
      }
      let before = held
      for value in kernel.writes {
        let place = try place(value)
        try requireInside(place, "%\(function.values[value].name)")
        if let other = own.first(where: { overlaps($0, place) }) {
          throw Diagnostic("two outputs of '\(name)' share \(other.range) of the arena")
        }
        for (old, reader) in before
        where overlaps(old, place) && kernel.reads.contains(reader) && !isInPlace(old, place) {
          throw Diagnostic("'\(name)' overwrites %\(function.values[reader].name), which it reads")
        }
        own.append(place)
        erase(place)
        held.append((place, value))
      }
    }
    try checkResults()
  }

  private mutating func checkResults() throws(Diagnostic) {
    for copy in plan.finalCopies {
      try requireWhole(copy.from, readBy: "the copy of a result")
      let target = try self.place(copy.from)
      let size = target.range.count
      let destination = Place(memory: memory(copy.to), range: 0..<size)
      erase(destination)
      held.append((destination, copy.from))
    }
    for (index, value) in function.returnedValues.enumerated() {
      let root = order.root[value]
      let size = function.type(of: root).sizeBytes
      var memory = Place.Memory.result(index)
      if case .update(let argument) = function.results[index].role { memory = .argument(argument) }
      let expected = Place(memory: memory, range: 0..<size)
      guard size == 0 || held.contains(where: { $0.value == root && $0.place == expected }) else {
        throw Diagnostic("the result %\(function.results[index].name) is not in its buffer")
      }
    }
  }

  private func memory(_ storage: Storage) -> Place.Memory {
    switch storage {
    case .argument(let index): .argument(index)
    case .result(let index): .result(index)
    case .arena: .arena
    case .constantData: .constant
    }
  }

  private func place(_ value: ValueID) throws(Diagnostic) -> Place {
    if case .argument(let index) = function.values[value].definition {
      return Place(memory: .argument(index), range: 0..<function.type(of: value).sizeBytes)
    }
    guard let storage = plan.storage[value] else {
      throw Diagnostic("%\(function.values[value].name) has no storage")
    }
    let size = function.type(of: value).sizeBytes
    guard case .arena(let offset) = storage else {
      return Place(memory: memory(storage), range: 0..<size)
    }
    return Place(memory: .arena, range: offset..<offset + size)
  }

  private mutating func requireInside(_ place: Place, _ what: String) throws(Diagnostic) {
    guard place.memory == .arena, !place.range.isEmpty else { return }
    highWaterBytes = max(highWaterBytes, place.range.upperBound)
    guard place.range.lowerBound >= 0, place.range.upperBound <= plan.arenaBytes,
      place.range.lowerBound % plan.alignment == 0
    else { throw Diagnostic("\(what) is at \(place.range) of an arena of \(plan.arenaBytes)") }
  }

  private func requireWhole(_ value: ValueID, readBy kernel: String) throws(Diagnostic) {
    guard !function.type(of: value).shape.contains(0) else { return }
    let place = try place(value)
    guard place.memory != .constant else { return }
    guard held.contains(where: { $0.value == value && $0.place == place }) else {
      throw Diagnostic("'\(kernel)' reads %\(function.values[value].name), which is not in memory")
    }
  }

  private func overlaps(_ a: Place, _ b: Place) -> Bool {
    a.memory == b.memory && a.range.overlaps(b.range)
  }

  /// Whether a write over what is read is an update of an argument in its own buffer.
  private func isInPlace(_ old: Place, _ new: Place) -> Bool {
    if case .argument = new.memory { return old == new }
    return false
  }

  private mutating func erase(_ place: Place) {
    guard !place.range.isEmpty else { return }
    held.removeAll { overlaps($0.place, place) }
  }
}
