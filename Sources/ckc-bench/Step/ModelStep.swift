// A model compiled under a budget: its losses, its times, its memory.

import CheckpointCompiler
import Foundation

/// A compiled training step of a model.
struct ModelStep {
  let model: BenchModel
  /// The budget as it was asked for.
  let budget: StepBenchArguments.NamedBudget
  let compilation: Compilation
  let step: CompiledStep
  /// Seconds that ckc took.
  let compileSeconds: Double
  /// Seconds that the C compiler took.
  let toolchainSeconds: Double

  /// Compiles a model.
  ///
  /// - Throws: Why there is no step: no plan within the budget, or a C compiler that fails.
  init(
    _ model: BenchModel, _ budget: StepBenchArguments.NamedBudget, threads: Int,
    driver: CompilerDriver, defines: [String] = []
  ) throws(BenchError) {
    self.model = model
    self.budget = budget
    var options = model.options(budget.budget, threads: threads)
    options.maxOverhead = budget.maxOverhead
    var sources = SourceMap()
    let start = ContinuousClock.now
    do {
      compilation = try Compiler(options: options).compile(
        Array(model.text.source.utf8), fileName: "\(model.name).ir", sources: &sources)
    } catch {
      throw BenchError(message: "\(model.name): \(error.rendered(with: sources))")
    }
    let compiled = ContinuousClock.now
    do {
      step = try CompiledStep(compilation, driver: driver, defines: defines)
    } catch {
      throw BenchError(message: "\(model.name): \(error)")
    }
    compileSeconds = start.duration(to: compiled) / .seconds(1)
    toolchainSeconds = compiled.duration(to: .now) / .seconds(1)
    step.setThreads(threads)
    for index in step.function.arguments.indices where step.function.isLearningRate(index) {
      step.setArgument(
        index, to: Tensor(step.function.argumentType(index), floats: [model.learningRate]))
    }
  }

  /// The function as it was read: what numbers are made for.
  var function: Function { compilation.module.entry }

  /// Runs a step with the random numbers of its place in the sequence.
  ///
  /// - Returns: The loss, and the milliseconds that the step took.
  func run(number: Int) throws(BenchError) -> (loss: Double, ms: Double) {
    for index in step.function.arguments.indices where step.function.isKey(index) {
      step.setArgument(index, to: ExampleInputs.key(seed: 0, step: number))
    }
    let start = ContinuousClock.now
    let status = step.run()
    let ms = start.duration(to: .now) / .milliseconds(1)
    guard status == 0 else { throw BenchError(message: "the step of \(model.name) fails") }
    guard let loss = step.function.lossResult else {
      preconditionFailure("\(model.name) has no loss")
    }
    return (step.scalarResult(loss), ms)
  }

  /// The losses of the first steps from the given numbers.
  func losses(from numbers: ModelNumbers, count: Int = 5) throws(BenchError) -> [Double] {
    numbers.start(step)
    return try (0..<count).map { number throws(BenchError) in try run(number: number).loss }
  }

  /// The sum of squares of all state: what normalization keeps from step to step.
  var squaresOfStatistics: Double {
    var sum = 0.0
    for index in step.function.arguments.indices
    where step.function.arguments[index].role == .state {
      sum += step.argument(index).floats.reduce(0) { $0 + $1 * $1 }
    }
    return sum
  }
}

extension BenchModel {
  /// How its steps are compiled.
  func options(_ budget: Budget, threads: Int, name: String = "step") -> CompileOptions {
    CompileOptions(
      name: name, target: .cpu(threadsMax: threads), optimizer: .sgd(weightDecay: 0),
      budget: budget)
  }
}
