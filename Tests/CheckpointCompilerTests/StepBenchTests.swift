import CheckpointCompiler
import CompilerTesting
import Testing

@testable import ckc_bench

@Suite struct StepBenchTests {
  /// Every small network has the losses of PyTorch in double precision, and the same bits under the
  /// smallest budget. The small `mobilenet` normalizes over too few places to have five sure digits.
  @Test(arguments: BenchModel.Network.allCases.filter { $0 != .mobilenet })
  func smallNetworksHaveTheLossesOfPyTorch(network: BenchModel.Network) throws {
    let model = BenchModel(network: network, size: .tiny)
    let compilations = try [("all", Budget.unlimited), ("least", .minimum)].map { name, budget in
      var sources = SourceMap()
      var options = model.options(budget, threads: 2, name: name)
      // Bits do not depend on how good the plan is.
      options.effort = 0.01
      return try Compiler(options: options).compile(
        Array(model.text.source.utf8), fileName: model.name, sources: &sources)
    }
    let driver = try CompilerDriver()
    let directory = try TemporaryDirectory()
    var batch = OutputBatch()
    for compilation in compilations {
      batch.add(compilation.header, to: directory.file("\(compilation.name).h"))
      batch.add(compilation.source, to: directory.file("\(compilation.name).c"))
    }
    try batch.commit()
    let path = directory.file("libsteps.so")
    try driver.compile(
      compilations.map { directory.file("\($0.name).c") }, to: path, as: .sharedLibrary,
      extraFlags: ["-O1"])
    let library = try DynamicLibrary(path: path)
    let curves = try compilations.map { compilation in
      let planned = try #require(compilation.step)
      let step = try CompiledStep(
        function: planned.function, arenaBytes: planned.arenaBytes, name: compilation.name,
        library: library, hasOpenMP: driver.hasOpenMP)
      return try curve(model, step)
    }
    #expect(curves[0].losses == curves[1].losses)
    #expect(curves[0].squaresOfStatistics == curves[1].squaresOfStatistics)
    let reference = try #require(Curve(of: model))
    #expect(curves[0].agrees(with: reference, tolerance: model.tolerance), "\(curves[0])")
  }

  private func curve(_ model: BenchModel, _ step: CompiledStep) throws -> Curve {
    let function = step.function
    let loss = try #require(function.lossResult)
    ModelNumbers(model, for: function).start(step)
    var curve = Curve(name: "ckc", losses: [])
    for number in 0..<5 {
      for index in function.arguments.indices {
        let type = function.argumentType(index)
        if function.isKey(index) {
          step.setArgument(index, to: ExampleInputs.key(seed: 0, step: number))
        } else if function.isLearningRate(index) {
          step.setArgument(index, to: Tensor(type, floats: [model.learningRate]))
        }
      }
      #expect(step.run() == 0)
      curve.losses.append(step.scalarResult(loss))
    }
    let state = function.arguments.indices.filter { function.arguments[$0].role == .state }
    let squares = state.flatMap { step.argument($0).floats }.reduce(0) { $0 + $1 * $1 }
    if !state.isEmpty { curve.squaresOfStatistics = squares }
    return curve
  }

  @Test func everyNetworkHasAText() throws {
    for network in BenchModel.Network.allCases {
      for size in BenchModel.Size.allCases {
        let model = BenchModel(network: network, size: size)
        var sources = SourceMap()
        var options = model.options(.unlimited, threads: 1)
        options.lastStage = .parsed
        let compilation = try Compiler(options: options).compile(
          Array(model.text.source.utf8), fileName: model.name, sources: &sources)
        // Every tensor has its layout, of as many elements.
        for index in compilation.module.entry.arguments.indices {
          let entry = compilation.module.entry
          let layout = try #require(model.text.layouts[entry.argumentName(index)])
          #expect(layout.shape.reduce(1, *) == entry.argumentType(index).elementCount)
        }
      }
    }
  }

  @Test func layoutsTurnThereAndBack() {
    let numbers = Tensor(TensorType(.f32, [2, 2, 3, 1]), floats: (0..<12).map { Double($0) })
    let kernel = ForeignLayout.transposedConvolution(window: 2, inputs: 3, outputs: 1)
    let exported = kernel.exported(numbers)
    #expect(exported.type == TensorType(.f32, [3, 1, 2, 2]))
    #expect(exported.floats == [9, 6, 3, 0, 10, 7, 4, 1, 11, 8, 5, 2])
    #expect(kernel.imported(exported, as: [2, 2, 3, 1]) == numbers)
    let linear = Tensor(TensorType(.f32, [2, 3]), floats: [0, 1, 2, 3, 4, 5])
    #expect(
      ForeignLayout.linear(inputs: 2, outputs: 3).exported(linear).floats == [0, 3, 1, 4, 2, 5])
  }

  @Test func curvesDiffer() {
    let curve = Curve(name: "a", losses: [2, 1], squaresOfStatistics: 4)
    #expect(curve.agrees(with: Curve(name: "b", losses: [2, 1.01]), tolerance: 0.02))
    #expect(!curve.agrees(with: Curve(name: "b", losses: [2, 1.1]), tolerance: 0.02))
    #expect(!curve.agrees(with: Curve(name: "b", losses: [2]), tolerance: 9))
    #expect(!curve.agrees(with: Curve(name: "b", losses: [2, .nan]), tolerance: 9))
    #expect(
      !curve.agrees(
        with: Curve(name: "b", losses: [2, 1], squaresOfStatistics: 5), tolerance: 0.02))
  }

  @Test func argumentsAreChecked() throws {
    let words = ["--model", "gpt,unet", "--budget", "unlimited,25%,1MiB,min", "--peers", "a", "b"]
    let arguments = try StepBenchArguments(words)
    #expect(arguments.networks == [.gpt, .unet])
    #expect(
      arguments.budgets.map(\.budget) == [.unlimited, .percent(25), .bytes(1 << 20), .minimum])
    #expect(arguments.interpreters == ["a", "b"])
    for wrong in [["--model", "vgg"], ["--budget", "0%"], ["--threads", "0"], ["--what"]] {
      #expect(throws: BenchError.self) { try StepBenchArguments(wrong) }
    }
  }
}
