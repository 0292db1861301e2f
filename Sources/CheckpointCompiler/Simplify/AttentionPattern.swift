// The ops of an attention in their usual spellings, found from the product with the values.
//
// Softmax     exp(x - c) over its sum along a dimension, for any c that is constant along it: the largest
//             element, guarded or not, changes no weight. Or a call of a function that is that.
// Weights     May be dropped as `dropout` does it, and converted.
// Scores      A product of queries and keys, scaled, then masked.

/// What an attention is made of.
struct AttentionPattern {
  /// For each dimension of the result of the product, which dimension of `y` it is.
  var resultDims: [Int]
  var q: ValueID
  var k: ValueID
  var v: ValueID
  var attributes: Attributes
  var mask: AttentionScores.Mask?
  /// The key of dropout.
  var key: ValueID?
}

/// Finds attentions in one function.
struct AttentionMatcher {
  let function: Function
  private let softmaxDims: [String: Int]
  private var readers: Table<ValueID, [OpID]>

  init(_ function: Function, softmaxDims: [String: Int] = [:]) {
    self.function = function
    self.softmaxDims = softmaxDims
    readers = Table(repeating: [], count: function.values.count)
    for op in function.opsInOrder {
      for operand in function.operands(of: op) { readers[operand].append(op) }
    }
  }

  private func operands(_ op: OpID) -> [ValueID] { Array(function.operands(of: op)) }

  /// The attention whose product with the values is an op; nil where it is none.
  func attention(endingAt product: OpID, isActive: (ValueID) -> Bool) -> AttentionPattern? {
    let numbers = DotDimensions(function.ops[product].attributes)
    let sides = operands(product)
    for side in [0, 1] {
      let (batch, contract) =
        side == 0
        ? (numbers.lhsBatch, numbers.lhsContract) : (numbers.rhsBatch, numbers.rhsContract)
      let (valueBatch, valueContract) =
        side == 0
        ? (numbers.rhsBatch, numbers.rhsContract) : (numbers.lhsBatch, numbers.lhsContract)
      let rank = function.type(of: sides[side]).rank
      let value = sides[1 - side]
      guard contract.count == 1, rank == batch.count + 2,
        function.type(of: value).rank == rank,
        let weights = weights(sides[side]), weights.dim == contract[0],
        let scores = AttentionScores(
          function, weights.input, keyDim: weights.dim, isActive: isActive)
      else { continue }
      let productDims = DotDimensions(function.ops[scores.product].attributes)
      // Weights have the batch dimensions first, then the two free ones.
      guard Set(batch) == Set(0..<rank - 2),
        weights.dropout == nil || weights.dim == rank - 1
      else { continue }
      let (qSide, kSide) = scores.sides
      let factors = operands(scores.product)
      let dtype = function.type(of: factors[0]).dtype
      guard dtype.isFloatingPoint,
        [factors[1], value, function.result(of: product)].allSatisfy({
          function.type(of: $0).dtype == dtype
        }), function.type(of: sides[side]).elementCount > 0
      else { continue }
      func order(_ side: Int) -> [Int] {
        let rank = function.type(of: factors[side]).rank
        return side == 0
          ? productDims.lhsBatch + productDims.lhsFree(rank: rank) + productDims.lhsContract
          : productDims.rhsBatch + productDims.rhsFree(rank: rank) + productDims.rhsContract
      }
      let places = (0..<rank - 2).map { batch.firstIndex(of: $0)! }
      let free = (0..<rank).filter { !valueBatch.contains($0) && !valueContract.contains($0) }
      guard free.count == 1 else { continue }
      let productOrder = places + (side == 0 ? [rank - 2, rank - 1] : [rank - 1, rank - 2])
      guard isClosed(from: sides[side], to: scores.product, into: product) else { continue }
      var attributes = scores.attributes
      func note(_ name: AttributeName, _ dims: [Int]) {
        attributes[name] = dims == Array(0..<rank) ? nil : .ints(dims)
      }
      // The result is laid out as the queries are: what reads it takes it in any order.
      let yOrder = order(qSide)
      let resultDims = (0..<rank).map { yOrder[productOrder.firstIndex(of: $0)!] }
      note(.qDims, order(qSide))
      note(.kDims, order(kSide))
      note(.vDims, places.map { valueBatch[$0] } + valueContract + free)
      note(.yDims, yOrder)
      var pattern = AttentionPattern(
        resultDims: resultDims, q: factors[qSide], k: factors[kSide], v: value,
        attributes: attributes,
        mask: scores.mask)
      if let dropout = weights.dropout {
        pattern.attributes[.rate] = .number(dropout.rate)
        pattern.attributes[.keepScale] = .number(dropout.keepScale)
        pattern.attributes[.stream] = .int(dropout.stream)
        pattern.key = dropout.key
      }
      return pattern
    }
    return nil
  }

