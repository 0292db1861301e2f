// What training minimizes, and what people look at beside it. All are `f32` (`f64` of `f64`).

extension Prelude {
  static let losses = """
    // Mean over all rows of logits [..., K] of the negative log-likelihood of its label in
    // labels [...], integers in 0..<K.
    func @cross_entropy<T: dtype, I: dtype, B..., K>(%logits: T[B..., K], %labels: I[B...]) {
      %wide = cast %logits {to = wide(T)}
      %total = log_sum_exp %wide
      %picked = logit_of_label %wide, %labels
      %losses = subtract %total, %picked
      %sum = reduce %losses {kind = add, dims = range(rank(B))}
      %loss = multiply %sum, 1.0 / product(B)
      return %loss
    }

    // For every row of logits [..., K] the element that its label in labels [...] names: [...].
    // A comparison with the index fuses with its neighbours, where a gather would not.
    func @logit_of_label<T: dtype, I: dtype, B..., K>(%logits: T[B..., K], %labels: I[B...])
        -> T[B...] {
      %classes = iota {dim = -1} : I[B..., K]
      %spread = broadcast_in_dim %labels {dims = range(rank(B))} : I[B..., K]
      %is_label = compare %classes, %spread {direction = eq}
      %masked = select %is_label, %logits, 0.0
      %y = reduce %masked {kind = add, dims = [-1]}
      return %y
    }

    // The fraction of rows of logits [..., K] whose label in labels [...] has the largest logit.
    func @accuracy<T: dtype, I: dtype, B..., K>(%logits: T[B..., K], %labels: I[B...]) {
      %wide = cast %logits {to = wide(T)}
      %max = reduce %wide {kind = max, dims = [-1]}
      %picked = logit_of_label %wide, %labels
      %is_right = compare %picked, %max {direction = ge}
      %right = cast %is_right {to = wide(T)}
      %sum = reduce %right {kind = add, dims = range(rank(B))}
      %y = multiply %sum, 1.0 / product(B)
      return %y
    }

    // Mean of (x - target)^2 over all elements.
    func @mse<T: dtype, S...>(%x: T[S...], %target: T[S...]) {
      %wide = cast %x {to = wide(T)}
      %wide.target = cast %target {to = wide(T)}
      %difference = subtract %wide, %wide.target
      %square = multiply %difference, %difference
      %sum = reduce %square {kind = add, dims = range(rank(S))}
      %loss = multiply %sum, 1.0 / product(S)
      return %loss
    }
    """
}
