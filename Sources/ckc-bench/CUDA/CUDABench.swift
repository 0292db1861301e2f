// Training steps on a device: their losses, times, memory and kernels, and products beside cuBLAS.
//
// Method      As `ckc-bench step`: first the losses of five steps are compared with those of PyTorch in
//             double precision, then times are taken, by events of the device.
// Output      The device with its measured peaks; for each model and budget the losses, a row of times
//             and memory, and every kernel of more than 2 % beside its roofline; the products. Where
//             there is no nvcc or no device, one line that says so.

import CheckpointCompiler
import Foundation

/// The benchmark on a device.
enum CUDABench {
  /// Prints the figures; false where losses differ.
  static func run(_ arguments: CUDABenchArguments) throws(BenchError) -> Bool {
    do {
      let driver = try CUDADriver(preferred: arguments.compiler)
      let device = try driver.device()
      return try DeviceBench(arguments, driver, device).run { text in
        print(text, terminator: "")
        fflush(nil)
      }
    } catch let error as ToolchainError {
      print("skipped: no device: \(error.message)")
      return true
    } catch let error as BenchError {
      throw error
    } catch {
      throw BenchError(message: "\(error)")
    }
  }

  /// A line of a table.
  static func row(_ first: String, _ cells: [String]) -> String {
    func padding(_ width: Int, _ text: String) -> String {
      String(repeating: " ", count: max(1, width - text.count))
    }
    return "  " + first + padding(44, first)
      + cells.map { padding(12, $0) + $0 }.joined() + "\n"
  }
}

/// The benchmark on the device that was found.
struct DeviceBench {
  private let arguments: CUDABenchArguments
  private let driver: CUDADriver
  private let device: CUDADevice
  private let target: Target

  init(_ arguments: CUDABenchArguments, _ driver: CUDADriver, _ device: CUDADevice) {
    self.arguments = arguments
    self.driver = driver
    self.device = device
    let nearest = GPU.all.last { $0.architecture <= device.architecture && $0.name != "rtx4090" }
    let exact = GPU.all.first { $0.architecture == device.architecture }
    target = arguments.target ?? .cuda(exact ?? nearest ?? .a100)
  }

  /// Measures everything.
  ///
  /// - Parameter show: Takes the text, piece by piece.
  /// - Returns: Whether all losses are right.
  /// - Throws: What stopped the measurement.
  func run(show: (String) -> Void) throws(BenchError) -> Bool {
    let peak = try DevicePeak(driver, device, isBrief: arguments.step.size == .tiny)
    show(
      """
      \(device.name), sm_\(device.architecture), \(device.multiprocessors) multiprocessors; \
      plans for \(target.name)
      measured GFLOP/s: f32 \(PlanBench.number(peak.flopsPerNs, 0)), \
      f64 \(PlanBench.number(peak.doubleFlopsPerNs, 0)), \
      bf16 \(PlanBench.number(peak.tensorFlopsPerNs, 0)); \
      memory \(PlanBench.number(peak.bytesPerNs, 0)) GB/s

      """)
    var agrees = true
    for network in arguments.step.networks {
      let model = BenchModel(network: network, size: arguments.step.size)
      for budget in arguments.step.budgets {
        do {
          agrees = try measure(model, budget, peak, show: show) && agrees
        } catch {
          let message = (error as? BenchError)?.message ?? "\(error)"
          let line = message.split(separator: "\n").first.map(String.init) ?? ""
          show("\(model.name) \(budget.name) skipped: \(line)\n")
        }
      }
    }
    guard !arguments.products.isEmpty else { return agrees }
    show(
      try ProductBench(driver, device, target: target, peak: peak, cublas: arguments.cublas).text(
        arguments.products, runs: max(3, arguments.step.steps)))
    return agrees
  }

