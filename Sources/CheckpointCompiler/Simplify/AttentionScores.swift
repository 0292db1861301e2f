// The scores of an attention: a product that is scaled, then masked.

/// What scores are made of.
struct AttentionScores {
  /// The product of queries and keys.
  private(set) var product: OpID
  /// Which operands of the product queries and keys are.
  let sides: (q: Int, k: Int)
  /// The attributes of the attention that the scores decide.
  private(set) var attributes: Attributes = [:]
  private(set) var mask: Mask?

  /// A mask that is an operand.
  struct Mask {
    var value: ValueID
    /// The dimension of weights that each of its dimensions is; nil for one of extent 1.
    var dims: [Int?]
    /// Whether it says which scores do not stay.
    var isInverted: Bool
  }

  /// The most ops between the product and the softmax.
  private static let opsMax = 12
  /// Scores that are not above this never meet one that has weight beside them.
  private static let leastFill = -1e4

  /// Reads scores back to their product; nil where they are something else. The keys are along
  /// `keyDim`, `isActive` says whether the gradient of a value may be asked for.
  init?(_ function: Function, _ scores: ValueID, keyDim: Int, isActive: (ValueID) -> Bool) {
    var value = scores
    var scale: Double?
    let shape = function.type(of: scores).shape
    let rank = shape.count
    guard rank >= 2, keyDim >= rank - 2 else { return nil }
    let queryDim = 2 * rank - 3 - keyDim
    sides = keyDim == rank - 1 ? (0, 1) : (1, 0)
    // Weights as the attention orders them: queries, then keys.
    func weightDim(_ dim: Int) -> Int {
      dim < rank - 2 ? dim : dim == keyDim ? rank - 1 : rank - 2
    }
    for _ in 0..<AttentionScores.opsMax {
      value = function.withoutConversion(value)
      guard let op = function.definingOp(of: value) else { return nil }
      let parts = Array(function.operands(of: op))
      if function.ops[op].opcode == .dotGeneral {
        let numbers = DotDimensions(function.ops[op].attributes)
        guard numbers.lhsBatch.count == rank - 2, numbers.lhsContract.count == 1,
          parts.allSatisfy({ function.type(of: $0).rank == rank })
        else { return nil }
        product = op
        if let scale { attributes[.scale] = .number(scale) }
        return
      }
      if let (factor, inner) = function.scaled(value) {
        scale = (scale ?? 1) * factor
        value = inner
        continue
      }
      // What was masked and then scaled is not what was scaled and then masked.
      guard scale == nil else { return nil }
      switch function.ops[op].opcode {
      case .select:
        let fills = parts.dropFirst().map { function.splatNumber($0) }
        let isInverted = fills[0] != nil && fills[1] == nil
        guard let fill = isInverted ? fills[0] : fills[1] else { return nil }
        value = isInverted ? parts[2] : parts[1]
        let offset = CausalPredicate(function, rowDim: queryDim, columnDim: keyDim)
          .offset(parts[0], isInverted: isInverted)
        if let offset, attributes[.causalOffset] == nil,
          fill == -.infinity || fill <= AttentionScores.leastFill && offset >= 0
        {
          attributes[.causalOffset] = .int(offset)
          continue
        }
        guard mask == nil, let spread = AttentionScores.spread(parts[0], function) else {
          return nil
        }
        mask = Mask(
          value: spread.value, dims: spread.dims.map { $0.map(weightDim) },
          isInverted: isInverted)
        attributes[.mask] = .symbol("select")
        attributes[.fill] = .number(fill)
      case .add:
        guard mask == nil,
          let added = parts.firstIndex(where: { AttentionScores.isAddend($0, function) }),
          !isActive(parts[added]),
          let spread = AttentionScores.spread(parts[added], function),
          function.type(of: spread.value).dtype == function.type(of: value).dtype
        else { return nil }
        mask = Mask(
          value: spread.value, dims: spread.dims.map { $0.map(weightDim) }, isInverted: false)
        attributes[.mask] = .symbol("add")
        value = parts[1 - added]
      default: return nil
      }
      if let mask { attributes[.maskDims] = .ints(mask.dims.compactMap { $0 }) }
    }
    return nil
  }

