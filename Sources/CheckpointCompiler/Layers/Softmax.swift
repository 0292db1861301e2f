// Softmax and its relatives, over the last dimension. The largest element is subtracted first, so
// that no exponential overflows.

extension Prelude {
  static let softmax = """
    // exp(x) over the sum of exp(x), for every row of x [..., N].
    func @softmax<T: dtype, B..., N>(%x: T[B..., N]) -> T[B..., N] gradient @softmax.gradient {
      %wide = cast %x {to = wide(T)}
      %max = reduce %wide {kind = max, dims = [-1]}
      %shifted = subtract_along %wide, %max {kept = range(rank(B))}
      %exp = exponential %shifted
      %sum = reduce %exp {kind = add, dims = [-1]}
      %quotient = divide_along %exp, %sum {kept = range(rank(B))}
      %y = cast %quotient {to = T}
      return %y
    }

    // dx = y * (dy - sum(dy * y)): it needs the result only.
    func @softmax.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B..., N], %dy: T[B..., N]) -> T[B..., N] {
      %wide.y = cast %y {to = wide(T)}
      %wide.dy = cast %dy {to = wide(T)}
      %product = multiply %wide.dy, %wide.y
      %dot = reduce %product {kind = add, dims = [-1]}
      %rest = subtract_along %wide.dy, %dot {kept = range(rank(B))}
      %scaled = multiply %wide.y, %rest
      %dx = cast %scaled {to = T}
      return %dx
    }

    // The logarithm of the sum of exp(x), for every row of x [..., N]: [...].
    func @log_sum_exp<T: dtype, B..., N>(%x: T[B..., N]) -> T[B...] gradient @log_sum_exp.gradient {
      %max = reduce %x {kind = max, dims = [-1]}
      %shifted = subtract_along %x, %max {kept = range(rank(B))}
      %exp = exponential %shifted
      %sum = reduce %exp {kind = add, dims = [-1]}
      %log = log %sum
      %y = add %log, %max
      return %y
    }

    // dx = softmax(x) * dy, with softmax(x) = exp(x - y).
    func @log_sum_exp.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B...], %dy: T[B...]) -> T[B..., N] {
      %log = subtract_along %x, %y {kept = range(rank(B))}
      %softmax = exponential %log
      %dx = multiply_along %softmax, %dy {kept = range(rank(B))}
      return %dx
    }

    // The logarithm of softmax, for every row of x [..., N].
    func @log_softmax<T: dtype, B..., N>(%x: T[B..., N])
        -> T[B..., N] gradient @log_softmax.gradient {
      %wide = cast %x {to = wide(T)}
      %total = log_sum_exp %wide
      %log = subtract_along %wide, %total {kept = range(rank(B))}
      %y = cast %log {to = T}
      return %y
    }

    // dx = dy - exp(y) * sum(dy): it needs the result only.
    func @log_softmax.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B..., N], %dy: T[B..., N]) -> T[B..., N] {
      %wide.y = cast %y {to = wide(T)}
      %wide.dy = cast %dy {to = wide(T)}
      %sum = reduce %wide.dy {kind = add, dims = [-1]}
      %softmax = exponential %wide.y
      %product = multiply_along %softmax, %sum {kept = range(rank(B))}
      %rest = subtract %wide.dy, %product
      %dx = cast %rest {to = T}
      return %dx
    }
    """
}
