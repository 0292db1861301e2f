// What emitted CUDA does on emulated devices, beside what was promised.
//
// Method      Some steps without checks, as fast as that goes: results against those of emitted C, bits
//             against those of other orders of threads, of a captured graph, and of the plan that keeps
//             everything. One step with all checks, over memory that is poisoned before it is written.
// Tolerance   Results and C: see `StepAgreement.swift`; everything else is compared bit by bit.

package import CheckpointCompiler

/// Checks of the CUDA of one compilation.
package struct EmulationCheck {
  /// The result of one check.
  package struct Outcome: Sendable {
    /// What was checked.
    package var name: String
    /// Whether the promise holds.
    package var isPassed: Bool
    /// What was found.
    package var detail: String
  }

  private let fast: CUDAEmulation
  private let checked: CUDAEmulation
  private let start: [Tensor]
  private let inputs: [[(argument: Int, value: Tensor)]]

  /// A check over some steps.
  ///
  /// - Parameters:
  ///   - fast: An emulation without checks of accesses.
  ///   - checked: One with them.
  ///   - start: The arguments before the first step.
  ///   - inputs: The inputs of every step.
  package init(
    fast: CUDAEmulation, checked: CUDAEmulation, start: [Tensor],
    inputs: [[(argument: Int, value: Tensor)]]
  ) {
    self.fast = fast
    self.checked = checked
    self.start = start
    self.inputs = inputs
  }

  /// The values after every step: results, then arguments.
  private func values(
    _ step: EmulatedStep, stepCount: Int? = nil, isCaptured: Bool = false
  ) throws(EmulationError) -> [[Tensor]] {
    for (index, value) in start.enumerated() { try step.setArgument(index, to: value) }
    var values: [[Tensor]] = []
    for inputs in inputs.prefix(stepCount ?? inputs.count) {
      for input in inputs { try step.setArgument(input.argument, to: input.value) }
      try step.run(isCaptured: isCaptured)
      values.append(try step.values())
    }
    return values
  }

  /// Runs all checks.
  ///
  /// - Parameters:
  ///   - compilation: A compilation for a CUDA target.
  ///   - expected: The values after the first step of emitted C: results, then arguments.
  /// - Returns: What was found, a failed check for each broken promise.
  /// - Throws: What the C++ compiler said.
  package func run(_ compilation: Compilation, expected: [Tensor]) throws -> [Outcome] {
    var outcomes: [Outcome] = []
    func note(_ name: String, _ body: () throws -> (Bool, String)) throws {
      do {
        let (isPassed, detail) = try body()
        outcomes.append(Outcome(name: name, isPassed: isPassed, detail: detail))
      } catch let error as EmulationError {
        outcomes.append(Outcome(name: name, isPassed: false, detail: "\(error)"))
      }
    }
    let step = try EmulatedStep(compilation, emulation: fast)
    var record: [[Tensor]] = []
    try note("results") {
      record = try values(step)
      return compilation.agreement(of: record[0], with: expected)
    }
    guard !record.isEmpty else { return outcomes }

    func compareBits(_ found: [[Tensor]], _ what: String) -> (Bool, String) {
      for (number, (found, wanted)) in zip(found, record).enumerated() {
        if let place = found.indices.first(where: { found[$0] != wanted[$0] }) {
          return (false, "step \(number + 1), \(self.name(place, step.function)) differs: \(what)")
        }
      }
      return (true, "equal, bit by bit, over \(found.count) steps: \(what)")
    }
    for schedule in EmulationSchedule.all.dropFirst() {
      step.device.use(schedule)
      try note("order of threads") {
        compareBits(try values(step), "\(schedule)")
      }
    }
    step.device.use(EmulationSchedule(.forward))
    try note("captured graph") {
      compareBits(try values(step, isCaptured: true), "nothing waits or allocates")
    }
    try note("device memory") {
      let (peak, sum) = (step.device.peakBytes, step.memoryBytes)
      return (peak == sum, "\(peak) bytes at most, \(sum) of arena, arguments and results")
    }
    if let other = compilation.storingEverything {
      try note("plan") {
        compareBits(
          try values(try EmulatedStep(other, emulation: fast)), "storing everything")
      }
    }
    try note("accesses") {
      let careful = try EmulatedStep(compilation, emulation: checked, defines: ["CKC_POISON"])
      careful.device.use(EmulationSchedule(.reverse))
      let (same, what) = compareBits(try values(careful, stepCount: 1), "over poisoned memory")
      guard same else { return (false, what) }
      return (true, "no race, nothing read before it is written, nothing out of bounds")
    }
    return outcomes
  }

  private func name(_ place: Int, _ function: Function) -> String {
    place < function.results.count
      ? "result %\(function.results[place].name)"
      : "%\(function.argumentName(place - function.results.count))"
  }
}
