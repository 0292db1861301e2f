// Decides by depth-first search whether buffers fit into a capacity.
//
// Problem     Buffers whose lives are connected, and a capacity: offsets, or the proof that there
//             are none.
// Method      Whatever fits also fits with every buffer resting on the ground or on another one.
//             Such a placement is built upwards: the buffer that can lie lowest is either placed
//             there or passed over. One passed over has to be raised by a buffer that shares time
//             with it and comes to lie in its way; without such a buffer the branch is dead, and
//             with one its offset is at least that buffer's lowest top. In every section of time,
//             the lowest offset of an unplaced buffer plus all that is unplaced has to fit.
//             Unplaced buffers that share no time with each other are searched apart.
// Memory      What is left after a placement depends only on the unplaced buffers, their lowest
//             offsets and which of them were passed over. Such states that failed are remembered
//             by a hash of 128 bits, also over restarts: none of this depends on the ranks.
// Restarts    Ties are broken by several ranks in turn, each with a limit that grows.
// Invariants  Placed offsets never fall along a branch within one group of unplaced buffers.
// Cost        Work is counted in visits of buffers, overlaps and sections.
// Source      Moffitt, "MiniMalloc", ASPLOS 2023, doi:10.1145/3623278.3624752; the argument about
//             buffers passed over is a local form of its dominance.

/// The search for one group of buffers that are connected in time.
final class OffsetSearch {
  /// What a search found.
  enum Outcome {
    /// `offsets` holds a placement.
    case found
    /// There is no placement.
    case none
    /// The work was spent before either was known.
    case undecided
  }

  /// The number of buffers.
  let count: Int
  /// The offset of each buffer, in units, after a search that found a placement.
  private(set) var offsets: [Int32]
  /// The work done by the searches so far.
  private(set) var work = 0

  private let problem: OffsetProblem
  private let sectionCount: Int
  private let store: UnsafeMutablePointer<Int32>
  // Per buffer.
  private let size: UnsafeMutablePointer<Int32>
  private let first: UnsafeMutablePointer<Int32>
  private let end: UnsafeMutablePointer<Int32>
  private let lowest: UnsafeMutablePointer<Int32>
  private let bound: UnsafeMutablePointer<Int32>
  /// `isUnplaced`, `isPassedOver` or `isPlaced`.
  private let state: UnsafeMutablePointer<Int32>
  private static let isUnplaced: Int32 = 0
  private static let isPassedOver: Int32 = 1
  private static let isPlaced: Int32 = 2
  private let rank: UnsafeMutablePointer<Int32>
  private let neighborStart: UnsafeMutablePointer<Int32>
  // Per section.
  private let unplaced: UnsafeMutablePointer<Int32>
  private let floor: UnsafeMutablePointer<Int32>
  // Stacks and lists.
  private let neighbors: UnsafeMutablePointer<Int32>
  private let members: UnsafeMutablePointer<Int32>
  private let trail: UnsafeMutablePointer<Int32>
  private var trailCount = 0
  /// Where the list of a deeper level begins in `members`.
  private var listEnd = 0
  /// States that failed; a new one takes the place of what was there.
  private let failed: UnsafeMutableBufferPointer<(UInt64, UInt64)>
  private var capacity: Int32 = 0
  /// The capacity in which the remembered states failed: they fail in any smaller one.
  private var failedCapacity: Int32 = 0
  private var limit = 0

  /// A search over buffers with the given sizes, in units, and half-open lives; `workMax` decides
  /// how many failures are remembered.
  ///
  /// - Precondition: Sizes are positive and add up to less than 2^30.
  init(sizes: [Int32], lowers: [Int], uppers: [Int], workMax: Int) {
    var slots = 1 << 10
    while slots < min(1 << 20, workMax / 1000) { slots *= 2 }
    failed = .allocate(capacity: slots)
    failed.initialize(repeating: (0, 0))
    problem = OffsetProblem(sizes: sizes, lowers: lowers, uppers: uppers)
    count = sizes.count
    offsets = [Int32](repeating: 0, count: count)
    sectionCount = problem.sectionCount
    let pairs = problem.pairCount
    let lists = count * (count + 3) / 2
    // A branch places each buffer once, raises one for each pair and passes over what was raised.
    let trailMax = 3 * (2 * pairs + 2 * count)
    let total = 9 * count + 1 + 2 * sectionCount + 2 * pairs + lists + trailMax
    store = .allocate(capacity: total)
    store.initialize(repeating: 0, count: total)
    var next = store
    func take(_ count: Int) -> UnsafeMutablePointer<Int32> {
      defer { next += count }
      return next
    }
    size = take(count)
    first = take(count)
    end = take(count)
    lowest = take(count)
    bound = take(count)
    state = take(count)
    rank = take(count)
    neighborStart = take(count + 1)
    unplaced = take(sectionCount)
    floor = take(sectionCount)
    neighbors = take(2 * pairs)
    members = take(lists)
    trail = take(trailMax)
    copyBuffers()
  }

