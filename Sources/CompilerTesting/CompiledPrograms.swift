// Random programs as compiled code, compared with the interpreter and with each other.
//
// Method      The C of many programs goes through one run of the C compiler, into one library. Each
//             program is there twice: keeping everything, which is compared with the interpreter up
//             to rounding, and under its budget, which is compared with that bit by bit. Both are
//             compiled with `CKC_POISON`, which shows reads of what was not written, and so that the
//             highest byte touched is the end of the arena.
// Tolerance   By the coarsest floating-point dtype of the program, relative to the largest element.

package import CheckpointCompiler

/// A program whose step has been emitted, twice.
package struct EmittedProgram: Sendable {
  /// The check of the program, which has passed.
  let check: ProgramCheck
  /// The step that keeps everything.
  let keepAll: Compilation
  /// The step under the budget; nil where it cannot be met.
  let planned: Compilation?

  /// Emits a program.
  package init(_ check: ProgramCheck, target: Target = .cpu()) throws(ProgramFailure) {
    self.check = check
    let text = Printer.print(check.function)
    let everything = CompileOptions(
      name: "k\(check.seed)", target: target, strategy: .none, effort: 0.3, lastStage: .code)
    guard let keepAll = try check.compile(text, everything) else {
      throw ProgramFailure(stage: "emit", message: "keeping everything needs a budget")
    }
    self.keepAll = keepAll
    var options = check.options
    options.name = "p\(check.seed)"
    options.target = target
    options.lastStage = .code
    planned = try check.compile(text, options)
  }

  var compilations: [Compilation] { [keepAll] + (planned.map { [$0] } ?? []) }
}

