// The inverse of the error function, and scaled Bessel functions.
//
// Method      In f64, rounded once: polynomials and Chebyshev series, whose steps are written here as
//             ops, one after the other.
// Source      M. Giles, "Approximating the erfinv function", GPU Computing Gems 2 (2011). S. Moshier's
//             Cephes library for the Bessel functions.

extension Prelude {
  static let special = """
    // The number whose error function is x.
    func @erf_inv<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @erf_inv.gradient {
      %wide = cast %x {to = f64}
      %square = multiply %wide, %wide
      %negative = negate %square
      %log = log_plus_one %negative
      %w = negate %log
      %root = sqrt %w
      %near.w = subtract %w, 3.125
      %middle.w = subtract %root, 3.25
      %far.w = subtract %root, 5.0
    \(polynomial("near", of: "near.w", nearInverse))
    \(polynomial("middle", of: "middle.w", middleInverse))
    \(polynomial("far", of: "far.w", farInverse))
      %is_near = compare %w, 6.25 {direction = lt}
      %is_middle = compare %w, 16.0 {direction = lt}
      %outer = select %is_middle, %middle, %far
      %factor = select %is_near, %near, %outer
      %number = multiply %factor, %wide
      // At 1 and -1 the polynomials are of infinity.
      %size = abs %wide
      %is_end = compare %size, 1.0 {direction = eq}
      %infinite = multiply %wide, inf
      %value = select %is_end, %infinite, %number
      %y = cast %value {to = T}
      return %y
    }

    // sqrt(pi) / 2 * exp(y^2): it needs the result only.
    func @erf_inv.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %square = multiply %y, %y
      %bell = exponential %square
      %slope = multiply %bell, 0.886226925452758
      %dx = multiply %dy, %slope
      return %dx
    }

    // The modified Bessel function of the first kind of order 0, times exp(-|x|).
    func @bessel_i0e<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @bessel_i0e.gradient {
      %wide = cast %x {to = f64}
      %value = bessel_i0e_wide %wide
      %y = cast %value {to = T}
      return %y
    }

    func @bessel_i0e_wide<S...>(%x: f64[S...]) -> f64[S...] {
      %size = abs %x
      %half = multiply %size, 0.5
      %near.x = subtract %half, 2.0
    \(chebyshev("near", of: "near.x", nearBessel0))
      %divisor = constant 32.0 : f64[S...]
      %inverse = divide %divisor, %size
      %far.x = subtract %inverse, 2.0
    \(chebyshev("series", of: "far.x", farBessel0))
      %root = sqrt %size
      %far = divide %series, %root
      %is_near = compare %size, 8.0 {direction = le}
      %y = select %is_near, %near, %far
      return %y
    }

    func @bessel_i0e.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %wide = cast %x {to = f64}
      %value = bessel_i1e_wide %wide
      %next = cast %value {to = T}
      %sign = sign %x
      %decay = multiply %sign, %y
      %slope = subtract %next, %decay
      %dx = multiply %dy, %slope
      return %dx
    }

    // The modified Bessel function of the first kind of order 1, times exp(-|x|).
    func @bessel_i1e<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @bessel_i1e.gradient {
      %wide = cast %x {to = f64}
      %value = bessel_i1e_wide %wide
      %y = cast %value {to = T}
      return %y
    }

    func @bessel_i1e_wide<S...>(%x: f64[S...]) -> f64[S...] {
      %size = abs %x
      %half = multiply %size, 0.5
      %near.x = subtract %half, 2.0
    \(chebyshev("near.series", of: "near.x", nearBessel1))
      %near = multiply %near.series, %size
      %divisor = constant 32.0 : f64[S...]
      %inverse = divide %divisor, %size
      %far.x = subtract %inverse, 2.0
    \(chebyshev("series", of: "far.x", farBessel1))
      %root = sqrt %size
      %far = divide %series, %root
      %is_near = compare %size, 8.0 {direction = le}
      %positive = select %is_near, %near, %far
      %sign = sign %x
      %y = multiply %sign, %positive
      return %y
    }

    // Of the function without its factor it is that of order 0 - y / x; 1/2 at 0.
    func @bessel_i1e.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %wide = cast %x {to = f64}
      %value = bessel_i0e_wide %wide
      %below = cast %value {to = T}
      %sign = sign %x
      %decay = multiply %sign, %y
      %is_zero = compare %x, 0.0 {direction = eq}
      %safe = select %is_zero, 1.0, %x
      %ratio = divide %y, %safe
      %loss = add %decay, %ratio
      %difference = subtract %below, %loss
      %slope = select %is_zero, 0.5, %difference
      %dx = multiply %dy, %slope
      return %dx
    }
    """

