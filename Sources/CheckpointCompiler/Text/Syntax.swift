// The syntax tree: what was written, before names, shapes and layers have a meaning.

/// A name and where it stands.
struct SyntaxName: Sendable {
  var text: String
  var location: SourceLocation
}

/// A compile-time expression: extents, attribute values, literals.
indirect enum SyntaxExpression: Sendable {
  case int(Int)
  /// An integer above the largest `Int`.
  case natural(UInt64)
  case float(Double)
  case string(String)
  /// The elements of a constant, where an importer has them.
  case elements(ConstantData)
  case name(SyntaxName)
  /// `@f`, as the value of an attribute.
  case function(SyntaxName)
  /// `B...`: all dimensions of a pack, inside a list.
  case expansion(SyntaxName)
  case list([SyntaxExpression], SourceLocation)
  case binary(UInt8, SyntaxExpression, SyntaxExpression, SourceLocation)
  case negate(SyntaxExpression, SourceLocation)
  case call(SyntaxName, [SyntaxExpression])
  case index(SyntaxExpression, SyntaxExpression, SourceLocation)

  /// Whether it stands there in full: its value is no larger than its text.
  var isWritten: Bool {
    switch self {
    case .int, .natural, .float, .string, .elements, .function, .list: true
    case .name, .expansion, .index: false
    case .negate(let inner, _): inner.isWritten
    case .binary(_, let left, let right, _): left.isWritten && right.isWritten
    case .call(_, let arguments): arguments.allSatisfy(\.isWritten)
    }
  }
}

/// A tensor type that may hold variables.
struct SyntaxType: Sendable {
  var dtype: SyntaxName
  var dims: [SyntaxExpression]
  var location: SourceLocation
}

/// An operand: a value, or a literal that takes the type of its neighbours.
enum SyntaxOperand: Sendable {
  case value(SyntaxName)
  case literal(SyntaxExpression, SourceLocation)
}

/// An attribute as written.
struct SyntaxAttribute: Sendable {
  var name: SyntaxName
  var value: SyntaxExpression
}

/// One op as written.
struct SyntaxOp: Sendable {
  var results: [SyntaxName] = []
  var name: SyntaxName
  /// The function of a `call`.
  var callee: SyntaxName?
  var operands: [SyntaxOperand] = []
  /// The elements of a `constant`.
  var literal: SyntaxExpression?
  var attributes: [SyntaxAttribute] = []
  var label: String?
  var region: [SyntaxOp]?
  /// What an `if` asks at compile time; its first branch is `region`.
  var condition: SyntaxExpression?
  /// The second branch of an `if`.
  var otherwise: [SyntaxOp] = []
  var types: [SyntaxType] = []
  /// Whether a syntax error in it has been reported: only its results are known.
  var isBroken = false
}

/// A generic parameter: a dtype, an extent, or a pack of extents.
struct SyntaxGeneric: Sendable {
  enum Kind: Sendable { case dtype, extent, pack }
  var name: SyntaxName
  var kind: Kind
}

/// An argument as written.
struct SyntaxArgument: Sendable {
  var role: ArgumentRole
  var name: SyntaxName
  var type: SyntaxType
  var initializer: SyntaxExpression?
}

/// A result as written.
struct SyntaxResult: Sendable {
  enum Role: Sendable {
    case output, loss
    case gradient(SyntaxName)
    case update(SyntaxName)
  }
  var role: Role
  var name: SyntaxName?
  var type: SyntaxType
}

/// An attribute that a layer takes, with its default.
struct SyntaxParameter: Sendable {
  var name: SyntaxName
  var defaultValue: SyntaxExpression?
}

/// A function as written.
struct SyntaxFunction: Sendable {
  var name: SyntaxName
  var generics: [SyntaxGeneric] = []
  var arguments: [SyntaxArgument] = []
  var parameters: [SyntaxParameter] = []
  /// Nil where the results follow from the body.
  var results: [SyntaxResult]?
  var gradient: SyntaxName?
  var body: [SyntaxOp] = []

  /// Whether it is a pattern that calls fill in, rather than a function of its own.
  var isGeneric: Bool { !generics.isEmpty || !parameters.isEmpty }
}
