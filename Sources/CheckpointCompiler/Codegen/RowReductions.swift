// Reductions of a loop kernel: its passes, and those along the innermost dimension.
//
// Lanes       A row is reduced in lanes that are combined in a tree: element i in lane i modulo their
//             number (`ReductionOrder`). Many lanes hide how long an addition takes, and give C
//             compilers whole vectors where narrow dtypes stand beside f32.

extension LoopLowering {
  /// The accumulator of a reduction: the dtype it computes in.
  func accumulatorDType(_ op: OpID) -> DType { function.accumulatorDType(op) }

  func kind(_ op: OpID) -> String { function.ops[op].attributes.symbol(.kind)! }

  var passCount: Int {
    1 + (reductions.map { levels[function.operands(of: $0).first!] ?? 0 }.max() ?? 0)
  }

  /// A pass over the reduced dimensions: what it reduces, and what it writes.
  func reductions(inPass pass: Int) -> [OpID] {
    reductions.filter { (levels[function.operands(of: $0).first!] ?? 0) == pass }
  }

  func fullOutputs(inPass pass: Int) -> [(value: ValueID, buffer: Int)] {
    outputs.filter {
      !frame.isKept(function.type(of: $0.value).shape)
        && min(passes.write($0.value), passCount) == pass
    }
  }

  /// Kept values that become known after a pass, in the order of the ops.
  func keptValues(level: Int) -> [ValueID] {
    ops.flatMap { Array(function.results(of: $0)) }.filter { value in
      guard let op = function.definingOp(of: value), !function.isIndexing(op) else { return false }
      return levels[value] == level && frame.isKept(function.type(of: value).shape)
        && (level > 0 || outputs.contains { $0.value == value })
    }
  }

  /// The stores of the results of the whole domain that a pass writes.
  mutating func storeFull(_ pass: Int) -> [Statement] {
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

  /// The passes of one row of kept values; in parts, they use scratch.
  mutating func rowBody(
    reduced: [LoopDimension], lanes: Int, parts: LoopParts?
  ) -> [Statement] {
    let inner = reduced.last!
    if let parts { _ = takeScratch(bytes: partialBytes(parts, width: lanes)) }
    var statements: [Statement] = keptStatements(level: 0)
    for pass in 0...passCount {
      let reductions = reductions(inPass: pass)
      guard !reductions.isEmpty || !fullOutputs(inPass: pass).isEmpty else { continue }
      reader.startLoop()
      let lane = newVariable()
      let block = newVariable()
      let place = lanes > 1 ? Index.variable(lane) : Index()
      var accumulations: [Statement] = []
      var accumulators: [Accumulator] = []
      for op in reductions {
        let sum = Accumulator(op: op, row: newRow(), kind: kind(op), dtype: accumulatorDType(op))
        accumulators.append(sum)
        let element = reader.read(function.operands(of: op).first!, at: fullIndices)
        accumulations.append(sum.adding(element, at: place))
      }
      let stores = storeFull(pass)
      let body = reader.statements + accumulations + stores
      let usesLanes = lanes > 1 && !reductions.isEmpty
      let vector: Statement = .lanes(
        variable: inner.variable, lane: lane, block: block, most: lanes, total: inner.extent,
        body)
      let variable = usesLanes ? block : inner.variable
      let step = usesLanes ? lanes : 1
      let loopBody = usesLanes ? [vector] : body
      func innermost() -> Statement {
        usesLanes
          ? .blocks(variable: block, width: lanes, extent: inner.extent, .serial, loopBody)
          : .loop(variable: inner.variable, extent: inner.extent, .serial, loopBody)
      }
      var sums: [OpID: Int] = [:]
      if let parts {
        statements += overParts(
          parts, accumulators, width: lanes, place: place,
          each: { .loop(variable: lane, extent: lanes, .independent, $0) }, sums: &sums
        ) { start in
          guard reduced.count > 1 else {
            return parts.walk(from: start, variable: variable, step: step, loopBody)
          }
          return parts.walk(
            from: start,
            nest(Array(reduced[1..<reduced.count - 1]), onThreads: false, [innermost()])
          )
        }
      } else {
        for sum in accumulators { sums[sum.op] = sum.row }
        statements += accumulators.map { $0.defined(count: lanes) }
        statements += nest(Array(reduced.dropLast()), onThreads: false, [innermost()])
      }
      reader.startLoop()
      for op in reductions {
        statements += treeSum(sums[op]!, lanes, kind(op), accumulatorDType(op))
        let result = function.result(of: op)
        let sum = Expression.lane(row: sums[op]!, Index())
        reader.rows[result] = reader.define(
          function.type(of: result).dtype, rounded(sum, op))
      }
      statements += reader.statements
      statements += keptStatements(level: pass + 1)
    }
    return statements
  }

  /// The accumulator rounded to the dtype of the result.
  func rounded(_ sum: Expression, _ op: OpID) -> Expression {
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
}

extension Function {
  /// The dtype that a reduction computes in.
  func accumulatorDType(_ op: OpID) -> DType {
    let dtype = type(of: result(of: op)).dtype
    return dtype == .bf16 || dtype == .f16 ? .f32 : dtype
  }

  /// The bytes of one accumulator of each reduction among some ops.
  func accumulatorBytes(of ops: [OpID]) -> Int {
    ops.reduce(0) {
      self.ops[$1].opcode == .reduce ? $0 + accumulatorDType($1).rowByteCount : $0
    }
  }
}