  /// Copies what does not change from the problem.
  private func copyBuffers() {
    var place = 0
    for buffer in 0..<count {
      size[buffer] = problem.sizes[buffer]
      first[buffer] = problem.firsts[buffer]
      end[buffer] = problem.lasts[buffer] + 1
      neighborStart[buffer] = Int32(place)
      for other in problem.neighbors[buffer] {
        neighbors[place] = other
        place += 1
      }
    }
    neighborStart[count] = Int32(place)
    for (index, buffer) in problem.order.enumerated() { members[index] = Int32(buffer) }
  }

  deinit {
    store.deallocate()
    failed.deallocate()
  }

  /// Searches for a placement of at most `capacity`, spending about `workMax`.
  func run(capacity: Int32, workMax: Int) -> Outcome {
    self.capacity = capacity
    if capacity > failedCapacity { failed.update(repeating: (0, 0)) }
    failedCapacity = capacity
    let stop = work + workMax
    var share = 20_000
    while work < stop {
      for ranks in problem.ranks where work < stop {
        limit = min(stop, work + share)
        for buffer in 0..<count {
          rank[buffer] = ranks[buffer]
          lowest[buffer] = 0
          state[buffer] = Self.isUnplaced
        }
        for section in 0..<sectionCount { unplaced[section] = 0 }
        for buffer in 0..<count {
          for section in Int(first[buffer])..<Int(end[buffer]) { unplaced[section] += size[buffer] }
        }
        trailCount = 0
        listEnd = count
        let outcome = infer(0, count) ? solve(0, count) : .none
        if outcome == .found { offsets = (0..<count).map { lowest[$0] } }
        if outcome != .undecided { return outcome }
      }
      share *= 4
    }
    return .undecided
  }

  /// Bounds the offsets of the unplaced buffers listed in `members[low..<high]`.
  ///
  /// - Returns: False if they cannot be placed.
  private func infer(_ low: Int, _ high: Int) -> Bool {
    var level = Int32.max
    var passed = 0
    var index = low
    while index < high {
      let buffer = Int(members[index])
      if state[buffer] == Self.isUnplaced {
        bound[buffer] = lowest[buffer]
        if lowest[buffer] < level { level = lowest[buffer] }
      } else {
        passed += 1
      }
      index += 1
    }
    var spent = 4 * (high - low)
    if level == .max { return false }
    if passed > 0 {
      index = low
      while index < high {
        let buffer = Int(members[index])
        if state[buffer] == Self.isPassedOver { bound[buffer] = level }
        index += 1
      }
      index = low
      while index < high {
        let buffer = Int(members[index])
        index += 1
        if state[buffer] == Self.isUnplaced { continue }
        let top = lowest[buffer] + size[buffer]
        var raised = Int32.max
        var isRaised = false
        var place = Int(neighborStart[buffer])
        let placeEnd = Int(neighborStart[buffer + 1])
        spent += placeEnd - place
        while place < placeEnd {
          let other = Int(neighbors[place])
          place += 1
          if state[other] == Self.isPlaced { continue }
          let from = bound[other]
          if from < top {
            isRaised = true
            if from + size[other] < raised { raised = from + size[other] }
          }
        }
        if !isRaised {
          work += spent
          return false
        }
        bound[buffer] = raised
      }
    }
    // The members are sorted by their starts.
    let from = Int(first[Int(members[low])])
    var to = from
    index = low
    while index < high {
      let buffer = Int(members[index])
      index += 1
      let lowerEnd = bound[buffer]
      if lowerEnd + size[buffer] > capacity {
        work += spent
        return false
      }
      let last = Int(end[buffer])
      while to < last {
        floor[to] = .max
        to += 1
      }
      var section = Int(first[buffer])
      spent += (last - section) >> 2
      while section < last {
        floor[section] = min(floor[section], lowerEnd)
        section += 1
      }
    }
    spent += (to - from) >> 2
    work += spent
    var section = from
    var isWithin = true
    while section < to {
      // Sections without unplaced buffers have none of their sizes either.
      if unplaced[section] > 0, floor[section] > capacity - unplaced[section] { isWithin = false }
      section += 1
    }
    return isWithin
  }

