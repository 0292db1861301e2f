// `ckc train`

import CheckpointCompiler
import Foundation

/// Compiles a training step, runs it over data, and saves what it has learnt.
enum TrainVerb {
  /// Trains until `isInterrupted`, which is asked after every step, says that it should end; by
  /// default Ctrl-C does.
  static func run(
    _ arguments: Arguments, console: Console, isInterrupted: (() -> Bool)? = nil
  ) throws {
    let setup = TrainingSetup(arguments)
    var job = try GraphJob(
      arguments, lastStage: .code, defaultOptimizer: .sgd(weightDecay: 0))
    if !arguments.has(.optimizer) {
      // A step that updates its parameters already needs no optimizer.
      let parsed = try job.compiledQuietly { $0.lastStage = .parsed }
      if parsed.module.entry.updatesParameters { job.options.optimizer = nil }
    }
    let toolchain = try StepToolchain(arguments)
    let trainingTensors = try TrainingSetup.tensors(arguments.bindings(.data))
    let evaluationTensors = try TrainingSetup.tensors(arguments.bindings(.eval))
    guard let compilation = try job.compile(console: console) else { return }
    guard let function = compilation.step?.function else {
      throw Failure(.defect, "the compilation has no step")
    }
    guard function.updatesParameters else {
      throw Failure.input(
        "@\(function.name) updates no parameter: mark parameters with 'param' and a result with "
          + "'loss', and name an optimizer with --optimizer")
    }
    let data = try DataSet(
      trainingTensors, for: function, option: "--data", classes: compilation.module.labelClasses)
    let path = arguments.text(.output) ?? "\(job.stem ?? compilation.name).safetensors"
    try arguments.refuseOverwriting(with: [path])
    var output = OutputBatch()
    output.add([], to: path)
    try output.checkWritable()

    let step = try toolchain.step(compilation)
    let position = try setup.start(step, data: data, console: console)
    var learningRate = (job.options.optimizer ?? .sgd(weightDecay: 0)).usualLearningRate
    // Where no input takes it, --lr stays unread, which is reported.
    if function.arguments.indices.contains(where: { function.isLearningRate($0) }),
      let given = arguments.number(.learningRate)
    {
      learningRate = given
    }
    let trainer = try Trainer(
      step, data: data, position: position, learningRate: learningRate)
    var evaluator: Evaluator?
    if !evaluationTensors.isEmpty {
      evaluator = try TrainingSetup.evaluator(
        job, evaluationTensors, toolchain: toolchain, arenaBytes: step.arenaBytes,
        console: console)
    }
    if !data.sampleCount.isMultiple(of: data.batchCount) {
      console.warn(
        "\(data.sampleCount) samples are no multiple of the batch of \(data.batchCount); each epoch "
          + "leaves out \(data.sampleCount % data.batchCount) of them")
    }
    var session = TrainingSession(
      trainer: trainer, evaluator: evaluator, epochCount: setup.epochCount, path: path,
      console: console, isJSON: arguments.isJSON)
    if let isInterrupted {
      try session.run(isInterrupted: isInterrupted)
    } else {
      // Not before: until there is something to save, Ctrl-C should simply end the command.
      let interrupt = Interrupt()
      try session.run { interrupt.isRequested }
    }
    session.report(compilation)
  }
}

/// What the command line says about a training run.
private struct TrainingSetup {
  let epochCount: Int
  let seed: UInt64?
  let resumePath: String?

  init(_ arguments: Arguments) {
    epochCount = arguments.integer(.epochs) ?? 1
    seed = arguments.integer(.seed).map { UInt64($0) }
    resumePath = arguments.text(.resume)
  }

  /// The tensors of `NAME=FILE.npy` pairs.
  static func tensors(
    _ bindings: [(name: String, path: String)]
  ) throws -> [(name: String, source: String, tensor: Tensor)] {
    try bindings.map { name, path in
      let tensor = try Npy.decode(try readFile(path), name: path)
      return (name.hasPrefix("%") ? String(name.dropFirst()) : name, path, tensor)
    }
  }

