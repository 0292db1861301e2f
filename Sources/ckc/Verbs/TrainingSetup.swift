// What a training run starts from: its data, its first values, and what evaluates it.

import CheckpointCompiler

/// What the command line says about a training run.
struct TrainingSetup {
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
    let function = try compilation.plannedStep.function
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
