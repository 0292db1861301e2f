// How each part of a contraction is computed, and the scratch that it needs.
//
// Problem     A large product wants packed panels and register tiles; a depthwise convolution, an
//             outer product or a product with a vector does not, and integers wrap.
// Method      One of three forms by shape alone. Packed: panels of columns in scratch, shared by the
//             threads, and a small panel of rows per thread; many small groups each go to one thread
//             with panels of its own. Lanes: a loop along what is contiguous in the result, the sum
//             outside. Dots: a loop along a contiguous depth.
// Invariants  Fixed numbers only, none of the machine; the depth is cut by shape alone, so that the
//             order of every sum is that of the shape.

extension Contraction.Part {
  /// How a part is computed.
  enum Form: Sendable, Hashable {
    /// Along one loop of the result, products are added lane by lane.
    case lanes
    /// Along the innermost depth, sixteen interleaved sums.
    case dots
    /// Panels and tiles.
    case packed(Blocking)
  }

  /// The blocks of a packed part, in elements.
  struct Blocking: Sendable, Hashable {
    var layout: CGemmSource.Layout
    /// Depth and columns of a panel of columns.
    var depth: Int
    var columns: Int
    /// Rows that share a block of f32 sums; all rows where the result holds the sums.
    var rows: Int
    /// Whether sums over several blocks of the depth are in scratch, because the result is narrower.
    var accumulates: Bool
    /// How many threads take part.
    var threads: Int
    /// Whether every thread has groups of its own rather than rows.
    var threadsOverGroups: Bool
    /// Whether whole tiles of columns are read where they are, and only an edge is packed.
    var readsColumns: Bool
    /// Whether all panels of rows are packed at once, for all threads.
    var sharesRows: Bool
    /// Into how many pieces the columns of a block are cut, to be shared out.
    var chunks: Int

    /// Elements of the panel of columns, of a panel of rows or all of them, of a block of sums.
    var columnElements: Int
    var rowElements: Int
    var sumElements: Int
    /// Threads share columns and sums, and rows if `sharesRows`; or each has its own of all three.
    var scratchElements: Int {
      threadsOverGroups
        ? threads * (columnElements + rowElements + sumElements)
        : columnElements + sumElements + (sharesRows ? 1 : threads) * rowElements
    }
  }

  /// The loop of the result along which lanes lie: the contiguous one, or the longest.
  var laneLoop: (kind: WritableKeyPath<Contraction.Part, [Contraction.Loop]>, index: Int)? {
    let kinds: [WritableKeyPath<Contraction.Part, [Contraction.Loop]>] = [
      \.columns, \.rows, \.groups,
    ]
    var best: (kind: WritableKeyPath<Contraction.Part, [Contraction.Loop]>, index: Int)?
    var bestExtent = 0
    for kind in kinds {
      for (index, loop) in self[keyPath: kind].enumerated() {
        if loop.out == 1 { return (kind, index) }
        if loop.extent > bestExtent { (best, bestExtent) = ((kind, index), loop.extent) }
      }
    }
    return best
  }

  /// The form of this part of a contraction.
  func form(_ dtypes: Contraction.DTypes, _ target: Target) -> Form {
    guard dtypes.result.isFloatingPoint, depthCount > 0 else { return .lanes }
    let (rows, columns, depth) = (rowCount, columnCount, depthCount)
    let narrow = min(rows, columns)
    let area = Double(rows) * Double(columns)
    if narrow >= 4, depth >= 4, area * Double(depth) > 4096 {
      return .packed(blocking(dtypes, target))
    }
    if isContiguousInDepth, !lanesAreContiguous { return .dots }
    if lanesAreContiguous || depth < 4 || area * Double(depth) <= 4096 { return .lanes }
    return .packed(blocking(dtypes, target))
  }

  /// Whether both operands are contiguous along the innermost depth, and it is long.
  private var isContiguousInDepth: Bool {
    guard let inner = depth.last, inner.extent >= 16, inner.second == 1 else { return false }
    let moved = axes.indices.filter { inner.steps[$0] != 0 }
    let stride = moved.reduce(inner.first) { $0 + inner.steps[$1] * axes[$1].stride }
    return stride == 1 && moved.allSatisfy { axes[$0].dilation == 1 }
  }

  /// Whether lanes read each operand at one place or at neighbours.
  private var lanesAreContiguous: Bool {
    guard let lane = laneLoop else { return false }
    let loop = self[keyPath: lane.kind][lane.index]
    let isContiguous = loop.extent >= 8 && loop.out == 1
    return isContiguous && (0...1).contains(loop.first) && (0...1).contains(loop.second)
  }

  /// How many threads are worth starting for the whole part: each costs its start and, where it packs,
  /// scratch.
  private func threads(_ target: Target) -> Int {
    let products = Double(groupCount) * Double(rowCount) * Double(columnCount) * Double(depthCount)
    return max(1, Int(min(Double(target.threadsMax), products / 131_072)))
  }

