// `gather`, `scatter` and slices whose place is data as loops.
//
// Windows     An op that gives its operand with some windows changed copies the operand first, unless
//             the result lies over it; then it writes the windows alone.
// Order       Updates of one place follow each other in row-major order. Vectors that stand apart along
//             a batch dimension of the operand share no place: their loops come first, on threads.

extension MovementLowering {
  /// An element of an operand that holds indices, as a number that a signed 64-bit place holds: of an
  /// unsigned dtype, larger ones are beyond every extent anyway.
  private func readIndex(_ operand: Int, _ place: Index) -> Expression {
    let dtype = operandType(operand).dtype
    let index = Expression.load(buffer: operandBuffers[operand], place)
    guard dtype.isUnsigned, dtype.byteCount == 8 else { return index }
    let most = withUnsafeBytes(of: Int64.max.littleEndian) { Array($0) }
    return .apply(
      .minimum, from: dtype, to: dtype, [index, .constant(dtype, most)], direction: nil)
  }

  /// The places that an index vector names: statements that read it, and one index per entry.
  private mutating func readVector(
    of operand: Int, _ batch: [Index], vectorDim: Int, length: Int,
    clampedTo: (Int) -> ClosedRange<Int>?
  ) -> (statements: [Statement], places: [Index]) {
    let indices = operandType(operand)
    var statements: [Statement] = []
    var places: [Index] = []
    for entry in 0..<length {
      var full = batch
      if vectorDim < indices.rank { full.insert(Index(entry), at: vectorDim) }
      let local = newLocal()
      statements.append(
        .definePlace(
          local: local,
          readIndex(operand, Index.linear(full, strides: indices.strides)),
          clampedTo: clampedTo(entry)))
      places.append(Index(.local(local)))
    }
    return (statements, places)
  }

