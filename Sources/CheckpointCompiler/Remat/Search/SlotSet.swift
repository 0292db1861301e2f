// A set of slots that one can be drawn from at random.
//
// Invariants  `slots` holds each slot of the set once; `place` says where, or -1.
// Cost        Every operation is O(1).

/// Slots in no particular order, which depends on the history of the set alone.
struct SlotSet: ~Copyable {
  /// The slots of the set.
  private(set) var slots: [Int32] = []
  private let place: FixedBuffer<Int32>

  /// An empty set of slots below `slotCount`.
  init(slotCount: Int) { place = FixedBuffer(repeating: -1, count: slotCount) }

  /// Whether a slot is in the set.
  func contains(_ slot: Int) -> Bool { place[slot] >= 0 }

  /// Empties the set.
  mutating func removeAll() {
    slots.removeAll(keepingCapacity: true)
    place.fill(-1)
  }

  mutating func insert(_ slot: Int) {
    if place[slot] >= 0 { return }
    place[slot] = Int32(slots.count)
    slots.append(Int32(slot))
  }

  mutating func remove(_ slot: Int) {
    let index = place[slot]
    guard index >= 0, let moved = slots.popLast() else { return }
    place[slot] = -1
    if Int(moved) == slot { return }
    slots[Int(index)] = moved
    place[Int(moved)] = index
  }
}
