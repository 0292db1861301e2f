import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// The folder of the examples.
private let examples = URL(filePath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().appending(path: "IR-examples")

@Suite struct ExampleTests {
  static let names = [
    "digits-cnn", "digits-mlp", "gpt", "joint-mlp", "lora", "resnet", "unet",
  ]

  private func text(_ name: String) throws -> String {
    try String(contentsOf: examples.appending(path: "\(name).ir"), encoding: .utf8)
  }

  @Test func everyExampleIsTested() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: examples.path)
    #expect(files.filter { $0.hasSuffix(".ir") }.sorted() == Self.names.map { "\($0).ir" })
  }

  @Test(arguments: names)
  func examplesBecomeStepsWithUpdates(name: String) throws {
    let text = try text(name)
    #expect(text.hasPrefix("// ") && text.contains("//   ckc "))
    let module = try moduleOf(text)
    var remarks: [Diagnostic] = []
    let step = inlined(try differentiated(module, remarks: &remarks), in: module)
    #expect(remarks.isEmpty && verify(step).isEmpty)
    let updated = try withOptimizer(step, .adamw(weightDecay: 0.01))
    #expect(verify(updated).isEmpty)
    let printed = Printer.print(updated)
    #expect(Printer.print(try moduleOf(printed).entry) == printed)

    let trained = module.entry.arguments.filter { $0.role == .parameter }.count
    let states = module.entry.arguments.filter { $0.role == .state }.count
    let updates = updated.results.filter { if case .update = $0.role { true } else { false } }
    #expect(updates.count == 3 * trained + states + 1)
  }

  /// The parameters and states of `@eval` are those of `@main`, by name and type.
  @Test(arguments: ["digits-cnn", "digits-mlp", "resnet"])
  func evaluationTakesWhatTrainingMakes(name: String) throws {
    let text = try text(name)
    let main = try moduleOf(text).entry
    let eval = try moduleOf(text, entry: "eval").entry
    func kept(_ function: Function) -> [String] {
      function.arguments.filter { $0.role != .input }
        .map { "\(function.values[$0.value].name): \(function.type(of: $0.value))" }
    }
    #expect(kept(main) == kept(eval))
    #expect(eval.results.map(\.name) == ["loss", "accuracy"])
  }

  /// The gradients written out in `joint-mlp.ir` are slopes of its loss.
  @Test func theJointExampleHasTheDerivedGradients() throws {
    let joint = try moduleOf(try text("joint-mlp"))
    var results = joint.entry.results
    let values = joint.entry.returnedValues
    #expect(results.count == 5 && values.count == 5)
    results.removeSubrange(1...)
    var builder = FunctionBuilder(name: "main")
    var map = ValueMap(for: joint.entry)
    builder.cloneArguments(of: joint.entry, into: &map)
    for op in joint.entry.blocks[joint.entry.body].ops.dropLast() {
      builder.clone(op, of: joint.entry, map: &map)
    }
    let forward = builder.finish(returning: [map[values[0]]!], as: results)
    let functions = joint.functions.filter { $0.name != "main" } + [forward]
    let module = inDoublePrecision(Module(functions: functions, entryName: "main"))
    var remarks: [Diagnostic] = []
    let derived = inlined(try differentiated(module, remarks: &remarks), in: module)
    let written = inDoublePrecision(inlined(joint.entry, in: joint))
    let arguments = exampleArguments(for: written, indexLimit: 10)
    for (a, b) in zip(
      try interpret(derived, arguments: arguments), try interpret(written, arguments: arguments))
    {
      for (x, y) in zip(a.floats, b.floats) { #expect(abs(x - y) < 1e-12) }
    }
  }
}
