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

  static func text(_ name: String) throws -> String {
    try String(contentsOf: examples.appending(path: "\(name).ir"), encoding: .utf8)
  }

  @Test func everyExampleIsTested() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: examples.path)
    #expect(files.filter { $0.hasSuffix(".ir") }.sorted() == Self.names.map { "\($0).ir" })
  }

  @Test(arguments: names)
  func examplesBecomeStepsWithUpdates(name: String) throws {
    let text = try Self.text(name)
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

  /// Every matrix and kernel, and its state, is overwritten in place. Vectors that a kernel both
  /// broadcasts and updates are copied.
  @Test(arguments: names)
  func updatesHappenInPlace(name: String) throws {
    var sources = SourceMap()
    let compilation = try Compiler(
      options: CompileOptions(optimizer: .adamw(weightDecay: 0.01), lastStage: .memory)
    ).compile(Array(try Self.text(name).utf8), fileName: name, sources: &sources)
    let step = try #require(compilation.step)
    for copy in step.storage.finalCopies {
      guard case .argument(let index) = copy.to else { continue }
      #expect(step.function.argumentTypes[index].rank <= 1)
    }
  }

  /// The parameters and states of `@eval` are those of `@main`, by name and type.
  @Test(arguments: ["digits-cnn", "digits-mlp", "resnet"])
  func evaluationTakesWhatTrainingMakes(name: String) throws {
    let text = try Self.text(name)
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
    let joint = try moduleOf(try Self.text("joint-mlp"))
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

  /// The blocks of an example with the small `@main` of `Tests/Golden`, in `dtype`.
  private func goldenModule(_ name: String, _ dtype: DType) throws -> Module {
    let golden = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Golden/\(name).ir")
    let example = try Self.text(name)
    let main = try #require(example.range(of: "func @main(", from: example.startIndex))
    let text = example[..<main.lowerBound] + (try String(contentsOf: golden, encoding: .utf8))
    return try moduleOf(text.replacingOccurrences(of: "f32", with: dtype.name))
  }

  /// The numbers that `Tests/Golden/networks.py` gives the argument at a place.
  private func goldenNumbers(_ function: Function, _ place: Int, limit: Int) -> [Double] {
    let argument = function.arguments[place]
    let type = function.type(of: argument.value)
    let places = 0..<type.elementCount
    guard type.dtype.isFloatingPoint else { return places.map { Double((7 * $0 + place) % limit) } }
    let (base, size): (Double, Double) =
      switch argument.initializer {
      case .fill(let number): (number, 0.1)
      case .normal(let deviation), .uniform(let deviation): (0, deviation)
      case nil: (0, 1)
      }
    return places.map { base + size * sin(0.7 * Double($0) + 1.3 * Double(place)) }
  }

  /// Losses of five steps of gradient descent, and sums of running statistics, from JAX in binary64.
  @Test(arguments: [
    (
      "gpt", 11,
      [
        4.484606522055701, 2.7455333218184954, 2.6049291342229353, 2.4670607085496012,
        2.3684808475009347,
      ], [:]
    ),
    (
      "resnet", 5,
      [
        1.6127409379131592, 1.6304061810430515, 1.52397876491633, 1.4133867642917322,
        1.4517634823304164,
      ],
      [
        "m0": -0.021248455297359647, "v1": 3.560530149511705, "m3": 0.17402981326404426,
        "v4": 3.902434979477058,
      ]
    ),
    (
      "unet", 2,
      [
        0.6891857077735482, 0.683526402822848, 0.6801996004432544, 0.6792699280589779,
        0.6786989025948037,
      ], [:]
    ),
  ])
  func fiveStepsAreThoseOfJAX(
    name: String, limit: Int, losses: [Double], states: [String: Double]
  ) throws {
    for (dtype, tolerance) in [(DType.f64, 1e-12), (.f32, 1e-5)] {
      let module = try goldenModule(name, dtype)
      var remarks: [Diagnostic] = []
      let function = try withOptimizer(
        inlined(try differentiated(module, remarks: &remarks), in: module), .sgd(weightDecay: 0))
      var values: [Tensor] = function.arguments.indices.map { place in
        let type = function.argumentTypes[place]
        return function.values[function.arguments[place].value].name == "lr"
          ? Tensor(type, repeating: 0.125)
          : Tensor(type, floats: goldenNumbers(function, place, limit: limit))
      }
      for loss in losses {
        let results = try interpret(function, arguments: values)
        for (result, tensor) in zip(function.results, results) {
          if case .update(let argument) = result.role { values[argument] = tensor }
          if result.role == .loss {
            #expect(abs(tensor[0] - loss) < tolerance, "\(name): \(tensor[0]), not \(loss)")
          }
        }
      }
      for (place, argument) in function.arguments.enumerated() {
        guard let sum = states[function.values[argument.value].name] else { continue }
        #expect(abs(values[place].floats.reduce(0, +) - sum) < tolerance)
      }
    }
  }
}
