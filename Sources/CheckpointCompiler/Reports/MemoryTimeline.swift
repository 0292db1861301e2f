// The arena over the kernels of one step, as rectangles: what the drawings draw.

/// Every buffer of one planned step, with what it is to the plan.
struct MemoryTimeline: Sendable {
  /// What a buffer is to the plan.
  enum Role: String, CaseIterable, Sendable {
    /// A forward value that waits for the backward part.
    case kept
    /// A forward value that is dropped and made again.
    case dropped
    /// A forward value that was made again.
    case recomputed
    /// A forward value that the backward part does not need.
    case forward
    /// A gradient or another value of the backward part.
    case backward
    /// Memory that a kernel uses while it runs.
    case scratch

    /// The role in a legend.
    var label: String {
      switch self {
      case .kept: "kept for backward"
      case .dropped: "dropped, needed again"
      case .recomputed: "recomputed"
      case .forward: "forward only"
      case .backward: "gradients, backward"
      case .scratch: "scratch"
      }
    }
  }

  /// One buffer: alive over `lower..<upper`, at `offset..<offset + sizeBytes`. A value that another
  /// is written over ends where that one begins.
  struct Block: Sendable {
    var name: String
    /// The type of the value; empty for scratch.
    var type: String
    var role: Role
    var lower: Int
    var upper: Int
    var offset: Int
    var sizeBytes: Int
  }

  /// One kernel.
  struct Kernel: Sendable {
    var name: String
    var isRecomputation: Bool
  }

  var kernels: [Kernel]
  /// The buffers, as they are made.
  var blocks: [Block]
  /// The bytes alive while each kernel runs.
  var liveBytes: [Int]
  var arenaBytes: Int
  var peakLiveBytes: Int
  var costNs: Double
  /// The first kernel of the backward part; nil where there is no loss.
  var backwardStart: Int?

  /// The timeline of a step of a compilation.
  ///
  /// - Parameters:
  ///   - step: The step: the planned one, or the one that keeps everything.
  ///   - compilation: The compilation, whose plan decides the roles.
  init(_ step: PlannedStep, of compilation: Compilation) {
    let function = step.function
    let byName = compilation.priced == nil
    var isRecomputed: [String: Bool] = [:]
    for value in compilation.crossingValues { isRecomputed[value.key] = value.isRecomputed }
    let again = step.assignment.order.kernels.map { function.isRecomputation($0.op) }
    kernels = zip(step.assignment.order.kernels, again).map {
      Kernel(name: outsideName(function.kernelName($0)), isRecomputation: $1)
    }
    let loss = function.lossKernel(step.assignment.order)
    backwardStart = loss.flatMap { $0 + 1 < again.count ? $0 + 1 : nil }
    liveBytes = step.liveBytes
    arenaBytes = step.arenaBytes
    peakLiveBytes = step.peakLiveBytes
    costNs = step.costNs
    blocks = []
    let types = function
    for tenant in step.assignment.tenants {
      let buffer = tenant.life
      var type = ""
      var role = Role.scratch
      if case .value(let value) = tenant.content {
        type = types.type(of: value).description
        let key = step.key(of: tenant, byName: byName) ?? ""
        if again[buffer.lower] {
          role = .recomputed
        } else if let recomputed = isRecomputed[key] {
          role = recomputed ? .dropped : .kept
        } else {
          role = buffer.lower > loss ?? .max ? .backward : .forward
        }
      }
      blocks.append(
        Block(
          name: outsideName(buffer.name), type: type, role: role, lower: tenant.occupied.lowerBound,
          upper: tenant.occupied.upperBound, offset: step.packed.offsets[tenant.buffer],
          sizeBytes: buffer.sizeBytes))
    }
  }
}
