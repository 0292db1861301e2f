// What may be changed about a sequence of runs, and where.
//
// Method      Lists of touches answer everything: a value can be read where it was made before, a run
//             can move between the makes of its inputs and the next touch of its outputs.
// Cost        O(reads · log touches), and O(touches) for nodes that others invalidate.

extension RunSequence {
  /// Whether all that reads what the run on `slot` makes has another run to read from.
  func canRemove(at slot: Int) -> Bool {
    let node = node(at: slot)
    for value in Int(outputStart[node])..<Int(outputStart[node + 1])
    where touches.slot(0, of: value) == slot {
      if touches.count(of: value) > 1, !touches.isMake(1, of: value) { return false }
    }
    return true
  }

  /// Whether a node is made before `slot`.
  func isMade(_ node: Int, before slot: Int) -> Bool {
    let value = Int(outputStart[node])
    return touches.count(of: value) > 0 && touches.slot(0, of: value) < slot
  }

  /// Whether the inputs of `node` are made before `slot`, and neither it nor what it invalidates
  /// runs where it may not.
  func canRun(_ node: Int, at slot: Int) -> Bool {
    for input in Int(inputStart[node])..<Int(inputStart[node + 1]) {
      let value = Int(inputValues[input])
      if touches.count(of: value) == 0 || touches.slot(0, of: value) >= slot { return false }
    }
    if !hasInvalidation { return true }
    for other in invalidators[node] {
      let value = Int(outputStart[Int(other)])
      if touches.count(of: value) > 0, touches.slot(0, of: value) < slot { return false }
    }
    for index in Int(graph.invalidatedStart[node])..<Int(graph.invalidatedStart[node + 1]) {
      let value = Int(outputStart[Int(graph.invalidated[index])])
      var last = touches.count(of: value) - 1
      while last >= 0, !touches.isMake(last, of: value) { last -= 1 }
      if last >= 0, touches.slot(last, of: value) > slot { return false }
    }
    return true
  }

  /// Whether no node of a sequence follows one that overwrites what it reads.
  func keepsInvalidations(_ sequence: [Int32]) -> Bool {
    if !hasInvalidation { return true }
    var isInvalid = [Bool](repeating: false, count: graph.nodeCount)
    for node in sequence {
      if isInvalid[Int(node)] { return false }
      let range =
        Int(graph.invalidatedStart[Int(node)])..<Int(graph.invalidatedStart[Int(node) + 1])
      for slot in range { isInvalid[Int(graph.invalidated[slot])] = true }
    }
    return true
  }

  /// The slot before `slot` at which a value was touched last, or -1; and whether it is read at or
  /// after `slot`, or kept, before it is made again.
  func lastTouch(of value: Int, before slot: Int) -> (slot: Int, isLive: Bool) {
    let index = touches.count(of: value, before: slot)
    return (index > 0 ? touches.slot(index - 1, of: value) : -1, isLive(value, before: index))
  }

  /// The slots strictly between which the run on `slot` can move without a change of what reads
  /// what.
  func window(of slot: Int) -> (low: Int, high: Int) {
    let node = node(at: slot)
    var low = -1
    var high = slotCount
    for input in Int(inputStart[node])..<Int(inputStart[node + 1]) {
      let value = Int(inputValues[input])
      var index = touches.count(of: value, before: slot) - 1
      while index > 0, !touches.isMake(index, of: value) { index -= 1 }
      if index >= 0 { low = max(low, touches.slot(index, of: value)) }
    }
    for value in Int(outputStart[node])..<Int(outputStart[node + 1]) {
      let index = touches.count(of: value, before: slot)
      if index > 0 { low = max(low, touches.slot(index - 1, of: value)) }
      if index + 1 < touches.count(of: value) {
        high = min(high, touches.slot(index + 1, of: value))
      }
    }
    return (low, high)
  }
}
