// A plan that outlives its compilation: what it is, and whether it fits a graph.

/// The order in which the kernels of a step run, as it is saved to a file.
public struct SavedPlan: Sendable, Hashable {
  /// The key of every kernel, in the order before planning: it tells whether a plan fits a graph.
  public var kernels: [String]
  /// The positions of the kernels in the order in which they run, recomputations included.
  public var order: [Int]

  /// A plan.
  public init(kernels: [String], order: [Int]) {
    self.kernels = kernels
    self.order = order
  }
}

extension SavedPlan {
  /// The plan of a compilation that was planned from an unplanned text.
  public init?(_ compilation: Compilation) {
    guard let priced = compilation.priced, let step = compilation.step else { return nil }
    self.init(kernels: SavedPlan.keys(priced), order: step.computations)
  }

  private static func keys(_ priced: PricedFunction) -> [String] {
    priced.order.kernels.map { kernelKey($0.op, in: priced.function) }
  }

  /// The variant of the kernels that the plan was made for, and their order, once it is known to be a
  /// plan for them; the error tells about the first variant.
  func order(
    forOneOf variants: [PricedFunction]
  ) throws(CompileError) -> (variant: Int, order: [Int]) {
    let fitting = variants.firstIndex { SavedPlan.keys($0) == kernels } ?? 0
    return (fitting, try order(for: variants[fitting]))
  }

  /// The order of the kernels of a problem, once it is known to be a plan for it.
  private func order(for priced: PricedFunction) throws(CompileError) -> [Int] {
    func refuse(_ message: String) -> CompileError {
      .input(DiagnosticList([Diagnostic("the plan does not fit the graph: \(message)")]))
    }
    let keys = SavedPlan.keys(priced)
    guard kernels.count == keys.count else {
      throw refuse("it has \(kernels.count) kernels, the graph \(keys.count)")
    }
    for (saved, (own, kernel)) in zip(kernels, zip(keys, priced.order.kernels)) where saved != own {
      throw refuse("it has \(saved) for %\(priced.function.kernelName(kernel)), which is \(own)")
    }
    var runs = Array(repeating: 0, count: keys.count)
    for node in order {
      guard runs.indices.contains(node) else { throw refuse("there is no kernel \(node)") }
      let spec = priced.problem.nodes[node]
      for input in spec.inputs where runs[input.node] == 0 {
        throw refuse("kernel \(node) runs before kernel \(input.node), which it reads")
      }
      if spec.isOnce, runs[node] > 0 {
        throw refuse("kernel \(node) updates a parameter or state twice")
      }
      runs[node] += 1
    }
    if let missing = runs.firstIndex(of: 0) { throw refuse("kernel \(missing) does not run") }
    return order
  }
}
