// What makes a compiled step run: the C compiler, or NVIDIA's and a device.
//
// Order       Found before anything else is done, so that a missing compiler or device is told at once
//             and nothing is left half written.

import CheckpointCompiler

/// The tools that the steps of one command need.
enum StepToolchain {
  /// Emitted C runs in this process.
  case processor(CompilerDriver, threads: Int)
  /// Emitted CUDA runs on a device.
  case device(CUDADriver, CUDADevice)

  /// Finds what the target of a command line needs.
  ///
  /// - Throws: An error that says what is missing, and why.
  init(_ arguments: Arguments) throws(ToolchainError) {
    if arguments.target.isCUDA {
      let driver = try arguments.cudaDriver()
      self = .device(driver, try driver.device())
    } else {
      self = .processor(try arguments.compilerDriver(), threads: arguments.threadCount)
    }
  }

  /// Compiles and loads a step.
  func step(_ compilation: Compilation) throws(ToolchainError) -> any ExecutableStep {
    switch self {
    case .processor(let driver, let threads):
      let step = try CompiledStep(compilation, driver: driver)
      step.setThreads(threads)
      try HostMemory.require(tensorsOf: step.function)
      return step
    case .device(let driver, let device):
      return try DeviceStep(compilation, driver: driver, architecture: device.architecture)
    }
  }

  /// The times of all kinds of kernels of a step.
  ///
  /// - Parameters:
  ///   - compilation: What to compile and to run.
  ///   - seconds: How long to measure.
  ///   - start: The values of the arguments before every run.
  /// - Returns: The times of the kinds, in the order in which they first run.
  /// - Throws: What the compiler or the device says.
  func kernelTimes(
    _ compilation: Compilation, seconds: Double, start: [Tensor]
  ) throws(ToolchainError) -> [KernelTime] {
    let target = compilation.options.target
    switch self {
    case .processor(let driver, let threads):
      let step = try CompiledStep(compilation, driver: driver, defines: ["CKC_PROFILE"])
      step.setThreads(threads)
      return CheckpointCompiler.kernelTimes(of: step, target: target, seconds: seconds) {
        for (index, value) in start.enumerated() { step.setArgument(index, to: value) }
      }
    case .device(let driver, let device):
      let step = try DeviceStep.profiled(
        compilation, driver: driver, architecture: device.architecture)
      return try CheckpointCompiler.kernelTimes(
        of: step.function, target: target, seconds: seconds
      ) { count throws(ToolchainError) in
        for (index, value) in start.enumerated() { try step.setArgument(index, to: value) }
        try step.run()
        return try step.kernelNs(count: count)
      }
    }
  }

  /// What measured times belong to.
  var machine: JSONValue {
    switch self {
    case .processor(let driver, let threads):
      [
        "compiler": .string(driver.version), "threads": .integer(threads),
        "openmp": .bool(driver.hasOpenMP),
      ]
    case .device(_, let device):
      ["device": .string(device.name), "architecture": .integer(device.architecture)]
    }
  }
}

extension Arguments {
  /// The CUDA compiler to use.
  func cudaDriver() throws(ToolchainError) -> CUDADriver {
    try CUDADriver(preferred: text(.nvcc))
  }
}