  /// A polynomial by Horner's rule, the coefficient of the highest power first.
  private static func polynomial(_ result: String, of x: String, _ coefficients: [Double]) -> String
  {
    var lines = ["  %\(result).0 = constant \(coefficients[0]) : f64[S...]"]
    for (index, coefficient) in coefficients.enumerated().dropFirst() {
      let isLast = index == coefficients.count - 1
      lines.append("  %\(result).product.\(index) = multiply %\(result).\(index - 1), %\(x)")
      lines.append(
        "  %\(result)\(isLast ? "" : ".\(index)") = add %\(result).product.\(index), \(coefficient)"
      )
    }
    return lines.joined(separator: "\n")
  }

  /// A series of Chebyshev polynomials of x / 2 by Clenshaw's rule, the highest degree first.
  private static func chebyshev(_ result: String, of x: String, _ coefficients: [Double]) -> String
  {
    var lines = [
      "  %\(result).before = constant 0.0 : f64[S...]",
      "  %\(result).0 = constant \(coefficients[0]) : f64[S...]",
    ]
    for (index, coefficient) in coefficients.enumerated().dropFirst() {
      let older = index == 1 ? "before" : "\(index - 2)"
      lines.append("  %\(result).product.\(index) = multiply %\(result).\(index - 1), %\(x)")
      lines.append(
        "  %\(result).rest.\(index) = subtract %\(result).product.\(index), %\(result).\(older)")
      lines.append("  %\(result).\(index) = add %\(result).rest.\(index), \(coefficient)")
    }
    let last = coefficients.count - 1
    lines.append("  %\(result).twice = subtract %\(result).\(last), %\(result).\(last - 2)")
    lines.append("  %\(result) = multiply %\(result).twice, 0.5")
    return lines.joined(separator: "\n")
  }

