// Which groups may become one kernel: their loops fit, what passes between them stays in registers, and
// no cycle arises.
//
// Readers     What reads a value directly, or through indexing ops that are copied into their readers.
// Fitting     Two groups share loops where one domain and one set of reduced dimensions serves both, and
//             whatever one makes is read by the other where these loops leave it.
// Cycles      A search backwards from one group for the other; it gives up, and says that there is a
//             cycle, after `searchMax` ops.

extension Grouping {
  /// The ops that read a value themselves or through indexing ops, with the way from the value to
  /// each; nil where it is needed in memory: returned, viewed, or read by an op that cannot be fused.
  func fusibleReaders(of value: ValueID) -> [(op: OpID, path: [OpID])]? {
    var found: [(op: OpID, path: [OpID])] = []
    var stack: [(value: ValueID, path: [OpID])] = [(value, [])]
    while let (value, path) = stack.popLast() {
      if isReturned.contains(value) { return nil }
      for reader in readers[value] {
        if groupOf[reader] >= 0 {
          if function.ops[reader].opcode == .random { return nil }
          found.append((reader, path))
        } else if isCopied[reader] {
          stack.append((function.result(of: reader), path + [reader]))
        } else {
          return nil
        }
      }
      if found.count > 16 { return nil }
    }
    return found
  }

  /// All fusible ops that read a value, in memory or not.
  func someReaders(of value: ValueID) -> [(op: OpID, path: [OpID])] {
    var found: [(op: OpID, path: [OpID])] = []
    var stack: [(value: ValueID, path: [OpID])] = [(value, [])]
    while let (value, path) = stack.popLast(), found.count < 16 {
      for reader in readers[value] {
        if groupOf[reader] >= 0 {
          if function.ops[reader].opcode != .random { found.append((reader, path)) }
        } else if isCopied[reader] {
          stack.append((function.result(of: reader), path + [reader]))
        }
      }
    }
    return found
  }

  /// Whether a value that one op of a frame makes can be read by another in the same loops.
  private func isAligned(_ value: ValueID, _ path: [OpID], _ reader: OpID, _ frame: LoopFrame)
    -> Bool
  {
    let shape = function.type(of: value).shape
    guard !path.isEmpty else {
      if function.ops[reader].opcode == .reduce { return shape == frame.domain }
      return shape == frame.domain || frame.isKept(shape)
    }
    // A kept value that is broadcast back to the domain, dimension by dimension.
    guard path.count == 1, function.ops[path[0]].opcode == .broadcastInDim, frame.isKept(shape),
      function.type(of: function.result(of: path[0])).shape == frame.domain
    else { return false }
    return function.ops[path[0]].attributes.ints(.dims)! == frame.keptDims
  }

  /// Whether all that an op reads of two groups, itself or through copied indexing ops, is where their
  /// common loops leave it.
  private func readsAligned(_ op: OpID, _ a: Int, _ b: Int, _ frame: LoopFrame) -> Bool {
    guard function.ops[op].opcode != .random else { return true }
    var stack: [(value: ValueID, path: [OpID])] = []
    for operand in function.operands(of: op) { stack.append((operand, [])) }
    while let (value, path) = stack.popLast() {
      guard let definition = function.definingOp(of: value) else { continue }
      if groupOf[definition] == a || groupOf[definition] == b {
        guard isAligned(value, path, op, frame) else { return false }
      } else if isCopied[definition], let source = function.operands(of: definition).first {
        stack.append((source, [definition] + path))
      }
    }
    return true
  }

  /// The frame of two groups as one; nil where their loops or what passes between them do not fit.
  func joinedFrame(_ a: Int, _ b: Int) -> LoopFrame? {
    guard groups[a].ops.count + groups[b].ops.count <= Grouping.opsMax,
      let frame = groups[a].frame.joined(with: groups[b].frame),
      function.accumulatorBytes(of: groups[a].ops + groups[b].ops)
        <= LoopLowering.accumulatorBytesMax
    else { return nil }
    let randoms = (groups[a].ops + groups[b].ops).filter { function.ops[$0].opcode == .random }
    guard randoms.count <= LoopLowering.randomsMax else { return nil }
    for op in randoms {
      // Random numbers are made in blocks along one loop, from a key in memory.
      guard frame.reduced.isEmpty else { return nil }
      if let key = function.definingOp(of: function.operands(of: op).first!),
        groupOf[key] == a || groupOf[key] == b
      {
        return nil
      }
    }
    guard !readsElsewhere(a, whatUpdates: b), !readsElsewhere(b, whatUpdates: a) else { return nil }
    for op in groups[a].ops + groups[b].ops where !readsAligned(op, a, b, frame) { return nil }
    return frame
  }

  /// Whether a group reads, through an indexing op, an argument of which another makes the next value:
  /// in one kernel the argument could not be overwritten in place.
  private func readsElsewhere(_ reader: Int, whatUpdates writer: Int) -> Bool {
    guard !updated.isEmpty else { return false }
    for op in groups[writer].ops {
      for value in function.results(of: op) {
        guard let argument = updated[value] else { continue }
        let isIndexed = readers[argument].contains { indexing in
          isCopied[indexing]
            && readers[function.result(of: indexing)].contains { groupOf[$0] == reader }
        }
        if isIndexed { return true }
      }
    }
    return false
  }

  /// Whether a group depends on another through an op of neither.
  mutating func dependsIndirectly(_ group: Int, on other: Int) -> Bool {
    let first = position[groups[other].ops.first!]
    var stack: [OpID] = []
    // What the group reads from the other directly, or through an indexing op that is copied into it,
    // closes no cycle.
    for definition in sources(of: group) {
      let owner = groupOf[definition]
      if owner != other, owner != group { stack.append(definition) }
    }
    met.removeAll()
    var steps = 0
    while let op = stack.popLast() {
      steps += 1
      if steps > Grouping.searchMax { return true }
      let owner = groupOf[op]
      if owner == other { return true }
      // All ops of a kernel run together: its first stands for it.
      guard owner != group, met.insert(owner < 0 ? op : groups[owner].ops.first!) else { continue }
      let last = owner < 0 ? op : groups[owner].ops.last!
      guard position[last] >= first else { continue }
      // An indexing op that only passes a value on is copied into its readers.
      for op in owner < 0 ? [op] : groups[owner].ops {
        for operand in function.operands(of: op) {
          if let definition = function.definingOp(of: operand) { stack.append(definition) }
        }
      }
    }
    return false
  }

  /// The ops that make what a group reads, through the indexing ops that are copied into it.
  private mutating func sources(of group: Int) -> [OpID] {
    met.removeAll()
    var found: [OpID] = []
    var stack = groups[group].ops
    while let op = stack.popLast() {
      for operand in function.operands(of: op) {
        guard let definition = function.definingOp(of: operand), met.insert(definition)
        else { continue }
        let isCopied = isCopied[definition] && !readsMemory(op)
        if isCopied { stack.append(definition) } else { found.append(definition) }
      }
    }
    return found
  }
}

/// The ops that a search has met; emptied in no time, for searches that see few of many.
struct MetOps: Sendable {
  private var search: Table<OpID, Int>
  private var current = 1

  /// An empty set of the ops of a function.
  init(of function: Function) { search = Table(repeating: 0, count: function.ops.count) }

  mutating func removeAll() { current += 1 }

  /// Adds an op; false if it is there already.
  mutating func insert(_ op: OpID) -> Bool {
    if search[op] == current { return false }
    search[op] = current
    return true
  }
}
