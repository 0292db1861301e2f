// How each part of a contraction is computed, and the scratch that it needs.
//
// Problem     A large product wants packed panels and register tiles; a depthwise convolution, an
//             outer product or a product with a vector does not, and integers wrap.
// Method      One of four forms by shape alone. Packed: panels in scratch and register tiles
//             (`Blocking`). Depthwise: channels as lanes, blocks of results or taps in registers
//             (`Depthwise`). Lanes: a loop along what is contiguous in the result, the sum outside.
//             Dots: a loop along a contiguous depth. Whole convolutions of many channels may multiply
//             less (`Winograd`).
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
    /// Along channels that are neighbours, blocks of results or of taps in registers.
    case depthwise(Depthwise)
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
    if let form = depthwise(dtypes) { return .depthwise(form) }
    if isPacked(dtypes) { return .packed(blocking(dtypes, target)) }
    guard dtypes.result.isFloatingPoint else { return .lanes }
    return isContiguousInDepth && !lanesAreContiguous ? .dots : .lanes
  }

  /// Whether it is computed in tiles.
  func isPacked(_ dtypes: Contraction.DTypes) -> Bool {
    guard dtypes.result.isFloatingPoint, depthCount >= 4 else { return false }
    let (rows, columns) = (rowCount, columnCount)
    guard Double(rows) * Double(columns) * Double(depthCount) > 4096 else { return false }
    return min(rows, columns) >= 4 || !(isContiguousInDepth || lanesAreContiguous)
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
  func threads(_ target: Target) -> Int {
    let products = Double(groupCount) * Double(rowCount) * Double(columnCount) * Double(depthCount)
    return max(1, Int(min(Double(target.threadsMax), products / 131_072)))
  }

  /// How many threads take part where there are so many tasks.
  func threads(_ target: Target, tasks: Int) -> Int { min(threads(target), tasks) }

  /// How many are worth starting where no scratch counts: for few products of many results as well.
  func threadsOfResults(_ target: Target) -> Int {
    let results = groupCount * rowCount * columnCount
    return max(threads(target), min(target.threadsMax, results / 32_768))
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
  if let winograd = contraction.winograd(target) { return winograd.scratchBytes(target) }
  let size = contraction.dtypes.sum.byteCount
  var most = 0
  for part in contraction.parts {
    switch part.form(contraction.dtypes, target) {
    case .packed(let blocking): most = max(most, blocking.scratchElements * size)
    case .depthwise(let form): most = max(most, form.scratchElements * size)
    case .lanes, .dots: break
    }
  }
  return most
}
