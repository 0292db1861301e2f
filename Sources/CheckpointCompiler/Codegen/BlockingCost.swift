// What a schedule of a packed contraction is estimated to cost.
//
// Method      The slowest thread's cycles: products at full rate, packing, what it reads that another core
//             has written, barriers. `BlockingChoice.swift` compares them.
// Invariants  Fixed numbers only, none of the machine.

/// What the parts of a packed contraction cost, in cycles of a core that multiplies and adds 16 numbers
/// of 4 bytes in one.
private enum Price {
  static let product = 1.0 / 16
  /// Packing one element: in long runs, in short ones, turned, or from anywhere.
  static let copied = 0.25
  static let gatheredRuns = 0.6
  static let turned = 0.5
  static let gathered = 1.5
  /// Finding a row in place, and each of its taps, or a line of rows side by side.
  static let foundRow = 6.0
  static let foundTap = 3.0
  static let foundLine = 1.5
  /// Reading an element that another core has written: from 0.2 cycles where they share a cache to 0.6
  /// where they do not, and 1.6 in a mesh.
  static let foreign = 0.8
  /// A start of threads or a barrier.
  static let barrier = 3000.0
  /// Tiles read shared rows from a more distant cache than rows of their own.
  static let sharedRows = 1.02
  /// A byte of scratch beyond a part of the bytes that are read and written: memory that a step with
  /// little of it has to recompute for.
  static let scratchByte = 1.0
  static let scratchShare = 1.0 / 4
}

extension Contraction.Part {
  /// The estimated time of the slowest thread, and what is added for scratch.
  func price(
    _ blocking: Blocking, _ packing: (rows: Double, columns: Double), _ dtypes: Contraction.DTypes
  ) -> Double {
    let scratch = Double(blocking.scratchElements * dtypes.sum.byteCount)
    let free = Double(touchedBytes(dtypes)) * Price.scratchShare
    return time(blocking, packing) + max(0, scratch - free) * Price.scratchByte
  }

  /// Bytes that the operands and the result span at most.
  private func touchedBytes(_ dtypes: Contraction.DTypes) -> Int {
    let loops = groups + rows + columns + depth
    func span(_ stride: (Contraction.Loop) -> Int) -> Int {
      loops.reduce(1) { $0 + max(0, $1.extent - 1) * abs(stride($1)) }
    }
    let windows = axes.reduce(0) { $0 + max(0, $1.extent - 1) * abs($1.stride) }
    return (span { $0.first } + windows) * dtypes.first.byteCount
      + span { $0.second } * dtypes.second.byteCount + span { $0.out } * dtypes.result.byteCount
  }

  /// The estimated time of the slowest thread.
  private func time(_ blocking: Blocking, _ packing: (rows: Double, columns: Double)) -> Double {
    if blocking.isSliced { return slicedTime(blocking, packing) }
    if blocking.tasks == .blocks { return timeOfBlocks(blocking, packing) }
    let wide = 32, tall = CGemmSource.rowsMax
    let depth = Double(depthCount)
    let isRows = blocking.sharesRows
    let (shared, own) = isRows ? (rowCount, columnCount) : (columnCount, rowCount)
    let (sharedBlock, ownBlock) =
      isRows ? (blocking.rows, blocking.columns) : (blocking.columns, blocking.rows)
    let panel = isRows ? wide : tall
    let (sharedBlocks, ownBlocks) = (quotient(shared, sharedBlock), quotient(own, ownBlock))
    let threads = Double(blocking.tasks == .panels ? blocking.threads : 1)
    // Lanes of its own side that the slowest thread goes over, in one block.
    let tasks = quotient(min(own, ownBlock), panel) * blocking.chunks
    let slowest = Double(quotient(tasks, Int(threads)) * panel) / Double(blocking.chunks)
    let lanes = min(Double(own), slowest * Double(ownBlocks))
    let (sharedPrice, ownPrice) = isRows ? packing : (packing.columns, packing.rows)
    let products = lanes * Double(shared) * depth * Price.product * (isRows ? Price.sharedRows : 1)
    let owned = lanes * Double(blocking.chunks * sharedBlocks) * depth * ownPrice
    let others = Price.foreign * (threads - 1)
    let together = Double(shared * ownBlocks) * depth * (sharedPrice + others) / threads
    let blocks = sharedBlocks * ownBlocks * quotient(depthCount, blocking.depth)
    let waits = threads > 1 ? Double(2 * blocks) * Price.barrier : 0
    return products + owned + (blocking.readsColumns && !isRows ? 0 : together) + waits
  }

  /// The estimated time of the thread that has most blocks.
  private func timeOfBlocks(
    _ blocking: Blocking, _ packing: (rows: Double, columns: Double)
  ) -> Double {
    let (rows, columns) = (min(rowCount, blocking.rows), min(columnCount, blocking.columns))
    let blocks = quotient(rowCount, rows) * quotient(columnCount, columns)
    let depth = Double(quotient(blocks, blocking.threads) * depthCount)
    let products = Double(rows * columns) * depth * Price.product
    let packed =
      Double(rows) * depth * packing.rows
      + (blocking.readsColumns ? 0 : Double(columns) * depth * packing.columns)
    return products + packed + Price.barrier
  }

  /// The estimated time of the thread that has most slices, or rows of slices.
  private func slicedTime(
    _ blocking: Blocking, _ packing: (rows: Double, columns: Double)
  ) -> Double {
    let panels = quotient(rowCount, CGemmSource.rowsMax)
    let tasks = quotient(blocking.slices * blocking.chunks, blocking.threads)
    let depth = Double(tasks * blocking.sliceDepth)
    let rows = Double(rowCount * quotient(panels, blocking.chunks)) / Double(panels)
    let products = rows * Double(columnCount) * depth * Price.product
    let columnBlocks = Double(quotient(columnCount, blocking.columns))
    let packed =
      rows * columnBlocks * depth * packing.rows
      + (blocking.readsColumns ? 0 : Double(columnCount) * depth * packing.columns)
    let joined = Double(blocking.slices * blocking.sumElements) * Price.foreign
    let waits = blocking.threads > 1 ? 2 * Price.barrier : 0
    return products + packed + joined / Double(blocking.threads) + waits
  }

  /// What finding a row in place costs for each of its depths.
  func findingCycles(_ layout: Blocking.Layout) -> Double {
    layout == .alongInPlace
      ? (Price.foundRow + Price.foundTap * Double(tapCount)) / Double(depthCount)
      : Price.foundLine / Double(tapExtent)
  }
}

extension PackedSide {
  /// What packing an element costs, as rows or as columns: those always lie across.
  func price(asRows: Bool) -> Double {
    if asRows && isAlong { return Price.copied }
    if joinsLanes && laneStep == 1 { return Price.gatheredRuns }
    return joinsDepths && depthStep == 1 ? Price.turned : Price.gathered
  }
}
