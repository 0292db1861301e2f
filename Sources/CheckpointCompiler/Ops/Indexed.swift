// Reading and writing at places that are data: embedding lookups and their gradients.

/// The shape of the batch of index vectors, and the length of each.
private func indexBatch(_ indices: TensorType, _ vectorDim: Int) -> (shape: [Int], length: Int) {
  var shape = indices.shape
  guard vectorDim < shape.count else { return (shape, 1) }
  let length = shape.remove(at: vectorDim)
  return (shape, length)
}

extension OpSignature {
  /// Throws constraint `number` unless the batch dimensions fit the operand and the indices, which
  /// are the first two operands.
  fileprivate func requireBatchDims(
    _ number: Int, _ operandDims: [Int], _ indicesDims: [Int], others: [Int], indexVectorDim: Int
  ) throws(OpError) {
    let (x, indices) = (self[0], self[1])
    try require(
      number,
      areDistinctDimensions(operandDims + others, rank: x.rank) && isAscending(operandDims)
        && areDistinctDimensions(indicesDims, rank: indices.rank)
        && !indicesDims.contains(indexVectorDim) && operandDims.count == indicesDims.count
        && zip(operandDims, indicesDims).allSatisfy { x.shape[$0] == indices.shape[$1] },
      "operand_batch_dims = \(operandDims) of \(x) and indices_batch_dims = \(indicesDims) of "
        + "\(indices)")
  }
}

private func isAscending(_ dims: [Int]) -> Bool { zip(dims, dims.dropFirst()).allSatisfy(<) }

extension OpDefinition {
  static let gather = OpDefinition(
    name: "gather",
    summary: "A slice of `x` for every index vector, as StableHLO's gather; starts are clamped so "
      + "that the slice lies inside. Along `operand_batch_dims` the slice starts where its vector "
      + "stands along `indices_batch_dims`.",
    category: .indexed, operands: [OperandSpec("x", .any), OperandSpec("indices", .index)],
    attributes: [
      AttributeSpec(.offsetDims, .ints, .optional),
      AttributeSpec(.collapsedSliceDims, .ints, .optional),
      AttributeSpec(.startIndexMap, .ints), AttributeSpec(.indexVectorDim, .int, .int(0)),
      AttributeSpec(.sliceSizes, .ints), AttributeSpec(.operandBatchDims, .ints, .optional),
      AttributeSpec(.indicesBatchDims, .ints, .optional),
    ],
    constraints: [
      "`index_vector_dim` is a dimension of the indices, or their rank.",
      "`start_index_map` names a distinct dimension of `x` for every entry of an index vector.",
      "`slice_sizes` has an entry for every dimension of `x`, at most its extent.",
      "`collapsed_slice_dims` are ascending dimensions of `x` with slice size 1.",
      "`offset_dims` are ascending dimensions of the result, one for each kept dimension.",
      "`operand_batch_dims` are ascending dimensions of `x` that no other list names, with slice "
        + "size 1; `indices_batch_dims` are as many distinct dimensions of the indices, of the same "
        + "extents, without `index_vector_dim`.",
    ],
    typeRule: { op throws(OpError) in
      let dims = GatherDimensions(op.attributes)
      let (x, indices) = (op[0], op[1])
      try op.require(
        1, (0...indices.rank).contains(dims.indexVectorDim),
        "index_vector_dim = \(dims.indexVectorDim) of \(indices)")
      let (batch, length) = indexBatch(indices, dims.indexVectorDim)
      try op.require(
        2,
        dims.startIndexMap.count == length
          && areDistinctDimensions(dims.startIndexMap, rank: x.rank),
        "start_index_map = \(dims.startIndexMap) for index vectors of \(length) into \(x)")
      try op.require(
        3,
        dims.sliceSizes.count == x.rank
          && zip(dims.sliceSizes, x.shape).allSatisfy { $0 >= 0 && $0 <= $1 },
        "slice_sizes = \(dims.sliceSizes) of \(x)")
      try op.require(
        4,
        areDistinctDimensions(dims.collapsedSliceDims, rank: x.rank)
          && isAscending(dims.collapsedSliceDims)
          && dims.collapsedSliceDims.allSatisfy { dims.sliceSizes[$0] == 1 },
        "collapsed_slice_dims = \(dims.collapsedSliceDims) of slices \(dims.sliceSizes)")
      try op.requireBatchDims(
        6, dims.operandBatchDims, dims.indicesBatchDims,
        others: dims.startIndexMap
          + dims.collapsedSliceDims.filter { !dims.startIndexMap.contains($0) },
        indexVectorDim: dims.indexVectorDim)
      try op.require(
        6, dims.operandBatchDims.allSatisfy { dims.sliceSizes[$0] == min(1, x.shape[$0]) },
        "operand_batch_dims = \(dims.operandBatchDims) of slices \(dims.sliceSizes)")
      let kept = dims.sliceDims(rank: x.rank)
      let rank = batch.count + kept.count
      try op.require(
        5,
        dims.offsetDims.count == kept.count && isAscending(dims.offsetDims)
          && areDistinctDimensions(dims.offsetDims, rank: rank),
        "offset_dims = \(dims.offsetDims) in a result of rank \(rank)")
      var rest = batch[...]
      var slices = kept[...]
      let shape = (0..<rank).map { axis in
        dims.offsetDims.contains(axis)
          ? dims.sliceSizes[slices.removeFirst()] : rest.removeFirst()
      }
      return x.with(shape: shape)
    },
    flopsPerElement: 1,
    touchedBytes: { op, result in
      result.sizeBytes + op[0].touchedBy(result) + op[1].sizeBytes
    },
    gradient: .rule(gradientOfGather))

