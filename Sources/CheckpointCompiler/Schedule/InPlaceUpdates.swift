// Which results replace the argument they update in its own buffer, and the order that this needs.
//
// A new parameter or state may be written over the old one if the kernel that makes it has read the old
// one there before, and if no later kernel reads the old one. The first is the rule of
// `InPlaceOutputs`. The second is a matter of the order: the kernel sinks below the readers before
// planning, and the planner is told which kernels may not run after it.

/// The updates of a function that can be done in place.
struct InPlaceUpdates: Sendable {
  /// One update in place.
  struct Update: Sendable {
    /// Index of the argument.
    var argument: Int
    /// The root of the result.
    var value: ValueID
    /// Position of the kernel that writes it.
    var kernel: Int
    /// Positions of the other kernels that read the argument.
    var readers: [Int]
  }

  /// The updates, in the order of the results.
  private(set) var updates: [Update] = []

  /// Finds the updates whose kernel allows it. Whether the order does is not asked.
  init(_ function: Function, _ order: KernelOrder) {
    var kernelOf: [ValueID: Int] = [:]
    for (position, kernel) in order.kernels.enumerated() {
      for value in kernel.writes { kernelOf[value] = position }
    }
    var readersOf: [ValueID: [Int]] = [:]
    for argument in function.arguments where argument.role == .state || argument.role == .parameter
    { readersOf[argument.value] = [] }
    for (position, kernel) in order.kernels.enumerated() {
      for value in kernel.reads where readersOf[value] != nil {
        readersOf[value]!.append(position)
      }
    }
    let returned = function.returnedValues.map { order.root[$0] }
    func mayOverwrite(_ argument: ValueID, with value: ValueID, in kernel: Kernel) -> Bool {
      guard let input = kernel.reads.firstIndex(of: argument) else { return true }
      let output = kernel.writes.firstIndex(of: value)!
      return function.inPlaceOutputs(of: kernel, order: order)
        .contains(InPlaceOutput(output: output, input: input))
    }
    var timesReturned: [ValueID: Int] = [:]
    for value in returned { timesReturned[value, default: 0] += 1 }
    for (result, value) in zip(function.results, returned) {
      guard case .update(let index) = result.role else { continue }
      let argument = function.arguments[index].value
      // A value that is returned twice, or an old value that is returned, needs a buffer of its own.
      guard let kernel = kernelOf[value], timesReturned[value] == 1, timesReturned[argument] == nil,
        mayOverwrite(argument, with: value, in: order.kernels[kernel])
      else { continue }
      updates.append(
        Update(
          argument: index, value: value, kernel: kernel,
          readers: (readersOf[argument] ?? []).filter { $0 != kernel }))
    }
  }
}

/// The function with every updating kernel below the last reader of what it overwrites, and with the
/// copies of `copyingUpdates`.
///
/// - Complexity: O(ops + operands).
func sinkingUpdates(_ function: Function) -> Function {
  let order = KernelOrder(function)
  let updates = InPlaceUpdates(function, order)
  let read = Set(order.kernels.flatMap(\.reads))
  var sunk: Set<OpID> = []
  var after: [OpID: [OpID]] = [:]
  for update in updates.updates {
    guard let last = update.readers.max(), last > update.kernel else { continue }
    let op = order.kernels[update.kernel].op
    // Only what nobody waits for can sink.
    guard read.isDisjoint(with: order.kernels[update.kernel].writes) else { continue }
    sunk.insert(op)
    after[order.kernels[last].op, default: []].append(op)
  }
  var builder = FunctionBuilder(name: function.name)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  var pending: [OpID] = []
  func cloneSunk(_ ops: [OpID]) {
    var queue = ops
    while let op = queue.popLast() {
      builder.clone(op, of: function, map: &map)
      queue += after[op] ?? []
    }
  }
  for op in function.blocks[function.body].ops {
    if function.ops[op].opcode == .return { break }
    if sunk.contains(op) {
      pending.append(op)
      continue
    }
    // A view of a sunk result can only be returned, so that it may stand last.
    if function.operands(of: op).contains(where: { map[$0] == nil }) {
      pending.append(op)
      continue
    }
    builder.clone(op, of: function, map: &map)
    if let ops = after[op] { cloneSunk(ops) }
  }
  for op in pending where function.results(of: op).contains(where: { map[$0] == nil }) {
    builder.clone(op, of: function, map: &map)
  }
  builder.setGradientFunction(function.gradientFunction)
  return copyingUpdates(
    builder.finish(
      returning: function.returnedValues.map { map[$0]! }, as: function.results))
}

/// The function with a copy of every argument that becomes the new value of another: the last kernels,
/// so that the old values can be overwritten after them.
///
/// - Complexity: O(ops + operands).
func copyingUpdates(_ function: Function) -> Function {
  let order = KernelOrder(function)
  func isOtherArgument(_ value: ValueID, _ result: FunctionResult) -> Bool {
    guard case .update(let index) = result.role,
      case .argument(let source) = function.values[order.root[value]].definition
    else { return false }
    return source != index
  }
  let pairs = Array(zip(function.returnedValues, function.results))
  guard pairs.contains(where: { isOtherArgument($0, $1) }) else { return function }
  var builder = FunctionBuilder(name: function.name)
  var map = ValueMap(for: function)
  builder.cloneArguments(of: function, into: &map)
  for op in function.blocks[function.body].ops.dropLast() {
    builder.clone(op, of: function, map: &map)
  }
  let returned = pairs.map { value, result in
    guard isOtherArgument(value, result) else { return map[value]! }
    let type = function.type(of: value)
    return builder.emit(
      .broadcastInDim, [map[value]!], [.dims: .ints(Array(0..<type.rank))], type: type,
      name: "\(result.name).copy")
  }
  builder.setGradientFunction(function.gradientFunction)
  return builder.finish(returning: returned, as: function.results)
}
