// The schedule of a packed contraction: blocks, who packs what, and how threads share the work.
//
// Problem     One side's panels are packed once per block for all threads; the other side's are packed
//             by the thread that uses them. Which side is which, how far blocks reach and how tasks are
//             cut decide how much is packed again, how evenly threads work and how much scratch it takes.
//             Rows may need no packing at all (`InPlaceRows.swift`): then columns are the shared side.
// Method      The depth is cut into few even blocks: each of them reads and writes the result again.
//             For either choice of the shared side, and for tasks of whole panels or pieces of them, the
//             time of the slowest thread is estimated; the least wins:
//               products        of all its tiles, at full rate;
//               its own packing each panel of its side, once for every block of the shared side;
//               shared packing  its part of it;
//               barriers        two for every block;
//               scratch         what exceeds a part of what the contraction reads and writes: fewer
//                               threads and smaller blocks where the tensors are small.
// Invariants  Fixed numbers only, none of the machine. The depth is cut by shape alone, so that the order
//             of every sum is that of the shape, not of the threads.
// Source      Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008; Van Zee &
//             Smith, "BLIS: a modern alternative to the BLAS", 2013 (which loops to share out).

/// The blocks of a packed part, in elements.
struct Blocking: Sendable, Hashable {
  /// How the row panel is stored.
  enum Layout: Sendable, Hashable {
    /// Along the depth, as memory is read.
    case along
    /// Across the rows.
    case across
    /// Not at all: rows are read where they are, each along the depth, or neighbours across.
    case alongInPlace, acrossInPlace

    /// Whether rows are not packed.
    var isInPlace: Bool { self == .alongInPlace || self == .acrossInPlace }
  }

  var layout: Layout
  /// Whether rows are packed once for all threads, and columns by the thread that uses them.
  var sharesRows = false
  /// The depth of a block.
  var depth: Int
  /// The columns and rows of a block.
  var columns: Int
  var rows: Int
  /// Whether sums over several blocks of the depth are in scratch: the result is narrower, or cannot
  /// hold them before the epilogue has read it.
  var accumulates: Bool
  /// How many threads take part.
  var threads: Int
  /// Whether every thread has groups of its own rather than panels.
  var threadsOverGroups: Bool
  /// Whether whole tiles of columns are read where they are, and only an edge is packed.
  var readsColumns: Bool
  /// Into how many tasks the tiles of one panel are cut.
  var chunks = 1

  /// Elements of the panels that are packed for all, of those of a thread, of a block of sums.
  var sharedElements = 0
  var ownElements = 0
  var sumElements = 0

  /// The distance of rows of a panel, and of depths: 16 more than a block is deep, so that rows do not
  /// meet in the same sets of a cache.
  var rowStride: Int { layout == .along ? (depth + 15) / 16 * 16 + 16 : 1 }

  /// Threads share panels and sums and have panels of their own; or each has all of its own.
  var scratchElements: Int {
    threadsOverGroups
      ? threads * (sharedElements + ownElements + sumElements)
      : sharedElements + sumElements + threads * ownElements
  }

