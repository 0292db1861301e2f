// The checks of `ckc check`: gradients, and what a plan for emitted C promises.

import CheckpointCompiler

/// The result of one check.
struct CheckOutcome {
  var name: String
  /// Whether the promise holds; nil where it could not be looked at.
  var isPassed: Bool?
  var detail: String

  var word: String { isPassed.map { $0 ? "ok" : "FAILED" } ?? "skipped" }

  var json: JSONValue {
    [
      "check": .string(name), "passed": isPassed.map { .bool($0) } ?? .null,
      "detail": .string(detail),
    ]
  }
}

/// The checks of one compilation.
struct StepCheck {
  let job: GraphJob
  let compilation: Compilation
  let given: GivenValues
  let driver: CompilerDriver
  let seed: UInt64
  let threads: Int
  private(set) var outcomes: [CheckOutcome] = []
  static let stepCount = 3

  init(
    job: GraphJob, compilation: Compilation, given: GivenValues, driver: CompilerDriver,
    seed: UInt64, threads: Int
  ) {
    self.job = job
    self.compilation = compilation
    self.given = given
    self.driver = driver
    self.seed = seed
    self.threads = threads
  }

  /// Adds an outcome.
  mutating func note(_ name: String, _ isPassed: Bool?, _ detail: String) {
    outcomes.append(CheckOutcome(name: name, isPassed: isPassed, detail: detail))
  }

  /// The inputs of a step of the sequence, by argument.
  func values(
    _ function: Function, step: Int
  ) throws(Diagnostic) -> [(argument: Int, value: Tensor)] {
    let fixed = try given.resolved(
      for: function, classes: compilation.module.labelClasses)
    let examples = ExampleInputs(seed: seed)
    return function.arguments.indices.filter { function.arguments[$0].role == .input }.map {
      ($0, fixed[$0] ?? examples.value(ofArgument: $0, of: function, step: step))
    }
  }

  /// Gives parameters and state their first values.
  func initialize(_ step: CompiledStep) throws {
    try HostMemory.require(tensorsOf: step.function)
    step.initialize(seed: seed)
    let values = try given.resolved(
      for: step.function, classes: compilation.module.labelClasses)
    for (index, value) in values.sorted(by: { $0.key < $1.key })
    where step.function.arguments[index].role != .input {
      step.setArgument(index, to: value)
    }
  }

  // MARK: Gradients

  /// Gradients against central differences, in f64.
  mutating func gradients(tolerance: Double) throws {
    let name = "gradients"
    guard compilation.module.entry.lossResult != nil else {
      return note(name, nil, "no result of @\(compilation.module.entryName) is a loss")
    }
    let double = try job.compiledQuietly { options in
      options.isDoublePrecision = true
      options.target = .cpu(threadsMax: options.target.threadsMax)
      options.optimizer = nil
      options.budget = .unlimited
      (options.strategy, options.pins, options.plan) = (.auto, [], nil)
      options.maxOverhead = nil
      options.measuredNs = [:]
    }
    let step = try CompiledStep(double, driver: driver)
    step.setThreads(threads)
    try initialize(step)
    for (argument, value) in try values(step.function, step: 0) {
      step.setArgument(argument, to: value)
    }
    let results = GradientCheck(tolerance: tolerance, seed: seed).run(step)
    guard let worst = results.max(by: { $0.error < $1.error }) else {
      return note(name, nil, "the graph returns no gradients")
    }
    let wrong = results.filter { !($0.error <= tolerance) }
    if wrong.isEmpty {
      note(
        name, true,
        "\(results.count) parameters agree with central differences in f64, the largest relative "
          + "error is \(significant(worst.error, digits: 2)) (%\(worst.name))")
      return
    }
    for outcome in wrong {
      note(
        name, false,
        "%\(outcome.name): the gradient says \(significant(outcome.analytic, digits: 9)), central "
          + "differences \(significant(outcome.numeric, digits: 9)), a relative error of "
          + significant(outcome.error, digits: 2))
    }
  }

  // MARK: The plan

