import Foundation
import Testing

@testable import CheckpointCompiler

/// The C compiler of this machine, for tests that need one.
enum TestToolchain {
  static let driver = try? CompilerDriver()
  static let absence: Comment = "no C compiler was found"
}

/// A step of linear regression, written by hand after the interface of emitted C: it computes the
/// loss and its gradient, moves the weights, and counts in its state.
private enum HandWritten {
  static func text(_ float: String) -> String {
    """
    func @line(%x: \(float)[2,3], %y: \(float)[2], %lr: \(float), param %w: \(float)[3],
        state %n: i32[1]) -> (loss %loss: \(float), grad(%w) %g: \(float)[3],
        update(%w) %w.new: \(float)[3], update(%n) %n.new: i32[1]) {
      %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
      %d = subtract %p, %y
      %s = multiply %d, %d
      %loss = reduce %s {kind = add, dims = [0]}
      %two = constant 2.0 : \(float)[2]
      %e = multiply %d, %two
      %g = dot_general %e, %x {lhs_contract = [0], rhs_contract = [0]}
      %rate = broadcast_in_dim %lr {dims = []} : \(float)[3]
      %move = multiply %rate, %g
      %w.new = subtract %w, %move
      %one = constant 1 : i32[1]
      %n.new = add %n, %one
      return %loss, %g, %w.new, %n.new
    }
    """
  }

  static let header = """
    typedef struct { const FLOAT *x; const FLOAT *y; const FLOAT *lr; } line_inputs;
    typedef struct { FLOAT *w; } line_parameters;
    typedef struct { int *n; } line_state;
    typedef struct { FLOAT *loss; FLOAT *g; } line_results;

    """

  /// `WRONG_GRADIENT`, `OVERRUN` and `SHORT` each break one promise.
  static let source = """
    #include <string.h>
    #include "line.h"
    int line_step(const line_inputs *in, const line_parameters *p, const line_state *s,
                  const line_results *r, void *arena
    #ifdef CKC_PROFILE
                  , double *kernel_ns
    #endif
                  ) {
      FLOAT *d = (FLOAT *)((char *)arena + 64);
    #ifdef CKC_POISON
      memset(arena, 0xFF, sizeof(SHORT_TYPE) == 1 ? 120 : 128);
    #endif
      FLOAT loss = 0, g[3] = {0, 0, 0};
      for (int i = 0; i < 2; i++) {
        d[i] = -in->y[i];
        for (int j = 0; j < 3; j++) d[i] += in->x[3 * i + j] * p->w[j];
        loss += d[i] * d[i];
        for (int j = 0; j < 3; j++) g[j] += 2 * d[i] * in->x[3 * i + j];
      }
    #ifdef WRONG_GRADIENT
      g[1] *= (FLOAT)1.001;
    #endif
      *r->loss = loss;
      for (int j = 0; j < 3; j++) {
        r->g[j] = g[j];
        p->w[j] -= *in->lr * g[j];
      }
    #ifdef OVERRUN
      r->g[3] = 0;
    #endif
      s->n[0]++;
    #ifdef CKC_PROFILE
      for (int k = 0; k < KERNELS; k++) kernel_ns[k] = 10 * (k + 1);
    #endif
      return 0;
    }

    """

  static func step(_ float: String = "f32", defines: [String] = []) throws -> CompiledStep {
    var sources = SourceMap()
    let module = try parseModule(
      Array(text(float).utf8), name: "line.ir", sources: &sources)
    let type = float == "f32" ? "float" : "double"
    let short = defines.contains("SHORT") ? "char" : "int"
    return try CompiledStep(
      function: module.entry, arenaBytes: 128, name: "line", header: header, source: source,
      driver: try #require(TestToolchain.driver),
      defines: [
        "FLOAT=\(type)", "SHORT_TYPE=\(short)",
        "KERNELS=\(KernelOrder(module.entry).kernels.count)",
      ] + defines)
  }

