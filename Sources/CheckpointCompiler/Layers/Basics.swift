// What other layers are made of: conversions, and arithmetic along some dimensions.

extension Prelude {
  static let basics = """
    // x in the dtype `to`; x itself where that is its own.
    func @cast<T: dtype, S...>(%x: T[S...]; to) -> to[S...] {
      %y = if equal(T, to) {
        yield %x
      } else {
        %converted = convert %x : to[S...]
        yield %converted
      }
      return %y
    }

    // x minus a, whose dimensions are the dimensions `kept` of x.
    func @subtract_along<T: dtype, S..., K...>(%x: T[S...], %a: T[K...]; kept) -> T[S...] {
      %spread = broadcast_in_dim %a {dims = kept} : T[S...]
      %y = subtract %x, %spread
      return %y
    }

    // x times a, whose dimensions are the dimensions `kept` of x.
    func @multiply_along<T: dtype, S..., K...>(%x: T[S...], %a: T[K...]; kept) -> T[S...] {
      %spread = broadcast_in_dim %a {dims = kept} : T[S...]
      %y = multiply %x, %spread
      return %y
    }

    // x over a, whose dimensions are the dimensions `kept` of x.
    func @divide_along<T: dtype, S..., K...>(%x: T[S...], %a: T[K...]; kept) -> T[S...] {
      %spread = broadcast_in_dim %a {dims = kept} : T[S...]
      %y = divide %x, %spread
      return %y
    }
    """
}