  mutating func gather() -> [Statement] {
    let dims = GatherDimensions(attributes)
    let source = operandType(0)
    let all = variables(type.rank)
    let batchDims = dims.batchDims(rank: type.rank)
    let vector = readVector(
      of: 1, batchDims.map { .variable(all[$0]) }, vectorDim: dims.indexVectorDim,
      length: dims.startIndexMap.count
    ) { entry in
      let axis = dims.startIndexMap[entry]
      return 0...(source.shape[axis] - dims.sliceSizes[axis])
    }
    var places = Array(repeating: Index(), count: source.rank)
    for (entry, axis) in dims.startIndexMap.enumerated() { places[axis] = vector.places[entry] }
    for batch in dims.batches { places[batch.dim] = .variable(all[batchDims[batch.position]]) }
    for (axis, offset) in zip(dims.sliceDims(rank: source.rank), dims.offsetDims) {
      places[axis] = places[axis] + .variable(all[offset])
    }
    let from = Index.linear(places, strides: source.strides)
    let to = Index.linear(all.map { .variable($0) }, strides: type.strides)
    let buffer = operandBuffers[0]
    // The slice is walked inside the loops over the vectors.
    let slices = dims.offsetDims.map { LoopDimension(variable: all[$0], extent: type.shape[$0]) }
    let merged = MergedDimensions(slices, walkedBy: [from, to])
    let (loops, dropped) = (merged.loops, merged.dropped)
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

  /// Statements that copy an operand into its result, unless the result lies over it.
  private mutating func copyOfOperand(_ number: Int) -> [Statement] {
    let (from, to) = (operandBuffers[number], resultBuffers[number])
    guard from != to else { return [] }
    let variable = variables(1)[0]
    return nest(
      [LoopDimension(variable: variable, extent: type.elementCount)],
      onThreads: isWorthThreads(type.elementCount), isInnermost: true,
      [
        .store(
          buffer: to, .variable(variable), operandType(number).dtype,
          .load(buffer: from, .variable(variable)))
      ])
  }

  /// Statements that combine the elements at one place of each tensor with updates.
  private mutating func combination(at to: Index, with from: Index) -> [Statement] {
    let numbers = resultBuffers.indices
    let dtypes = numbers.map { operandType($0).dtype }
    let olds = numbers.map { Expression.load(buffer: resultBuffers[$0], to) }
    let news = numbers.map {
      Expression.load(buffer: operandBuffers[numbers.count + 1 + $0], from)
    }
    if let kind = attributes.symbol(.kind) {
      return [
        .store(buffer: resultBuffer, to, dtypes[0], combined(kind, dtypes[0], olds[0], news[0]))
      ]
    }
    let code = ElementFunctionCode(.function, of: op, in: function)
      .applied(to: olds + news, nextLocal: &nextLocal)
    return code.statements
      + numbers.map { .store(buffer: resultBuffers[$0], to, dtypes[$0], code.results[$0]) }
  }

  mutating func scatter() -> [Statement] {
    let dims = ScatterDimensions(attributes)
    let count = resultBuffers.count
    let updates = operandType(count + 1)
    var statements = (0..<count).flatMap { copyOfOperand($0) }
    let all = variables(updates.rank)
    let batchDims = dims.batchDims(rank: updates.rank)
    let vector = readVector(
      of: count, batchDims.map { .variable(all[$0]) }, vectorDim: dims.indexVectorDim,
      length: dims.scatterDims.count
    ) { _ in nil }
    var places = Array(repeating: Index(), count: type.rank)
    var conditions: [Condition] = []
    let windowDims = dims.windowDims(rank: type.rank)
    let sizes = dims.windowSizes(rank: type.rank, updates: updates.shape)
    for batch in dims.batches { places[batch.dim] = .variable(all[batchDims[batch.position]]) }
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
    let merged = MergedDimensions(windows, walkedBy: [from, to])
    let (loops, dropped) = (merged.loops, merged.dropped)
    func finish(_ index: Index) -> Index { dropped.reduce(index) { $0.dropping($1) } }
    let inner = nest(loops, onThreads: false, combination(at: finish(to), with: finish(from)))
    // Updates of the same place follow each other in order, on one thread. Vectors that stand apart
    // along a batch dimension of the operand share no place: those loops come first.
    let batchPositions = dims.batches.map(\.position).sorted()
    func loop(_ position: Int) -> LoopDimension {
      LoopDimension(
        variable: all[batchDims[position]], extent: updates.shape[batchDims[position]])
    }
    let ordered = nest(
      batchDims.indices.filter { !batchPositions.contains($0) }.map(loop), onThreads: false,
      vector.statements + [.when(conditions, inner)])
    statements += nest(
      batchPositions.map(loop), onThreads: isWorthThreads(updates.elementCount), ordered)
    return statements
  }

  /// The place of an element of a slice whose starts are scalar operands from a number on: statements
  /// that read them, and the place in a tensor of a type.
  private mutating func slicePlace(
    _ x: TensorType, _ shape: [Int], variables: [Int], startsFrom first: Int
  ) -> (statements: [Statement], place: Index) {
    var statements: [Statement] = []
    var places = variables.map { Index.variable($0) }
    for axis in 0..<x.rank where shape[axis] < x.shape[axis] {
      let local = newLocal()
      statements.append(
        .definePlace(
          local: local, readIndex(first + axis, Index()),
          clampedTo: 0...(x.shape[axis] - shape[axis])))
      places[axis] = places[axis] + Index(.local(local))
    }
    return (statements, Index.linear(places, strides: x.strides))
  }

  mutating func dynamicSlice() -> [Statement] {
    let all = variables(type.rank)
    let source = slicePlace(operandType(0), type.shape, variables: all, startsFrom: 1)
    let buffer = operandBuffers[0]
    return source.statements
      + map(
        all, shape: type.shape, onThreads: isWorthThreads(type.elementCount),
        to: Index.linear(all.map { .variable($0) }, strides: type.strides),
        touched: [source.place]
      ) { finish in .load(buffer: buffer, finish(source.place)) }
  }

  mutating func dynamicUpdateSlice() -> [Statement] {
    let copy = copyOfOperand(0)
    let update = operandType(1)
    let all = variables(update.rank)
    let target = slicePlace(type, update.shape, variables: all, startsFrom: 2)
    let from = Index.linear(all.map { .variable($0) }, strides: update.strides)
    let buffer = operandBuffers[1]
    return copy + target.statements
      + map(
        all, shape: update.shape, onThreads: isWorthThreads(update.elementCount),
        to: target.place, touched: [from]
      ) { finish in .load(buffer: buffer, finish(from)) }
  }
}

/// An element and an update, combined and rounded to their dtype.
func combined(_ kind: String, _ dtype: DType, _ old: Expression, _ new: Expression) -> Expression {
  if kind == "set" { return new }
  guard dtype == .bf16 || dtype == .f16 else { return .combine(kind: kind, dtype, old, new) }
  return .apply(
    .convert, from: .f32, to: dtype, [.combine(kind: kind, .f32, old, new)], direction: nil)
}