  static func fill(_ step: CompiledStep) {
    for (index, numbers) in [[1.0, 2, 3, -1, 0.5, 2], [1, -1], [0.125], [0.5, -0.25, 1]]
      .enumerated()
    {
      step.setArgument(index, to: Tensor(step.function.argumentType(index), floats: numbers))
    }
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct InterpreterCheckTests {
  /// A kernel makes the wide value in registers; the interpreter would need gigabytes for it.
  @Test func valuesThatAreTooLargeAreNotInterpreted() throws {
    let text = """
      func @main(%x: f32[4]) -> f32[4] {
        %wide = broadcast_in_dim %x {dims = [0]} : f32[4,1000000000]
        %y = reduce %wide {kind = max, dims = [1]}
        return %y
      }
      """
    var sources = SourceMap()
    let compilation = try Compiler().compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    let step = try CompiledStep(compilation, driver: try #require(TestToolchain.driver))
    guard case .tooLarge? = try InterpreterCheck(compilation)?.run(step) else {
      Issue.record("4000000000 elements are interpreted")
      return
    }
  }
}

@Suite struct LabelClassesTests {
  private func classes(_ text: String) throws -> [String: Int] {
    var sources = SourceMap()
    return try parseModule(Array(text.utf8), name: "test.ir", sources: &sources).labelClasses
  }

  @Test func labelsAreFoundThroughCallsAndMoves() throws {
    let found = try classes(
      """
      func @loss<B, K>(%logits: f32[B, K], %labels: i32[B]) {
        %y = cross_entropy %logits, %labels
        return %y
      }
      func @main(%x: f32[4,5], %y: ui8[2,2], %n: i32[4], %m: i32[4]) -> (
          loss %loss: f32, %other: f32, %third: f32) {
        %flat = reshape %y : ui8[4]
        %wide = convert %flat : i32[4]
        %loss = loss %x, %wide
        %next = add %n, 1
        %other = cross_entropy %x, %next
        %third = accuracy %x, %m
        return %loss, %other, %third
      }
      """)
    #expect(found == ["y": 5, "m": 5])
  }

  @Test func aFunctionOfTheFileMayMeanAnythingByItsLabels() throws {
    let found = try classes(
      """
      func @cross_entropy<B, K>(%logits: f32[B, K], %labels: i32[B]) {
        %y = logit_of_label %logits, %labels
        %z = reduce %y {kind = add, dims = [0]}
        return %z
      }
      func @main(%x: f32[4,5], %y: i32[4]) -> f32 {
        %loss = cross_entropy %x, %y
        return %loss
      }
      """)
    #expect(found.isEmpty)
  }
}

@Suite struct ResultToleranceTests {
  private func tolerances(_ text: String) throws -> [Double] {
    var sources = SourceMap()
    let compilation = try Compiler().compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    return try #require(compilation.differentiated).resultTolerances
  }

  @Test func theCoarsestTypeOnThePathFromTheArgumentsCounts() throws {
    let found = try tolerances(
      """
      func @main(%x: f64[8], %y: f32[8], %n: i32[8]) -> (
          %own: f64, %mixed: f64, %coarse: f32, %scaled: f64[8], %whole: i32[8]) {
        %own = reduce %x {kind = add, dims = [0]}
        %wide = convert %y : f64[8]
        %sum = add %x, %wide
        %mixed = reduce %sum {kind = add, dims = [0]}
        %half = convert %x : bf16[8]
        %back = convert %half : f32[8]
        %coarse = reduce %back {kind = add, dims = [0]}
        %two = constant 2.0 : f32
        %two.wide = convert %two : f64
        %spread = broadcast_in_dim %two.wide {dims = []} : f64[8]
        %scaled = multiply %x, %spread
        %whole = add %n, 1
        return %own, %mixed, %coarse, %scaled, %whole
      }
      """)
    #expect(found == [1e-9, 1e-3, 5e-2, 1e-9, 0])
  }

  @Test func whatALoopComputesCounts() throws {
    let found = try tolerances(
      """
      func @more(%i: i32, %x: f64[4]) -> i1 {
        %p = compare %i, 3 {direction = lt}
        return %p
      }
      func @next(%i: i32, %x: f64[4]) -> (i32, f64[4]) {
        %j = add %i, 1
        %narrow = convert %x : f32[4]
        %sine = sine %narrow
        %y = convert %sine : f64[4]
        return %j, %y
      }
      func @main(%x: f64[4]) -> f64[4] {
        %zero = constant 0 : i32
        %steps, %y = while %zero, %x {condition = @more, body = @next}
        return %y
      }
      """)
    #expect(found == [1e-3])
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct CompiledStepTests {
  @Test func runsOnBuffersOfItsOwn() throws {
    let step = try HandWritten.step()
    HandWritten.fill(step)
    step.setThreads(2)
    let expected = try interpret(step.function, arguments: step.argumentValues)
    #expect(step.run() == 0)
    #expect(step.resultValues == expected)
    #expect(step.scalarResult(0) == expected[0].floats[0])
    // Parameters and state were updated in place; the next step starts from them.
    #expect(step.argument(3) == expected[2] && step.argument(4).integers == [1])
    step.run()
    #expect(step.argument(4).integers == [2])
    #expect(step.overrunBuffers.isEmpty)
  }

  @Test func tellsWhatATextOfTheCompilerSays() throws {
    let error = #expect(throws: ToolchainError.self) {
      try HandWritten.step(defines: ["FLOAT_IS=wrong", "int=broken"])
    }
    #expect(error?.description.contains("-Dint=broken") == true)
  }

  @Test func noticesWritesPastTheEnd() throws {
    let step = try HandWritten.step(defines: ["OVERRUN"])
    HandWritten.fill(step)
    step.run()
    #expect(step.overrunBuffers == ["result %g"])
  }

  @Test func measuresTheArena() throws {
    let poisoned = try HandWritten.step(defines: ["CKC_POISON"])
    HandWritten.fill(poisoned)
    let before = poisoned.argumentValues
    #expect(poisoned.measuredArenaBytes() == 128)
    #expect(poisoned.argumentValues == before)
    let short = try HandWritten.step(defines: ["CKC_POISON", "SHORT"])
    #expect(short.measuredArenaBytes() == 120)
  }

  @Test func comparesStepsBitByBit() throws {
    let reference = try HandWritten.step()
    HandWritten.fill(reference)
    let inputs = (0..<3).map { step in
      [(argument: 0, value: Tensor(reference.function.argumentType(0), repeating: Double(step)))]
    }
    var record = StepRecord(start: reference.argumentValues, inputs: inputs)
    record.record(reference)
    #expect(record.difference(reference) == nil)
    #expect(record.difference(try HandWritten.step()) == nil)
    let other = try HandWritten.step(defines: ["WRONG_GRADIENT"])
    // The first inputs are zero, and so are the gradients.
    #expect(record.difference(other)?.hasPrefix("step 2, result %g, element 1: ") == true)
  }

  @Test func checksGradients() throws {
    for (defines, isRight) in [([], true), (["WRONG_GRADIENT"], false)] as [([String], Bool)] {
      let step = try HandWritten.step("f64", defines: defines)
      HandWritten.fill(step)
      let before = step.argumentValues
      let outcomes = GradientCheck(tolerance: 1e-6).run(step)
      #expect(outcomes.map(\.name) == ["w"])
      #expect((outcomes[0].error <= 1e-6) == isRight, "\(outcomes)")
      #expect(step.argumentValues == before)
    }
  }

  @Test func theLongestTenthIsNoise() {
    #expect(usual(Array(repeating: 5, count: 18) + [7, 1e9]) == 5 * 18 / 18.0)
    #expect(usual([3]) == 3 && usual([]) == 0)
  }

  @Test func gathersEqualKernels() throws {
    let step = try HandWritten.step(defines: ["CKC_PROFILE"])
    HandWritten.fill(step)
    let times = kernelTimes(of: step, target: .cpu(), seconds: 0) {}
    let kernels = KernelOrder(step.function).kernels
    #expect(times.reduce(0) { $0 + $1.count } == kernels.count)
    #expect(Set(times.map(\.key)).count == times.count)
    for time in times { #expect(time.measuredNs >= 10 && time.predictedNs > 0) }
  }
}

@Suite(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct TrainerTests {
  private func data(_ function: Function) throws -> DataSet {
    var generator = SeededGenerator(seed: 1)
    return try DataSet(
      [
        ("x", "x.npy", Tensor(TensorType(.f32, [11, 3]), floats: generator.normals(33))),
        ("y", "y.npy", Tensor(TensorType(.f32, [11]), floats: generator.normals(11))),
      ], for: function, option: "--data")
  }

  private func trainer(_ position: TrainingPosition) throws -> Trainer {
    let step = try HandWritten.step()
    return try Trainer(
      step, data: try data(step.function), position: position, learningRate: 0.05)
  }

  @Test func resumingEndsWhereAnUninterruptedRunDoes() throws {
    let whole = try trainer(TrainingPosition(seed: 7))
    try whole.step.initialize(seed: 7)
    // 11 samples are 5 whole batches of 2.
    for _ in 0..<12 { #expect(try whole.advance() == 0) }
    #expect(whole.position.epoch == 2 && whole.position.batch == 2)

    let first = try trainer(TrainingPosition(seed: 7))
    try first.step.initialize(seed: 7)
    for _ in 0..<7 { _ = try first.advance() }
    let saved = try TrainingState.decode(
      try first.state().encode(name: "a"), name: "a.safetensors")
    let second = try trainer(try #require(saved.position))
    try second.step.take(saved.tensors, source: "a.safetensors", requiresAll: true)
    for _ in 0..<5 { _ = try second.advance() }
    #expect(try second.state().encode(name: "a") == whole.state().encode(name: "a"))
    #expect(second.lastLoss == whole.lastLoss)
    #expect(try second.step.argument(4).integers == [12])
  }

  @Test func refusesFilesThatDoNotFit() throws {
    let step = try HandWritten.step()
    func message(_ tensors: [NamedTensor]) -> String {
      do {
        try step.take(tensors, source: "f", requiresAll: true)
        return ""
      } catch {
        return (error as? Diagnostic)?.message ?? "\(error)"
      }
    }
    let w = NamedTensor(name: "w", tensor: Tensor(zeros: TensorType(.f32, [3])))
    let n = NamedTensor(name: "n", tensor: Tensor(zeros: TensorType(.i32, [1])))
    #expect(message([w, n]) == "")
    #expect(message([w]) == "f has no %n, which is i32[1]")
    #expect(
      message([w, n, NamedTensor(name: "nn", tensor: n.tensor)])
        == "f: @line has no parameter or state %nn; did you mean 'n'?")
    let short = NamedTensor(name: "w", tensor: Tensor(zeros: TensorType(.f32, [2])))
    #expect(message([short, n]) == "f: 'w' holds f32[2], but %w is f32[3]")
  }

  @Test func refusesDamagedPositions() throws {
    var file = Safetensors(tensors: [], metadata: ["ckc.seed": "0", "ckc.step": "x"])
    let error = #expect(throws: Diagnostic.self) {
      try TrainingState.decode(try file.encode(name: "f"), name: "f")
    }
    #expect(error?.message == "f: metadata 'ckc.step' is 'x', not a whole number")
    file.metadata["ckc.step"] = "\(Int.max)"
    let large = #expect(throws: Diagnostic.self) {
      try TrainingState.decode(try file.encode(name: "f"), name: "f")
    }
    #expect(large?.message == "f: metadata 'ckc.step' is \(Int.max), more than any run counts")
    file.metadata = [:]
    let weights = try TrainingState.decode(try file.encode(name: "f"), name: "f")
    #expect(weights.position == nil)
  }
}

/// A step that fails.
private final class FailingStep: ExecutableStep {
  typealias Trouble = Never
  let function: Function
  let interface: StepInterface
  let arenaBytes = 0

  init(_ function: Function) {
    self.function = function
    interface = StepInterface(function)
  }

  func run() -> Int32 { 7 }
  func argument(_ index: Int) -> Tensor { Tensor(zeros: function.argumentType(index)) }
  func setArgument(_ index: Int, to tensor: Tensor) {}
  func fillArgument(_ index: Int, _ body: (UnsafeMutableRawBufferPointer) -> Void) {
    withUnsafeTemporaryAllocation(
      byteCount: function.argumentType(index).sizeBytes, alignment: 64, body)
  }
  func result(_ index: Int) -> Tensor { Tensor(zeros: function.resultTypes[index]) }
}

@Suite struct EvaluatorTests {
  /// What a step that failed has left in its results is no loss.
  @Test func aStepThatFailsIsNotEvaluated() throws {
    let function = try moduleOf(
      "func @main(%x: f32[2]) -> (%y: f32) {\n  %y = reduce %x {kind = add, dims = [0]}\n"
        + "  return %y\n}"
    ).entry
    let data = try DataSet(
      [(name: "x", source: "x.npy", tensor: Tensor(zeros: TensorType(.f32, [4])))], for: function,
      option: "--eval")
    let step = FailingStep(function)
    let error = #expect(throws: Diagnostic.self) {
      try Evaluator(step, data: data).run(parametersOf: step, seed: 0)
    }
    #expect(error?.message == "the step of @main returned 7")
  }
}

@Suite struct DataSetTests {
  private static func function(_ inputs: String) throws -> Function {
    var sources = SourceMap()
    let text = "func @main(\(inputs)) -> (%o: f32) {\n  %o = constant 0.0 : f32\n  return %o\n}\n"
    return try parseModule(Array(text.utf8), name: "t", sources: &sources).entry
  }

  private func message(
    _ inputs: String, _ tensors: [(String, TensorType)]
  ) throws -> String {
    let function = try Self.function(inputs)
    do throws(Diagnostic) {
      let given = tensors.map { ($0.0, "\($0.0).npy", Tensor(zeros: $0.1)) }
      let data = try DataSet(given, for: function, option: "--data")
      return "\(data.batches) batches of \(data.batchCount)"
    } catch {
      return error.message
    }
  }

  @Test func takesRowsOfTheBatch() throws {
    let inputs = "%x: f32[4,2], %y: i32[4], %key: ui32[2], %lr: f32"
    let x = ("x", TensorType(.f32, [13, 2]))
    let y = ("y", TensorType(.i64, [13]))
    #expect(try message(inputs, [x, y]) == "3 batches of 4")
    #expect(
      try message(inputs, [x]) == "input %y has no data; give it with --data y=FILE.npy")
    #expect(
      try message(inputs, [x, y, ("yy", y.1)])
        == "--data: @main has no input %yy; did you mean 'y'?")
    #expect(try message(inputs, [x, y, y]) == "--data: input %y gets data twice")
    #expect(
      try message(inputs, [x, ("y", TensorType(.i64, [12]))])
        == "y.npy has 12 samples, but x.npy has 13")
    #expect(
      try message(inputs, [("x", TensorType(.f32, [13, 3])), y])
        == "x.npy holds f32[13,3], but %x takes rows of f32[…,2]")
    #expect(
      try message(inputs, [x, ("y", TensorType(.f32, [13]))])
        == "y.npy holds f32[13], but %y is i32")
    #expect(
      try message(inputs, [("x", TensorType(.f32, [3, 2])), ("y", TensorType(.i64, [3]))])
        == "x.npy has 3 rows, but a batch of %x takes 4")
    #expect(
      try message("%t: f32", [])
        == "input %t is a scalar: it has no rows to take a batch from")
  }

  @Test func samplesMayHaveSeveralRows() throws {
    let inputs = "%tokens: i32[2,5], %next: i32[10]"
    #expect(
      try message(
        inputs, [("tokens", TensorType(.i32, [6, 5])), ("next", TensorType(.i32, [30]))])
        == "3 batches of 2")
    #expect(
      try message(
        "%a: i32[2], %b: i32[3]", [("a", TensorType(.i32, [2])), ("b", TensorType(.i32, [3]))])
        == "the first extent of %b is 3, no multiple of the batch of 2")
  }

  @Test func everyEpochHasAnOrderOfItsOwn() throws {
    let function = try Self.function("%x: f32[1]")
    let data = try DataSet(
      [("x", "x", Tensor(zeros: TensorType(.f32, [50])))], for: function, option: "--data")
    let first = data.order(ofEpoch: 0, seed: 3)
    #expect(first == data.order(ofEpoch: 0, seed: 3))
    #expect(first.sorted() == Array(0..<50) && first != Array(0..<50))
    #expect(first != data.order(ofEpoch: 1, seed: 3))
    #expect(first != data.order(ofEpoch: 0, seed: 4))
  }
}

