// Per value, the slots of the runs that make or read it, in order.
//
// Method      One sorted list per value in a common pool. A list that is full moves to the end of the
//             pool with twice the room; the pool doubles when it ends.
// Invariants  A touch is its slot times two, plus one if the run makes the value. No slot stands
//             twice in a list.
// Cost        Look-up O(log touches), a change O(touches), with small constants: lists are short.

/// Sorted lists of touches.
struct ValueTouches: ~Copyable {
  private let start: FixedBuffer<Int32>
  private let length: FixedBuffer<Int32>
  private let room: FixedBuffer<Int32>
  private var pool: FixedBuffer<Int32>
  private var used = 0

  /// Empty lists with room for `expected` touches each.
  init(expected: [Int32]) {
    start = FixedBuffer(repeating: 0, count: expected.count)
    length = FixedBuffer(repeating: 0, count: expected.count)
    room = FixedBuffer(repeating: 0, count: expected.count)
    for value in expected.indices {
      start[value] = Int32(used)
      room[value] = expected[value]
      used += Int(expected[value])
    }
    pool = FixedBuffer(repeating: 0, count: used * 2 + 64)
  }

  /// Empties all lists.
  func clear() { length.fill(0) }

  /// Number of touches of a value.
  func count(of value: Int) -> Int { Int(length[value]) }
  /// The slot of a touch.
  func slot(_ index: Int, of value: Int) -> Int { Int(pool[Int(start[value]) + index] >> 1) }
  /// Whether a touch makes the value.
  func isMake(_ index: Int, of value: Int) -> Bool {
    pool[Int(start[value]) + index] & 1 != 0
  }

  /// Number of touches before `slot`.
  func count(of value: Int, before slot: Int) -> Int {
    let key = Int32(truncatingIfNeeded: slot << 1)
    let first = Int(start[value])
    var low = 0
    var high = Int(length[value])
    while high - low > 4 {
      let middle = (low + high) >> 1
      if pool[first + middle] < key { low = middle + 1 } else { high = middle }
    }
    while low < high, pool[first + low] < key { low += 1 }
    return low
  }

  /// Puts a touch at `index` of a list.
  mutating func insert(_ slot: Int, isMake: Bool, at index: Int, of value: Int) {
    let count = Int(length[value])
    if count == Int(room[value]) { grow(value) }
    let place = Int(start[value]) + index
    pool.move(count - index, from: place, to: place + 1)
    pool[place] = Int32(truncatingIfNeeded: slot << 1 | (isMake ? 1 : 0))
    length[value] = Int32(count + 1)
  }

  /// Takes out the touch at `index` of a list.
  func remove(at index: Int, of value: Int) {
    let count = Int(length[value])
    let place = Int(start[value]) + index
    pool.move(count - index - 1, from: place + 1, to: place)
    length[value] = Int32(count - 1)
  }

  private mutating func grow(_ value: Int) {
    let count = Int(length[value])
    let wanted = count * 2 + 2
    if used + wanted > pool.count {
      let larger = FixedBuffer<Int32>(repeating: 0, count: pool.count * 2 + wanted)
      larger.copy(pool)
      pool = larger
    }
    pool.move(count, from: Int(start[value]), to: used)
    start[value] = Int32(used)
    room[value] = Int32(wanted)
    used += wanted
  }
}
