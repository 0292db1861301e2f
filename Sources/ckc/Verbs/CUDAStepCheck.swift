// The checks of `ckc check --target cuda`: emitted CUDA, emulated, and on a device where one is.
//
// Method      Emitted C, everything kept, is what results are compared with; its own promises are those
//             of `ckc check` without a target. The emulation executes the text that a user compiles,
//             unchanged; on a device the steps run as `ckc train` runs them.

import CUDAEmulation
import CheckpointCompiler

extension StepCheck {
  /// The most operations of a step that is emulated: some minutes.
  private static let emulatedOperationsMax = 2e9

  /// Emitted CUDA, as far as this machine can run it.
  mutating func cuda(_ arguments: Arguments) throws {
    let planned = try compilation.plannedStep
    let reference = try CompiledStep(
      try job.compiledQuietly { options in
        options.target = .cpu()
        options.budget = .unlimited
        (options.strategy, options.pins, options.plan) = (.none, [], nil)
        options.maxOverhead = nil
        options.measuredNs = [:]
      }, driver: driver)
    try initialize(reference)
    let start = reference.argumentValues
    var inputs: [[(argument: Int, value: Tensor)]] = []
    for index in 0..<StepCheck.stepCount {
      inputs.append(try values(planned.function, step: index))
    }
    for input in inputs[0] { reference.setArgument(input.argument, to: input.value) }
    reference.run()
    let expected = reference.values()
    try emulation(planned, expected: expected, start: start, inputs: inputs)
    try device(arguments, expected: expected, record: StepRecord(start: start, inputs: inputs))
    let declared = compilation.declaredArenaBytes
    note(
      "header", declared == planned.arenaBytes,
      "\(declared.map(String.init) ?? "no number of") bytes of arena in the header, "
        + "\(planned.arenaBytes) planned")
    budget(planned)
  }

  /// The text on emulated devices.
  private mutating func emulation(
    _ planned: PlannedStep, expected: [Tensor], start: [Tensor],
    inputs: [[(argument: Int, value: Tensor)]]
  ) throws {
    let operations = InterpreterCheck.operations(of: planned.function)
    guard operations <= StepCheck.emulatedOperationsMax else {
      return note(
        "emulation", nil,
        "\(significant(operations, digits: 2)) operations take too long to emulate")
    }
    let check = EmulationCheck(
      fast: try CUDAEmulation(hasChecks: false), checked: try CUDAEmulation(hasChecks: true),
      start: start, inputs: inputs)
    for outcome in try check.run(compilation, expected: expected) {
      note("emulated \(outcome.name)", outcome.isPassed, outcome.detail)
    }
  }

  /// The text on a device.
  private mutating func device(
    _ arguments: Arguments, expected: [Tensor], record: StepRecord
  ) throws {
    let toolchain: StepToolchain
    do {
      toolchain = try StepToolchain(arguments)
    } catch {
      // What was asked for by name must be there.
      guard arguments.text(.nvcc) == nil else { throw error }
      return note("device", nil, "CUDA was emulated only: \(error.message)")
    }
    guard case .device(_, let device) = toolchain else { return }
    var record = record
    let step = try toolchain.step(compilation)
    try record.record(step)
    let (agrees, detail) = compilation.agreement(of: record.firstValues ?? [], with: expected)
    note("device results", agrees, "\(device.name): \(detail)")
    let difference = try record.difference(step)
    note(
      "device graph", difference == nil,
      difference
        ?? "a captured graph equals launches, bit by bit, over \(StepCheck.stepCount) steps")
    guard let other = compilation.storingEverything else { return }
    let plan = try record.difference(try toolchain.step(other))
    note(
      "device plan", plan == nil,
      plan ?? "equal to storing everything, bit by bit, over \(StepCheck.stepCount) steps")
  }
}
