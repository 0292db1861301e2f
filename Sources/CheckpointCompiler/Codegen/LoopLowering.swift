// Elementwise chains and the reductions in them as loops.
//
// Problem     Run all ops of a kernel in one loop nest over its domain, reading each operand and
//             writing each result once where that is possible.
// Method      Reductions are ordered in passes: one that needs the result of another runs in a later
//             pass over the reduced dimensions, and cheap values in between are computed again
//             (`LoopPasses`). A result is written in the last pass that computes it.
// Reductions  Along the innermost dimension in lanes (`RowReductions.swift`), else in columns side by
//             side (`ColumnReductions.swift`), in the order that the shape says (`ReductionOrder.swift`).
// Merging     Neighbouring dimensions that every place walks through as one become one loop.
// Rows        What a thread adds up stands in local arrays of `rowBytesMax` at most; partial results
//             are in scratch of the arena.
// Checked by  The interpreter, in tests over random programs.

/// Lowers the ops of one loop kernel.
struct LoopLowering {
  /// Words of random streams that are made at a time: of one, of all, and of one at least.
  private static let randomBlock = 256
  private static let randomWordsMax = 1024
  private static let randomBlockMin = 64
  /// Element operations from which on threads are worth their start.
  static let parallelWork = 40_000
  /// The bytes of the local arrays of a kernel of loops at most, and of one accumulator of each of its
  /// reductions.
  static let rowBytesMax = 4096
  static let accumulatorBytesMax = 48
  /// The most random ops of one kernel.
  static let randomsMax = randomWordsMax / randomBlockMin

  let function: Function
  let ops: [OpID]
  let frame: LoopFrame
  let outputs: [(value: ValueID, buffer: Int)]
  private let keyBuffers: [OpID: Int]
  var reader: ElementReader
  let passes: LoopPasses
  private let rank: Int
  private var nextVariable: Int
  /// Loop variables that stand for themselves, with the extents they have after merging.
  var loops: [LoopDimension] = []
  /// The order of the reductions; nil where nothing is reduced.
  let order: ReductionOrder?
  /// Bytes of scratch that the statements take.
  var scratchBytes = 0

  /// - Parameters:
  ///   - function: The function that the kernel is part of.
  ///   - ops: The ops of the kernel in order.
  ///   - outputs: The values it writes, with their buffers.
  ///   - buffers: The buffers of the values it reads.
  init(
    _ function: Function, ops: [OpID], outputs: [(value: ValueID, buffer: Int)],
    buffers: [ValueID: Int]
  ) {
    self.function = function
    self.ops = ops
    self.outputs = outputs
    frame = LoopLowering.frame(of: ops, outputs: outputs.map(\.value), in: function)
    order = frame.reduced.isEmpty ? nil : ReductionOrder(frame)
    passes = LoopPasses(function, ops: ops, outputs: outputs.map(\.value))
    rank = frame.domain.count
    nextVariable = rank
    var inner: Set<ValueID> = []
    for op in ops { inner.formUnion(function.results(of: op)) }
    reader = ElementReader(function, inner: inner, buffers: buffers, extents: frame.domain)
    let domain = frame.domain
    reader.fullIndices = domain.indices.map { domain[$0] == 1 ? Index() : .variable($0) }
    reader.keptIndices = frame.keptDims.map { [reader] in reader.fullIndices[$0] }
    var keys: [OpID: Int] = [:]
    for op in ops where function.ops[op].opcode == .random {
      keys[op] = buffers[function.operands(of: op).first!]
    }
    keyBuffers = keys
  }

  /// The frame of a kernel: the one of its reductions, or the shape of its results.
  private static func frame(of ops: [OpID], outputs: [ValueID], in function: Function) -> LoopFrame
  {
    for op in ops where function.ops[op].opcode == .reduce {
      if let frame = LoopFrame(op, of: function) { return frame }
    }
    let shape = outputs.first.map { function.type(of: $0).shape } ?? []
    return LoopFrame(domain: shape, reduced: [])
  }

  /// The statements of the kernel.
  mutating func run() -> [Statement] {
    mergeDimensions()
    return order.map { reductionNest($0) } ?? mapNest()
  }

  // MARK: Analysis

  /// The pass after which a value is known: 0 where no reduction precedes it.
  var levels: [ValueID: Int] { passes.level }

  private func isTrivialReduction(_ op: OpID) -> Bool {
    function.ops[op].attributes.ints(.dims)!.isEmpty
  }

  var fullIndices: [Index] { reader.fullIndices }

  private func indices(of value: ValueID) -> [Index] {
    frame.isKept(function.type(of: value).shape) ? reader.keptIndices : fullIndices
  }

  var reductions: [OpID] {
    ops.filter { function.ops[$0].opcode == .reduce && !isTrivialReduction($0) }
  }

