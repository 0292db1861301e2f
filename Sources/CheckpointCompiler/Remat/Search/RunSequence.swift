// A sequence of runs on slots, changed run by run, with the memory in use kept up to date.
//
// Method      Runs stand on slots with empty ones between them, so that a run put in or taken out moves
//             no other. A value is live from a run that makes it to the last that reads it before it
//             is made again, or to the end if it is kept. A change of one run changes the lives of
//             what it makes and reads back to the touch before it: a few ranges of slots.
// Invariants  The bytes of a slot are those of all values live there and the scratch of its run, less
//             what the run writes over dying inputs, which is found anew for the runs next to a life
//             that changes. All changes since `commit` are in the journal; `undo` takes them back
//             exactly.
// Cost        A change: O(reads · (log touches + √slots)) with small constants.
// Checked by  Every sequence found is measured again by `RematGraph.figures`.

/// A sequence of runs that can be changed and changed back.
struct RunSequence: ~Copyable {
  let graph: RematGraph
  /// Whether first runs stay where they are.
  private let keepsFirstRuns: Bool
  let hasInvalidation: Bool
  /// Per node, the nodes that invalidate it.
  let invalidators: [[Int32]]

  private let valueBytes: FixedBuffer<Int>
  private let isKept: FixedBuffer<Bool>
  let outputStart: FixedBuffer<Int32>
  let inputStart: FixedBuffer<Int32>
  let inputValues: FixedBuffer<Int32>
  private let scratchBytes: FixedBuffer<Int>
  /// How often each node has to run.
  private let runsMin: FixedBuffer<Int32>
  let cost: FixedBuffer<Double>

  private let nodeAt: FixedBuffer<Int32>
  private let hasOverwrites: Bool
  /// Per slot, the bytes that its run writes over dying inputs.
  private let savedBytes: FixedBuffer<Int>
  private var memory: SlotMemory
  private(set) var touches: ValueTouches
  private let runCount: FixedBuffer<Int32>
  /// The runs that may be taken out, run counts alone considered.
  private var removableSlots: SlotSet
  private var journal: [(slot: Int32, node: Int32, isIn: Bool)] = []

  /// Whether kept values count as live after their last touch; not while runs are put in anew.
  private var isSpread = false

  /// Number of runs.
  private(set) var count = 0
  /// Sum of the costs of all runs.
  private(set) var totalCost = 0.0

  var slotCount: Int { nodeAt.count }
  /// Largest number of runs that fits.
  var countMax: Int { nodeAt.count / 2 }

  /// The given sequence; nil if a node runs before its inputs, is missing, or runs when it may not.
  init?(_ graph: RematGraph, sequence: [Int32], limitBytes: Int, keepsFirstRuns: Bool) {
    self.graph = graph
    self.keepsFirstRuns = keepsFirstRuns
    hasInvalidation = !graph.invalidated.isEmpty
    var invalidators = [[Int32]](repeating: [], count: hasInvalidation ? graph.nodeCount : 0)
    if hasInvalidation {
      for node in 0..<graph.nodeCount {
        for slot in Int(graph.invalidatedStart[node])..<Int(graph.invalidatedStart[node + 1]) {
          invalidators[Int(graph.invalidated[slot])].append(Int32(node))
        }
      }
    }
    self.invalidators = invalidators
    valueBytes = FixedBuffer(graph.valueBytes)
    isKept = FixedBuffer(graph.isKept)
    outputStart = FixedBuffer(graph.outputStart)
    inputStart = FixedBuffer(graph.inputStart)
    inputValues = FixedBuffer(graph.inputValues)
    scratchBytes = FixedBuffer(graph.scratchBytes)
    runsMin = FixedBuffer(graph.runsTwice.map { $0 ? 2 : 1 })
    cost = FixedBuffer(graph.cost)
    memory = SlotMemory(
      slotCount: 6 * (max(sequence.count, graph.nodeCount) + 16), limitBytes: limitBytes)
    nodeAt = FixedBuffer(repeating: -1, count: memory.slotCount)
    hasOverwrites = graph.hasOverwrites
    savedBytes = FixedBuffer(repeating: 0, count: memory.slotCount)
    removableSlots = SlotSet(slotCount: memory.slotCount)
    touches = ValueTouches(
      expected: (0..<graph.valueCount).map { Int32(graph.userRange(of: $0).count + 3) })
    runCount = FixedBuffer(repeating: 0, count: graph.nodeCount)
    guard graph.figures(of: sequence) != nil, graph.satisfiesRunCounts(sequence) else { return nil }
    spread(sequence)
    if !keepsInvalidations(sequence) { return nil }
  }

