// The machine that code is emitted for: fixed numbers, never read from the machine that ckc runs
// on, so that the same graph gives the same bytes everywhere.

/// A description of the machine that runs the step.
public struct Target: Hashable, Sendable {
  /// Its name.
  public var name: String
  /// The most threads that the emitted code uses, 1 to `threadsLimit`, to which others are clamped;
  /// scratch is sized for them.
  public var threadsMax: Int { didSet { threadsMax = Target.clampedThreads(threadsMax) } }
  /// The vector registers that loops are shaped for, in bytes.
  public var vectorBytes: Int
  /// Peak floating-point operations per nanosecond, over all threads.
  public var flopsPerNs: Double
  /// Bytes per nanosecond to and from memory.
  public var bytesPerNs: Double
  /// The time that starting one kernel costs, in nanoseconds.
  public var kernelOverheadNs: Double
  /// The graphics processor; nil where C is emitted for a processor.
  public var gpu: GPU?
  /// What is decided about the schedules of contractions; C alone has any.
  public var schedule = ScheduleRules()

  /// The most threads that a target may have.
  public static let threadsLimit = 1024

  private static func clampedThreads(_ count: Int) -> Int { min(max(1, count), threadsLimit) }

  /// Whether CUDA is emitted.
  public var isCUDA: Bool { gpu != nil }

  /// A target.
  public init(
    name: String, threadsMax: Int, vectorBytes: Int, flopsPerNs: Double, bytesPerNs: Double,
    kernelOverheadNs: Double, gpu: GPU? = nil
  ) {
    self.name = name
    self.threadsMax = Target.clampedThreads(threadsMax)
    self.vectorBytes = vectorBytes
    self.flopsPerNs = flopsPerNs
    self.bytesPerNs = bytesPerNs
    self.kernelOverheadNs = kernelOverheadNs
    self.gpu = gpu
  }

  /// A processor with 256-bit vectors, two multiply-adds of them a cycle at 3 GHz.
  public static func cpu(threadsMax: Int = 8) -> Target {
    let threads = clampedThreads(threadsMax)
    return Target(
      name: "c", threadsMax: threads, vectorBytes: 32,
      flopsPerNs: 96 * Double(threads), bytesPerNs: min(40, 20 * Double(threads)),
      kernelOverheadNs: threads > 1 ? 2_000 : 100)
  }
}