  /// Why the ops cannot run in one nest; nil where they can.
  mutating func problem() -> String? {
    for op in reductions where LoopFrame(op, of: function) != frame {
      return "its reductions are not all of \(frame.domain) along \(frame.reduced)"
    }
    for output in outputs {
      let shape = function.type(of: output.value).shape
      if shape != frame.domain, !frame.isKept(shape) {
        return "it yields \(function.type(of: output.value)) from loops over \(frame.domain)"
      }
    }
    let bytes = function.accumulatorBytes(of: reductions)
    guard bytes <= LoopLowering.accumulatorBytesMax else {
      return "its reductions have accumulators of \(bytes) bytes, not at most "
        + "\(LoopLowering.accumulatorBytesMax)"
    }
    guard ops.count(where: { function.ops[$0].opcode == .random }) <= LoopLowering.randomsMax else {
      return "it makes more than \(LoopLowering.randomsMax) random tensors"
    }
    let trial = trial()
    guard !trial.isTooLarge else {
      return "it reads its values at more than \(ElementReader.readsMax) places"
    }
    guard trial.misreads.isEmpty else {
      return "it reads the result of a reduction at another place than the loop that reduces"
    }
    return nil
  }

  /// Reads everything once to see all places, and finds the dimensions that can be one loop.
  mutating func mergeDimensions() {
    let dims = (0..<rank).map {
      LoopDimension(
        variable: $0, extent: frame.domain[$0], isReduced: frame.reduced.contains($0))
    }
    let merged = MergedDimensions(dims, walkedBy: trial().touched, order: order)
    loops = merged.loops
    reader.dropped = merged.dropped
    reader.flat = merged.flat
  }

  /// A reader that has read all that the kernel reads.
  private func trial() -> ElementReader {
    var trial = reader
    for op in ops where function.ops[op].opcode == .random {
      trial.touched.append(trial.linear(function.result(of: op), fullIndices))
    }
    for op in reductions {
      trial.rows[function.result(of: op)] = .neutral(kind: "add", .f32)
    }
    for op in reductions { _ = trial.read(function.operands(of: op).first!, at: fullIndices) }
    for output in outputs {
      let indices = indices(of: output.value)
      _ = trial.read(output.value, at: indices)
      _ = trial.place(trial.linear(output.value, indices))
    }
    return trial
  }

  func isParallel(_ factor: Int = 1) -> Bool {
    frame.domain.reduce(factor, *) * max(1, ops.count) >= LoopLowering.parallelWork
  }

  // MARK: Without reductions

  mutating func storeOutputs() -> [Statement] {
    reader.startLoop()
    var stores: [Statement] = []
    for output in outputs {
      let indices = fullIndices
      let expression = reader.read(output.value, at: indices)
      let place = reader.place(reader.linear(output.value, indices))
      stores.append(
        .store(
          buffer: output.buffer, place, function.type(of: output.value).dtype, expression))
    }
    return reader.statements + stores
  }

  private mutating func mapNest() -> [Statement] {
    let isRandom = ops.contains { function.ops[$0].opcode == .random }
    if isRandom, loops.count <= 1 || loops.last!.extent % 64 == 0 { return randomNest() }
    return nest(loops, onThreads: isParallel(), isInnermost: true, storeOutputs())
  }

  /// A map whose innermost loop runs in blocks for which random words are made first.
  private mutating func randomNest() -> [Statement] {
    let randoms = ops.count { function.ops[$0].opcode == .random }
    var most = LoopLowering.randomBlock
    while most * randoms > LoopLowering.randomWordsMax { most /= 2 }
    let loop = loops.last ?? LoopDimension(variable: newVariable(), extent: 1, isReduced: false)
    let block = newVariable()
    let lane = newVariable()
    var body: [Statement] = []
    for op in ops where function.ops[op].opcode == .random {
      let row = newRow()
      let first = reader.place(reader.linear(function.result(of: op), fullIndices))
      body.append(
        .randomWords(
          row: row, key: keyBuffers[op]!, stream: function.ops[op].attributes.int(.stream) ?? 0,
          start: first.dropping(loop.variable) + .variable(block), block: block, most: most,
          total: loop.extent))
      reader.randomWords[op] = .lane(row: row, .variable(lane))
    }
    let inner = storeOutputs()
    body.append(
      .lanes(
        variable: loop.variable, lane: lane, block: block, most: most, total: loop.extent, inner))
    let outer = Array(loops.dropLast())
    let blocks: Statement = .blocks(
      variable: block, width: most, extent: loop.extent,
      outer.isEmpty && isParallel(20) ? .parallel(collapsed: 1) : .serial, body)
    return nest(outer, onThreads: isParallel(20), [blocks])
  }

  mutating func newVariable() -> Int {
    nextVariable += 1
    return nextVariable - 1
  }

  /// Adds a part of the scratch, aligned to a line of a cache, and returns where it begins.
  mutating func takeScratch(bytes: Int) -> Int {
    defer { scratchBytes += alignedBytes(bytes) }
    return scratchBytes
  }

  mutating func newRow() -> Int {
    reader.nextRow += 1
    return reader.nextRow - 1
  }
}
