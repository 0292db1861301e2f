// What a gradient rule sees, and the small vocabulary in which it is written.
//
// A rule reads as its formula: `g.multiply(g.dy, g.y)` is the gradient of `exponential`. It may use
// the operands (`g[0]`) and the result (`g.y`); what it uses has to be kept or recomputed for the
// backward pass, so rules prefer the result where it will do, and predicates of it.

/// One op to differentiate, and the builder that its gradient is appended to.
public struct GradientContext: Sendable {
  /// Where ops are appended.
  public internal(set) var builder: FunctionBuilder
  /// The operands of the op.
  public internal(set) var operands: [ValueID] = []
  /// The result of the op.
  public internal(set) var result: ValueID
  /// All results of the op: `result` is the first of them.
  public internal(set) var results: [ValueID] = []
  /// The gradient with respect to the result, of its type.
  public internal(set) var dy: ValueID
  /// The gradient with respect to each result, where there is one: `dy` is the first of them.
  public internal(set) var resultGradients: [ValueID?] = []
  /// The attributes of the op.
  public internal(set) var attributes: Attributes = [:]
  /// For each operand, whether its gradient is asked for; others may be left nil.
  public internal(set) var needed: [Bool] = []
  /// Where the op was written: the place of the ops of its gradient as well.
  var location: SourceLocation = .unknown
  /// Why the op has no gradient; set by `refuse`.
  var refusal: String?

  /// A context that no op has been put into yet. One context serves a whole walk, so that the
  /// builder is never copied.
  init(builder: FunctionBuilder) {
    self.builder = builder
    result = ValueID(0)
    dy = ValueID(0)
  }

  /// The operand at an index.
  public subscript(index: Int) -> ValueID { operands[index] }
  /// The result of the op.
  public var y: ValueID { result }
  /// The type of a value.
  public func type(of value: ValueID) -> TensorType { builder.type(of: value) }

  /// Says that the gradient is not known, and why; the rule then returns nothing.
  public mutating func refuse(_ reason: String) -> [ValueID?] {
    refusal = reason
    return []
  }

  /// Appends any op.
  @discardableResult
  public mutating func emit(
    _ opcode: Opcode, _ operands: [ValueID], _ attributes: Attributes = [:],
    type: TensorType? = nil
  ) -> ValueID {
    builder.emit(opcode, operands, attributes, type: type, location: location)
  }
}

/// Ops that may not be: distances that add up in a gradient are longer than those it comes from.
extension GradientContext {
  /// Whether operands of these types and attributes make an op; where not, the gradient is refused.
  mutating func allows(
    _ opcode: Opcode, _ operands: [TensorType], _ attributes: Attributes
  ) -> Bool {
    let signature = OpSignature(
      opcode: opcode, operandTypes: operands, attributes: attributes)
    do {
      _ = try signature.checkedResultTypes()
      return true
    } catch {
      refusal = "no gradient can be made: \(error.message)"
      return false
    }
  }
}

/// Ops of several results.
extension GradientContext {
  /// Appends any op and returns its results.
  mutating func emitAll(
    _ opcode: Opcode, _ operands: [ValueID], _ attributes: Attributes
  ) -> [ValueID] {
    do {
      return try builder.append(
        opcode, operands, attributes, names: [], location: location)
    } catch {
      preconditionFailure("\(opcode.name) built with \(error.message) [\(error.constraint)]")
    }
  }
}

