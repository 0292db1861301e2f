// Elementwise chains and the reductions in them as loops.
//
// Problem     Run all ops of a kernel in one loop nest over its domain, reading each operand and
//             writing each result once where that is possible.
// Method      Reductions are ordered in passes: one that needs the result of another runs in a later
//             pass over the reduced dimensions, and cheap values in between are computed again
//             (`LoopPasses`). A result is written in the last pass that computes it.
// Reductions  Along the innermost dimension in lanes (`RowReductions.swift`), else in columns side by
//             side (`ColumnReductions.swift`). Both orders depend on the shape alone.
// Merging     Neighbouring dimensions that every place walks through as one become one loop.
// Checked by  The interpreter, in tests over random programs.

/// Lowers the ops of one loop kernel.
struct LoopLowering {
  /// Words of a random stream that are made at a time.
  private static let randomBlock = 256
  /// Element operations from which on threads are worth their start.
  static let parallelWork = 40_000

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
    return frame.reduced.isEmpty ? mapNest() : reductionNest()
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
    (loops, reader.dropped) = mergedDimensions(dims, walkedBy: trial().touched)
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

  /// All places that the kernel reads and writes, after merging.
  func places() -> [Index] {
    trial().touched.map { place in reader.dropped.reduce(place) { $0.dropping($1) } }
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
          start: first.dropping(loop.variable) + .variable(block), block: block,
          most: LoopLowering.randomBlock, total: loop.extent))
      reader.randomWords[op] = .lane(row: row, .variable(lane))
    }
    let inner = storeOutputs()
    body.append(
      .lanes(
        variable: loop.variable, lane: lane, block: block, most: LoopLowering.randomBlock,
        total: loop.extent, inner))
    let outer = Array(loops.dropLast())
    let blocks: Statement = .blocks(
      variable: block, width: LoopLowering.randomBlock, extent: loop.extent,
      outer.isEmpty && isParallel(20) ? .parallel(collapsed: 1) : .serial, body)
    return nest(outer, onThreads: isParallel(20), [blocks])
  }

  mutating func newVariable() -> Int {
    nextVariable += 1
    return nextVariable - 1
  }

  mutating func newRow() -> Int {
    reader.nextRow += 1
    return reader.nextRow - 1
  }
}
