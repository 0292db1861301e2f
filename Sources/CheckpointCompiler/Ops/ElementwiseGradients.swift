// Gradient rules of elementwise ops.
//
// Ties and kinks follow JAX: `maximum` and `minimum` of equal operands give each half, `abs` at 0 and
// `clamp` at its bounds give 0. Where one operand of `maximum` or `minimum` is a constant (a ReLU),
// the gradient at the tie is 0, as in every framework's ReLU: it then depends on the result alone.

/// One operand.
@Sendable func gradientOfAbs(_ g: inout GradientContext) -> [ValueID?] {
  let sign = g.emit(.sign, [g[0]])
  return [g.multiply(g.dy, sign)]
}

@Sendable func gradientOfNegate(_ g: inout GradientContext) -> [ValueID?] { [g.negate(g.dy)] }

@Sendable func gradientOfExponential(_ g: inout GradientContext) -> [ValueID?] {
  [g.multiply(g.dy, g.y)]
}

@Sendable func gradientOfExponentialMinusOne(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g.y)
  let exponential = g.add(g.y, one)
  return [g.multiply(g.dy, exponential)]
}

@Sendable func gradientOfLog(_ g: inout GradientContext) -> [ValueID?] { [g.divide(g.dy, g[0])] }

@Sendable func gradientOfLogPlusOne(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g[0])
  let shifted = g.add(g[0], one)
  return [g.divide(g.dy, shifted)]
}

@Sendable func gradientOfTanh(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g.y)
  let square = g.multiply(g.y, g.y)
  let slope = g.subtract(one, square)
  return [g.multiply(g.dy, slope)]
}

@Sendable func gradientOfLogistic(_ g: inout GradientContext) -> [ValueID?] {
  let one = g.constant(1, like: g.y)
  let complement = g.subtract(one, g.y)
  let slope = g.multiply(g.y, complement)
  return [g.multiply(g.dy, slope)]
}

@Sendable func gradientOfSqrt(_ g: inout GradientContext) -> [ValueID?] {
  let double = g.add(g.y, g.y)
  return [g.divide(g.dy, double)]
}

@Sendable func gradientOfRsqrt(_ g: inout GradientContext) -> [ValueID?] {
  let square = g.multiply(g.y, g.y)
  let cube = g.multiply(square, g.y)
  let slope = g.multiply(cube, -0.5)
  return [g.multiply(g.dy, slope)]
}

@Sendable func gradientOfSine(_ g: inout GradientContext) -> [ValueID?] {
  let cosine = g.emit(.cosine, [g[0]])
  return [g.multiply(g.dy, cosine)]
}

@Sendable func gradientOfCosine(_ g: inout GradientContext) -> [ValueID?] {
  let sine = g.emit(.sine, [g[0]])
  let negated = g.negate(sine)
  return [g.multiply(g.dy, negated)]
}

@Sendable func gradientOfErf(_ g: inout GradientContext) -> [ValueID?] {
  [gradientOfErf(&g, factor: 2 / Double.pi.squareRoot())]
}

@Sendable func gradientOfErfc(_ g: inout GradientContext) -> [ValueID?] {
  [gradientOfErf(&g, factor: -2 / Double.pi.squareRoot())]
}

private func gradientOfErf(_ g: inout GradientContext, factor: Double) -> ValueID {
  let square = g.multiply(g[0], g[0])
  let negated = g.negate(square)
  let bell = g.emit(.exponential, [negated])
  let slope = g.multiply(bell, factor)
  return g.multiply(g.dy, slope)
}

@Sendable func gradientOfConvert(_ g: inout GradientContext) -> [ValueID?] {
  let type = g.type(of: g[0])
  return [type.dtype.isFloatingPoint ? g.emit(.convert, [g.dy], type: type) : nil]
}

/// Two operands.
@Sendable func gradientOfAdd(_ g: inout GradientContext) -> [ValueID?] { [g.dy, g.dy] }

@Sendable func gradientOfSubtract(_ g: inout GradientContext) -> [ValueID?] {
  [g.dy, g.needed[1] ? g.negate(g.dy) : nil]
}

@Sendable func gradientOfMultiply(_ g: inout GradientContext) -> [ValueID?] {
  [
    g.needed[0] ? g.multiply(g.dy, g[1]) : nil,
    g.needed[1] ? g.multiply(g.dy, g[0]) : nil,
  ]
}

/// `da = dy / b` and `db = -da * y`: the dividend need not be kept.
@Sendable func gradientOfDivide(_ g: inout GradientContext) -> [ValueID?] {
  let da = g.divide(g.dy, g[1])
  guard g.needed[1] else { return [da, nil] }
  let product = g.multiply(da, g.y)
  return [da, g.negate(product)]
}

