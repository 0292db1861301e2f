// `pad`, `concatenate`, `gather` and `scatter` as loops.

/// Lowers one op that moves elements to places that are not a view of its operand.
struct MovementLowering {
  private let function: Function
  private let op: OpID
  private let operands: [ValueID]
  private let result: ValueID
  /// The buffer of each operand, and of the result.
  private let operandBuffers: [Int]
  private let resultBuffer: Int
  private var nextVariable = 0
  private var nextLocal = 0

  init(_ function: Function, _ op: OpID, operandBuffers: [Int], resultBuffer: Int) {
    self.function = function
    self.op = op
    self.operandBuffers = operandBuffers
    self.resultBuffer = resultBuffer
    operands = Array(function.operands(of: op))
    result = function.result(of: op)
  }

  private var attributes: Attributes { function.ops[op].attributes }
  private var type: TensorType { function.type(of: result) }
  private func operandType(_ number: Int) -> TensorType { function.type(of: operands[number]) }

  private mutating func variables(_ count: Int) -> [Int] {
    defer { nextVariable += count }
    return Array(nextVariable..<nextVariable + count)
  }

  private mutating func newLocal() -> Int {
    nextLocal += 1
    return nextLocal - 1
  }

  private func isWorthThreads(_ elements: Int) -> Bool {
    elements >= LoopLowering.parallelWork
  }

  /// A loop nest that stores one element for each place of `shape`.
  private func map(
    _ variables: [Int], shape: [Int], onThreads: Bool, to place: Index, touched: [Index],
    _ store: (_ finish: (Index) -> Index) -> Expression
  ) -> [Statement] {
    let dims = zip(variables, shape).map { LoopDimension(variable: $0, extent: $1) }
    let (loops, dropped) = mergedDimensions(dims, walkedBy: touched + [place])
    func finish(_ index: Index) -> Index { dropped.reduce(index) { $0.dropping($1) } }
    return nest(
      loops, onThreads: onThreads, isInnermost: true,
      [.store(buffer: resultBuffer, finish(place), type.dtype, store(finish))])
  }

  /// The statements of the op.
  mutating func run() -> [Statement] {
    switch function.ops[op].opcode {
    case .pad: pad()
    case .concatenate: concatenate()
    case .gather: gather()
    case .scatter: scatter()
    default: preconditionFailure("'\(function.ops[op].opcode.name)' is lowered elsewhere")
    }
  }

  private mutating func pad() -> [Statement] {
    let source = operandType(0)
    let rank = type.rank
    let low = attributes.ints(.low, count: rank, fill: 0)
    let interior = attributes.ints(.interior, count: rank, fill: 0)
    let variables = variables(rank)
    var conditions: [Condition] = []
    var places: [Index] = []
    for axis in 0..<rank {
      let spread = interior[axis] + 1
      let position = Index.variable(variables[axis]) + -low[axis]
      let reach = source.shape[axis] == 0 ? 0 : (source.shape[axis] - 1) * spread + 1
      let condition = Condition(
        index: position, lower: low[axis] > 0 ? 0 : nil,
        upper: type.shape[axis] - low[axis] > reach ? reach : nil, divisor: spread)
      if !condition.isTrivial { conditions.append(condition) }
      places.append(spread == 1 ? position : Index(.quotient(position, spread)))
    }
    let place = Index.linear(places, strides: source.strides)
    let buffers = operandBuffers
    // Conditions look at single dimensions, which therefore stay loops of their own.
    let touched = [place] + conditions.map(\.index)
    return map(
      variables, shape: type.shape, onThreads: isWorthThreads(type.elementCount),
      to: Index.linear(variables.map { .variable($0) }, strides: type.strides), touched: touched
    ) { finish in
      let element = Expression.load(buffer: buffers[0], finish(place))
      guard !conditions.isEmpty else { return element }
      return .choose(
        conditions.map {
          Condition(
            index: finish($0.index), lower: $0.lower, upper: $0.upper, divisor: $0.divisor)
        }, element, .load(buffer: buffers[1], Index()))
    }
  }

  private mutating func concatenate() -> [Statement] {
    let dim = attributes.int(.dim)!
    var statements: [Statement] = []
    var start = 0
    for (number, operand) in operands.enumerated() {
      let source = function.type(of: operand)
      let variables = variables(source.rank)
      let indices = variables.map { Index.variable($0) }
      let from = Index.linear(indices, strides: source.strides)
      let to = Index.linear(indices, strides: type.strides) + start * type.strides[dim]
      let buffer = operandBuffers[number]
      statements += map(
        variables, shape: source.shape, onThreads: isWorthThreads(source.elementCount), to: to,
        touched: [from]
      ) { finish in .load(buffer: buffer, finish(from)) }
      start += source.shape[dim]
    }
    return statements
  }

  /// The places that an index vector names: statements that read it, and one index per entry.
  private mutating func readVector(
    _ batch: [Index], vectorDim: Int, length: Int, clampedTo: (Int) -> ClosedRange<Int>?
  ) -> (statements: [Statement], places: [Index]) {
    let indices = operandType(1)
    var statements: [Statement] = []
    var places: [Index] = []
    for entry in 0..<length {
      var full = batch
      if vectorDim < indices.rank { full.insert(Index(entry), at: vectorDim) }
      let local = newLocal()
      statements.append(
        .definePlace(
          local: local,
          .load(buffer: operandBuffers[1], Index.linear(full, strides: indices.strides)),
          clampedTo: clampedTo(entry)))
      places.append(Index(.local(local)))
    }
    return (statements, places)
  }