  /// The plan against storing everything, and its memory.
  mutating func plan() throws {
    let planned = try compilation.plannedStep
    let step = try CompiledStep(compilation, driver: driver)
    let poisoned = try CompiledStep(compilation, driver: driver, defines: ["CKC_POISON"])
    let reference: CompiledStep
    let other = compilation.storingEverything
    if let other {
      reference = try CompiledStep(other, driver: driver)
    } else {
      reference = step
    }
    try initialize(reference)
    // Of every step are kept its inputs, and what it gives.
    let function = planned.function
    let valueBytes = (function.argumentTypes + function.resultTypes).reduce(0) { $0 + $1.sizeBytes }
    try HostMemory.require(valueBytes * (StepCheck.stepCount + 1))
    var inputs: [[(argument: Int, value: Tensor)]] = []
    for index in 0..<StepCheck.stepCount {
      inputs.append(try values(planned.function, step: index))
    }
    var record = StepRecord(start: reference.argumentValues, inputs: inputs)
    reference.setThreads(1)
    record.record(reference)

    func compare(_ name: String, _ candidate: CompiledStep, threads: [Int], _ what: String) {
      for count in threads {
        candidate.setThreads(count)
        if let difference = record.difference(candidate) {
          return note(name, false, "with \(count) threads: \(difference)")
        }
      }
      note(name, true, "\(what), bit by bit, over \(StepCheck.stepCount) steps")
    }
    let (counts, threadCounts) =
      threads > 1 ? ("1 and \(threads) threads", [1, threads]) : ("1 thread", [1])
    if other != nil {
      compare("plan", step, threads: threadCounts, "equal to storing everything with \(counts)")
      compare("storing everything", reference, threads: [threads], "equal with \(counts)")
    } else {
      compare("plan", step, threads: threadCounts, "the text is a plan: equal with \(counts)")
    }
    compare(
      "poisoned memory", poisoned, threads: threadCounts,
      "equal where memory is overwritten before it is first written")
    try interpreter(step, from: record.start, inputs: inputs[0])
    memory(planned, step: step, poisoned: poisoned, reference: reference, inputs: inputs[0])
  }

  /// One step beside what the interpreter makes of the graph.
  private mutating func interpreter(
    _ step: CompiledStep, from start: [Tensor], inputs: [(argument: Int, value: Tensor)]
  ) throws {
    guard let check = InterpreterCheck(compilation) else { return }
    for (index, value) in start.enumerated() { step.setArgument(index, to: value) }
    for input in inputs { step.setArgument(input.argument, to: input.value) }
    let name = "interpreter"
    switch try check.run(step) {
    case .agrees(let largest, let result):
      note(
        name, true,
        "one step agrees with the meaning of the graph, the largest difference is "
          + "\(significant(largest, digits: 2)) of the largest element (%\(result))")
    case .differs(let result, let difference):
      note(
        name, false,
        "result %\(result) is off by \(significant(difference, digits: 2)) of its largest element")
    case .tooLarge(let operations):
      note(name, nil, "\(significant(operations, digits: 2)) operations take too long to interpret")
    }
  }

  private mutating func memory(
    _ planned: PlannedStep, step: CompiledStep, poisoned: CompiledStep, reference: CompiledStep,
    inputs: [(argument: Int, value: Tensor)]
  ) {
    let measured = poisoned.measuredArenaBytes()
    let declared = compilation.declaredArenaBytes
    note(
      "high-water mark", measured == planned.arenaBytes && declared == planned.arenaBytes,
      "\(measured) bytes measured, \(declared.map(String.init) ?? "no number of") bytes in the "
        + "header, \(planned.arenaBytes) planned")
    let broken = (step.overrunBuffers + poisoned.overrunBuffers + reference.overrunBuffers)
    note(
      "bounds", broken.isEmpty,
      broken.isEmpty
        ? "nothing is written past the end of a buffer"
        : "written past the end of \(broken.joined(separator: ", "))")
    budget(planned)
  }

  /// The arena beside the budget.
  mutating func budget(_ planned: PlannedStep) {
    if let budget = compilation.budgetBytes {
      note(
        "budget", planned.arenaBytes <= budget,
        "the arena of \(planned.arenaBytes) bytes is within the budget of \(budget)")
    } else {
      note("budget", nil, "none is given; the arena is \(planned.arenaBytes) bytes")
    }
  }
}

extension Compilation {
  /// The number that the emitted header gives for the arena.
  var declaredArenaBytes: Int? {
    for line in header.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count >= 3, words[0] == "#define", words[1] == "\(name)_ARENA_BYTES" else {
        continue
      }
      // The number may be cast: ((size_t)512).
      let value = words[2...].joined(separator: " ")
      let digits = value.split { !("0"..."9").contains($0) }
      return digits.last.flatMap { Int($0) }
    }
    return nil
  }
}
