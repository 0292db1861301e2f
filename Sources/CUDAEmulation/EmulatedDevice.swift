// One emulated device: a library of kernels with the runtime that executes them.

package import CheckpointCompiler
import Foundation

/// In which order the threads and blocks of a launch run, and when a stream does its work.
package struct EmulationSchedule: Sendable, Equatable, CustomStringConvertible {
  /// An order of threads and of blocks.
  package enum Order: Sendable, Equatable {
    /// By index.
    case forward
    /// Against the index.
    case reverse
    /// Shuffled, the same for the same seed.
    case random(seed: UInt64)
  }

  /// The order.
  package var order: Order
  /// Whether streams keep their work until somebody waits for them.
  package var isLazy: Bool

  /// A schedule.
  package init(_ order: Order, isLazy: Bool = false) {
    self.order = order
    self.isLazy = isLazy
  }

  /// Schedules that differ as much as they can.
  package static let all = [
    EmulationSchedule(.forward), EmulationSchedule(.reverse),
    EmulationSchedule(.random(seed: 7)), EmulationSchedule(.forward, isLazy: true),
  ]

  /// What a failure shows.
  package var description: String {
    let name =
      switch order {
      case .forward: "forward"
      case .reverse: "reverse"
      case .random(let seed): "random \(seed)"
      }
    return isLazy ? "\(name), lazy" : name
  }
}

/// A failed call of the emulated runtime library.
package struct EmulationError: Error, CustomStringConvertible {
  /// CUDA's number of the error.
  package var code: Int32
  /// What the emulation found wrong, one finding a line.
  package var findings: String

  /// The number and the findings.
  package var description: String { "CUDA error \(code)\n\(findings)" }
}

