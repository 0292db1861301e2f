// Layers that change the resolution of images [batch, height, width, channels].

extension Prelude {
  static let pooling = """
    // Largest element of every window of x [N, H, W, C]; `padding` on every side never wins.
    func @max_pool2d<T: dtype, N, H, W, C>(
        %x: T[N, H, W, C]; window = 2, stride = window, padding = 0) {
      %y = reduce_window %x {
        kind = max, window = [1, window, window, 1], strides = [1, stride, stride, 1],
        low = [0, padding, padding, 0], high = [0, padding, padding, 0]}
      return %y
    }

    // Mean of every window of x [N, H, W, C]; `padding` zeros on every side count.
    func @avg_pool2d<T: dtype, N, H, W, C>(
        %x: T[N, H, W, C]; window = 2, stride = window, padding = 0) {
      %sum = reduce_window %x {
        kind = add, window = [1, window, window, 1], strides = [1, stride, stride, 1],
        low = [0, padding, padding, 0], high = [0, padding, padding, 0]}
      %y = multiply %sum, 1.0 / (window * window)
      return %y
    }

    // Mean of every channel of x [N, H, W, C] over all places: [N, C].
    func @global_avg_pool<T: dtype, N, H, W, C>(%x: T[N, H, W, C]) -> T[N, C] {
      %sum = reduce %x {kind = add, dims = [1, 2]}
      %y = multiply %sum, 1.0 / (H * W)
      return %y
    }

    // Every pixel of x [N, H, W, C] repeated `scale` times in both directions.
    func @upsample<T: dtype, N, H, W, C>(%x: T[N, H, W, C]; scale = 2)
        -> T[N, H * scale, W * scale, C] {
      %repeated = broadcast_in_dim %x {dims = [0, 1, 3, 5]} : T[N, H, scale, W, scale, C]
      %y = reshape %repeated : T[N, H * scale, W * scale, C]
      return %y
    }
    """
}
