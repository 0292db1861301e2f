// Folding of movement ops: of constants, of identities, and of two that follow each other.
//
// A reshape moves nothing, so what only inserts, drops or passes over dimensions of extent 1 becomes
// one.

func foldedMovement(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  let x = candidate.operands[0]
  let type = context.type(of: x)
  if let splat = context.splat(x), keepsSplat(candidate, splat, context) {
    return .splat(splat, candidate.type)
  }
  switch candidate.opcode {
  case .broadcastInDim: return foldedBroadcast(candidate, x, type, context)
  case .reshape:
    if candidate.type == type { return .value(x) }
    return context.op(.reshape, defining: x).map { inner in
      .op(
        FoldingCandidate(
          opcode: .reshape, operands: [context.operand(of: inner)], type: candidate.type))
    }
  case .transpose: return foldedTranspose(candidate, x, type, context)
  case .slice:
    // A slice of the same shape starts at 0 and skips nothing, but along dimensions of extent 1.
    return candidate.type == type ? .value(x) : nil
  case .pad:
    let isIdentity = [AttributeName.low, .high].allSatisfy { name in
      candidate.attributes.ints(name, count: type.rank, fill: 0).allSatisfy { $0 == 0 }
    }
    return isIdentity && candidate.type == type ? .value(x) : nil
  case .concatenate: return foldedConcatenate(candidate, context)
  case .reverse: return foldedReverse(candidate, x, type, context)
  default: return nil
  }
}

/// Whether the result of a movement op of a constant is the constant in another shape.
private func keepsSplat(
  _ candidate: FoldingCandidate, _ splat: [UInt8], _ context: FoldingContext
) -> Bool {
  switch candidate.opcode {
  case .broadcastInDim, .reshape, .transpose, .slice, .reverse: true
  case .pad, .concatenate: candidate.operands.allSatisfy { context.splat($0) == splat }
  default: false
  }
}

private func foldedBroadcast(
  _ candidate: FoldingCandidate, _ x: ValueID, _ type: TensorType, _ context: FoldingContext
) -> FoldingResult? {
  let dims = candidate.attributes.ints(.dims)!
  if candidate.type.elementCount == type.elementCount, type.elementCount > 0 {
    // Nothing is repeated: the dimensions stand in another order at most.
    let long = dims.indices.filter { type.shape[$0] > 1 }.map { dims[$0] }
    if long == long.sorted() {
      if candidate.type == type { return .value(x) }
      return .op(FoldingCandidate(opcode: .reshape, operands: [x], type: candidate.type))
    }
    if candidate.type.rank == type.rank {
      return .op(
        FoldingCandidate(
          opcode: .transpose, operands: [x],
          attributes: [.dims: .ints(dims.indices.map { dims.firstIndex(of: $0)! })],
          type: candidate.type))
    }
  }
  var composed = candidate
  if let inner = context.op(.broadcastInDim, defining: x) {
    composed.operands = [context.operand(of: inner)]
    composed.attributes = [.dims: .ints(inner.attributes.ints(.dims)!.map { dims[$0] })]
    return .op(composed)
  }
  if let inner = context.op(.transpose, defining: x) {
    // Dimension `order[i]` of the transposed operand is dimension `i` of `x`.
    let order = inner.attributes.ints(.dims)!
    composed.operands = [context.operand(of: inner)]
    composed.attributes = [.dims: .ints(order.indices.map { dims[order.firstIndex(of: $0)!] })]
    return .op(composed)
  }
  return nil
}

private func foldedTranspose(
  _ candidate: FoldingCandidate, _ x: ValueID, _ type: TensorType, _ context: FoldingContext
) -> FoldingResult? {
  let dims = candidate.attributes.ints(.dims)!
  let long = dims.filter { type.shape[$0] != 1 }
  if long == long.sorted() {
    if candidate.type == type { return .value(x) }
    return .op(FoldingCandidate(opcode: .reshape, operands: [x], type: candidate.type))
  }
  if let inner = context.op(.transpose, defining: x) {
    let order = inner.attributes.ints(.dims)!
    return .op(
      FoldingCandidate(
        opcode: .transpose, operands: [context.operand(of: inner)],
        attributes: [.dims: .ints(dims.map { order[$0] })], type: candidate.type))
  }
  if let inner = context.op(.broadcastInDim, defining: x) {
    let places = inner.attributes.ints(.dims)!.map { dims.firstIndex(of: $0)! }
    return .op(
      FoldingCandidate(
        opcode: .broadcastInDim, operands: [context.operand(of: inner)],
        attributes: [.dims: .ints(places)], type: candidate.type))
  }
  if context.readsProductAlone, let inner = context.op(.dotGeneral, defining: x) {
    return transposedProduct(inner, by: dims, candidate.type, context)
  }
  return nil
}

/// Operands without elements give nothing.
private func foldedConcatenate(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  if candidate.operands.count == 1 { return .value(candidate.operands[0]) }
  let dim = candidate.attributes.int(.dim)!
  let filled = candidate.operands.filter { context.type(of: $0).shape[dim] > 0 }
  guard !filled.isEmpty, filled.count < candidate.operands.count else { return nil }
  var shorter = candidate
  shorter.operands = filled
  return .op(shorter)
}

private func foldedReverse(
  _ candidate: FoldingCandidate, _ x: ValueID, _ type: TensorType, _ context: FoldingContext
) -> FoldingResult? {
  let dims = candidate.attributes.ints(.dims)!
  if dims.allSatisfy({ type.shape[$0] <= 1 }) { return .value(x) }
  guard let inner = context.op(.reverse, defining: x),
    Set(inner.attributes.ints(.dims)!) == Set(dims)
  else { return nil }
  return .value(context.operand(of: inner))
}
