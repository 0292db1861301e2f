// Depthwise convolutions whose channels are neighbours in memory: which loops stay in registers.
//
// Problem     Every channel is a convolution of its own with one input and one output: no number is used
//             by more than the few taps of a window, and panels would cost more than they save. Lane by
//             lane, each product loads its sum and stores it again.
// Method      Lanes are channels. Of the results that the innermost window slides along, a block stays in
//             registers; each number is loaded once for all taps of a row of the window that meet it.
//             In a gradient of the kernel the results are the taps (`DepthwiseSweeps`).
//             Where a window leaves the tensor is known here: a block is the text of exactly the products
//             that exist, so there are no branches, no zeros and no slow edges.
// Invariants  Sums are over ascending taps, those outside left out.
// Source      Zhang, Lo & Lu, "High performance depthwise and pointwise convolutions on mobile devices",
//             2020 (results in registers, numbers shared by taps).

/// How a part is computed whose lanes are the channels of a depthwise convolution.
struct Depthwise: Sendable, Hashable {
  typealias Loop = Contraction.Loop

  /// Some results and some taps or positions, unrolled: which column of numbers each pair of them meets.
  struct Block: Sendable, Hashable {
    var outputs: Int
    var taps: Int
    /// How many columns a result, a tap is from its neighbour.
    var outputStep: Int
    var tapStep: Int
    /// The first column that is read, and the end.
    var low: Int
    var high: Int

    /// The results and taps that meet at a column.
    func pairs(at column: Int) -> [(output: Int, tap: Int)] {
      var pairs: [(output: Int, tap: Int)] = []
      for output in 0..<outputs {
        for tap in 0..<taps where output * outputStep + tap * tapStep == column {
          pairs.append((output, tap))
        }
      }
      return pairs
    }

    /// The columns that are read, ascending.
    var columns: [Int] { (low..<high).filter { !pairs(at: $0).isEmpty } }
  }

  /// Equal blocks, one after the other.
  struct Run: Sendable, Hashable {
    var block: Block
    var count: Int
    /// The first result, or position, of the first block.
    var start: Int
  }

  /// The most bytes of channels of a task.
  private static let widthBytes = 256
  /// The most taps of a row of the window, and of all.
  static let rowMax = 9
  static let tapsMax = 64
  /// The most pieces of text of a row.
  private static let runsMax = 6

  /// The loop over channels.
  var lane: Loop
  /// The results that are in registers, and the other loops over results.
  var slid: Loop
  var outer: [Loop]
  /// The innermost loop over the depth where it moves the window along `slid`, and the other loops.
  var tap: Loop
  var depth: [Loop]
  /// The axis along which the window slides; nil where it does not leave the tensor.
  var axis: Int?
  /// The bytes of a number.
  var size: Int
  /// The distance of columns in the first operand.
  var columnStep: Int
  /// The blocks along `slid`, or along the positions.
  var runs: [Run]
  /// How a gradient of the kernel goes over its positions; nil for anything else.
  var sweeps: DepthwiseSweeps?

  /// The channels of a task, and how many tasks all channels are.
  var width: Int {
    let most = Self.widthBytes / size
    let blocks = (lane.extent + most - 1) / most
    return blocks == 1 ? lane.extent : ((lane.extent + blocks - 1) / blocks + 15) / 16 * 16
  }
  var laneBlocks: Int { (lane.extent + width - 1) / width }

  /// The most results in registers.
  var outputsMax: Int { runs.map(\.block.outputs).max()! }
  /// How many results there are for each channel.
  var resultCount: Int { outer.reduce(slid.extent) { $0 * $1.extent } }
  /// The sums of parts that wait in scratch.
  var scratchElements: Int { (sweeps?.parts ?? 0) * resultCount * lane.extent }

  /// The loop over tasks of channels.
  var laneBlockLoop: Loop {
    Loop(
      extent: laneBlocks, first: width, second: width, out: width, steps: lane.steps,
      extras: lane.extras.map { $0 * width })
  }

  /// One line for a reader of the C.
  var description: String {
    let blocks = runs.map { "\($0.count) × \($0.block.outputs) × \($0.block.taps)" }
    let unrolled = blocks.joined(separator: ", ")
    guard let sweeps else {
      return "depthwise, \(width) channels; results in registers, results × taps \(unrolled)"
    }
    return "depthwise, \(width) channels; \(sweeps.tapsAtOnce) rows of taps in registers, "
      + "taps × positions \(unrolled); \(sweeps.parts) parts"
  }
}

