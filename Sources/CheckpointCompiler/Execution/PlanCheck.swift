// What a plan promises, looked at while it runs: the same bits as storing everything, and no byte of
// memory beyond what was said.

extension Compilation {
  /// The same compilation with everything kept: what plans are compared with.
  ///
  /// nil where the text was planned already, and so there is no other plan.
  package var storingEverything: Compilation? {
    guard let keepAll else { return nil }
    var other = self
    other.step = keepAll
    let program = lower(
      keepAll.function, storage: keepAll.storage, name: name, target: options.target)
    other.program = program
    (other.header, other.source) =
      options.target.isCUDA ? emitCUDA(program) : emitC(program)
    return other
  }
}

/// The values of some steps in a row: what other plans must reproduce.
package struct StepRecord: Sendable {
  /// The arguments before the first step.
  package var start: [Tensor]
  /// The inputs of every step, by argument.
  package var inputs: [[(argument: Int, value: Tensor)]]
  /// After every step: its results, then parameters and state.
  private var values: [[Tensor]] = []

  /// A record of nothing yet.
  package init(start: [Tensor], inputs: [[(argument: Int, value: Tensor)]]) {
    self.start = start
    self.inputs = inputs
  }

  /// The values after the first step, once the steps were recorded.
  package var firstValues: [Tensor]? { values.first }

  /// Runs the steps and keeps their values.
  package mutating func record<Step: ExecutableStep>(_ step: Step) throws(Step.Trouble) {
    values = []
    for index in inputs.indices { values.append(try replay(index, step)) }
  }

  /// Runs the steps and compares every bit.
  ///
  /// - Returns: The first difference in words; nil where there is none.
  package func difference<Step: ExecutableStep>(_ step: Step) throws(Step.Trouble) -> String? {
    for index in inputs.indices {
      let found = try replay(index, step)
      for (place, (expected, actual)) in zip(values[index], found).enumerated()
      where expected != actual {
        let resultCount = step.function.results.count
        let name =
          place < resultCount
          ? "result %\(step.function.results[place].name)"
          : "%\(step.function.argumentName(place - resultCount))"
        let size = expected.type.dtype.byteCount
        let byte = expected.bytes.indices.first { expected.bytes[$0] != actual.bytes[$0] } ?? 0
        let element = byte / size
        return "step \(index + 1), \(name), element \(element): \(actual[element]), "
          + "not \(expected[element])"
      }
    }
    return nil
  }

  /// Runs one of the steps, which follow each other, and returns its values.
  private func replay<Step: ExecutableStep>(
    _ index: Int, _ step: Step
  ) throws(Step.Trouble) -> [Tensor] {
    if index == 0 {
      for (index, value) in start.enumerated() { try step.setArgument(index, to: value) }
    }
    for input in inputs[index] { try step.setArgument(input.argument, to: input.value) }
    try step.run()
    return try step.values()
  }
}

extension CompiledStep {
  /// The number of bytes from the start of the arena to the last one that a run writes.
  ///
  /// Two runs over different fillings tell a byte that was not written from one that was written with
  /// what was there. The step must be compiled with `CKC_POISON`, which writes buffers up to their
  /// padded ends.
  package func measuredArenaBytes() -> Int {
    let start = argumentValues
    var extent = 0
    for filling: UInt8 in [0x00, 0x5A] {
      fillArena(filling)
      run()
      extent = max(extent, arenaExtent(differingFrom: filling))
      for (index, value) in start.enumerated() { setArgument(index, to: value) }
    }
    return extent
  }

  /// The names of the buffers past whose end a run has written.
  package var overrunBuffers: [String] { brokenGuards }
}
