// Elementwise chains and the reductions in them as loops.
//
// Problem     Run all ops of a kernel in one loop nest over its domain, reading each operand and
//             writing each result once where that is possible.
// Method      Reductions are ordered in passes: one that needs the result of another runs in a later
//             pass over the reduced dimensions, and cheap values in between are computed again
//             (`LoopPasses`). A result is written in the last pass that computes it.
// Rows        Where the innermost dimension is reduced, a reduction runs in `laneCount` lanes that
//             are added up in a tree. Where it is not, a block of columns is reduced side by side.
//             Both orders depend on the shape alone.
// Merging     Neighbouring dimensions that every place walks through as one become one loop.
// Checked by  The interpreter, in tests over random programs.

/// Lowers the ops of one loop kernel.
struct LoopLowering {
  /// Lanes of a reduction along the innermost dimension.
  private static let laneCount = 16
  /// Columns that are reduced side by side.
  private static let columnCount = 64
  /// Words of a random stream that are made at a time.
  private static let randomBlock = 256
  /// Element operations from which on threads are worth their start.
  static let parallelWork = 40_000

  private let function: Function
  private let ops: [OpID]
  private let frame: LoopFrame
  private let outputs: [(value: ValueID, buffer: Int)]
  private let keyBuffers: [OpID: Int]
  private var reader: ElementReader
  private let passes: LoopPasses
  private let rank: Int
  private var nextVariable: Int
  private var nextRow = 0
  /// Loop variables that stand for themselves, with the extents they have after merging.
  private var loops: [LoopDimension] = []

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
  private var levels: [ValueID: Int] { passes.level }

  private func isTrivialReduction(_ op: OpID) -> Bool {
    function.ops[op].attributes.ints(.dims)!.isEmpty
  }

  private var fullIndices: [Index] { reader.fullIndices }

  private func indices(of value: ValueID) -> [Index] {
    frame.isKept(function.type(of: value).shape) ? reader.keptIndices : fullIndices
  }

