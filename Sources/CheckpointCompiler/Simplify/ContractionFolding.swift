// Folding of transposes into the dimension numbers of `dot_general`.
//
// The dimension numbers say which dimensions belong together wherever they stand, so a transpose of
// an operand is only another numbering, as long as its free dimensions keep their order: the result
// has them in that order. The products and the order of their sum stay the same.

func foldedContraction(
  _ candidate: FoldingCandidate, _ context: FoldingContext
) -> FoldingResult? {
  guard candidate.opcode == .dotGeneral else { return nil }
  let dims = DotDimensions(candidate.attributes)
  if let inner = context.op(.transpose, defining: candidate.operands[0]) {
    let order = inner.attributes.ints(.dims)!
    let free = dims.lhsFree(rank: order.count).map { order[$0] }
    if free == free.sorted() {
      var renumbered = dims
      renumbered.lhsBatch = dims.lhsBatch.map { order[$0] }
      renumbered.lhsContract = dims.lhsContract.map { order[$0] }
      var folded = candidate
      folded.operands[0] = context.operand(of: inner)
      folded.attributes = renumbered.attributes
      return .op(folded)
    }
  }
  if let inner = context.op(.transpose, defining: candidate.operands[1]) {
    let order = inner.attributes.ints(.dims)!
    let free = dims.rhsFree(rank: order.count).map { order[$0] }
    if free == free.sorted() {
      var renumbered = dims
      renumbered.rhsBatch = dims.rhsBatch.map { order[$0] }
      renumbered.rhsContract = dims.rhsContract.map { order[$0] }
      var folded = candidate
      folded.operands[1] = context.operand(of: inner)
      folded.attributes = renumbered.attributes
      return .op(folded)
    }
  }
  return nil
}

/// The product with its operands exchanged, where that is what a transpose of it gives.
func transposedProduct(
  _ product: Op, by dims: [Int], _ type: TensorType, _ context: FoldingContext
) -> FoldingResult? {
  let numbers = DotDimensions(product.attributes)
  let operands = Array(context.function.operands(of: product))
  let batches = numbers.lhsBatch.count
  let left = context.type(of: operands[0]).rank - batches - numbers.lhsContract.count
  let right = context.type(of: operands[1]).rank - batches - numbers.rhsContract.count
  let exchanged =
    Array(0..<batches) + Array(batches + left..<batches + left + right)
    + Array(batches..<batches + left)
  guard dims == exchanged else { return nil }
  let swapped = DotDimensions(
    lhsBatch: numbers.rhsBatch, rhsBatch: numbers.lhsBatch, lhsContract: numbers.rhsContract,
    rhsContract: numbers.lhsContract)
  return .op(
    FoldingCandidate(
      opcode: .dotGeneral, operands: [operands[1], operands[0]], attributes: swapped.attributes,
      type: type))
}