@Suite struct TensorConversionTests {
  private func converted(_ tensor: Tensor, _ dtype: DType) -> Result<Tensor, Diagnostic> {
    Result { () throws(Diagnostic) in
      try tensor.exactly(dtype, source: "a.npy", target: "%x")
    }
  }

  @Test func keepsEveryNumber() throws {
    let integers = Tensor(TensorType(.i64, [3]), integers: [-1, 0, 1 << 24])
    #expect(try converted(integers, .i32).get().integers == integers.integers)
    #expect(try converted(integers, .f32).get().floats == [-1, 0, 16_777_216])
    let halves = Tensor(TensorType(.f64, [2]), floats: [0.5, .nan])
    #expect(try converted(halves, .bf16).get().floats[0] == 0.5)
  }

  @Test func refusesWhatDoesNotFit() {
    func message(_ tensor: Tensor, _ dtype: DType) -> String {
      switch converted(tensor, dtype) {
      case .success: "converted"
      case .failure(let error): error.message
      }
    }
    #expect(
      message(Tensor(TensorType(.i64, [2]), integers: [1, 1 << 40]), .i32)
        == "a.npy holds i64, and element 1, 1099511627776, is no i32, which %x is")
    #expect(
      message(Tensor(TensorType(.i64, [1]), integers: [1 << 24 + 1]), .f32).contains("16777217"))
    #expect(
      message(Tensor(TensorType(.f64, [1]), floats: [0.1]), .f32)
        == "a.npy holds f64, and element 0, 0.1, is no f32, which %x is")
    #expect(
      message(Tensor(TensorType(.f32, [1]), floats: [1]), .i32)
        == "a.npy holds f32[1], but %x is i32")
    #expect(
      message(Tensor(TensorType(.i32, [1]), integers: [-1]), .ui8).contains("is no ui8"))
  }
}

