// Why one value of a step is where it is: what it takes to hold it, and what it takes to make it again.
//
// Cases       Only what a kernel writes into the arena is kept or recomputed. Arguments and results
//             live in the caller's memory, constants in static data, values inside a fused kernel in
//             registers, views in the memory of another value; of these the explanation says so.

/// What a plan does with one value, and why.
public struct ValueExplanation: Sendable {
  /// What becomes of the value.
  public enum Decision: String, Sendable {
    /// It waits in memory from forward to backward.
    case kept
    /// It is dropped and made again.
    case recomputed
    /// The backward part does not need it.
    case shortLived
    /// It belongs to the backward part.
    case backward
    /// It is written into a buffer of the caller.
    case result
    /// It is an argument, in a buffer of the caller.
    case argument
    /// It is static data.
    case constant
    /// It exists inside a fused kernel only.
    case fused
    /// It shares the memory of another value.
    case view
    /// It was simplified away.
    case simplified
  }

  /// A run of kernels over which a value is in memory.
  public struct Life: Sendable, Equatable {
    /// The kernel that writes it.
    public var from: Int
    /// The last kernel that reads it.
    public var through: Int
  }

  /// Its name without `%`.
  public var name: String
  /// Its type, as the IR spells it.
  public var type: String
  /// Its size in bytes.
  public var sizeBytes: Int
  /// What becomes of it.
  public var decision: Decision
  /// The value whose memory it shares, or the kernel that it is a part of.
  public var related: String?
  /// The kernel that makes it, as its key; nil where none does.
  public var kernel: String?
  /// The predicted time of one run of that kernel, in nanoseconds.
  public var kernelCostNs = 0.0
  /// How often that kernel runs in the plan.
  public var runs = 0
  /// The kernels that read it, by the first value that they write, in the order of the graph.
  public var readers: [String] = []
  /// How many of them stand in the backward part.
  public var backwardReaders = 0
  /// Where it is in memory when everything is kept.
  public var keepAllLife: Life?
  /// Where it is in memory in the plan; several where it is made again.
  public var lives: [Life] = []
  /// The kernels that run when everything is kept, and in the plan.
  public var kernelCounts = (keepAll: 0, plan: 0)
}

extension Compilation {
  /// Explains a value of the step.
  ///
  /// - Parameter name: Its name, without `%`.
  /// - Returns: The explanation; nil before planning, and where the text was planned already.
  /// - Throws: A value that does not exist, with the closest name.
  public func explain(_ name: String) throws(Diagnostic) -> ValueExplanation? {
    guard let priced, let step, let keepAll, let differentiated else { return nil }
    let function = priced.function
    let names = function.valueNames
    guard let value = function.values.ids.first(where: { names[$0] == name }) else {
      let original = differentiated.valueNames
      guard let old = differentiated.values.ids.first(where: { original[$0] == name }) else {
        let known = names.elements + original.elements
        throw Diagnostic("no value %\(name)\(suggestion(for: name, among: known))")
      }
      return ValueExplanation(
        name: name, type: differentiated.type(of: old).description,
        sizeBytes: differentiated.type(of: old).sizeBytes, decision: .simplified)
    }
    var explanation = ValueExplanation(
      name: name, type: function.type(of: value).description,
      sizeBytes: function.type(of: value).sizeBytes, decision: .kept)
    let root = priced.order.root[value]
    if let fusion = function.fusion(around: value) {
      explanation.decision = .fused
      explanation.related = names[function.result(of: fusion)]
      return explanation
    }
    if root != value {
      explanation.decision = .view
      explanation.related = names[root]
      return explanation
    }
    guard let op = function.definingOp(of: value) else {
      explanation.decision = .argument
      return explanation
    }
    guard let node = priced.order.kernels.firstIndex(where: { $0.op == op }) else {
      explanation.decision = .constant
      return explanation
    }
    let kernel = priced.order.kernels[node]
    let output = kernel.writes.firstIndex(of: value) ?? 0
    let turn = function.lossKernel(priced.order) ?? keepAll.peakKernel
    explanation.kernel = kernelKey(kernel.op, in: function)
    explanation.kernelCostNs = priced.problem.nodes[node].cost
    explanation.runs = step.computations.count { $0 == node }
    for (place, reader) in priced.order.kernels.enumerated() where reader.reads.contains(value) {
      explanation.readers.append(function.kernelName(reader))
      if place > turn { explanation.backwardReaders += 1 }
    }
    let key = "\(node).\(output)"
    explanation.keepAllLife = keepAll.lives(ofKey: key).first
    explanation.lives = step.lives(ofKey: key)
    explanation.kernelCounts = (keepAll.computations.count, step.computations.count)
    if priced.problem.nodes[node].outputBytes[output] == 0 {
      explanation.decision = .result
    } else if explanation.runs > 1 {
      explanation.decision = .recomputed
    } else if node > turn {
      explanation.decision = .backward
    } else if explanation.backwardReaders == 0 {
      explanation.decision = .shortLived
    }
    return explanation
  }
}

extension PlannedStep {
  /// Where a value is in memory, as kernels of this step.
  fileprivate func lives(ofKey wanted: String) -> [ValueExplanation.Life] {
    assignment.tenants.filter { key(of: $0, byName: false) == wanted }.map {
      ValueExplanation.Life(
        from: $0.life.lower, through: min($0.life.upper, assignment.order.kernels.count) - 1)
    }
  }
}

extension Function {
  /// The fusion that a value is inside of; nil where there is none.
  fileprivate func fusion(around value: ValueID) -> OpID? {
    guard let op = definingOp(of: value), let owner = blocks[ops[op].block].owner,
      ops[owner].opcode == .fusion
    else { return nil }
    return owner
  }
}