  // MARK: Weights

  private struct Dropout {
    var key: ValueID
    var stream: Int
    var rate: Double
    var keepScale: Double
  }

  /// What weights are the softmax of, along which dimension, and how they are dropped.
  private func weights(_ value: ValueID) -> (input: ValueID, dim: Int, dropout: Dropout?)? {
    var value = withoutConversion(value)
    var dropout: Dropout?
    if let select = function.op(.select, defining: value) {
      let parts = operands(select)
      guard function.splatNumber(parts[2]) == 0, var found = self.dropout(parts[0]) else {
        return nil
      }
      value = withoutConversion(parts[1])
      if let (factor, scaled) = scaled(value) {
        found.keepScale = factor
        value = withoutConversion(scaled)
      }
      guard
        function.type(of: function.result(of: found.random)).shape == function.type(of: value).shape
      else { return nil }
      dropout = found.dropout
      dropout?.keepScale = found.keepScale
    }
    guard let softmax = softmax(value) else { return nil }
    return (softmax.input, softmax.dim, dropout)
  }

  /// The dropout whose kept places a predicate says: random numbers at or above a rate.
  private func dropout(
    _ predicate: ValueID
  ) -> (random: OpID, dropout: Dropout, keepScale: Double)? {
    guard let compare = function.op(.compare, defining: predicate),
      function.ops[compare].attributes.symbol(.direction) == "ge",
      let random = function.op(.random, defining: operands(compare)[0]),
      function.ops[random].attributes.symbol(.distribution) == "uniform",
      let stream = function.ops[random].attributes.int(.stream),
      let rate = function.splatNumber(operands(compare)[1]), rate >= 0, rate < 1
    else { return nil }
    let dropout = Dropout(key: operands(random)[0], stream: stream, rate: rate, keepScale: 1)
    return (random, dropout, 1)
  }

  /// The value that another one is a number of times.
  private func scaled(_ value: ValueID) -> (factor: Double, value: ValueID)? {
    function.scaled(value)
  }

  private func withoutConversion(_ value: ValueID) -> ValueID { function.withoutConversion(value) }

  // MARK: Softmax

  /// What a value is the softmax of, and along which dimension; nil where it is none.
  func softmax(_ value: ValueID) -> (input: ValueID, dim: Int)? {
    let value = withoutConversion(value)
    guard let op = function.definingOp(of: value) else { return nil }
    let parts = operands(op)
    switch function.ops[op].opcode {
    case .call:
      guard let name = function.ops[op].attributes.function(.callee), let dim = softmaxDims[name]
      else { return nil }
      return (withoutConversion(parts[0]), dim)
    case .divide: return softmax(exponentials: parts[0], total: parts[1])
    case .multiply:
      for (exponentials, factor) in [(parts[0], parts[1]), (parts[1], parts[0])] {
        let inverse = function.unspread(factor)
        guard let divide = function.op(.divide, defining: inverse.value),
          function.splatNumber(operands(divide)[0]) == 1
        else { continue }
        if let found = softmax(
          exponentials: exponentials, total: operands(divide)[1], through: inverse)
        {
          return found
        }
      }
      return nil
    default: return nil
    }
  }