  private func measure(
    _ model: BenchModel, _ budget: StepBenchArguments.NamedBudget, _ peak: DevicePeak,
    show: (String) -> Void
  ) throws -> Bool {
    var options = model.options(budget.budget, threads: 1)
    options.target = target
    options.maxOverhead = budget.maxOverhead
    var sources = SourceMap()
    let compilation: Compilation
    do {
      compilation = try Compiler(options: options).compile(
        Array(model.text.source.utf8), fileName: "\(model.name).ir", sources: &sources)
    } catch {
      throw BenchError(message: error.rendered(with: sources))
    }
    let step = try DeviceStep(compilation, driver: driver, architecture: device.architecture)
    let numbers = ModelNumbers(model, for: step.function)
    show("\(model.name) (\(model.size.rawValue)), budget \(budget.name)\n")
    let losses = try losses(step, model, numbers)
    show("  losses " + losses.map { PlanBench.number($0, 6) }.joined(separator: " "))
    var agrees = true
    if let reference = Curve(of: model) {
      let curve = Curve(name: "ckc", losses: losses)
      let difference = curve.difference(from: reference)
      agrees = difference <= model.tolerance
      show("  off by \(Float(difference)) from \(reference.name)")
      guard agrees else {
        show(": more than \(model.tolerance), so no times\n")
        return false
      }
    }
    show("\n")
    var times: [Double] = []
    for _ in 0..<max(5, arguments.step.steps) {
      try step.run()
      times.append(step.lastMilliseconds)
    }
    show(
      CUDABench.row(
        "step", ["predicted ms", "median ms", "min ms", "arena MB", "all MB", "taken MB"])
        + CUDABench.row(
          "",
          [
            PlanBench.number((compilation.step?.costNs ?? 0) / 1e6, 3),
            PlanBench.number(medianOf(times), 3), PlanBench.number(times.min() ?? .nan, 3),
            megabytes(step.arenaBytes), megabytes(step.memoryBytes),
            megabytes(try step.takenBytes()),
          ]))
    show(try kernels(compilation, model, numbers, peak))
    return agrees
  }

  /// The losses of five steps from given numbers.
  private func losses(
    _ step: DeviceStep, _ model: BenchModel, _ numbers: ModelNumbers
  ) throws -> [Double] {
    let function = step.function
    try numbers.start(step)
    for index in function.arguments.indices where function.isLearningRate(index) {
      try step.setArgument(
        index, to: Tensor(function.argumentType(index), floats: [model.learningRate]))
    }
    guard let loss = function.lossResult else { return [] }
    return try (0..<5).map { number in
      for index in function.arguments.indices where function.isKey(index) {
        try step.setArgument(index, to: ExampleInputs.key(seed: 0, step: number))
      }
      try step.run()
      return try step.scalar(ofResult: loss)
    }
  }

  /// The table of kernels.
  private func kernels(
    _ compilation: Compilation, _ model: BenchModel, _ numbers: ModelNumbers, _ peak: DevicePeak
  ) throws -> String {
    let step = try DeviceStep.profiled(
      compilation, driver: driver, architecture: device.architecture)
    try numbers.start(step)
    let seconds = arguments.step.size == .tiny ? 0 : 1.0
    let kinds = try kernelTimes(of: step.function, target: target, seconds: seconds) { count in
      try step.run()
      return try step.kernelNs(count: count)
    }
    let table = KernelTable(kinds) { peak.leastNs($0) }
    var text = CUDABench.row(
      "kernels above 2 %", ["ms", "calls", "% of step", "GFLOP/s", "GB/s", "% of limit"])
    for kernel in table.rows {
      text += CUDABench.row(
        kernel.name,
        [
          PlanBench.number(kernel.ms, 4), "\(kernel.count)",
          PlanBench.number(100 * kernel.share, 1), PlanBench.number(kernel.flopsPerNs, 0),
          PlanBench.number(kernel.bytesPerNs, 0), PlanBench.number(100 * kernel.roofline, 0),
        ])
    }
    return text
  }

  private func megabytes(_ bytes: Int) -> String { PlanBench.number(Double(bytes) / 1e6, 2) }
}
