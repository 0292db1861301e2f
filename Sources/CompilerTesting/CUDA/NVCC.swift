// NVIDIA's compiler, where it is installed: what emulation cannot know, it says.
//
// Method      `$CUDA_HOME/bin/nvcc`, then `nvcc` on `PATH`, then the wheels of PyPI in the virtual
//             environment, which need no GPU and no driver.
// Invariants  Warnings, spilled registers and local memory are errors.

package import CheckpointCompiler
import Foundation

/// An nvcc of this machine.
package struct NVCC: Sendable {
  /// Its path.
  package let path: String

  /// Why tests that need it skip.
  package static let absence =
    "skipped: no nvcc was found; set CUDA_HOME, or install nvidia-cuda-nvcc with pip"

  /// Finds nvcc; nil where there is none.
  package init?(environment: [String: String] = ProcessInfo.processInfo.environment) {
    var candidates: [String] = []
    if let home = environment["CUDA_HOME"], !home.isEmpty { candidates.append("\(home)/bin/nvcc") }
    candidates.append("nvcc")
    if let root = environment["VIRTUAL_ENV"] {
      let files = FileManager.default
      for python in ((try? files.contentsOfDirectory(atPath: "\(root)/lib")) ?? []).sorted() {
        let wheels = "\(root)/lib/\(python)/site-packages/nvidia"
        for version in ((try? files.contentsOfDirectory(atPath: wheels)) ?? []).sorted() {
          candidates.append("\(wheels)/\(version)/bin/nvcc")
        }
      }
    }
    let found = candidates.first {
      (try? Subprocess.run([$0, "--version"], joinsStreams: true))?.isSuccess ?? false
    }
    guard let found else { return nil }
    path = found
  }

  /// Compiles the code of the device of a text for an architecture such as 80.
  ///
  /// - Throws: What nvcc said.
  package func compile(
    source: String, name: String, headers: [(name: String, text: String)], architecture: Int
  ) throws(ToolchainError) {
    do {
      let directory = try TemporaryDirectory()
      var batch = OutputBatch()
      batch.add(source, to: directory.file("\(name).cu"))
      for header in headers { batch.add(header.text, to: directory.file(header.name)) }
      try batch.commit()
      let line = [
        path, "-std=c++17", "-O3", "-fmad=false", "-arch=sm_\(architecture)", "-Werror",
        "all-warnings", "-Xptxas", "--warn-on-spills,--warn-on-local-memory-usage,-Werror",
        "-cubin", "-o", directory.file("\(name).cubin"), directory.file("\(name).cu"),
      ]
      let result = try Subprocess.run(line, joinsStreams: true)
      guard result.isSuccess else {
        let output = String(decoding: result.standardOutput, as: UTF8.self)
        throw ToolchainError("nvcc failed (\(result.status))", command: line, output: output)
      }
    } catch let error as ToolchainError {
      throw error
    } catch {
      throw ToolchainError("\(error)")
    }
  }
}
