// Functions applied to elements: what they may be, what compiled code makes of them.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct ElementFunctionTests {
  private static func compile(_ text: String, _ stage: Stage) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: CompileOptions(lastStage: stage)).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  @Test func haveElementwiseOpsOnly() throws {
    let text = """
      func @folded(%a: f32, %b: f32) -> f32 {
        %v = broadcast_in_dim %a {dims = []} : f32[2]
        %s = reduce %v {kind = add, dims = [0]}
        %c = add %s, %b
        return %c
      }
      func @main(%x: f32[3], %zero: f32) -> (%y: f32) {
        %y = reduce_with %x, %zero {function = @folded, dims = [0]}
        return %y
      }
      """
    let module = try moduleOf(text)
    let problem = try #require(inlined(module.entry, in: module).elementFunctionProblem)
    #expect(problem.message.contains("'reduce_with' applies @folded to elements"))
    #expect(problem.message.contains("'broadcast_in_dim'"))
    #expect(throws: CompileError.self) { _ = try Self.compile(text, .code) }
    #expect(throws: InterpreterError.self) {
      try interpret(
        module.entry, in: module,
        arguments: [tensor(.f32, [1, 2, 3]), tensor(.f32, [0], shape: [])])
    }
  }

  @Test func mayCallOthers() throws {
    let text = """
      func @twice(%a: f32) -> f32 {
        %b = add %a, %a
        return %b
      }
      func @sum(%a: f32, %x: f32) -> f32 {
        %d = twice %x
        %b = add %a, %d
        return %b
      }
      func @main(%x: f32[3], %zero: f32) -> (%y: f32) {
        %y = reduce_with %x, %zero {function = @sum, dims = [0]}
        return %y
      }
      """
    let module = try moduleOf(text)
    let arguments = [tensor(.f32, [1, 2, 4]), tensor(.f32, [1], shape: [])]
    #expect(try interpret(module.entry, in: module, arguments: arguments)[0].floats == [15])
    let source = try Self.compile(text, .code).source
    #expect(!source.contains("twice"))
  }

  /// The text of a function that sorts two tensors along a dimension, the second one as the first.
  private static func sorting(_ shape: [Int], along dim: Int) -> String {
    let dims = shape.map(String.init).joined(separator: ",")
    return """
      func @less(%a: i32, %b: i32, %c: bf16, %d: bf16) -> i1 {
        %p = compare %a, %b {direction = lt}
        return %p
      }
      func @main(%x: i32[\(dims)], %z: bf16[\(dims)]) -> (%y: i32[\(dims)], %w: bf16[\(dims)]) {
        %y, %w = sort %x, %z {comparator = @less, dim = \(dim)}
        return %y, %w
      }
      """
  }

  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
  func compiledSortsAreStableAtEveryLength() throws {
    let shapes: [([Int], Int)] =
      [0, 1, 2, 7, 8, 9, 15, 16, 17, 24, 33, 100].map { ([$0], 0) }
      + [([3, 40], 1), ([40, 3], 0), ([2, 17, 2], 1), ([0, 4], 1), ([4, 0], 0)]
    let programs = try shapes.enumerated().map { number, shape in
      let module = try moduleOf(Self.sorting(shape.0, along: shape.1))
      let function = inlined(module.entry, in: module)
      return try EmittedProgram(ProgramCheck(function, seed: UInt64(number)))
    }
    let compiled = try CompiledPrograms(programs, driver: TestToolchain.driver!)
    for program in programs { try compiled.check(program) }
  }

  @Test func scratchOfASortIsPartOfTheArena() throws {
    let compilation = try Self.compile(Self.sorting([100], along: 0), .memory)
    // 64 elements are the longest left run.
    #expect(compilation.step?.arenaBytes == 64 * 4 + 64 * 2)
  }
}

@Suite struct WindowUpdateTests {
  private static let text = """
    func @main(%row: f32[1,256], state %rows: f32[64,256] = zeros, state %count: i32 = zeros) -> (
        %sum: f32[256], update(%rows) %rows.new: f32[64,256], update(%count) %count.new: i32) {
      %first = constant 0 : i32
      %rows.new = dynamic_update_slice %rows, %row, %count, %first
      %count.new = add %count, 1
      %sum = reduce %rows.new {kind = add, dims = [0]}
      return %sum, %rows.new, %count.new
    }
    """

  private func kernels(_ text: String) throws -> (Function, KernelOrder, Int) {
    let module = try moduleOf(text)
    let order = KernelOrder(module.entry)
    let place = try #require(
      order.kernels.firstIndex { module.entry.ops[$0.op].opcode == .dynamicUpdateSlice })
    return (module.entry, order, place)
  }

  @Test func stateIsUpdatedWhereItLies() throws {
    let (function, order, place) = try kernels(Self.text)
    #expect(InPlaceUpdates(function, order).updates.contains { $0.kernel == place })
    #expect(function.windowUpdates(order)[place])
    let kernel = order.kernels[place]
    let lowered = LoweredKernel(function, kernel, order: order)
    #expect(lowered.mayOverwrite(kernel.reads[0], with: kernel.writes[0]))
  }

  @Test func aWindowCostsItself() throws {
    let costs = CostModel(target: .cpu(threadsMax: 1))
    func timeNs(_ text: String) throws -> Double {
      let (function, order, place) = try kernels(text)
      return costs.timesNs(of: order, in: function)[place]
    }
    // A later reader of the old rows keeps them from being written over.
    let read = Self.text.replacing(
      "%sum = reduce %rows.new", with: "%sum = reduce %rows")
    #expect(try timeNs(read) > timeNs(Self.text))
  }
}