extension Contraction.Part {
  /// How a depthwise convolution with neighbouring channels is computed; nil for anything else.
  func depthwise(_ dtypes: Contraction.DTypes) -> Depthwise? {
    let dtype = dtypes.result
    guard dtype == .f32 || dtype == .f64, dtypes.first == dtype, dtypes.second == dtype else {
      return nil
    }
    guard rows.isEmpty || columns.isEmpty, axes.allSatisfy({ $0.dilation == 1 }) else { return nil }
    guard let at = laneLoop, depthCount > 0 else { return nil }
    var others = self
    let lane = others[keyPath: at.kind].remove(at: at.index)
    let isContiguous = lane.out == 1 && lane.first == 1 && lane.second == 1
    guard isContiguous, lane.extent >= 8, moved(by: lane).isEmpty else { return nil }
    var outer = others.groups + others.rows + others.columns
    guard let slid = outer.popLast(), windowDistance(slid) > 0, moved(by: slid).count <= 1 else {
      return nil
    }
    let axis = moved(by: slid).first
    var depth = depth
    var tap = Loop(extent: 1, steps: slid.steps.map { _ in 0 })
    if let last = depth.last, windowDistance(last) > 0, moved(by: last) == moved(by: slid) {
      (tap, depth) = (last, depth.dropLast())
    }
    if let axis {
      let isAlone = (outer + depth).allSatisfy { $0.steps[axis] == 0 }
      guard isAlone, slid.first == 0, tap.first == 0 else { return nil }
    }
    let columnStep =
      tap.extent == 1
      ? windowDistance(slid) : greatestCommonDivisor(windowDistance(slid), windowDistance(tap))
    var form = Depthwise(
      lane: lane, slid: slid, outer: outer, tap: tap, depth: depth, axis: axis,
      size: dtype.byteCount, columnStep: columnStep, runs: [])
    if tap.extent <= Depthwise.rowMax, depthCount <= Depthwise.tapsMax {
      // Results, a row of taps and a number are in 16 registers.
      form.cut(self, along: slid, most: max(2, min(8, 14 - tap.extent)), isEven: true)
    } else if tap.extent > 1, slid.extent <= Depthwise.rowMax,
      form.resultCount <= Depthwise.tapsMax
    {
      guard let sweeps = DepthwiseSweeps(form, of: self) else { return nil }
      form.sweeps = sweeps
      form.cut(self, along: tap, most: DepthwiseSweeps.positions, isEven: false)
    }
    return form.runs.isEmpty ? nil : form
  }

  /// The axes that a loop moves the window along.
  func moved(by loop: Loop) -> [Int] { axes.indices.filter { loop.steps[$0] != 0 } }

  /// How far apart neighbours along a loop are in the first operand.
  func windowDistance(_ loop: Loop) -> Int {
    axes.indices.reduce(loop.first) { $0 + loop.steps[$1] * axes[$1].stride }
  }
}

extension Depthwise {
  /// Cuts a loop into blocks; leaves no runs where a block meets nothing, or where there were many
  /// different ones.
  fileprivate mutating func cut(
    _ part: Contraction.Part, along loop: Loop, most: Int, isEven: Bool
  ) {
    let count = (loop.extent + most - 1) / most
    var runs: [Run] = []
    var start = 0
    for number in 0..<count {
      let even = loop.extent / count + (number < loop.extent % count ? 1 : 0)
      let size = isEven ? even : min(most, loop.extent - start)
      let block = block(part, from: start, size: size)
      guard block.low < block.high else { return }
      if let last = runs.last, last.block == block {
        runs[runs.count - 1].count += 1
      } else {
        runs.append(Run(block: block, count: 1, start: start))
      }
      start += size
    }
    if runs.count <= Self.runsMax { self.runs = runs }
  }

  /// The block of `size` results or positions from `start`.
  private func block(_ part: Contraction.Part, from start: Int, size: Int) -> Block {
    let (outputStep, tapStep) = (
      part.windowDistance(slid) / columnStep,
      tap.extent == 1 ? 1 : part.windowDistance(tap) / columnStep
    )
    var block = Block(
      outputs: sweeps == nil ? size : slid.extent, taps: sweeps == nil ? tap.extent : size,
      outputStep: outputStep, tapStep: tapStep, low: 0, high: 0)
    block.high = (block.outputs - 1) * outputStep + (block.taps - 1) * tapStep + 1
    if let axis {
      let bounds = part.axes[axis]
      let unit = columnStep / bounds.stride
      let position = bounds.start + start * (sweeps == nil ? slid : tap).steps[axis]
      let inside = (0..<block.high).filter {
        (0..<bounds.extent).contains(position + $0 * unit)
      }
      (block.low, block.high) = (inside.first ?? 0, (inside.last ?? -1) + 1)
    }
    let columns = block.columns
    (block.low, block.high) = (columns.first ?? 0, (columns.last ?? -1) + 1)
    return block
  }
}