  private var reductions: [OpID] {
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
  private mutating func mergeDimensions() {
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

  private func isParallel(_ factor: Int = 1) -> Bool {
    frame.domain.reduce(factor, *) * max(1, ops.count) >= LoopLowering.parallelWork
  }

  // MARK: Without reductions

  private mutating func storeOutputs() -> [Statement] {
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

  // MARK: With reductions

  private mutating func newVariable() -> Int {
    nextVariable += 1
    return nextVariable - 1
  }

  private mutating func newRow() -> Int {
    nextRow += 1
    return nextRow - 1
  }

  /// The accumulator of a reduction: the dtype it computes in.
  private func accumulatorDType(_ op: OpID) -> DType {
    let dtype = function.type(of: function.result(of: op)).dtype
    return dtype == .bf16 || dtype == .f16 ? .f32 : dtype
  }

  private func kind(_ op: OpID) -> String { function.ops[op].attributes.symbol(.kind)! }

  private var passCount: Int {
    1 + (reductions.map { levels[function.operands(of: $0).first!] ?? 0 }.max() ?? 0)
  }

  private mutating func reductionNest() -> [Statement] {
    let innerIsReduced = loops.last?.isReduced ?? true
    let outer =
      innerIsReduced ? loops.filter { !$0.isReduced } : loops.dropLast().filter { !$0.isReduced }
    let columns = innerIsReduced ? nil : loops.last
    let reduced = loops.filter(\.isReduced)
    let body =
      columns.map { columnBody($0, reduced: reduced) } ?? rowBody(reduced: reduced)
    guard let columns else { return nest(outer, onThreads: isParallel(), body.statements) }
    let blocks: Statement = .blocks(
      variable: body.block, width: min(LoopLowering.columnCount, max(1, columns.extent)),
      extent: columns.extent,
      outer.isEmpty && isParallel() ? .parallel(collapsed: 1) : .serial, body.statements)
    return nest(outer, onThreads: isParallel(), [blocks])
  }

  /// A pass over the reduced dimensions: what it reduces, and what it writes.
  private func reductions(inPass pass: Int) -> [OpID] {
    reductions.filter { (levels[function.operands(of: $0).first!] ?? 0) == pass }
  }

  private func fullOutputs(inPass pass: Int) -> [(value: ValueID, buffer: Int)] {
    outputs.filter {
      !frame.isKept(function.type(of: $0.value).shape)
        && min(passes.write($0.value), passCount) == pass
    }
  }

  /// Kept values that become known after a pass, in the order of the ops.
  private func keptValues(level: Int) -> [ValueID] {
    ops.flatMap { Array(function.results(of: $0)) }.filter { value in
      guard let op = function.definingOp(of: value), !function.isIndexing(op) else { return false }
      return levels[value] == level && frame.isKept(function.type(of: value).shape)
        && (level > 0 || outputs.contains { $0.value == value })
    }
  }

  /// The loops of one pass along rows: with `lanes`, the innermost loop runs in lanes.
  private mutating func storeFull(_ pass: Int) -> [Statement] {
    var stores: [Statement] = []
    for output in fullOutputs(inPass: pass) {
      let expression = reader.read(output.value, at: fullIndices)
      let place = reader.place(reader.linear(output.value, fullIndices))
      stores.append(
        .store(
          buffer: output.buffer, place, function.type(of: output.value).dtype, expression))
    }
    return stores
  }

  private mutating func rowBody(
    reduced: [LoopDimension]
  ) -> (statements: [Statement], block: Int) {
    let inner = reduced.last!
    let usesLanes = inner.extent >= 2 * LoopLowering.laneCount
    let lanes = usesLanes ? LoopLowering.laneCount : 1
    var statements: [Statement] = keptStatements(level: 0)
    for pass in 0...passCount {
      let reductions = reductions(inPass: pass)
      guard !reductions.isEmpty || !fullOutputs(inPass: pass).isEmpty else { continue }
      reader.startLoop()
      let lane = newVariable()
      let block = newVariable()
      var accumulations: [Statement] = []
      var accumulators: [OpID: Int] = [:]
      for op in reductions {
        let dtype = accumulatorDType(op)
        let row = newRow()
        accumulators[op] = row
        statements.append(
          .defineRow(row: row, dtype, count: lanes, .neutral(kind: kind(op), dtype)))
        let element = reader.read(function.operands(of: op).first!, at: fullIndices)
        let place = usesLanes ? Index.variable(lane) : Index()
        accumulations.append(
          .assignLane(
            row: row, place,
            .combine(kind: kind(op), dtype, .lane(row: row, place), element)))
      }
      let stores = storeFull(pass)
      let body = reader.statements + accumulations + stores
      let innermost: [Statement] =
        usesLanes && !reductions.isEmpty
        ? [
          .blocks(
            variable: block, width: lanes, extent: inner.extent, .serial,
            [
              .lanes(
                variable: inner.variable, lane: lane, block: block, most: lanes,
                total: inner.extent, body)
            ])
        ] : [.loop(variable: inner.variable, extent: inner.extent, .serial, body)]
      statements += nest(Array(reduced.dropLast()), onThreads: false, innermost)
      reader.startLoop()
      for op in reductions {
        statements += treeSum(accumulators[op]!, lanes, kind(op), accumulatorDType(op))
        let result = function.result(of: op)
        let sum = Expression.lane(row: accumulators[op]!, Index())
        reader.rows[result] = reader.define(
          function.type(of: result).dtype, rounded(sum, op))
      }
      statements += reader.statements
      statements += keptStatements(level: pass + 1)
    }
    return (statements, 0)
  }

  /// The accumulator rounded to the dtype of the result.
  private func rounded(_ sum: Expression, _ op: OpID) -> Expression {
    let dtype = function.type(of: function.result(of: op)).dtype
    let accumulator = accumulatorDType(op)
    if dtype == accumulator { return sum }
    return .apply(.convert, from: accumulator, to: dtype, [sum], direction: nil)
  }

  /// Combines the lanes of a row into its first element.
  private mutating func treeSum(
    _ row: Int, _ lanes: Int, _ kind: String, _ dtype: DType
  ) -> [Statement] {
    var statements: [Statement] = []
    var width = lanes / 2
    while width >= 1 {
      let lane = newVariable()
      let near = Index.variable(lane)
      statements.append(
        .loop(
          variable: lane, extent: width, .serial,
          [
            .assignLane(
              row: row, near,
              .combine(
                kind: kind, dtype, .lane(row: row, near), .lane(row: row, near + width)))
          ]))
      width /= 2
    }
    return statements
  }

  /// Computes kept values of a level as scalars and writes those that are results.
  private mutating func keptStatements(level: Int) -> [Statement] {
    reader.startLoop()
    var stores: [Statement] = []
    for value in keptValues(level: level) {
      let expression = reader.read(value, at: reader.keptIndices)
      reader.rows[value] = expression
      for output in outputs where output.value == value {
        let place = reader.place(reader.linear(value, reader.keptIndices))
        stores.append(
          .store(buffer: output.buffer, place, function.type(of: value).dtype, expression))
      }
    }
    return reader.statements + stores
  }

  private mutating func columnBody(
    _ columns: LoopDimension,
    reduced: [LoopDimension]
  ) -> (statements: [Statement], block: Int) {
    let block = newVariable()
    let lane = newVariable()
    let width = min(LoopLowering.columnCount, max(1, columns.extent))
    func lanes(_ body: [Statement]) -> Statement {
      .lanes(
        variable: columns.variable, lane: lane, block: block, most: width, total: columns.extent,
        body)
    }
    var statements: [Statement] = []
    func appendKept(_ kept: (rows: [Statement], body: [Statement])) {
      statements += kept.rows
      if !kept.body.isEmpty { statements.append(lanes(kept.body)) }
    }
    appendKept(columnKept(level: 0, lane: lane, width: width, reductions: [:]))
    for pass in 0...passCount {
      let reductions = reductions(inPass: pass)
      guard !reductions.isEmpty || !fullOutputs(inPass: pass).isEmpty else { continue }
      reader.startLoop()
      var accumulations: [Statement] = []
      var accumulators: [OpID: Int] = [:]
      for op in reductions {
        let dtype = accumulatorDType(op)
        let row = newRow()
        accumulators[op] = row
        statements.append(
          .defineRow(row: row, dtype, count: width, .neutral(kind: kind(op), dtype)))
        let element = reader.read(function.operands(of: op).first!, at: fullIndices)
        accumulations.append(
          .assignLane(
            row: row, .variable(lane),
            .combine(
              kind: kind(op), dtype, .lane(row: row, .variable(lane)), element)))
      }
      let stores = storeFull(pass)
      let body = reader.statements + accumulations + stores
      statements += nest(reduced, onThreads: false, [lanes(body)])
      appendKept(columnKept(level: pass + 1, lane: lane, width: width, reductions: accumulators))
    }
    return (statements, block)
  }

  /// Computes kept values of a level, one lane per column, into rows that later passes read, and
  /// writes those that are results.
  private mutating func columnKept(
    level: Int, lane: Int, width: Int, reductions: [OpID: Int]
  ) -> (rows: [Statement], body: [Statement]) {
    reader.startLoop()
    var rows: [Statement] = []
    var assignments: [Statement] = []
    var stores: [Statement] = []
    var computed: [ValueID: Expression] = [:]
    for op in self.reductions where reductions[op] != nil {
      let result = function.result(of: op)
      let sum = Expression.lane(row: reductions[op]!, .variable(lane))
      computed[result] = reader.define(function.type(of: result).dtype, rounded(sum, op))
      reader.rows[result] = computed[result]
    }
    let values = keptValues(level: level)
    for value in values {
      let expression = computed[value] ?? reader.read(value, at: reader.keptIndices)
      reader.rows[value] = expression
      computed[value] = expression
    }
    for value in values {
      let dtype = function.type(of: value).dtype
      for output in outputs where output.value == value {
        let place = reader.place(reader.linear(value, reader.keptIndices))
        stores.append(.store(buffer: output.buffer, place, dtype, computed[value]!))
      }
      if isReadLater(value, than: values) {
        let row = newRow()
        rows.append(.defineRow(row: row, dtype, count: width, .neutral(kind: "or", .i1)))
        assignments.append(.assignLane(row: row, .variable(lane), computed[value]!))
        reader.rows[value] = .lane(row: row, .variable(lane))
      }
    }
    return (rows, reader.statements + assignments + stores)
  }

  /// Whether an op reads a kept value whose own result is not among those computed beside it: it is
  /// computed in a later loop.
  private func isReadLater(_ value: ValueID, than values: [ValueID]) -> Bool {
    ops.contains { op in
      function.operands(of: op).contains(value)
        && !function.results(of: op).allSatisfy { values.contains($0) }
    }
  }
}
