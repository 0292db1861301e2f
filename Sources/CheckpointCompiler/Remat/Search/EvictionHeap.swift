// Candidates for eviction by score, stale ones among them.

/// A binary heap of eviction candidates, lowest score first.
struct EvictionHeap {
  /// A candidate; stale when its stamp is not the value's latest.
  struct Entry {
    var score: Double
    var time: Int32
    var value: Int32
    var stamp: Int32

    /// Lower score first, then the later next use, then the lower value.
    static func < (a: Entry, b: Entry) -> Bool {
      if a.score != b.score { return a.score < b.score }
      if a.time != b.time { return a.time > b.time }
      return a.value < b.value
    }
  }

  private var entries: [Entry] = []

  /// The best candidate.
  var top: Entry? { entries.first }

  /// Takes out all candidates.
  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    entries.withUnsafeMutableBufferPointer { entries in
      while child > 0 {
        let parent = (child - 1) / 2
        if !(entry < entries[parent]) { break }
        entries[child] = entries[parent]
        child = parent
      }
      entries[child] = entry
    }
  }

  mutating func pop() -> Entry? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if entries.isEmpty { return first }
    entries.withUnsafeMutableBufferPointer { entries in
      var hole = 0
      while true {
        var child = 2 * hole + 1
        if child >= entries.count { break }
        if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
        if !(entries[child] < last) { break }
        entries[hole] = entries[child]
        hole = child
      }
      entries[hole] = last
    }
    return first
  }
}
