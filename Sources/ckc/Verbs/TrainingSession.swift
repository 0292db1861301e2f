// The epochs of one command: trained, evaluated, told about, saved.

import CheckpointCompiler

/// The epochs of one command, and what is told about them.
struct TrainingSession {
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
      seconds = (clock.now - start) / .seconds(1)
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
    if let mean { members.append(JSONMember("loss", .number(mean))) }
    if !figures.isEmpty {
      let values = figures.map { JSONMember($0.name, JSONValue.number($0.mean)) }
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
