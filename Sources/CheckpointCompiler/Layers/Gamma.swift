// The gamma function's logarithm and its derivatives, and the Hurwitz zeta function.
//
// Method      In f64, rounded once. Lanczos' approximation with g = 7 and nine terms, and below 1/2
//             Euler's reflection formula; the zeta function by ten terms of its sum and twelve of
//             the Euler-Maclaurin formula.
// Source      C. Lanczos, "A precision approximation of the gamma function", SIAM J. Numer. Anal.
//             1 (1964); coefficients of P. Godfrey. F. Johansson, "Rigorous high-precision
//             computation of the Hurwitz zeta function", Numer. Algorithms 69 (2015), formula 5.
// Checked by  Values of mpmath; see the tests.

extension Prelude {
  static let gamma = """
    // The logarithm of the absolute value of the gamma function.
    func @lgamma<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @lgamma.gradient {
      %wide = cast %x {to = f64}
      %value = lgamma_wide %wide
      %y = cast %value {to = T}
      return %y
    }

    func @lgamma.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %wide = cast %x {to = f64}
      %value = digamma_wide %wide
      %slope = cast %value {to = T}
      %dx = multiply %dy, %slope
      return %dx
    }

    // The derivative of lgamma.
    func @digamma<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @digamma.gradient {
      %wide = cast %x {to = f64}
      %value = digamma_wide %wide
      %y = cast %value {to = T}
      return %y
    }

    func @digamma.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %wide = cast %x {to = f64}
      %one = constant 1.0 : f64[S...]
      %value = polygamma_wide %one, %wide
      %slope = cast %value {to = T}
      %dx = multiply %dy, %slope
      return %dx
    }

    // The derivative of digamma of order n, a natural number; else NaN.
    func @polygamma<T: dtype, S...>(%n: T[S...], %x: T[S...]) -> T[S...] gradient @polygamma.gradient {
      %order = cast %n {to = f64}
      %wide = cast %x {to = f64}
      %value = polygamma_wide %order, %wide
      %y = cast %value {to = T}
      return %y
    }

    // Of the order there is none.
    func @polygamma.gradient<T: dtype, S...>(
        %n: T[S...], %x: T[S...], %y: T[S...], %dy: T[S...]) -> (T[S...], T[S...]) {
      %dn = constant nan : T[S...]
      %order = cast %n {to = f64}
      %next = add %order, 1.0
      %wide = cast %x {to = f64}
      %value = polygamma_wide %next, %wide
      %slope = cast %value {to = T}
      %dx = multiply %dy, %slope
      return %dn, %dx
    }

    // The sum of 1 / (q + k)^x over all k from 0.
    func @zeta<T: dtype, S...>(%x: T[S...], %q: T[S...]) -> T[S...] gradient @zeta.gradient {
      %exponent = cast %x {to = f64}
      %start = cast %q {to = f64}
      %value = zeta_wide %exponent, %start
      %y = cast %value {to = T}
      return %y
    }

    // With respect to the exponent there is no closed form.
    func @zeta.gradient<T: dtype, S...>(
        %x: T[S...], %q: T[S...], %y: T[S...], %dy: T[S...]) -> (T[S...], T[S...]) {
      %dx = constant nan : T[S...]
      %exponent = cast %x {to = f64}
      %next = add %exponent, 1.0
      %start = cast %q {to = f64}
      %value = zeta_wide %next, %start
      %product = multiply %exponent, %value
      %negative = negate %product
      %slope = cast %negative {to = T}
      %dq = multiply %dy, %slope
      return %dx, %dq
    }

    // Lanczos' sum at z, its derivative, and the logarithm of z + 7.5.
    func @lanczos_sum<S...>(%z: f64[S...]) -> (f64[S...], f64[S...], f64[S...]) {
      %sum.0 = constant 0.9999999999998099 : f64[S...]
      %slope.0 = constant 0.0 : f64[S...]
    \(lanczosTerms)
      %quotient = divide %z, 7.5
      %rest = log_plus_one %quotient
      %log = add %rest, 2.0149030205422647
      return %sum.8, %slope.8, %log
    }

    func @lgamma_wide<S...>(%x: f64[S...]) -> f64[S...] {
      %is_low = compare %x, 0.5 {direction = lt}
      %negative = negate %x
      %less = subtract %x, 1.0
      %z = select %is_low, %negative, %less
      %sum, %slope, %log_t = lanczos_sum %z
      %t = add %z, 7.5
      // (z + 1/2) log(t) - t, so that it does not overflow before it must.
      %ratio = divide %t, %log_t
      %middle = add %z, 0.5
      %factor = subtract %middle, %ratio
      %power = multiply %factor, %log_t
      %log_sum = log %sum
      %scaled = add %power, 0.9189385332046727
      %direct = add %scaled, %log_sum
      // log(pi) - log(sin(pi x)) - lgamma(1 - x), with the fraction of x for x.
      %size = abs %x
      %whole = floor %size
      %fraction = subtract %size, %whole
      %is_upper = compare %fraction, 0.5 {direction = gt}
      %one = constant 1.0 : f64[S...]
      %rest = subtract %one, %fraction
      %near = select %is_upper, %rest, %fraction
      %angle = multiply %near, 3.141592653589793
      %sine = sine %angle
      %log_sine = log %sine
      %pole = negate %log_sine
      %raised = add %pole, 1.1447298858494002
      %difference = subtract %raised, %direct
      %is_regular = is_finite %log_sine
      %reflected = select %is_regular, %difference, %pole
      %value = select %is_low, %reflected, %direct
      %is_infinite = compare %size, inf {direction = eq}
      %y = select %is_infinite, inf, %value
      return %y
    }

    func @digamma_wide<S...>(%x: f64[S...]) -> f64[S...] {
      %is_low = compare %x, 0.5 {direction = lt}
      %negative = negate %x
      %less = subtract %x, 1.0
      %z = select %is_low, %negative, %less
      %sum, %slope, %log_t = lanczos_sum %z
      %t = add %z, 7.5
      %ratio = divide %slope, %sum
      %seven = constant 7.0 : f64[S...]
      %correction = divide %seven, %t
      %start = add %log_t, %ratio
      %direct = subtract %start, %correction
      // digamma(1 - x) - pi / tan(pi x), with x moved next to 0.
      %cotangent = cotangent_of_turns %x
      %reflected = subtract %direct, %cotangent
      %value = select %is_low, %reflected, %direct
      %whole = floor %x
      %is_whole = compare %x, %whole {direction = eq}
      %is_not_positive = compare %x, 0.0 {direction = le}
      %is_pole = and %is_whole, %is_not_positive
      %y = select %is_pole, nan, %value
      return %y
    }

    // pi / tan(pi x).
    func @cotangent_of_turns<S...>(%x: f64[S...]) -> f64[S...] {
      %nearest = round_nearest_even %x
      %rest = subtract %x, %nearest
      %angle = multiply %rest, 3.141592653589793
      %cosine = cosine %angle
      %sine = sine %angle
      %ratio = divide %cosine, %sine
      %y = multiply %ratio, 3.141592653589793
      return %y
    }

    func @polygamma_wide<S...>(%n: f64[S...], %x: f64[S...]) -> f64[S...] {
      %one = constant 1.0 : f64[S...]
      %order = add %n, 1.0
      %log = lgamma_wide %order
      %exact = exponential %log
      %factorial = round_nearest_even %exact
      %is_small = compare %n, 20.0 {direction = lt}
      %scale = select %is_small, %factorial, %exact
      // Below 0 for low orders the function of 1 - x, and derivatives of pi / tan(pi x).
      %whole = floor %x
      %is_between = compare %x, %whole {direction = ne}
      %is_negative = compare %x, 0.0 {direction = lt}
      %is_low = compare %n, 4.0 {direction = le}
      %is_left = and %is_between, %is_negative
      %is_reflected = and %is_left, %is_low
      %mirrored = subtract %one, %x
      %q = select %is_reflected, %mirrored, %x
      %zeta = zeta_wide %order, %q
      %value = multiply %scale, %zeta
      %parity = remainder %n, 2.0
      %doubled = multiply %parity, 2.0
      %sign = subtract %doubled, 1.0
      %direct = multiply %sign, %value
      %cotangent = cotangent_slope %n, %x
      %sum = add %value, %cotangent
      %reflected = negate %sum
      %derivative = select %is_reflected, %reflected, %direct
      %is_first = compare %n, 0.0 {direction = eq}
      %digamma = digamma_wide %x
      %chosen = select %is_first, %digamma, %derivative
      %whole.n = floor %n
      %is_broken = compare %n, %whole.n {direction = ne}
      %is_below = compare %n, 0.0 {direction = lt}
      %is_wrong = or %is_broken, %is_below
      %y = select %is_wrong, nan, %chosen
      return %y
    }

    // The derivative of order n, from 1 to 4, of pi / tan(pi x).
    func @cotangent_slope<S...>(%n: f64[S...], %x: f64[S...]) -> f64[S...] {
      %pi = constant 3.141592653589793 : f64[S...]
      %nearest = round_nearest_even %x
      %rest = subtract %x, %nearest
      %angle = multiply %rest, 3.141592653589793
      %sine = sine %angle
      %c = cosine %angle
      %r = divide %pi, %sine
      %rr = multiply %r, %r
      %rrr = multiply %rr, %r
      %rrrr = multiply %rr, %rr
      %cc = multiply %c, %c
      %first = negate %rr
      %second.half = multiply %rrr, %c
      %second = multiply %second.half, 2.0
      %third.factor = multiply %cc, 4.0
      %third.sum = add %third.factor, 2.0
      %third.size = multiply %rrrr, %third.sum
      %third = negate %third.size
      %fourth.sum = add %cc, 2.0
      %fourth.size = multiply %second.half, %rr
      %fourth.part = multiply %fourth.size, %fourth.sum
      %fourth = multiply %fourth.part, 8.0
      %is_first = compare %n, 1.0 {direction = eq}
      %is_second = compare %n, 2.0 {direction = eq}
      %is_third = compare %n, 3.0 {direction = eq}
      %high = select %is_third, %third, %fourth
      %upper = select %is_second, %second, %high
      %y = select %is_first, %first, %upper
      return %y
    }

    func @zeta_wide<S...>(%x: f64[S...], %q: f64[S...]) -> f64[S...] {
      %one = constant 1.0 : f64[S...]
      %exponent = negate %x
      %sum.0 = power %q, %exponent
    \(zetaTerms)
      %a = add %q, 10.0
      %power = power %a, %exponent
      // The integral over what is left.
      %product = multiply %power, %a
      %below = subtract %x, 1.0
      %integral = divide %product, %below
      %square = multiply %a, %a
      %inverse = divide %one, %square
      %tail.11 = constant 0.0 : f64[S...]
    \(zetaCorrections)
      %quotient = divide %x, %a
      %last = add %tail.0, 0.08333333333333333
      %scaled = multiply %quotient, %last
      %half = add %scaled, 0.5
      %correction = multiply %power, %half
      %partial = add %sum.9, %integral
      %value = add %partial, %correction
      // Terms that vanish may leave infinities in the correction.
      %size = abs %power
      %sum.size = abs %sum.9
      %limit = multiply %sum.size, 2.220446049250313e-16
      %is_enough = compare %size, %limit {direction = lt}
      %finite = select %is_enough, %sum.9, %value
      %is_harmonic = compare %x, 1.0 {direction = eq}
      %is_low = compare %x, 1.0 {direction = lt}
      %whole.x = floor %x
      %whole.q = floor %q
      %is_left = compare %q, 0.0 {direction = le}
      %is_broken = compare %x, %whole.x {direction = ne}
      %is_whole = compare %q, %whole.q {direction = eq}
      %parity = remainder %x, 2.0
      %is_even = compare %parity, 0.0 {direction = eq}
      %is_undefined = and %is_left, %is_broken
      %is_nan = or %is_low, %is_undefined
      %is_pole = and %is_left, %is_whole
      %is_odd = not %is_even
      %is_odd_pole = and %is_pole, %is_odd
      %is_infinite = or %is_pole, %is_harmonic
      %infinite = select %is_infinite, inf, %finite
      %no_pole = select %is_odd_pole, nan, %infinite
      %y = select %is_nan, nan, %no_pole
      return %y
    }
    """