  /// One line for a reader of the C.
  var description: String {
    let shared = threadsOverGroups ? "nothing" : sharesRows ? "rows" : "columns"
    let whole = threadsOverGroups ? "groups" : sharesRows ? "columns" : "rows"
    var text = "blocks of \(rows) rows, \(columns) columns, depth \(depth);"
    switch layout {
    case .along: text += " rows packed along the depth"
    case .across: text += " rows packed across"
    case .alongInPlace: text += " rows read in place along the depth"
    case .acrossInPlace: text += " rows read in place across"
    }
    text += readsColumns ? ", columns read in place" : ""
    text += "; \(threads) threads share \(shared), have \(whole) of their own"
    if chunks > 1 { text += ", \(chunks) tasks a panel" }
    return text + (accumulates ? "; sums wait in scratch" : "")
  }
}

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
  /// The bytes of the deepest block: with 14 rows, more than a first-level cache, but what is read of it
  /// at a time is little, and every further block reads and writes the result.
  static let depthBytesMax = 2560
  /// The most bytes that are packed for all threads, and the most sums that wait: few of them, and each
  /// block of sums packs the shared side again.
  private static let sharedBytesMax = 1_310_720
  private static let sumBytesMax = 2_097_152
  /// What either may always take.
  private static let smallBytes = 262_144

  /// The schedule of a part that is packed.
  func blocking(_ dtypes: Contraction.DTypes, _ target: Target) -> Blocking {
    let rowSide = PackedSide(self, rowOperand)
    let columnSide = PackedSide(self, columnOperand)
    let threads = threads(target)
    let products = Double(rowCount) * Double(columnCount) * Double(depthCount)
    let overGroups = groupCount > 1 && (products < 2_097_152 || groupCount >= 4 * threads)
    let layout = rowLayout(dtypes)
    // The depth is cut as it is where the factors are in memory: sums have the same order.
    var inMemory = self
    (inMemory.firstCycles, inMemory.secondCycles) = (nil, nil)
    let depth = depthBlock(of: rowSide, inMemory.rowLayout(dtypes), dtypes)
    let isBlocked = depth < depthCount
    var common = Blocking(
      layout: layout, depth: depth, columns: columnCount, rows: rowCount,
      accumulates: (dtypes.sum != dtypes.result || sumsWait) && isBlocked,
      threads: overGroups ? min(threads, groupCount) : threads, threadsOverGroups: overGroups,
      readsColumns: dtypes.of(columnOperand) == dtypes.sum && readsColumnsInPlace(dtypes))
    let packing = (
      layout.isInPlace
        ? findingCycles(layout) : rowSide.price(asRows: true) + (cycles(rowOperand) ?? 0),
      columnSide.price(asRows: false) + (cycles(columnOperand) ?? 0)
    )
    var best: (price: Double, blocking: Blocking)?
    let free = Double(touchedBytes(dtypes)) * Price.scratchShare
    // Only rows that a thread packs for itself can leave out what is outside a window.
    let ownsRows =
      common.readsColumns || layout.isInPlace || rowOperand == .first && leavesTensorOften
    for sharesRows in ownsRows ? [false] : [false, true] {
      common.sharesRows = sharesRows
      for threads in halvings(common.threads) {
        for chunks in overGroups || threads == 1 ? [1] : [1, 2, 3, 4, threads] {
          for pieces in [1, 4] {
            var blocking = common
            (blocking.threads, blocking.chunks) = (threads, chunks)
            blocking = sized(blocking, dtypes, sharedPieces: pieces)
            let scratch = Double(blocking.scratchElements * dtypes.sum.byteCount)
            let price = time(blocking, packing) + max(0, scratch - free) * Price.scratchByte
            if best.map({ price < $0.price }) ?? true { best = (price, blocking) }
          }
        }
      }
    }
    return best!.blocking
  }

  /// A number, its half, and so on down to 1.
  private func halvings(_ count: Int) -> [Int] {
    var counts = [count]
    while counts[counts.count - 1] > 1 { counts.append(counts[counts.count - 1] / 2) }
    return counts
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

  /// How deep a block is: few even blocks (784 deep is 2 × 392, not 640 and a rest), whole runs of what
  /// is copied at once where that makes no more of them.
  private func depthBlock(
    of side: PackedSide, _ layout: Blocking.Layout, _ dtypes: Contraction.DTypes
  ) -> Int {
    let bytes = layout == .alongInPlace ? Self.inPlaceDepthBytesMax : Self.depthBytesMax
    let deepest = bytes / dtypes.sum.byteCount
    let pieces = quotient(depthCount, deepest)
    let even = quotient(depthCount, pieces)
    let whole = quotient(even, side.run) * side.run
    return side.run >= 8 && whole <= deepest && quotient(depthCount, whole) == pieces ? whole : even
  }

  /// The blocks of both sides, and the scratch that they take; the shared side is cut into more pieces
  /// than there has to be where `sharedPieces` is above 1.
  private func sized(
    _ common: Blocking, _ dtypes: Contraction.DTypes, sharedPieces: Int
  ) -> Blocking {
    var blocking = common
    let size = dtypes.sum.byteCount
    let wide = CGemmSource.columnBytesMax / size
    let tall = CGemmSource.rowsMax
    // Scratch is a small part of what is read and written.
    let touched = (rowCount + columnCount) * depthCount + rowCount * columnCount
    let part = max(Self.smallBytes, touched * size / 8)
    let most = min(Self.sharedBytesMax, part) / size / sharedPieces
    let rowElements = blocking.layout == .along ? blocking.rowStride : blocking.depth
    func even(_ count: Int, most: Int, unit: Int) -> Int {
      let units = quotient(count, unit)
      return quotient(units, quotient(units, max(1, most / unit))) * unit
    }
    // Tiles have 14 rows or 6.
    func allRows(_ count: Int) -> Int {
      max(quotient(count, tall) * tall, quotient(count, 6) * 6)
    }
    func cut(_ other: Int) -> Int { max(1, min(Self.sumBytesMax, part) / size / other) }
    // Panels in one block of sums: as many for each thread, where there are enough.
    func unit(_ panel: Int, _ most: Int) -> Int {
      panel * (blocking.threads * panel <= most ? blocking.threads : 1)
    }
    if blocking.sharesRows {
      blocking.rows = min(rowCount, even(rowCount, most: most / rowElements, unit: tall))
      if blocking.accumulates {
        let most = cut(blocking.rows)
        blocking.columns = even(columnCount, most: most, unit: unit(wide, most))
      } else {
        blocking.columns = quotient(columnCount, wide) * wide
      }
      blocking.sharedElements = allRows(blocking.rows) * rowElements
      blocking.ownElements = blocking.depth * wide
    } else {
      blocking.columns = even(columnCount, most: most / blocking.depth, unit: wide)
      if blocking.accumulates {
        let most = cut(blocking.columns)
        let unit = blocking.layout == .acrossInPlace ? neighbouringRows : unit(tall, most)
        blocking.rows = min(rowCount, even(rowCount, most: most, unit: unit))
      }
      let hasEdge = columnCount % wide != 0
      blocking.sharedElements =
        blocking.depth * (!blocking.readsColumns ? blocking.columns : hasEdge ? wide : 0)
      blocking.ownElements =
        blocking.layout.isInPlace ? 0 : allRows(min(tall, rowCount)) * rowElements
    }
    // Lines of a cache belong to one thread.
    blocking.sharedElements = quotient(blocking.sharedElements, 16) * 16
    blocking.ownElements = quotient(blocking.ownElements, 16) * 16
    if blocking.accumulates {
      blocking.sumElements = quotient(blocking.rows * blocking.columns, 16) * 16
    }
    if !blocking.threadsOverGroups {
      let panels =
        blocking.sharesRows
        ? quotient(blocking.columns, wide) : quotient(blocking.rows, tall)
      let tiles =
        blocking.sharesRows
        ? quotient(blocking.rows, tall) : quotient(blocking.columns, wide)
      blocking.chunks = min(blocking.chunks, tiles)
      blocking.threads = min(blocking.threads, panels * blocking.chunks)
    }
    return blocking
  }

  /// The estimated time of the slowest thread.
  private func time(_ blocking: Blocking, _ packing: (rows: Double, columns: Double)) -> Double {
    let wide = 32, tall = CGemmSource.rowsMax
    let depth = Double(depthCount)
    let isRows = blocking.sharesRows
    let (shared, own) = isRows ? (rowCount, columnCount) : (columnCount, rowCount)
    let (sharedBlock, ownBlock) =
      isRows ? (blocking.rows, blocking.columns) : (blocking.columns, blocking.rows)
    let panel = isRows ? wide : tall
    let (sharedBlocks, ownBlocks) = (quotient(shared, sharedBlock), quotient(own, ownBlock))
    let threads = Double(blocking.threadsOverGroups ? 1 : blocking.threads)
    // Lanes of its own side that the slowest thread goes over, in one block.
    let tasks = quotient(min(own, ownBlock), panel) * blocking.chunks
    let slowest = Double(quotient(tasks, Int(threads)) * panel) / Double(blocking.chunks)
    let lanes = min(Double(own), slowest * Double(ownBlocks))
    let (sharedPrice, ownPrice) = isRows ? packing : (packing.columns, packing.rows)
    let products = lanes * Double(shared) * depth * Price.product * (isRows ? Price.sharedRows : 1)
    let owned = lanes * Double(blocking.chunks * sharedBlocks) * depth * ownPrice
    let together = Double(shared * ownBlocks) * depth * sharedPrice / threads
    let blocks = sharedBlocks * ownBlocks * quotient(depthCount, blocking.depth)
    let waits = threads > 1 ? Double(2 * blocks) * Price.barrier : 0
    return products + owned + (blocking.readsColumns && !isRows ? 0 : together) + waits
  }

  /// What finding a row in place costs for each of its depths.
  private func findingCycles(_ layout: Blocking.Layout) -> Double {
    layout == .alongInPlace
      ? (Price.foundRow + Price.foundTap * Double(tapCount)) / Double(depthCount)
      : Price.foundLine / Double(tapExtent)
  }

  private func quotient(_ count: Int, _ unit: Int) -> Int { (count + unit - 1) / unit }

  /// Whether tiles of columns are read where they are: they are neighbours in their operand, depths one
  /// stride apart, and packing would not pay: few rows use them, or they are near to each other.
  private func readsColumnsInPlace(_ dtypes: Contraction.DTypes) -> Bool {
    let operand = columnOperand
    guard operand == .second || axes.isEmpty, cycles(operand) == nil else { return false }
    guard columns.count == 1 && columns[0].stride(operand) == 1 else { return false }
    let depths = seen(depth, by: operand)
    guard depths.count == 1 else { return false }
    let isNear = depths[0].stride(operand) * dtypes.sum.byteCount <= 1024
    // A single tile of them is a panel already.
    if isNear, columnCount == CGemmSource.columnBytesMax / dtypes.sum.byteCount { return true }
    return rowCount <= 2 * CGemmSource.rowsMax || isNear && rowCount <= 512
  }
}

extension PackedSide {
  /// What packing an element costs, as rows or as columns: those always lie across.
  fileprivate func price(asRows: Bool) -> Double {
    if asRows && isAlong { return Price.copied }
    if joinsLanes && laneStep == 1 { return Price.gatheredRuns }
    return joinsDepths && depthStep == 1 ? Price.turned : Price.gathered
  }
}
