import CUDAEmulation
import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// Emitted CUDA, executed: the examples, at several budgets, against emitted C.
@Suite(
  .enabled(if: TestEmulation.fast != nil, TestEmulation.absence),
  .enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
struct CUDAExampleTests {
  /// The examples, the larger ones as the small networks of `Tests/Golden`.
  static func text(_ name: String) throws -> String {
    let example = try ExampleTests.text(name)
    let golden = repositoryPath("Tests/Golden/\(name).ir")
    guard FileManager.default.fileExists(atPath: golden) else {
      // Six digits rather than 64.
      guard name == "digits-cnn" else { return example }
      return example.replacingOccurrences(of: "f32[64,64]", with: "f32[6,64]")
        .replacingOccurrences(of: "i32[64]", with: "i32[6]")
    }
    let main = try #require(example.range(of: "func @main("))
    return example[..<main.lowerBound] + (try String(contentsOfFile: golden, encoding: .utf8))
  }

  /// A compilation; nil where the budget is refused.
  static func compiled(_ text: String, _ options: CompileOptions) throws -> Compilation? {
    do {
      return try LoopSamples.compile(text, options)
    } catch CompileError.budget {
      return nil
    }
  }

  /// What takes long is the C++ compiler; so only some of them, unless `CKC_ALL_EXAMPLES=1`.
  static let names =
    ProcessInfo.processInfo.environment["CKC_ALL_EXAMPLES"] == "1"
    ? ExampleTests.names : ["digits-mlp", "gpt"]
  static let budgets: [Budget] =
    names.count > 2 ? [.unlimited, .percent(50), .minimum] : [.percent(50)]

  @Test(arguments: names)
  func examplesKeepTheirPromises(name: String) throws {
    let text = try Self.text(name)
    var options = CompileOptions(
      name: "step", optimizer: .momentum(momentum: 0.9, weightDecay: 0), effort: 0.01)
    let reference = try CompiledStep(
      try LoopSamples.compile(text, options), driver: TestToolchain.driver!)
    reference.initialize(seed: 5)
    let function = reference.function
    let examples = ExampleInputs(seed: 5)
    let inputs = (0..<2).map { step in
      function.arguments.indices.filter { function.arguments[$0].role == .input }.map {
        (argument: $0, value: examples.value(ofArgument: $0, of: function, step: step))
      }
    }
    let start = reference.argumentValues
    for input in inputs[0] { reference.setArgument(input.argument, to: input.value) }
    reference.run()
    let expected = reference.resultValues + reference.argumentValues
    let check = EmulationCheck(
      fast: TestEmulation.fast!, checked: TestEmulation.checked!, start: start, inputs: inputs)
    options.target = .cuda(.a100)
    for budget in Self.budgets {
      options.budget = budget
      // Half may be less than the least that a network needs.
      guard let compilation = try Self.compiled(text, options) else { continue }
      for outcome in try check.run(compilation, expected: expected) {
        #expect(outcome.isPassed, "\(budget), \(outcome.name): \(outcome.detail)")
      }
    }
  }
}
