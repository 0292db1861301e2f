// The façade: a text and options in, a compilation or its errors out.
//
//   text ─ parse ─▶ Module ─ differentiate, update ─▶ Function ─ simplify ─▶ Function ─ group ─▶ Function
//     ─ price ─▶ RematProblem ─ solve ─▶ Schedule ─ rewrite ─▶ Function ─ pack ─▶ StoragePlan
//     ─ lower ─▶ KernelProgram ─ print ─▶ C

/// The results of every stage that has run.
public struct Compilation: Sendable {
  /// What was asked for.
  public let options: CompileOptions
  /// The texts, for rendering diagnostics.
  public internal(set) var sources: SourceMap
  /// Warnings.
  public internal(set) var remarks: [Diagnostic] = []
  /// After `parsed`.
  public internal(set) var module: Module
  /// After `differentiated`.
  public internal(set) var differentiated: Function?
  /// What every pass of simplification that changed something made, where the options ask for it.
  public internal(set) var passes: [(name: String, function: Function)] = []
  /// After `simplified`.
  public internal(set) var simplified: Function?
  /// After `kernels`.
  public internal(set) var grouped: Function?
  /// After `planned`: the step as it will run.
  public internal(set) var step: PlannedStep?
  /// After `planned`: the step that keeps everything.
  public internal(set) var keepAll: PlannedStep?
  /// What the planner answered; nil where the text was planned already.
  public internal(set) var solution: SolveResult?
  /// After `code`.
  public internal(set) var program: KernelProgram?
  /// After `code`: the header.
  public internal(set) var header = ""
  /// After `code`: the source.
  public internal(set) var source = ""
  /// The arena that was asked for, in bytes; nil where any is allowed.
  public internal(set) var budgetBytes: Int?
  /// Wall-clock seconds by stage, in the order of the stages.
  public internal(set) var seconds: [(stage: String, seconds: Double)] = []
  /// The kernels that were planned, as a problem.
  var priced: PricedFunction?
  /// The planner of the step, for more plans of it.
  var planner: VariantPlanner?

  /// The prefix of emitted names.
  public var name: String {
    let name = options.name ?? differentiated?.name ?? module.entryName
    return String(cIdentifier(name).prefix(Compilation.nameLengthMax))
  }

  /// The longest prefix of emitted names: files are named after it, and file names have a limit.
  package static let nameLengthMax = 100
}

/// The compiler.
public struct Compiler: Sendable {
  /// What is asked of every compilation.
  public var options: CompileOptions

  /// A compiler with the given options.
  public init(options: CompileOptions = CompileOptions()) { self.options = options }

  /// Compiles a text, IR or StableHLO, up to the last stage of the options.
  ///
  /// `sources` gets the text and the layers, so that the diagnostics of an error can be rendered;
  /// `fileName` is the name that they show.
  ///
  /// - Returns: The results of all stages.
  /// - Throws: Every error of the text, a budget that cannot be met, or a defect of ckc.
  public func compile(
    _ text: [UInt8], fileName: String, sources: inout SourceMap
  ) throws(CompileError) -> Compilation {
    var watch = Stopwatch()
    let module: Module
    do {
      module = try readGraph(
        text, name: fileName, sources: &sources, entry: options.entry, roles: options.roles)
    } catch {
      throw .input(error)
    }
    watch.lap("parse")
    var compilation = Compilation(options: options, sources: sources, module: module)
    defer { sources = compilation.sources }
    try run(&compilation, &watch)
    compilation.seconds = watch.laps
    return compilation
  }

  /// Compiles a module up to the last stage of the options.
  ///
  /// - Parameters:
  ///   - module: The functions.
  ///   - sources: The texts that their locations refer to.
  /// - Returns: The results of all stages.
  /// - Throws: Every error of the graph, a budget that cannot be met, or a defect of ckc.
  public func compile(
    _ module: Module, sources: SourceMap = SourceMap()
  ) throws(CompileError) -> Compilation {
    var watch = Stopwatch()
    var compilation = Compilation(options: options, sources: sources, module: module)
    try run(&compilation, &watch)
    compilation.seconds = watch.laps
    return compilation
  }

