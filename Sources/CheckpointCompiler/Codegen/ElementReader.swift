// The expression of one element of a value inside a kernel, found by following its index backwards.
//
// Method      To read a value at an index: of an elementwise op, read its operands there; of a
//             broadcast, a slice, a transpose, read the operand where the index comes from; of a
//             value made outside, load it. What was read at the same index before is not read again.
// Invariants  Reads append definitions to `statements` and return an expression without effects.

extension Function {
  /// An elementwise op applied to elements.
  func application(of op: OpID, to arguments: [Expression]) -> Expression {
    let opcode = ops[op].opcode
    let operands = Array(operands(of: op))
    // The first operand tells the dtype that is computed in, but for `select`.
    return .apply(
      opcode, from: type(of: operands[opcode == .select ? 1 : 0]).dtype,
      to: type(of: result(of: op)).dtype, arguments,
      direction: ops[op].attributes.elementwiseVariant)
  }
}

/// Reads elements of the values of one kernel.
struct ElementReader {
  /// A value at an index.
  private struct Key: Hashable {
    var value: ValueID
    var indices: [Index]
  }

  let function: Function
  /// The buffer of every value made outside the kernel, or written by it.
  let buffers: [ValueID: Int]
  /// Whether a value is made inside the kernel.
  let isInner: Set<ValueID>
  /// How many values each loop variable takes.
  var extents: [Int]
  /// Variables that others stand for after loops have been merged.
  var dropped: [Int] = []
  /// Loops over several dimensions that not every place walks evenly.
  var flat: [FlatLoop] = []
  /// Definitions of what has been read.
  var statements: [Statement] = []
  /// All places and numbers that were computed, as they were before dropping.
  var touched: [Index] = []
  /// Expressions that stand for values at one index vector: what reductions have left.
  var rows: [ValueID: Expression] = [:]
  /// The index vector of kept values.
  var keptIndices: [Index] = []
  /// Words of random streams that lie ready, by the op that makes them.
  var randomWords: [OpID: Expression] = [:]
  /// The index vector of full values.
  var fullIndices: [Index] = []
  /// Results of reductions that were read where no loop leaves them.
  private(set) var misreads: [ValueID] = []
  /// The most elements that one kernel may read; beyond, reading stops and `isTooLarge` is set.
  static let readsMax = 20_000
  /// Whether a kernel reads too much: values read at ever more places double with every op.
  private(set) var isTooLarge = false
  /// The next free scalar, and the next free row.
  var nextLocal = 0
  var nextRow = 0
  /// The groups whose lanes are walked as one loop; nil where the dimensions are loops of their own.
  var groups: LaneGroups?
  /// How the groups are cut into blocks; nil where they are not.
  var groupSplit: GroupSplit?
  /// The rows that hold what is read once for each group, spread over the lanes of all groups.
  private var spreadRows: [Expression: Int] = [:]
  private var spreadLoads: [(row: Int, dtype: DType, value: Expression)] = []
  private var known: [Key: Expression] = [:]

  init(_ function: Function, inner: Set<ValueID>, buffers: [ValueID: Int], extents: [Int]) {
    self.function = function
    self.isInner = inner
    self.buffers = buffers
    self.extents = extents
  }

  /// Forgets what has been read: the start of another loop.
  mutating func startLoop() {
    known.removeAll(keepingCapacity: true)
    statements.removeAll(keepingCapacity: true)
  }

  /// An index as it stands in the code, after merging.
  mutating func place(_ index: Index) -> Index {
    touched.append(index)
    var place = dropped.reduce(index) { $0.dropping($1) }
    for loop in flat { place = loop.place(place) }
    // The lanes of all groups are one loop.
    if let groups, place.mentions(groups.lane) { place = groups.flat.place(place) }
    return groupSplit?.place(place) ?? place
  }

  /// What is at a place; in a walk over the lanes of all groups, the lane of a row where it is the
  /// same for all lanes of a group and in all rows.
  private mutating func element(
    _ dtype: DType, at index: Index, _ value: (Index) -> Expression
  ) -> Expression {
    let place = place(index)
    guard let groups, place.mentions(groups.group) else { return value(place) }
    let lane = Index.variable(groups.lane)
    guard !groups.rows.contains(where: { place.mentions($0) }) else {
      let group = Index(.quotient(lane, groups.size))
      return value(place.replacing(groups.group, with: group))
    }
    let value = value(place)
    if let row = spreadRows[value] { return .lane(row: row, lane) }
    let row = nextRow
    nextRow += 1
    spreadRows[value] = row
    spreadLoads.append((row, dtype, value))
    return .lane(row: row, lane)
  }

  /// What has been read for groups, and is to be spread over rows before the loop that reads it.
  mutating func takeSpreadLoads() -> [(row: Int, dtype: DType, value: Expression)] {
    defer { spreadLoads = [] }
    return spreadLoads
  }

  /// Defines a scalar and returns it.
  mutating func define(_ dtype: DType, _ expression: Expression) -> Expression {
    let local = nextLocal
    nextLocal += 1
    statements.append(.define(local: local, dtype, expression))
    return .local(local)
  }

  /// The place in its buffer of an element of a value.
  func linear(_ value: ValueID, _ indices: [Index]) -> Index {
    Index.linear(indices, strides: function.type(of: value).strides)
  }

  /// The element of a value at an index vector.
  mutating func read(_ value: ValueID, at indices: [Index]) -> Expression {
    // Along a dimension of extent 1 there is one place, whichever way it was reached.
    let indices = zip(indices, function.type(of: value).shape).map { $1 == 1 ? Index() : $0 }
    if let row = rows[value], indices == keptIndices { return row }
    let key = Key(value: value, indices: indices)
    if let expression = known[key] { return expression }
    guard known.count < ElementReader.readsMax else {
      isTooLarge = true
      return .neutral(kind: "or", .i1)
    }
    let expression = make(value, at: indices)
    known[key] = expression
    return expression
  }

