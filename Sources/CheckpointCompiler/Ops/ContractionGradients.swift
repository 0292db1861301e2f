// Gradient rules of contractions: each gradient is a contraction again.
//
// Dtypes      A product is computed in the dtype of `dy` and converted to that of the operand.
// Source      The transpose rules of JAX (`lax/convolution.py`), extended by window reversal.

/// The gradient of one operand contracts `dy` with the other operand over its free dimensions. The
/// two can stand in either order; the one that needs no transposition is taken.
@Sendable func gradientOfDotGeneral(_ g: inout GradientContext) -> [ValueID?] {
  let dims = DotDimensions(g.attributes)
  let lhsRank = g.type(of: g[0]).rank
  let rhsRank = g.type(of: g[1]).rank
  let lhsFree = dims.lhsFree(rank: lhsRank)
  let rhsFree = dims.rhsFree(rank: rhsRank)
  let batchCount = dims.lhsBatch.count
  // Where the free dimensions of each operand stand in the result.
  let lhsPlaces = (0..<lhsFree.count).map { batchCount + $0 }
  let rhsPlaces = (0..<rhsFree.count).map { batchCount + lhsFree.count + $0 }

  func side(
    _ g: inout GradientContext, other: ValueID, otherBatch: [Int], otherFree: [Int],
    otherContract: [Int], otherPlaces: [Int], ownBatch: [Int], ownFree: [Int], ownContract: [Int]
  ) -> ValueID {
    // What is left of `other`, in its order, as dimensions of the operand sought.
    let fromOther = otherContract.indices.sorted { otherContract[$0] < otherContract[$1] }
      .map { ownContract[$0] }
    let resultBatch = Array(0..<batchCount)
    let dyFirst = ownBatch + ownFree + fromOther
    let otherFirst = ownBatch + fromOther + ownFree
    let order: [Int]
    let product: ValueID
    if dyFirst != Array(dyFirst.indices), otherFirst == Array(otherFirst.indices) {
      order = otherFirst
      product = g.product(
        .dotGeneral, other, g.dy,
        DotDimensions(
          lhsBatch: otherBatch, rhsBatch: resultBatch, lhsContract: otherFree,
          rhsContract: otherPlaces
        ).attributes)
    } else {
      order = dyFirst
      product = g.product(
        .dotGeneral, g.dy, other,
        DotDimensions(
          lhsBatch: resultBatch, rhsBatch: otherBatch, lhsContract: otherPlaces,
          rhsContract: otherFree
        ).attributes)
    }
    return g.transpose(product, order.indices.map { order.firstIndex(of: $0)! })
  }

  var gradients: [ValueID?] = [nil, nil]
  if g.needed[0] {
    let da = side(
      &g, other: g[1], otherBatch: dims.rhsBatch, otherFree: rhsFree,
      otherContract: dims.rhsContract, otherPlaces: rhsPlaces, ownBatch: dims.lhsBatch,
      ownFree: lhsFree, ownContract: dims.lhsContract)
    gradients[0] = g.convert(da, to: g.type(of: g[0]).dtype)
  }
  if g.needed[1] {
    let db = side(
      &g, other: g[0], otherBatch: dims.lhsBatch, otherFree: lhsFree,
      otherContract: dims.lhsContract, otherPlaces: lhsPlaces, ownBatch: dims.rhsBatch,
      ownFree: rhsFree, ownContract: dims.rhsContract)
    gradients[1] = g.convert(db, to: g.type(of: g[1]).dtype)
  }
  return gradients
}

@Sendable func gradientOfConvolution(_ g: inout GradientContext) -> [ValueID?] {
  if g.type(of: g.y).elementCount == 0 { return [nil, nil] }
  let dx = g.needed[0] ? gradientOfInput(&g) : nil
  let dw = g.needed[1] ? gradientOfKernel(&g) : nil
  return [
    dx.map { g.convert($0, to: g.type(of: g[0]).dtype) },
    dw.map { g.convert($0, to: g.type(of: g[1]).dtype) },
  ]
}

/// The extents of one spatial dimension with the gaps of dilation counted.
private struct DilatedExtents {
  var input: Int
  var kernel: Int
  var output: Int
}

private func dilatedExtents(
  _ g: GradientContext, _ dims: ConvolutionDimensions, _ window: ConvolutionWindow
) -> [DilatedExtents] {
  func dilated(_ extent: Int, _ dilation: Int) -> Int {
    extent == 0 ? 0 : (extent - 1) * dilation + 1
  }
  let (x, w, y) = (g.type(of: g[0]).shape, g.type(of: g[1]).shape, g.type(of: g.y).shape)
  return dims.inputSpatial.indices.map { axis in
    DilatedExtents(
      input: dilated(x[dims.inputSpatial[axis]], window.lhsDilation[axis]),
      kernel: dilated(w[dims.kernelSpatial[axis]], window.rhsDilation[axis]),
      output: dilated(y[dims.outputSpatial[axis]], window.strides[axis]))
  }
}

