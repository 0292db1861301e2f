// A row of the op table: everything that ckc knows of an op, in one place.

/// The first constraint that an op breaks.
public struct OpError: Error, Sendable, Equatable {
  /// The name of the constraint in `docs/ops.md`, such as `dot_general_c2`.
  public var constraint: String
  /// The rule and both values that break it.
  public var message: String
}

/// An op without its place: what type rules and cost rules look at.
public struct OpSignature: Sendable {
  /// What the op does.
  public var opcode: Opcode
  /// The types of the operands.
  public var operandTypes: [TensorType]
  /// The attributes.
  public var attributes: Attributes
  /// The types of results that were written; empty where none were.
  public var declaredTypes: [TensorType]
  /// The functions that attributes name; one that is missing does not exist.
  public var functionTypes: [String: FunctionType] = [:]

  /// A signature.
  public init(
    opcode: Opcode, operandTypes: [TensorType], attributes: Attributes,
    declaredType: TensorType? = nil
  ) {
    self.opcode = opcode
    self.operandTypes = operandTypes
    self.attributes = attributes
    declaredTypes = declaredType.map { [$0] } ?? []
  }

  /// The result type that was written, where one was.
  public var declaredType: TensorType? { declaredTypes.first }

  /// The type of the function that an attribute names.
  func functionType(_ name: AttributeName) -> FunctionType {
    functionTypes[attributes.function(name)!]!
  }

  /// The types of the functions that an attribute names.
  func functionTypes(_ name: AttributeName) -> [FunctionType] {
    attributes.functions(name)!.map { functionTypes[$0]! }
  }

  /// The type of the operand at an index.
  subscript(index: Int) -> TensorType { operandTypes[index] }

  /// The error for a constraint by its number.
  func broken(_ number: Int, _ message: String) -> OpError {
    OpError(constraint: "\(opcode.name)_c\(number)", message: message)
  }

  /// Throws the constraint with the given number unless it holds.
  func require(
    _ number: Int, _ holds: Bool, _ message: @autoclosure () -> String
  ) throws(OpError) {
    if !holds { throw broken(number, message()) }
  }
}

/// What an op asks of the dtype of an operand.
public enum OperandKind: String, Sendable {
  /// Every dtype.
  case any = "any dtype"
  /// `f64`, `f32`, `bf16` or `f16`.
  case floatingPoint = "a floating-point dtype"
  /// Every dtype but `i1`.
  case numeric = "a numeric dtype"
  /// Integers and `i1`.
  case bits = "an integer dtype or i1"
  /// `i1`.
  case predicate = "i1"
  /// Integers.
  case index = "an integer dtype"
  /// `ui32`.
  case key = "ui32"

  func accepts(_ dtype: DType) -> Bool {
    switch self {
    case .any: true
    case .floatingPoint: dtype.isFloatingPoint
    case .numeric: dtype != .i1
    case .bits: !dtype.isFloatingPoint
    case .predicate: dtype == .i1
    case .index: dtype.isInteger
    case .key: dtype == .ui32
    }
  }
}

/// An operand of an op.
public struct OperandSpec: Sendable {
  /// Its name in the documentation.
  public var name: String
  /// What its dtype must be.
  public var kind: OperandKind

  init(_ name: String, _ kind: OperandKind) {
    self.name = name
    self.kind = kind
  }
}

/// The shape of an attribute's value.
public enum AttributeKind: Sendable {
  /// An integer.
  case int
  /// A number.
  case number
  /// A list of integers.
  case ints
  /// One of the given words.
  case symbol([String])
  /// Dimension numbers of a convolution, such as `b01f_01io->b01f`.
  case dimNumbers
  /// The elements of a constant.
  case constant
  /// The name of a function.
  case function
  /// A list of names of functions.
  case functions
  /// Free text.
  case string
}

/// What happens where an attribute is absent.
public enum AttributeDefault: Sendable {
  /// It must be given.
  case required
  /// It may be absent; the op's documentation says what that means.
  case optional
  /// A list of equal integers, one for each dimension that it is about.
  case fill(Int)
  /// An integer.
  case int(Int)
  /// A number.
  case number(Double)
}

/// An attribute of an op.
public struct AttributeSpec: Sendable {
  /// Its name.
  public var name: AttributeName
  /// What its value looks like.
  public var kind: AttributeKind
  /// What its absence means.
  public var defaultValue: AttributeDefault

