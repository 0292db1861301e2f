// Questions to numbers, and their neighbours.

extension Prelude {
  static let numbers = """
    // x times x.
    func @square<T: dtype, S...>(%x: T[S...]) -> T[S...] {
      %y = multiply %x, %x
      return %y
    }

    // Whether x is infinite.
    func @is_inf<T: dtype, S...>(%x: T[S...]) -> i1[S...] {
      %size = abs %x
      %y = compare %size, inf {direction = eq}
      return %y
    }

    // Whether x is infinity.
    func @is_pos_inf<T: dtype, S...>(%x: T[S...]) -> i1[S...] {
      %y = compare %x, inf {direction = eq}
      return %y
    }

    // Whether x is -infinity.
    func @is_neg_inf<T: dtype, S...>(%x: T[S...]) -> i1[S...] {
      %y = compare %x, -inf {direction = eq}
      return %y
    }

    // The number of the dtype after x in the direction of y; y where they are equal.
    func @next_after<T: dtype, S...>(%x: T[S...], %y: T[S...]) -> T[S...] {
      %z = if equal(T, f64) {
        %r = next_after_by_bits %x, %y {bits = ui64}
        yield %r
      } else {
        %r = if equal(T, f32) {
          %s = next_after_by_bits %x, %y {bits = ui32}
          yield %s
        } else {
          %s = next_after_by_bits %x, %y {bits = ui16}
          yield %s
        }
        yield %r
      }
      return %z
    }

    // Without its sign a number has the bits of its place in the row of all numbers.
    func @next_after_by_bits<T: dtype, S...>(%x: T[S...], %y: T[S...]; bits) -> T[S...] {
      %x.bits = bitcast_convert %x : bits[S...]
      %y.bits = bitcast_convert %y : bits[S...]
      %zero = constant 0 : bits[S...]
      %one = constant 1 : bits[S...]
      %all = not %zero
      %size.mask = shift_right_logical %all, 1
      %sign.mask = not %size.mask
      %x.size = and %x.bits, %size.mask
      %y.size = and %y.bits, %size.mask
      %x.sign = and %x.bits, %sign.mask
      %y.sign = and %y.bits, %sign.mask
      %is_larger = compare %x.size, %y.size {direction = gt}
      %is_opposite = compare %x.sign, %y.sign {direction = ne}
      %is_inwards = or %is_larger, %is_opposite
      %step = select %is_inwards, %all, %one
      %next = add %x.bits, %step
      // From 0 to the smallest number of the sign of y.
      %least = or %y.sign, %one
      %is_zero = compare %x.size, 0 {direction = eq}
      %moved = select %is_zero, %least, %next
      %number = bitcast_convert %moved : T[S...]
      %is_same = compare %x, %y {direction = eq}
      %result = select %is_same, %y, %number
      // NaN if either is.
      %sum = add %x, %y
      %is_nan.x = compare %x, %x {direction = ne}
      %is_nan.y = compare %y, %y {direction = ne}
      %is_nan = or %is_nan.x, %is_nan.y
      %z = select %is_nan, %sum, %result
      return %z
    }
    """
}
