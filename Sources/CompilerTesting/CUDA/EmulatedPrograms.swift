// Random programs as emitted CUDA, executed by emulation with all checks.
//
// Method      As with compiled programs: the CUDA of many programs goes through one run of the C++
//             compiler. Keeping everything, against the threads' order, is compared with emitted C up to
//             rounding; the plan under the budget, in a random order, with that bit by bit. Every
//             access is looked at, over memory that is poisoned before it is written.
// Programs    What CUDA is not emitted for is left out: branches, and loops of unknown length.

package import CUDAEmulation
package import CheckpointCompiler

/// The CUDA of programs in one library.
struct EmulatedPrograms {
  private let device: EmulatedDevice

  /// Compiles programs.
  ///
  /// - Throws: What the C++ compiler or the loader said.
  init(_ programs: [EmittedProgram], emulation: CUDAEmulation) throws(ToolchainError) {
    device = try emulation.load(
      programs.flatMap(\.compilations).map { ($0.name, $0.header, $0.source) },
      defines: ["CKC_POISON"])
  }

  /// Runs a program and compares its results with those of C.
  func check(_ program: EmittedProgram, expected: [Tensor]) throws(ProgramFailure) {
    let kept = try run(program.keepAll, seed: program.check.seed, order: .reverse)
    try program.keepAll.step!.function.expectClose(kept, to: expected, stage: "CUDA")
    guard let planned = program.planned else { return }
    let found = try run(
      planned, seed: program.check.seed, order: .random(seed: program.check.seed))
    try planned.step!.function.expectEqual(found, to: kept, stage: "CUDA plan")
  }

  /// The results of one step.
  private func run(
    _ compilation: Compilation, seed: UInt64, order: EmulationSchedule.Order
  ) throws(ProgramFailure) -> [Tensor] {
    defer { device.clearFindings() }
    do {
      let step = try EmulatedStep(compilation, on: device)
      for (index, tensor) in randomArguments(for: step.function, seed: seed).enumerated() {
        try step.setArgument(index, to: tensor)
      }
      device.use(EmulationSchedule(order))
      try step.run()
      let results = try step.function.results.indices.map { try step.result($0) }
      guard device.findings.isEmpty else {
        throw ProgramFailure(stage: "CUDA checks", message: device.findings)
      }
      return results
    } catch let failure as ProgramFailure {
      throw failure
    } catch {
      throw ProgramFailure(stage: "CUDA checks", message: "\(error)")
    }
  }
}

/// Emulates the CUDA of the programs of the given seeds.
///
/// - Returns: What failed, in the order of the seeds.
package func fuzzEmulated(
  seeds: Range<UInt64>, emulation: CUDAEmulation, driver: CompilerDriver, shrinks: Bool = true
) -> [FuzzReport] {
  let fuzzer = EmulationFuzzer(emulation: emulation, driver: driver)
  var reports: [FuzzReport] = []
  var programs: [EmittedPair] = []
  for seed in seeds {
    let function = RandomProgram(seed: seed).function
    do throws(ProgramFailure) {
      programs.append(try EmittedPair(function, seed: seed))
    } catch {
      if error.isRefusal { continue }
      reports.append(FuzzReport(seed: seed, failure: error, text: Printer.print(function)))
    }
  }
  for (seed, failure) in fuzzer.failures(programs) {
    var small = RandomProgram(seed: seed).function
    if shrinks {
      small = shrunk(small, attempts: 60) { candidate in
        fuzzer.failure(candidate, seed: seed)?.stage == failure.stage
      }
    }
    reports.append(
      FuzzReport(
        seed: seed, failure: fuzzer.failure(small, seed: seed) ?? failure,
        text: Printer.print(small)))
  }
  return reports.sorted { $0.seed < $1.seed }
}

/// A program as CUDA, and the step of C that its results are compared with.
private struct EmittedPair {
  var cuda: EmittedProgram
  var c: Compilation

  init(_ function: Function, seed: UInt64) throws(ProgramFailure) {
    let check = ProgramCheck(function, seed: seed)
    cuda = try EmittedProgram(check, target: .cuda())
    c = try EmittedProgram(check).keepAll
  }
}

private struct EmulationFuzzer {
  let emulation: CUDAEmulation
  let driver: CompilerDriver

  /// The failures of programs, compiled together; halved, where a compiler refuses them.
  func failures(_ programs: [EmittedPair]) -> [(seed: UInt64, failure: ProgramFailure)] {
    guard !programs.isEmpty else { return [] }
    let emulated: EmulatedPrograms
    let compiled: CompiledPrograms
    do {
      emulated = try EmulatedPrograms(programs.map(\.cuda), emulation: emulation)
      compiled = try CompiledPrograms(programs.map(\.c), driver: driver)
    } catch {
      guard programs.count > 1 else {
        return [
          (programs[0].cuda.check.seed, ProgramFailure(stage: "C++ compiler", message: "\(error)"))
        ]
      }
      let half = programs.count / 2
      return failures(Array(programs[..<half])) + failures(Array(programs[half...]))
    }
    var failures: [(seed: UInt64, failure: ProgramFailure)] = []
    for program in programs {
      let seed = program.cuda.check.seed
      do throws(ProgramFailure) {
        try emulated.check(program.cuda, expected: try compiled.run(program.c, seed: seed))
      } catch {
        failures.append((seed, error))
      }
    }
    return failures
  }

  /// The failure of one program, compiled alone.
  func failure(_ function: Function, seed: UInt64) -> ProgramFailure? {
    guard verify(function).isEmpty else { return nil }
    do throws(ProgramFailure) {
      return failures([try EmittedPair(function, seed: seed)]).first?.failure
    } catch {
      return error.isRefusal ? nil : error
    }
  }
}
