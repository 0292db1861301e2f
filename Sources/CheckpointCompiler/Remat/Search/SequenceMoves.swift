// The moves of the search over sequences.
//
// Method      Remove takes repeated runs out. Insert makes a value anew right before a use, with some
//             of what that reads, mostly one that is live across the peak. Repair takes a run out and
//             drops something else where that makes the memory exceed the budget. Shift moves a run
//             within the window that its inputs and readers leave.
// Invariants  A move that returns false may have changed the runs: the caller takes that back.

extension SequenceSearch {
  /// Makes a candidate; false if the move drawn is of no use.
  mutating func propose() -> Bool {
    let draw = random.index(below: 100)
    if !goal.insertsRuns { return shift() }
    if runs.removable.isEmpty {
      return draw < 50 ? insert(across: currentPeakSlot()) : shift()
    }
    switch draw {
    case 0..<20: return remove()
    case 20..<40: return insert(across: currentPeakSlot())
    case 40..<70:
      guard remove() else { return false }
      repair()
      return true
    default: return shift()
    }
  }

  private mutating func currentPeakSlot() -> Int {
    if let slot = peakSlot { return slot }
    let slot = runs.peakSlot()
    peakSlot = slot
    return slot
  }

  private mutating func randomRemovable() -> Int {
    Int(runs.removable[random.index(below: runs.removable.count)])
  }

  /// The first run at or after a slot, or -1.
  private func run(from slot: Int) -> Int {
    var slot = slot
    while slot < runs.slotCount, runs.node(at: slot) < 0 { slot += 1 }
    return slot < runs.slotCount ? slot : -1
  }

  /// Takes out a repeated run, and sometimes those right after it.
  private mutating func remove() -> Bool {
    if runs.removable.isEmpty { return false }
    var slot = randomRemovable()
    var left = random.index(below: 4) > 0 ? 1 : 2 + random.index(below: 6)
    if !runs.canRemove(at: slot) { return false }
    while true {
      runs.remove(at: slot)
      left -= 1
      if left == 0 { return true }
      slot = run(from: slot + 1)
      if slot < 0 || !runs.isRemovable(slot) || !runs.canRemove(at: slot) { return true }
    }
  }

  /// Drops values where memory now exceeds the budget, if it does.
  private mutating func repair() {
    for _ in 0..<2 {
      if runs.figures().peakBytes <= goal.budgetBytes || !insert(across: runs.peakSlot()) { return }
    }
  }

  /// Makes a value anew right before a use, mostly one that is live across the slot `peak`.
  private mutating func insert(across peak: Int) -> Bool {
    let slotCount = runs.slotCount
    for _ in 0..<8 {
      let isAfterPeak = peak + 1 < slotCount && random.index(below: 4) > 0
      let start =
        isAfterPeak
        ? peak + 1 + random.index(below: slotCount - peak - 1)
        : random.index(below: slotCount)
      let place = run(from: start)
      if place < 0 { continue }
      let inputs = runs.inputRange(of: runs.node(at: place))
      if inputs.isEmpty { continue }
      let value = runs.inputValue(inputs.lowerBound + random.index(below: inputs.count))
      guard isDroppable(value, before: place, peak: isAfterPeak ? peak : slotCount) else {
        continue
      }
      return insert(
        Int(graph.valueNode[value]), before: place, peak: isAfterPeak ? peak : slotCount)
    }
    return false
  }

  /// Whether making `value` anew before `place` would free memory at or before `peak`.
  private func isDroppable(_ value: Int, before place: Int, peak: Int) -> Bool {
    if graph.isOnce[Int(graph.valueNode[value])] { return false }
    let last = runs.lastTouch(of: value, before: place).slot
    if last > peak { return false }
    // Nothing runs in between: nothing is gained.
    var slot = place - 1
    while slot > last, runs.node(at: slot) < 0 { slot -= 1 }
    return slot > last
  }

  /// Puts in a run of `node` before the run on `place`, with some of what it reads.
  private mutating func insert(_ node: Int, before place: Int, peak: Int) -> Bool {
    block.removeAll(keepingCapacity: true)
    block.append(Int32(node))
    var cost = runs.totalCost + runs.cost[node]
    // How likely an input is made anew as well: not, half, or nearly all.
    let depth = [0, 0, 50, 85][random.index(below: 4)]
    var next = 0
    while depth > 0, next < block.count, block.count < 16 {
      let reader = Int(block[next])
      next += 1
      for input in runs.inputRange(of: reader) where random.index(below: 100) < depth {
        let value = runs.inputValue(input)
        let producer = graph.valueNode[value]
        if block.contains(producer) || !isDroppable(value, before: place, peak: peak) { continue }
        block.append(producer)
        cost += runs.cost[Int(producer)]
      }
    }
    if costWeight * cost > threshold || runs.count + block.count > runs.countMax { return false }
    guard findSlots(block.count, before: place) else {
      isCrowded = true
      return false
    }
    block.sort()
    for (slot, node) in zip(slots.reversed(), block) {
      // Where first runs have their order, a repeated run does not come before them.
      if goal.keepsOrder, !runs.isMade(Int(node), before: Int(slot)) { return false }
      if !runs.canRun(Int(node), at: Int(slot)) { return false }
      runs.insert(Int(node), at: Int(slot))
    }
    return true
  }

  /// Finds empty slots before `place`, last first: spread over those right before it if they are
  /// enough, else the nearest.
  private mutating func findSlots(_ count: Int, before place: Int) -> Bool {
    slots.removeAll(keepingCapacity: true)
    var slot = place - 1
    while slot >= 0, runs.node(at: slot) < 0 { slot -= 1 }
    let room = place - 1 - slot
    if room >= count {
      for index in (1...count).reversed() {
        slots.append(Int32(slot + index * (room + 1) / (count + 1)))
      }
      return true
    }
    isCrowded = true
    slot = place - 1
    while slot >= 0, slot > place - 64, slots.count < count {
      if runs.node(at: slot) < 0 { slots.append(Int32(slot)) }
      slot -= 1
    }
    return slots.count == count
  }

  /// Moves a run to another place between what it reads and what reads it.
  private mutating func shift() -> Bool {
    var slot: Int
    if goal.keepsOrder {
      if runs.removable.isEmpty { return false }
      slot = randomRemovable()
    } else {
      slot = run(from: random.index(below: runs.slotCount))
      if slot < 0 { return false }
    }
    let node = runs.node(at: slot)
    let (low, high) = runs.window(of: slot)
    if high - low <= 2 { return false }
    var target: Int
    switch random.index(below: 4) {
    case 0: target = low + 1
    case 1: target = high - 1
    default: target = low + 1 + random.index(below: high - low - 1)
    }
    // The nearest empty slot, ahead or back.
    let step = target == low + 1 || (target != high - 1 && random.index(below: 2) == 0) ? 1 : -1
    while target > low, target < high, runs.node(at: target) >= 0 { target += step }
    if target <= low || target >= high { return false }
    runs.remove(at: slot)
    if goal.keepsOrder, !runs.isMade(node, before: target) { return false }
    if !runs.canRun(node, at: target) { return false }
    runs.insert(node, at: target)
    return true
  }
}
