// Gradients of the kernels of depthwise convolutions: which sums stay in registers, in which order.
//
// Problem     The results are the taps of a window, few for each channel, and each is a sum over all
//             positions of all images.
// Method      Sums of all taps stay in registers where there are at most nine, else those of a row of
//             taps, while positions pass by, four at a time. Rows of positions that meet all rows of
//             taps are swept first; then, for each row of taps, those at the edges that meet it.
//             The batch is cut into parts for the threads, and what is swept at once is what a
//             second-level cache holds of 64 channels.
// Invariants  Parts and their order follow from the shape alone; they wait in scratch and are added in
//             order.

/// How a gradient of the kernel goes over its positions.
struct DepthwiseSweeps: Sendable, Hashable {
  typealias Loop = Contraction.Loop

  /// Some rows of taps, and the rows of positions that meet all of them inside the tensor.
  struct Sweep: Sendable, Hashable {
    var tap: Int
    var tapCount: Int
    var row: Int
    var rowCount: Int
  }

  /// The positions that pass by at a time.
  static let positions = 4
  /// The most taps in registers.
  private static let registers = 9
  /// The most positions that are swept at once.
  private static let positionsMax = 1024
  /// The most parts, the most sums of all of them, and the least products of each.
  private static let partsMax = 16
  private static let sumsMax = 9216
  private static let productsMin = 65_536

  /// The loops over rows of taps and rows of positions, and over images.
  var taps: Loop
  var rows: Loop
  var images: Loop
  var sweeps: [Sweep] = []
  /// How many rows of taps most positions meet at once.
  var tapsAtOnce: Int
  /// How many images, and rows of one, are swept at once.
  var imagesMost: Int
  var rowsMost: Int
  /// Into how many parts the images are cut.
  var parts: Int

  /// What the order of sums depends on.
  var order: [Int] { [tapsAtOnce, imagesMost, parts] }

  /// - Parameters:
  ///   - form: A depthwise convolution whose taps are positions and whose results are taps.
  ///   - part: What it is the form of.
  init?(_ form: Depthwise, of part: Contraction.Part) {
    guard form.outer.count <= 1, form.depth.count <= 2 else { return nil }
    let none = form.slid.steps.map { _ in 0 }
    let one = Loop(extent: 1, steps: none)
    taps = form.outer.first ?? one
    var depth = form.depth
    rows = one
    if let last = depth.last, form.outer.isEmpty || part.moved(by: last) == part.moved(by: taps) {
      (rows, depth) = (last, depth.dropLast())
    }
    images = depth.last ?? one
    guard depth.count <= 1, part.moved(by: images).isEmpty else { return nil }
    guard part.moved(by: rows).count <= 1, taps.extent == 1 || rows.extent > 1 else { return nil }
    tapsAtOnce = taps.extent * form.slid.extent <= Self.registers ? taps.extent : 1
    let positions = rows.extent * form.tap.extent
    imagesMost = max(1, Self.positionsMax / positions)
    rowsMost =
      positions <= Self.positionsMax
      ? rows.extent : max(1, Self.positionsMax / form.tap.extent)
    let results = form.resultCount * form.lane.extent
    let products = part.depthCount * results
    parts = min(Self.partsMax, Self.sumsMax / results, products / Self.productsMin, images.extent)
    parts = max(1, parts)
    sweeps = sweeps(part)
  }

  private func sweeps(_ part: Contraction.Part) -> [Sweep] {
    let axis = part.moved(by: rows).first ?? part.moved(by: taps).first
    func meets(_ row: Int, _ tap: Int) -> Bool {
      guard let axis else { return true }
      let position =
        part.axes[axis].start + row * rows.steps[axis] + tap * taps.steps[axis]
      return (0..<part.axes[axis].extent).contains(position)
    }
    var sweeps: [Sweep] = []
    func add(_ taps: Range<Int>, _ isMet: (Int) -> Bool) {
      for row in 0..<rows.extent where isMet(row) {
        if let last = sweeps.last, last.tap == taps.lowerBound, last.tapCount == taps.count,
          last.row + last.rowCount == row
        {
          sweeps[sweeps.count - 1].rowCount += 1
        } else {
          sweeps.append(Sweep(tap: taps.lowerBound, tapCount: taps.count, row: row, rowCount: 1))
        }
      }
    }
    let all = 0..<taps.extent
    func meetsAll(_ row: Int) -> Bool {
      tapsAtOnce == taps.extent && all.allSatisfy { meets(row, $0) }
    }
    add(all, meetsAll)
    for tap in all { add(tap..<(tap + 1)) { meets($0, tap) && !meetsAll($0) } }
    return sweeps
  }
}
