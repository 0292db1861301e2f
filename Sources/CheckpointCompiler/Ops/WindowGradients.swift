// Gradient rules of pooling.

@Sendable func gradientOfReduceWindow(_ g: inout GradientContext) -> [ValueID?] {
  let kind = g.attributes.symbol(.kind) ?? "none"
  switch kind {
  case "add": return gradientOfWindowSum(&g)
  case "max", "min":
    let x = g.type(of: g[0])
    let window = PoolingWindow(g.attributes, rank: x.rank)
    return [
      g.emit(
        .selectAndScatter, [g[0], g.dy],
        [
          .direction: .symbol(kind == "max" ? "ge" : "le"), .window: .ints(window.window),
          .strides: .ints(window.strides), .low: .ints(window.low), .high: .ints(window.high),
          .baseDilation: .ints(window.baseDilation),
          .windowDilation: .ints(window.windowDilation),
        ])
    ]
  default: return g.refuse("'reduce_window' with kind = \(kind) has no gradient")
  }
}

/// Every element gets the sum of `dy` over the windows that it lies in: again a sum over windows, of
/// `dy` spread by the strides. Windows that tile the input only repeat `dy`.
private func gradientOfWindowSum(_ g: inout GradientContext) -> [ValueID?] {
  let x = g.type(of: g[0]).shape
  let y = g.type(of: g.y).shape
  let window = PoolingWindow(g.attributes, rank: x.count)
  let isTiling = x.indices.allSatisfy { axis in
    window.low[axis] == 0 && window.high[axis] == 0 && window.baseDilation[axis] == 1
      && window.windowDilation[axis] == 1
      && (window.strides[axis] == window.window[axis] || y[axis] == 1)
      && y[axis] * window.window[axis] == x[axis]
  }
  if isTiling {
    // One more dimension for every window longer than 1, merged with its own afterwards.
    var shape: [Int] = []
    var dims: [Int] = []
    for axis in x.indices {
      dims.append(shape.count)
      shape.append(y[axis])
      if window.window[axis] > 1 { shape.append(window.window[axis]) }
    }
    let repeated = g.broadcast(g.dy, to: shape, dims: dims)
    return [g.reshape(repeated, to: x)]
  }
  func dilated(_ extent: Int, _ dilation: Int) -> Int {
    extent == 0 ? 0 : (extent - 1) * dilation + 1
  }
  var low: [Int] = []
  var high: [Int] = []
  for axis in x.indices {
    let reach = dilated(window.window[axis], window.windowDilation[axis])
    let before = reach - window.low[axis] - 1
    low.append(before)
    high.append(
      dilated(x[axis], window.baseDilation[axis]) + reach - 1
        - dilated(y[axis], window.strides[axis]) - before)
  }
  if y.contains(0) { return [g.zero(like: g[0])] }
  let attributes: Attributes = [
    .kind: .symbol("add"), .window: .ints(window.window), .strides: .ints(window.baseDilation),
    .low: .ints(low), .high: .ints(high), .baseDilation: .ints(window.strides),
    .windowDilation: .ints(window.windowDilation),
  ]
  guard g.allows(.reduceWindow, [g.type(of: g.dy)], attributes) else { return [] }
  return [g.emit(.reduceWindow, [g.dy], attributes)]
}
