// A stack of ids in memory of fixed length, for the walks of the inner loops of the search.

/// The ids that a walk has yet to visit, the last one first.
struct FixedStack: ~Copyable {
  private let ids: FixedBuffer<Int32>
  private var count = 0

  /// An empty stack of at most `capacity` ids.
  init(capacity: Int) { ids = FixedBuffer(repeating: 0, count: capacity) }

  /// Puts an id on top.
  mutating func push(_ id: Int) {
    ids[count] = Int32(truncatingIfNeeded: id)
    count &+= 1
  }

  /// Takes the id on top; nil if there is none.
  mutating func pop() -> Int? {
    if count == 0 { return nil }
    count &-= 1
    return Int(ids[count])
  }

  /// Takes out all ids.
  mutating func removeAll() { count = 0 }
}
