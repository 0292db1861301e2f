// `ckc train`

import CheckpointCompiler

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
    let function = try compilation.plannedStep.function
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
    let trainer = try Trainer(
      step, data: data, position: try setup.start(step, data: data, console: console),
      learningRate: learningRate(of: function, job, arguments))
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

  /// The learning rate of the command line, or else what is usual for the optimizer.
  private static func learningRate(
    of function: Function, _ job: GraphJob, _ arguments: Arguments
  ) -> Double {
    // Where no input takes it, --lr stays unread, which is reported.
    let takesRate = function.arguments.indices.contains { function.isLearningRate($0) }
    return (takesRate ? arguments.number(.learningRate) : nil)
      ?? (job.options.optimizer ?? .sgd(weightDecay: 0)).usualLearningRate
  }
}
