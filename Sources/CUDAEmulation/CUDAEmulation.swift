// Compiles emitted CUDA, unchanged, to code that plays the device on the CPU.
//
// Problem     Emitted CUDA must be executed where there is no GPU: to compare it with the C, and to
//             find races, reads of what was never written, and accesses out of bounds.
// Method      A C++ compiler takes the `.cu` file with a `cuda_runtime.h` of our own, and links it with
//             a small runtime: `Runtime/`, whose files are embedded in this module. The runtime is
//             compiled once and linked into each library, which so has a device of its own.
// Invariants  No flag lets the compiler change results: multiply-adds are fused where they are written.
// Cost        About 2 s of C++ for the runtime, then 1 s or more for each file.

package import CheckpointCompiler
import Foundation

/// A way to execute emitted CUDA without a device.
package struct CUDAEmulation: Sendable {
  /// The C++ compiler, with the arguments that came with its name.
  package let command: [String]
  /// Whether every access to memory is looked at, which takes about ten times as long.
  package let hasChecks: Bool

  /// The flags that emitted CUDA is compiled with.
  package let flags: [String]
  /// The compiled runtime.
  package let runtime: [UInt8]

  /// Finds a C++ compiler and compiles the runtime.
  ///
  /// - Parameters:
  ///   - hasChecks: Whether to look at every access to memory.
  ///   - environment: Where `CXX` is looked up; without it `c++`, `g++` and `clang++` are tried.
  /// - Throws: What was tried, or what the compiler said.
  package init(
    hasChecks: Bool, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(ToolchainError) {
    self.hasChecks = hasChecks
    let named = environment["CXX"].flatMap { $0.isEmpty ? nil : [$0] }
    let (command, isClang) = try CUDAEmulation.find(named ?? ["c++", "g++", "clang++"])
    self.command = command
    var flags = ["-std=c++17", "-fPIC", "-g1", "-DCKC_EMU=1"]
    // Libraries must not share what has the same name in each.
    if !isClang { flags.append("-fno-gnu-unique") }
    if hasChecks { flags.append("-DCKC_EMU_CHECKED=1") }
    do {
      let directory = try TemporaryDirectory()
      try CUDAEmulation.writeRuntime(into: directory.path)
      let object = directory.file("runtime.o")
      try CUDAEmulation.run(
        command + flags + [
          "-O2", "-fvisibility=hidden", "-I\(directory.path)", "-c", directory.file("runtime.cpp"),
          "-o", object,
        ])
      runtime = try readFile(object)
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
    flags += ["-O1", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
    if hasChecks {
      // clang checks the bounds of arrays under a name of its own.
      let bounds = isClang ? "array-bounds" : "bounds"
      flags += ["-fsanitize=thread", "-fsanitize=alignment,\(bounds),signed-integer-overflow"]
    }
    if (try? CUDAEmulation.run(command + ["-march=native", "-E", "-x", "c++", "/dev/null"])) != nil
    {
      flags.append("-march=native")
    }
    self.flags = flags
  }

  /// The first of the candidates that runs, and whether it is clang.
  private static func find(_ candidates: [String]) throws(ToolchainError) -> ([String], Bool) {
    var attempts: [String] = []
    for candidate in candidates {
      let words = candidate.split(separator: " ").map(String.init)
      do {
        return (words, try run(words + ["--version"]).contains("clang"))
      } catch {
        attempts.append("'\(candidate)'")
      }
    }
    throw ToolchainError(
      "no C++ compiler to emulate CUDA with: tried " + attempts.joined(separator: ", ")
        + "; install g++ or clang++, or name one with CXX")
  }

  @discardableResult
  private static func run(_ line: [String]) throws(ToolchainError) -> String {
    try CompilerDriver.run(line, named: "C++ compiler")
  }

  /// Writes the files of the runtime.
  package static func writeRuntime(into directory: String) throws(FileError) {
    var batch = OutputBatch()
    for (name, bytes) in runtimeFiles { batch.add(bytes, to: "\(directory)/\(name)") }
    try batch.commit()
  }

  private static let runtimeFiles: [(name: String, bytes: [UInt8])] = [
    ("blocks.cpp", PackageResources.blocks_cpp),
    ("checks.cpp", PackageResources.checks_cpp),
    ("ckc_device_api.h", PackageResources.ckc_device_api_h),
    ("ckc_host_api.h", PackageResources.ckc_host_api_h),
    ("ckc_launch.h", PackageResources.ckc_launch_h),
    ("ckc_runtime.h", PackageResources.ckc_runtime_h),
    ("ckc_tensor_core.h", PackageResources.ckc_tensor_core_h),
    ("copies.cpp", PackageResources.copies_cpp),
    ("device.cpp", PackageResources.device_cpp),
    ("cuda_runtime.h", PackageResources.cuda_runtime_h),
    ("fibers.cpp", PackageResources.fibers_cpp),
    ("findings.cpp", PackageResources.findings_cpp),
    ("hooks.cpp", PackageResources.hooks_cpp),
    ("memory.cpp", PackageResources.memory_cpp),
    ("runtime.cpp", PackageResources.runtime_cpp),
    ("streams.cpp", PackageResources.streams_cpp),
    ("unchecked.cpp", PackageResources.unchecked_cpp),
  ]

  /// Compiles a file of CUDA and loads it.
  ///
  /// - Parameters:
  ///   - source: The text of the `.cu` file.
  ///   - name: Its name without the extension, which findings show.
  ///   - headers: Files that it includes.
  ///   - defines: Macros to define, such as `CKC_POISON`.
  /// - Returns: The device on which it runs.
  /// - Throws: What the compiler or the loader said.
  package func load(
    source: String, name: String, headers: [(name: String, text: String)] = [],
    defines: [String] = []
  ) throws(ToolchainError) -> EmulatedDevice {
    do {
      let directory = try TemporaryDirectory()
      try CUDAEmulation.writeRuntime(into: directory.path)
      var batch = OutputBatch()
      batch.add(source, to: directory.file("\(name).cu"))
      batch.add(runtime, to: directory.file("runtime.o"))
      for header in headers { batch.add(header.text, to: directory.file(header.name)) }
      try batch.commit()
      try CUDAEmulation.run(
        command + flags + defines.map { "-D\($0)" } + [
          // A graph may compare a value with itself.
          "-Wall", "-Wextra", "-Werror", "-Wno-tautological-compare", "-I\(directory.path)", "-x",
          "c++", "-c",
          directory.file("\(name).cu"), "-o", directory.file("\(name).o"),
        ])
      try CUDAEmulation.run(
        command + [
          "-shared", directory.file("\(name).o"), directory.file("runtime.o"), "-o",
          directory.file("lib\(name).so"), "-ldl", "-lm",
        ])
      return try EmulatedDevice(directory: directory, libraryName: "lib\(name).so")
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
  }

  /// Compiles the emitted texts of several steps into one library and loads it.
  ///
  /// - Parameters:
  ///   - steps: Names, headers and sources, each name once; findings show the names.
  ///   - defines: Macros to define, such as `CKC_POISON`.
  /// - Returns: The device on which they run.
  /// - Throws: What the compiler or the loader said.
  package func load(
    _ steps: [(name: String, header: String, source: String)], defines: [String] = []
  ) throws(ToolchainError) -> EmulatedDevice {
    // What the texts include stands outside of their namespaces.
    var all = ["cuda_runtime", "math", "stddef", "stdint", "string"].map { "#include <\($0).h>\n" }
      .joined()
    for step in steps {
      all += "namespace of_\(step.name) {\n#line 1 \"\(step.name).cu\"\n\(step.source)\n}\n"
    }
    return try load(
      source: all, name: "steps", headers: steps.map { ("\($0.name).h", $0.header) },
      defines: defines)
  }
}