  /// The runs in order.
  var sequence: [Int32] {
    var sequence: [Int32] = []
    sequence.reserveCapacity(count)
    for slot in 0..<slotCount where nodeAt[slot] >= 0 { sequence.append(nodeAt[slot]) }
    return sequence
  }

  /// Puts the runs of `sequence` at equal distances.
  mutating func spread(_ sequence: [Int32]) {
    journal.removeAll(keepingCapacity: true)
    touches.clear()
    memory.clear()
    nodeAt.fill(-1)
    savedBytes.fill(0)
    runCount.fill(0)
    removableSlots.removeAll()
    count = 0
    totalCost = 0
    isSpread = false
    for (position, node) in sequence.enumerated() {
      place(Int(node), (2 * position + 1) * slotCount / (2 * sequence.count))
    }
    // Runs were put in from first to last, so kept values do not know yet that they live on.
    for value in 0..<graph.valueCount where isKept[value] && touches.count(of: value) > 0 {
      let last = touches.slot(touches.count(of: value) - 1, of: value)
      memory.add(valueBytes[value], from: last + 1, to: slotCount)
    }
    isSpread = true
    if hasOverwrites {
      for slot in 0..<slotCount { noteSaved(at: slot) }
    }
  }

  /// Puts the runs at equal distances again.
  mutating func spread() { spread(sequence) }

  // MARK: Changes

  /// Puts a run of `node` on an empty slot.
  ///
  /// - Precondition: `canRun(node, at: slot)`.
  mutating func insert(_ node: Int, at slot: Int) {
    place(node, slot)
    journal.append((Int32(slot), Int32(node), true))
  }

  /// Takes out the run on a slot.
  ///
  /// - Precondition: `canRemove(at: slot)`, or it is put back in before what reads it.
  mutating func remove(at slot: Int) {
    journal.append((Int32(slot), nodeAt[slot], false))
    take(slot)
  }

  /// Keeps the changes made.
  mutating func commit() { journal.removeAll(keepingCapacity: true) }

  /// Takes back all changes since `commit`.
  mutating func undo() {
    while let change = journal.popLast() {
      if change.isIn { take(Int(change.slot)) } else { place(Int(change.node), Int(change.slot)) }
    }
  }

  /// Sets the sum of costs to what it was, free of the rounding of changes taken back.
  mutating func setCost(_ cost: Double) { totalCost = cost }

  /// Whether a value is read after its touch before `index`, or kept to the end.
  func isLive(_ value: Int, before index: Int) -> Bool {
    index < touches.count(of: value)
      ? !touches.isMake(index, of: value) : isSpread && isKept[value]
  }

  private mutating func place(_ node: Int, _ slot: Int) {
    for value in Int(outputStart[node])..<Int(outputStart[node + 1]) {
      let index = touches.count(of: value, before: slot)
      if isLive(value, before: index) {
        let last = index > 0 ? touches.slot(index - 1, of: value) : -1
        memory.add(-valueBytes[value], from: last + 1, to: slot)
        touches.insert(slot, isMake: true, at: index, of: value)
        noteSaved(at: last)
      } else {
        memory.add(valueBytes[value], from: slot, to: slot + 1)
        touches.insert(slot, isMake: true, at: index, of: value)
      }
    }
    for input in Int(inputStart[node])..<Int(inputStart[node + 1]) {
      let value = Int(inputValues[input])
      let index = touches.count(of: value, before: slot)
      if !isLive(value, before: index) {
        let last = index > 0 ? touches.slot(index - 1, of: value) : -1
        memory.add(valueBytes[value], from: last + 1, to: slot + 1)
        touches.insert(slot, isMake: false, at: index, of: value)
        noteSaved(at: last)
      } else {
        touches.insert(slot, isMake: false, at: index, of: value)
      }
    }
    memory.add(scratchBytes[node], from: slot, to: slot + 1)
    memory.setOccupied(slot, true)
    nodeAt[slot] = Int32(truncatingIfNeeded: node)
    noteSaved(at: slot)
    count += 1
    totalCost += cost[node]
    runCount[node] += 1
    let spare = runCount[node] - runsMin[node]
    if spare == 1 {
      setRemovable(allOf: node, true)
    } else if spare > 1 {
      setRemovable(slot, true)
    }
  }

