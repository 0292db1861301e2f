// Softmax and its relatives, over the last dimension. The largest element is subtracted first, so
// that no exponential overflows.

extension Prelude {
  static let softmax = """
    // exp(x) over the sum of exp(x), for every row of x [..., N].
    func @softmax<T: dtype, B..., N>(%x: T[B..., N]) -> T[B..., N] gradient @softmax.gradient {
      %max = reduce %x {kind = max, dims = [-1]}
      %spread = broadcast_in_dim %max {dims = range(rank(B))} : T[B..., N]
      %shifted = subtract %x, %spread
      %exp = exponential %shifted
      %sum = reduce %exp {kind = add, dims = [-1]}
      %sums = broadcast_in_dim %sum {dims = range(rank(B))} : T[B..., N]
      %y = divide %exp, %sums
      return %y
    }

    // dx = y * (dy - sum(dy * y)): it needs the result only.
    func @softmax.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B..., N], %dy: T[B..., N]) -> T[B..., N] {
      %product = multiply %dy, %y
      %dot = reduce %product {kind = add, dims = [-1]}
      %dots = broadcast_in_dim %dot {dims = range(rank(B))} : T[B..., N]
      %rest = subtract %dy, %dots
      %dx = multiply %y, %rest
      return %dx
    }

    // The logarithm of the sum of exp(x), for every row of x [..., N]: [...].
    func @log_sum_exp<T: dtype, B..., N>(%x: T[B..., N]) -> T[B...] gradient @log_sum_exp.gradient {
      %max = reduce %x {kind = max, dims = [-1]}
      %spread = broadcast_in_dim %max {dims = range(rank(B))} : T[B..., N]
      %shifted = subtract %x, %spread
      %exp = exponential %shifted
      %sum = reduce %exp {kind = add, dims = [-1]}
      %log = log %sum
      %y = add %log, %max
      return %y
    }

    // dx = softmax(x) * dy, with softmax(x) = exp(x - y).
    func @log_sum_exp.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B...], %dy: T[B...]) -> T[B..., N] {
      %spread = broadcast_in_dim %y {dims = range(rank(B))} : T[B..., N]
      %log = subtract %x, %spread
      %softmax = exponential %log
      %dys = broadcast_in_dim %dy {dims = range(rank(B))} : T[B..., N]
      %dx = multiply %softmax, %dys
      return %dx
    }

    // The logarithm of softmax, for every row of x [..., N].
    func @log_softmax<T: dtype, B..., N>(%x: T[B..., N])
        -> T[B..., N] gradient @log_softmax.gradient {
      %total = log_sum_exp %x
      %totals = broadcast_in_dim %total {dims = range(rank(B))} : T[B..., N]
      %y = subtract %x, %totals
      return %y
    }

    // dx = dy - exp(y) * sum(dy): it needs the result only.
    func @log_softmax.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B..., N], %dy: T[B..., N]) -> T[B..., N] {
      %sum = reduce %dy {kind = add, dims = [-1]}
      %sums = broadcast_in_dim %sum {dims = range(rank(B))} : T[B..., N]
      %softmax = exponential %y
      %product = multiply %softmax, %sums
      %dx = subtract %dy, %product
      return %dx
    }
    """
}
