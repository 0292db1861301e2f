// Layers that bring values to mean 0 and variance 1.
//
// All of them are `standardize` over some dimensions. Its gradient is written by hand: derived, the
// mean and the variance would be two more passes over the data, one after the other.

extension Prelude {
  static let normalization = """
    // Mean and variance (divided by `count`) of x over `dims`. `kept` are the other dimensions,
    // `count` is the number of elements that each mean is taken of.
    func @moments<T: dtype, S...>(%x: T[S...]; dims, kept, count) {
      %sum = reduce %x {kind = add, dims = dims}
      %mean = multiply %sum, 1.0 / count
      %centered = subtract_along %x, %mean {kept = kept}
      %square = multiply %centered, %centered
      %squares = reduce %square {kind = add, dims = dims}
      %variance = multiply %squares, 1.0 / count
      return %mean, %variance
    }

    // (x - mean) / sqrt(variance + epsilon), with mean and variance over `dims`; see @moments.
    func @standardize<T: dtype, S...>(%x: T[S...]; dims, kept, count, epsilon = 1e-5)
        -> T[S...] gradient @standardize.gradient {
      %wide = cast %x {to = wide(T)}
      %mean, %variance = moments %wide {dims = dims, kept = kept, count = count}
      %raised = add %variance, epsilon
      %inverse = rsqrt %raised
      %centered = subtract_along %wide, %mean {kept = kept}
      %scaled = multiply_along %centered, %inverse {kept = kept}
      %y = cast %scaled {to = T}
      return %y
    }

    // dx = (dy - mean(dy) - y * mean(dy * y)) / sqrt(variance + epsilon).
    func @standardize.gradient<T: dtype, S...>(
        %x: T[S...], %y: T[S...], %dy: T[S...]; dims, kept, count, epsilon) -> T[S...] {
      %wide = cast %x {to = wide(T)}
      %mean, %variance = moments %wide {dims = dims, kept = kept, count = count}
      %raised = add %variance, epsilon
      %inverse = rsqrt %raised
      %wide.y = cast %y {to = wide(T)}
      %wide.dy = cast %dy {to = wide(T)}
      %sum = reduce %wide.dy {kind = add, dims = dims}
      %dy.mean = multiply %sum, 1.0 / count
      %product = multiply %wide.dy, %wide.y
      %dot = reduce %product {kind = add, dims = dims}
      %dot.mean = multiply %dot, 1.0 / count
      %along = multiply_along %wide.y, %dot.mean {kept = kept}
      %centered = subtract_along %wide.dy, %dy.mean {kept = kept}
      %rest = subtract %centered, %along
      %scaled = multiply_along %rest, %inverse {kept = kept}
      %dx = cast %scaled {to = T}
      return %dx
    }

    // y [..., C] times gain [C], plus bias [C].
    func @scale_and_shift<T: dtype, B..., C>(
        %x: T[B..., C], %gain: T[C], %bias: T[C]) -> T[B..., C] {
      %gains = broadcast_in_dim %gain {dims = [-1]} : T[B..., C]
      %scaled = multiply %x, %gains
      %biases = broadcast_in_dim %bias {dims = [-1]} : T[B..., C]
      %y = add %scaled, %biases
      return %y
    }

    // Layer normalization: every row of x [..., N] standardized, times gain [N], plus bias [N].
    func @layer_norm<T: dtype, B..., N>(
        %x: T[B..., N], %gain: T[N], %bias: T[N]; epsilon = 1e-5) -> T[B..., N] {
      %standard = standardize %x {
        dims = [rank(B)], kept = range(rank(B)), count = N, epsilon = epsilon}
      %y = scale_and_shift %standard, %gain, %bias
      return %y
    }

    // Root-mean-square normalization: every row of x [..., N] over sqrt(mean(x^2) + epsilon), times
    // gain [N].
    func @rms_norm<T: dtype, B..., N>(%x: T[B..., N], %gain: T[N]; epsilon = 1e-6) -> T[B..., N] {
      %scaled = rms_scale %x {epsilon = epsilon}
      %gains = broadcast_in_dim %gain {dims = [-1]} : T[B..., N]
      %y = multiply %scaled, %gains
      return %y
    }

    // Every row of x [..., N] over its root mean square.
    func @rms_scale<T: dtype, B..., N>(%x: T[B..., N]; epsilon = 1e-6)
        -> T[B..., N] gradient @rms_scale.gradient {
      %wide = cast %x {to = wide(T)}
      %inverse = inverse_rms %wide {epsilon = epsilon}
      %scaled = multiply_along %wide, %inverse {kept = range(rank(B))}
      %y = cast %scaled {to = T}
      return %y
    }

    // 1 / sqrt(mean(x^2) + epsilon) of every row of x [..., N].
    func @inverse_rms<T: dtype, B..., N>(%x: T[B..., N]; epsilon = 1e-6) -> T[B...] {
      %square = multiply %x, %x
      %squares = reduce %square {kind = add, dims = [-1]}
      %mean = multiply %squares, 1.0 / N
      %raised = add %mean, epsilon
      %inverse = rsqrt %raised
      return %inverse
    }

    // dx = (dy - y * mean(dy * y)) / sqrt(mean(x^2) + epsilon).
    func @rms_scale.gradient<T: dtype, B..., N>(
        %x: T[B..., N], %y: T[B..., N], %dy: T[B..., N]; epsilon) -> T[B..., N] {
      %wide = cast %x {to = wide(T)}
      %inverse = inverse_rms %wide {epsilon = epsilon}
      %wide.y = cast %y {to = wide(T)}
      %wide.dy = cast %dy {to = wide(T)}
      %product = multiply %wide.dy, %wide.y
      %dot = reduce %product {kind = add, dims = [-1]}
      %dot.mean = multiply %dot, 1.0 / N
      %along = multiply_along %wide.y, %dot.mean {kept = range(rank(B))}
      %rest = subtract %wide.dy, %along
      %scaled = multiply_along %rest, %inverse {kept = range(rank(B))}
      %dx = cast %scaled {to = T}
      return %dx
    }

    // Group normalization of x [N, ..., C]: the channels of each sample standardized in `groups`
    // groups, over all places; then times gain [C], plus bias [C].
    func @group_norm<T: dtype, N, S..., C>(
        %x: T[N, S..., C], %gain: T[C], %bias: T[C]; groups, epsilon = 1e-5) -> T[N, S..., C] {
      %split = reshape %x : T[N, S..., groups, C / groups]
      %standard = standardize %split {
        dims = range(1, rank(S) + 1) + [rank(S) + 2], kept = [0, rank(S) + 1],
        count = product(S) * (C / groups), epsilon = epsilon}
      %merged = reshape %standard : T[N, S..., C]
      %y = scale_and_shift %merged, %gain, %bias
      return %y
    }

    // Batch normalization in training: every channel of x [..., C] standardized over all other
    // dimensions, times gain [C], plus bias [C]. Gives y and the new running mean and variance, which
    // are state: `momentum` of the way from the old ones to those of this batch (the variance divided
    // by one less than the number of elements, as in PyTorch).
    // The running statistics may have a dtype of their own.
    func @batch_norm<T: dtype, R: dtype, B..., C>(
        %x: T[B..., C], %gain: T[C], %bias: T[C], %running_mean: R[C], %running_variance: R[C];
        epsilon = 1e-5, momentum = 0.1) {
      %standard = standardize %x {
        dims = range(rank(B)), kept = [rank(B)], count = product(B), epsilon = epsilon}
      %y = scale_and_shift %standard, %gain, %bias
      %wide = cast %x {to = wide(T)}
      %mean, %variance = moments %wide {
        dims = range(rank(B)), kept = [rank(B)], count = product(B)}
      %new_mean = running_average %running_mean, %mean {momentum = momentum}
      %unbiased = multiply %variance, 1.0 * product(B) / (product(B) - 1)
      %new_variance = running_average %running_variance, %unbiased {momentum = momentum}
      return %y, %new_mean, %new_variance
    }

    // Batch normalization in inference: with the running mean and variance.
    func @batch_norm_inference<T: dtype, B..., C>(
        %x: T[B..., C], %gain: T[C], %bias: T[C], %running_mean: T[C], %running_variance: T[C];
        epsilon = 1e-5) -> T[B..., C] {
      %raised = add %running_variance, epsilon
      %inverse = rsqrt %raised
      %means = broadcast_in_dim %running_mean {dims = [-1]} : T[B..., C]
      %centered = subtract %x, %means
      %scale = broadcast_in_dim %inverse {dims = [-1]} : T[B..., C]
      %standard = multiply %centered, %scale
      %y = scale_and_shift %standard, %gain, %bias
      return %y
    }

    // (1 - momentum) * old + momentum * fresh, in the dtype of old.
    func @running_average<R: dtype, T: dtype, S...>(%old: R[S...], %fresh: T[S...]; momentum)
        -> R[S...] {
      %same = cast %fresh {to = R}
      %kept = multiply %old, 1.0 - momentum
      %added = multiply %same, momentum
      %new = add %kept, %added
      return %new
    }
    """
}