  /// How many threads take part where there are so many tasks.
  func threads(_ target: Target, tasks: Int) -> Int { min(threads(target), tasks) }

  private func blocking(_ dtypes: Contraction.DTypes, _ target: Target) -> Blocking {
    func rounded(_ count: Int, to unit: Int) -> Int { (count + unit - 1) / unit * unit }
    func pieces(_ count: Int, of most: Int) -> Int { (count + most - 1) / most }
    let wide = CGemmSource.columnBytesMax / dtypes.sum.byteCount
    let tall = CGemmSource.rowsMax
    // Every block of the depth reads and writes the result again: the larger it is, the fewer blocks.
    let isLarge = rowCount * columnCount > 262_144
    let deepest = (isLarge ? CGemmSource.Layout.alongDeep : .alongMedium).depthMax!
    // Even blocks: 784 deep is 5 × 157, not 4 × 160 and a rest.
    let depthPieces = pieces(depthCount, of: deepest)
    let depthBlock = pieces(depthCount, of: depthPieces)
    let inner = depth.last!
    let isAlong =
      inner.stride(rowOperand) == 1 && (inner.extent >= 8 || rowOperand == .second)
    let fitting = CGemmSource.Layout.allCases.first { $0.depthMax ?? depthBlock >= depthBlock }!
    let layout = isAlong ? fitting : .across
    let accumulates = (dtypes.sum != dtypes.result || sumsWait) && depthPieces > 1
    let columnsMax = 256
    let columnPieces = pieces(rounded(columnCount, to: wide) / wide, of: columnsMax / wide)
    let columnBlock = rounded(pieces(columnCount, of: columnPieces), to: wide)
    let rowBlock = accumulates ? min(rowCount, 12 * tall) : rowCount

    let rowPanels = pieces(rowBlock, of: tall)
    let columnTiles = columnBlock / wide
    let products = Double(rowCount) * Double(columnCount) * Double(depthCount)
    let threads = threads(target)
    let overGroups = groupCount > 1 && (products < 2_097_152 || groupCount >= 4 * threads)
    // Few panels of rows are too few tasks: columns are shared out as well.
    let chunks =
      overGroups || accumulates || rowPanels > threads || threads == 1
      ? 1 : min(columnTiles, pieces(2 * threads, of: rowPanels))
    let sharesRows = chunks > 1
    let size = dtypes.sum.byteCount
    let readsColumns =
      dtypes.of(columnOperand) == dtypes.sum && columnsAreInPlace && columnCount * size <= 4096
    let columnElements =
      !readsColumns
      ? depthBlock * columnBlock : columnCount % wide == 0 ? 0 : depthBlock * wide
    let rowStride = layout.rowStride ?? depthBlock
    // Panels are of 14 rows or of 6.
    let allRows = max(rounded(rowCount, to: tall), rounded(rowCount, to: 6))
    return Blocking(
      layout: layout, depth: depthBlock, columns: columnBlock, rows: rowBlock,
      accumulates: accumulates,
      threads: min(threads, overGroups ? groupCount : rowPanels * chunks),
      threadsOverGroups: overGroups, readsColumns: readsColumns, sharesRows: sharesRows,
      chunks: chunks, columnElements: columnElements,
      rowElements: (sharesRows ? allRows : tall) * rowStride,
      sumElements: accumulates ? rowBlock * columnBlock : 0)
  }

  /// Whether columns are neighbours in their operand, and depths one stride apart.
  private var columnsAreInPlace: Bool {
    let operand = columnOperand
    guard operand == .second || axes.isEmpty else { return false }
    return columns.count == 1 && columns[0].stride(operand) == 1
      && seen(depth, by: operand).count == 1
  }

  /// Loops as one operand sees them: strides of the others are left out, so that more can be merged.
  func seen(_ loops: [Contraction.Loop], by operand: Contraction.Operand) -> [Contraction.Loop] {
    typealias Loop = Contraction.Loop
    let seen = merged(
      loops.map { loop in
        operand == .first
          ? Loop(extent: loop.extent, first: loop.first, steps: loop.steps)
          : Loop(extent: loop.extent, second: loop.second)
      })
    return seen.isEmpty
      ? [Loop(extent: 1, steps: Array(repeating: 0, count: axes.count))] : seen
  }
}

/// Bytes of scratch that the function of `cFunction(for:name:target:)` is handed; aligned to 64.
func scratchBytes(for contraction: Contraction, target: Target) -> Int {
  let size = contraction.dtypes.sum.byteCount
  var most = 0
  for part in contraction.parts {
    guard case .packed(let blocking) = part.form(contraction.dtypes, target) else { continue }
    most = max(most, blocking.scratchElements * size)
  }
  return most
}
