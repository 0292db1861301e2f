// The stages of a compilation, one after the other.
//
// Each stage leaves its result in the compilation, and what it took on the watch.

extension Compiler {
  /// Runs the stages up to the last one that is asked for.
  func runStages(
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
      try takePlannedText(step, &compilation, &watch)
    } else {
      try makePlan(of: step, &compilation, &watch)
    }
    guard options.lastStage == .schedule || options.lastStage == .code,
      let planned = compilation.step
    else { return }
    try emit(planned, &compilation, &watch)
  }

  /// Simplifies, groups and plans a step.
  private func makePlan(
    of step: Function, _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
    let simplified = CheckpointCompiler.simplified(step) { pass, function in
      if options.keepsPasses { compilation.passes.append((pass, function)) }
    }
    compilation.simplified = simplified
    watch.lap("simplify")
    guard options.lastStage != .simplified else { return }
    try checkSchedule(simplified, &compilation)
    let variants = try kernelVariants(of: simplified, compilation)
    compilation.grouped = variants[0]
    watch.lap("group")
    guard options.lastStage != .kernels else { return }
    try plan(variants, &compilation, &watch)
  }

  /// The simplified step as kernels, in all the ways that are to be planned.
  private func kernelVariants(
    of simplified: Function, _ compilation: Compilation
  ) throws(CompileError) -> [Function] {
    // A strategy by name plans what everybody would; a saved plan may be one of any variant.
    let hasVariants =
      options.lastStage != .kernels && (options.strategy == .auto || options.plan != nil)
    let pinned = Set(options.pins.map(\.value))
    let ready = try withRoutines(simplified, options: options, isTaken: false)
    var variants =
      hasVariants
      ? CheckpointCompiler.kernelVariants(of: ready, storing: pinned, target: options.target)
      : [grouped(ready)]
    if hasVariants, pinned.isEmpty, let small = try withSmallLoops(compilation) {
      variants += CheckpointCompiler.kernelVariants(of: small, target: options.target)
    }
    return variants.map(sinkingUpdates)
  }

  /// Lowers a planned step and prints it.
  private func emit(
    _ planned: PlannedStep, _ compilation: inout Compilation, _ watch: inout Stopwatch
  ) throws(CompileError) {
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
  func checkSchedule(
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
}
