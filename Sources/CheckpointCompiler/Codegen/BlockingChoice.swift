// Which schedule a packed contraction gets.
//
// Problem     One side's panels are packed once per block for all threads; the other side's are packed
//             by the thread that uses them. Which side is which, how far blocks reach and how tasks are
//             cut decide how much is packed again, how evenly threads work and how much scratch it takes.
//             Rows may need no packing at all (`InPlaceRows.swift`): then columns are the shared side.
// Method      The depth is cut into few even blocks: each of them reads and writes the result again.
//             For either choice of the shared side, and for tasks of whole panels or pieces of them, or of
//             whole blocks, the time of the slowest thread is estimated; the least wins:
//               products        of all its tiles, at full rate;
//               its own packing each panel of its side, once for every block of the shared side;
//               shared packing  its part of it;
//               other cores     what others have packed of the shared side;
//               barriers        two for every block, none where threads have blocks of their own;
//               scratch         what exceeds a part of what the contraction reads and writes: fewer
//                               threads and smaller blocks where the tensors are small.
//             Where the depth is cut into slices (`DepthSlices.swift`), the tasks are slices, or rows of
//             a slice where there are more threads: each packs both sides for itself.
// Invariants  Fixed numbers only, none of the machine. The depth is cut by shape alone, so that the order
//             of every sum is that of the shape, not of the threads.
// Source      Goto & van de Geijn, "Anatomy of high-performance matrix multiplication", 2008; Van Zee &
//             Smith, "BLIS: a modern alternative to the BLAS", 2013 (which loops to share out).