  private mutating func take(_ slot: Int) {
    let node = Int(nodeAt[slot])
    let spare = runCount[node] - runsMin[node]
    if spare == 1 {
      setRemovable(allOf: node, false)
    } else if spare > 1 {
      setRemovable(slot, false)
    }
    memory.add(savedBytes[slot] &- scratchBytes[node], from: slot, to: slot + 1)
    memory.setOccupied(slot, false)
    savedBytes[slot] = 0
    nodeAt[slot] = -1
    runCount[node] -= 1
    count -= 1
    totalCost -= cost[node]
    for value in Int(outputStart[node])..<Int(outputStart[node + 1]) {
      let index = touches.count(of: value, before: slot)
      touches.remove(at: index, of: value)
      if isLive(value, before: index) {
        let last = index > 0 ? touches.slot(index - 1, of: value) : -1
        memory.add(valueBytes[value], from: last + 1, to: slot)
        noteSaved(at: last)
      } else {
        memory.add(-valueBytes[value], from: slot, to: slot + 1)
      }
    }
    for input in Int(inputStart[node])..<Int(inputStart[node + 1]) {
      let value = Int(inputValues[input])
      let index = touches.count(of: value, before: slot)
      touches.remove(at: index, of: value)
      if isLive(value, before: index) { continue }
      let last = index > 0 ? touches.slot(index - 1, of: value) : -1
      memory.add(-valueBytes[value], from: last + 1, to: slot + 1)
      noteSaved(at: last)
    }
  }

  /// Renews what the run on a slot writes over its inputs, some of which may have begun or ceased to
  /// die there.
  private mutating func noteSaved(at slot: Int) {
    if !hasOverwrites || slot < 0 || nodeAt[slot] < 0 { return }
    let bytes = graph.overwrittenBytes(of: Int(nodeAt[slot])) { value in
      !isLive(value, before: touches.count(of: value, before: slot + 1))
    }
    memory.add(savedBytes[slot] &- bytes, from: slot, to: slot + 1)
    savedBytes[slot] = bytes
  }

  // MARK: Removable runs

  private mutating func setRemovable(allOf node: Int, _ isOn: Bool) {
    let value = Int(outputStart[node])
    var isFirst = true
    for index in 0..<touches.count(of: value) where touches.isMake(index, of: value) {
      if !(isFirst && keepsFirstRuns) { setRemovable(touches.slot(index, of: value), isOn) }
      isFirst = false
    }
  }

  private mutating func setRemovable(_ slot: Int, _ isOn: Bool) {
    if isOn { removableSlots.insert(slot) } else { removableSlots.remove(slot) }
  }

  // MARK: Questions

  /// The node on a slot, or -1.
  func node(at slot: Int) -> Int { Int(nodeAt[slot]) }

  /// Whether the run on a slot may be taken out, run counts alone considered.
  func isRemovable(_ slot: Int) -> Bool { removableSlots.contains(slot) }
  /// The slots of such runs, in no particular order.
  var removable: [Int32] { removableSlots.slots }

  /// The slots of the inputs of a node in the list of input values.
  func inputRange(of node: Int) -> Range<Int> { Int(inputStart[node])..<Int(inputStart[node + 1]) }
  /// The value of an input slot.
  func inputValue(_ input: Int) -> Int { Int(inputValues[input]) }

  // MARK: Memory

  /// Sets the bytes above which memory in use counts as excess.
  mutating func setLimit(_ bytes: Int) { memory.setLimit(bytes) }
  /// The largest memory in use, and the sum over all runs of what exceeds the limit.
  mutating func figures() -> (peakBytes: Int, excessBytes: Int) { memory.figures() }
  /// The first slot with the largest memory in use.
  mutating func peakSlot() -> Int { memory.peakSlot() }
}
