// The dimension numbers of `gather` and `scatter`.

/// The dimension numbers of `gather`.
public struct GatherDimensions: Hashable, Sendable {
  /// Dimensions of the result that run over a slice.
  public var offsetDims: [Int]
  /// Dimensions of the operand that a slice has length 1 in and that vanish.
  public var collapsedSliceDims: [Int]
  /// The dimension of the operand that each entry of an index vector is about.
  public var startIndexMap: [Int]
  /// The dimension of the indices that holds the entries of a vector; their rank for scalars.
  public var indexVectorDim: Int
  /// Extent of a slice.
  public var sliceSizes: [Int]
  /// Dimensions of the operand that a vector's place in the batch tells the start along.
  public var operandBatchDims: [Int]
  /// The dimension of the indices that belongs to each of them.
  public var indicesBatchDims: [Int]

  /// The dimensions that attributes of a `gather` name.
  public init(_ attributes: Attributes) {
    offsetDims = attributes.ints(.offsetDims) ?? []
    collapsedSliceDims = attributes.ints(.collapsedSliceDims) ?? []
    startIndexMap = attributes.ints(.startIndexMap) ?? []
    indexVectorDim = attributes.int(.indexVectorDim) ?? 0
    sliceSizes = attributes.ints(.sliceSizes) ?? []
    operandBatchDims = attributes.ints(.operandBatchDims) ?? []
    indicesBatchDims = attributes.ints(.indicesBatchDims) ?? []
  }

  /// The dimensions of an operand that a slice runs over in the result.
  func sliceDims(rank: Int) -> [Int] {
    (0..<rank).filter { !collapsedSliceDims.contains($0) && !operandBatchDims.contains($0) }
  }

  /// The dimensions of a result that run over the batch of the index vectors.
  func batchDims(rank: Int) -> [Int] { (0..<rank).filter { !offsetDims.contains($0) } }

  /// Each batch dimension of the operand, with its place in the batch of the index vectors.
  var batches: [IndexBatch] {
    IndexBatch.list(operandBatchDims, indicesBatchDims, indexVectorDim: indexVectorDim)
  }
}

/// A dimension of an operand along which a window starts where its vector stands in the batch.
struct IndexBatch: Hashable, Sendable {
  /// The dimension of the operand.
  var dim: Int
  /// The place of the dimension among those of the batch: the indices' without that of the vectors.
  var position: Int

  fileprivate static func list(
    _ operandDims: [Int], _ indicesDims: [Int], indexVectorDim: Int
  ) -> [IndexBatch] {
    zip(operandDims, indicesDims).map { dim, indicesDim in
      IndexBatch(dim: dim, position: indicesDim < indexVectorDim ? indicesDim : indicesDim - 1)
    }
  }
}

/// The dimension numbers of `scatter`.
public struct ScatterDimensions: Hashable, Sendable {
  /// Dimensions of the updates that run over a window.
  public var updateWindowDims: [Int]
  /// Dimensions of the operand that a window has length 1 in.
  public var insertedWindowDims: [Int]
  /// The dimension of the operand that each entry of an index vector is about.
  public var scatterDims: [Int]
  /// The dimension of the indices that holds the entries of a vector; their rank for scalars.
  public var indexVectorDim: Int
  /// Dimensions of the operand that a vector's place in the batch tells the start along.
  public var operandBatchDims: [Int]
  /// The dimension of the indices that belongs to each of them.
  public var indicesBatchDims: [Int]

  /// The dimensions that attributes of a `scatter` name.
  public init(_ attributes: Attributes) {
    updateWindowDims = attributes.ints(.updateWindowDims) ?? []
    insertedWindowDims = attributes.ints(.insertedWindowDims) ?? []
    scatterDims = attributes.ints(.scatterDims) ?? []
    indexVectorDim = attributes.int(.indexVectorDim) ?? 0
    operandBatchDims = attributes.ints(.operandBatchDims) ?? []
    indicesBatchDims = attributes.ints(.indicesBatchDims) ?? []
  }

  /// The dimensions of an operand that a window runs over.
  func windowDims(rank: Int) -> [Int] {
    (0..<rank).filter { !insertedWindowDims.contains($0) && !operandBatchDims.contains($0) }
  }

  /// The extents of a window in an operand of the given rank, for updates of the given shape.
  func windowSizes(rank: Int, updates: [Int]) -> [Int] {
    var sizes = Array(repeating: 1, count: rank)
    for (dim, updateDim) in zip(windowDims(rank: rank), updateWindowDims) {
      sizes[dim] = updates[updateDim]
    }
    return sizes
  }

  /// The dimensions of updates that run over the batch of the index vectors.
  func batchDims(rank: Int) -> [Int] { (0..<rank).filter { !updateWindowDims.contains($0) } }

  /// Each batch dimension of the operand, with its place in the batch of the index vectors.
  var batches: [IndexBatch] {
    IndexBatch.list(operandBatchDims, indicesBatchDims, indexVectorDim: indexVectorDim)
  }
}