  /// The softmax of exponentials over their total; `inverse` is what spreads the total, where that is
  /// not the total itself.
  private func softmax(
    exponentials: ValueID, total: ValueID, through inverse: SpreadValue? = nil
  ) -> (input: ValueID, dim: Int)? {
    let exponentials = withoutConversion(exponentials)
    guard let exponential = function.op(.exponential, defining: exponentials) else { return nil }
    var spread = function.unspread(withoutConversion(total))
    if let inverse { spread.dims = spread.dims.map { $0.flatMap { inverse.dims[$0] } } }
    guard let sum = function.op(.reduce, defining: spread.value),
      function.ops[sum].attributes.symbol(.kind) == "add",
      let dims = function.ops[sum].attributes.ints(.dims), dims.count == 1,
      withoutConversion(operands(sum)[0]) == exponentials
    else { return nil }
    let shape = function.type(of: exponentials).shape
    let others = shape.indices.filter { $0 != dims[0] }
    let isSpreadAlike = zip(spread.dims, others).allSatisfy {
      $0 == nil ? shape[$1] == 1 : $0 == $1
    }
    guard spread.dims.count == others.count, isSpreadAlike else { return nil }
    let input = operands(exponential)[0]
    if let difference = function.op(.subtract, defining: withoutConversion(input)) {
      let parts = operands(difference)
      if !function.unspread(parts[1]).varies(along: dims[0]) || shape[dims[0]] == 1 {
        return (withoutConversion(parts[0]), dims[0])
      }
    }
    return (withoutConversion(input), dims[0])
  }

  // MARK: Readers

  /// The most ops that lie between a product and the next.
  private static let opsMax = 64

  /// Whether nothing but the ops from one product to the next read what is made between them.
  private func isClosed(from weights: ValueID, to first: OpID, into last: OpID) -> Bool {
    let position = function.result(of: first)
    // The ops between: what the weights depend on that depends on the product.
    var depends: [ValueID: Bool] = [position: true]
    var pending = [weights]
    var count = 0
    while let value = pending.last {
      if depends[value] != nil {
        pending.removeLast()
        continue
      }
      guard let op = function.definingOp(of: value), function.ops[op].regions.isEmpty else {
        depends[value] = false
        continue
      }
      let unknown = operands(op).filter { depends[$0] == nil }
      if unknown.isEmpty {
        depends[value] = operands(op).contains { depends[$0] == true }
      } else {
        count += unknown.count
        guard count <= AttentionMatcher.opsMax else { return false }
        pending += unknown
      }
    }
    let between = depends.filter(\.value).keys
    let opsBetween = Set(between.compactMap { function.definingOp(of: $0) })
    return between.allSatisfy { value in
      readers[value].allSatisfy { $0 == last || opsBetween.contains($0) }
    }
  }
}

extension Function {
  /// The value that another one is converted from between floating-point dtypes, or the value itself.
  func withoutConversion(_ value: ValueID) -> ValueID {
    guard let convert = op(.convert, defining: value) else { return value }
    let source = operands(of: convert).first!
    return type(of: source).dtype.isFloatingPoint ? source : value
  }

  /// The value that another one is a number of times.
  func scaled(_ value: ValueID) -> (factor: Double, value: ValueID)? {
    guard let op = definingOp(of: value) else { return nil }
    let parts = Array(operands(of: op))
    switch ops[op].opcode {
    case .multiply:
      if let factor = splatNumber(parts[1]) { return (factor, parts[0]) }
      return splatNumber(parts[0]).map { ($0, parts[1]) }
    case .divide: return splatNumber(parts[1]).map { (1 / $0, parts[0]) }
    default: return nil
    }
  }
}
