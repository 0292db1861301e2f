// Gradient rules of ops that move or reduce elements.

/// The sum over every dimension that was added or repeated.
@Sendable func gradientOfBroadcastInDim(_ g: inout GradientContext) -> [ValueID?] {
  let x = g.type(of: g[0])
  let y = g.type(of: g.y)
  let dims = g.attributes.ints(.dims)!
  let repeated = x.shape.indices.filter { x.shape[$0] == 1 && y.shape[dims[$0]] != 1 }
  let summed = y.shape.indices.filter { dim in
    !dims.contains(dim) || repeated.contains { dims[$0] == dim }
  }
  let sum = g.sum(g.dy, dims: summed)
  // The dimensions left stand in the order of the result; those of `x` may stand in another.
  let kept = x.shape.indices.filter { !repeated.contains($0) }
  let ascending = kept.map { dims[$0] }.sorted()
  let ordered = g.transpose(sum, kept.map { ascending.firstIndex(of: dims[$0])! })
  return [g.reshape(ordered, to: x.shape)]
}

@Sendable func gradientOfReshape(_ g: inout GradientContext) -> [ValueID?] {
  [g.reshape(g.dy, to: g.type(of: g[0]).shape)]
}

@Sendable func gradientOfTranspose(_ g: inout GradientContext) -> [ValueID?] {
  let dims = g.attributes.ints(.dims)!
  return [g.transpose(g.dy, dims.indices.map { dims.firstIndex(of: $0)! })]
}

/// The elements go back to their places, zeros everywhere else.
@Sendable func gradientOfSlice(_ g: inout GradientContext) -> [ValueID?] {
  let x = g.type(of: g[0])
  let y = g.type(of: g.y)
  let start = g.attributes.ints(.start)!
  let strides = g.attributes.ints(.strides, count: x.rank, fill: 1)
  let high = x.shape.indices.map { axis in
    y.shape[axis] == 0
      ? x.shape[axis] - start[axis]
      : x.shape[axis] - start[axis] - (y.shape[axis] - 1) * strides[axis] - 1
  }
  return [pad(&g, g.dy, low: start, high: high, interior: strides.map { $0 - 1 })]
}

/// `a` with zeros around and between its elements.
private func pad(
  _ g: inout GradientContext, _ a: ValueID, low: [Int], high: [Int], interior: [Int]
) -> ValueID {
  if (low + high + interior).allSatisfy({ $0 == 0 }) { return a }
  let zero = g.constant(0, type: TensorType(g.type(of: a).dtype))
  return g.emit(
    .pad, [a, zero], [.low: .ints(low), .high: .ints(high), .interior: .ints(interior)])
}

/// The opposite padding, then the elements that were not put between; the padding value gets the
/// sum over the places that it filled.
@Sendable func gradientOfPad(_ g: inout GradientContext) -> [ValueID?] {
  let x = g.type(of: g[0])
  let low = g.attributes.ints(.low, count: x.rank, fill: 0)
  let high = g.attributes.ints(.high, count: x.rank, fill: 0)
  let interior = g.attributes.ints(.interior, count: x.rank, fill: 0)
  var gradients: [ValueID?] = [nil, nil]
  if g.needed[0] {
    var dx = pad(
      &g, g.dy, low: low.map { -$0 }, high: high.map { -$0 },
      interior: Array(repeating: 0, count: x.rank))
    if interior.contains(where: { $0 != 0 }) {
      dx = g.emit(
        .slice, [dx],
        [
          .start: .ints(Array(repeating: 0, count: x.rank)), .limit: .ints(g.type(of: dx).shape),
          .strides: .ints(interior.map { $0 + 1 }),
        ])
    }
    gradients[0] = dx
  }
  if g.needed[1] {
    let no = g.constant(0, type: x.with(.i1))
    let yes = g.constant(1, type: TensorType(.i1))
    let isPadding = g.emit(.pad, [no, yes], g.attributes)
    let masked = g.keep(g.dy, where: isPadding)
    gradients[1] = g.sum(masked, dims: Array(0..<x.rank))
  }
  return gradients
}

@Sendable func gradientOfConcatenate(_ g: inout GradientContext) -> [ValueID?] {
  let dim = g.attributes.int(.dim)!
  let y = g.type(of: g.y)
  var offset = 0
  var gradients: [ValueID?] = []
  for index in g.operands.indices {
    var start = Array(repeating: 0, count: y.rank)
    var limit = y.shape
    start[dim] = offset
    offset += g.type(of: g[index]).shape[dim]
    limit[dim] = offset
    guard g.needed[index] else {
      gradients.append(nil)
      continue
    }
    gradients.append(
      limit == y.shape && start[dim] == 0
        ? g.dy : g.emit(.slice, [g.dy], [.start: .ints(start), .limit: .ints(limit)]))
  }
  return gradients
}

@Sendable func gradientOfReverse(_ g: inout GradientContext) -> [ValueID?] {
  [g.emit(.reverse, [g.dy], g.attributes)]
}

/// Sums spread; extrema go to the elements that equal the result, in equal parts; products multiply
/// by the product of the others, also where some are 0.
@Sendable func gradientOfReduce(_ g: inout GradientContext) -> [ValueID?] {
  let shape = g.type(of: g[0]).shape
  let dims = g.attributes.ints(.dims)!
  let kept = shape.indices.filter { !dims.contains($0) }
  func spread(_ value: ValueID, _ g: inout GradientContext) -> ValueID {
    g.broadcast(value, to: shape, dims: kept)
  }
  switch g.attributes.symbol(.kind) {
  case "add": return [spread(g.dy, &g)]
  case "max", "min":
    let extremum = spread(g.y, &g)
    let isExtremum = g.compare(g[0], .eq, extremum)
    let ones = g.emit(.convert, [isExtremum], type: g.type(of: g[0]))
    let count = g.sum(ones, dims: dims)
    let part = g.divide(g.dy, count)
    let parts = spread(part, &g)
    return [g.keep(parts, where: isExtremum)]
  case "mul":
    let zero = g.zero(like: g[0])
    let one = g.constant(1, like: g[0])
    let isZero = g.compare(g[0], .eq, zero)
    let nonzero = g.select(isZero, one, g[0])
    let product = g.emit(.reduce, [nonzero], g.attributes)
    let ones = g.emit(.convert, [isZero], type: g.type(of: g[0]))
    let zeros = g.sum(ones, dims: dims)
    // Zeros other than the element itself: any of them makes its gradient 0.
    let allZeros = spread(zeros, &g)
    let others = g.subtract(allZeros, ones)
    let isAlone = g.compare(others, .eq, zero)
    let scaled = g.multiply(g.dy, product)
    let all = spread(scaled, &g)
    let quotient = g.divide(all, nonzero)
    return [g.keep(quotient, where: isAlone)]
  case let kind: return g.refuse("'reduce' with kind = \(kind ?? "none") has no gradient")
  }
}
