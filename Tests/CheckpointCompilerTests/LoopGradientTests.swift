import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// Gradients of loops and branches.
@Suite struct LoopGradientTests {
  @Test func theGradientOfAnUnknownNumberOfTripsIsRefused() throws {
    let text = LoopSamples.stacking(trips: "multiply %k, 2", role: "param")
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
    let text = LoopSamples.stacking(role: "param")
    let all = try LoopSamples.compile(text, CompileOptions(lastStage: .memory))
    let least = try LoopSamples.compile(text, CompileOptions(budget: .minimum, lastStage: .memory))
    #expect(least.step!.arenaBytes <= all.step!.arenaBytes)
    for seed in 1...3 as ClosedRange<UInt64> {
      try checkGradients(try moduleOf(text).flattened, seed: seed)
    }
    try LoopSamples.checkCompiled(text)
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
    try LoopSamples.checkCompiled(text)
  }

  @Test func stacksHaveALimit() throws {
    let text = LoopSamples.stacking(trips: "constant 2000000000 : i32", role: "param")
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
    let compilation = try LoopSamples.compile(text, CompileOptions(lastStage: .differentiated))
    #expect(compilation.differentiated!.callees.count < 200)
  }
}
