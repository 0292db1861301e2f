// Random programs through every stage, and broken texts through the front end:
// `ckc-fuzz --seed S --count N [--jobs J] [--compiled | --cuda | --text [FILE...]]`.
//
// Texts       `--text` breaks the texts of random programs; with files, it makes `count` broken versions of
//             each. A worker that breaks files has a limit of time for each version, and one of memory.
// Method      The seeds are handed out in blocks to processes of this program, so that a trap or a
//             hang of one is seen as what it is; its block is then run again seed by seed.
// Output      Every failure with its seed, its stage and a shrunk program. Status 1 if there is one.

import CUDAEmulation
import CheckpointCompiler
import CompilerTesting
import Foundation

@main
struct Main {
  static func main() {
    let arguments: FuzzArguments
    do {
      arguments = try FuzzArguments(Array(CommandLine.arguments.dropFirst()))
    } catch {
      FileHandle.standardError.write(
        Data("ckc-fuzz: error: \(error)\n\(FuzzArguments.usage)\n".utf8))
      exit(2)
    }
    let failures = arguments.isWorker ? work(arguments) : dispatch(arguments)
    if !arguments.isWorker {
      let what =
        arguments.files.isEmpty ? "programs" : "versions of \(arguments.files.count) files"
      print("\(arguments.count) \(what) from seed \(arguments.seed): \(failures) failures")
    }
    exit(failures == 0 ? 0 : 1)
  }

  /// Runs the seeds of a block in this process.
  private static func work(_ arguments: FuzzArguments) -> Int {
    // A hang ends the process, and its parent sees the signal.
    alarm(UInt32(120 + 20 * arguments.count))
    let seeds = arguments.seed..<arguments.seed + UInt64(arguments.count)
    var reports: [FuzzReport] = []
    switch arguments.mode {
    case .text where arguments.files.isEmpty: reports = seeds.compactMap { fuzzText(seed: $0) }
    case .text: reports = arguments.files.flatMap { breakFile($0, seeds: seeds) }
    case .interpreted: reports = seeds.compactMap { fuzz(seed: $0) }
    case .compiled:
      do throws(ToolchainError) {
        reports = fuzzCompiled(seeds: seeds, driver: try CompilerDriver(usesThreads: false))
      } catch {
        print("\(error)")
        exit(4)
      }
    case .cuda:
      do throws(ToolchainError) {
        reports = fuzzEmulated(
          seeds: seeds, emulation: try CUDAEmulation(hasChecks: true),
          driver: try CompilerDriver(usesThreads: false))
      } catch {
        print("\(error)")
        exit(4)
      }
    }
    for report in reports { print("\(report)\n") }
    return reports.count
  }

  /// Compiles the broken versions of a file, one for each seed.
  private static func breakFile(_ path: String, seeds: Range<UInt64>) -> [FuzzReport] {
    guard let text = FileManager.default.contents(atPath: path) else {
      print("seed \(seeds.lowerBound): cannot read '\(path)'")
      exit(4)
    }
    var limit = rlimit(rlim_cur: versionBytesMax, rlim_max: versionBytesMax)
    setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    return seeds.compactMap { seed in
      alarm(versionSecondsMax)
      return fuzzVersion(of: Array(text), fileName: path, seed: seed)
    }
  }

  /// What one broken version of a file may take.
  private static let versionSecondsMax: UInt32 = 60
  private static let versionBytesMax: rlim_t = 4 << 30

  /// Runs all seeds in other processes, several at a time.
  private static func dispatch(_ arguments: FuzzArguments) -> Int {
    let blockSize = 50
    var blocks: [FuzzArguments] = []
    for files in arguments.files.isEmpty ? [[]] : arguments.files.map({ [$0] }) {
      for start in stride(from: 0, to: arguments.count, by: blockSize) {
        var block = arguments
        block.seed += UInt64(start)
        block.count = min(blockSize, arguments.count - start)
        block.files = files
        block.isWorker = true
        blocks.append(block)
      }
    }
    let queue = WorkQueue(blocks)
    let group = DispatchGroup()
    for _ in 0..<arguments.jobs {
      DispatchQueue.global().async(group: group) {
        while let block = queue.next() { queue.note(run(block)) }
      }
    }
    group.wait()
    return queue.failureCount
  }

  /// Runs a block in a process of its own; seed by seed, where that dies.
  private static func run(_ block: FuzzArguments) -> Int {
    do {
      let result = try Subprocess.run(
        [CommandLine.arguments[0]] + block.commandLine, joinsStreams: true)
      let output = String(decoding: result.standardOutput, as: UTF8.self)
      switch result.status {
      case .exited(0): return 0
      case .exited(1):
        print(output)
        return output.split(separator: "\n").count { $0.hasPrefix("seed ") }
      case .exited, .signalled:
        guard block.count > 1 else {
          let file = block.files.first.map { " of '\($0)'" } ?? ""
          print("seed \(block.seed)\(file) ends the process: \(result.status)\n\(output)\n")
          return 1
        }
        return (0..<block.count).reduce(0) { count, offset in
          var single = block
          single.seed += UInt64(offset)
          single.count = 1
          return count + run(single)
        }
      }
    } catch {
      print("seed \(block.seed): \(error)")
      return 1
    }
  }
}

/// Blocks that are still to be run, and the failures so far.
private final class WorkQueue: @unchecked Sendable {
  private let lock = NSLock()
  private var blocks: [FuzzArguments]
  private var failures = 0

  init(_ blocks: [FuzzArguments]) { self.blocks = blocks.reversed() }

  func next() -> FuzzArguments? { lock.withLock { blocks.popLast() } }
  func note(_ count: Int) { lock.withLock { failures += count } }
  var failureCount: Int { lock.withLock { failures } }
}
