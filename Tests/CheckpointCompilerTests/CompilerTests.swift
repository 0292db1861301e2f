import Testing

@testable import CheckpointCompiler

@Suite struct CompilerTests {
  /// A chain of products and activations of `rows` × 8 values, with the gradient written out: kernels
  /// that cannot be fused.
  static func chain(length: Int, rows: Int) -> String {
    let type = "f32[\(rows),8]"
    var text = "func @main(%x: \(type), param %w: \(type), frozen %m: f32[8,8]) -> ("
    text += "loss %loss: f32, grad(%w) %g: \(type)) {\n  %h0 = multiply %x, %w\n"
    for i in 1...length {
      text += "  %p\(i) = dot_general %h\(i - 1), %m {lhs_contract = [1], rhs_contract = [0]}\n"
      text += "  %h\(i) = tanh %p\(i)\n"
    }
    text += "  %loss = reduce %h\(length) {kind = add, dims = [0, 1]}\n"
    text += "  %one = constant 1.0 : \(type)\n"
    for i in stride(from: length, to: 0, by: -1) {
      let d = i == length ? "one" : "d\(i)"
      text += "  %s\(i) = multiply %h\(i), %h\(i)\n  %t\(i) = subtract 1.0, %s\(i)\n"
      text += "  %c\(i) = multiply %\(d), %t\(i)\n"
      text += "  %d\(i - 1) = dot_general %c\(i), %m {lhs_contract = [1], rhs_contract = [1]}\n"
    }
    text += "  %g = multiply %d0, %x\n  return %loss, %g\n}\n"
    return text
  }

  private func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  @Test(arguments: [100.0, 75, 50, 35])
  func aPlanStaysWithinItsBudgetAndComputesTheSameBits(percent: Double) throws {
    let text = Self.chain(length: 12, rows: 16)
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

    // The rewritten text is read back as it is, and needs the same memory. Without regions, it is planned
    // anew.
    let again = try compile(printed, CompileOptions(maxOverhead: 0, lastStage: .memory))
    #expect(Printer.print(try #require(again.step).function) == printed)
    #expect(again.step?.arenaBytes == step.arenaBytes)
  }

  @Test func anUnreachableBudgetNamesTheSmallestAndWhatSetsIt() throws {
    let text = Self.chain(length: 12, rows: 16)
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
    let update = try #require(printed.range(of: "%w.new = ", from: printed.startIndex))
    let reader = try #require(printed.range(of: "%z = multiply", from: printed.startIndex))
    #expect(reader.lowerBound < update.lowerBound)
    #expect(step.storage.finalCopies.isEmpty)
  }

  @Test func twoStatesThatSwapKeepTheirValues() throws {
    let text = """
      func @main(state %a: f32[8], state %b: f32[8]) -> (
          update(%a) %a.new: f32[8], update(%b) %b.new: f32[8], %old: f32[8]) {
        return %b, %a, %a
      }
      """
    let compilation = try compile(text, CompileOptions())
    guard let driver = try? CompilerDriver() else { return }
    let step = try CompiledStep(compilation, driver: driver)
    let a = Tensor(TensorType(.f32, [8]), repeating: 1)
    let b = Tensor(TensorType(.f32, [8]), repeating: 2)
    step.setArgument(0, to: a)
    step.setArgument(1, to: b)
    #expect(step.run() == 0)
    #expect(step.resultValues == [b, a, a])
  }
}
