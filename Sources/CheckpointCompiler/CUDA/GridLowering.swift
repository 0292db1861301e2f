// Elementwise chains and the reductions in them as launches.
//
// Vectors     A thread of a map computes four neighbours. It reads all it needs before it stores
//             anything, so that compilers make one access of four, even where a result lies over an operand.
// Method      The passes are those of `LoopLowering`. Where sums have parts, every pass is a launch that
//             first combines the parts of the passes before it; results of the shape of the sums are
//             stored by a launch at the end, because blocks of other parts may still read what they
//             overwrite. Else one launch does all passes.

extension LoopLowering {
  /// The launches of the kernel.
  mutating func grid() -> GridKernel {
    mergeDimensions()
    guard !frame.reduced.isEmpty else {
      return GridKernel(launches: [.map(map())])
    }
    let shape = GridReductionShape(frame)
    var accumulators: [OpID: GridAccumulator] = [:]
    var scratchBytes = 0
    for op in reductions {
      let dtype = accumulatorDType(op)
      accumulators[op] = GridAccumulator(
        row: newRow(), kind: kind(op), dtype: dtype, scratchOffset: scratchBytes)
      scratchBytes += shape.scratchBytes(dtype)
    }
    func launch(_ stages: [GridStage], isInParts: Bool) -> GridLaunch {
      .reduction(
        GridReduction(
          shape: shape, kept: loops.filter { !$0.isReduced },
          reduced: loops.filter(\.isReduced), stages: stages, isInParts: isInParts))
    }
    let passes = (0...passCount).filter {
      !reductions(inPass: $0).isEmpty || !fullOutputs(inPass: $0).isEmpty
    }
    let hasKeptOutputs = outputs.contains { frame.isKept(function.type(of: $0.value).shape) }
    guard shape.parts > 1 else {
      var stages: [GridStage] = []
      reader.rows.removeAll()
      stages += keptStages(level: 0, stores: true)
      for pass in 0...passCount {
        if passes.contains(pass) { stages.append(walk(pass, accumulators)) }
        stages += sumStages(pass, accumulators, combines: false, stores: true)
      }
      return GridKernel(launches: [launch(stages, isInParts: false)])
    }
    var launches: [GridLaunch] = []
    for last in passes + (hasKeptOutputs ? [passCount + 1] : []) {
      let isFinal = last > passCount
      reader.rows.removeAll()
      var stages = keptStages(level: 0, stores: isFinal)
      for pass in 0..<min(last, passCount + 1) {
        stages += sumStages(pass, accumulators, combines: true, stores: isFinal)
      }
      if !isFinal { stages.append(walk(last, accumulators)) }
      launches.append(launch(stages, isInParts: !isFinal))
    }
    return GridKernel(launches: launches, scratchBytes: scratchBytes)
  }

  /// Neighbours that a thread of a map computes, where there are enough places for all threads.
  private static let vectorWidth = 4
  private static let vectorWorkMin = 1 << 18
  /// Reads that are made before anything is computed: they take registers until they are used.
  private static let vectorLoadsMost = 8