extension Contraction.Part {
  /// The bytes of the deepest block: with 14 rows, more than a first-level cache, but what is read of it
  /// at a time is little, and every further block reads and writes the result.
  static let depthBytesMax = 2560
  /// The most bytes that are packed for all threads, and the most sums that wait: few of them, and each
  /// block of sums packs the shared side again.
  private static let sharedBytesMax = 1_310_720
  private static let sumBytesMax = 2_097_152
  /// The most bytes that a thread packs for a block of its own: most of a second-level cache.
  private static let blockBytesMax = 1_048_576
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
    let rule = target.schedule[size(dtypes)]
    let slice = piece(of: depthCount, rule?.slices ?? depthSlices(dtypes), run: rowSide.run)
    let depth = min(
      slice, rule?.depth ?? depthBlock(of: rowSide, slice, inMemory.rowLayout(dtypes), dtypes))
    let slices = quotient(depthCount, slice)
    let isBlocked = depth < depthCount && slices == 1
    var common = Blocking(
      layout: layout, depth: depth, columns: columnCount, rows: rowCount,
      accumulates: (dtypes.sum != dtypes.result || sumsWait) && isBlocked,
      threads: overGroups ? min(threads, groupCount) : threads,
      tasks: overGroups ? .groups : .panels,
      readsColumns: dtypes.of(columnOperand) == dtypes.sum && readsColumnsInPlace(dtypes),
      slices: slices, sliceDepth: slice)
    let packing = (
      layout.isInPlace
        ? findingCycles(layout) : rowSide.price(asRows: true) + (cycles(rowOperand) ?? 0),
      columnSide.price(asRows: false) + (cycles(columnOperand) ?? 0)
    )
    var best: (price: Double, blocking: Blocking)?
    let sharings = rule?.shared.map { [$0 == .rows] } ?? [false, true]
    let crews = rule?.threads.map { [overGroups ? min($0, groupCount) : $0] }
    func weigh(_ tasks: ScheduleRule.Tasks, _ threads: Int, chunks: Int) {
      for pieces in [1, 4] {
        var blocking = common
        (blocking.tasks, blocking.threads, blocking.chunks) = (tasks, threads, chunks)
        blocking = sized(blocking, dtypes, sharedPieces: pieces, rule)
        let price = price(blocking, packing, dtypes)
        if best.map({ price < $0.price }) ?? true { best = (price, blocking) }
      }
    }
    for sharesRows in ownsRows(common) ? [false] : sharings {
      common.sharesRows = sharesRows
      for threads in crews ?? halvings(common.threads) {
        if rule?.tasks != .blocks {
          let cuts = overGroups || threads == 1 ? [1] : [1, 2, 3, 4, threads]
          for chunks in rule?.chunks.map({ [$0] }) ?? cuts {
            weigh(common.tasks, threads, chunks: chunks)
          }
        }
        if threads > 1 && mayHaveBlocks(common, rule) || rule?.tasks == .blocks {
          weigh(.blocks, threads, chunks: 1)
        }
      }
    }
    return best!.blocking
  }

  /// Whether rows cannot be packed for all threads: only rows that a thread packs for itself can leave
  /// out what is outside a window.
  func ownsRows(_ blocking: Blocking) -> Bool {
    blocking.readsColumns || blocking.isSliced || blocking.layout.isInPlace
      || rowOperand == .first && leavesTensorOften
  }

  /// Whether threads may have whole blocks: where the depth is cut into several, and each would have to be
  /// packed for all.
  private func mayHaveBlocks(_ blocking: Blocking, _ rule: ScheduleRule?) -> Bool {
    blocking.tasks == .panels && !blocking.isSliced && blocking.depth < depthCount
      && (rule?.chunks ?? 1) == 1 && rule?.tasks != .panels
  }

  /// A number, its half, and so on down to 1.
  private func halvings(_ count: Int) -> [Int] {
    var counts = [count]
    while counts[counts.count - 1] > 1 { counts.append(counts[counts.count - 1] / 2) }
    return counts
  }

  /// How deep a block of a slice is: few even blocks (784 deep is 2 × 392, not 640 and a rest).
  private func depthBlock(
    of side: PackedSide, _ slice: Int, _ layout: Blocking.Layout, _ dtypes: Contraction.DTypes
  ) -> Int {
    let deepest = deepestBlock(layout, dtypes)
    let pieces = quotient(slice, deepest)
    let depth = piece(of: slice, pieces, run: side.run)
    return depth <= deepest ? depth : quotient(slice, pieces)
  }

  /// The depth that a block has at most.
  func deepestBlock(_ layout: Blocking.Layout, _ dtypes: Contraction.DTypes) -> Int {
    let bytes =
      switch layout {
      case .alongInPlace: Self.inPlaceDepthBytesMax
      case .acrossInPlace: min(Self.depthBytesMax, depthBytesOfColours)
      case .along, .across: Self.depthBytesMax
      }
    return bytes / dtypes.sum.byteCount
  }

  /// The depth of even pieces: whole runs of what is copied at once where that makes no fewer of them.
  private func piece(of depth: Int, _ pieces: Int, run: Int) -> Int {
    let even = quotient(depth, pieces)
    let whole = quotient(even, run) * run
    return run >= 8 && quotient(depth, whole) == pieces ? whole : even
  }

  /// The blocks of both sides, and the scratch that they take; the shared side is cut into more pieces
  /// than there has to be where `sharedPieces` is above 1.
  private func sized(
    _ common: Blocking, _ dtypes: Contraction.DTypes, sharedPieces: Int, _ rule: ScheduleRule?
  ) -> Blocking {
    var blocking = common
    let size = dtypes.sum.byteCount
    let wide = CGemmSource.columnBytesMax / size
    let tall = CGemmSource.rowsMax
    // Scratch is a small part of what is read and written.
    let touched = (rowCount + columnCount) * depthCount + rowCount * columnCount
    let part = max(Self.smallBytes, touched * size / 8)
    let ownsBlocks = blocking.tasks == .blocks
    let most =
      min(ownsBlocks ? Self.blockBytesMax : Self.sharedBytesMax, part) / size / sharedPieces
    let rowElements = blocking.layout == .along ? blocking.rowStride : blocking.depth
    func even(_ count: Int, most: Int, unit: Int, perThread: Bool = false) -> Int {
      let units = quotient(count, unit)
      let pieces = quotient(units, max(1, most / unit))
      guard perThread else { return quotient(units, pieces) * unit }
      // As many for each thread, and all of one size where a few more make them so.
      let crew = blocking.threads
      let rounds = quotient(pieces, crew)..<quotient(pieces, crew) + 3
      let sizes = rounds.map { quotient(units, $0 * crew) }
      let waste = zip(rounds, sizes).map { $0 * crew * $1 - units }
      return sizes[waste.firstIndex(of: waste.min()!)!] * unit
    }
    // Tiles have 14 rows or 6.
    func allRows(_ count: Int) -> Int {
      max(quotient(count, tall) * tall, quotient(count, 6) * 6)
    }
    func cut(_ other: Int) -> Int { max(1, min(Self.sumBytesMax, part) / size / other) }
    // Panels in one block of sums: as many for each thread, where there are enough.
    func unit(_ panel: Int, _ most: Int) -> Int {
      panel * (!ownsBlocks && blocking.threads * panel <= most ? blocking.threads : 1)
    }
    if blocking.sharesRows {
      blocking.rows =
        rule?.rows
        ?? min(
          rowCount, even(rowCount, most: most / rowElements, unit: tall, perThread: ownsBlocks))
      if let columns = rule?.columns {
        blocking.columns = columns
      } else if blocking.accumulates {
        let most = cut(blocking.rows)
        blocking.columns = even(columnCount, most: most, unit: unit(wide, most))
      } else {
        blocking.columns = quotient(columnCount, wide) * wide
      }
      blocking.sharedElements = allRows(blocking.rows) * rowElements
      blocking.ownElements = blocking.depth * wide
    } else {
      blocking.columns =
        rule?.columns
        ?? even(columnCount, most: most / blocking.depth, unit: wide, perThread: ownsBlocks)
      if let rows = rule?.rows {
        blocking.rows = rows
      } else if blocking.accumulates {
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
    if blocking.isSliced {
      blocking.sumElements = quotient(rowCount * columnCount, 16) * 16
      blocking.chunks = min(blocking.chunks, quotient(rowCount, tall))
      blocking.threads = min(blocking.threads, blocking.slices * blocking.chunks)
    } else if ownsBlocks {
      let blocks =
        quotient(rowCount, blocking.rows) * quotient(columnCount, blocking.columns)
      blocking.threads = min(blocking.threads, blocks)
    } else if blocking.tasks == .panels {
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
