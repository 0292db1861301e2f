// Buffers with lifetimes and sizes that are to share one arena.
//
// Problem     A buffer is a rectangle [lower, upper) × [offset, offset + size). Choose offsets so
//             that no two overlap and the highest end, the arena, is small. Strongly NP-hard.
// Bound       At any time the live buffers stand side by side: the largest sum of sizes alive at
//             once cannot be beaten.
// Format      MiniMalloc's CSV: `id,lower,upper,size` and, in results, `offset`.

/// Buffers to be placed in one arena.
public struct PlacementProblem: Sendable, Equatable {
  /// One buffer.
  public struct Buffer: Sendable, Equatable {
    /// Name in messages and files.
    public var name: String
    /// First step at which it is alive.
    public var lower: Int
    /// First step after `lower` at which it is not alive any more.
    public var upper: Int
    /// Size in bytes; 0 is allowed.
    public var sizeBytes: Int

    /// A buffer alive over `lower..<upper`.
    public init(name: String = "", lower: Int, upper: Int, sizeBytes: Int) {
      self.name = name
      self.lower = lower
      self.upper = upper
      self.sizeBytes = sizeBytes
    }
  }

  /// The buffers.
  public let buffers: [Buffer]
  /// Every offset is a multiple of this; at least 1.
  public let alignmentBytes: Int

  /// A checked problem.
  ///
  /// - Throws: The first rule that a buffer breaks.
  public init(buffers: [Buffer], alignmentBytes: Int = 1) throws(Diagnostic) {
    guard alignmentBytes >= 1, alignmentBytes <= 1 << 30 else {
      throw Diagnostic("the alignment is not between 1 and 2^30: \(alignmentBytes)")
    }
    var totalBytes = 0
    for (index, buffer) in buffers.enumerated() {
      let place = "buffer \(index)\(RematProblem.quoted(buffer.name))"
      if buffer.sizeBytes < 0 {
        throw Diagnostic("\(place): its size is negative: \(buffer.sizeBytes)")
      }
      if max(buffer.lower.magnitude, buffer.upper.magnitude) >= 1 << 62 {
        throw Diagnostic(
          "\(place): its life from \(buffer.lower) to \(buffer.upper) exceeds 2^62 steps")
      }
      if buffer.upper <= buffer.lower {
        throw Diagnostic(
          "\(place): its life ends at \(buffer.upper), not after its start \(buffer.lower)")
      }
      let (sum, overflow) = totalBytes.addingReportingOverflow(buffer.sizeBytes)
      if overflow || sum > Int.max / 8 - buffers.count * alignmentBytes {
        throw Diagnostic("\(place): the sizes up to here exceed 2^60 bytes")
      }
      totalBytes = sum
    }
    self.buffers = buffers
    self.alignmentBytes = alignmentBytes
  }

  /// Reads MiniMalloc's CSV; columns may stand in any order, others are ignored.
  ///
  /// - Parameters:
  ///   - csv: The UTF-8 text, a header line first.
  ///   - alignmentBytes: Every offset is to be a multiple of this.
  ///   - file: The text's index in the source map that will render diagnostics.
  /// - Throws: The first line that is not as the format has it.
  public init(csv: [UInt8], alignmentBytes: Int = 1, file: Int32 = 0) throws(Diagnostic) {
    let parsed = try PlacementCSV(csv, file: file)
    try self.init(buffers: parsed.buffers, alignmentBytes: alignmentBytes)
  }

  /// A size as it counts: rounded up to the alignment.
  func paddedBytes(_ index: Int) -> Int {
    let size = buffers[index].sizeBytes
    return (size + alignmentBytes - 1) / alignmentBytes * alignmentBytes
  }

  /// The largest sum of padded sizes alive at once: no arena is smaller. O(n log n).
  public var maxLiveBytes: Int {
    var events: [(time: Int, change: Int)] = []
    events.reserveCapacity(buffers.count * 2)
    for index in buffers.indices {
      let padded = paddedBytes(index)
      events.append((buffers[index].lower, padded))
      events.append((buffers[index].upper, -padded))
    }
    events.sort { ($0.time, $0.change) < ($1.time, $1.change) }
    var live = 0
    var largest = 0
    for event in events {
      live += event.change
      largest = max(largest, live)
    }
    return largest
  }

  /// The sizes alive at each of the steps `0..<steps`, which hold all lives. O(n + steps).
  func liveBytes(steps: Int) -> [Int] {
    var change = Array(repeating: 0, count: steps + 1)
    for index in buffers.indices {
      change[buffers[index].lower] += paddedBytes(index)
      change[buffers[index].upper] -= paddedBytes(index)
    }
    var live = 0
    return change.dropLast().map { difference in
      live += difference
      return live
    }
  }

  /// The CSV text of the problem, with an `offset` column if a plan is given.
  public func csv(plan: MemoryPlan? = nil) -> String {
    var out = plan == nil ? "id,lower,upper,size\n" : "id,lower,upper,size,offset\n"
    for (index, buffer) in buffers.enumerated() {
      out += "\(buffer.name),\(buffer.lower),\(buffer.upper),\(buffer.sizeBytes)"
      if let plan { out += ",\(plan.offsets[index])" }
      out += "\n"
    }
    return out
  }
}

/// A fixed position for every buffer of one problem.
public struct MemoryPlan: Sendable, Equatable {
  /// Start of each buffer in the arena, in bytes, in the order of the problem's buffers.
  public var offsets: [Int]
  /// Size of the arena in bytes: the largest end of a placed buffer, padded to the alignment.
  public var arenaBytes: Int

  /// A plan of the given offsets.
  public init(offsets: [Int], arenaBytes: Int) {
    self.offsets = offsets
    self.arenaBytes = arenaBytes
  }
}
