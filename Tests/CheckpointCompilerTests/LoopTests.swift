import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// Loops and branches from text to memory.
@Suite struct LoopTests {
  /// A recurrence whose rows are stacked; `%n` trips.
  private static func stacking(trips: String = "constant 6 : i32", role: String = "") -> String {
    """
    func @more(%i: i32, %x: f32[8], %ys: f32[6, 8], %n: i32, %w: f32[8, 8]) -> i1 {
      %p = compare %i, %n {direction = lt}
      return %p
    }

    func @next(
        %i: i32, %x: f32[8], %ys: f32[6, 8], %n: i32, %w: f32[8, 8]) -> (i32, f32[8], f32[6, 8]) {
      %zero = constant 0 : i32
      %a = dot_general %x, %w {lhs_contract = [0], rhs_contract = [0]}
      %x.new = tanh %a
      %row = reshape %x.new : f32[1, 8]
      %ys.new = dynamic_update_slice %ys, %row, %i, %zero
      %i.new = add %i, 1
      return %i.new, %x.new, %ys.new
    }

    func @main(%k: i32, \(role) %x: f32[8], \(role) %w: f32[8, 8]) -> (\(role.isEmpty ? "" : "loss %loss: f32, ")%ys: f32[6, 8]) {
      %zero = constant 0 : i32
      %n = \(trips)
      %empty = constant 0.0 : f32[6, 8]
      %i, %y, %ys = while %zero, %x, %empty, %n, %w {condition = @more, body = @next}
      \(role.isEmpty ? "return %ys" : "%loss = reduce %ys {kind = add, dims = [0, 1]}\n  return %loss, %ys")
    }
    """
  }

