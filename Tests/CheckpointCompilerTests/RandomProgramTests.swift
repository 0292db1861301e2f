import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct RandomProgramTests {
  /// The programs that the tests look at: always the same.
  static let seeds: [UInt64] = Array(1...60)

  @Test(arguments: seeds)
  func everyStageKeepsTheResultsOfARandomProgram(seed: UInt64) {
    if let report = fuzz(seed: seed) { Issue.record("\(report)") }
  }

  @Test(arguments: seeds)
  func aBrokenTextIsRefusedOrRead(seed: UInt64) {
    if let report = fuzzText(seed: seed) { Issue.record("\(report)") }
  }

  @Test func aProgramIsDecidedByItsSeed() {
    #expect(RandomProgram(seed: 7).text == RandomProgram(seed: 7).text)
    #expect(RandomProgram(seed: 7).text != RandomProgram(seed: 8).text)
  }

  @Test func programsHoldEveryOpAndEveryDType() {
    var opcodes = Set<Opcode>()
    var dtypes = Set<DType>()
    for seed in 1...200 as ClosedRange<UInt64> {
      let function = RandomProgram(seed: seed).function
      for op in function.ops.elements { opcodes.insert(op.opcode) }
      for value in function.values.elements { dtypes.insert(value.type.dtype) }
    }
    let structure: Set<Opcode> = [.call, .fusion, .noGrad, .recompute, .yield]
    #expect(opcodes == Set(Opcode.allCases).subtracting(structure))
    #expect(dtypes == Set(DType.allCases))
  }

  @Test func numbersStayFinite() throws {
    for seed in RandomProgramTests.seeds {
      let function = RandomProgram(seed: seed).function
      for tensor in try interpret(function, arguments: randomArguments(for: function, seed: seed))
      where tensor.type.dtype.isFloatingPoint {
        #expect(tensor.floats.allSatisfy { $0.isFinite }, "seed \(seed)")
      }
    }
  }

  @Test func aFailureIsShrunkToWhatCausesIt() throws {
    // Blame every program that reads a convolution.
    func fails(_ function: Function) -> Bool {
      let live = deadCode.run(function) ?? function
      return verify(function).isEmpty
        && live.ops.elements.contains { $0.opcode == .convolution }
    }
    let program = try #require(
      RandomProgramTests.seeds.lazy.map { RandomProgram(seed: $0).function }.first(where: fails))
    let small = shrunk(program, fails: fails)
    #expect(small.ops.count <= 6, "\(Printer.print(small))")
    #expect(verify(small).isEmpty)
  }

  @Test func aWrongGradientIsSeen() throws {
    var builder = FunctionBuilder(name: "main")
    let w = builder.addArgument(name: "w", type: TensorType(.f64, [4]), role: .parameter)
    // The derivative of a floor is 0, so this one loses its second factor.
    let floor = builder.emit(
      .floor,
      [
        builder.emit(
          .multiply,
          [
            w,
            builder.emit(
              .constant, [], [.value: .constant(.splat(DType.f64.encode(1e7)))],
              type: TensorType(.f64, [4])),
          ])
      ])
    let loss = builder.emit(.reduce, [floor], [.kind: .symbol("add"), .dims: .ints([0])])
    let function = builder.finish(
      returning: [loss], as: [FunctionResult(name: "loss", role: .loss)])
    #expect(throws: ProgramFailure.self) { try checkGradients(function, seed: 1) }
  }
}

@Suite struct CompiledProgramTests {
  @Test func compiledProgramsGiveWhatTheInterpreterGives() throws {
    // A machine without a C compiler cannot run this.
    guard let driver = try? CompilerDriver(usesThreads: false) else { return }
    for report in fuzzCompiled(seeds: 1..<9, driver: driver) { Issue.record("\(report)") }
  }

  /// Programs that failed once, shrunk.
  @Test(arguments: [
    // A dimension of extent 1 hidden in a quotient.
    """
    func @main(param %w: f32 = ones, %x: f32[1,3,2]) -> (loss %loss: f32) {
      %y = pad %x, %w {low = [-1, 2, 1], high = [1, 0, 1], interior = [1, 0, 0]}
      %loss = reduce %y {kind = add, dims = [0, 1, 2]}
      return %loss
    }
    """,
    // The result of a reduction read through a broadcast of extent 1.
    """
    func @main(param %w: f32[3,1,4] = zeros) -> (loss %loss: f32) {
      %y = reduce %w {kind = max, dims = [0, 2]}
      %loss = reduce %y {kind = add, dims = [0]}
      return %loss
    }
    """,
    // Rows of 16-bit integers, which a compiler loses in vectors.
    """
    func @main(%x: ui16[8,9]) -> (%y: ui16[8,9]) {
      %y = reduce_window %x {kind = add, window = [8, 1], low = [7, 0]}
      return %y
    }
    """,
  ])
  func whatFailedOnceHolds(text: String) throws {
    guard let driver = try? CompilerDriver(usesThreads: false) else { return }
    var sources = SourceMap()
    let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
    let program = try EmittedProgram(ProgramCheck(module.entry, seed: 1))
    try CompiledPrograms([program], driver: driver).check(program)
  }
}

@Suite(
  .enabled(if: TestEmulation.checked != nil, TestEmulation.absence),
  .enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct EmulatedProgramTests {
  @Test func emulatedProgramsGiveWhatCompiledOnesGive() {
    let reports = fuzzEmulated(
      seeds: 1..<5, emulation: TestEmulation.checked!, driver: TestToolchain.driver!)
    for report in reports { Issue.record("\(report)") }
  }
}
