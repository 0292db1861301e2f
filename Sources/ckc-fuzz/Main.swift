// Random programs through every stage: `ckc-fuzz --seed S --count N [--jobs J] [--compiled | --text]`.
//
// Method      The seeds are handed out in blocks to processes of this program, so that a trap or a
//             hang of one is seen as what it is; its block is then run again seed by seed.
// Output      Every failure with its seed, its stage and a shrunk program. Status 1 if there is one.

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
      print("\(arguments.count) programs from seed \(arguments.seed): \(failures) failures")
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
    case .text: reports = seeds.compactMap { fuzzText(seed: $0) }
    case .interpreted: reports = seeds.compactMap { fuzz(seed: $0) }
    case .compiled:
      do throws(ToolchainError) {
        reports = fuzzCompiled(seeds: seeds, driver: try CompilerDriver(usesThreads: false))
      } catch {
        print("\(error)")
        exit(4)
      }
    }
    for report in reports { print("\(report)\n") }
    return reports.count
  }

  /// Runs all seeds in other processes, several at a time.
  private static func dispatch(_ arguments: FuzzArguments) -> Int {
    let blockSize = 50
    var blocks: [FuzzArguments] = []
    for start in stride(from: 0, to: arguments.count, by: blockSize) {
      var block = arguments
      block.seed += UInt64(start)
      block.count = min(blockSize, arguments.count - start)
      block.isWorker = true
      blocks.append(block)
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
          print("seed \(block.seed) ends the process: \(result.status)\n\(output)\n")
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
