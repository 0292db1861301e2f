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
}
