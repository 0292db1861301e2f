import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct InPlaceStorageTests {
  private func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    try InPlaceOutputTests.compile(text, options)
  }

  /// The bytes alive at the peak of the packing problem are what the planner counted.
  @Test(arguments: ExampleTests.names)
  func thePackerHoldsWhatThePlannerCounts(name: String) throws {
    let text = try ExampleTests.text(name)
    for (strategy, budget) in [
      (RematStrategy.none, Budget.unlimited), (.auto, .percent(80)), (.auto, .percent(45)),
    ] {
      let compilation: Compilation
      do {
        compilation = try compile(
          text,
          CompileOptions(budget: budget, strategy: strategy, effort: 0.01, lastStage: .memory))
      } catch CompileError.budget { continue }
      let priced = try #require(compilation.priced)
      let step = try #require(compilation.step)
      let graph = RematGraph(priced.problem, order: BaseOrder.given(priced.problem))
      let schedule = Schedule(sequence: step.computations.map { Int32($0) }, of: graph)
      let figures = try RematChecker(priced.problem).check(schedule)
      #expect(step.peakLiveBytes == figures.peakBytes)
    }
  }

  /// Sums of several products: each in the place of the sum before it, by the kernel of the product.
  @Test func sumsNeedOneBuffer() throws {
    var text = "func @main(%x: f32[16,16], frozen %m: f32[16,16]) -> f32 {\n"
    let dims = "{lhs_contract = [1], rhs_contract = [0]}"
    text += "  %s0 = dot_general %x, %m \(dims)\n"
    for i in 1...5 {
      text += "  %p\(i) = dot_general %x, %m \(dims.replacing("0", with: i % 2 == 0 ? "0" : "1"))\n"
      text += "  %t\(i) = tanh %p\(i)\n  %s\(i) = add %s\(i - 1), %t\(i)\n"
    }
    text += "  %y = dot_general %s5, %s5 {lhs_contract = [0, 1], rhs_contract = [0, 1]}\n"
    text += "  return %y\n}\n"
    let step = try #require(
      compile(text, CompileOptions(budget: .minimum, lastStage: .memory)).step)
    let scratch =
      step.assignment.tenants.filter {
        if case .scratch = $0.content { true } else { false }
      }.map(\.life.sizeBytes).max() ?? 0
    #expect(step.arenaBytes == 1024 + scratch)
    let table = step.bufferTable
    #expect(table.contains("%s5, written over %"))
  }

  /// A state whose old value a later pass of the kernel reads is not overwritten in an earlier one;
  /// running statistics, of the shape of the loops around the pass, are.
  @Test(arguments: [("%t", 4096), ("%g2", 0)])
  func updatesBesideReductions(factor: String, arenaBytes: Int) throws {
    let text = """
      func @main(%x: f32[64,16], %g: f32[64,16], state %b: f32[64,16], state %m: f32[64]) -> (
          %d: f32[64,16], update(%b) %n: f32[64,16], update(%m) %m2: f32[64]) {
        %t = multiply %b, 2.0
        %g2 = multiply %g, 3.0
        %n = subtract %t, %g2
        %r = reduce %x {kind = add, dims = [1]}
        %rb = broadcast_in_dim %r {dims = [0]} : f32[64,16]
        %d = multiply %rb, \(factor)
        %a = multiply %m, 0.9
        %m2 = add %a, %r
        return %d, %n, %m2
      }
      """
    let step = try #require(compile(text, CompileOptions(lastStage: .memory)).step)
    #expect(step.arenaBytes == arenaBytes)
  }

  /// Memory that one kernel both reads and writes has one parameter, so that none of two restricted
  /// pointers to it is used beside the other.
  @Test(arguments: RandomProgramTests.seeds)
  func noTwoParametersShareMemory(seed: UInt64) throws {
    let compilation = try compile(RandomProgram(seed: seed).text, CompileOptions())
    let program = try #require(compilation.program)
    for call in program.calls {
      guard case .kernel(let number) = call.work else { continue }
      let buffers = program.functions[number].buffers
      for (place, buffer) in zip(call.buffers, buffers) where buffer.isWritten {
        #expect(call.buffers.count { $0 == place } == 1)
      }
    }
    // Scratch that does not exist is no pointer into the arena.
    #expect(!compilation.source.contains(", m));"))
  }

  /// Two kernels of the same ops, one in place: two functions, and memory is fresh in one only.
  @Test func aKernelInPlaceIsAFunctionOfItsOwn() throws {
    let text = """
      func @main(%x: f32[8,16], %z: f32[8,16]) -> (f32[16,16], f32) {
        %p = concatenate %x, %z {dim = 0}
        %a = tanh %p
        %q = concatenate %z, %x {dim = 0}
        %b = tanh %q
        %r = dot_general %q, %b {lhs_contract = [1], rhs_contract = [0]}
        %y = dot_general %a, %r {lhs_contract = [0, 1], rhs_contract = [0, 1]}
        return %r, %y
      }
      """
    let program = try #require(compile(text, CompileOptions()).program)
    let maps = program.calls.compactMap { call -> (call: KernelCall, bufferCount: Int)? in
      guard case .kernel(let number) = call.work, ["a", "b"].contains(call.name) else {
        return nil
      }
      return (call, program.functions[number].buffers.count)
    }
    #expect(maps.map(\.call.name) == ["a", "b"])
    #expect(maps.map(\.bufferCount) == [1, 2])
    #expect(maps.map(\.call.written.count) == [0, 1])
  }

  // MARK: The checker

  /// `%t` may be written over `%p`, which nobody reads after it; `%u` is read again, and `%q` is read
  /// at other places than `%t` is written.
  private static let text = """
    func @main(%x: f32[16,16], frozen %m: f32[16,16]) -> f32 {
      %p = dot_general %x, %m {lhs_contract = [1], rhs_contract = [0]}
      %u = dot_general %x, %m {lhs_contract = [1], rhs_contract = [1]}
      %q = dot_general %m, %x {lhs_contract = [1], rhs_contract = [1]}
      %t = fusion {
        %v = transpose %q {dims = [1, 0]}
        %s = add %p, %u
        %k = add %s, %v
        yield %k
      }
      %y = dot_general %t, %u {lhs_contract = [0, 1], rhs_contract = [0, 1]}
      return %y
    }
    """

  private func message(_ change: (inout [String: Int]) -> Void) throws -> String? {
    let function = try moduleOf(Self.text).entry
    let target = CompileOptions().target
    let assignment = try StorageAssignment(function, target: target)
    var plan = assignment.plan(pack(assignment.problem).plan)
    // Everything apart, then changed.
    var offsets: [String: Int] = ["p": 0, "u": 1024, "q": 2048, "t": 3072]
    change(&offsets)
    for value in function.values.ids {
      guard case .arena? = plan.storage[value],
        let offset = offsets[function.values[value].name]
      else { continue }
      plan.storage[value] = .arena(offset: offset)
    }
    for kernel in assignment.order.kernels { plan.scratch[kernel.op] = 8192 }
    plan.arenaBytes = 1 << 20
    var checker = StorageChecker(function, plan, target: target)
    do throws(Diagnostic) {
      try checker.check()
      return nil
    } catch {
      return error.message
    }
  }

  @Test func aDyingOperandMayBeOverwritten() throws {
    #expect(try message { _ in } == nil)
    #expect(try message { $0["t"] = 0 } == nil)
  }

  @Test func aValueThatIsReadAgainMayNot() throws {
    #expect(try message { $0["t"] = 1024 } == "'y' reads %u, which is not whole in memory")
  }

  @Test func anOperandReadAtAnotherPlaceMayNot() throws {
    #expect(try message { $0["t"] = 2048 } == "'t' overwrites %q, which is not whole in memory")
  }

  @Test func aShiftedOverlapIsRefused() throws {
    #expect(
      try message { ($0["t"], $0["u"]) = (64, 4096) }
        == "'t' overwrites %p, which is not whole in memory")
  }
}
