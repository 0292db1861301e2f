// A peer in a process of its own, which stays alive and runs steps when told.
//
// Invariants  One command, one answer: a line each way. The process ends when its input does, so none
//             outlives the bench.

import CheckpointCompiler
import Foundation

/// A running peer.
final class PeerProcess {
  /// The version of its library.
  private(set) var version = ""
  /// Seconds until it could run its first step: compilation, mostly.
  private(set) var startSeconds = 0.0

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private let errorPath: String
  private var unread: [UInt8] = []

  /// Starts a peer.
  ///
  /// - Parameters:
  ///   - interpreter: The Python interpreter.
  ///   - mode: What it runs.
  ///   - folder: The folder with the scripts, `model.json` and the numbers.
  ///   - environment: Variables for it in addition to ours.
  /// - Throws: What it wrote before it ended.
  init(
    _ interpreter: PeerInterpreter, _ mode: PeerMode, folder: String,
    environment: [String: String]
  ) throws(BenchError) {
    errorPath = folder + "/errors.txt"
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      interpreter.path, "\(folder)/peer.py", mode.library.rawValue, mode.mode, folder,
    ]
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    _ = FileManager.default.createFile(atPath: errorPath, contents: nil)
    process.standardError = FileHandle(forWritingAtPath: errorPath)
    do {
      try process.run()
    } catch {
      throw BenchError(message: "'\(interpreter.path)': \(error.localizedDescription)")
    }
    // The script tells about itself as soon as it is ready.
    let hello = try answer()
    version = hello["version"]?.stringValue ?? ""
    startSeconds = hello["seconds"]?.doubleValue ?? 0
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Runs steps.
  ///
  /// - Returns: The milliseconds and the losses.
  func steps(_ count: Int) throws(BenchError) -> (ms: [Double], losses: [Double]) {
    let answer = try ask("steps \(count)")
    func numbers(_ key: String) -> [Double] {
      (answer[key]?.arrayValue ?? []).map { $0.doubleValue ?? .nan }
    }
    return (numbers("ms"), numbers("losses"))
  }

  /// The sum of squares of the running statistics.
  func squaresOfStatistics() throws(BenchError) -> Double? {
    try ask("statistics")["squares"]?.doubleValue
  }

  /// The bytes that its resident set grows by in a step; nil where the system does not tell.
  func stepBytes() throws(BenchError) -> Int? { try ask("memory")["bytes"]?.intValue }

  private func ask(_ command: String) throws(BenchError) -> JSONValue {
    do {
      try input.fileHandleForWriting.write(contentsOf: Data("\(command)\n".utf8))
    } catch {
      throw failure()
    }
    return try answer()
  }

  /// The next line of its output.
  private func answer() throws(BenchError) -> JSONValue {
    while !unread.contains(UInt8(ascii: "\n")) {
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { throw failure() }
      unread += data
    }
    let line = Array(unread.prefix { $0 != UInt8(ascii: "\n") })
    unread.removeFirst(line.count + 1)
    do {
      // Python spells what is no number in a way that JSON has not.
      let text = String(decoding: line, as: UTF8.self)
        .replacingOccurrences(of: "-Infinity", with: "null")
        .replacingOccurrences(of: "Infinity", with: "null")
        .replacingOccurrences(of: "NaN", with: "null")
      return try JSONValue.parse(Array(text.utf8))
    } catch {
      throw BenchError(message: "the peer answers '\(String(decoding: line, as: UTF8.self))'")
    }
  }

  /// Why it has ended: the last line that it wrote.
  private func failure() -> BenchError {
    let text = (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? ""
    let lines = text.split(separator: "\n")
    return BenchError(message: lines.last.map(String.init) ?? "it ended without a word")
  }
}