  private mutating func gather() -> [Statement] {
    let dims = GatherDimensions(attributes)
    let source = operandType(0)
    let all = variables(type.rank)
    let batchDims = (0..<type.rank).filter { !dims.offsetDims.contains($0) }
    let vector = readVector(
      batchDims.map { .variable(all[$0]) }, vectorDim: dims.indexVectorDim,
      length: dims.startIndexMap.count
    ) { entry in
      let axis = dims.startIndexMap[entry]
      return 0...(source.shape[axis] - dims.sliceSizes[axis])
    }
    var places = Array(repeating: Index(), count: source.rank)
    for (entry, axis) in dims.startIndexMap.enumerated() { places[axis] = vector.places[entry] }
    let kept = (0..<source.rank).filter { !dims.collapsedSliceDims.contains($0) }
    for (axis, offset) in zip(kept, dims.offsetDims) {
      places[axis] = places[axis] + .variable(all[offset])
    }
    let from = Index.linear(places, strides: source.strides)
    let to = Index.linear(all.map { .variable($0) }, strides: type.strides)
    let buffer = operandBuffers[0]
    // The slice is walked inside the loops over the vectors.
    let slices = dims.offsetDims.map { LoopDimension(variable: all[$0], extent: type.shape[$0]) }
    let (loops, dropped) = mergedDimensions(slices, walkedBy: [from, to])
    func finish(_ index: Index) -> Index { dropped.reduce(index) { $0.dropping($1) } }
    let inner = nest(
      loops, onThreads: false,
      [
        .store(
          buffer: resultBuffer, finish(to), type.dtype,
          .load(buffer: buffer, finish(from)))
      ])
    return nest(
      batchDims.map { LoopDimension(variable: all[$0], extent: type.shape[$0]) },
      onThreads: isWorthThreads(type.elementCount), vector.statements + inner)
  }

  private mutating func scatter() -> [Statement] {
    let dims = ScatterDimensions(attributes)
    let updates = operandType(2)
    var statements: [Statement] = []
    if operandBuffers[0] != resultBuffer {
      let variable = variables(1)[0]
      let buffer = operandBuffers[0]
      statements = nest(
        [LoopDimension(variable: variable, extent: type.elementCount)],
        onThreads: isWorthThreads(type.elementCount), isInnermost: true,
        [
          .store(
            buffer: resultBuffer, .variable(variable), type.dtype,
            .load(buffer: buffer, .variable(variable)))
        ])
    }
    let all = variables(updates.rank)
    let batchDims = (0..<updates.rank).filter { !dims.updateWindowDims.contains($0) }
    let vector = readVector(
      batchDims.map { .variable(all[$0]) }, vectorDim: dims.indexVectorDim,
      length: dims.scatterDims.count
    ) { _ in nil }
    var places = Array(repeating: Index(), count: type.rank)
    var conditions: [Condition] = []
    let windowDims = (0..<type.rank).filter { !dims.insertedWindowDims.contains($0) }
    var sizes = Array(repeating: 1, count: type.rank)
    for (axis, updateDim) in zip(windowDims, dims.updateWindowDims) {
      sizes[axis] = updates.shape[updateDim]
    }
    for (entry, axis) in dims.scatterDims.enumerated() {
      places[axis] = vector.places[entry]
      conditions.append(
        Condition(index: vector.places[entry], lower: 0, upper: type.shape[axis] - sizes[axis] + 1))
    }
    for (axis, updateDim) in zip(windowDims, dims.updateWindowDims) {
      places[axis] = places[axis] + .variable(all[updateDim])
    }
    let to = Index.linear(places, strides: type.strides)
    let from = Index.linear(all.map { .variable($0) }, strides: updates.strides)
    let windows = dims.updateWindowDims.map {
      LoopDimension(variable: all[$0], extent: updates.shape[$0])
    }
    let (loops, dropped) = mergedDimensions(windows, walkedBy: [from, to])
    func finish(_ index: Index) -> Index { dropped.reduce(index) { $0.dropping($1) } }
    let inner = nest(
      loops, onThreads: false,
      [
        .store(
          buffer: resultBuffer, finish(to), type.dtype,
          combined(
            attributes.symbol(.kind)!, type.dtype,
            .load(buffer: resultBuffer, finish(to)),
            .load(buffer: operandBuffers[2], finish(from))))
      ])
    // Updates of the same place follow each other in order, so that no two threads share them.
    statements += nest(
      batchDims.map { LoopDimension(variable: all[$0], extent: updates.shape[$0]) },
      onThreads: false, vector.statements + [.when(conditions, inner)])
    return statements
  }
}

/// An element and an update, combined and rounded to their dtype.
func combined(_ kind: String, _ dtype: DType, _ old: Expression, _ new: Expression) -> Expression {
  if kind == "set" { return new }
  guard dtype == .bf16 || dtype == .f16 else { return .combine(kind: kind, dtype, old, new) }
  return .apply(
    .convert, from: .f32, to: dtype, [.combine(kind: kind, .f32, old, new)], direction: nil)
}
