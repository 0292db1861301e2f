// The ways in which PyTorch and JAX run a step.

import CheckpointCompiler
import Foundation

/// One way of one library.
struct PeerMode: Sendable {
  enum Library: String, Sendable { case torch, jax }

  var library: Library
  /// What the script calls it.
  var mode: String
  /// Whether PyTorch's oneMKL is made to take the widest vectors; see `WideMKL`.
  var isWide = false

  var name: String { "\(library.rawValue) \(mode)" + (isWide ? "_wide" : "") }

  /// Whether it is for networks of images only.
  var needsImages: Bool { mode.contains("channels_last") }

  /// Whether running statistics are comparable: PyTorch updates them in every forward pass, and a
  /// checkpointed block has two.
  var keepsStatistics: Bool { library != .torch || mode != "checkpoint" }

  static let all: [PeerMode] =
    ["eager", "channels_last", "compile", "compile_channels_last", "checkpoint"]
    .map { PeerMode(library: .torch, mode: $0) }
    + ["eager", "compile", "checkpoint"]
    .map { PeerMode(library: .torch, mode: $0, isWide: true) }
    + ["jit", "jit_checkpoint"].map { PeerMode(library: .jax, mode: $0) }

  /// The modes for a network, of those that were named; all where none were.
  static func modes(of network: BenchModel.Network, named names: [String]?) -> [PeerMode] {
    let hasImages = [.resnet18, .unet, .mobilenet].contains(network)
    return all.filter { mode in
      guard hasImages || !mode.needsImages else { return false }
      return names?.contains(mode.mode + (mode.isWide ? "_wide" : "")) ?? true
    }
  }
}

/// A library that makes oneMKL choose its kernels by what the processor has.
///
/// PyTorch's wheels carry oneMKL, which takes its AVX2 kernels on processors of other vendors than
/// Intel, even where AVX-512 is there. The function that asks for the vendor can be replaced.
enum WideMKL {
  /// Builds the library in a folder.
  ///
  /// - Returns: Its path; nil where it would change nothing, or there is no way to build it.
  static func library(in folder: borrowing TemporaryDirectory, driver: CompilerDriver) -> String? {
    guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      text.contains("avx512f"), !text.contains("GenuineIntel")
    else { return nil }
    let source =
      "int mkl_serv_intel_cpu_true(void);\n"
      + "int mkl_serv_intel_cpu_true(void) { return 1; }\n"
    do {
      try writeFileAtomically(Array(source.utf8), to: folder.file("wide.c"))
      try driver.compile([folder.file("wide.c")], to: folder.file("wide.so"), as: .sharedLibrary)
      return folder.file("wide.so")
    } catch {
      return nil
    }
  }
}

/// A Python interpreter and the libraries that it can import.
struct PeerInterpreter: Sendable {
  var path: String
  var libraries: [PeerMode.Library]

  /// Looks for the libraries of an interpreter.
  ///
  /// - Throws: Why the interpreter does not run.
  init(path: String) throws(BenchError) {
    self.path = path
    let script = """
      from importlib.util import find_spec
      print(*[name for name in ("torch", "jax") if find_spec(name) and find_spec("numpy")])
      """
    do {
      let result = try Subprocess.run([path, "-c", script])
      guard result.isSuccess else {
        throw BenchError(message: "'\(path)' ends with \(result.status)")
      }
      libraries = String(decoding: result.standardOutput, as: UTF8.self)
        .split(whereSeparator: \.isWhitespace)
        .compactMap { PeerMode.Library(rawValue: String($0)) }
    } catch let error as FileError {
      throw BenchError(message: error.description)
    } catch let error as BenchError {
      throw error
    } catch {
      throw BenchError(message: "\(error)")
    }
  }
}
