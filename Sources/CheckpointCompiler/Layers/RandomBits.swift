// Random bits from a state of 64-bit words: what StableHLO's rng_bit_generator gives with XLA.
//
// Method      Both generators encrypt a counter. Three-fry makes two words of a counter of 64 bits,
//             and neighbours along one dimension share a counter; Philox makes four words of one of
//             128 bits, for four neighbours. Numbers of 64 bits take two words each, the lower one
//             first; numbers of 8 and 16 bits the lowest bits of a word.
// Source      Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//             doi:10.1145/2063384.2063405.
// Checked by  Words of jax.lax.rng_bit_generator; see the tests.

extension Prelude {
  static let randomBits = """
    // The state key, counter to its successor, and random numbers of the unsigned dtype `to`. Of the
    // dimension in the middle, two neighbours have the words of one counter.
    func @threefry(%state: ui64[2]; outer = 1, extent, inner = 1, to) -> (
        ui64[2], to[outer, extent, inner]) {
      %key.part = slice %state {start = [0], limit = [1]}
      %key = reshape %key.part : ui64
      %start.part = slice %state {start = [1], limit = [2]}
      %start = reshape %start.part : ui64
      %bits, %count = if equal(to, ui64) {
        %counters = iota {dim = 0} : ui64[outer * extent * inner]
        %first, %second = threefry_words %key, %start, %counters
        %low = convert %first : ui64[outer * extent * inner]
        %high = convert %second : ui64[outer * extent * inner]
        %raised = shift_left %high, 32
        %numbers = or %low, %raised
        %all = reshape %numbers : ui64[outer, extent, inner]
        %used = constant outer * extent * inner : ui64
        yield %all, %used
      } else {
        %counters = iota {dim = 0} : ui64[outer * ((extent + 1) / 2) * inner]
        %first, %second = threefry_words %key, %start, %counters
        %even = reshape %first : ui32[outer, (extent + 1) / 2, 1, inner]
        %odd = reshape %second : ui32[outer, (extent + 1) / 2, 1, inner]
        %pairs = concatenate %even, %odd {dim = 2}
        %row = reshape %pairs : ui32[outer, (extent + 1) / 2 * 2, inner]
        %words = slice %row {start = [0, 0, 0], limit = [outer, extent, inner]}
        %all = cast %words {to = to}
        %used = constant outer * ((extent + 1) / 2) * inner : ui64
        yield %all, %used
      }
      %next = add %start, %count
      %next.part = reshape %next : ui64[1]
      %new = concatenate %key.part, %next.part {dim = 0}
      return %new, %bits
    }

    // The two words of every counter: Threefry-2x32 with 20 rounds.
    func @threefry_words<N>(%key: ui64, %start: ui64, %counters: ui64[N]) -> (ui32[N], ui32[N]) {
      %k0 = convert %key : ui32
      %key.high = shift_right_logical %key, 32
      %k1 = convert %key.high : ui32
      %both = xor %k0, %k1
      %k2 = xor %both, 466688986
      %key.0 = broadcast_in_dim %k0 {dims = []} : ui32[N]
      %key.1 = broadcast_in_dim %k1 {dims = []} : ui32[N]
      %key.2 = broadcast_in_dim %k2 {dims = []} : ui32[N]
      %starts = broadcast_in_dim %start {dims = []} : ui64[N]
      %counter = add %starts, %counters
      %low = convert %counter : ui32[N]
      %counter.high = shift_right_logical %counter, 32
      %high = convert %counter.high : ui32[N]
      %a.0 = add %low, %key.0
      %b.0 = add %high, %key.1
    \(threefryRounds)
      return %a.20.keyed, %b.20.keyed
    }

    // The state key, counter to its successor, and `count` random numbers of the unsigned dtype `to`.
    // The counter of 128 bits is the two last words of three, the lower one first, or the last one
    // and the key.
    func @philox<K>(%state: ui64[K]; count, to) -> (ui64[K], to[count]) {
      %key.part = slice %state {start = [0], limit = [1]}
      %key = reshape %key.part : ui64
      %low.part = slice %state {start = [1], limit = [2]}
      %low = reshape %low.part : ui64
      %high = if equal(K, 2) {
        yield %key
      } else {
        %high.part = slice %state {start = [2], limit = [3]}
        %third = reshape %high.part : ui64
        yield %third
      }
      %bits, %used = if equal(to, ui64) {
        %a, %b, %c, %d = philox_words %key, %low, %high {count = (count + 1) / 2}
        %first = joined_words %a, %b
        %second = joined_words %c, %d
        %first.column = reshape %first : ui64[(count + 1) / 2, 1]
        %second.column = reshape %second : ui64[(count + 1) / 2, 1]
        %rows = concatenate %first.column, %second.column {dim = 1}
        %row = reshape %rows : ui64[(count + 1) / 2 * 2]
        %numbers = slice %row {start = [0], limit = [count]}
        %blocks = constant (count + 1) / 2 : ui64
        yield %numbers, %blocks
      } else {
        %a, %b, %c, %d = philox_words %key, %low, %high {count = (count + 3) / 4}
        %a.column = reshape %a : ui32[(count + 3) / 4, 1]
        %b.column = reshape %b : ui32[(count + 3) / 4, 1]
        %c.column = reshape %c : ui32[(count + 3) / 4, 1]
        %d.column = reshape %d : ui32[(count + 3) / 4, 1]
        %rows = concatenate %a.column, %b.column, %c.column, %d.column {dim = 1}
        %row = reshape %rows : ui32[(count + 3) / 4 * 4]
        %words = slice %row {start = [0], limit = [count]}
        %numbers = cast %words {to = to}
        %blocks = constant (count + 3) / 4 : ui64
        yield %numbers, %blocks
      }
      %next.low = add %low, %used
      %next.low.part = reshape %next.low : ui64[1]
      %new = if equal(K, 2) {
        %pair = concatenate %key.part, %next.low.part {dim = 0}
        yield %pair
      } else {
        %wraps = compare %next.low, %low {direction = lt}
        %carry = convert %wraps : ui64
        %next.high = add %high, %carry
        %next.high.part = reshape %next.high : ui64[1]
        %three = concatenate %key.part, %next.low.part, %next.high.part {dim = 0}
        yield %three
      }
      return %new, %bits
    }

    // Two words as one number, the lower one first.
    func @joined_words<N>(%low: ui32[N], %high: ui32[N]) -> ui64[N] {
      %low.wide = convert %low : ui64[N]
      %high.wide = convert %high : ui64[N]
      %raised = shift_left %high.wide, 32
      %y = or %low.wide, %raised
      return %y
    }

    // The four words of each of `count` counters from one on: Philox-4x32 with 10 rounds.
    func @philox_words(%key: ui64, %low: ui64, %high: ui64; count) -> (
        ui32[count], ui32[count], ui32[count], ui32[count]) {
      %lows = broadcast_in_dim %low {dims = []} : ui64[count]
      %highs = broadcast_in_dim %high {dims = []} : ui64[count]
      %numbers = iota {dim = 0} : ui64[count]
      %counter = add %lows, %numbers
      %wraps = compare %counter, %lows {direction = lt}
      %carry = convert %wraps : ui64[count]
      %upper = add %highs, %carry
      %a.0 = convert %counter : ui32[count]
      %counter.high = shift_right_logical %counter, 32
      %b.0 = convert %counter.high : ui32[count]
      %c.0 = convert %upper : ui32[count]
      %upper.high = shift_right_logical %upper, 32
      %d.0 = convert %upper.high : ui32[count]
      %k.word = convert %key : ui32
      %key.high = shift_right_logical %key, 32
      %l.word = convert %key.high : ui32
      %k.0 = broadcast_in_dim %k.word {dims = []} : ui32[count]
      %l.0 = broadcast_in_dim %l.word {dims = []} : ui32[count]
    \(philoxRounds)
      return %a.10, %b.10, %c.10, %d.10
    }
    """

