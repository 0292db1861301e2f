// Texts that are planned already: the order of their ops is the plan.

extension Function {
  /// Whether the order of its ops is a plan: it or a callee holds `no_grad` or `recompute` regions.
  public var isPlanned: Bool {
    (callees + [self]).contains { function in
      function.ops.elements.contains { $0.opcode == .noGrad || $0.opcode == .recompute }
    }
  }
}

extension Compiler {
  /// Takes a planned step as it stands.
  func takePlannedText(
    _ step: Function, _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    try checkSchedule(step, &compilation)
    compilation.simplified = step
    compilation.grouped = step
    compilation.remarks += Compiler.ignoredByPlannedText(options)
    guard options.lastStage != .simplified, options.lastStage != .kernels else { return }
    let ready = try withRoutines(step, options: options, isTaken: true)
    try takePlan(of: copyingUpdates(ready), &compilation, &watch)
  }

  /// Takes the order of a text that holds `no_grad` or `recompute` regions as the plan.
  private func takePlan(
    of step: Function, _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    let order = KernelOrder(step)
    let costs = CostModel(target: options.target, measuredNs: options.measuredNs)
    let costNs = costs.timesNs(of: order, in: step).reduce(0, +)
    let planned = try Planner.place(
      step, computations: Array(order.kernels.indices), costNs: costNs, target: options.target,
      effort: options.effort, capacityBytes: nil)
    if case .bytes(let bytes) = options.budget {
      compilation.budgetBytes = bytes
    }
    if let bytes = compilation.budgetBytes, planned.arenaBytes > bytes {
      throw .budget(
        BudgetError(
          budgetBytes: bytes, minimumBytes: nil, neededBytes: planned.arenaBytes, kernel: "",
          resident: [], location: .unknown))
    }
    compilation.step = planned
    watch.lap("plan")
  }

  /// A warning for every planning option that a planned text does not leave open.
  private static func ignoredByPlannedText(_ options: CompileOptions) -> [Diagnostic] {
    var ignored: [String] = []
    switch options.budget {
    case .percent, .minimum: ignored.append("a relative budget")
    case .unlimited, .bytes: break
    }
    if options.strategy != .auto { ignored.append("the strategy '\(options.strategy.rawValue)'") }
    if !options.pins.isEmpty { ignored.append("a pin") }
    if options.maxOverhead != nil { ignored.append("a largest overhead") }
    return ignored.map {
      Diagnostic(
        "\($0) changes nothing: the graph holds 'no_grad' or 'recompute' regions and is planned",
        severity: .warning)
    }
  }
}