/// A device of its own with the kernels of one file.
///
/// It belongs to one thread at a time. Its memory goes with it.
package final class EmulatedDevice {
  /// The emitted text and the runtime that executes it.
  package let library: DynamicLibrary
  // Findings are put into lines with the help of the library's file.
  private let directory: TemporaryDirectory
  private let allocateMemory:
    @convention(c) (UnsafeMutablePointer<UnsafeMutableRawPointer?>, Int) -> Int32
  private let freeMemory: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  private let copyMemory:
    @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int, Int32) -> Int32
  private let waitForAll: @convention(c) () -> Int32
  private let findingsText: @convention(c) () -> UnsafePointer<CChar>
  private let clearAll: @convention(c) () -> Void
  private let peak: @convention(c) () -> Int
  private let limit: @convention(c) (Int) -> Void
  private let setSchedule: @convention(c) (Int32, UInt64, Int32) -> Void
  private let release: @convention(c) () -> Void
  private let createStream: @convention(c) (UnsafeMutablePointer<OpaquePointer?>) -> Int32
  private let destroyStream: @convention(c) (OpaquePointer?) -> Int32
  private let beginCapture: @convention(c) (OpaquePointer?, Int32) -> Int32
  private let endCapture:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<OpaquePointer?>) -> Int32
  private let instantiate:
    @convention(c) (UnsafeMutablePointer<OpaquePointer?>, OpaquePointer?, UInt64) -> Int32
  private let launchGraph: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32
  private let destroyGraph: @convention(c) (OpaquePointer?) -> Int32

  init(
    directory: consuming TemporaryDirectory, libraryName: String
  ) throws(FileError) {
    let library = try DynamicLibrary(path: directory.file(libraryName))
    func function<T>(_ name: String, as type: T.Type) throws(FileError) -> T {
      unsafeBitCast(try library.symbol(name), to: type)
    }
    allocateMemory = try function("cudaMalloc", as: type(of: allocateMemory))
    freeMemory = try function("cudaFree", as: type(of: freeMemory))
    copyMemory = try function("cudaMemcpy", as: type(of: copyMemory))
    waitForAll = try function("cudaDeviceSynchronize", as: type(of: waitForAll))
    findingsText = try function("ckc_emu_findings", as: type(of: findingsText))
    clearAll = try function("ckc_emu_clear_findings", as: type(of: clearAll))
    peak = try function("ckc_emu_peak_bytes", as: type(of: peak))
    limit = try function("ckc_emu_limit_bytes", as: type(of: limit))
    setSchedule = try function("ckc_emu_set_schedule", as: type(of: setSchedule))
    release = try function("ckc_emu_release", as: type(of: release))
    createStream = try function("cudaStreamCreate", as: type(of: createStream))
    destroyStream = try function("cudaStreamDestroy", as: type(of: destroyStream))
    beginCapture = try function("cudaStreamBeginCapture", as: type(of: beginCapture))
    endCapture = try function("cudaStreamEndCapture", as: type(of: endCapture))
    instantiate = try function("cudaGraphInstantiate", as: type(of: instantiate))
    launchGraph = try function("cudaGraphLaunch", as: type(of: launchGraph))
    destroyGraph = try function("cudaGraphDestroy", as: type(of: destroyGraph))
    self.library = library
    self.directory = directory
  }

  deinit { release() }

  /// The address of a function of the file.
  ///
  /// - Throws: An error where there is no such function.
  package func symbol(_ name: String) throws(FileError) -> UnsafeMutableRawPointer {
    try library.symbol(name)
  }

  // MARK: Memory

  /// Device memory, aligned to 256 bytes, which holds no value yet; nil for no bytes.
  package func allocate(byteCount: Int) throws(EmulationError) -> UnsafeMutableRawPointer? {
    var address: UnsafeMutableRawPointer?
    try check(allocateMemory(&address, byteCount))
    return address
  }

  /// Gives device memory back.
  package func free(_ address: UnsafeMutableRawPointer?) throws(EmulationError) {
    try check(freeMemory(address))
  }

  /// Copies bytes to the device, after all work.
  package func upload(
    _ bytes: [UInt8], to address: UnsafeMutableRawPointer?
  ) throws(EmulationError) {
    try check(bytes.withUnsafeBytes { copyMemory(address, $0.baseAddress, $0.count, 1) })
  }

  /// Copies bytes from the device, after all work.
  package func download(
    from address: UnsafeMutableRawPointer?, byteCount: Int
  ) throws(EmulationError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: byteCount)
    try check(bytes.withUnsafeMutableBytes { copyMemory($0.baseAddress, address, $0.count, 2) })
    return bytes
  }

  /// The most bytes that were allocated at the same time.
  package var peakBytes: Int { peak() }

  /// Makes allocations fail that would need more bytes than this at a time.
  package func limitMemory(toByteCount byteCount: Int) { limit(byteCount) }

  // MARK: Work

  /// How the next launches run.
  package func use(_ schedule: EmulationSchedule) {
    switch schedule.order {
    case .forward: setSchedule(0, 0, schedule.isLazy ? 1 : 0)
    case .reverse: setSchedule(1, 0, schedule.isLazy ? 1 : 0)
    case .random(let seed): setSchedule(2, seed, schedule.isLazy ? 1 : 0)
    }
  }

  /// Captures what a closure puts into a stream as a graph, and runs that.
  ///
  /// - Throws: An error where the closure waits, allocates or fails.
  package func runCaptured(
    _ body: (OpaquePointer?) throws(EmulationError) -> Void
  ) throws(EmulationError) {
    var stream: OpaquePointer?
    var graph: OpaquePointer?
    var executable: OpaquePointer?
    try check(createStream(&stream))
    try check(beginCapture(stream, 0))
    try body(stream)
    try check(endCapture(stream, &graph))
    try check(instantiate(&executable, graph, 0))
    try check(launchGraph(executable, stream))
    try check(destroyStream(stream))
    // Executable graphs are graphs to the emulation.
    try check(destroyGraph(executable))
    try check(destroyGraph(graph))
  }

  /// Waits until all work is done.
  package func synchronize() throws(EmulationError) { try check(waitForAll()) }

  /// What was found wrong, one finding a line.
  package var findings: String { String(cString: findingsText()) }

  /// Forgets what was found, so that work goes on.
  package func clearFindings() { clearAll() }

  /// Turns the number of an error into a thrown one.
  package func check(_ code: Int32) throws(EmulationError) {
    guard code == 0 else { throw EmulationError(code: code, findings: findings) }
  }
}
