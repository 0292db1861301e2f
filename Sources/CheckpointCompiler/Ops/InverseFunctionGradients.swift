// Gradient rules of roots, and of trigonometric and hyperbolic functions and their inverses.

@Sendable func gradientOfCbrt(_ g: inout GradientContext) -> [ValueID?] {
  let square = g.multiply(g.y, g.y)
  let triple = g.multiply(square, 3)
  return [g.divide(g.dy, triple)]
}

/// `1 + y^2`: it needs the result only.
@Sendable func gradientOfTan(_ g: inout GradientContext) -> [ValueID?] {
  let square = g.multiply(g.y, g.y)
  let slope = g.add(square, g.constant(1, like: g.y))
  return [g.multiply(g.dy, slope)]
}

@Sendable func gradientOfAsin(_ g: inout GradientContext) -> [ValueID?] {
  [g.multiply(g.dy, slopeOfAsin(&g))]
}

@Sendable func gradientOfAcos(_ g: inout GradientContext) -> [ValueID?] {
  let product = g.multiply(g.dy, slopeOfAsin(&g))
  return [g.negate(product)]
}

/// `1 / sqrt((1 - x) * (1 + x))`.
private func slopeOfAsin(_ g: inout GradientContext) -> ValueID {
  let one = g.constant(1, like: g[0])
  let product = g.multiply(g.subtract(one, g[0]), g.add(one, g[0]))
  return g.emit(.rsqrt, [product])
}

@Sendable func gradientOfAtan(_ g: inout GradientContext) -> [ValueID?] {
  let square = g.multiply(g[0], g[0])
  let sum = g.add(square, g.constant(1, like: g[0]))
  return [g.divide(g.dy, sum)]
}

/// Of `y = atan2(a, b)`: `b / (a^2 + b^2)` and `-a / (a^2 + b^2)`.
@Sendable func gradientOfAtan2(_ g: inout GradientContext) -> [ValueID?] {
  let sum = g.add(g.multiply(g[0], g[0]), g.multiply(g[1], g[1]))
  let scaled = g.divide(g.dy, sum)
  return [
    g.needed[0] ? g.multiply(scaled, g[1]) : nil,
    g.needed[1] ? g.negate(g.multiply(scaled, g[0])) : nil,
  ]
}

@Sendable func gradientOfSinh(_ g: inout GradientContext) -> [ValueID?] {
  let cosh = g.emit(.cosh, [g[0]])
  return [g.multiply(g.dy, cosh)]
}

@Sendable func gradientOfCosh(_ g: inout GradientContext) -> [ValueID?] {
  let sinh = g.emit(.sinh, [g[0]])
  return [g.multiply(g.dy, sinh)]
}

@Sendable func gradientOfAsinh(_ g: inout GradientContext) -> [ValueID?] {
  let square = g.multiply(g[0], g[0])
  let sum = g.add(square, g.constant(1, like: g[0]))
  let slope = g.emit(.rsqrt, [sum])
  return [g.multiply(g.dy, slope)]
}

/// `1 / sqrt((x - 1) * (x + 1))`.
@Sendable func gradientOfAcosh(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g[0])
  let product = g.multiply(g.subtract(g[0], one), g.add(g[0], one))
  let slope = g.emit(.rsqrt, [product])
  return [g.multiply(g.dy, slope)]
}

/// `1 / ((1 - x) * (1 + x))`.
@Sendable func gradientOfAtanh(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g[0])
  let product = g.multiply(g.subtract(one, g[0]), g.add(one, g[0]))
  return [g.divide(g.dy, product)]
}

/// Rounded as the result is.
@Sendable func gradientOfReducePrecision(_ g: inout GradientContext) -> [ValueID?] {
  [g.emit(.reducePrecision, [g.dy], g.attributes)]
}