  init(_ name: AttributeName, _ kind: AttributeKind, _ defaultValue: AttributeDefault = .required) {
    self.name = name
    self.kind = kind
    self.defaultValue = defaultValue
  }
}

/// The work of one op: what the cost model needs to know.
public struct Cost: Sendable, Equatable {
  /// Floating-point or integer operations.
  public var flops: Double
  /// Bytes read and written when the op runs alone.
  public var bytesMoved: Double

  /// A cost.
  public init(flops: Double, bytesMoved: Double) {
    self.flops = flops
    self.bytesMoved = bytesMoved
  }
}

/// How an op uses its operands: what grouping and lowering look at first.
public enum OpCategory: CaseIterable, Sendable, Equatable {
  /// Each element of the result depends on the elements at the same place only.
  case elementwise
  /// Makes its result out of attributes and at most a key.
  case generator
  /// Each element of the result is one element of an operand.
  case movement
  /// Combines elements of one operand.
  case reduction
  /// Multiplies and sums over pairs.
  case contraction
  /// Products with weights that are a softmax of products.
  case attention
  /// Slides a window.
  case window
  /// Reads or writes at places that are data.
  case indexed
  /// Calls, regions, terminators.
  case structure
}

/// How the gradient of an op is found.
public enum Gradient: Sendable {
  /// Built by a rule, one value for each operand that has a gradient.
  case rule(GradientRule)
  /// Zero wherever it is defined.
  case zero
  /// There is none; differentiating through the op is an error.
  case unsupported
}

/// Appends the ops of a gradient and returns one value per operand; nil where it is zero.
public typealias GradientRule = @Sendable (inout GradientContext) -> [ValueID?]

/// A row of the op table.
public struct OpDefinition: Sendable {
  /// The spelling in the IR.
  public var name: String
  /// One sentence that says what it computes.
  public var summary: String
  /// How it uses its operands.
  public var category: OpCategory
  /// Its operands.
  public var operands: [OperandSpec]
  /// Whether the last operand may be repeated.
  public var isVariadic = false
  /// Whether the operand that may be repeated may also be absent.
  public var mayLackLast = false
  /// Its attributes.
  public var attributes: [AttributeSpec] = []
  /// Its constraints beyond the kinds of operands and attributes; the first is `<name>_c1`.
  public var constraints: [String] = []
  /// The type of the result; throws the constraint that is broken. Operand kinds and attribute kinds
  /// have been checked before.
  public var typeRule: @Sendable (OpSignature) throws(OpError) -> TensorType = {
    op throws(OpError) in
    throw OpError(
      constraint: "\(op.opcode.name)_type", message: "'\(op.opcode.name)' has no type of its own")
  }
  /// The types of the results, for ops that do not have exactly one; takes the place of `typeRule`.
  /// Functions that attributes name have been found before.
  public var resultsRule: (@Sendable (OpSignature) throws(OpError) -> [TensorType])?
  /// Operations for one element of the result, where the cost is proportional to it.
  public var flopsPerElement: Double = 0
  /// Operations in all, where they are not proportional to the result.
  public var flops: (@Sendable (OpSignature, TensorType) -> Double)?
  /// Bytes of tensors that it reads and writes, where they are fewer than all: of those that it moves
  /// slices out of or into. What else it reads, it reads as a whole. An op that gives its first
  /// operand with some windows changed touches so few if it writes over that operand; else it copies
  /// it before.
  public var touchedBytes: (@Sendable (OpSignature, TensorType) -> Int)?
  /// How its gradient is found.
  public var gradient: Gradient = .unsupported

  /// The work of an op with this signature and result type.
  public func cost(_ signature: OpSignature, _ result: TensorType) -> Cost {
    let bytes = signature.operandTypes.reduce(result.sizeBytes) { $0 + $1.sizeBytes }
    let operations =
      flops?(signature, result) ?? flopsPerElement * Double(result.elementCount)
    return Cost(flops: operations, bytesMoved: Double(bytes))
  }
}

