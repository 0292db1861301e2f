// The memory in use at each slot of a sequence, under additions to ranges of slots.
//
// Method      Slots stand in blocks. A range adds to the slots of the blocks that it cuts and to one
//             number of each block that it covers; largest use and excess are kept per block, and
//             found anew only for blocks that were cut or may exceed the limit.
// Invariants  A block that is not stale knows the largest use and the excess of its occupied slots.
// Cost        An addition: O(√slots) with a small constant. Figures: O(blocks) and the occupied slots of
//             stale ones, found by the bits of a word.

/// Bytes in use per slot, some of the slots being empty.
struct SlotMemory: ~Copyable {
  /// The length of a block as a power of two, at least the 64 slots of a word.
  private let blockBits: Int
  private let blockLength: Int
  /// Number of slots, a multiple of the block length.
  let slotCount: Int
  private let blockCount: Int
  /// Bytes above this count as excess.
  private(set) var limitBytes: Int
  private let bytes: FixedBuffer<Int>
  /// A bit for each slot.
  private let occupied: FixedBuffer<UInt64>
  private let blockBytes: FixedBuffer<Int>
  private let blockPeak: FixedBuffer<Int>
  private let blockExcess: FixedBuffer<Int>
  private let isStale: FixedBuffer<Bool>
  private let stale: FixedBuffer<Int32>
  private var staleCount = 0

  /// Memory of at least `slotCount` empty slots.
  init(slotCount: Int, limitBytes: Int) {
    blockBits = slotCount < 1 << 15 ? 6 : (slotCount < 1 << 18 ? 8 : 10)
    blockLength = 1 << blockBits
    blockCount = max(1, (slotCount + blockLength - 1) >> blockBits)
    self.slotCount = blockCount << blockBits
    self.limitBytes = limitBytes
    bytes = FixedBuffer(repeating: 0, count: self.slotCount)
    occupied = FixedBuffer(repeating: 0, count: self.slotCount >> 6)
    blockBytes = FixedBuffer(repeating: 0, count: blockCount)
    blockPeak = FixedBuffer(repeating: 0, count: blockCount)
    blockExcess = FixedBuffer(repeating: 0, count: blockCount)
    isStale = FixedBuffer(repeating: false, count: blockCount)
    stale = FixedBuffer(repeating: 0, count: blockCount)
  }

  /// Empties all slots.
  mutating func clear() {
    bytes.fill(0)
    occupied.fill(0)
    blockBytes.fill(0)
    blockPeak.fill(0)
    blockExcess.fill(0)
    isStale.fill(false)
    staleCount = 0
  }

  /// Sets what counts as excess.
  mutating func setLimit(_ bytes: Int) {
    limitBytes = bytes
    for block in 0..<blockCount { markStale(block) }
  }

  /// Says whether a slot counts.
  mutating func setOccupied(_ slot: Int, _ isOccupied: Bool) {
    let bit = UInt64(1) << UInt64(slot & 63)
    occupied[slot >> 6] = isOccupied ? occupied[slot >> 6] | bit : occupied[slot >> 6] & ~bit
    markStale(slot >> blockBits)
  }

  /// Adds to all slots from `start` up to, not including, `end`.
  mutating func add(_ amount: Int, from start: Int, to end: Int) {
    if start >= end { return }
    let first = start >> blockBits
    let last = (end - 1) >> blockBits
    if first == last {
      cut(first, amount, start, end)
      return
    }
    var block = first
    if start & (blockLength - 1) != 0 {
      cut(first, amount, start, (first + 1) << blockBits)
      block += 1
    }
    var stop = last + 1
    if end & (blockLength - 1) != 0 {
      cut(last, amount, last << blockBits, end)
      stop -= 1
    }
    while block < stop {
      blockBytes[block] &+= amount
      let peak = blockPeak[block]
      blockPeak[block] = peak &+ amount
      if peak > limitBytes || peak &+ amount > limitBytes { markStale(block) }
      block += 1
    }
  }

  private mutating func cut(_ block: Int, _ amount: Int, _ start: Int, _ end: Int) {
    var slot = start
    while slot < end {
      bytes[slot] &+= amount
      slot += 1
    }
    markStale(block)
  }

  private mutating func markStale(_ block: Int) {
    if isStale[block] { return }
    isStale[block] = true
    stale[staleCount] = Int32(truncatingIfNeeded: block)
    staleCount += 1
  }

  private mutating func refresh() {
    for index in 0..<staleCount {
      let block = Int(stale[index])
      isStale[block] = false
      let limit = limitBytes &- blockBytes[block]
      var peak = Int.min / 4
      var excess = 0
      let firstWord = block << (blockBits - 6)
      for word in firstWord..<firstWord + (blockLength >> 6) {
        var bits = occupied[word]
        while bits != 0 {
          let inUse = bytes[word << 6 | bits.trailingZeroBitCount]
          bits &= bits &- 1
          peak = max(peak, inUse)
          // Sums over many runs may exceed a word for the largest problems: they are cut off.
          if inUse > limit { excess = min(Self.excessMax, excess &+ (inUse &- limit)) }
        }
      }
      blockPeak[block] = peak &+ blockBytes[block]
      blockExcess[block] = excess
    }
    staleCount = 0
  }

  private static let excessMax = Int.max / 8

  /// The largest use, and the sum over all occupied slots of what exceeds the limit.
  mutating func figures() -> (peakBytes: Int, excessBytes: Int) {
    refresh()
    var peak = 0
    var excess = 0
    for block in 0..<blockCount where blockPeak[block] > peak { peak = blockPeak[block] }
    if peak <= limitBytes { return (peak, 0) }
    for block in 0..<blockCount where blockExcess[block] > 0 {
      excess = min(Self.excessMax, excess &+ blockExcess[block])
    }
    return (peak, excess)
  }

  /// The first occupied slot with the largest use.
  mutating func peakSlot() -> Int {
    refresh()
    var best = 0
    for block in 1..<max(1, blockCount) where blockPeak[block] > blockPeak[best] { best = block }
    let peak = blockPeak[best] &- blockBytes[best]
    let start = best << blockBits
    for slot in start..<start + blockLength
    where occupied[slot >> 6] & (1 << UInt64(slot & 63)) != 0 && bytes[slot] == peak {
      return slot
    }
    return start
  }
}