  static let scatter = OpDefinition(
    name: "scatter",
    summary: "`x` with every window of `updates` combined into it at the place its index vector "
      + "says, in row-major order of the updates; windows that do not lie inside are dropped. Along "
      + "`operand_batch_dims` the window lies where its vector stands along `indices_batch_dims`.",
    category: .indexed,
    operands: [
      OperandSpec("x", .any), OperandSpec("indices", .index), OperandSpec("updates", .any),
    ],
    attributes: [
      AttributeSpec(.kind, .symbol(["set"] + combinerKinds)),
      AttributeSpec(.updateWindowDims, .ints, .optional),
      AttributeSpec(.insertedWindowDims, .ints, .optional),
      AttributeSpec(.scatterDims, .ints), AttributeSpec(.indexVectorDim, .int, .int(0)),
      AttributeSpec(.operandBatchDims, .ints, .optional),
      AttributeSpec(.indicesBatchDims, .ints, .optional),
    ],
    constraints: [
      "`index_vector_dim` is a dimension of the indices, or their rank.",
      "`scatter_dims` names a distinct dimension of `x` for every entry of an index vector.",
      "`inserted_window_dims` are ascending dimensions of `x`, `update_window_dims` ascending "
        + "dimensions of the updates, one for each other dimension of `x`.",
      "The updates have the dtype of `x`, the batch of the indices and windows that fit `x`.",
      "`operand_batch_dims` are ascending dimensions of `x` that no other list names; "
        + "`indices_batch_dims` are as many distinct dimensions of the indices, of the same extents, "
        + "without `index_vector_dim`.",
      "`and`, `or` and `xor` take integers and `i1`; the others take all dtypes.",
    ],
    typeRule: { op throws(OpError) in
      let dims = ScatterDimensions(op.attributes)
      let (x, indices, updates) = (op[0], op[1], op[2])
      try op.require(
        1, (0...indices.rank).contains(dims.indexVectorDim),
        "index_vector_dim = \(dims.indexVectorDim) of \(indices)")
      let (batch, length) = indexBatch(indices, dims.indexVectorDim)
      try op.require(
        2,
        dims.scatterDims.count == length && areDistinctDimensions(dims.scatterDims, rank: x.rank),
        "scatter_dims = \(dims.scatterDims) for index vectors of \(length) into \(x)")
      let windowDims = dims.windowDims(rank: x.rank)
      try op.requireBatchDims(
        5, dims.operandBatchDims, dims.indicesBatchDims,
        others: dims.scatterDims
          + dims.insertedWindowDims.filter { !dims.scatterDims.contains($0) },
        indexVectorDim: dims.indexVectorDim)
      try op.require(
        3,
        areDistinctDimensions(dims.insertedWindowDims, rank: x.rank)
          && isAscending(dims.insertedWindowDims)
          && areDistinctDimensions(dims.updateWindowDims, rank: updates.rank)
          && isAscending(dims.updateWindowDims) && dims.updateWindowDims.count == windowDims.count,
        "inserted_window_dims = \(dims.insertedWindowDims) and update_window_dims = "
          + "\(dims.updateWindowDims) of \(x) and \(updates)")
      let updateBatch = dims.batchDims(rank: updates.rank)
      try op.require(
        4,
        updates.dtype == x.dtype && updateBatch.map { updates.shape[$0] } == batch
          && zip(dims.updateWindowDims, windowDims).allSatisfy {
            updates.shape[$0] <= x.shape[$1]
          },
        "the updates \(updates) do not fit the indices \(indices) and \(x)")
      try op.requireCombiner(6, x.dtype)
      return x
    },
    flops: { op, _ in Double(op[2].elementCount) },
    // An update is read, and what it is combined with is read and written.
    touchedBytes: { op, _ in 3 * op[2].sizeBytes + op[1].sizeBytes },
    gradient: .rule(gradientOfScatter))
}
