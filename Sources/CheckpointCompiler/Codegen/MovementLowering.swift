// `pad` and `concatenate` as loops; what they share with indexed access (`IndexedLowering.swift`).

/// Lowers one op that moves elements to places that are not a view of its operand.
struct MovementLowering {
  let function: Function
  let op: OpID
  let operands: [ValueID]
  private let result: ValueID
  /// The buffer of each operand, and of each result.
  let operandBuffers: [Int]
  let resultBuffers: [Int]
  private var nextVariable = 0
  var nextLocal = 0

  init(_ function: Function, _ op: OpID, operandBuffers: [Int], resultBuffers: [Int]) {
    self.function = function
    self.op = op
    self.operandBuffers = operandBuffers
    self.resultBuffers = resultBuffers
    operands = Array(function.operands(of: op))
    result = function.results(of: op).first!
  }

  var attributes: Attributes { function.ops[op].attributes }
  var resultBuffer: Int { resultBuffers[0] }
  var type: TensorType { function.type(of: result) }
  func operandType(_ number: Int) -> TensorType { function.type(of: operands[number]) }

  mutating func variables(_ count: Int) -> [Int] {
    defer { nextVariable += count }
    return Array(nextVariable..<nextVariable + count)
  }

  mutating func newLocal() -> Int {
    nextLocal += 1
    return nextLocal - 1
  }

  func isWorthThreads(_ elements: Int) -> Bool {
    elements >= LoopLowering.parallelWork
  }

  /// A loop nest that stores one element for each place of `shape`.
  func map(
    _ variables: [Int], shape: [Int], onThreads: Bool, to place: Index, touched: [Index],
    _ store: (_ finish: (Index) -> Index) -> Expression
  ) -> [Statement] {
    let dims = zip(variables, shape).map { LoopDimension(variable: $0, extent: $1) }
    let merged = MergedDimensions(dims, walkedBy: touched + [place])
    let (loops, dropped) = (merged.loops, merged.dropped)
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
    case .scatter, .scatterWith: scatter()
    case .dynamicSlice: dynamicSlice()
    case .dynamicUpdateSlice: dynamicUpdateSlice()
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
}
