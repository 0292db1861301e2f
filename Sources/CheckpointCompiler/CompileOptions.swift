// What an embedder or the command line asks of one compilation.

/// How much arena the compiled step may use.
public enum Budget: Sendable, Hashable {
  /// As much as is worth its time.
  case unlimited
  /// At most this many bytes.
  case bytes(Int)
  /// At most this percentage of the arena when everything is kept.
  case percent(Double)
  /// The least that the planner can reach.
  case minimum

  /// A percentage of some bytes: more than all of them is all of them, and what is negative or no
  /// number is nothing.
  public static func bytes(percent: Double, of total: Int) -> Int {
    guard percent > 0 else { return 0 }
    // 90 % of 1000 is 900, whatever 0.9 is in binary.
    return percent >= 100 ? total : Int(Double(total) * percent / 100 + 1e-3)
  }
}

/// A decision about one value that the user takes out of the planner's hands.
public struct ValuePin: Sendable, Hashable {
  /// The name of the value, without `%`.
  public var value: String
  /// Whether it is kept or recomputed.
  public var choice: RematPin.Choice

  /// A decision.
  public init(value: String, _ choice: RematPin.Choice) {
    self.value = value
    self.choice = choice
  }
}

/// The stages of a compilation, in order.
public enum Stage: String, CaseIterable, Sendable {
  /// The text as functions, layers instantiated.
  case parsed
  /// The training step: forward, backward and updates, calls inlined.
  case differentiated
  /// The step after simplification.
  case simplified
  /// The step with its ops grouped into kernels.
  case kernels
  /// The step as it will run, with `no_grad` and `recompute` regions.
  case planned
  /// The planned step and the place of every buffer.
  case memory
  /// The schedules of contractions, as rules that can be changed and given back.
  case schedule
  /// The emitted sources.
  case code
}

/// Everything that decides the output of a compilation, besides the text.
public struct CompileOptions: Sendable {
  /// The function to compile; by default `@main`, or the only one that no other calls.
  public var entry: String?
  /// What arguments and results of a StableHLO graph are; IR says it itself.
  public var roles = GraphRoles()
  /// The prefix of emitted names; by default the name of the function.
  public var name: String?
  /// The machine to emit for.
  public var target: Target
  /// The optimizer whose update replaces the gradients among the results.
  public var optimizer: Optimizer?
  /// The arena that the step may use.
  public var budget: Budget
  /// The largest overhead, as a fraction of the cost of keeping everything, for the least memory;
  /// without a budget, `defaultMaxOverhead` where it is nil.
  public var maxOverhead: Double?
  /// How to choose what is recomputed.
  public var strategy: RematStrategy
  /// Decisions taken by the user.
  public var pins: [ValuePin]
  /// Amount of search; 1 is the default.
  public var effort: Double
  /// How long to search for plans, in seconds of a common machine, if there is a limit.
  var searchSeconds: Double?
  /// Measured nanoseconds by kernel key, in place of estimates.
  public var measuredNs: [String: Double]
  /// A plan made before, to be used as it is.
  public var plan: SavedPlan?
  /// The last stage to run.
  public var lastStage: Stage
  /// Whether to keep what every pass of simplification made, for looking at it.
  public var keepsPasses = false
  /// Whether only outputs and the loss are computed: nothing is differentiated, nothing updated.
  public var isForwardOnly = false
  /// Whether every floating-point number is an `f64`, as for checking gradients.
  public var isDoublePrecision = false

  /// The overhead that is spent on memory where nothing is asked for, if every percent of it saves five of
  /// the memory: less than what predictions are off by, and many networks fit in half for it.
  public static let defaultMaxOverhead = 0.05

  /// The default: the least memory for `defaultMaxOverhead`, emit C.
  public init(
    entry: String? = nil, name: String? = nil, target: Target = .cpu(), optimizer: Optimizer? = nil,
    budget: Budget = .unlimited, maxOverhead: Double? = nil, strategy: RematStrategy = .auto,
    pins: [ValuePin] = [], effort: Double = 1, measuredNs: [String: Double] = [:],
    plan: SavedPlan? = nil, lastStage: Stage = .code
  ) {
    self.entry = entry
    self.name = name
    self.target = target
    self.optimizer = optimizer
    self.budget = budget
    self.maxOverhead = maxOverhead
    self.strategy = strategy
    self.pins = pins
    self.effort = effort
    self.measuredNs = measuredNs
    self.plan = plan
    self.lastStage = lastStage
  }

  /// Sets the effort to what takes about `seconds` on a common machine.
  public mutating func setTimeLimit(seconds: Double) {
    effort = max(0, seconds / 5)
    searchSeconds = 0.8 * max(0, seconds)
  }
}

/// Why a budget was refused.
public struct BudgetError: Error, Sendable {
  /// What was asked for, in bytes.
  public var budgetBytes: Int
  /// The least that the planner reaches, in bytes; nil where the strategy does not search.
  public var minimumBytes: Int?
  /// The arena that the strategy needs, where it does not search.
  public var neededBytes: Int?
  /// The kernel at whose place the memory is full, and what is in memory there, largest first.
  public var kernel: String
  /// The values in memory while that kernel runs, and their sizes in bytes.
  public var resident: [(name: String, bytes: Int)]
  /// Where the kernel comes from in the text.
  public var location: SourceLocation
  /// Where the file calls the layer that the kernel is of; unknown where it is of none.
  public var callLocation = SourceLocation.unknown
}

/// Why a compilation gave nothing.
public enum CompileError: Error, Sendable {
  /// The text, or a value named in the options, is wrong.
  case input(DiagnosticList)
  /// No plan within the budget was found.
  case budget(BudgetError)
  /// A checker refused what ckc made: a defect of ckc.
  case defect(String)
}
