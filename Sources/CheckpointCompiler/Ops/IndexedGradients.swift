// Gradient rules of gather and scatter: each is the other's transpose.
//
// Bounds      `gather` clamps its starts, `scatter` drops windows that do not lie inside. The
//             gradient of the one therefore clamps the indices first, that of the other sets the
//             gradient of dropped windows to 0.

/// Scatters `dy` into zeros.
@Sendable func gradientOfGather(_ g: inout GradientContext) -> [ValueID?] {
  let dims = GatherDimensions(g.attributes)
  let x = g.type(of: g[0])
  let limits = dims.startIndexMap.map { x.shape[$0] - dims.sliceSizes[$0] }
  let zero = g.zero(like: g[0])
  let low = g.zero(like: g[1])
  let high = indexLimits(&g, limits, vectorDim: dims.indexVectorDim)
  let indices = g.emit(.clamp, [low, g[1], high])
  var attributes: Attributes = [
    .kind: .symbol("add"), .updateWindowDims: .ints(dims.offsetDims),
    .insertedWindowDims: .ints(dims.collapsedSliceDims), .scatterDims: .ints(dims.startIndexMap),
    .indexVectorDim: .int(dims.indexVectorDim),
  ]
  attributes.copyBatchDims(of: g.attributes)
  return [g.emit(.scatter, [zero, indices, g.dy], attributes), nil]
}

/// A tensor of the type of the indices that holds, for each entry of an index vector, its limit.
private func indexLimits(
  _ g: inout GradientContext, _ limits: [Int], vectorDim: Int
) -> ValueID {
  let indices = g.type(of: g[1])
  guard let first = limits.first, limits.contains(where: { $0 != first }) else {
    return g.constant(Double(limits.first ?? 0), type: indices)
  }
  let bytes = limits.flatMap { indices.dtype.encode(Double($0)) }
  let vector = g.emit(
    .constant, [], [.value: .constant(.dense(bytes))],
    type: TensorType(indices.dtype, [limits.count]))
  return g.broadcast(vector, to: indices.shape, dims: [vectorDim])
}

@Sendable func gradientOfScatter(_ g: inout GradientContext) -> [ValueID?] {
  let kind = g.attributes.symbol(.kind) ?? "none"
  switch kind {
  case "add":
    guard g.needed[2] else { return [g.dy, nil, nil] }
    let windows = gatherUpdates(&g, g.dy)
    let inside = insideMask(&g)
    return [g.dy, nil, g.keep(windows, where: inside)]
  case "set":
    var gradients: [ValueID?] = [nil, nil, nil]
    if g.needed[0] {
      let zero = g.zero(like: g[2])
      gradients[0] = g.emit(.scatter, [g.dy, g[1], zero], g.attributes)
    }
    if g.needed[2] {
      let isLast = lastWriterMask(&g)
      let windows = gatherUpdates(&g, g.dy)
      gradients[2] = g.keep(windows, where: isLast)
    }
    return gradients
  case "max", "min": return gradientOfExtremeScatter(&g)
  case "mul": return gradientOfProductScatter(&g)
  default: return g.refuse("'scatter' with kind = \(kind) has no gradient")
  }
}

/// Each element's gradient is multiplied as the element was. An update gets that of the element it met,
/// where there is but one window: of several, the other factors are not known.
private func gradientOfProductScatter(_ g: inout GradientContext) -> [ValueID?] {
  var gradients: [ValueID?] = [nil, nil, nil]
  if g.needed[0] { gradients[0] = g.emit(.scatter, [g.dy, g[1], g[2]], g.attributes) }
  if g.needed[2] {
    let updates = g.type(of: g[2]).shape
    let windows = ScatterDimensions(g.attributes).batchDims(rank: updates.count)
    guard windows.allSatisfy({ updates[$0] == 1 }) else {
      return g.refuse("'scatter' with kind = mul has no gradient for several windows of updates")
    }
    let slope = g.multiply(g.dy, g[0])
    let met = gatherUpdates(&g, slope)
    let inside = insideMask(&g)
    gradients[2] = g.keep(met, where: inside)
  }
  return gradients
}