  /// Whether an addend is a mask rather than scores: it does not come from a product.
  private static func isAddend(_ value: ValueID, _ function: Function) -> Bool {
    var value = value
    for _ in 0..<opsMax {
      value = function.withoutConversion(function.unspread(value).value)
      guard let op = function.definingOp(of: value) else { return true }
      if function.ops[op].opcode == .dotGeneral { return false }
      if let (_, inner) = function.scaled(value) {
        value = inner
      } else if function.ops[op].opcode == .select {
        value = function.operands(of: op).dropFirst().first!
      } else {
        return true
      }
    }
    return false
  }

  /// What a mask repeats; nil where dimensions stand for each other.
  private static func spread(_ value: ValueID, _ function: Function) -> SpreadValue? {
    let spread = function.unspread(value)
    let dims = spread.dims.compactMap { $0 }
    return Set(dims).count == dims.count ? spread : nil
  }
}

/// Reads predicates that say that a column is not beyond a row by more than an offset.
struct CausalPredicate {
  private let function: Function
  private let rowDim: Int
  private let columnDim: Int

  init(_ function: Function, rowDim: Int, columnDim: Int) {
    self.function = function
    self.rowDim = rowDim
    self.columnDim = columnDim
  }

  /// The offset of a predicate, or of its opposite; nil where it says something else.
  func offset(_ predicate: ValueID, isInverted: Bool) -> Int? {
    var isInverted = isInverted
    var spread = function.unspread(predicate)
    for _ in 0..<4 {
      guard let op = function.definingOp(of: spread.value) else { return nil }
      let parts = Array(function.operands(of: op))
      switch function.ops[op].opcode {
      case .compare: return offset(op, spread.dims, isInverted)
      case .not:
        isInverted.toggle()
        follow(parts[0], &spread)
      case .select:
        // true or false as a predicate says.
        let truths = parts.dropFirst().map { function.splatNumber($0) }
        guard let first = truths[0], let second = truths[1], first != second else { return nil }
        if first == 0 { isInverted.toggle() }
        follow(parts[0], &spread)
      default: return nil
      }
    }
    return nil
  }

  /// Goes on with what makes a spread value.
  private func follow(_ value: ValueID, _ spread: inout SpreadValue) {
    let inner = function.unspread(value)
    spread = SpreadValue(
      value: inner.value, dims: inner.dims.map { $0.flatMap { spread.dims[$0] } })
  }

  private func offset(_ compare: OpID, _ dims: [Int?], _ isInverted: Bool) -> Int? {
    let parts = Array(function.operands(of: compare))
    guard let left = line(parts[0], dims, depth: 0), let right = line(parts[1], dims, depth: 0),
      let direction = function.ops[compare].attributes.symbol(.direction)
    else { return nil }
    let (row, column) = (left.row - right.row, left.column - right.column)
    let constant = left.constant - right.constant
    guard row == -column, abs(column) == 1 else { return nil }
    let opposites = ["le": "gt", "gt": "le", "lt": "ge", "ge": "lt"]
    // column * (c - r) + constant, compared with 0.
    switch (isInverted ? opposites[direction] : direction, column) {
    case ("le", 1): return -constant
    case ("lt", 1): return -constant - 1
    case ("ge", -1): return constant
    case ("gt", -1): return constant - 1
    default: return nil
    }
  }

  /// A number as a sum of the row, the column and a constant, each so many times.
  private typealias Line = (row: Int, column: Int, constant: Int)

  private func line(_ value: ValueID, _ dims: [Int?], depth: Int) -> Line? {
    guard depth < 8 else { return nil }
    if let number = function.splatNumber(value) {
      return Int(exactly: number).flatMap { abs($0) < 1 << 40 ? (0, 0, $0) : nil }
    }
    let inner = function.unspread(value)
    let dims = inner.dims.map { $0.flatMap { dims[$0] } }
    guard function.type(of: inner.value).dtype.isInteger,
      let op = function.definingOp(of: inner.value)
    else { return nil }
    let parts = Array(function.operands(of: op))
    switch function.ops[op].opcode {
    case .iota:
      let dim = dims[function.ops[op].attributes.int(.dim)!]
      if dim == rowDim { return (1, 0, 0) }
      return dim == columnDim ? (0, 1, 0) : nil
    case .convert: return line(parts[0], dims, depth: depth + 1)
    case .add, .subtract:
      guard let a = line(parts[0], dims, depth: depth + 1),
        let b = line(parts[1], dims, depth: depth + 1)
      else { return nil }
      let sign = function.ops[op].opcode == .add ? 1 : -1
      return (a.row + sign * b.row, a.column + sign * b.column, a.constant + sign * b.constant)
    default: return nil
    }
  }
}
