// What gather and scatter compute.

extension Tensor {
  /// The elements as places; those of an unsigned dtype that 64 bits with a sign do not hold are
  /// beyond every extent.
  fileprivate var indices: [Int64] {
    integers.map { type.dtype.isUnsigned && $0 < 0 ? Int64.max : $0 }
  }
}

/// The index vectors of a gather or scatter.
private struct IndexVectors {
  /// Every index, as it lies in the indices.
  var indices: [Int64]
  /// Where each vector starts, row-major over the batch.
  var starts: [Int]
  /// How far the entries of a vector lie apart.
  var step: Int
  /// The extents of the batch.
  var batchShape: [Int]

  init(_ tensor: Tensor, vectorDim: Int) {
    indices = tensor.indices
    var (shape, strides) = (tensor.type.shape, tensor.type.strides)
    step = 0
    if vectorDim < shape.count {
      shape.remove(at: vectorDim)
      step = strides.remove(at: vectorDim)
    }
    batchShape = shape
    starts = places(shape: shape, steps: strides)
  }

  /// The start of a window along every dimension of the operand.
  func start(of vector: Int, dims: [Int], batches: [IndexBatch], rank: Int) -> [Int64] {
    var start = Array(repeating: Int64(0), count: rank)
    for (entry, dim) in dims.enumerated() { start[dim] = indices[starts[vector] + entry * step] }
    for batch in batches {
      let inner = count(Array(batchShape[(batch.position + 1)...]))
      start[batch.dim] = Int64(vector / inner % batchShape[batch.position])
    }
    return start
  }
}

func gather(
  _ x: Tensor, _ indices: Tensor, _ attributes: Attributes, to type: TensorType
) -> Tensor {
  let dims = GatherDimensions(attributes)
  let vectors = IndexVectors(indices, vectorDim: dims.indexVectorDim)
  let (shape, strides) = (x.type.shape, x.type.strides)
  let slice = places(shape: dims.sliceSizes, steps: strides)
  // A slice has one element along the dimensions that vanish, so that leaving them out keeps its
  // order.
  let outStrides = type.strides
  let batchDims = dims.batchDims(rank: type.rank)
  let batchPlaces = places(
    shape: vectors.batchShape, steps: batchDims.map { outStrides[$0] })
  let slicePlaces = places(
    shape: dims.offsetDims.map { type.shape[$0] }, steps: dims.offsetDims.map { outStrides[$0] })
  var from: [Int] = []
  var to: [Int] = []
  for vector in vectors.starts.indices {
    let start = vectors.start(
      of: vector, dims: dims.startIndexMap, batches: dims.batches, rank: shape.count)
    var place = 0
    for axis in shape.indices {
      let last = Int64(shape[axis] - dims.sliceSizes[axis])
      place += Int(min(max(start[axis], 0), last)) * strides[axis]
    }
    from += slice.map { place + $0 }
    to += slicePlaces.map { batchPlaces[vector] + $0 }
  }
  var result = Tensor(zeros: type)
  copy(from: x, from, to: &result, to)
  return result
}

func scatter(
  _ x: Tensor, _ indices: Tensor, _ updates: Tensor, _ attributes: Attributes
) -> Tensor {
  combine(
    updates, into: x, at: scatterTargets(x.type, indices, updates.type, attributes),
    kind: attributes.symbol(.kind)!)
}

/// For every element of the updates, the place that it goes to; -1 where its window does not lie
/// inside.
func scatterTargets(
  _ x: TensorType, _ indices: Tensor, _ updates: TensorType, _ attributes: Attributes
) -> [Int] {
  let dims = ScatterDimensions(attributes)
  let vectors = IndexVectors(indices, vectorDim: dims.indexVectorDim)
  let (shape, strides) = (x.shape, x.strides)
  let (updateShape, updateStrides) = (updates.shape, updates.strides)
  let windowDims = dims.windowDims(rank: shape.count)
  let windowSizes = dims.windowSizes(rank: shape.count, updates: updateShape)
  let batchDims = dims.batchDims(rank: updateShape.count)
  let batchPlaces = places(
    shape: batchDims.map { updateShape[$0] }, steps: batchDims.map { updateStrides[$0] })
  let windowPlaces = places(
    shape: dims.updateWindowDims.map { updateShape[$0] },
    steps: dims.updateWindowDims.map { updateStrides[$0] })
  let targetPlaces = places(
    shape: windowDims.map { windowSizes[$0] }, steps: windowDims.map { strides[$0] })
  var targets = Array(repeating: -1, count: updates.elementCount)
  for vector in vectors.starts.indices {
    let start = vectors.start(
      of: vector, dims: dims.scatterDims, batches: dims.batches, rank: shape.count)
    let isInside = shape.indices.allSatisfy {
      start[$0] >= 0 && start[$0] <= Int64(shape[$0] - windowSizes[$0])
    }
    guard isInside else { continue }
    let place = shape.indices.reduce(0) { $0 + Int(start[$1]) * strides[$1] }
    for (window, target) in zip(windowPlaces, targetPlaces) {
      targets[batchPlaces[vector] + window] = place + target
    }
  }
  return targets
}

/// Combines every update into its target, in order, each combination rounded to the dtype.
private func combine(
  _ updates: Tensor, into x: Tensor, at targets: [Int], kind: String
) -> Tensor {
  var result = x
  let kept = targets.indices.filter { targets[$0] >= 0 }
  if kind == "set" {
    copy(from: updates, kept, to: &result, kept.map { targets[$0] })
    return result
  }
  let combiner = Combiner(kind: kind, dtype: x.type.dtype)
  guard x.type.dtype.isFloatingPoint else {
    var numbers = x.integers
    let others = updates.integers
    for index in kept {
      numbers[targets[index]] = combiner.integers(numbers[targets[index]], others[index])
    }
    return Tensor(x.type, integers: numbers)
  }
  var numbers = x.floats
  let others = updates.floats
  for index in kept {
    let sum = combiner.numbers(numbers[targets[index]], others[index])
    numbers[targets[index]] = rounded(sum, to: x.type.dtype)
  }
  return Tensor(x.type, floats: numbers)
}

/// Where a slice of the given shape lies in a tensor: its places, row-major, for scalar starts that are
/// clamped so that it lies inside.
private func slicePlaces(_ x: TensorType, _ shape: [Int], _ starts: ArraySlice<Tensor>) -> [Int] {
  let strides = x.strides
  var first = 0
  for (axis, start) in starts.enumerated() {
    first += Int(min(max(start.indices[0], 0), Int64(x.shape[axis] - shape[axis]))) * strides[axis]
  }
  return places(shape: shape, steps: strides, start: first)
}

func dynamicSlice(_ x: Tensor, _ starts: ArraySlice<Tensor>, to type: TensorType) -> Tensor {
  elements(of: x, at: slicePlaces(x.type, type.shape, starts), as: type)
}

func dynamicUpdateSlice(_ x: Tensor, _ update: Tensor, _ starts: ArraySlice<Tensor>) -> Tensor {
  var result = x
  copy(from: update, nil, to: &result, slicePlaces(x.type, update.type.shape, starts))
  return result
}
