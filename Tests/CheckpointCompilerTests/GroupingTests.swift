import Testing

@testable import CheckpointCompiler

@Suite struct GroupingTests {
  /// Compiles a text and compares one run with the interpreter.
  private func check(_ text: String) throws {
    var sources = SourceMap()
    let compilation = try Compiler().compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    #expect(try #require(compilation.grouped).fusionErrors().isEmpty)
    guard let driver = try? CompilerDriver() else { return }
    let step = try CompiledStep(compilation, driver: driver)
    for (index, type) in step.function.argumentTypes.enumerated() {
      let numbers = (0..<type.elementCount).map { Double($0 * 7 % 11) / 4 - 1 }
      step.setArgument(index, to: Tensor(type, floats: numbers))
    }
    guard case .agrees? = try InterpreterCheck(compilation)?.run(step) else {
      Issue.record("the compiled step differs from the interpreter")
      return
    }
  }

  /// A reduction's result that many ops of its kernel read in place, and one at another place.
  @Test func aReaderAtAnotherPlaceIsFoundBehindManyInPlace() throws {
    var text = "func @main(%x: f32[8,8]) -> f32[8,8] {\n"
    text += "  %r = reduce %x {kind = add, dims = [1]}\n  %s0 = multiply %r, 0.5\n"
    for i in 1...20 {
      text += "  %e\(i) = multiply %r, \(i).5\n  %s\(i) = add %s\(i - 1), %e\(i)\n"
    }
    text += """
        %s = broadcast_in_dim %s20 {dims = [0]} : f32[8,8]
        %w = add %x, %s
        %v = reverse %r {dims = [0]}
        %b = broadcast_in_dim %v {dims = [0]} : f32[8,8]
        %z = add %w, %b
        return %z
      }
      """
    try check(text)
  }

  /// A result of a column kernel that needs no reduction, and is read again after one.
  @Test func aResultBeforeAReductionIsReadAfterIt() throws {
    try check(
      """
      func @main(%x: f32[1,4,3], %y: f32[1,3]) -> (%a: f32[1,3], %b: f32[1,3]) {
        %s = reduce %x {kind = add, dims = [1]}
        %a = divide 1.0, %y
        %m = multiply %a, %y
        %b = add %s, %m
        return %a, %b
      }
      """)
  }

  /// Nine indexing ops in a row are more than are copied into a reader.
  @Test func aLongChainOfIndexingOpsEndsInMemory() throws {
    var text = "func @main(%x: f32[6,6]) -> f32[6,6] {\n"
    text += "  %a0 = reduce %x {kind = add, dims = [1]}\n"
    text += "  %b0 = broadcast_in_dim %a0 {dims = [0]} : f32[6,6]\n  %w = add %x, %b0\n"
    for i in 1...12 {
      let dims = i % 2 == 0 ? "dims = [1, 0]" : "dims = [0]"
      text += "  %b\(i) = \(i % 2 == 0 ? "transpose" : "reverse") %b\(i - 1) {\(dims)}\n"
    }
    text += "  %z = add %w, %b12\n  return %z\n}\n"
    try check(text)
    var sources = SourceMap()
    let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
    let kernels = grouped(module.entry)
    let isSomewhereInMemory = kernels.blocks[kernels.body].ops.contains {
      kernels.ops[$0].opcode == .reverse || kernels.ops[$0].opcode == .transpose
    }
    #expect(isSomewhereInMemory)
  }

  /// In a planned text, too, an argument may become the new value of another.
  @Test func updatesThatSwapInAPlanAreCopied() throws {
    try check(
      """
      func @main(state %a: f32[8], state %b: f32[8]) -> (
          update(%a) %a.new: f32[8], update(%b) %b.new: f32[8], %c: f32[8]) {
        %c = no_grad {
          %d = add %a, %b
          yield %d
        }
        return %b, %a, %c
      }
      """)
  }
}
