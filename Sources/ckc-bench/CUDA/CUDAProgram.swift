// A program for a device that prints numbers.

import CheckpointCompiler

/// A compiled CUDA program; its file goes with it.
struct CUDAProgram: ~Copyable {
  private let directory: TemporaryDirectory
  private let name: String

  /// Compiles a text.
  ///
  /// - Throws: What the compiler says.
  init(
    _ driver: CUDADriver, _ device: CUDADevice, name: String, text: String, flags: [String] = []
  ) throws(BenchError) {
    let directory = try CUDAProgram.folder()
    do {
      try writeFileAtomically(Array(text.utf8), to: directory.file("\(name).cu"))
      try driver.compile(
        [directory.file("\(name).cu")], to: directory.file(name), as: .executable,
        architecture: device.architecture, extraFlags: flags)
    } catch {
      throw BenchError(message: "\(error)")
    }
    self.directory = directory
    self.name = name
  }

  private static func folder() throws(BenchError) -> TemporaryDirectory {
    do {
      return try TemporaryDirectory()
    } catch {
      throw BenchError(message: error.description)
    }
  }

  /// Runs it and reads the numbers that it prints.
  ///
  /// - Throws: How it ended, where it fails.
  func numbers(_ arguments: [String]) throws(BenchError) -> [Double] {
    let result: ProcessResult
    do {
      result = try Subprocess.run([directory.file(name)] + arguments)
    } catch {
      throw BenchError(message: "\(error)")
    }
    guard result.isSuccess else {
      let text = String(decoding: result.standardError, as: UTF8.self)
      throw BenchError(message: "'\(name)' ends with \(result.status): \(text)")
    }
    return String(decoding: result.standardOutput, as: UTF8.self)
      .split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
  }
}