  private func run(
    _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    do {
      try runStages(&compilation, &watch)
    } catch {
      guard case .budget(var refusal) = error else { throw error }
      refusal.callLocation = compilation.module.callLocation(of: refusal)
      throw .budget(refusal)
    }
  }

  private func runStages(
    _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    if options.isForwardOnly { compilation.module = compilation.module.forwardPart }
    if options.isDoublePrecision { compilation.module = inDoublePrecision(compilation.module) }
    guard options.lastStage != .parsed else { return }
    let step = try differentiate(compilation.module, .stacked, &compilation.remarks)
    compilation.differentiated = step
    watch.lap("differentiate")
    guard options.lastStage != .differentiated else { return }

    // A plan is taken as it stands. Elsewhere fusions are dissolved and made anew.
    let fusionErrors = (step.callees + [step]).flatMap {
      step.isPlanned ? $0.fusionErrors() : $0.nestedFusionErrors()
    }
    if !fusionErrors.isEmpty { throw .input(DiagnosticList(fusionErrors)) }
    if step.isPlanned {
      try checkSchedule(step, &compilation)
      compilation.simplified = step
      compilation.grouped = step
      compilation.remarks += Compiler.ignoredByPlannedText(options)
      guard options.lastStage != .simplified, options.lastStage != .kernels else { return }
      let ready = try withRoutines(step, options: options, isTaken: true)
      try takePlan(of: copyingUpdates(ready), &compilation, &watch)
    } else {
      let simplified = CheckpointCompiler.simplified(step) { pass, function in
        if options.keepsPasses { compilation.passes.append((pass, function)) }
      }
      compilation.simplified = simplified
      watch.lap("simplify")
      guard options.lastStage != .simplified else { return }
      try checkSchedule(simplified, &compilation)
      // A strategy by name plans what everybody would; a saved plan may be one of any variant.
      let hasVariants =
        options.lastStage != .kernels && (options.strategy == .auto || options.plan != nil)
      let pinned = Set(options.pins.map(\.value))
      let ready = try withRoutines(simplified, options: options, isTaken: false)
      var variants =
        hasVariants
        ? kernelVariants(of: ready, storing: pinned, target: options.target)
        : [grouped(ready)]
      if hasVariants, pinned.isEmpty, let small = try withSmallLoops(compilation) {
        variants += kernelVariants(of: small, target: options.target)
      }
      variants = variants.map(sinkingUpdates)
      compilation.grouped = variants[0]
      watch.lap("group")
      guard options.lastStage != .kernels else { return }
      try plan(variants, &compilation, &watch)
    }
    guard options.lastStage == .schedule || options.lastStage == .code,
      let planned = compilation.step
    else { return }
    if options.target.isCUDA {
      let refusals = planned.function.cudaRefusals()
      guard refusals.isEmpty else { throw .input(DiagnosticList(refusals)) }
    }
    let program = lower(
      planned.function, storage: planned.storage, name: compilation.name, target: options.target)
    compilation.program = program
    watch.lap("lower")
    guard options.lastStage == .code else { return }
    (compilation.header, compilation.source) =
      options.target.isCUDA ? emitCUDA(program) : emitC(program)
    watch.lap("print")
  }

  /// Checks the rules of the target on the contractions of a step.
  private func checkSchedule(
    _ step: Function, _ compilation: inout Compilation
  ) throws(CompileError) {
    let problems = options.target.schedule.problems(in: step, target: options.target)
    guard problems.allSatisfy({ $0.severity != .error }) else {
      throw .input(DiagnosticList(problems))
    }
    compilation.remarks += problems
  }

  /// The simplified step with loops that compute again what the others keep of every trip; nil where
  /// there are none.
  private func withSmallLoops(_ compilation: Compilation) throws(CompileError) -> Function? {
    guard let simplified = compilation.simplified, !simplified.callees.isEmpty,
      !compilation.module.entry.isTrainingStep
    else { return nil }
    // What it has to say has been said.
    var remarks: [Diagnostic] = []
    let step = try differentiate(compilation.module, .recomputed, &remarks)
    let small = CheckpointCompiler.simplified(step)
    guard Printer.print(small) != Printer.print(simplified) else { return nil }
    return try withRoutines(small, options: options, isTaken: false)
  }

