import Testing

@testable import CheckpointCompiler

/// Loops and functions that text can hold and frameworks do not print.
@Suite struct ControlFlowEdgeTests {
  private func compile(_ text: String, _ stage: Stage = .code) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: CompileOptions(effort: 0.05, lastStage: stage)).compile(
      Array(text.utf8), fileName: "edge.ir", sources: &sources)
  }

  @Test func aFunctionCanBeConditionAndBody() throws {
    let compilation = try compile(
      """
      func @not(%p: i1) -> i1 {
        %q = not %p
        return %q
      }
      func @main(%p: i1) -> i1 {
        %y = while %p {condition = @not, body = @not}
        return %y
      }
      """)
    let callees = try #require(compilation.step).function.callees
    #expect(callees.map(\.results.count) == [1, 1])
    #expect(Set(callees.map(\.name)).count == 2)
  }

  @Test(arguments: ["ui8", "i64"])
  func countersMayGoDown(dtype: String) throws {
    let compilation = try compile(
      """
      func @more(%i: \(dtype), %x: f32[3]) -> i1 {
        %zero = constant 0 : \(dtype)
        %p = compare %i, %zero {direction = gt}
        return %p
      }
      func @next(%i: \(dtype), %x: f32[3]) -> (%j: \(dtype), %y: f32[3]) {
        %one = constant 1 : \(dtype)
        %j = subtract %i, %one
        %y = tanh %x
        return %j, %y
      }
      func @main(param %w: f32[3]) -> (loss %loss: f32) {
        %four = constant 4 : \(dtype)
        %i, %y = while %four, %w {condition = @more, body = @next}
        %loss = reduce %y {kind = add, dims = [0]}
        return %loss
      }
      """, .differentiated)
    let step = try #require(compilation.differentiated)
    let weights = Tensor(TensorType(.f32, [3]), floats: [0.5, -1, 2])
    let results = try interpret(step, arguments: [weights])
    // The derivative of tanh applied four times, from the chain rule in binary64.
    let expected = [0.454_453, 0.123_638, 0.012_892]
    for (slope, wanted) in zip(results[1].floats, expected) {
      #expect(abs(slope - wanted) < 1e-5, "\(results[1].floats)")
    }
  }

  /// The helper of a gradient does not take the place of a function of the same name.
  @Test func comparatorsKeepTheirNames() throws {
    let text = """
      func @gt(%a: f32, %b: f32) -> i1 {
        %p = compare %a, %b {direction = gt}
        return %p
      }
      func @gt.i64(%a: f32, %b: f32, %i: i64, %j: i64) -> i1 {
        %p = compare %a, %b {direction = lt}
        return %p
      }
      func @main(param %x: f32[3], %c: f32[3]) -> (loss %loss: f32, %z: f32[3]) {
        %y = sort %x {dim = 0, comparator = @gt}
        %k = iota {dim = 0} : i64[3]
        %z, %o = sort %x, %k {dim = 0, comparator = @gt.i64}
        %s = multiply %y, %c
        %loss = reduce %s {kind = add, dims = [0]}
        return %loss, %z
      }
      """
    let step = try #require(compile(text, .differentiated).differentiated)
    let type = TensorType(.f32, [3])
    let results = try interpret(
      step,
      arguments: [Tensor(type, floats: [2, 3, 1]), Tensor(type, floats: [10, 20, 30])])
    #expect(results[1].floats == [1, 2, 3])
    #expect(results[2].floats == [20, 10, 30])
  }
}
