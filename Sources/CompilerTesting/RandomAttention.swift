// Random attentions, and gradients of attentions.

import CheckpointCompiler

extension ProgramGenerator {
  mutating func attention() {
    let isGradient = chance(1, of: 2)
    let batch = (0..<number(0...2)).map { _ in number(1...2) }
    let (queries, features) = (number(1...4), number(1...3))
    var (keys, values) = (number(1...4), number(1...3))
    var orders = (0..<4).map { _ in
      chance(1, of: 2) ? shuffled(Array(0..<batch.count + 2)) : Array(0..<batch.count + 2)
    }
    let joinedDim = chance(1, of: 3) ? number(0...batch.count + 1) : nil
    if joinedDim != nil {
      (keys, values) = (queries, features)
      (orders[1], orders[2]) = (orders[0], orders[0])
    }
    func type(_ order: [Int], _ rows: Int, _ width: Int) -> TensorType {
      let extents = batch + [rows, width]
      var shape = extents
      for (place, dim) in order.enumerated() { shape[dim] = extents[place] }
      return TensorType(mainDType, shape)
    }
    let y = type(orders[3], queries, values)
    var operands: [PoolValue]
    if let joinedDim {
      var whole = type(orders[0], queries, features)
      whole.shape[joinedDim] *= 3
      operands = Array(repeating: attentionOperand(whole, isGradient), count: 3)
    } else {
      operands = [
        attentionOperand(type(orders[0], queries, features), isGradient),
        attentionOperand(type(orders[1], keys, features), isGradient),
        attentionOperand(type(orders[2], keys, values), isGradient),
      ]
    }
    let wide: DType = mainDType == .f64 ? .f64 : .f32
    if isGradient {
      operands += [
        attentionOperand(y, true), attentionOperand(TensorType(wide, batch + [queries]), true),
        attentionOperand(y, true),
      ]
    }
    var attributes: Attributes = [
      .qDims: .ints(orders[0]), .kDims: .ints(orders[1]), .vDims: .ints(orders[2]),
      .yDims: .ints(orders[3]), .scale: .number(0.5),
    ]
    if let joinedDim { attributes[.qkvDim] = .int(joinedDim) }
    // Every query sees a key.
    if chance(1, of: 2) { attributes[.causalOffset] = .int(number(0...2)) }
    if chance(1, of: 2) {
      let isAdded = chance(1, of: 2)
      let weights = batch + [queries, keys]
      let dims = shuffled(subset(Array(weights.indices)))
      let mask = TensorType(
        isAdded ? mainDType : .i1, dims.map { chance(1, of: 4) ? 1 : weights[$0] })
      operands.append(attentionOperand(mask, true))
      attributes[.mask] = .symbol(isAdded ? "add" : "select")
      attributes[.maskDims] = .ints(dims)
      attributes[.fill] = .number(-2)
    }
    if chance(1, of: 3) {
      operands.append(randomKey())
      attributes[.rate] = .number(0.25)
      attributes[.keepScale] = .number(1.25)
      attributes[.stream] = .int(number(0...40))
    }
    // A weight that is computed again is at most exp(12 + 2 + 2).
    let bound = isGradient ? 1e9 : 2.5
    guard
      let results = try? builder.append(
        isGradient ? .softmaxAttentionGradient : .softmaxAttention, operands.map(\.value),
        attributes,
        types: [], names: [])
    else { preconditionFailure("a random attention is not well typed") }
    for (place, value) in results.enumerated() {
      let isActive = !isGradient && place == 0 && operands.contains { $0.isActive }
      // The logarithms of sums have no gradient.
      guard isGradient || place == 0 else { continue }
      add(
        PoolValue(
          value: value, type: builder.type(of: value), bound: bound, isExact: false,
          isActive: isActive))
    }
  }

  /// A value of a type; of numbers that no gradient is asked for where that is said.
  private mutating func attentionOperand(_ type: TensorType, _ isInactive: Bool) -> PoolValue {
    let value = fetch(type)
    guard isInactive, value.isActive || value.bound > 2 else { return value }
    return argument(type, role: .input)
  }
}