  /// The inverse error function over x where -log(1 - x^2), less 3.125, is below 3.125.
  private static let nearInverse: [Double] = [
    -3.64441206401782e-21, -1.6850591381820166e-19, 1.28584807152564e-18, 1.1157877678025181e-17,
    -1.333171662854621e-16, 2.0972767875968562e-17, 6.637638134358324e-15, -4.054566272975207e-14,
    -8.151934197605472e-14, 2.6335093153082323e-12, -1.2975133253453532e-11,
    -5.415412054294628e-11, 1.0512122733215323e-09, -4.112633980346984e-09,
    -2.9070369957882005e-08, 4.2347877827932404e-07, -1.3654692000834679e-06,
    -1.3882523362786469e-05, 0.00018673420803405714, -0.000740702534166267, -0.006033670871430149,
    0.24015818242558962, 1.6536545626831027,
  ]
  /// The same of the square root of that logarithm, less 3.25, up to a logarithm of 16.
  private static let middleInverse: [Double] = [
    2.2137376921775787e-09, 9.075656193888539e-08, -2.7517406297064545e-07, 1.8239629214389228e-08,
    1.5027403968909828e-06, -4.013867526981546e-06, 2.9234449089955446e-06, 1.2475304481671779e-05,
    -4.7318229009055734e-05, 6.828485145957318e-05, 2.4031110387097894e-05, -0.0003550375203628475,
    0.0009532893797373805, -0.0016882755560235047, 0.002491442096107851, -0.003751208507569241,
    0.005370914553590064, 1.0052589676941592, 3.0838856104922208,
  ]
  /// The same of the square root, less 5, above.
  private static let farInverse: [Double] = [
    -2.7109920616438573e-11, -2.555641816996525e-10, 1.5076572693500548e-09,
    -3.789465440126737e-09, 7.61570120807834e-09, -1.496002662714924e-08, 2.914795345090108e-08,
    -6.771199775845234e-08, 2.2900482228026655e-07, -9.9298272942317e-07, 4.526062597223154e-06,
    -1.968177810553167e-05, 7.599527703001776e-05, -0.00021503011930044477,
    -0.00013871931833623122, 1.0103004648645344, 4.849906401408584,
  ]
  /// Order 0 up to 8, of x / 2 - 2.
  private static let nearBessel0: [Double] = [
    -4.4153416464793395e-18, 3.3307945188222384e-17, -2.431279846547955e-16, 1.715391285555133e-15,
    -1.1685332877993451e-14, 7.676185498604936e-14, -4.856446783111929e-13, 2.95505266312964e-12,
    -1.726826291441556e-11, 9.675809035373237e-11, -5.189795601635263e-10, 2.6598237246823866e-09,
    -1.300025009986248e-08, 6.046995022541919e-08, -2.670793853940612e-07, 1.1173875391201037e-06,
    -4.4167383584587505e-06, 1.6448448070728896e-05, -5.754195010082104e-05,
    0.00018850288509584165, -0.0005763755745385824, 0.0016394756169413357, -0.004324309995050576,
    0.010546460394594998, -0.02373741480589947, 0.04930528423967071, -0.09490109704804764,
    0.17162090152220877, -0.3046826723431984, 0.6767952744094761,
  ]
  /// Order 0 above, times the square root of x, of 32 / x - 2.
  private static let farBessel0: [Double] = [
    -7.233180487874754e-18, -4.830504485944182e-18, 4.46562142029676e-17, 3.461222867697461e-17,
    -2.8276239805165836e-16, -3.425485619677219e-16, 1.7725601330565263e-15,
    3.8116806693526224e-15, -9.554846698828307e-15, -4.150569347287222e-14, 1.54008621752141e-14,
    3.8527783827421426e-13, 7.180124451383666e-13, -1.7941785315068062e-12,
    -1.3215811840447713e-11, -3.1499165279632416e-11, 1.1889147107846439e-11, 4.94060238822497e-10,
    3.3962320257083865e-09, 2.266668990498178e-08, 2.0489185894690638e-07, 2.8913705208347567e-06,
    6.889758346916825e-05, 0.0033691164782556943, 0.8044904110141088,
  ]
  /// Order 1 over x up to 8, of x / 2 - 2.
  private static let nearBessel1: [Double] = [
    2.7779141127610464e-18, -2.111421214358166e-17, 1.5536319577362005e-16,
    -1.1055969477353862e-15, 7.600684294735408e-15, -5.042185504727912e-14, 3.223793365945575e-13,
    -1.9839743977649436e-12, 1.1736186298890901e-11, -6.663489723502027e-11, 3.625590281552117e-10,
    -1.8872497517228294e-09, 9.381537386495773e-09, -4.445059128796328e-08, 2.0032947535521353e-07,
    -8.568720264695455e-07, 3.4702513081376785e-06, -1.3273163656039436e-05, 4.781565107550054e-05,
    -0.00016176081582589674, 0.0005122859561685758, -0.0015135724506312532, 0.004156422944312888,
    -0.010564084894626197, 0.024726449030626516, -0.05294598120809499, 0.1026436586898471,
    -0.17641651835783406, 0.25258718644363365,
  ]
  /// Order 1 above, times the square root of x, of 32 / x - 2.
  private static let farBessel1: [Double] = [
    7.517296310842105e-18, 4.414348323071708e-18, -4.6503053684893586e-17, -3.209525921993424e-17,
    2.96262899764595e-16, 3.3082023109209285e-16, -1.8803547755107825e-15, -3.8144030724370075e-15,
    1.0420276984128802e-14, 4.272440016711951e-14, -2.1015418427726643e-14,
    -4.0835511110921974e-13, -7.198551776245908e-13, 2.0356285441470896e-12,
    1.4125807436613782e-11, 3.2526035830154884e-11, -1.8974958123505413e-11,
    -5.589743462196584e-10, -3.835380385964237e-09, -2.6314688468895196e-08,
    -2.512236237870209e-07, -3.882564808877691e-06, -0.00011058893876262371, -0.009761097491361469,
    0.7785762350182801,
  ]
}