  /// The training step of a module: differentiated where it is forward only, with updates where an
  /// optimizer is asked for.
  private func differentiate(
    _ module: Module, _ residuals: LoopResiduals, _ remarks: inout [Diagnostic]
  ) throws(CompileError) -> Function {
    let entry = module.entry
    let hasLoss = entry.results.contains { $0.role == .loss }
    var step = entry
    if hasLoss,
      entry.arguments.contains(where: { $0.role == .parameter }) || options.optimizer != nil
    {
      do {
        step = try differentiated(module, residuals, remarks: &remarks)
      } catch {
        throw .input(error)
      }
    }
    step = inlined(step, in: module)
    if let problem = step.elementFunctionProblem { throw .input(DiagnosticList([problem])) }
    guard let optimizer = options.optimizer else { return step }
    do {
      return try withOptimizer(step, optimizer)
    } catch {
      throw .input(DiagnosticList([error]))
    }
  }

  /// Solves, rewrites and packs.
  private func plan(
    _ variants: [Function], _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    var priced: [PricedFunction] = []
    do {
      var costs = CostModel(target: options.target, measuredNs: options.measuredNs)
      costs.calibrate(by: variants)
      for variant in variants {
        priced.append(try CheckpointCompiler.priced(variant, costs: costs))
      }
    } catch {
      throw .input(DiagnosticList([error]))
    }
    watch.lap("price")
    var planner = try VariantPlanner(priced, options: options)
    compilation.keepAll = planner.keepAll
    switch options.budget {
    case .unlimited, .minimum: break
    case .bytes(let bytes): compilation.budgetBytes = bytes
    case .percent(let percent):
      compilation.budgetBytes = Budget.bytes(percent: percent, of: planner.keepAll.arenaBytes)
    }
    if let saved = options.plan {
      let (variant, order) = try saved.order(forOneOf: priced)
      let step = try Planner(priced[variant], options: options).step(
        order, capacityBytes: compilation.budgetBytes)
      if let budget = compilation.budgetBytes, step.arenaBytes > budget {
        throw .budget(planner.first.budgetError(budget, step, isMinimum: false))
      }
      compilation.priced = priced[variant]
      compilation.step = step
    } else {
      var choice: PlanChoice
      if options.budget == .minimum {
        choice = try planner.smallest()
        compilation.budgetBytes = choice.step.arenaBytes
      } else {
        choice = try planner.choose(budgetBytes: compilation.budgetBytes)
      }
      compilation.priced = choice.priced
      compilation.step = choice.step
      compilation.solution = choice.solution
    }
    compilation.planner = planner
    compilation.grouped = compilation.priced?.function
    watch.lap("plan")
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

extension Function {
  /// Whether the order of its ops is a plan: it or a callee holds `no_grad` or `recompute` regions.
  public var isPlanned: Bool {
    (callees + [self]).contains { function in
      function.ops.elements.contains { $0.opcode == .noGrad || $0.opcode == .recompute }
    }
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

/// Seconds since the last lap, by name.
struct Stopwatch {
  private(set) var laps: [(stage: String, seconds: Double)] = []
  private var last = ContinuousClock.now

  /// Notes the time since the last lap.
  mutating func lap(_ stage: String) {
    let now = ContinuousClock.now
    let (seconds, attoseconds) = (now - last).components
    laps.append((stage, Double(seconds) + Double(attoseconds) * 1e-18))
    last = now
  }
}

/// A name as an identifier of C: other characters become `_`, and a leading digit gets one before.
package func cIdentifier(_ name: String) -> String {
  var bytes = name.utf8.map { byte -> UInt8 in
    let isAllowed =
      (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
      || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    return isAllowed ? byte : UInt8(ascii: "_")
  }
  if bytes.isEmpty || (bytes[0] >= UInt8(ascii: "0") && bytes[0] <= UInt8(ascii: "9")) {
    bytes.insert(UInt8(ascii: "_"), at: 0)
  }
  return String(decoding: bytes, as: UTF8.self)
}
