// Elementwise nonlinearities.

extension Prelude {
  static let activations = """
    // Rectified linear unit: x where x > 0, else 0. The gradient at 0 is 0.
    func @relu<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %y = maximum %x, 0.0
      return %y
    }

    // x where x > 0, else slope * x.
    func @leaky_relu<T: dtype, S...>(%x: T[S...]; slope = 0.01) -> T[S...] {
      %zero = constant 0.0 : T[S...]
      %positive = compare %x, %zero {direction = gt}
      %scaled = multiply %x, slope
      %y = select %positive, %x, %scaled
      return %y
    }

    // 1 / (1 + exp(-x)).
    func @sigmoid<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %y = logistic %x
      return %y
    }

    // x * sigmoid(x), also called swish.
    func @silu<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %sigmoid = logistic %x
      %y = multiply %x, %sigmoid
      return %y
    }

    // Gaussian error linear unit: x * P(x), P the normal distribution function, through erf.
    func @gelu<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @gelu.gradient {
      %distribution = normal_distribution %x
      %y = multiply %x, %distribution
      return %y
    }

    // (1 + erf(x / sqrt(2))) / 2.
    func @normal_distribution<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %scaled = multiply %x, sqrt(0.5)
      %erf = erf %scaled
      %half = multiply %erf, 0.5
      %y = add %half, 0.5
      return %y
    }

    // dx = dy * (P(x) + x * exp(-x^2 / 2) / sqrt(2 pi)).
    func @gelu.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %distribution = normal_distribution %x
      %halved = multiply %x, -0.5
      %exponent = multiply %halved, %x
      %bell = exponential %exponent
      %density = multiply %bell, 1.0 / sqrt(2.0 * 3.141592653589793)
      %change = multiply %x, %density
      %slope = add %distribution, %change
      %dx = multiply %dy, %slope
      return %dx
    }

    // GELU approximated through tanh, as GPT-2 has it:
    // x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, which is x * sigmoid(u) with u twice the
    // argument of tanh.
    func @gelu_tanh<T: dtype, S...>(%x: T[S...]) -> T[S...] gradient @gelu_tanh.gradient {
      %sigmoid = gelu_sigmoid %x
      %y = multiply %x, %sigmoid
      return %y
    }

    // sigmoid(u) of gelu_tanh, u = x * (a + b x^2).
    func @gelu_sigmoid<T: dtype, S...>(
        %x: T[S...]; a = 2.0 * sqrt(2.0 / 3.141592653589793), b = 0.044715 * a) -> T[S...] {
      %linear = multiply %x, b
      %square = multiply %linear, %x
      %factor = add %square, a
      %u = multiply %x, %factor
      %y = logistic %u
      return %y
    }

    // dx = dy * (s + x * s * (1 - s) * (a + 3 b x^2)) with s = sigmoid(u).
    func @gelu_tanh.gradient<T: dtype, S...>(%x: T[S...], %y: T[S...], %dy: T[S...]) -> T[S...] {
      %sigmoid = gelu_sigmoid %x
      %linear = multiply %x, 3.0 * 0.044715 * 2.0 * sqrt(2.0 / 3.141592653589793)
      %square = multiply %linear, %x
      %u.slope = add %square, 2.0 * sqrt(2.0 / 3.141592653589793)
      %rising = multiply %u.slope, %y
      %one = constant 1.0 : T[S...]
      %complement = subtract %one, %sigmoid
      %change = multiply %rising, %complement
      %slope = add %sigmoid, %change
      %dx = multiply %dy, %slope
      return %dx
    }
    """
}
