// Places buffers in the order of their starts, as an allocator would: for very many buffers.
//
// Method      A list of free ranges, sorted by offset; a start takes a free range, an end gives it
//             back and joins it with its neighbours. Small and short-lived buffers may be taken
//             from the upper end of a range so that they do not sit among long-lived ones.
// Cost        O(n log n + n · free ranges).

/// How the sweep picks a free range.
enum SweepFit: CaseIterable {
  /// The lowest range that is large enough.
  case first
  /// The smallest range that is large enough.
  case best
}

/// Places all buffers by one sweep over time, from its end to its start if `reversed`.
func sweepPlacement(_ problem: PlacementProblem, fit: SweepFit, reversed: Bool) -> MemoryPlan {
  let buffers = problem.buffers
  func start(_ index: Int) -> Int { reversed ? -buffers[index].upper : buffers[index].lower }
  func end(_ index: Int) -> Int { reversed ? -buffers[index].lower : buffers[index].upper }
  let padded = buffers.indices.map { problem.paddedBytes($0) }
  let solid = buffers.indices.filter { padded[$0] > 0 }
  let starts = solid.sorted {
    (start($0), -padded[$0], $0) < (start($1), -padded[$1], $1)
  }
  let ends = solid.sorted { (end($0), $0) < (end($1), $1) }
  var offsets = [Int](repeating: 0, count: buffers.count)
  var free: [(low: Int, high: Int)] = []
  var top = 0
  var arena = 0
  func place(of offset: Int) -> Int {
    var low = 0
    var high = free.count
    while low < high {
      let middle = (low + high) / 2
      if free[middle].low < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
  func giveBack(_ buffer: Int) {
    var low = offsets[buffer]
    var high = low + padded[buffer]
    var index = place(of: low)
    if index < free.count, free[index].low == high {
      high = free[index].high
      free.remove(at: index)
    }
    if index > 0, free[index - 1].high == low {
      index -= 1
      low = free[index].low
      free.remove(at: index)
    }
    if high == top { top = low } else { free.insert((low, high), at: index) }
  }
  var nextEnd = 0
  for buffer in starts {
    while nextEnd < ends.count, end(ends[nextEnd]) <= start(buffer) {
      giveBack(ends[nextEnd])
      nextEnd += 1
    }
    let size = padded[buffer]
    var chosen = -1
    for index in free.indices where free[index].high - free[index].low >= size {
      if chosen < 0
        || free[index].high - free[index].low < free[chosen].high - free[chosen].low
      {
        chosen = index
      }
      if fit == .first { break }
    }
    if chosen < 0 {
      offsets[buffer] = top
      top += size
      arena = max(arena, top)
    } else {
      offsets[buffer] = free[chosen].low
      free[chosen].low += size
      if free[chosen].low == free[chosen].high { free.remove(at: chosen) }
    }
  }
  return MemoryPlan(offsets: offsets, arenaBytes: arena)
}
