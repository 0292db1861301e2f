// Layers that contract with weights, and lookups of rows of weights.

extension Prelude {
  static let linear = """
    // Affine map of the last dimension: x [..., I] times w [I, O].
    func @linear<T: dtype, B..., I, O>(%x: T[B..., I], %w: T[I, O]) -> T[B..., O] {
      %y = dot_general %x, %w {lhs_contract = [-1], rhs_contract = [0]}
      return %y
    }

    // Affine map of the last dimension: x [..., I] times w [I, O], plus b [O].
    func @linear<T: dtype, B..., I, O>(%x: T[B..., I], %w: T[I, O], %b: T[O]) -> T[B..., O] {
      %product = linear %x, %w
      %bias = broadcast_in_dim %b {dims = [-1]} : T[B..., O]
      %y = add %product, %bias
      return %y
    }

    // Convolution of images x [N, H, W, C] with w [KH, KW, C / groups, O]; `padding` zeros on every
    // side, `stride` between windows, `dilation` between the taps of a window.
    func @conv2d<T: dtype, N, H, W, C, KH, KW, I, O>(
        %x: T[N, H, W, C], %w: T[KH, KW, I, O];
        stride = 1, padding = 0, dilation = 1, groups = 1) {
      %y = convolution %x, %w {
        dim_numbers = "b01f_01io->b01f", strides = [stride, stride], low = [padding, padding],
        high = [padding, padding], rhs_dilation = [dilation, dilation], feature_groups = groups}
      return %y
    }

    // Convolution of images x [N, H, W, C] with w [KH, KW, C / groups, O], plus b [O].
    func @conv2d<T: dtype, N, H, W, C, KH, KW, I, O>(
        %x: T[N, H, W, C], %w: T[KH, KW, I, O], %b: T[O];
        stride = 1, padding = 0, dilation = 1, groups = 1) {
      %product = conv2d %x, %w {
        stride = stride, padding = padding, dilation = dilation, groups = groups}
      %y = add_bias %product, %b
      return %y
    }

    // x [..., C] plus b [C].
    func @add_bias<T: dtype, B..., C>(%x: T[B..., C], %b: T[C]) -> T[B..., C] {
      %bias = broadcast_in_dim %b {dims = [-1]} : T[B..., C]
      %y = add %x, %bias
      return %y
    }

    // The rows of table [V, D] that ids [...] name: [..., D]. Ids outside are clamped.
    func @embedding<T: dtype, I: dtype, S..., V, D>(%ids: I[S...], %table: T[V, D]) -> T[S..., D] {
      %y = gather %table, %ids {
        offset_dims = [rank(S)], collapsed_slice_dims = [0], start_index_map = [0],
        index_vector_dim = rank(S), slice_sizes = [1, D]}
      return %y
    }
    """
}
