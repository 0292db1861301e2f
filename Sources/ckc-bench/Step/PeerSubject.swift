// A peer in one mode: its losses and memory from one process, its times from another.
//
// Method      Memory is measured where every larger block is mapped by itself, so that the resident
//             set follows what is in use; that costs time, so times come from a process that allocates
//             as usual, whose steps alternate with ours.

import CheckpointCompiler

/// One peer beside ckc.
struct PeerSubject {
  let mode: PeerMode
  let interpreter: PeerInterpreter
  let version: String
  /// Seconds until the first step could start.
  let startSeconds: Double
  let curve: Curve
  /// The growth of the resident set in a step; nil where the system does not tell.
  let stepBytes: Int?
  private let environment: [String: String]
  private let folder: String

  private static let mapsLargeBlocks = [
    "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TOP_PAD_": "0",
  ]

  /// Runs five steps in a process, and measures one more.
  ///
  /// - Throws: What the process wrote before it ended.
  init(
    _ mode: PeerMode, _ interpreter: PeerInterpreter, folder: String, threads: Int,
    preloads: String?
  ) throws(BenchError) {
    self.mode = mode
    self.interpreter = interpreter
    self.folder = folder
    var environment = ["OMP_NUM_THREADS": "\(threads)", "PYTHONDONTWRITEBYTECODE": "1"]
    if let preloads { environment["LD_PRELOAD"] = preloads }
    self.environment = environment
    let process = try PeerProcess(
      interpreter, mode, folder: folder,
      environment: environment.merging(Self.mapsLargeBlocks) { $1 })
    version = process.version
    let losses = try process.steps(5).losses
    startSeconds = process.startSeconds
    let squares = mode.keepsStatistics ? try process.squaresOfStatistics() : nil
    curve = Curve(name: mode.name, losses: losses, squaresOfStatistics: squares)
    stepBytes = try process.stepBytes()
  }

  /// Starts the process whose steps are timed, and warms it up.
  func started() throws(BenchError) -> PeerProcess {
    let process = try PeerProcess(interpreter, mode, folder: folder, environment: environment)
    _ = try process.steps(StepTimes.warmUp)
    return process
  }
}