  private func compile(
    _ text: String, _ options: CompileOptions = CompileOptions()
  ) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "t.ir", sources: &sources)
  }

  // MARK: Trips

  @Test(arguments: [
    ("constant 0 : i32", "add %i, 1", "lt", "6", 6),
    ("constant 1 : i32", "add %i, 2", "lt", "6", 3),
    ("constant 1 : i32", "add %i, 2", "le", "7", 4),
    ("constant 9 : i32", "subtract %i, 3", "gt", "0", 3),
    ("constant 9 : i32", "add %i, -3", "ge", "0", 4),
    ("constant 7 : i32", "add %i, 1", "lt", "7", 0),
    ("constant 0 : i32", "add %i, 4", "ne", "12", 3),
  ])
  func tripsFollowFromConstants(
    start: String, step: String, direction: String, limit: String, trips: Int
  ) throws {
    #expect(try tripCount(start, step, direction, limit) == trips)
  }

  @Test(arguments: [
    // Never ends, wraps around, or is no counter.
    ("constant 0 : i32", "add %i, 0", "lt", "6"), ("constant 0 : i32", "subtract %i, 1", "lt", "6"),
    ("constant 0 : i32", "add %i, 4", "ne", "6"), ("multiply %k, 1", "add %i, 1", "lt", "6"),
    ("constant 0 : i32", "multiply %i, 2", "lt", "6"),
    ("constant 0 : i32", "add %i, 2000000000", "le", "2147483646"),
    ("constant 0 : i32", "add %i, 1", "le", "2147483647"),
  ])
  func otherTripsAreNotKnown(
    start: String, step: String, direction: String, limit: String
  ) throws {
    #expect(try tripCount(start, step, direction, limit) == nil)
  }

  private func tripCount(
    _ start: String, _ step: String, _ direction: String, _ limit: String
  ) throws -> Int? {
    let module = try moduleOf(
      """
      func @more(%i: i32) -> i1 {
        %p = compare %i, \(limit) {direction = \(direction)}
        return %p
      }

      func @next(%i: i32) -> i32 {
        %j = \(step)
        return %j
      }

      func @main(%k: i32) -> i32 {
        %start = \(start)
        %j = while %start {condition = @more, body = @next}
        return %j
      }
      """)
    let function = inlined(module.entry, in: module)
    let op = try #require(function.ops.ids.first { function.ops[$0].opcode == .while })
    return function.tripCount(of: op)
  }

  // MARK: Memory

  @Test func whatIsCarriedIsUpdatedWhereItLies() throws {
    let compilation = try compile(Self.stacking())
    let program = try #require(compilation.program)
    let body = try #require(program.routines.first { $0.name == "next" })
    #expect(body.finalCopies.isEmpty)
    // The stack starts in the buffer of the result: nothing is copied but the first `%x`.
    let loop = try #require(program.calls.last)
    #expect(loop.copies.isEmpty || loop.copies.map(\.sizeBytes) == [32])
    #expect(compilation.step!.arenaBytes < 6 * 8 * 4 * 2)
  }

  @Test func whatChangesPlacesIsCopied() throws {
    let text = """
      func @more(%i: i32, %a: f32[4], %b: f32[4]) -> i1 {
        %p = compare %i, 3 {direction = lt}
        return %p
      }

      func @swap(%i: i32, %a: f32[4], %b: f32[4]) -> (i32, f32[4], f32[4]) {
        %j = add %i, 1
        return %j, %b, %a
      }

      func @main(%a: f32[4], %b: f32[4]) -> (%c: f32[4], %d: f32[4]) {
        %zero = constant 0 : i32
        %i, %c, %d = while %zero, %a, %b {condition = @more, body = @swap}
        return %c, %d
      }
      """
    let compilation = try compile(text)
    let body = try #require(compilation.program?.routines.first { $0.name == "swap" })
    // One value waits in the arena while the other takes its place.
    #expect(body.finalCopies.count == 1)
    try checkCompiled(text)
  }

  @Test func twoLoopsShareTheirKernels() throws {
    let once = try compile(Self.stacking())
    let text = Self.stacking().replacing(
      "return %ys\n",
      with: """
        %j, %z, %zs = while %zero, %y, %ys, %n, %w {condition = @more, body = @next}
          return %zs

        """)
    let twice = try compile(text)
    #expect(once.program!.functions.count == twice.program!.functions.count)
    #expect(twice.program!.controls.count == 1)
    try checkCompiled(text)
  }

  @Test func aKnownNumberOfTripsIsPaidFor() throws {
    func cost(_ trips: Int) throws -> Double {
      try compile(Self.stacking(trips: "constant \(trips) : i32"))
        .step!.costNs
    }
    let (few, many) = (try cost(2), try cost(40))
    #expect(many > 15 * few)
    // 10 are assumed.
    let unknown = try compile(Self.stacking(trips: "add %k, 0")).step!.costNs
    #expect(unknown > few && unknown < many)
  }

  // MARK: Gradients

  @Test func theGradientOfAnUnknownNumberOfTripsIsRefused() throws {
    let text = Self.stacking(trips: "multiply %k, 2", role: "param")
    var sources = SourceMap()
    do throws(CompileError) {
      _ = try Compiler(options: CompileOptions()).compile(
        Array(text.utf8), fileName: "t.ir", sources: &sources)
      Issue.record("it is differentiated")
    } catch {
      guard case .input(let list) = error else { throw error }
      #expect(list.diagnostics.map(\.constraint) == ["differentiate_c7"])
      #expect(list.diagnostics[0].location != .unknown)
    }
  }

  @Test func aSmallBudgetComputesTripsAgain() throws {
    let text = Self.stacking(role: "param")
    let all = try compile(text, CompileOptions(lastStage: .memory))
    let least = try compile(text, CompileOptions(budget: .minimum, lastStage: .memory))
    #expect(least.step!.arenaBytes <= all.step!.arenaBytes)
    for seed in 1...3 as ClosedRange<UInt64> {
      try checkGradients(try moduleOf(text).flattened, seed: seed)
    }
    try checkCompiled(text)
  }

  @Test func gradientsGoThroughLoopsInLoopsAndBranches() throws {
    let bytes = FileManager.default.contents(
      atPath: repositoryPath("Tests/Files/run/nested_loops.ir"))
    let text = String(decoding: try #require(bytes), as: UTF8.self)
      .replacing("func @main(%x: f32[2], %t", with: "func @main(param %x: f32[2], param %t")
      .replacing("-> (%y: f32)", with: "-> (loss %y: f32)")
    for seed in 1...3 as ClosedRange<UInt64> {
      try checkGradients(try moduleOf(text).flattened, seed: seed)
    }
    try checkCompiled(text)
  }

  @Test func stacksHaveALimit() throws {
    let text = Self.stacking(trips: "constant 2000000000 : i32", role: "param")
    var sources = SourceMap()
    do throws(CompileError) {
      _ = try Compiler(options: CompileOptions(lastStage: .differentiated)).compile(
        Array(text.replacing("8", with: "400").utf8),
        fileName: "t.ir", sources: &sources)
      Issue.record("it is differentiated")
    } catch {
      guard case .input(let list) = error else { throw error }
      #expect(list.diagnostics.map(\.constraint) == ["differentiate_c8"])
    }
  }

  /// Twenty loops in each other: what is known of the inner ones is not found out twice at each level.
  @Test func deepNestsAreDifferentiated() throws {
    var text = """
      func @more(%i: i32, %x: f32, %y: f32) -> i1 {
        %p = compare %i, 2 {direction = lt}
        return %p
      }

      func @f0(%i: i32, %x: f32, %y: f32) -> (i32, f32, f32) {
        %j = add %i, 1
        %a = sine %y
        return %j, %a, %x
      }

      """
    for level in 1...20 {
      text += """

        func @f\(level)(%i: i32, %x: f32, %y: f32) -> (i32, f32, f32) {
          %zero = constant 0 : i32
          %j = add %i, 1
          %k, %a, %b = while %zero, %x, %y {condition = @more, body = @f\(level - 1)}
          return %j, %a, %b
        }

        """
    }
    text += """

      func @main(param %x: f32) -> (loss %a: f32) {
        %zero = constant 0 : i32
        %y = constant 0.5 : f32
        %k, %a, %b = while %zero, %x, %y {condition = @more, body = @f20}
        return %a
      }
      """
    let compilation = try compile(text, CompileOptions(lastStage: .differentiated))
    #expect(compilation.differentiated!.callees.count < 200)
  }

  // MARK: Simplification

  @Test func loopsCarryWhatChangesAndIsRead() throws {
    let module = try moduleOf(
      """
      func @more(%i: i32, %a: f32, %b: f32, %dead: f32, %n: i32) -> i1 {
        %p = compare %i, %n {direction = lt}
        return %p
      }

      func @next(%i: i32, %a: f32, %b: f32, %dead: f32, %n: i32) -> (i32, f32, f32, f32) {
        %j = add %i, 1
        %h = sine %b
        %c = add %a, %h
        %d = add %dead, %a
        return %j, %c, %b, %d
      }

      func @main(%a: f32, %b: f32) -> f32 {
        %zero = constant 0 : i32
        %n = constant 5 : i32
        %i, %c, %d, %e = while %zero, %a, %b, %a, %n {condition = @more, body = @next}
        %s = add %c, %d
        return %s
      }
      """)
    let function = simplified(inlined(module.entry, in: module))
    #expect(verify(function).isEmpty)
    let loop = try #require(function.ops.ids.first { function.ops[$0].opcode == .while })
    // The counter and %a; the sine stands before the loop.
    #expect(function.ops[loop].resultCount == 2)
    #expect(function.operands(of: loop).count == 3)
    #expect(function.ops.elements.contains { $0.opcode == .sine })
    let arguments = [tensor(.f32, [0.5], shape: []), tensor(.f32, [1], shape: [])]
    #expect(
      try interpret(function, arguments: arguments)
        == interpret(module.entry, in: module, arguments: arguments))
  }

  @Test func knownBranchesAndEmptyLoopsGo() throws {
    let module = try moduleOf(
      """
      func @never(%i: i32, %x: f32) -> i1 {
        %p = compare %i, 0 {direction = lt}
        return %p
      }

      func @next(%i: i32, %x: f32) -> (i32, f32) {
        %j = add %i, 1
        return %j, %x
      }

      func @sine(%x: f32) -> f32 {
        %y = sine %x
        return %y
      }

      func @cosine(%x: f32) -> f32 {
        %y = cosine %x
        return %y
      }

      func @main(%x: f32) -> f32 {
        %zero = constant 0 : i32
        %i, %y = while %zero, %x {condition = @never, body = @next}
        %z = case %zero, %y {branches = [@sine, @cosine]}
        return %z
      }
      """)
    let function = simplified(inlined(module.entry, in: module))
    #expect(function.callees.isEmpty)
    #expect(function.ops.elements.map(\.opcode) == [.sine, .return])
  }

  /// Compiles a text under several budgets, and compares with the interpreter.
  private func checkCompiled(_ text: String) throws {
    guard let driver = try? CompilerDriver() else { return }
    let function = try moduleOf(text).flattened
    var programs: [EmittedProgram] = []
    for seed in 1...3 as ClosedRange<UInt64> {
      let check = ProgramCheck(function, seed: seed)
      try check.run()
      programs.append(try EmittedProgram(check))
    }
    let compiled = try CompiledPrograms(programs, driver: driver)
    for program in programs { try compiled.check(program) }
  }
}

extension Module {
  /// The entry without calls, with its callees.
  fileprivate var flattened: Function { inlined(entry, in: self) }
}
