// Dropout.

extension Prelude {
  static let dropout = """
    // Sets each element of x to 0 with probability `rate` and scales the others by 1 / (1 - rate).
    // The key ui32[2], seed and step, decides which; a rate of 0 changes nothing.
    func @dropout<T: dtype, S...>(%x: T[S...], %key: ui32[2]; rate = 0.5) -> T[S...] {
      %y = if equal(rate, 0) {
        yield %x
      } else {
        %uniform = random %key {distribution = uniform} : f32[S...]
        %limit = constant rate : f32[S...]
        %is_kept = compare %uniform, %limit {direction = ge}
        %scaled = multiply %x, 1.0 / (1.0 - rate)
        %kept = select %is_kept, %scaled, 0.0
        yield %kept
      }
      return %y
    }
    """
}
