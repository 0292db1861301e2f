// Random ops that read or write at places that are data.

import CheckpointCompiler

extension ProgramGenerator {
  mutating func indexedAccess() {
    switch random.index(below: 3) {
    case 0: gather()
    case 1: scatter()
    default: chance(1, of: 2) ? dynamicSlice() : dynamicUpdateSlice()
    }
  }

  /// Positions `0..<rank` split into `count` of them, ascending, and the rest.
  private mutating func positions(_ count: Int, of rank: Int) -> [Int] {
    Array(shuffled(Array(0..<rank)).prefix(count)).sorted()
  }

  /// Dimensions of a shape that index vectors stand along: none, mostly.
  private mutating func operandBatchDims(_ shape: [Int]) -> [Int] {
    chance(1, of: 4) ? Array(subset(Array(shape.indices)).prefix(2)) : []
  }

  /// Index vectors: their batch shape, which has the given extents in it, where those stand among the
  /// dimensions of the indices, and where the vector dimension is.
  private mutating func indices(
    length: Int, along extents: [Int]
  ) -> (value: PoolValue, batch: [Int], batchDims: [Int], vectorDim: Int) {
    var batch = (0..<number(0...2)).map { _ in number(1...4) }
    var places: [Int] = []
    for extent in extents {
      let place = number(0...batch.count)
      batch.insert(extent, at: place)
      places = places.map { $0 >= place ? $0 + 1 : $0 } + [place]
    }
    var vectorDim = number(0...batch.count)
    var shape = batch
    if length == 1, chance(1, of: 2) {
      vectorDim = batch.count
    } else {
      shape.insert(length, at: vectorDim)
    }
    let type = TensorType(pick([.i32, .i32, .i64, .ui32, .ui8]), shape)
    let isInserted = shape.count > batch.count
    let batchDims = places.map { isInserted && $0 >= vectorDim ? $0 + 1 : $0 }
    return (fetch(type), batch, batchDims, vectorDim)
  }

  private mutating func gather() {
    let x = bounded(pickAny())
    let shape = x.type.shape
    guard !shape.isEmpty else { return }
    let along = operandBatchDims(shape)
    let others = shape.indices.filter { !along.contains($0) }
    let map = Array(shuffled(others).prefix(number(min(1, others.count)...others.count)))
    let sizes = shape.indices.map {
      along.contains($0) || chance(1, of: 2) ? 1 : number(1...shape[$0])
    }
    let collapsed = subset(others.filter { sizes[$0] == 1 })
    let (indices, batch, batchDims, vectorDim) = indices(
      length: map.count, along: along.map { shape[$0] })
    let kept = others.count - collapsed.count
    guard count(batch) * count(sizes) <= ProgramGenerator.elementCountMax,
      batch.count + kept <= 6
    else { return }
    emit(
      .gather, [x, indices],
      [
        .offsetDims: .ints(positions(kept, of: kept + batch.count)),
        .collapsedSliceDims: .ints(collapsed), .startIndexMap: .ints(map),
        .indexVectorDim: .int(vectorDim), .sliceSizes: .ints(sizes),
        .operandBatchDims: .ints(along), .indicesBatchDims: .ints(batchDims),
      ], bound: x.bound)
  }

  private mutating func scatter() {
    let x = bounded(pickAny())
    let shape = x.type.shape
    guard !shape.isEmpty, x.type.dtype != .i1 else { return }
    let along = operandBatchDims(shape)
    let others = shape.indices.filter { !along.contains($0) }
    let dims = Array(shuffled(others).prefix(number(min(1, others.count)...others.count)))
    let inserted = subset(others)
    let windows = others.filter { !inserted.contains($0) }.map { number(1...shape[$0]) }
    let (indices, batch, batchDims, vectorDim) = indices(
      length: dims.count, along: along.map { shape[$0] })
    let rank = windows.count + batch.count
    let windowDims = positions(windows.count, of: rank)
    var rest = batch[...]
    var sizes = windows[...]
    let updateShape = (0..<rank).map {
      windowDims.contains($0) ? sizes.removeFirst() : rest.removeFirst()
    }
    guard rank <= 6, count(updateShape) <= ProgramGenerator.elementCountMax else { return }
    let kind = pick(["add", "add", "set", "max", "min"])
    let jumps = kind == "max" || kind == "min"
    let updates = fetch(x.type.with(shape: updateShape), exact: jumps)
    guard !jumps || x.isExact && !x.isActive && !updates.isActive else { return }
    let bound =
      kind == "add"
      ? x.bound + updates.bound * Double(count(batch)) : max(x.bound, updates.bound)
    emit(
      .scatter, [x, indices, updates],
      [
        .kind: .symbol(kind), .updateWindowDims: .ints(windowDims),
        .insertedWindowDims: .ints(inserted), .scatterDims: .ints(dims),
        .indexVectorDim: .int(vectorDim), .operandBatchDims: .ints(along),
        .indicesBatchDims: .ints(batchDims),
      ], bound: bound, isExact: kind != "add")
  }

  /// Scalar starts for a number of dimensions.
  private mutating func starts(_ count: Int) -> [PoolValue] {
    let dtype = pick([DType.i32, .i32, .i64, .ui32, .ui8])
    return (0..<count).map { _ in fetch(TensorType(dtype)) }
  }

  private mutating func dynamicSlice() {
    let x = bounded(pickAny())
    let sizes = x.type.shape.map { number(1...$0) }
    emit(
      .dynamicSlice, [x] + starts(sizes.count), [.sliceSizes: .ints(sizes)], bound: x.bound)
  }

  private mutating func dynamicUpdateSlice() {
    let x = bounded(pickAny())
    let update = fetch(x.type.with(shape: x.type.shape.map { number(1...$0) }))
    emit(
      .dynamicUpdateSlice, [x, update] + starts(x.type.rank), bound: max(x.bound, update.bound))
  }
}
