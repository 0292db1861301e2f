// Finds NVIDIA's compiler and a device, and compiles emitted CUDA for it.
//
// Problem     Emitted CUDA must keep its floating-point meaning, and be compiled for the device that is
//             there; where nvcc or a device is missing, one must be told which, and why.
// Method      What `--nvcc` says, then `$CUDA_HOME/bin/nvcc`, then `nvcc`, whichever runs. A small
//             program, compiled by it, tells of the first device, or in CUDA's words why there is none.
// Invariants  No flag that lets the compiler change results: `-fmad=false` is what
//             `-ffp-contract=off` is for C.
// Cost        Finding nvcc starts it once; asking for the device compiles a few lines, one or two
//             seconds.

public import Foundation

/// The first CUDA device of this machine.
public struct CUDADevice: Sendable, Equatable {
  /// What its maker calls it.
  public var name: String
  /// The compute capability, times ten.
  public var architecture: Int
  /// Its multiprocessors.
  public var multiprocessors: Int
  /// The size of its L2 cache in bytes.
  public var cacheBytes: Int
  /// The size of its memory in bytes.
  public var memoryBytes: Int
}

/// An nvcc of this machine.
public struct CUDADriver: Sendable {
  /// The compiler and the arguments that came with its name.
  public let command: [String]

  /// What keeps the meaning of emitted CUDA.
  static let flags = ["-std=c++17", "-O3", "-fmad=false"]

  /// Finds nvcc.
  ///
  /// - Parameters:
  ///   - preferred: A compiler to take instead, possibly with arguments after spaces.
  ///   - environment: Where `CUDA_HOME` is looked up.
  /// - Throws: An error that lists what was tried.
  public init(
    preferred: String? = nil,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(ToolchainError) {
    let home = environment["CUDA_HOME"].flatMap { $0.isEmpty ? nil : "\($0)/bin/nvcc" }
    let candidates = preferred.map { [$0] } ?? [home, "nvcc"].compactMap { $0 }
    var attempts: [String] = []
    for candidate in candidates {
      let words = candidate.split(separator: " ").map(String.init)
      do throws(FileError) {
        let result = try Subprocess.run(words + ["--version"], joinsStreams: true)
        if result.isSuccess {
          command = words
          return
        }
        attempts.append("'\(candidate)' ends with \(result.status)")
      } catch {
        attempts.append("'\(candidate)': \(error.reason)")
      }
    }
    throw ToolchainError(
      "no CUDA compiler\(preferred == nil ? "" : " (from --nvcc)"): "
        + attempts.joined(separator: ", ")
        + "; install NVIDIA's nvcc, or name one with CUDA_HOME or --nvcc")
  }

  /// Compiles CUDA.
  ///
  /// - Parameters:
  ///   - sources: Paths of `.cu` files; their headers lie beside them.
  ///   - output: The path of the product.
  ///   - product: What to produce.
  ///   - architecture: The compute capability times ten; later devices translate the code when they
  ///     load it.
  ///   - extraFlags: Further flags, after all others.
  /// - Returns: What the compiler wrote: warnings, mostly nothing.
  /// - Throws: An error with the command line and its output.
  @discardableResult
  public func compile(
    _ sources: [String], to output: String, as product: CompilerDriver.Product,
    architecture: Int, extraFlags: [String] = []
  ) throws(ToolchainError) -> String {
    var line = command + CUDADriver.flags + ["-arch=sm_\(architecture)"]
    switch product {
    case .object: line += ["-Xcompiler", "-fPIC", "-c"]
    case .sharedLibrary: line += ["-Xcompiler", "-fPIC", "-shared"]
    case .executable: break
    }
    line += extraFlags + sources + ["-o", output]
    return try CompilerDriver.run(line, named: "CUDA compiler")
  }

  /// The first device of this machine.
  ///
  /// - Throws: Why there is none.
  public func device() throws(ToolchainError) -> CUDADevice {
    let result: ProcessResult
    do {
      let directory = try TemporaryDirectory()
      try writeFileAtomically(Array(CUDADriver.probe.utf8), to: directory.file("device.cu"))
      let program = directory.file("device")
      // The program has no kernel: any architecture does.
      try CompilerDriver.run(
        command + [directory.file("device.cu"), "-o", program], named: "CUDA compiler")
      result = try Subprocess.run([program], joinsStreams: true)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
    let text = String(decoding: result.standardOutput, as: UTF8.self)
    let lines = text.split(separator: "\n").map(String.init)
    let numbers = (lines.first ?? "").split(separator: " ").compactMap { Int($0) }
    guard result.isSuccess, lines.count == 2, numbers.count == 5 else {
      let reason = lines.first ?? "\(result.status)"
      throw ToolchainError("no CUDA device can be used: \(reason)")
    }
    return CUDADevice(
      name: lines[1], architecture: 10 * numbers[0] + numbers[1], multiprocessors: numbers[2],
      cacheBytes: numbers[3], memoryBytes: numbers[4])
  }

  private static let probe = """
    #include <cuda_runtime.h>
    #include <stdio.h>

    int main() {
      int count = 0;
      cudaDeviceProp device;
      cudaError_t error = cudaGetDeviceCount(&count);
      if (error == cudaSuccess && count < 1) error = cudaErrorNoDevice;
      if (error == cudaSuccess) error = cudaGetDeviceProperties(&device, 0);
      if (error != cudaSuccess) {
        printf("%s (error %d)\\n", cudaGetErrorString(error), (int)error);
        return 1;
      }
      printf("%d %d %d %d %zu\\n%s\\n", device.major, device.minor, device.multiProcessorCount,
             device.l2CacheSize, device.totalGlobalMem, device.name);
      return 0;
    }

    """
}
