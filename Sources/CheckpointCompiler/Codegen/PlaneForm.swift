// Depthwise convolutions whose rows of an image are contiguous: a plane at a time.
//
// Problem     With channels first, lanes lie along the width. Rows are short, windows leave them at both
//             ends, and a stride takes every other number: vectors would be cut everywhere.
// Method      A band of the rows of one channel is copied with its edges as zeros, every phase of the
//             strides apart. In the copy a tap is one distance from any result, over the whole band as
//             if it were one long row: vectors go over it without a branch, whatever the width. What they
//             compute between the rows is not used.
//             In a gradient of the kernel the gradient of the results is copied to the same pitch, with
//             zeros between rows, and each tap is a product of two long rows.
// Invariants  A result is a sum over ascending taps. A tap is a sum in sixteen lanes over ascending rows,
//             then of the lanes: by shape alone.
// Cost        Scratch of one band for each thread; a copy of about one number for each that is computed.

/// How a depthwise part is computed plane by plane.
struct Planes: Sendable, Hashable {
  typealias Loop = Contraction.Loop

  /// One of the two dimensions of a plane.
  struct Side: Sendable, Hashable {
    /// The loop over positions of the results, and the taps that move the same way.
    var positions: Loop
    var taps: Loop
    /// How many steps of the grid a position, a tap is from its neighbour, and how long a step is in the
    /// first operand.
    var stride: Int
    var dilation: Int
    var unit: Int
    /// The steps of the grid that are in the tensor, and where the grid starts.
    var low: Int
    var high: Int
    var start: Int

    /// The remainders by the stride that taps have.
    var phases: [Int] { Array(Set((0..<taps.extent).map { $0 * dilation % stride })).sorted() }
    /// How far the last tap is, in steps of a position.
    var reach: Int { (taps.extent - 1) * dilation / stride }
  }

  /// The most rows of a band, and its most numbers.
  static let rowsMax = 16
  private static let elementsMax = 4096
  /// The most bytes of the sums of taps, which are local.
  static let sumBytesMax = 3200
  /// The lanes of a sum over positions.
  static let lanes = 16

  /// Whether the results are the taps.
  var isKernelGradient: Bool
  var rows: Side
  var columns: Side
  /// The other loops over results, and over the depth.
  var outer: [Loop]
  var depth: [Loop]

  /// The distance of rows in a band.
  var pitch: Int { columns.positions.extent + columns.reach }
  /// How many bands a plane is cut into, and the positions' rows of each but the last.
  var bands: Int {
    let most = max(1, min(Self.rowsMax, Self.elementsMax / pitch))
    return (rows.positions.extent + most - 1) / most
  }
  var bandRows: Int { (rows.positions.extent + bands - 1) / bands }
  /// Rows of the copy of one phase.
  var copiedRows: Int { bandRows + rows.reach }
  var phaseCount: Int { rows.phases.count * columns.phases.count }
  var tapCount: Int { rows.taps.extent * columns.taps.extent }
  /// The numbers of the copy, and of the sums or the second copy, in whole lanes.
  var copiedElements: Int {
    padded(phaseCount * copiedRows * pitch + columns.reach + Self.lanes)
  }
  var flatElements: Int { padded(bandRows * pitch + Self.lanes) }
  var threadElements: Int { copiedElements + flatElements }

  private func padded(_ count: Int) -> Int { (count + 15) / 16 * 16 }

  /// How far a tap is from a result in the copy.
  func offset(row: Int, column: Int) -> Int {
    let (y, x) = (row * rows.dilation, column * columns.dilation)
    let phase =
      rows.phases.firstIndex(of: y % rows.stride)! * columns.phases.count
      + columns.phases.firstIndex(of: x % columns.stride)!
    return (phase * copiedRows + y / rows.stride) * pitch + x / columns.stride
  }

  /// One line for a reader of the C.
  var description: String {
    "depthwise, plane by plane: \(bands) bands of \(bandRows) rows, \(phaseCount) phases, \(tapCount) "
      + (isKernelGradient ? "taps, sums over positions" : "taps")
  }
}

extension Contraction.Part {
  /// How a depthwise convolution over contiguous rows is computed; nil for anything else.
  func planes(_ dtypes: Contraction.DTypes) -> Planes? {
    let dtype = dtypes.result
    guard dtype == .f32 || dtype == .f64, dtypes.first == dtype, dtypes.second == dtype else {
      return nil
    }
    guard rows.isEmpty || columns.isEmpty, !axes.isEmpty || depthCount == 1,
      axes.allSatisfy({ $0.dilation == 1 })
    else { return nil }
    var results = groups + rows + columns
    var sums = depth
    guard results.count >= 2 else { return nil }
    let (x, y) = (results.removeLast(), results.removeLast())
    func count(_ loops: [Loop]) -> Int { loops.reduce(1) { $0 * $1.extent } }
    // The smaller of what moves the window are its taps.
    let isGradient = sums.count >= 2 && count(Array(sums.suffix(2))) > x.extent * y.extent
    var sides: [Planes.Side] = []
    for result in [x, y] {
      let last = sums.last.flatMap { movesAlike($0, result) ? $0 : nil }
      if last != nil { sums.removeLast() } else if isGradient { return nil }
      let other = last ?? Loop(extent: 1, steps: result.steps.map { _ in 0 })
      guard let side = isGradient ? side(other, result) : side(result, other) else { return nil }
      sides.append(side)
    }
    let (columns, rows) = (sides[0], sides[1])
    guard isGradient || sums.isEmpty, x.second == 0, y.second == 0 else { return nil }
    let sumBytes = columns.taps.extent * rows.taps.extent * Planes.lanes * dtype.byteCount
    guard sumBytes <= Planes.sumBytesMax, columns.unit == 1, columns.stride <= 4, rows.stride <= 4,
      columns.positions.extent >= 4
    else { return nil }
    let isApart = (results + sums).allSatisfy { moved(by: $0).isEmpty }
    guard isApart, count(results) >= 8 else { return nil }
    return Planes(
      isKernelGradient: isGradient, rows: rows, columns: columns, outer: results, depth: sums)
  }

  /// Whether two loops move the window along the same dimension.
  private func movesAlike(_ a: Loop, _ b: Loop) -> Bool {
    let (far, near) = (
      max(windowDistance(a), windowDistance(b)), min(windowDistance(a), windowDistance(b))
    )
    return moved(by: a) == moved(by: b) && near > 0 && far <= 8 * near
  }

  /// The dimension in which positions and taps move the window; nil where they go backwards.
  private func side(_ positions: Loop, _ taps: Loop) -> Planes.Side? {
    let far = windowDistance(positions)
    let near = taps.extent == 1 ? far : windowDistance(taps)
    guard far > 0, near > 0, moved(by: positions).count <= 1 else { return nil }
    let unit = greatestCommonDivisor(far, near)
    var side = Planes.Side(
      positions: positions, taps: taps, stride: far / unit, dilation: near / unit, unit: unit,
      low: 0, high: 0, start: 0)
    side.high = (positions.extent - 1) * side.stride + (taps.extent - 1) * side.dilation + 1
    if let axis = moved(by: positions).first {
      guard positions.first == 0, taps.first == 0 else { return nil }
      let bounds = axes[axis]
      let step = unit / bounds.stride
      let inside = (0..<side.high).filter { (0..<bounds.extent).contains(bounds.start + $0 * step) }
      guard let low = inside.first, let last = inside.last else { return nil }
      (side.low, side.high, side.start) = (low, last + 1, bounds.start * bounds.stride)
    }
    return side
  }
}