  private mutating func make(_ value: ValueID, at indices: [Index]) -> Expression {
    let type = function.type(of: value)
    guard isInner.contains(value), let op = function.definingOp(of: value) else {
      let buffer = buffers[value]!
      let element = element(type.dtype, at: linear(value, indices)) {
        .load(buffer: buffer, $0)
      }
      return define(type.dtype, element)
    }
    let opcode = function.ops[op].opcode
    let attributes = function.ops[op].attributes
    let operands = Array(function.operands(of: op))
    func source(_ number: Int) -> TensorType { function.type(of: operands[number]) }
    switch opcode {
    case .constant:
      guard case .splat(let bytes)? = attributes.constant else {
        preconditionFailure("a dense constant inside a kernel: \(op)")
      }
      return .constant(type.dtype, bytes)
    case .iota:
      return element(type.dtype, at: indices[attributes.int(.dim)!]) { .number($0, type.dtype) }
    case .broadcastInDim:
      let shape = source(0).shape
      let dims = attributes.ints(.dims)!
      return read(
        operands[0], at: dims.indices.map { shape[$0] == 1 ? Index() : indices[dims[$0]] })
    case .transpose:
      var inner = indices
      for (axis, dim) in attributes.ints(.dims)!.enumerated() { inner[dim] = indices[axis] }
      return read(operands[0], at: inner)
    case .slice:
      let start = attributes.ints(.start)!
      let strides = attributes.ints(.strides, count: indices.count, fill: 1)
      return read(
        operands[0], at: indices.indices.map { indices[$0] * strides[$0] + start[$0] })
    case .reverse:
      let shape = source(0).shape
      let dims = attributes.ints(.dims)!
      return read(
        operands[0],
        at: indices.indices.map {
          dims.contains($0) ? indices[$0] * -1 + (shape[$0] - 1) : indices[$0]
        })
    case .reshape:
      let place = linear(value, indices)
      return read(
        operands[0],
        at: Index.delinearized(place, shape: source(0).shape, extents: extents))
    case .reduce:
      if !attributes.ints(.dims)!.isEmpty { misreads.append(value) }
      // Along no dimensions; all others have left their result in `rows`.
      let kind = attributes.symbol(.kind)!
      let element = read(operands[0], at: indices)
      return define(
        type.dtype, .combine(kind: kind, type.dtype, .neutral(kind: kind, type.dtype), element))
    case .random:
      let (key, stream) = (buffers[operands[0]]!, attributes.int(.stream) ?? 0)
      let word =
        (indices == fullIndices ? randomWords[op] : nil)
        ?? element(.ui32, at: linear(value, indices)) {
          .randomWord(key: key, stream: stream, $0)
        }
      return type.dtype == .ui32 ? word : define(type.dtype, .uniform(word, type.dtype))
    case .bitcastConvert where source(0).rank > type.rank:
      return readWidened(operands[0], to: type.dtype, at: indices)
    case .bitcastConvert where source(0).rank < type.rank:
      return readPart(of: operands[0], to: type.dtype, at: indices)
    default:
      precondition(opcode.isElementwise, "'\(opcode.name)' inside a loop kernel")
      let arguments = operands.map { read($0, at: indices) }
      return define(type.dtype, function.application(of: op, to: arguments))
    }
  }

  /// The bits of one element under a narrower dtype: the part that the last index says.
  private mutating func readPart(
    of value: ValueID, to dtype: DType, at indices: [Index]
  ) -> Expression {
    let wide = function.type(of: value).dtype
    let element = read(value, at: Array(indices.dropLast()))
    let bits = Expression.apply(
      .bitcastConvert, from: wide, to: wide.bits, [element], direction: nil)
    let distance = self.element(wide.bits, at: indices[indices.count - 1] * (8 * dtype.byteCount)) {
      .number($0, wide.bits)
    }
    let shifted = Expression.apply(
      .shiftRightLogical, from: wide.bits, to: wide.bits, [bits, distance], direction: nil)
    let part = Expression.apply(
      .convert, from: wide.bits, to: dtype.bits, [shifted], direction: nil)
    return define(
      dtype, .apply(.bitcastConvert, from: dtype.bits, to: dtype, [part], direction: nil))
  }

  /// The bits of the elements along a last dimension as one element of a wider dtype.
  private mutating func readWidened(
    _ value: ValueID, to dtype: DType, at indices: [Index]
  ) -> Expression {
    let narrow = function.type(of: value).dtype
    let wide = dtype.bits
    var bits: Expression?
    for number in 0..<dtype.byteCount / narrow.byteCount {
      let element = read(value, at: indices + [Index() + number])
      let part = Expression.apply(
        .bitcastConvert, from: narrow, to: narrow.bits, [element], direction: nil)
      let extended = Expression.apply(
        .convert, from: narrow.bits, to: wide, [part], direction: nil)
      let shifted = Expression.apply(
        .shiftLeft, from: wide, to: wide,
        [extended, .constant(wide, wide.encode(Double(8 * narrow.byteCount * number)))],
        direction: nil)
      bits = define(
        wide,
        bits.map { .apply(.or, from: wide, to: wide, [$0, shifted], direction: nil) } ?? shifted)
    }
    return define(
      dtype, .apply(.bitcastConvert, from: wide, to: dtype, [bits!], direction: nil))
  }
}
