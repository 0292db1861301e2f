// A function: typed values in static single assignment form, ops in blocks, roles at the boundary.
//
// Entities    Values, ops and blocks live in dense tables under typed ids; a function is a value,
//             cloned by assignment. Operands are one flat pool and a range per op; the results of
//             an op are consecutive values.
// Order       The order of the ops in a block is the order in which they run: it is the schedule.
// Regions     `fusion`, `no_grad` and `recompute` ops own a block without arguments that ends in
//             `yield`; inner ops may use every value defined before them in the enclosing blocks.
// Change      Passes build a new function with `FunctionBuilder`; nothing is edited in place.

/// A value of a function.
public struct ValueID: EntityID {
  /// The position in the table of values.
  public let rawValue: UInt32
  /// The value at a position.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// An op of a function.
public struct OpID: EntityID {
  /// The position in the table of ops.
  public let rawValue: UInt32
  /// The op at a position.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// A block of a function.
public struct BlockID: EntityID {
  /// The position in the table of blocks.
  public let rawValue: UInt32
  /// The block at a position.
  public init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Where a value comes from.
public enum Definition: Hashable, Sendable {
  /// The argument of the function at an index.
  case argument(Int)
  /// A result of an op.
  case result(OpID, Int)
}

/// What is known of a value.
public struct Value: Sendable {
  /// Its dtype and shape.
  public var type: TensorType
  /// The name that the user or a pass gave it, without `%`; empty where it has none.
  public var name: String
  /// Where it comes from.
  public var definition: Definition
}

/// One op.
public struct Op: Sendable {
  /// What it does.
  public var opcode: Opcode
  /// The place of its operands in the function's pool.
  var operandRange: Range<Int32>
  /// The values it defines, consecutive.
  var resultRange: Range<UInt32>
  /// Its attributes.
  public var attributes: Attributes
  /// The blocks it owns.
  public var regions: [BlockID]
  /// The block it stands in.
  public var block: BlockID
  /// Where it was written.
  public var location: SourceLocation

  /// The number of its results.
  public var resultCount: Int { resultRange.count }
}

/// A sequence of ops that ends in `return` or `yield`.
public struct Block: Sendable {
  /// The ops in the order in which they run.
  public var ops: [OpID]
  /// The op that owns it; nil for the body of the function.
  public var owner: OpID?
}

/// What an argument of the entry function is to the training step.
public enum ArgumentRole: String, CaseIterable, Sendable {
  /// Data of this step: a batch, labels, a learning rate.
  case input
  /// A parameter that is trained.
  case parameter = "param"
  /// A parameter that is not trained.
  case frozen
  /// A value carried from step to step, such as running statistics.
  case state
}

/// How a parameter or state gets its first value, where no weights are given.
public enum Initializer: Hashable, Sendable {
  /// Every element is this number.
  case fill(Double)
  /// Normally distributed with mean 0 and this standard deviation.
  case normal(Double)
  /// Uniform between minus and plus this bound.
  case uniform(Double)

  /// Why elements of a dtype cannot start so; nil where they can.
  package func problem(of dtype: DType) -> String? {
    func fits(_ number: Double) -> Bool {
      let element = dtype.decode(dtype.encode(number)[...])
      return dtype.isFloatingPoint ? element.isFinite : element == number
    }
    switch self {
    case .fill(let number):
      return fits(number) ? nil : "no element of \(dtype.name) is \(number)"
    case .normal(let most), .uniform(let most):
      guard dtype.isFloatingPoint else {
        return "random initial values are of a floating-point dtype, not \(dtype.name)"
      }
      // No number that is drawn is 16 deviations away.
      let reach = if case .normal = self { 16 * most } else { most }
      return fits(reach) ? nil : "initial values within \(most) do not fit \(dtype.name)"
    }
  }
}

/// An argument of a function.
public struct Argument: Sendable {
  /// Its value.
  public var value: ValueID
  /// What it is to the training step.
  public var role: ArgumentRole
  /// How it gets its first value.
  public var initializer: Initializer?
  /// Where it was written.
  public var location: SourceLocation
}

/// What a result of the entry function is to the training step.
public enum ResultRole: Hashable, Sendable {
  /// Something the caller wants to see.
  case output
  /// The scalar that training minimizes.
  case loss
  /// The gradient of the loss with respect to the argument at an index.
  case gradient(of: Int)
  /// The new value of the state or parameter at an index.
  case update(of: Int)
}

/// A result of a function.
public struct FunctionResult: Sendable {
  /// Its name without `%`; unique among the results.
  public var name: String
  /// What it is to the training step.
  public var role: ResultRole
  /// Where it was written.
  public var location: SourceLocation

