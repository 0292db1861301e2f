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

    // Gaussian error linear unit: x times the normal distribution function of x, through erf.
    func @gelu<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %scaled = multiply %x, sqrt(0.5)
      %erf = erf %scaled
      %shifted = add %erf, 1.0
      %half = multiply %x, 0.5
      %y = multiply %half, %shifted
      return %y
    }

    // GELU approximated through tanh, as GPT-2 has it.
    func @gelu_tanh<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %square = multiply %x, %x
      %cubic = multiply %square, 0.044715
      %factor = add %cubic, 1.0
      %scaled = multiply %x, sqrt(2.0 / 3.141592653589793)
      %inner = multiply %scaled, %factor
      %tanh = tanh %inner
      %shifted = add %tanh, 1.0
      %half = multiply %x, 0.5
      %y = multiply %half, %shifted
      return %y
    }
    """
}
