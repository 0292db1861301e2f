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
      return step
    case .device(let driver, let device):
      return try DeviceStep(compilation, driver: driver, architecture: device.architecture)
    }
  }
}

extension Arguments {
  /// The CUDA compiler to use.
  func cudaDriver() throws(ToolchainError) -> CUDADriver {
    try CUDADriver(preferred: text(.nvcc))
  }
}