  /// A result.
  public init(name: String, role: ResultRole = .output, location: SourceLocation = .unknown) {
    self.name = name
    self.role = role
    self.location = location
  }
}

/// A function of the IR.
public struct Function: Sendable {
  /// Its name without `@`.
  public var name: String
  /// Its values.
  public internal(set) var values = Table<ValueID, Value>()
  /// Its ops, among them those that no block holds any more.
  public internal(set) var ops = Table<OpID, Op>()
  /// Its blocks; the first is the body.
  public internal(set) var blocks = Table<BlockID, Block>()
  /// The operands of all ops.
  var operandPool: [ValueID] = []
  /// The arguments in order.
  public internal(set) var arguments: [Argument] = []
  /// The results in order; their values are the operands of `return`.
  public internal(set) var results: [FunctionResult] = []
  /// The function that computes the gradient, where one was written by hand. It takes the operands,
  /// the results and the gradients of the results, and returns a gradient for every
  /// floating-point operand.
  public internal(set) var gradientFunction: String?
  /// The functions that its ops name in attributes, and those that these name, callees before
  /// callers; closed, and without callees of their own in this list. Empty in a `Module`, which has
  /// them beside the function.
  public internal(set) var callees: [Function] = []
  /// What has been planned for it, where it is a callee that loops or branches call.
  var routine: Routine?

  init(name: String) { self.name = name }

  /// The body of the function.
  public var body: BlockID { BlockID(0) }

  /// The operands of an op.
  public func operands(of op: OpID) -> ArraySlice<ValueID> { operands(of: ops[op]) }
  /// The operands of an op.
  public func operands(of op: Op) -> ArraySlice<ValueID> {
    operandPool[Int(op.operandRange.lowerBound)..<Int(op.operandRange.upperBound)]
  }
  /// The results of an op.
  public func results(of op: OpID) -> LazyMapSequence<Range<UInt32>, ValueID> {
    ops[op].resultRange.lazy.map { ValueID(rawValue: $0) }
  }
  /// The only result of an op.
  public func result(of op: OpID) -> ValueID { ValueID(rawValue: ops[op].resultRange.lowerBound) }
  /// The type of a value.
  public func type(of value: ValueID) -> TensorType { values[value].type }
  /// The op that defines a value; nil for an argument.
  public func definingOp(of value: ValueID) -> OpID? {
    if case .result(let op, _) = values[value].definition { op } else { nil }
  }

  /// The values that the function returns, in the order of `results`.
  public var returnedValues: [ValueID] { yieldedValues(of: body) }

  /// The operands of the op that ends a block.
  public func yieldedValues(of block: BlockID) -> [ValueID] {
    guard let last = blocks[block].ops.last, ops[last].opcode.isTerminator else { return [] }
    return Array(operands(of: last))
  }

  /// All ops in the order in which they run, regions entered at the op that owns them, owners before
  /// the ops they own. O(ops).
  public var opsInOrder: [OpID] {
    var order: [OpID] = []
    order.reserveCapacity(ops.count)
    var stack: [(block: BlockID, next: Int)] = [(body, 0)]
    while let (block, next) = stack.last {
      guard next < blocks[block].ops.count else {
        stack.removeLast()
        continue
      }
      stack[stack.count - 1].next += 1
      let op = blocks[block].ops[next]
      order.append(op)
      for region in ops[op].regions.reversed() { stack.append((region, 0)) }
    }
    return order
  }

  /// The type of every argument.
  public var argumentTypes: [TensorType] { arguments.map { type(of: $0.value) } }
  /// The type of every result.
  public var resultTypes: [TensorType] { returnedValues.map { type(of: $0) } }
}

/// Functions that call each other, and the one that is compiled.
public struct Module: Sendable {
  /// The functions; a callee stands before its callers.
  public let functions: [Function]
  /// The name of the function that is compiled.
  public internal(set) var entryName: String
  /// Where the function of a name stands among `functions`; of equal names, the first.
  private let places: [String: Int]

  /// A module of the given functions.
  public init(functions: [Function], entryName: String) {
    self.functions = functions
    self.entryName = entryName
    places = Dictionary(
      functions.indices.map { (functions[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The function that is compiled.
  public var entry: Function { self[entryName]! }

  /// The function of that name.
  public subscript(name: String) -> Function? { places[name].map { functions[$0] } }
}
