import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// A step whose gradient of `%w` is `%g * %w`, read once more afterwards; `%u` is a `bf16` parameter.
private let text = """
  func @main(%g: f32[3], param %w: f32[3], %h: bf16[2], param %u: bf16[2], frozen %f: f32) -> (
      %out: f32[3], grad(%w) %grad.w: f32[3], grad(%u) %grad.u: bf16[2], grad(%f) %grad.f: f32) {
    %gw = multiply %g, %w
    %gu = multiply %h, %u
    %late = add %w, %gw
    %gf = add %f, 1.0
    return %late, %gw, %gu, %gf
  }
  """

private func parsed(_ text: String) throws -> Function {
  var sources = SourceMap()
  let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
  return inlined(module.entry, in: module)
}

private func step(_ optimizer: Optimizer, _ text: String = text) throws -> Function {
  let step = try withOptimizer(try parsed(text), optimizer)
  #expect(verify(step).isEmpty)
  return step
}

/// The error of an optimizer for a text.
private func message(_ text: String) throws -> String {
  let function = try parsed(text)
  do throws(Diagnostic) {
    _ = try withOptimizer(function, .adamw(weightDecay: 0))
    return ""
  } catch {
    return error.message
  }
}

/// Runs steps of a function, each with the updates of the one before.
private func train(
  _ function: Function, steps: Int, inputs: [String: Tensor]
) throws -> [String: Tensor] {
  let names = function.arguments.map { function.values[$0.value].name }
  var values = inputs
  for (name, argument) in zip(names, function.arguments) where argument.role == .state {
    #expect(argument.initializer == .fill(0))
    values[name] = Tensor(zeros: function.type(of: argument.value))
  }
  for _ in 0..<steps {
    let results = try interpret(function, arguments: names.map { values[$0]! })
    for (result, tensor) in zip(function.results, results) {
      if case .update(let argument) = result.role { values[names[argument]] = tensor }
    }
  }
  return values
}

@Suite struct OptimizerTests {
  static let inputs = [
    "g": tensor(.f32, [0.3, -0.1, 2]), "w": tensor(.f32, [1, -2, 0.5]),
    "h": tensor(.bf16, [1, -1]), "u": tensor(.bf16, [1, 2]), "f": tensor(.f32, [0], shape: []),
    "lr": tensor(.f32, [0.1], shape: []),
  ]

  /// The rules of `torch.optim`, three steps in binary64.
  @Test(arguments: [
    (Optimizer.sgd(weightDecay: 0), [0.912673, -2.060602, 0.256]),
    (.sgd(weightDecay: 0.2), [0.857375, -1.940598, 0.237276]),
    (.momentum(momentum: 0.9, weightDecay: 0), [0.835993, -2.113162, 0.031]),
    (.momentum(momentum: 0.9, weightDecay: 0.2), [0.731375, -1.888758, -0.006264]),
    (.adam(weightDecay: 0), [0.701586282, -2.30035238, 0.204871253]),
    (.adam(weightDecay: 0.2), [0.701586278, -1.70062341, 0.204871252]),
    (.adamw(weightDecay: 0.2), [0.649203277, -2.17666133, 0.182253804]),
  ])
  func threeStepsAreThoseOfPyTorch(optimizer: Optimizer, expected: [Double]) throws {
    let values = try train(try step(optimizer), steps: 3, inputs: Self.inputs)
    for (found, wanted) in zip(values["w"]!.floats, expected) {
      #expect(abs(found - wanted) < 1e-6, "\(optimizer): \(found), not \(wanted)")
    }
  }

  @Test func updatesTakeThePlaceOfGradients() throws {
    let function = try step(.adamw(weightDecay: 0.01))
    #expect(
      function.results.map(\.name) == [
        "out", "w.new", "u.new", "grad.f", "m.w.new", "v.w.new", "m.u.new", "v.u.new",
        "optimizer.step.new",
      ])
    let names = function.arguments.map { function.values[$0.value].name }
    #expect(
      names.dropFirst(5) == ["lr", "m.w", "v.w", "m.u", "v.u", "optimizer.step"])
    #expect(function.results[1].role == .update(of: 1))
    #expect(function.results[4].role == .update(of: 6))
  }

  /// The average of a `bf16` parameter is `f32`; the parameter is rounded once.
  @Test func halfPrecisionParametersAreUpdatedInSinglePrecision() throws {
    let function = try step(.momentum(momentum: 0.9, weightDecay: 0))
    let values = try train(function, steps: 1, inputs: Self.inputs)
    #expect(values["m.u"]!.type == TensorType(.f32, [2]))
    #expect(values["u"] == tensor(.bf16, [0.9, 2.2]))
  }

  /// The gradient of `%u` dies in the update right after it, that of `%w` after the last reader of `%w`.
  @Test func anUpdateFollowsTheLastReaderOfWhatItOverwrites() throws {
    let function = try step(.sgd(weightDecay: 0))
    let order = function.opsInOrder.flatMap { function.results(of: $0) }
      .map { function.values[$0].name }.filter { !$0.isEmpty }
    #expect(order == ["gw", "gu", "u.new", "late", "w.new", "gf"])
  }

  @Test func whatCannotBeUpdatedIsRefused() throws {
    #expect(
      try message("func @main(param %w: f32) -> f32 {\n  return %w\n}")
        == "an optimizer needs gradients, but no result of @main is the gradient of a parameter")
    #expect(
      try message(
        "func @main(param %w: f32, %lr: f32) -> (grad(%w) f32) {\n  return %lr\n}")
        == "the optimizer adds an input %lr, but the graph has an argument %lr")
    #expect(
      try message(
        "func @main(param %w: f32, %v.w: f32) -> (grad(%w) f32) {\n  return %v.w\n}")
        == "the optimizer adds a state %v.w, but the graph has an argument %v.w")
    #expect(
      try message(
        """
        func @main(param %w: f32, %x: f32) -> (grad(%w) f32, update(%w) f32) {
          return %x, %x
        }
        """)
        == "%w has a gradient and an update already; an optimizer would update it twice")
  }
}