  /// Gives parameters and state their first values, or those of the file to go on from.
  ///
  /// - Returns: The position to start at.
  func start(
    _ step: any ExecutableStep, data: DataSet, console: Console
  ) throws -> TrainingPosition {
    guard let resumePath else {
      try step.initialize(seed: seed ?? 0)
      return TrainingPosition(seed: seed ?? 0)
    }
    let state = try TrainingState.decode(try readFile(resumePath), name: resumePath)
    guard let position = state.position else {
      // Weights of another origin: training starts with them.
      try step.initialize(seed: seed ?? 0)
      let taken = try step.take(state.tensors, source: resumePath, requiresAll: false)
      guard !taken.isEmpty else {
        throw Failure.input(
          "\(resumePath) holds no parameter or state of @\(step.function.name)")
      }
      console.printError(
        "\(resumePath): \(taken.count) of \(state.tensors.count) tensors taken; it has no position, "
          + "so training starts at the first epoch\n")
      return TrainingPosition(seed: seed ?? 0)
    }
    try step.take(state.tensors, source: resumePath, requiresAll: true)
    if let seed, seed != position.seed {
      throw Failure.usage(
        "--seed \(seed): \(resumePath) was trained with seed \(position.seed); leave --seed out")
    }
    guard position.batch == 0 || position.sampleCount == data.sampleCount,
      position.batch < data.batches
    else {
      throw Failure.input(
        "\(resumePath) stopped after batch \(position.batch) of an epoch of "
          + "\(position.sampleCount) samples, but the data have \(data.sampleCount)")
    }
    return position
  }

  /// The evaluation of `@eval`, or of the forward part of the trained function.
  static func evaluator(
    _ job: GraphJob, _ tensors: [(name: String, source: String, tensor: Tensor)],
    toolchain: StepToolchain, arenaBytes: Int, console: Console
  ) throws -> Evaluator {
    func compiled(_ budget: Budget) throws(Failure) -> Compilation {
      try job.compiledQuietly { options in
        if job.definesEvaluation { options.entry = "eval" }
        options.isForwardOnly = true
        options.optimizer = nil
        options.budget = budget
        (options.strategy, options.pins, options.plan) = (.auto, [], nil)
        options.maxOverhead = nil
      }
    }
    var compilation = try compiled(.unlimited)
    if let needed = compilation.step?.arenaBytes, needed > arenaBytes {
      do {
        compilation = try compiled(.bytes(arenaBytes))
      } catch {
        console.warn(
          "evaluation needs an arena of \(needed) bytes, more than the \(arenaBytes) of training")
      }
    }
    guard let function = compilation.step?.function else {
      throw Failure(.defect, "the compilation has no step")
    }
    let data = try DataSet(
      tensors, for: function, option: "--eval", classes: compilation.module.labelClasses)
    if !data.sampleCount.isMultiple(of: data.batchCount) {
      console.warn(
        "evaluation leaves out the last \(data.sampleCount % data.batchCount) samples: "
          + "\(data.sampleCount) are no multiple of the batch of \(data.batchCount)")
    }
    return try Evaluator(try toolchain.step(compilation), data: data)
  }
}

extension GraphJob {
  /// The name of the file without directories and suffix; nil for standard input.
  var stem: String? {
    let name = fileName.split(separator: "/").last.map(String.init) ?? ""
    let stem = name.split(separator: ".").first.map(String.init)
    return fileName == "<stdin>" ? nil : stem
  }

  /// Whether the file holds a function `@eval`.
  var definesEvaluation: Bool {
    let parsed = try? compiledQuietly {
      $0.entry = "eval"
      $0.lastStage = .parsed
    }
    return parsed != nil
  }
}

/// The epochs of one command, and what is told about them.
private struct TrainingSession {
  let trainer: Trainer
  let evaluator: Evaluator?
  let epochCount: Int
  let path: String
  let console: Console
  let isJSON: Bool
  private var epochs: [JSONValue] = []
  private var isInterrupted = false
  private var seconds = 0.0
  private var hasWarned = false
  private var savedStep: Int?

  init(
    trainer: Trainer, evaluator: Evaluator?, epochCount: Int, path: String, console: Console,
    isJSON: Bool
  ) {
    self.trainer = trainer
    self.evaluator = evaluator
    self.epochCount = epochCount
    self.path = path
    self.console = console
    self.isJSON = isJSON
  }

