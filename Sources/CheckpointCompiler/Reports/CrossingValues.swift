// The values that the forward part hands to the backward part, and what the plan does with each.
//
// Turn        The kernel that makes the loss; in a graph without a loss, the kernel at which keeping
//             everything has its peak.
// Crossing    A value is written up to the turn and read after it. It is recomputed if its kernel
//             runs again in the plan, otherwise it is kept.

/// A value that is needed on both sides of the turn.
struct CrossingValue: Sendable, Equatable {
  /// What identifies it in every step of the compilation, as `PlannedStep.key` gives it.
  var key: String
  /// Its name, without `%`.
  var name: String
  /// Its size in the arena.
  var sizeBytes: Int
  /// Whether its kernel runs again.
  var isRecomputed: Bool
}

extension Compilation {
  /// The values that cross the turn, in the order in which they are made; empty before planning.
  var crossingValues: [CrossingValue] {
    guard let step else { return [] }
    guard let priced else { return step.crossingValuesByName }
    var runs = Array(repeating: 0, count: priced.order.kernels.count)
    for node in step.computations { runs[node] += 1 }
    let turn =
      priced.function.lossKernel(priced.order) ?? keepAll.map { $0.peakKernel } ?? runs.count
    return priced.storedValues(across: turn).map { place, name, size in
      CrossingValue(
        key: "\(place.node).\(place.output)", name: name, sizeBytes: size,
        isRecomputed: runs[place.node] > 1)
    }
  }

  /// The values that would wait in memory for the backward part if its kernels did not compute them
  /// anew in registers: names and sizes.
  var registerValues: [(name: String, sizeBytes: Int)] {
    guard let priced, let first = planner?.first.priced,
      let turn = first.function.lossKernel(first.order),
      let ownTurn = priced.function.lossKernel(priced.order)
    else { return [] }
    let stored = Set(priced.storedValues(across: ownTurn).map(\.name))
    return first.storedValues(across: turn).filter { !stored.contains($0.name) }
      .map { ($0.name, $0.sizeBytes) }
  }
}

extension PricedFunction {
  /// The values of the arena that a kernel up to `turn` writes and a later one reads.
  fileprivate func storedValues(
    across turn: Int
  ) -> [(place: RematProblem.Input, name: String, sizeBytes: Int)] {
    var lastReader: [ValueID: Int] = [:]
    for (node, kernel) in order.kernels.enumerated() {
      for value in kernel.reads { lastReader[value] = node }
    }
    var values: [(place: RematProblem.Input, name: String, sizeBytes: Int)] = []
    for (node, kernel) in order.kernels.enumerated().prefix(turn + 1) {
      for (output, value) in kernel.writes.enumerated() {
        let size = problem.nodes[node].outputBytes[output]
        guard size > 0, lastReader[value] ?? -1 > turn else { continue }
        values.append(
          (
            RematProblem.Input(node: node, output: output), function.reportName(value, kernel), size
          ))
      }
    }
    return values
  }
}

extension PlannedStep {
  /// The values that cross the turn of a step whose text was planned: clones are told by their name.
  fileprivate var crossingValuesByName: [CrossingValue] {
    let kernels = assignment.order.kernels
    let turn = function.lossKernel(assignment.order) ?? peakKernel
    // What only helps to make another value again is not needed by the backward part itself.
    let isNeeded = Set(
      kernels.filter { !function.isRecomputation($0.op) }.flatMap(\.reads))
    let again = Set(
      kernels.filter { function.isRecomputation($0.op) }.flatMap(\.writes)
        .filter { isNeeded.contains($0) }.map { originalName(function.values[$0].name) })
    var values: [CrossingValue] = []
    for tenant in assignment.tenants {
      let buffer = tenant.life
      guard case .value = tenant.content, buffer.lower <= turn else { continue }
      let name = outsideName(buffer.name)
      let isRecomputed = again.contains(name)
      guard isRecomputed || buffer.upper > turn + 1 else { continue }
      values.append(
        CrossingValue(
          key: name, name: name, sizeBytes: buffer.sizeBytes, isRecomputed: isRecomputed))
    }
    return values
  }

  /// What identifies a value of the arena, whichever run of its kernel made it: the kernel's
  /// position before planning and the place of the value, or its name where the text was planned.
  func key(of tenant: StorageAssignment.Tenant, byName: Bool) -> String? {
    guard case .value(let value) = tenant.content else { return nil }
    let buffer = tenant.life
    let kernel = assignment.order.kernels[buffer.lower]
    if byName {
      let isClone = function.isRecomputation(kernel.op)
      return isClone ? originalName(buffer.name) : outsideName(buffer.name)
    }
    let output = kernel.writes.firstIndex(of: value) ?? 0
    return "\(computations[buffer.lower]).\(output)"
  }

  /// The kernel at which most bytes are alive.
  var peakKernel: Int {
    let live = liveBytes
    return live.indices.max { live[$0] < live[$1] } ?? 0
  }

  /// The bytes alive while each kernel runs.
  var liveBytes: [Int] {
    Array(assignment.problem.liveBytes(steps: assignment.order.kernels.count + 1).dropLast())
  }
}

extension Function {
  /// The kernel that makes the loss; nil where there is no loss.
  func lossKernel(_ order: KernelOrder) -> Int? {
    for (result, value) in zip(results, returnedValues) where result.role == .loss {
      let root = order.root[value]
      return order.kernels.firstIndex { $0.writes.contains(root) }
    }
    return nil
  }

  /// Whether a kernel stands in a `recompute` region.
  func isRecomputation(_ op: OpID) -> Bool {
    var owner = blocks[ops[op].block].owner
    while let region = owner {
      if ops[region].opcode == .recompute { return true }
      owner = blocks[ops[region].block].owner
    }
    return false
  }

  /// The name of a value in reports: its own, or that of its kernel and its place among the results.
  func reportName(_ value: ValueID, _ kernel: Kernel) -> String {
    let name = values[value].name
    if !name.isEmpty { return name }
    let place = kernel.writes.firstIndex(of: value) ?? 0
    return kernelName(kernel) + (place == 0 ? "" : ".\(place)")
  }
}

/// The name of the value that a recomputed one was made from: `h3` for `h3.r2` and for `h3.r1.in`.
func originalName(_ name: String) -> String {
  var parts = outsideName(name).split(separator: ".", omittingEmptySubsequences: false)
  if parts.count > 1, let last = parts.last, last.first == "r",
    last.count > 1, last.dropFirst().allSatisfy(\.isNumber)
  {
    parts.removeLast()
  }
  return parts.joined(separator: ".")
}

/// The name outside its region of a value that leaves it: `h3` for `h3.in`.
func outsideName(_ name: String) -> String {
  name.hasSuffix(".in") && name.count > 3 ? String(name.dropLast(3)) : name
}