  /// The rounds of Three-fry; after every fourth one a part of the key is added.
  private static let threefryRounds = (1...20).map { round in
    let distances = [13, 15, 26, 6, 17, 29, 16, 24]
    let distance = distances[(round - 1) % 8]
    let source = round > 1 && (round - 1) % 4 == 0 ? "\(round - 1).keyed" : "\(round - 1)"
    var text = """
        %a.\(round) = add %a.\(source), %b.\(source)
        %left.\(round) = shift_left %b.\(source), \(distance)
        %right.\(round) = shift_right_logical %b.\(source), \(32 - distance)
        %turned.\(round) = or %left.\(round), %right.\(round)
        %b.\(round) = xor %a.\(round), %turned.\(round)
      """
    if round % 4 == 0 {
      let step = round / 4
      text += """

          %a.\(round).keyed = add %a.\(round), %key.\(step % 3)
          %b.\(round).sum = add %b.\(round), %key.\((step + 1) % 3)
          %b.\(round).keyed = add %b.\(round).sum, \(step)
        """
    }
    return text
  }.joined(separator: "\n")

  /// The rounds of Philox; the key is raised after each.
  private static let philoxRounds = (1...10).map { round in
    let last = round - 1
    return """
        %a.wide.\(round) = convert %a.\(last) : ui64[count]
        %first.\(round) = multiply %a.wide.\(round), 3528531795
        %d.\(round) = convert %first.\(round) : ui32[count]
        %first.shifted.\(round) = shift_right_logical %first.\(round), 32
        %first.high.\(round) = convert %first.shifted.\(round) : ui32[count]
        %c.wide.\(round) = convert %c.\(last) : ui64[count]
        %second.\(round) = multiply %c.wide.\(round), 3449720151
        %b.\(round) = convert %second.\(round) : ui32[count]
        %second.shifted.\(round) = shift_right_logical %second.\(round), 32
        %second.high.\(round) = convert %second.shifted.\(round) : ui32[count]
        %mixed.b.\(round) = xor %second.high.\(round), %b.\(last)
        %a.\(round) = xor %mixed.b.\(round), %k.\(last)
        %mixed.d.\(round) = xor %first.high.\(round), %d.\(last)
        %c.\(round) = xor %mixed.d.\(round), %l.\(last)
        %k.\(round) = add %k.\(last), 2654435769
        %l.\(round) = add %l.\(last), 3144134277
      """
  }.joined(separator: "\n")
}