  private mutating func map() -> GridMap {
    let body = storeOutputs()
    let width = Self.vectorWidth
    guard let last = loops.last, last.extent % width == 0,
      loops.reduce(1, { $0 * $1.extent }) >= Self.vectorWorkMin
    else { return GridMap(dims: loops, body: body) }
    let (lane, block) = (newVariable(), newVariable())
    func lanes(_ body: [Statement]) -> Statement {
      .lanes(
        variable: last.variable, lane: lane, block: block, most: width, total: last.extent, body)
    }
    var rows: [Statement] = []
    var loads: [Statement] = []
    var computed: [Statement] = []
    var stores: [Statement] = []
    func laneRow(_ dtype: DType) -> Int {
      let row = newRow()
      rows.append(
        .defineRow(row: row, dtype, count: width, .constant(dtype, dtype.encode(0))))
      return row
    }
    for statement in withoutUnusedDefinitions(body) {
      switch statement {
      case .define(let local, let dtype, .load(let buffer, let place))
      where place.factor(of: last.variable) == 1 && loads.count < Self.vectorLoadsMost:
        let row = laneRow(dtype)
        loads.append(.assignLane(row: row, .variable(lane), .load(buffer: buffer, place)))
        computed.append(.define(local: local, dtype, .lane(row: row, .variable(lane))))
      case .store(let buffer, let place, let dtype, let value):
        let row = laneRow(dtype)
        computed.append(.assignLane(row: row, .variable(lane), value))
        stores.append(.store(buffer: buffer, place, dtype, .lane(row: row, .variable(lane))))
      default: computed.append(statement)
      }
    }
    return GridMap(
      dims: loops.dropLast() + [LoopDimension(variable: block, extent: last.extent)],
      body: rows + [loads, computed, stores].filter { !$0.isEmpty }.map(lanes), width: width)
  }

  /// The walk of a pass: what it adds up, and what it writes.
  private mutating func walk(_ pass: Int, _ accumulators: [OpID: GridAccumulator]) -> GridStage {
    reader.startLoop()
    let reductions = reductions(inPass: pass)
    var additions: [Statement] = []
    for op in reductions {
      let element = reader.read(function.operands(of: op).first!, at: fullIndices)
      additions.append(accumulators[op]!.adding(element))
    }
    let stores = storeFull(pass)
    return .walk(
      reader.statements + additions + stores, reductions.map { accumulators[$0]! })
  }

  /// What follows a pass: its sums as scalars, and the values that become known.
  private mutating func sumStages(
    _ pass: Int, _ accumulators: [OpID: GridAccumulator], combines: Bool, stores: Bool
  ) -> [GridStage] {
    var stages: [GridStage] = []
    reader.startLoop()
    for op in reductions(inPass: pass) {
      let accumulator = accumulators[op]!
      if combines { stages.append(.combined(accumulator)) }
      let result = function.result(of: op)
      reader.rows[result] = reader.define(
        function.type(of: result).dtype, rounded(.lane(row: accumulator.row, Index()), op))
    }
    stages.append(.scalars(reader.statements))
    return stages + keptStages(level: pass + 1, stores: stores)
  }

  /// The values of a level that belong to a sum, and their stores.
  private mutating func keptStages(level: Int, stores: Bool) -> [GridStage] {
    reader.startLoop()
    var written: [Statement] = []
    for value in keptValues(level: level) {
      let expression = reader.read(value, at: reader.keptIndices)
      reader.rows[value] = expression
      for output in outputs where stores && output.value == value {
        let place = reader.place(reader.linear(value, reader.keptIndices))
        written.append(
          .store(buffer: output.buffer, place, function.type(of: value).dtype, expression))
      }
    }
    let scalars = GridStage.scalars(reader.statements)
    return written.isEmpty ? [scalars] : [scalars, .stores(written)]
  }
}

/// Bytes of scratch of a kernel on a graphics processor.
func cudaScratchBytes(of op: OpID, in function: Function, target: Target) -> Int {
  switch function.ops[op].opcode {
  case .sort: return CUDASort.scratchBytes(of: op, in: function)
  case .softmaxAttention, .softmaxAttentionGradient: return 0
  default: break
  }
  if let contraction = function.contraction(of: op) { return contraction.cudaScratchBytes }
  // Reductions of one kernel have one frame.
  var bytes = 0
  for inner in function.opsOfKernel(op) where function.ops[inner].opcode == .reduce {
    guard let frame = LoopFrame(inner, of: function) else { continue }
    let dtype = function.type(of: function.result(of: inner)).dtype
    bytes += GridReductionShape(frame).scratchBytes(dtype == .bf16 || dtype == .f16 ? .f32 : dtype)
  }
  return bytes
}
