// What the eviction simulator knows about the needs for values: which are needed, when, and whether what
// is evicted can be made again by then.
//
// Method      Uses in base order that are still to come are a cursor into the users of a value. A node
//             with a missing output is pending: it will run again at the earliest time one of its
//             missing outputs is needed, and needs its inputs then.
// Invariants  A value is missing if it is absent and needed. The pending readers of a value are counted,
//             and the earliest of their times is kept, found anew once it has passed.
// Cost        A walk visits nodes that are absent, each once.

extension EvictionSimulator {
  /// Whether a use in base order, a pending node or the end needs a value.
  func isNeeded(_ value: Int) -> Bool {
    pendingUserCount[value] > 0 || isKept[value] || cursor[value] < userStart[value + 1]
  }

  /// The time of the next use of a value.
  func nextUse(_ value: Int) -> Int32 {
    let slot = cursor[value]
    var time = slot < userStart[value + 1] ? users[Int(slot)] : Int32.max
    if time == .max, isKept[value] { time = Int32(graph.nodeCount) }
    if pendingUserCount[value] > 0 {
      if impliedUse[value] < Int32(now) {
        var earliest = Int32.max
        for slot in Int(userStart[value])..<Int(userStart[value + 1]) {
          let user = Int(users[slot])
          if missingOutputCount[user] > 0 { earliest = min(earliest, pendingTime[user]) }
        }
        impliedUse[value] = max(earliest, Int32(now))
      }
      time = min(time, impliedUse[value])
    }
    return time
  }

  /// Marks an absent value as needed at `time`; what its node reads is then needed too.
  mutating func miss(_ value: Int, at time: Int32) {
    walk.push(value)
    isMissing[value] = true
    while let next = walk.pop() {
      let node = Int(valueNode[next])
      missingOutputCount[node] += 1
      if missingOutputCount[node] > 1 {
        pendingTime[node] = min(pendingTime[node], time)
        continue
      }
      pendingTime[node] = time
      for slot in inputRange(of: node) {
        let input = Int(inputValues[slot])
        pendingUserCount[input] += 1
        impliedUse[input] = min(impliedUse[input], time)
        if !isResident[input], !isMissing[input] {
          isMissing[input] = true
          walk.push(input)
        }
      }
    }
  }

  /// Undoes `miss` for a value that is resident again or no longer needed.
  mutating func found(_ value: Int) {
    walk.push(value)
    isMissing[value] = false
    while let next = walk.pop() {
      let node = Int(valueNode[next])
      missingOutputCount[node] -= 1
      if missingOutputCount[node] > 0 { continue }
      for slot in inputRange(of: node) {
        let input = Int(inputValues[slot])
        pendingUserCount[input] -= 1
        if pendingUserCount[input] > 0 { continue }
        impliedUse[input] = .max
        if isNeeded(input) { continue }
        if isResident[input] {
          if lockCount[input] == 0 { release(input) }
        } else if isMissing[input] {
          isMissing[input] = false
          walk.push(input)
        }
      }
    }
  }

  /// Cost of the absent nodes that recomputing `value` would run first, up to 64 of them.
  mutating func missingCost(_ value: Int) -> Double {
    var sum = 0.0
    var count = 0
    visit += 1
    walk.push(Int(valueNode[value]))
    while let node = walk.pop() {
      work += 1
      for slot in inputRange(of: node) {
        let input = Int(inputValues[slot])
        let producer = Int(valueNode[input])
        if isResident[input] || visited[producer] == visit || count == 64 { continue }
        visited[producer] = visit
        count += 1
        sum += nodeCost[producer]
        walk.push(producer)
      }
    }
    return sum
  }

  /// Whether a value can be made again by its next use: neither its node nor an absent node that
  /// nothing else waits for is `once` or past its deadline then.
  mutating func canEvict(_ value: Int) -> Bool {
    let time = nextUse(value)
    visit += 1
    walk.push(Int(valueNode[value]))
    while let node = walk.pop() {
      work += 1
      if isOnce[node] || time > deadline[node] {
        walk.removeAll()
        return false
      }
      for slot in inputRange(of: node) {
        let input = Int(inputValues[slot])
        let producer = Int(valueNode[input])
        if isResident[input] || isMissing[input] || visited[producer] == visit { continue }
        visited[producer] = visit
        walk.push(producer)
      }
    }
    return true
  }
}
