// Random ops that apply functions to elements.

import CheckpointCompiler

extension ProgramGenerator {
  mutating func elementFunctions() {
    switch random.index(below: 5) {
    case 0: sort()
    case 1: extremum()
    case 2: weighted(windows: chance(1, of: 2))
    case 3: weightedScatter()
    default: selectAndScatter()
    }
  }

  /// Adds a function of scalars, unless it is there, and returns its name.
  private mutating func callee(
    _ name: String, _ arguments: [DType], _ body: (inout FunctionBuilder, [ValueID]) -> [ValueID]
  ) -> Attribute {
    if !builder.function.callees.contains(where: { $0.name == name }) {
      var inner = FunctionBuilder(name: name)
      let values = arguments.enumerated().map {
        inner.addArgument(name: "a\($0.offset)", type: TensorType($0.element))
      }
      let returned = body(&inner, values)
      builder.addCallee(
        inner.finish(
          returning: returned, as: returned.indices.map { FunctionResult(name: "r\($0)") }))
    }
    return .function(name)
  }

  /// Whether the first number compares so with the second.
  private mutating func comparator(_ direction: String, _ dtypes: [DType]) -> Attribute {
    callee("\(direction)_\(dtypes.map(\.name).joined(separator: "_"))", dtypes) { inner, values in
      [inner.emit(.compare, Array(values[..<2]), [.direction: .symbol(direction)])]
    }
  }

  /// Half of the first number and the second.
  private mutating func halving(_ dtype: DType) -> Attribute {
    callee("halving_\(dtype.name)", [dtype, dtype]) { inner, values in
      let half = inner.emit(
        .constant, [], [.value: .constant(.splat(dtype.encode(0.5)))], type: TensorType(dtype))
      let halved = inner.emit(.multiply, [values[0], half])
      return [inner.emit(.add, [halved, values[1]])]
    }
  }

  private mutating func emitAll(
    _ opcode: Opcode, _ operands: [PoolValue], _ attributes: Attributes, bound: Double,
    isExact: Bool
  ) {
    guard
      let values = try? builder.append(
        opcode, operands.map(\.value), attributes, types: [], names: [])
    else { preconditionFailure("a random '\(opcode.name)' is not well typed") }
    for value in values {
      let type = builder.type(of: value)
      add(
        PoolValue(
          value: value, type: type, bound: type.dtype.isFloatingPoint ? bound : 10,
          isExact: isExact || !type.dtype.isFloatingPoint,
          isActive: opcode == .sort && type.dtype.isFloatingPoint
            && operands.contains { $0.isActive }))
    }
  }

  private mutating func sort() {
    guard let x = pickValue(where: { $0.isExact && !$0.type.shape.isEmpty }) else { return }
    let other = fetch(x.type.with(pick([.i32, mainDType])), exact: true)
    let operands = chance(1, of: 2) ? [x] : [x, other]
    let dtypes = operands.flatMap { [$0.type.dtype, $0.type.dtype] }
    emitAll(
      .sort, operands,
      [
        .comparator: comparator(pick(["lt", "gt"]), dtypes),
        .dim: .int(random.index(below: x.type.rank)),
      ], bound: operands.map(\.bound).max()!, isExact: true)
  }

  /// The largest or smallest element, and its place.
  private mutating func extremum() {
    guard let x = pickValue(where: { $0.isFloat && $0.isExact && !$0.isActive }) else { return }
    let (dtype, place) = (x.type.dtype, DType.i32)
    let direction = pick(["ge", "le"])
    let function = callee("first_\(direction)_\(dtype.name)", [dtype, place, dtype, place]) {
      inner, values in
      let stays = inner.emit(
        .compare, [values[0], values[2]], [.direction: .symbol(direction)])
      return [
        inner.emit(.select, [stays, values[0], values[2]]),
        inner.emit(.select, [stays, values[1], values[3]]),
      ]
    }
    let start = splat(direction == "ge" ? -64 : 64, TensorType(dtype))
    emitAll(
      .reduceWith, [x, fetch(x.type.with(place)), start, splat(-1, TensorType(place))],
      [.function: function, .dims: .ints(subset(Array(x.type.shape.indices)))],
      bound: max(x.bound, 64), isExact: true)
  }

  private mutating func inactive() -> PoolValue {
    bounded(
      pickValue { $0.isFloat && !$0.isActive } ?? argument(TensorType(mainDType, [3]), role: .input)
    )
  }

  private mutating func weighted(windows: Bool) {
    let x = inactive()
    let shape = x.type.shape
    let start = splat(Double(number(-4...4)) / 4, TensorType(x.type.dtype))
    let function = halving(x.type.dtype)
    guard windows else {
      emitAll(
        .reduceWith, [x, start],
        [.function: function, .dims: .ints(shuffled(subset(Array(shape.indices))))],
        bound: 2 * max(1, x.bound), isExact: false)
      return
    }
    let attributes: Attributes = [
      .function: function, .window: .ints(shape.map { _ in number(1...2) }),
      .strides: .ints(shape.map { _ in number(1...2) }),
      .low: .ints(shape.map { _ in number(-1...1) }),
      .high: .ints(shape.map { _ in number(0...2) }),
      .baseDilation: .ints(shape.map { _ in number(1...2) }),
      .windowDilation: .ints(shape.map { _ in number(1...2) }),
    ]
    var plain = attributes
    plain[.function] = nil
    plain[.kind] = .symbol("add")
    let signature = OpSignature(
      opcode: .reduceWindow, operandTypes: [x.type], attributes: plain)
    guard let type = try? signature.checkedResultTypes()[0], type.elementCount > 0,
      type.elementCount <= ProgramGenerator.elementCountMax
    else { return }
    emitAll(
      .reduceWindowWith, [x, start], attributes, bound: 2 * max(1, x.bound), isExact: false)
  }

  private mutating func weightedScatter() {
    let x = inactive()
    guard let rows = x.type.shape.first else { return }
    let count = number(1...4)
    let updates = fetch(x.type.with(shape: [count] + x.type.shape.dropFirst()))
    guard !updates.isActive, rows > 0 else { return }
    emitAll(
      .scatterWith, [x, fetch(TensorType(.i32, [count])), updates],
      [
        .function: halving(x.type.dtype), .insertedWindowDims: .ints([0]), .scatterDims: .ints([0]),
        .updateWindowDims: .ints(Array(x.type.shape.indices.dropFirst())),
        .indexVectorDim: .int(1),
      ], bound: 2 * max(x.bound, updates.bound), isExact: false)
  }

  private mutating func selectAndScatter() {
    guard let x = pickValue(where: { $0.isFloat && $0.isExact && !$0.isActive }) else { return }
    let shape = x.type.shape
    let window = shape.map { number(1...min(2, $0)) }
    let source = fetch(x.type.with(shape: zip(shape, window).map { $0 - $1 + 1 }))
    guard !source.isActive else { return }
    let dtype = x.type.dtype
    emitAll(
      .selectAndScatterWith, [x, source, splat(0.5, TensorType(dtype))],
      [
        .select: comparator(pick(["ge", "le", "lt"]), [dtype, dtype]), .scatter: halving(dtype),
        .window: .ints(window),
      ], bound: 2 * max(1, source.bound), isExact: false)
  }
}
