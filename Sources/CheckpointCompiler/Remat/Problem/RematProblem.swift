// The planning problem on plain numbers: what each node costs, makes, reads and needs.
//
// Problem     Run every node at least once so that the memory in use never exceeds a budget, and
//             pay as little as possible for running nodes again.
// Memory      While a node runs: every resident value (its inputs among them), all its outputs
//             and its scratch; an output written over an input that dies there counts once.
// Invariants  Nodes stand in a topological order; byte counts add up without overflow.

/// A graph of costs and sizes to be scheduled under a byte budget.
public struct RematProblem: Sendable, Equatable {
  /// One output of a node, as another node reads it.
  public struct Input: Sendable, Hashable {
    /// Position of the producing node.
    public var node: Int
    /// Position among the outputs of that node.
    public var output: Int

    /// Output `output` of node `node`.
    public init(node: Int, output: Int = 0) {
      self.node = node
      self.output = output
    }
  }

  /// An output that may be written over an input of the same size.
  public struct Overwrite: Sendable, Hashable {
    /// Positions are below this number.
    public static let positionsMax = 64
    /// Position among the outputs of the node.
    public var output: Int
    /// Position among the inputs of the node.
    public var input: Int

    /// Output `output` may take the place of input `input`.
    public init(output: Int, input: Int) {
      self.output = output
      self.input = input
    }
  }

  /// One unit of work.
  public struct Node: Sendable, Equatable {
    /// Name in messages.
    public var name: String
    /// Cost of one run; finite and not negative.
    public var cost: Double
    /// Size of every output.
    public var outputBytes: [Int]
    /// The values it reads.
    public var inputs: [Input]
    /// Memory in use while it runs, beyond inputs and outputs.
    public var scratchBytes: Int
    /// Per output: it must be resident at the end. Shorter than the outputs means `false`.
    public var keep: [Bool]
    /// It runs exactly once.
    public var isOnce: Bool
    /// A class that the strategy `cheap` uses; nil lets it judge by cost per byte.
    public var isCheap: Bool?
    /// Nodes that may not run any more once this node has run, because it overwrites what they read.
    public var invalidates: [Int]
    /// Which outputs may take the place of which inputs. In a run whose input is not needed after it,
    /// the first pair listed that shares neither output nor input with one before it is used, and
    /// the memory of that output is not counted beside that of the input.
    public var overwrites: [Overwrite]

    /// A node; everything but its cost, outputs and inputs has a plain default.
    public init(
      name: String = "", cost: Double, outputBytes: [Int], inputs: [Input] = [],
      scratchBytes: Int = 0, keep: [Bool] = [], isOnce: Bool = false, isCheap: Bool? = nil,
      invalidates: [Int] = [], overwrites: [Overwrite] = []
    ) {
      self.name = name
      self.cost = cost
      self.outputBytes = outputBytes
      self.inputs = inputs
      self.scratchBytes = scratchBytes
      self.keep = keep
      self.isOnce = isOnce
      self.isCheap = isCheap
      self.invalidates = invalidates
      self.overwrites = overwrites
    }

    /// Whether an output must be resident at the end.
    public func keeps(_ output: Int) -> Bool { output < keep.count && keep[output] }
  }

  /// The nodes in a topological order.
  public let nodes: [Node]
  /// The budget that a file names, if it names one.
  public var budgetBytes: Int?

  /// A checked problem.
  ///
  /// - Throws: The first rule that a node breaks, with the node's position and name.
  public init(nodes: [Node], budgetBytes: Int? = nil) throws(Diagnostic) {
    try self.init(nodes: nodes, budgetBytes: budgetBytes, locations: [])
  }

  /// A checked problem whose diagnostics point at `locations`, one per node, where known.
  init(nodes: [Node], budgetBytes: Int?, locations: [SourceLocation]) throws(Diagnostic) {
    var totals = Totals()
    for index in nodes.indices {
      if let message = Self.firstViolation(of: nodes[index], at: index, in: nodes, &totals) {
        throw Diagnostic(
          "node \(index)\(Self.quoted(nodes[index].name)): \(message)",
          at: index < locations.count ? locations[index] : .unknown)
      }
    }
    if let budget = budgetBytes, budget < 0 {
      throw Diagnostic("the budget is negative: \(budget)")
    }
    self.nodes = nodes
    self.budgetBytes = budgetBytes
  }

  /// The name as messages show it: in quotes after a space, or nothing.
  static func quoted(_ name: String) -> String { name.isEmpty ? "" : " '\(name)'" }

  /// What has been added up so far.
  private struct Totals {
    /// Largest totals that a problem may have, so that no sum over its runs overflows.
    static let bytesMax = Int.max / 8
    static let costMax = 1e300

    var bytes = 0
    var cost = 0.0
  }

  private static func firstViolation(
    of node: Node, at index: Int, in nodes: [Node], _ totals: inout Totals
  ) -> String? {
    guard node.cost.isFinite, node.cost >= 0 else {
      return "its cost is not a number of at least zero: \(node.cost)"
    }
    totals.cost += node.cost
    if totals.cost > Totals.costMax { return "the costs up to here exceed \(Totals.costMax)" }
    if node.outputBytes.isEmpty { return "it has no output" }
    for bytes in node.outputBytes + [node.scratchBytes] {
      if bytes < 0 { return "a size is negative: \(bytes)" }
      let (sum, overflow) = totals.bytes.addingReportingOverflow(bytes)
      if overflow || sum > Totals.bytesMax { return "the sizes up to here exceed 2^60 bytes" }
      totals.bytes = sum
    }
    if node.keep.count > node.outputBytes.count {
      return "'keep' has \(node.keep.count) entries for \(node.outputBytes.count) outputs"
    }
    for input in node.inputs {
      if input.node < 0 || input.node >= nodes.count {
        return "it reads node \(input.node), which does not exist"
      }
      if input.node >= index {
        return "it reads node \(input.node), which does not stand before it"
      }
      let outputCount = nodes[input.node].outputBytes.count
      if input.output < 0 || input.output >= outputCount {
        return "it reads output \(input.output) of node \(input.node), which has \(outputCount)"
      }
    }
    for other in node.invalidates where other < 0 || other >= index {
      return "it invalidates node \(other), which does not stand before it"
    }
    for pair in node.overwrites {
      if !node.outputBytes.indices.contains(pair.output) {
        return "'overwrites' names output \(pair.output) of \(node.outputBytes.count)"
      }
      if !node.inputs.indices.contains(pair.input) {
        return "'overwrites' names input \(pair.input) of \(node.inputs.count)"
      }
      if max(pair.output, pair.input) >= Overwrite.positionsMax {
        return "'overwrites' names a position of \(Overwrite.positionsMax) or more"
      }
      let input = node.inputs[pair.input]
      if node.outputBytes[pair.output] != nodes[input.node].outputBytes[input.output] {
        return "'overwrites' pairs output \(pair.output) with an input of another size"
      }
    }
    return nil
  }
}
