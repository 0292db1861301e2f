// What proves a lower bound, as plain numbers that a simple routine can go through again.

/// A proof that no schedule within a budget costs less than some number.
///
/// Some nodes, the moments, run first in a known order and so cut every schedule into stages. Cases
/// say of some nodes whether they run again after the stages in which they may run first; every
/// schedule falls under one case. For each case there are prices: of a byte at each moment, and of
/// the inputs of runs. `BoundChecker` says what they prove.
public struct BoundCertificate: Sendable, Equatable {
  /// The price of one input of the runs of a node in one stage.
  public struct InputPrice: Sendable, Equatable {
    /// The node that runs.
    public var node: Int
    /// The stage.
    public var stage: Int
    /// The value read.
    public var input: RematProblem.Input
    /// What a run pays for it.
    public var price: Double
  }

  /// The part of the cost of a run that one of several outputs pays.
  public struct OutputWeight: Sendable, Equatable {
    /// The node that runs.
    public var node: Int
    /// The stage.
    public var stage: Int
    /// The output.
    public var output: Int
    /// Its part, in proportion to those of the other outputs.
    public var weight: Double
  }

  /// What a case says about a node.
  public struct Decision: Sendable, Equatable {
    /// The node.
    public var node: Int
    /// Whether it runs again.
    public var runsAgain: Bool
  }

  /// One case.
  public struct Case: Sendable, Equatable {
    /// What it says, in the order in which cases were split.
    public var decisions: [Decision] = []
    /// Price of a byte at each moment.
    public var bytePrices: [Double] = []
    /// Prices of inputs that are not zero.
    public var inputPrices: [InputPrice] = []
    /// Weights of outputs that are not zero.
    public var outputWeights: [OutputWeight] = []
  }

  /// The budget of the schedules that it is about.
  public var budgetBytes: Int
  /// Whether first runs are in the order of the problem's nodes.
  public var keepsOrder: Bool
  /// The moments, in the order of their first runs.
  public var moments: [Int]
  /// The cases.
  public var cases: [Case]
  /// The bound on the cost that they prove.
  public var cost: Double
}

extension StagedDual {
  /// A case of a certificate with the given prices.
  func certificateCase(
    _ decided: [(node: Int, decision: RerunDecision)], _ multipliers: StagedMultipliers
  ) -> BoundCertificate.Case {
    let graph = relaxation.graph
    var item = BoundCertificate.Case()
    item.decisions = decided.map { .init(node: $0.node, runsAgain: $0.decision == .paid) }
    item.bytePrices = multipliers.bytePrice
    for node in 0..<graph.nodeCount {
      var slot = inputSlotStart[node]
      var weightSlot = outputSlotStart[node]
      for stage in relaxation.runStages[node] {
        for input in graph.inputRange(of: node) {
          if multipliers.inputPrice[slot] > 0 {
            let value = Int(graph.inputValues[input])
            let maker = Int(graph.valueNode[value])
            item.inputPrices.append(
              .init(
                node: node, stage: Int(stage),
                input: .init(node: maker, output: value - Int(graph.outputStart[maker])),
                price: multipliers.inputPrice[slot]))
          }
          slot += 1
        }
        for output in 0..<graph.outputs(of: node).count {
          if multipliers.outputWeight[weightSlot] > 0 {
            item.outputWeights.append(
              .init(
                node: node, stage: Int(stage), output: output,
                weight: multipliers.outputWeight[weightSlot]))
          }
          weightSlot += 1
        }
      }
    }
    return item
  }
}
