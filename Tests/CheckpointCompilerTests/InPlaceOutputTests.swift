import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

@Suite struct InPlaceOutputTests {
  private func compile(_ text: String, _ options: CompileOptions) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: options).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  /// The pairs of names that the rule allows, and those that the loops prove.
  private func pairs(_ function: Function) -> (allowed: [String], proven: [String]) {
    let order = KernelOrder(function)
    var allowed: [String] = []
    var proven: [String] = []
    for kernel in order.kernels {
      let pairs = function.inPlaceOutputs(of: kernel, order: order)
      for (output, value) in kernel.writes.enumerated() {
        for (input, root) in kernel.reads.enumerated() {
          let name = "\(function.values[value].name) over \(function.values[root].name)"
          if pairs.contains(InPlaceOutput(output: output, input: input)) { allowed.append(name) }
          if function.mayOverwrite(root, with: value, in: kernel, order: order) {
            proven.append(name)
          }
        }
      }
    }
    return (allowed, proven)
  }

  @Test(arguments: ExampleTests.names)
  func whatIsAllowedIsProvenInExamples(name: String) throws {
    let text = try ExampleTests.text(name)
    let compilation = try compile(text, CompileOptions(optimizer: .adamw(weightDecay: 0.01), lastStage: .kernels))
    let found = pairs(try #require(compilation.grouped))
    #expect(Set(found.allowed).isSubset(of: found.proven))
    print(name, found.allowed.count, found.proven.count, found.proven.filter { !found.allowed.contains($0) })
  }

  @Test(arguments: RandomProgramTests.seeds)
  func whatIsAllowedIsProvenInRandomPrograms(seed: UInt64) throws {
    let text = RandomProgram(seed: seed).text
    let compilation = try compile(text, CompileOptions(lastStage: .kernels))
    let found = pairs(try #require(compilation.grouped))
    #expect(Set(found.allowed).isSubset(of: found.proven))
    print(seed, found.allowed.count, found.proven.count, found.proven.filter { !found.allowed.contains($0) })
  }

  /// The bytes alive at the peak of the packing problem are what the planner counted.
  @Test(arguments: ExampleTests.names)
  func thePackerHoldsWhatThePlannerCounts(name: String) throws {
    let text = try ExampleTests.text(name)
    for budget in [Budget.unlimited, .percent(70), .percent(50), .minimum] {
      do {
        let compilation = try compile(text, CompileOptions(budget: budget, effort: 0.1, lastStage: .memory))
        let priced = try #require(compilation.priced)
        for step in [compilation.keepAll, compilation.step] {
          let step = try #require(step)
          let graph = RematGraph(priced.problem, order: priced.problem.nodes.indices.map { Int32($0) })
          let schedule = Schedule(sequence: step.computations.map { Int32($0) }, of: graph)
          let figures = try RematChecker(priced.problem).check(schedule)
          #expect(step.peakLiveBytes == figures.peakBytes)
          print(name, budget, step.peakLiveBytes, step.arenaBytes)
        }
      } catch CompileError.budget {}
    }
  }
}