/// Compiles programs into one library and runs them.
package struct CompiledPrograms {
  private let library: DynamicLibrary
  private let hasOpenMP: Bool

  /// Compiles programs.
  ///
  /// - Throws: What the C compiler or the loader said.
  package init(
    _ programs: [EmittedProgram], driver: CompilerDriver
  ) throws(ToolchainError) {
    try self.init(programs.flatMap(\.compilations), driver: driver)
  }

  /// Compiles steps.
  init(_ compilations: [Compilation], driver: CompilerDriver) throws(ToolchainError) {
    hasOpenMP = driver.hasOpenMP
    do {
      let directory = try TemporaryDirectory()
      var batch = OutputBatch()
      var sources: [String] = []
      for compilation in compilations {
        sources.append(directory.file("\(compilation.name).c"))
        batch.add(compilation.header, to: directory.file("\(compilation.name).h"))
        batch.add(compilation.source, to: sources[sources.count - 1])
      }
      try batch.commit()
      let path = directory.file("libprograms.so")
      try driver.compile(
        sources, to: path, as: .sharedLibrary, extraFlags: ["-O1", "-DCKC_POISON"])
      library = try DynamicLibrary(path: path)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  /// Runs a program and compares its results.
  package func check(_ program: EmittedProgram) throws(ProgramFailure) {
    let kept = try run(program.keepAll, seed: program.check.seed)
    let simplified = program.keepAll.simplified!
    let arguments = randomArguments(for: simplified, seed: program.check.seed)
    let expected: [Tensor]
    do {
      expected = try interpret(simplified, arguments: arguments)
    } catch {
      throw ProgramFailure(stage: "interpret", message: "\(error)")
    }
    try simplified.expectClose(kept, to: expected, stage: "compiled")
    guard let planned = program.planned else { return }
    try planned.step!.function.expectEqual(
      try run(planned, seed: program.check.seed), to: kept, stage: "compiled plan")
  }

  /// The results of one step.
  func run(_ compilation: Compilation, seed: UInt64) throws(ProgramFailure) -> [Tensor] {
    let planned = compilation.step!
    let step: CompiledStep
    do {
      step = try CompiledStep(
        function: planned.function, arenaBytes: planned.arenaBytes, name: compilation.name,
        library: library, hasOpenMP: hasOpenMP)
    } catch {
      throw ProgramFailure(stage: "load", message: "\(error)")
    }
    for (index, tensor) in randomArguments(for: planned.function, seed: seed).enumerated() {
      step.setArgument(index, to: tensor)
    }
    step.fillArena(0xA5)
    let status = step.run()
    guard status == 0 else {
      throw ProgramFailure(stage: "compiled", message: "the step returns \(status)")
    }
    let broken = step.brokenGuards
    guard broken.isEmpty else {
      throw ProgramFailure(
        stage: "compiled", message: "written past the end of \(broken.joined(separator: ", "))")
    }
    let extent = step.arenaExtent(differingFrom: 0xA5)
    guard extent == planned.arenaBytes else {
      throw ProgramFailure(
        stage: "compiled", message: "\(extent) bytes of \(planned.arenaBytes) are used")
    }
    return step.resultValues
  }
}

extension Function {
  /// Fails where a result differs from what is wanted by more than rounding explains.
  func expectClose(
    _ found: [Tensor], to wanted: [Tensor], stage: String
  ) throws(ProgramFailure) {
    for (index, (found, wanted)) in zip(found, wanted).enumerated()
    where !Self.isClose(found, wanted, tolerance: tolerance) {
      throw difference(index, found, wanted, stage)
    }
  }

  /// Fails where a bit of a result of this plan differs from what is wanted.
  func expectEqual(
    _ found: [Tensor], to wanted: [Tensor], stage: String
  ) throws(ProgramFailure) {
    for (index, (found, wanted)) in zip(found, wanted).enumerated() where found != wanted {
      var failure = difference(index, found, wanted, stage)
      failure.message += "\n\(Printer.print(self))"
      throw failure
    }
  }

  private func difference(
    _ index: Int, _ found: Tensor, _ wanted: Tensor, _ stage: String
  ) -> ProgramFailure {
    ProgramFailure(
      stage: stage,
      message: "result %\(results[index].name) is \(found.flatText), not \(wanted.flatText)")
  }

  /// The largest difference, relative to the largest element, that rounding explains.
  private var tolerance: Double {
    let dtypes = Set(values.elements.map(\.type.dtype))
    if dtypes.contains(.bf16) { return 0.1 }
    if dtypes.contains(.f16) { return 0.02 }
    return dtypes.contains(.f32) ? 2e-4 : 1e-10
  }

  private static func isClose(_ found: Tensor, _ wanted: Tensor, tolerance: Double) -> Bool {
    guard wanted.type.dtype.isFloatingPoint else { return found == wanted }
    let numbers = wanted.floats
    let largest = numbers.reduce(0.05) { $1.isFinite ? max($0, abs($1)) : $0 }
    // Written so that a NaN on one side is a difference.
    return zip(found.floats, numbers).allSatisfy { a, b in
      a == b || a.isNaN && b.isNaN || abs(a - b) <= tolerance * largest
    }
  }
}

/// Runs all checks on the programs of the given seeds, the compiled ones included.
///
/// - Returns: What failed, in the order of the seeds.
package func fuzzCompiled(
  seeds: Range<UInt64>, driver: CompilerDriver, shrinks: Bool = true
) -> [FuzzReport] {
  var reports: [FuzzReport] = []
  var programs: [EmittedProgram] = []
  for seed in seeds {
    if let report = fuzz(seed: seed, shrinks: shrinks) {
      reports.append(report)
      continue
    }
    let function = RandomProgram(seed: seed).function
    do throws(ProgramFailure) {
      programs.append(try EmittedProgram(ProgramCheck(function, seed: seed)))
    } catch {
      reports.append(FuzzReport(seed: seed, failure: error, text: Printer.print(function)))
    }
  }
  for (seed, failure) in compiledFailures(programs, driver: driver) {
    var small = RandomProgram(seed: seed).function
    if shrinks {
      small = shrunk(small, attempts: 120) { candidate in
        compiledFailure(candidate, seed: seed, driver: driver)?.stage == failure.stage
      }
    }
    reports.append(
      FuzzReport(
        seed: seed, failure: compiledFailure(small, seed: seed, driver: driver) ?? failure,
        text: Printer.print(small)))
  }
  return reports.sorted { $0.seed < $1.seed }
}

/// The failures of emitted programs, compiled together; halved, where the C compiler refuses them.
private func compiledFailures(
  _ programs: [EmittedProgram], driver: CompilerDriver
) -> [(seed: UInt64, failure: ProgramFailure)] {
  guard !programs.isEmpty else { return [] }
  let compiled: CompiledPrograms
  do {
    compiled = try CompiledPrograms(programs, driver: driver)
  } catch {
    guard programs.count > 1 else {
      return [(programs[0].check.seed, ProgramFailure(stage: "C compiler", message: "\(error)"))]
    }
    let half = programs.count / 2
    return compiledFailures(Array(programs[..<half]), driver: driver)
      + compiledFailures(Array(programs[half...]), driver: driver)
  }
  var failures: [(seed: UInt64, failure: ProgramFailure)] = []
  for program in programs {
    do throws(ProgramFailure) {
      try compiled.check(program)
    } catch {
      failures.append((program.check.seed, error))
    }
  }
  return failures
}

/// The failure of one program, compiled alone.
private func compiledFailure(
  _ function: Function, seed: UInt64, driver: CompilerDriver
) -> ProgramFailure? {
  do throws(ProgramFailure) {
    guard verify(function).isEmpty else { return nil }
    let program = try EmittedProgram(ProgramCheck(function, seed: seed))
    return compiledFailures([program], driver: driver).first?.failure
  } catch {
    return error
  }
}