extension OpSignature {
  /// The signature without attributes that say what their absence says.
  func normalized() -> OpSignature {
    var copy = self
    for spec in opcode.definition.attributes {
      switch (spec.defaultValue, attributes[spec.name]) {
      case (.fill(let fill), .ints(let values)?) where values.allSatisfy({ $0 == fill }):
        copy.attributes[spec.name] = expectsCount(spec.name) == values.count ? nil : .ints(values)
      case (.int(let value), .int(let given)?) where value == given:
        copy.attributes[spec.name] = nil
      case (.number(let value), .number(let given)?) where value == given:
        copy.attributes[spec.name] = nil
      default: break
      }
    }
    return copy
  }

  /// How many entries a list attribute with a default has; nil where the operands do not tell.
  private func expectsCount(_ name: AttributeName) -> Int? {
    guard let first = operandTypes.first else { return nil }
    return opcode == .convolution ? first.rank - 2 : first.rank
  }

  /// The types of the results, after checking operands, attributes, the type rule, and the types
  /// that were written.
  public func checkedResultTypes() throws(OpError) -> [TensorType] {
    let definition = opcode.definition
    let name = definition.name
    let expected = definition.operands.count
    let least = expected - (definition.mayLackLast ? 1 : 0)
    let count = operandTypes.count
    guard definition.isVariadic ? count >= least : count == expected else {
      let plural = least == 1 ? "operand" : "operands"
      throw OpError(
        constraint: "\(name)_operands",
        message: "'\(name)' takes \(definition.isVariadic ? "at least " : "")\(least) "
          + "\(plural), not \(count)")
    }
    for (index, type) in operandTypes.enumerated() {
      let spec = definition.operands[min(index, expected - 1)]
      guard spec.kind.accepts(type.dtype) else {
        throw OpError(
          constraint: "\(name)_operands",
          message:
            "operand '\(spec.name)' of '\(name)' must have \(spec.kind.rawValue), not \(type)"
        )
      }
    }
    try checkAttributes(definition)
    let results =
      if let rule = definition.resultsRule { try rule(self) } else {
        [try definition.typeRule(self)]
      }
    if let result = results.first(where: { !$0.isRepresentable }) {
      throw OpError(
        constraint: "\(name)_type",
        message: "the result of '\(name)' would be \(result), which is negative or over 1 TiB")
    }
    if !declaredTypes.isEmpty, declaredTypes != results {
      func list(_ types: [TensorType]) -> String {
        types.map(\.description).joined(separator: ", ")
      }
      throw OpError(
        constraint: "\(name)_type",
        message: "'\(name)' gives \(list(results)), but its type is written as "
          + list(declaredTypes))
    }
    return results
  }

  private func checkAttributes(_ definition: OpDefinition) throws(OpError) {
    func error(_ message: String) -> OpError {
      OpError(constraint: "\(definition.name)_attributes", message: message)
    }
    for entry in attributes.entries {
      guard let spec = definition.attributes.first(where: { $0.name == entry.name }) else {
        let known = definition.attributes.map { "'\($0.name.rawValue)'" }
        let hint = known.isEmpty ? "it takes none" : "it takes \(known.joined(separator: ", "))"
        throw error("'\(definition.name)' has no attribute '\(entry.name.rawValue)'; \(hint)")
      }
      switch (spec.kind, entry.value) {
      case (.int, .int), (.number, .number), (.ints, .ints), (.constant, .constant),
        (.function, .function),
        (.functions, .functions), (.string, .string):
        break
      case (.symbol(let words), .symbol(let word)):
        guard words.contains(word) else {
          throw error(
            "'\(spec.name.rawValue)' of '\(definition.name)' is one of "
              + "\(words.joined(separator: ", ")), not '\(word)'")
        }
      case (.dimNumbers, .string(let word)):
        guard ConvolutionDimensions(word) != nil else {
          throw error("'\(word)' is no dimension numbers; they look like b01f_01io->b01f")
        }
      default:
        throw error(
          "attribute '\(spec.name.rawValue)' of '\(definition.name)' has the wrong kind of value")
      }
    }
    for spec in definition.attributes {
      if case .required = spec.defaultValue, attributes[spec.name] == nil {
        throw error("'\(definition.name)' needs the attribute '\(spec.name.rawValue)'")
      }
    }
    for function in attributes.functionNames where functionTypes[function] == nil {
      throw error("'\(definition.name)' names @\(function), which does not exist")
    }
  }
}
