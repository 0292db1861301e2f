// Counter-based random numbers: Philox4x32 with ten rounds.
//
// Source      Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
//             doi:10.1145/2063384.2063405; the constants are theirs.

/// Four random words that depend on a counter and a key alone.
func philox4x32(
  counter: (UInt32, UInt32, UInt32, UInt32), key: (UInt32, UInt32)
) -> (UInt32, UInt32, UInt32, UInt32) {
  var (c0, c1, c2, c3) = counter
  var (k0, k1) = key
  for _ in 0..<10 {
    let first = UInt64(c0) &* 0xD251_1F53
    let second = UInt64(c2) &* 0xCD9E_8D57
    (c0, c1, c2, c3) = (
      UInt32(truncatingIfNeeded: second >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: second),
      UInt32(truncatingIfNeeded: first >> 32) ^ c3 ^ k1, UInt32(truncatingIfNeeded: first)
    )
    k0 &+= 0x9E37_79B9
    k1 &+= 0xBB67_AE85
  }
  return (c0, c1, c2, c3)
}

/// The words of a `random` op: element `i` is word `(i / 16) % 4` of block `i / 64 * 16 + i % 16`,
/// so that sixteen neighbours come from sixteen blocks, computed side by side.
///
/// The four words of the counter are the lower and the upper half of the number of the block, the
/// step, and 0.
func randomWords(count: Int, seed: UInt32, step: UInt32, stream: UInt32) -> [UInt32] {
  var words = [UInt32](repeating: 0, count: count)
  for group in stride(from: 0, to: count, by: 64) {
    for lane in 0..<16 where group + lane < count {
      let block = UInt64(group / 64 * 16 + lane)
      let four = philox4x32(
        counter: (
          UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), step, 0
        ), key: (seed, stream))
      words[group + lane] = four.0
      if group + lane + 16 < count { words[group + lane + 16] = four.1 }
      if group + lane + 32 < count { words[group + lane + 32] = four.2 }
      if group + lane + 48 < count { words[group + lane + 48] = four.3 }
    }
  }
  return words
}