/// Arithmetic.
extension GradientContext {
  /// `a + b`.
  public mutating func add(_ a: ValueID, _ b: ValueID) -> ValueID { emit(.add, [a, b]) }
  /// `a - b`.
  public mutating func subtract(_ a: ValueID, _ b: ValueID) -> ValueID { emit(.subtract, [a, b]) }
  /// `a * b`.
  public mutating func multiply(_ a: ValueID, _ b: ValueID) -> ValueID { emit(.multiply, [a, b]) }
  /// `a * b` for a number `b`.
  public mutating func multiply(_ a: ValueID, _ b: Double) -> ValueID {
    let factor = constant(b, like: a)
    return multiply(a, factor)
  }
  /// `a / b`.
  public mutating func divide(_ a: ValueID, _ b: ValueID) -> ValueID { emit(.divide, [a, b]) }
  /// `-a`.
  public mutating func negate(_ a: ValueID) -> ValueID { emit(.negate, [a]) }
  /// `a` where `predicate` holds, `b` elsewhere.
  public mutating func select(_ predicate: ValueID, _ a: ValueID, _ b: ValueID) -> ValueID {
    emit(.select, [predicate, a, b])
  }
  /// `a` where `predicate` holds, 0 elsewhere.
  public mutating func keep(_ a: ValueID, where predicate: ValueID) -> ValueID {
    let zero = zero(like: a)
    return select(predicate, a, zero)
  }
  /// Whether `a` and `b` compare as `direction` says: `eq`, `ne`, `lt`, `le`, `gt`, `ge`.
  public mutating func compare(
    _ a: ValueID, _ direction: ComparisonDirection, _ b: ValueID
  ) -> ValueID {
    emit(.compare, [a, b], [.direction: .symbol(direction.rawValue)])
  }
  /// The words of a comparison's `direction`.
  public enum ComparisonDirection: String, Sendable {
    /// Equal.
    case eq
    /// Not equal.
    case ne
    /// Less.
    case lt
    /// Less or equal.
    case le
    /// Greater.
    case gt
    /// Greater or equal.
    case ge
  }
}

/// Constants.
extension GradientContext {
  /// A number in every element of a type.
  public mutating func constant(_ number: Double, type: TensorType) -> ValueID {
    let data = ConstantData.splat(type.dtype.encode(number))
    return emit(.constant, [], [.value: .constant(data)], type: type)
  }
  /// A number in every element of the type of `value`.
  public mutating func constant(_ number: Double, like value: ValueID) -> ValueID {
    constant(number, type: type(of: value))
  }
  /// 0 in every element of the type of `value`.
  public mutating func zero(like value: ValueID) -> ValueID { constant(0, like: value) }

  /// The number in every element of a value, where it is the same and known now.
  public func splat(_ value: ValueID) -> Double? {
    var value = value
    while let op = builder.function.definingOp(of: value).map({ builder.function.ops[$0] }) {
      switch op.opcode {
      case .constant:
        guard case .splat(let bytes)? = op.attributes.constant else { return nil }
        return type(of: value).dtype.decode(bytes[...])
      case .broadcastInDim, .reshape, .transpose:
        value = builder.function.operands(of: op).first!
      default: return nil
      }
    }
    return nil
  }
}

/// Movement and reduction.
extension GradientContext {
  /// The same elements in another shape.
  public mutating func reshape(_ a: ValueID, to shape: [Int]) -> ValueID {
    let type = type(of: a)
    return type.shape == shape ? a : emit(.reshape, [a], type: type.with(shape: shape))
  }
  /// Dimension `i` of the result is dimension `dims[i]` of `a`.
  public mutating func transpose(_ a: ValueID, _ dims: [Int]) -> ValueID {
    dims == Array(dims.indices) ? a : emit(.transpose, [a], [.dims: .ints(dims)])
  }
  /// `a` repeated so that its dimension `i` becomes dimension `dims[i]` of `shape`.
  public mutating func broadcast(_ a: ValueID, to shape: [Int], dims: [Int]) -> ValueID {
    let type = type(of: a)
    if type.shape == shape, dims == Array(dims.indices) { return a }
    return emit(.broadcastInDim, [a], [.dims: .ints(dims)], type: type.with(shape: shape))
  }
  /// The sum along `dims`.
  public mutating func sum(_ a: ValueID, dims: [Int]) -> ValueID {
    dims.isEmpty ? a : emit(.reduce, [a], [.kind: .symbol("add"), .dims: .ints(dims)])
  }
}
