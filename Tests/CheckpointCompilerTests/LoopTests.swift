import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// Loops and branches from text to memory.
@Suite struct LoopTests {
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
    let compilation = try LoopSamples.compile(LoopSamples.stacking())
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
    let compilation = try LoopSamples.compile(text)
    let body = try #require(compilation.program?.routines.first { $0.name == "swap" })
    // One value waits in the arena while the other takes its place.
    #expect(body.finalCopies.count == 1)
    try LoopSamples.checkCompiled(text)
  }

  @Test func twoLoopsShareTheirKernels() throws {
    let once = try LoopSamples.compile(LoopSamples.stacking())
    let text = LoopSamples.stacking().replacing(
      "return %ys\n",
      with: """
        %j, %z, %zs = while %zero, %y, %ys, %n, %w {condition = @more, body = @next}
          return %zs

        """)
    let twice = try LoopSamples.compile(text)
    #expect(once.program!.functions.count == twice.program!.functions.count)
    #expect(twice.program!.controls.count == 1)
    try LoopSamples.checkCompiled(text)
  }

  @Test func aKnownNumberOfTripsIsPaidFor() throws {
    func cost(_ trips: Int) throws -> Double {
      try LoopSamples.compile(LoopSamples.stacking(trips: "constant \(trips) : i32"))
        .step!.costNs
    }
    let (few, many) = (try cost(2), try cost(40))
    #expect(many > 15 * few)
    // 10 are assumed.
    let unknown = try LoopSamples.compile(LoopSamples.stacking(trips: "add %k, 0")).step!.costNs
    #expect(unknown > few && unknown < many)
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
}