/// What became the extreme at a place, the element or an update, gets the gradient; equal ones share it.
private func gradientOfExtremeScatter(_ g: inout GradientContext) -> [ValueID?] {
  let arrived = gatherUpdates(&g, g.y)
  let inside = insideMask(&g)
  let isEqual = g.compare(g[2], .eq, arrived)
  let isUpdate = g.emit(.and, [isEqual, inside])
  let isOld = g.compare(g[0], .eq, g.y)
  let (one, oneUpdate) = (g.constant(1, like: g[0]), g.constant(1, like: g[2]))
  let old = g.keep(one, where: isOld)
  let updates = g.keep(oneUpdate, where: isUpdate)
  var attributes = g.attributes
  attributes[.kind] = .symbol("add")
  let count = g.emit(.scatter, [old, g[1], updates], attributes)
  let share = g.divide(g.dy, count)
  var gradients: [ValueID?] = [nil, nil, nil]
  if g.needed[0] { gradients[0] = g.keep(share, where: isOld) }
  if g.needed[2] {
    let windows = gatherUpdates(&g, share)
    gradients[2] = g.keep(windows, where: isUpdate)
  }
  return gradients
}

/// The windows of `source`, of the type of the operand, that the updates went to.
private func gatherUpdates(_ g: inout GradientContext, _ source: ValueID) -> ValueID {
  let dims = ScatterDimensions(g.attributes)
  let x = g.type(of: g[0])
  var sizes = dims.windowSizes(rank: x.rank, updates: g.type(of: g[2]).shape)
  for dim in dims.operandBatchDims { sizes[dim] = min(1, x.shape[dim]) }
  var attributes: Attributes = [
    .offsetDims: .ints(dims.updateWindowDims),
    .collapsedSliceDims: .ints(dims.insertedWindowDims),
    .startIndexMap: .ints(dims.scatterDims), .indexVectorDim: .int(dims.indexVectorDim),
    .sliceSizes: .ints(sizes),
  ]
  attributes.copyBatchDims(of: g.attributes)
  return g.emit(.gather, [source, g[1]], attributes)
}

extension Attributes {
  /// Takes over the batch dimensions of a gather or scatter, where there are any.
  fileprivate mutating func copyBatchDims(of other: Attributes) {
    for name in [AttributeName.operandBatchDims, .indicesBatchDims] { self[name] = other[name] }
  }
}

/// For every element of the updates, whether its window lies inside the operand.
private func insideMask(_ g: inout GradientContext) -> ValueID {
  let dims = ScatterDimensions(g.attributes)
  let x = g.type(of: g[0]).shape
  let indices = g.type(of: g[1])
  let updates = g.type(of: g[2]).shape
  let sizes = dims.windowSizes(rank: x.count, updates: updates)
  let low = g.zero(like: g[1])
  let high = indexLimits(
    &g, dims.scatterDims.map { x[$0] - sizes[$0] }, vectorDim: dims.indexVectorDim)
  let above = g.compare(g[1], .ge, low)
  let below = g.compare(g[1], .le, high)
  var inside = g.emit(.and, [above, below])
  if dims.indexVectorDim < indices.rank {
    inside = g.emit(
      .reduce, [inside], [.kind: .symbol("and"), .dims: .ints([dims.indexVectorDim])])
  }
  return g.broadcast(inside, to: updates, dims: dims.batchDims(rank: updates.count))
}

/// For every element of the updates, whether it is what the result holds: inside, and not
/// overwritten by a later one. Numbers the elements and looks whose number arrived.
private func lastWriterMask(_ g: inout GradientContext) -> ValueID {
  let updates = g.type(of: g[2])
  let flat = g.emit(.iota, [], [.dim: .int(0)], type: TensorType(.i64, [updates.elementCount]))
  let numbers = g.reshape(flat, to: updates.shape)
  let none = g.constant(-1, type: g.type(of: g[0]).with(.i64))
  let arrived = g.emit(.scatter, [none, g[1], numbers], g.attributes)
  let last = gatherUpdates(&g, arrived)
  return g.compare(last, .eq, numbers)
}

/// `dx`: zeros with `dy` where the slice came from.
@Sendable func gradientOfDynamicSlice(_ g: inout GradientContext) -> [ValueID?] {
  let zero = g.zero(like: g[0])
  let dx = g.emit(.dynamicUpdateSlice, [zero, g.dy] + g.operands.dropFirst())
  return [dx] + g.operands.dropFirst().map { _ in nil }
}

/// The operand keeps `dy` outside the window, the update gets it inside.
@Sendable func gradientOfDynamicUpdateSlice(_ g: inout GradientContext) -> [ValueID?] {
  let starts = g.operands.dropFirst(2)
  var gradients: [ValueID?] = g.operands.map { _ in nil }
  if g.needed[0] {
    let zero = g.zero(like: g[1])
    gradients[0] = g.emit(.dynamicUpdateSlice, [g.dy, zero] + starts)
  }
  if g.needed[1] {
    gradients[1] = g.emit(
      .dynamicSlice, [g.dy] + starts, [.sliceSizes: .ints(g.type(of: g[1]).shape)])
  }
  return gradients
}
