// Random movement ops, reductions, contractions, windows and indexed ops.

import CheckpointCompiler

extension ProgramGenerator {
  func count(_ shape: [Int]) -> Int { shape.reduce(1, *) }

  mutating func pickAny() -> PoolValue { pickValue { _ in true }! }

  mutating func broadcast() {
    let x = pickAny()
    var shape = x.type.shape
    var dims = Array(shape.indices)
    for axis in shape.indices where shape[axis] == 1 && chance(1, of: 2) {
      shape[axis] = number(1...4)
    }
    for _ in 0..<number(0...2) where shape.count < 4 {
      let place = number(0...shape.count)
      shape.insert(number(1...4), at: place)
      dims = dims.map { $0 >= place ? $0 + 1 : $0 }
    }
    guard count(shape) <= ProgramGenerator.elementCountMax else { return }
    if chance(1, of: 5) {
      // The dimensions in another order.
      let order = shuffled(Array(shape.indices))
      shape = order.map { shape[$0] }
      dims = dims.map { order.firstIndex(of: $0)! }
    }
    emit(
      .broadcastInDim, [x], [.dims: .ints(dims)], type: TensorType(x.type.dtype, shape),
      bound: x.bound)
  }

  mutating func movement() {
    let x = pickAny()
    let shape = x.type.shape
    let axes = Array(shape.indices)
    switch random.index(below: 7) {
    case 0: emit(.reshape, [x], type: x.type.with(shape: reshaped(shape)), bound: x.bound)
    case 1, 2: emit(.transpose, [x], [.dims: .ints(shuffled(axes))], bound: x.bound)
    case 3:
      let start = shape.map { number(0...$0 - 1) }
      var limit = axes.map { number(start[$0] + 1...shape[$0]) }
      if !shape.isEmpty, chance(1, of: 30) { limit[0] = start[0] }
      emit(
        .slice, [x],
        [
          .start: .ints(start), .limit: .ints(limit),
          .strides: .ints(shape.map { _ in number(1...2) }),
        ], bound: x.bound)
    case 4: pad(x)
    case 5 where !shape.isEmpty:
      let dim = random.index(below: shape.count)
      var other = x.type
      other.shape[dim] = number(1...3)
      let y = fetch(other)
      guard x.type.elementCount + 2 * y.type.elementCount <= ProgramGenerator.elementCountMax else {
        return
      }
      let operands = shuffled(chance(1, of: 4) ? [x, y, y] : [x, y])
      emit(.concatenate, operands, [.dim: .int(dim)], bound: max(x.bound, y.bound))
    default: emit(.reverse, [x], [.dims: .ints(subset(axes))], bound: x.bound)
    }
  }

  /// Another shape of as many elements: dimensions merged, split, of extent 1 added or dropped.
  private mutating func reshaped(_ shape: [Int]) -> [Int] {
    var shape = shape
    switch random.index(below: 4) {
    case 0 where shape.count > 1:
      let place = random.index(below: shape.count - 1)
      shape[place] *= shape.remove(at: place + 1)
    case 1:
      if let place = shape.firstIndex(where: { $0 % 2 == 0 }) {
        shape[place] /= 2
        shape.insert(2, at: place)
      }
    case 2: shape.insert(1, at: number(0...shape.count))
    default: shape.removeAll { $0 == 1 }
    }
    return shape.count > 5 ? [count(shape)] : shape
  }

  private mutating func pad(_ x: PoolValue) {
    let shape = x.type.shape
    let low = shape.map { _ in number(-1...2) }
    let high = shape.map { _ in number(-1...2) }
    let interior = shape.map { _ in chance(1, of: 4) ? 1 : 0 }
    let extents = shape.indices.map {
      shape[$0] + (shape[$0] - 1) * interior[$0] + low[$0] + high[$0]
    }
    guard extents.allSatisfy({ $0 > 0 }), count(extents) <= ProgramGenerator.elementCountMax else {
      return
    }
    let value = fetch(TensorType(x.type.dtype))
    emit(
      .pad, [x, value], [.low: .ints(low), .high: .ints(high), .interior: .ints(interior)],
      bound: max(x.bound, value.bound))
  }

  mutating func reduction() {
    if chance(1, of: 4), let p = pickValue(where: { !$0.isFloat }) {
      let kinds = ["add", "mul", "max", "min", "and", "or", "xor"]
      emit(
        .reduce, [p],
        [.kind: .symbol(pick(kinds)), .dims: .ints(subset(Array(p.type.shape.indices)))], bound: 1)
      return
    }
    let kind = pick(["add", "add", "add", "max", "min", "mul"])
    let isSum = kind == "add"
    var x = bounded(pickFloat(exact: !isSum), to: kind == "mul" ? 1 : 2)
    if isSum, chance(1, of: 40), let empty = pool.first(where: { $0.isFloat && !$0.isFull }) {
      x = empty
    }
    let dims = subset(Array(x.type.shape.indices))
    let summed = Double(max(1, dims.reduce(1) { $0 * x.type.shape[$1] }))
    emit(
      .reduce, [x], [.kind: .symbol(kind), .dims: .ints(shuffled(dims))],
      bound: isSum ? x.bound * summed : x.bound, isExact: kind == "max" || kind == "min")
  }