  /// Trains up to the last epoch, or until it is interrupted, and saves.
  mutating func run(isInterrupted: () -> Bool) throws {
    let bar = ProgressBar(console: console)
    let clock = ContinuousClock()
    let start = clock.now
    let first = trainer.position
    let batches = trainer.data.batches
    let stepCount = max(0, epochCount - first.epoch) * batches - first.batch
    var losses: [Double] = []
    if stepCount <= 0, first.step > 0 {
      console.warn(
        "nothing to train: \(first.epoch) epochs are done, and --epochs says \(epochCount)")
    }
    while trainer.position.epoch < epochCount, !self.isInterrupted {
      let epoch = trainer.position.epoch
      let status = try trainer.advance()
      guard status == 0 else { throw Failure(.defect, "the step returned \(status)") }
      if let loss = trainer.lastLoss {
        losses.append(loss)
        warnIfNotFinite(loss, bar)
      }
      self.isInterrupted = isInterrupted()
      let isEpochEnd = trainer.position.epoch > epoch
      let done = trainer.position.step - first.step
      seconds = (clock.now - start).inSeconds
      bar.update(
        Progress(
          label: "epoch \(epoch + 1)/\(epochCount)", done: done * trainer.data.batchCount,
          total: stepCount * trainer.data.batchCount, seconds: seconds,
          rate: seconds > 0 ? Double(done * trainer.data.batchCount) / seconds : 0,
          unit: "samples",
          figures: losses.isEmpty
            ? [] : ["loss \(significant(TrainingSession.recent(losses), digits: 4))"]),
        isLast: self.isInterrupted || done == stepCount)
      if isEpochEnd {
        bar.finishLine()
        try endEpoch(epoch, losses)
        losses = []
        try save()
      }
    }
    try save()
  }

  /// Evaluates, and tells how the epoch went.
  private mutating func endEpoch(_ epoch: Int, _ losses: [Double]) throws {
    let mean = losses.isEmpty ? nil : losses.reduce(0, +) / Double(losses.count)
    let figures =
      try evaluator?.run(parametersOf: trainer.step, seed: trainer.position.seed) ?? []
    var members = [JSONMember("epoch", .integer(epoch + 1))]
    if let mean { members.append(JSONMember("loss", .finite(mean))) }
    if !figures.isEmpty {
      let values = figures.map { JSONMember($0.name, JSONValue.finite($0.mean)) }
      members.append(JSONMember("eval", .object(values)))
    }
    epochs.append(.object(members))
    guard !isJSON else { return }
    var line = "epoch \(epoch + 1)/\(epochCount)"
    if let mean { line += "  loss \(significant(mean, digits: 5))" }
    if !figures.isEmpty {
      line += "  eval:"
      for figure in figures { line += " \(figure.name) \(significant(figure.mean, digits: 5))" }
    }
    console.print(line + "\n")
  }

  private mutating func save() throws {
    guard savedStep != trainer.position.step else { return }
    savedStep = trainer.position.step
    try writeFileAtomically(try trainer.state().encode(name: path), to: path)
  }

  /// The last line, or the whole result as JSON.
  func report(_ compilation: Compilation) {
    let position = trainer.position
    if isJSON {
      let value: JSONValue = [
        "name": .string(compilation.name), "file": .string(path),
        "arenaBytes": .integer(trainer.step.arenaBytes), "epoch": .integer(position.epoch),
        "step": .integer(position.step), "interrupted": .bool(isInterrupted),
        "epochs": .array(epochs), "seconds": .number(seconds),
      ]
      console.print(value.compactText + "\n")
      return
    }
    if isInterrupted {
      console.print(
        "stopped after step \(position.step), in epoch \(position.epoch + 1); "
          + "--resume \(path) goes on from there\n")
    }
    let steps = position.step == 1 ? "1 step" : "\(position.step) steps"
    console.print("saved \(path): \(steps), arena \(describeBytes(trainer.step.arenaBytes))\n")
  }

  private mutating func warnIfNotFinite(_ loss: Double, _ bar: ProgressBar) {
    guard !loss.isFinite, !hasWarned else { return }
    hasWarned = true
    bar.finishLine()
    console.warn(
      "the loss is \(loss) after step \(trainer.position.step); a smaller --lr may help")
  }

  /// The mean of the last losses, so that the figure does not flicker.
  private static func recent(_ losses: [Double]) -> Double {
    let last = losses.suffix(20)
    return last.reduce(0, +) / Double(last.count)
  }
}
