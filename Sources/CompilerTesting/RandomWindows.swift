// Random windows: pooling, cumulative sums, and what scatters to the selected elements.

import CheckpointCompiler

extension ProgramGenerator {
  mutating func pooling() {
    if chance(1, of: 4) { return scan() }
    if chance(1, of: 4) { return integerPooling() }
    let kind = pick(["add", "max", "min"])
    let x = bounded(pickFloat(exact: kind != "add"))
    let shape = x.type.shape
    let window = shape.map { number(1...min(3, $0)) }
    let strides = shape.map { _ in number(1...2) }
    var low = window.map { number(0...$0 - 1) }
    var high = window.map { number(0...$0 - 1) }
    var baseDilation = shape.map { _ in 1 }
    var windowDilation = shape.map { _ in 1 }
    if kind == "add", chance(1, of: 3) {
      low = shape.map { _ in number(-1...2) }
      high = shape.map { _ in number(-1...2) }
      baseDilation = shape.map { _ in number(1...2) }
      windowDilation = shape.map { _ in number(1...2) }
    }
    let extents = shape.indices.map { axis in
      let base = (shape[axis] - 1) * baseDilation[axis] + 1 + low[axis] + high[axis]
      let reach = (window[axis] - 1) * windowDilation[axis] + 1
      return base < reach || base <= 0 ? 0 : (base - reach) / strides[axis] + 1
    }
    guard count(extents) > 0, count(extents) <= ProgramGenerator.elementCountMax else { return }
    if kind != "add", chance(1, of: 4) {
      let source = fetch(x.type.with(shape: extents))
      guard !x.isActive, !source.isActive else { return }
      emit(
        .selectAndScatter, [x, source],
        [
          .direction: .symbol(kind == "max" ? "ge" : "le"), .window: .ints(window),
          .strides: .ints(strides), .low: .ints(low), .high: .ints(high),
        ], bound: source.bound * Double(count(window)), isExact: false)
      return
    }
    emit(
      .reduceWindow, [x],
      [
        .kind: .symbol(kind), .window: .ints(window), .strides: .ints(strides), .low: .ints(low),
        .high: .ints(high), .baseDilation: .ints(baseDilation),
        .windowDilation: .ints(windowDilation),
      ],
      bound: kind == "add" ? x.bound * Double(count(window)) : x.bound, isExact: kind != "add")
  }

  /// Cumulative sums and extrema, from either end.
  private mutating func scan() {
    let kind = pick(["add", "add", "max", "min"])
    let x = bounded(pickFloat(exact: kind != "add"))
    let shape = x.type.shape
    guard let axis = shape.indices.last(where: { shape[$0] > 1 }), kind == "add" || !x.isActive
    else { return }
    var window = shape.map { _ in 1 }
    var padding = shape.map { _ in 0 }
    window[axis] = shape[axis]
    padding[axis] = shape[axis] - 1
    emit(
      .reduceWindow, [x],
      [
        .kind: .symbol(kind), .window: .ints(window),
        chance(1, of: 2) ? .low : .high: .ints(padding),
      ],
      bound: kind == "add" ? x.bound * Double(shape[axis]) : x.bound, isExact: kind != "add")
  }

  /// Windows of all kinds over integers and truth values.
  private mutating func integerPooling() {
    guard let x = pickValue(where: { !$0.isFloat }) else { return }
    let shape = x.type.shape
    let window = shape.map { _ in number(1...3) }
    let lists: [(AttributeName, [Int])] = [
      (.strides, shape.map { _ in number(1...2) }), (.low, shape.map { _ in number(-1...2) }),
      (.high, shape.map { _ in number(-1...2) }),
      (.baseDilation, shape.map { _ in number(1...2) }),
      (.windowDilation, shape.map { _ in number(1...2) }),
    ]
    var attributes: Attributes = [.window: .ints(window)]
    for (name, values) in lists { attributes[name] = .ints(values) }
    attributes[.kind] = .symbol(pick(["add", "mul", "max", "min", "and", "or", "xor"]))
    let signature = OpSignature(
      opcode: .reduceWindow, operandTypes: [x.type], attributes: attributes)
    guard let type = try? signature.checkedResultTypes()[0], type.elementCount > 0,
      type.elementCount <= ProgramGenerator.elementCountMax
    else { return }
    guard chance(1, of: 3) else {
      emit(.reduceWindow, [x], attributes, bound: 1)
      return
    }
    attributes[.kind] = nil
    attributes[.direction] = .symbol(pick(["ge", "le"]))
    emit(.selectAndScatter, [x, fetch(type)], attributes, bound: 1)
  }
}