  mutating func product() {
    let x = bounded(pickFloat())
    var axes = shuffled(Array(x.type.shape.indices))
    let batchCount = number(0...min(axes.count, chance(1, of: 2) ? 0 : 2))
    let batch = Array(axes.prefix(batchCount))
    axes.removeFirst(batchCount)
    let contract = Array(axes.prefix(number(0...min(axes.count, 2))))
    let free = newShape(rank: number(0...2))
    // The dimensions of the other operand: which of `batch`, `contract` and `free` each is.
    let order = shuffled(Array(0..<batchCount + contract.count + free.count))
    let extents = (batch + contract).map { x.type.shape[$0] } + free
    let shape = order.map { extents[$0] }
    let kept = x.type.elementCount / max(1, contract.reduce(1) { $0 * x.type.shape[$1] })
    guard shape.count <= 5, count(shape) <= ProgramGenerator.elementCountMax,
      kept * count(free) <= ProgramGenerator.elementCountMax
    else { return }
    let y = fetch(x.type.with(shape: shape))
    let places = (0..<batchCount + contract.count).map { order.firstIndex(of: $0)! }
    let isSwapped = chance(1, of: 3)
    let (own, other) = (batch + contract, places)
    let dims = DotDimensions(
      lhsBatch: Array((isSwapped ? other : own).prefix(batchCount)),
      rhsBatch: Array((isSwapped ? own : other).prefix(batchCount)),
      lhsContract: Array((isSwapped ? other : own).dropFirst(batchCount)),
      rhsContract: Array((isSwapped ? own : other).dropFirst(batchCount)))
    let summed = Double(contract.reduce(1) { $0 * x.type.shape[$1] })
    let (left, right) = isSwapped ? (y, x) : (x, y)
    let type = chance(1, of: 5) ? wideProduct(left.type, right.type, dims) : nil
    emit(
      .dotGeneral, [left, right], dims.attributes, type: type,
      bound: x.bound * y.bound * summed, isExact: false)
  }

  /// The type of a product in the next wider dtype; nil where there is none.
  private func wideProduct(
    _ a: TensorType, _ b: TensorType, _ dims: DotDimensions
  ) -> TensorType? {
    guard a.dtype != .f64 else { return nil }
    let shape =
      dims.lhsBatch.map { a.shape[$0] } + dims.lhsFree(rank: a.rank).map { a.shape[$0] }
      + dims.rhsFree(rank: b.rank).map { b.shape[$0] }
    return TensorType(a.dtype == .f32 ? .f64 : .f32, shape)
  }

  mutating func convolution() {
    let rank = pick([0, 1, 1, 2, 2, 2, 3])
    let featureGroups = chance(1, of: 4) ? 2 : 1
    let batchGroups = featureGroups == 1 && chance(1, of: 4) ? 2 : 1
    let depth = number(1...3)
    let batch = batchGroups * number(1...2)
    let outputs = featureGroups * batchGroups * number(1...3)
    let spatial = (0..<rank).map { _ in number(rank == 3 ? 1...2 : 1...5) }
    let taps = (0..<rank).map { _ in number(rank == 3 ? 1...2 : 1...3) }
    let window = (0..<rank).map { _ in
      (
        stride: number(1...2), low: number(-1...2), high: number(-1...2),
        lhs: chance(1, of: 4) ? 2 : 1, rhs: chance(1, of: 4) ? 2 : 1, flip: chance(1, of: 4) ? 1 : 0
      )
    }
    let extents = (0..<rank).map { axis in
      let base = (spatial[axis] - 1) * window[axis].lhs + 1 + window[axis].low + window[axis].high
      let reach = (taps[axis] - 1) * window[axis].rhs + 1
      return base < reach || base <= 0 ? 0 : (base - reach) / window[axis].stride + 1
    }
    let digits = (0..<rank).map { Character("\($0)") }
    let input = shuffled(["b", "f"] + digits)
    let kernel = shuffled(["i", "o"] + digits)
    let output = shuffled(["b", "f"] + digits)
    func shape(_ letters: [Character], _ named: [Character: Int], _ digits: [Int]) -> [Int] {
      letters.map { named[$0] ?? digits[$0.wholeNumberValue!] }
    }
    let xShape = shape(input, ["b": batch, "f": depth * featureGroups], spatial)
    let wShape = shape(kernel, ["i": depth, "o": outputs], taps)
    let resultCount = count(extents) * (batch / batchGroups) * outputs
    guard resultCount > 0, [count(xShape), count(wShape), resultCount].allSatisfy({ $0 <= 144 })
    else { return }
    let x = fetch(TensorType(mainDType, xShape))
    let w = fetch(TensorType(mainDType, wShape))
    emit(
      .convolution, [x, w],
      [
        .dimNumbers: .string("\(String(input))_\(String(kernel))->\(String(output))"),
        .strides: .ints(window.map(\.stride)), .low: .ints(window.map(\.low)),
        .high: .ints(window.map(\.high)), .lhsDilation: .ints(window.map(\.lhs)),
        .rhsDilation: .ints(window.map(\.rhs)), .windowReversal: .ints(window.map(\.flip)),
        .featureGroups: .int(featureGroups), .batchGroups: .int(batchGroups),
      ],
      bound: x.bound * w.bound * Double(depth * count(taps)), isExact: false)
  }
}