  /// Places the buffers of `members[low..<high]`, for which `infer` holds.
  ///
  /// The recursion is as deep as there are buffers.
  private func solve(_ low: Int, _ high: Int) -> Outcome {
    let start = trailCount
    let here = fingerprint(low, high)
    let slot = Int(truncatingIfNeeded: here.0) & (failed.count - 1)
    if failed[slot] == here { return .none }
    while true {
      if work > limit { break }
      var chosen = -1
      var at = 0
      var index = low
      while index < high {
        let buffer = Int(members[index])
        if state[buffer] == Self.isUnplaced,
          chosen < 0 || lowest[buffer] < lowest[chosen]
            || lowest[buffer] == lowest[chosen] && rank[buffer] < rank[chosen]
        {
          chosen = buffer
          at = index
        }
        index += 1
      }
      // `infer` fails once all are passed over.
      let mark = trailCount
      place(chosen)
      let outcome = solveRest(low, high, without: at)
      if outcome == .found { return .found }
      undo(to: mark)
      if outcome == .undecided { break }
      passOver(chosen, low, high)
      if !infer(low, high) {
        undo(to: start)
        failed[slot] = here
        return .none
      }
    }
    undo(to: start)
    return .undecided
  }

  /// Splits what is left after placing `members[at]` into groups and places those.
  private func solveRest(_ low: Int, _ high: Int, without at: Int) -> Outcome {
    if high - low == 1 { return .found }
    let childLow = listEnd
    var childHigh = childLow
    var index = low
    while index < high {
      if index != at {
        members[childHigh] = members[index]
        childHigh += 1
      }
      index += 1
    }
    let saved = listEnd
    listEnd = childHigh
    defer { listEnd = saved }
    var groupLow = childLow
    while groupLow < childHigh {
      let groupHigh = groupEnd(groupLow, childHigh)
      if !infer(groupLow, groupHigh) { return .none }
      groupLow = groupHigh
    }
    groupLow = childLow
    while groupLow < childHigh {
      let groupHigh = groupEnd(groupLow, childHigh)
      let outcome = solve(groupLow, groupHigh)
      if outcome != .found { return outcome }
      groupLow = groupHigh
    }
    return .found
  }

  /// Identifies the group and all that its placement depends on.
  private func fingerprint(_ low: Int, _ high: Int) -> (UInt64, UInt64) {
    var sum: (UInt64, UInt64) = (1, 1)
    var index = low
    while index < high {
      let buffer = Int(members[index])
      index += 1
      let place = UInt64(UInt32(bitPattern: lowest[buffer])) << 1 | UInt64(state[buffer])
      var bits = (UInt64(buffer) << 32 ^ place) &* 0x9E37_79B9_7F4A_7C15
      bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
      bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
      bits ^= bits >> 31
      sum.0 &+= bits
      bits = (bits ^ (bits >> 33)) &* 0xFF51_AFD7_ED55_8CCD
      sum.1 &+= bits ^ (bits >> 33)
    }
    work += 2 * (high - low)
    return sum
  }

  /// The end of the group that begins at `low`: the buffers connected in time.
  private func groupEnd(_ low: Int, _ high: Int) -> Int {
    var last = end[Int(members[low])]
    var index = low + 1
    while index < high, first[Int(members[index])] < last {
      last = max(last, end[Int(members[index])])
      index += 1
    }
    return index
  }

  private func push(_ buffer: Int) {
    trail[trailCount] = Int32(buffer)
    trail[trailCount + 1] = lowest[buffer]
    trail[trailCount + 2] = state[buffer]
    trailCount += 3
  }

  /// Passes over a buffer, and over those of the same life and size: they could change places.
  private func passOver(_ buffer: Int, _ low: Int, _ high: Int) {
    let lowest = lowest[buffer]
    var index = low
    while index < high {
      let other = Int(members[index])
      index += 1
      if state[other] == Self.isUnplaced, self.lowest[other] == lowest, size[other] == size[buffer],
        first[other] == first[buffer], end[other] == end[buffer]
      {
        push(other)
        state[other] = Self.isPassedOver
      }
    }
  }

  private func place(_ buffer: Int) {
    push(buffer)
    state[buffer] = Self.isPlaced
    let top = lowest[buffer] + size[buffer]
    var place = Int(neighborStart[buffer])
    let placeEnd = Int(neighborStart[buffer + 1])
    work += placeEnd - place
    while place < placeEnd {
      let other = Int(neighbors[place])
      place += 1
      if state[other] == Self.isPlaced || lowest[other] >= top { continue }
      push(other)
      lowest[other] = top
      state[other] = Self.isUnplaced
    }
    var section = Int(first[buffer])
    let last = Int(end[buffer])
    while section < last {
      unplaced[section] -= size[buffer]
      section += 1
    }
  }

  private func undo(to mark: Int) {
    while trailCount > mark {
      trailCount -= 3
      let buffer = Int(trail[trailCount])
      if state[buffer] == Self.isPlaced {
        var section = Int(first[buffer])
        let last = Int(end[buffer])
        while section < last {
          unplaced[section] += size[buffer]
          section += 1
        }
      }
      lowest[buffer] = trail[trailCount + 1]
      state[buffer] = trail[trailCount + 2]
    }
  }
}