/// `y = a - b * trunc(a / b)`, and the truncated quotient is constant nearly everywhere.
@Sendable func gradientOfRemainder(_ g: inout GradientContext) -> [ValueID?] {
  guard g.needed[1] else { return [g.dy, nil] }
  let quotient = g.divide(g[0], g[1])
  let sign = g.emit(.sign, [quotient])
  let magnitude = g.emit(.abs, [quotient])
  let floor = g.emit(.floor, [magnitude])
  let truncated = g.multiply(sign, floor)
  let product = g.multiply(g.dy, truncated)
  return [g.dy, g.negate(product)]
}

/// The gradient of the larger (`gt`) or smaller (`lt`) of two operands.
private func gradientOfExtremum(
  _ g: inout GradientContext, _ wins: GradientContext.ComparisonDirection
) -> [ValueID?] {
  func side(_ own: Int, _ other: Int, _ g: inout GradientContext) -> ValueID? {
    guard g.needed[own] else { return nil }
    if g.splat(g[other]) != nil {
      let isOwn = g.compare(g.y, wins, g[other])
      return g.keep(g.dy, where: isOwn)
    }
    let tie = g.compare(g[own], .eq, g[other])
    let half = g.multiply(g.dy, 0.5)
    let atTie = g.keep(half, where: tie)
    let isOwn = g.compare(g[own], wins, g[other])
    return g.select(isOwn, g.dy, atTie)
  }
  return [side(0, 1, &g), side(1, 0, &g)]
}

@Sendable func gradientOfMaximum(_ g: inout GradientContext) -> [ValueID?] {
  gradientOfExtremum(&g, .gt)
}

@Sendable func gradientOfMinimum(_ g: inout GradientContext) -> [ValueID?] {
  gradientOfExtremum(&g, .lt)
}

/// `da = dy * b * a^(b-1)`, 0 where `b` is 0; `db = dy * y * log(a)`, 0 where `a` is 0.
@Sendable func gradientOfPower(_ g: inout GradientContext) -> [ValueID?] {
  var da: ValueID?
  if g.needed[0] {
    if let exponent = g.splat(g[1]) {
      da = gradientOfPower(&g, exponent: exponent)
    } else {
      let zero = g.zero(like: g[1])
      let one = g.constant(1, like: g[1])
      let isZero = g.compare(g[1], .eq, zero)
      let lower = g.subtract(g[1], one)
      let safe = g.select(isZero, one, lower)
      let power = g.emit(.power, [g[0], safe])
      let slope = g.multiply(g[1], power)
      let product = g.multiply(g.dy, slope)
      da = g.select(isZero, zero, product)
    }
  }
  guard g.needed[1] else { return [da, nil] }
  let zero = g.zero(like: g[0])
  let one = g.constant(1, like: g[0])
  let isZero = g.compare(g[0], .eq, zero)
  let safe = g.select(isZero, one, g[0])
  let log = g.emit(.log, [safe])
  let slope = g.multiply(g.y, log)
  return [da, g.multiply(g.dy, slope)]
}

/// The gradient for an exponent known now.
private func gradientOfPower(_ g: inout GradientContext, exponent: Double) -> ValueID? {
  if exponent == 0 { return nil }
  if exponent == 1 { return g.dy }
  var power = g[0]
  if exponent != 2 {
    let lower = g.constant(exponent - 1, like: g[1])
    power = g.emit(.power, [g[0], lower])
  }
  let slope = g.multiply(power, exponent)
  return g.multiply(g.dy, slope)
}

/// Three operands.
@Sendable func gradientOfSelect(_ g: inout GradientContext) -> [ValueID?] {
  var gradients: [ValueID?] = [nil, nil, nil]
  if g.needed[1] { gradients[1] = g.keep(g.dy, where: g[0]) }
  if g.needed[2] {
    let zero = g.zero(like: g.dy)
    gradients[2] = g.select(g[0], zero, g.dy)
  }
  return gradients
}

/// `min(max(x, low), high)`: the result alone tells whether it lies strictly inside.
@Sendable func gradientOfClamp(_ g: inout GradientContext) -> [ValueID?] {
  let (low, x, high) = (g[0], g[1], g[2])
  var gradients: [ValueID?] = [nil, nil, nil]
  if g.needed[0] {
    let below = g.compare(x, .lt, low)
    let ordered = g.compare(low, .lt, high)
    let both = g.emit(.and, [below, ordered])
    gradients[0] = g.keep(g.dy, where: both)
  }
  if g.needed[1] {
    let above = g.compare(g.y, .gt, low)
    let below = g.compare(g.y, .lt, high)
    let inside = g.emit(.and, [above, below])
    gradients[1] = g.keep(g.dy, where: inside)
  }
  if g.needed[2] {
    let raised = g.emit(.maximum, [x, low])
    let above = g.compare(raised, .gt, high)
    gradients[2] = g.keep(g.dy, where: above)
  }
  return gradients
}