  /// The terms `c / (z + k)` of Lanczos' sum and their derivatives.
  private static let lanczosTerms = [
    676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
    12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
  ].enumerated().map { index, coefficient in
    """
      %place.\(index) = add %z, \(index + 1).0
      %c.\(index) = constant \(coefficient) : f64[S...]
      %term.\(index) = divide %c.\(index), %place.\(index)
      %sum.\(index + 1) = add %sum.\(index), %term.\(index)
      %slope.term.\(index) = divide %term.\(index), %place.\(index)
      %slope.\(index + 1) = subtract %slope.\(index), %slope.term.\(index)
    """
  }.joined(separator: "\n")

  /// The terms of the zeta function but the first.
  private static let zetaTerms = (1...9).map { index in
    """
      %place.\(index) = add %q, \(index).0
      %power.\(index) = power %place.\(index), %exponent
      %sum.\(index) = add %sum.\(index - 1), %power.\(index)
    """
  }.joined(separator: "\n")

  /// The corrections by Horner's rule, from the last to the second: with `B / (2 k)!`, B Bernoulli's
  /// number of index 2 k, as `c`, the sum of all `c (x + 1) … (x + 2 k - 2) / a^(2 k - 2)`.
  private static let zetaCorrections = [
    -720, 30_240, -1_209_600, 47_900_160, -1_892_437_580.3183792, 74_724_249_600,
    -2_950_130_727_918.1643, 116_467_828_143_500.67, -4_597_978_722_407_472.6,
    1.8152105401943547e17, -7.166165256175667e18,
  ].enumerated().reversed().map { index, divisor in
    """
      %low.\(index) = add %x, \(2 * index + 1).0
      %high.\(index) = add %x, \(2 * index + 2).0
      %both.\(index) = multiply %low.\(index), %high.\(index)
      %factor.\(index) = multiply %both.\(index), %inverse
      %c.\(index) = add %tail.\(index + 1), \(1 / divisor)
      %tail.\(index) = multiply %factor.\(index), %c.\(index)
    """
  }.joined(separator: "\n")
}
