import Testing

@testable import CheckpointCompiler

@Suite struct CompilerTests {
  /// A chain of elementwise kernels, each a fusion, with the gradient written out.
  static func chain(length: Int, width: Int) -> String {
    var text = "func @main(%x: f32[\(width)], param %w: f32[\(width)]) -> (loss %loss: f32, "
    text += "grad(%w) %g: f32[\(width)]) {\n  %h0 = multiply %x, %w\n"
    for i in 1...length { text += "  %h\(i) = sine %h\(i - 1)\n" }
    text += "  %loss = reduce %h\(length) {kind = add, dims = [0]}\n"
    text += "  %d\(length) = cosine %h\(length - 1)\n"
    for i in stride(from: length - 1, to: 0, by: -1) {
      text += "  %c\(i) = cosine %h\(i - 1)\n  %d\(i) = multiply %d\(i + 1), %c\(i)\n"
    }
    text += "  %g = multiply %d1, %x\n  return %loss, %g\n}\n"
    return text
  }

  private func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  @Test(arguments: [100.0, 75, 50, 35])
  func aPlanStaysWithinItsBudgetAndComputesTheSameBits(percent: Double) throws {
    let text = Self.chain(length: 12, width: 64)
    let compilation = try compile(
      text, CompileOptions(budget: .percent(percent), lastStage: .memory))
    let step = try #require(compilation.step)
    let keepAll = try #require(compilation.keepAll)
    #expect(Double(step.arenaBytes) <= Double(keepAll.arenaBytes) * percent / 100)
    #expect(step.arenaBytes >= step.peakLiveBytes)
    #expect(verify(step.function).isEmpty)
    let printed = Printer.print(step.function)
    if percent <= 50 { #expect(printed.contains("recompute {") && printed.contains("no_grad {")) }

    let arguments = step.function.argumentTypes.map { type in
      Tensor(type, bytes: (0..<type.elementCount).flatMap { type.dtype.encode(Double($0) / 100) })
    }
    let expected = try interpret(keepAll.function, arguments: arguments)
    #expect(try interpret(step.function, arguments: arguments) == expected)

    // The rewritten text is read back as it is, and needs the same memory.
    let again = try compile(printed, CompileOptions(lastStage: .memory))
    #expect(Printer.print(try #require(again.step).function) == printed)
    #expect(again.step?.arenaBytes == step.arenaBytes)
  }

  @Test func anUnreachableBudgetNamesTheSmallestAndWhatSetsIt() throws {
    let text = Self.chain(length: 12, width: 64)
    do {
      _ = try compile(text, CompileOptions(budget: .bytes(64), lastStage: .memory))
      Issue.record("a budget of 64 bytes was met")
    } catch CompileError.budget(let error) {
      let minimum = try #require(error.minimumBytes)
      #expect(minimum > 64 && !error.kernel.isEmpty && !error.resident.isEmpty)
      let reached = try compile(text, CompileOptions(budget: .bytes(minimum), lastStage: .memory))
      #expect(try #require(reached.step).arenaBytes <= minimum)
    }
  }

  @Test func anUpdateInPlaceComesAfterTheLastReader() throws {
    let text = """
      func @main(%x: f32[64], param %w: f32[64], state %n: ui32[2]) -> (
          loss %loss: f32, update(%w) %w.new: f32[64], update(%n) %n.new: ui32[2]) {
        %y = multiply %x, %w
        %w.new = subtract %w, %y
        %n.new = add %n, %n
        %u = random %n {distribution = uniform, stream = 0} : f32[64]
        %z = multiply %w, %u
        %s = add %z, %y
        %loss = reduce %s {kind = add, dims = [0]}
        return %loss, %w.new, %n.new
      }
      """
    let compilation = try compile(text, CompileOptions(lastStage: .memory))
    let step = try #require(compilation.step)
    let printed = Printer.print(step.function)
    let update = try #require(printed.range(of: "%w.new = subtract", from: printed.startIndex))
    let reader = try #require(printed.range(of: "%z = multiply", from: printed.startIndex))
    #expect(reader.lowerBound < update.lowerBound)
    #expect(step.storage.finalCopies.isEmpty)
  }

  @Test func twoStatesThatSwapAreCopied() throws {
    let text = """
      func @main(state %a: f32[8], state %b: f32[8]) -> (
          update(%a) %a.new: f32[8], update(%b) %b.new: f32[8], %old: f32[8]) {
        return %b, %a, %a
      }
      """
    let compilation = try compile(text, CompileOptions(lastStage: .memory))
    let step = try #require(compilation.step)
    #expect(step.storage.finalCopies.count == 3)
  }
}