@Suite struct InitialValuesTests {
  @Test func dependOnSeedAndNameAlone() {
    let type = TensorType(.f32, [4])
    let values = InitialValues(seed: 5)
    let w = values.value(type, name: "w", .normal(1))
    #expect(w == values.value(type, name: "w", .normal(1)))
    #expect(w != values.value(type, name: "v", .normal(1)))
    #expect(w != InitialValues(seed: 6).value(type, name: "w", .normal(1)))
    // The same bits on every machine: these were computed once.
    #expect(w.floats.map { Float($0).bitPattern } == Self.golden)
    #expect(values.value(type, name: "w", .fill(0.5)).floats == [0.5, 0.5, 0.5, 0.5])
  }

  private static let golden: [UInt32] = [
    3_208_170_241, 3_176_267_548, 3_206_448_102, 1_043_493_369,
  ]

  @Test func followTheirDistributions() {
    let type = TensorType(.f64, [20_000])
    let normal = InitialValues(seed: 1).value(type, name: "n", .normal(2)).floats
    let mean = normal.reduce(0, +) / 20_000
    let variance = normal.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 20_000
    #expect(abs(mean) < 0.05 && abs(variance - 4) < 0.15)
    let beyond = normal.count { abs($0) > 4 }
    #expect(beyond > 20_000 * 4 / 100 && beyond < 20_000 * 5 / 100)
    let uniform = InitialValues(seed: 1).value(type, name: "u", .uniform(0.25)).floats
    #expect(uniform.allSatisfy { abs($0) <= 0.25 } && uniform.contains { abs($0) > 0.249 })
  }

  @Test func theLogarithmIsRight() {
    for number in [1e-300, 0.001, 0.5, 0.70710678, 0.9999, 1, 1.41, 1.42, 2, 10, 1e300] {
      #expect(abs(portableLog(number) - log(number)) <= 2e-16 * max(1, abs(log(number))) * 2)
    }
  }

  @Test func withoutAnInitializerTheFanInDecides() throws {
    var sources = SourceMap()
    let text = """
      func @main(param %w: f32[100,7], frozen %b: f32[25], state %m: f32[3], %x: f32[2]) -> (
          %x2: f32[2]) {
        return %x
      }
      """
    let function = try parseModule(Array(text.utf8), name: "t", sources: &sources).entry
    let values = InitialValues(seed: 0)
    let w = values.value(ofArgument: 0, of: function).floats
    #expect(w.allSatisfy { abs($0) <= 0.1 } && w.contains { abs($0) > 0.09 })
    #expect(values.value(ofArgument: 1, of: function).floats.allSatisfy { abs($0) <= 0.2 })
    #expect(values.value(ofArgument: 2, of: function).floats == [0, 0, 0])
  }
}