/// `dx`: the convolution of `dy`, spread by the strides, with the flipped kernel whose features have
/// changed places.
private func gradientOfInput(_ g: inout GradientContext) -> ValueID? {
  let dims = ConvolutionDimensions(g.attributes)
  let forward = ConvolutionWindow(g.attributes, spatialRank: dims.rank - 2)
  let extents = dilatedExtents(g, dims, forward)
  let groups = max(forward.featureGroups, forward.batchGroups)
  let kernel = moveGroups(&g, g[1], groups, from: dims.kernelOutput, to: dims.kernelInput)

  var window = forward
  window.strides = forward.lhsDilation
  window.lhsDilation = forward.strides
  window.reversal = forward.reversal.map { 1 - $0 }
  window.featureGroups = groups
  window.batchGroups = 1
  for (axis, extent) in extents.enumerated() {
    window.low[axis] = extent.kernel - forward.low[axis] - 1
    window.high[axis] = extent.input + extent.kernel - 1 - extent.output - window.low[axis]
  }
  var backward = dims
  swap(&backward.inputBatch, &backward.outputBatch)
  swap(&backward.inputFeature, &backward.outputFeature)
  swap(&backward.inputSpatial, &backward.outputSpatial)
  swap(&backward.kernelInput, &backward.kernelOutput)
  guard let dx = g.convolution(g.dy, kernel, window.attributes(backward)) else { return nil }
  guard forward.batchGroups > 1 else { return dx }
  return moveGroups(&g, dx, groups, from: dims.inputFeature, to: dims.inputBatch)
}

/// `dw`: the convolution of the input with `dy` as the kernel, batch and features having changed
/// places; groups of features become groups of the batch and the other way round.
private func gradientOfKernel(_ g: inout GradientContext) -> ValueID? {
  let dims = ConvolutionDimensions(g.attributes)
  let forward = ConvolutionWindow(g.attributes, spatialRank: dims.rank - 2)
  let extents = dilatedExtents(g, dims, forward)

  var window = forward
  window.strides = forward.rhsDilation
  window.rhsDilation = forward.strides
  window.reversal = forward.reversal.map { _ in 0 }
  window.featureGroups = forward.batchGroups
  window.batchGroups = forward.featureGroups
  for (axis, extent) in extents.enumerated() {
    window.high[axis] = extent.output - extent.input + extent.kernel - forward.low[axis] - 1
  }
  var backward = dims
  (backward.inputBatch, backward.inputFeature) = (dims.inputFeature, dims.inputBatch)
  (backward.kernelInput, backward.kernelOutput) = (dims.outputBatch, dims.outputFeature)
  backward.kernelSpatial = dims.outputSpatial
  (backward.outputBatch, backward.outputFeature) = (dims.kernelInput, dims.kernelOutput)
  backward.outputSpatial = dims.kernelSpatial
  guard let dw = g.convolution(g[0], g.dy, window.attributes(backward)) else { return nil }
  let reversed = dims.kernelSpatial.indices.filter { forward.reversal[$0] == 1 }
    .map { dims.kernelSpatial[$0] }
  return reversed.isEmpty ? dw : g.emit(.reverse, [dw], [.dims: .ints(reversed)])
}

/// Splits the dimension `from` into `groups` and a rest, and merges the groups into the dimension
/// `to`, where they become the slower part.
private func moveGroups(
  _ g: inout GradientContext, _ value: ValueID, _ groups: Int, from: Int, to: Int
) -> ValueID {
  if groups == 1 { return value }
  var shape = g.type(of: value).shape
  let axes = Array(shape.indices)
  var split = shape
  split[from] /= groups
  split.insert(groups, at: from)
  // After the split, the groups are dimension `from`; dimensions from there on have moved by one.
  let permutation = axes.flatMap { axis in
    let moved = axis < from ? axis : axis + 1
    return axis == to ? [from, moved] : [moved]
  }
  shape[from] /= groups
  shape[to] *= groups
  let parts = g.reshape(value, to: split)
  let ordered = g.transpose(parts, permutation)
  return g.reshape(ordered, to: shape)
}

extension GradientContext {
  /// A convolution in the dtype of the gradient; nil, and a refusal, where its window is too long.
  fileprivate mutating func convolution(
    _ a: ValueID, _ b: ValueID, _ attributes: Attributes
  ) -> ValueID? {
    let dtype = type(of: dy).dtype
    let operands = [type(of: a).with(dtype), type(of: b).with(dtype)]
    guard allows(.convolution, operands, attributes) else { return nil }
    return product(.convolution, a, b, attributes)
  }

  /// A contraction in the dtype of the gradient; the other operand may have a narrower one.
  fileprivate mutating func product(
    _ opcode: Opcode, _ a: ValueID, _ b: ValueID, _ attributes: Attributes
  ) -> ValueID {
    let (left, right) = (type(of: a), type(of: b))
    if left.dtype == right.dtype { return emit(opcode, [a, b], attributes) }
    let dtype = type(of: dy).dtype
    let signature = OpSignature(
      opcode: opcode, operandTypes: [left.with(dtype), right.with(dtype)], attributes: attributes)
    guard let type = try? opcode.definition.typeRule(signature) else {
      preconditionFailure("the gradient of '\(opcode.name)' of \(left) and \(right)")
    }
    return emit(opcode, [a, b], attributes, type: type)
  }

  /// A value in another dtype, if it has another.
  fileprivate mutating func convert(_ a: ValueID, to dtype: DType) -> ValueID {
    let type = type(of: a)
    return type.dtype == dtype ? a : emit(.convert, [a], type: type.with(dtype))
  }
}
