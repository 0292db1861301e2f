// Sets of resident values with the least cost found for each.
//
// Invariants  Sets are stored one after another as bits; equal sets are stored once. Entries are found
//             by open addressing and visited in the order of their arrival, so that nothing depends on
//             hashes.

/// The states of one stage of a search.
struct StateTable {
  /// Words of 64 bits that hold a set.
  let wordCount: Int
  private(set) var words: [UInt64] = []
  /// Per state: the least cost found, a bound on what is to come, and the run that led here.
  private(set) var cost: [Double] = []
  private(set) var remaining: [Double] = []
  private(set) var record: [Int32] = []
  private var slots: [Int32]

  var count: Int { cost.count }

  init(valueCount: Int) {
    wordCount = max(1, (valueCount + 63) / 64)
    slots = [Int32](repeating: -1, count: 64)
  }

  /// Empties the table.
  mutating func removeAll() {
    words.removeAll(keepingCapacity: true)
    cost.removeAll(keepingCapacity: true)
    remaining.removeAll(keepingCapacity: true)
    record.removeAll(keepingCapacity: true)
    for slot in slots.indices { slots[slot] = -1 }
  }

  func contains(_ value: Int, in state: Int) -> Bool {
    words[state * wordCount + value >> 6] >> UInt64(value & 63) & 1 == 1
  }

  /// The set of a state.
  func set(_ state: Int) -> ArraySlice<UInt64> {
    words[state * wordCount..<(state + 1) * wordCount]
  }

  /// Adds a set, or a cheaper way to it; returns its index if there is something to do for it.
  mutating func add(
    _ set: [UInt64], cost newCost: Double, remaining newRemaining: Double, record newRecord: Int32
  ) -> Int? {
    if count * 2 >= slots.count { grow() }
    var slot = Self.hash(set[...]) & (slots.count - 1)
    while slots[slot] >= 0 {
      let state = Int(slots[slot])
      if words[state * wordCount..<(state + 1) * wordCount].elementsEqual(set) {
        remaining[state] = max(remaining[state], newRemaining)
        guard newCost < cost[state] else { return nil }
        cost[state] = newCost
        record[state] = newRecord
        return state
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(count)
    words.append(contentsOf: set)
    cost.append(newCost)
    remaining.append(newRemaining)
    record.append(newRecord)
    return count - 1
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for state in 0..<count {
      var slot = Self.hash(set(state)) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(state)
    }
  }

  private static func hash(_ set: ArraySlice<UInt64>) -> Int {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
    for word in set {
      hash = (hash ^ word) &* 0xbf58_476d_1ce4_e5b9
      hash ^= hash >> 29
    }
    return Int(truncatingIfNeeded: hash & 0x7fff_ffff_ffff_ffff)
  }
}
