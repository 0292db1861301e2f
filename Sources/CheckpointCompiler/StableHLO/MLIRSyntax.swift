// StableHLO text as a tree: what was written, in one spelling.
//
// Problem     MLIR prints most ops in a form of their own and some in the generic form, both in one
//             file.
// Method      The parser turns every form into the generic one: name, operands, named attributes,
//             regions, types. What reads the tree knows one spelling of each op.
// Invariants  Attribute names are those of the generic form. A value is a name and, where the op has
//             several results under one name, a position.

/// A module as written.
public struct MLIRModule: Sendable {
  /// The name without `@`; empty where it has none.
  public internal(set) var name = ""
  /// What stands behind `attributes`.
  public internal(set) var attributes: [MLIRNamedAttribute] = []
  /// The functions in order.
  public private(set) var functions: [MLIRFunction] = []
  /// Where the function of a name stands among them; of equal names, the first.
  private var functionPlaces: [String: Int] = [:]
  /// The ops of the module that are no functions, such as a device mesh.
  public internal(set) var otherOps: [MLIROperation] = []
  /// The blobs of the tail `{-# dialect_resources … #-}`: the place of the hexadecimal digits.
  var resources: [String: Range<Int>] = [:]
  /// The locations that `#loc1 = loc(…)` names.
  var locationAliases: [String: MLIRLocation] = [:]
  /// The text that places refer to.
  var text: [UInt8] = []
  /// The index of the text in its source map.
  var file: Int32 = 0

  /// The function of that name.
  public subscript(name: String) -> MLIRFunction? {
    functionPlaces[name].map { functions[$0] }
  }

  /// Adds a function behind the others.
  mutating func append(_ function: MLIRFunction) {
    if functionPlaces[function.name] == nil { functionPlaces[function.name] = functions.count }
    functions.append(function)
  }
}

/// A function as written.
public struct MLIRFunction: Sendable {
  /// The name without `@`.
  public internal(set) var name: String
  /// Whether it is `private`.
  public internal(set) var isPrivate = false
  /// The arguments in order.
  public internal(set) var arguments: [MLIRArgument] = []
  /// The results in order.
  public internal(set) var results: [MLIRResult] = []
  /// The ops; empty for a declaration.
  public internal(set) var body: [MLIROperation] = []
  /// Where its name stands.
  public internal(set) var location: SourceLocation
}

/// An argument of a function or block.
public struct MLIRArgument: Sendable {
  /// The name without `%`.
  public internal(set) var name: String
  /// The type.
  public internal(set) var type: MLIRType
  /// The attributes in braces.
  public internal(set) var attributes: [MLIRNamedAttribute] = []
  /// The trailing `loc(…)`.
  public internal(set) var debugLocation: MLIRLocation?
  /// Where its name stands.
  public internal(set) var location: SourceLocation
}

/// A result of a function.
public struct MLIRResult: Sendable {
  /// The type.
  public internal(set) var type: MLIRType
  /// The attributes in braces.
  public internal(set) var attributes: [MLIRNamedAttribute] = []
  /// Where its type stands.
  public internal(set) var location: SourceLocation
}

/// An op in the generic form.
public struct MLIROperation: Sendable {
  /// The full name, such as `stablehlo.add` or `func.call`.
  public internal(set) var name: String
  /// The names of the results; a name may stand for several.
  public internal(set) var results: [MLIRResultName] = []
  /// The operands.
  public internal(set) var operands: [MLIRValue] = []
  /// The attributes, in the order in which they were written.
  public internal(set) var attributes: [MLIRNamedAttribute] = []
  /// The regions.
  public internal(set) var regions: [MLIRRegion] = []
  /// A type for each operand, where the form tells them.
  public internal(set) var operandTypes: [MLIRType] = []
  /// A type for each result.
  public internal(set) var resultTypes: [MLIRType] = []
  /// The trailing `loc(…)`.
  public internal(set) var debugLocation: MLIRLocation?
  /// Where its name stands.
  public internal(set) var location: SourceLocation

  /// The value of an attribute; nil where it is absent.
  public subscript(name: String) -> MLIRAttribute? {
    attributes.first { $0.name == name }?.value
  }
}

/// A name for one or several results: `%14:2`.
public struct MLIRResultName: Sendable {
  /// The name without `%`.
  public internal(set) var name: String
  /// The number of results.
  public internal(set) var count: Int
  /// Where it stands.
  public internal(set) var location: SourceLocation
}

/// A value as used: `%14#1`.
public struct MLIRValue: Sendable {
  /// The name without `%`.
  public internal(set) var name: String
  /// The position among the values of that name.
  public internal(set) var index: Int
  /// Where it stands.
  public internal(set) var location: SourceLocation
}

/// A region of one block.
public struct MLIRRegion: Sendable {
  /// The arguments of its block.
  public internal(set) var arguments: [MLIRArgument] = []
  /// The ops.
  public internal(set) var body: [MLIROperation] = []
}

/// A type as written.
public enum MLIRType: Hashable, Sendable, CustomStringConvertible {
  /// A tensor; an extent of -1 is unknown. The element type is a word such as `f32`, or the text of
  /// something more complicated.
  case tensor(shape: [Int], element: String)
  /// Any other type, as its text.
  case other(String)

  /// The text of the type.
  public var description: String {
    switch self {
    case .tensor(let shape, let element):
      "tensor<\(shape.map { ($0 < 0 ? "?" : String($0)) + "x" }.joined())\(element)>"
    case .other(let text): text
    }
  }
}

/// An attribute and its name.
public struct MLIRNamedAttribute: Sendable {
  /// The name.
  public internal(set) var name: String
  /// The value; `unit` where only the name is written.
  public internal(set) var value: MLIRAttribute
  /// Where its name stands.
  public internal(set) var location: SourceLocation
}

/// The value of an attribute.
public indirect enum MLIRAttribute: Sendable {
  /// A name without a value.
  case unit
  /// `true` or `false`.
  case bool(Bool)
  /// An integer.
  case int(Int)
  /// A number with a point or exponent.
  case float(Double)
  /// A text in quotes.
  case string(String)
  /// The name of a function, without `@`.
  case symbol(String)
  /// A word of a closed set: `LT`, or the second word of `#stablehlo<comparison_direction LT>`.
  case word(String)
  /// `[…]` or `array<i64: …>`.
  case list([MLIRAttribute])
  /// `{…}`, or the body of `#stablehlo.gather<…>`.
  case record([MLIRNamedAttribute])
  /// `dense<…>` or `dense_resource<…>`.
  case elements(MLIRElements)
  /// A type.
  case type(MLIRType)
  /// Anything else, as its text.
  case other(String)

  /// The integer, or nil.
  public var int: Int? { if case .int(let value) = self { value } else { nil } }
  /// The text in quotes, or nil.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The name of a function, or nil.
  public var symbol: String? { if case .symbol(let value) = self { value } else { nil } }
  /// The word, or nil.
  public var word: String? { if case .word(let value) = self { value } else { nil } }
  /// The integers of a list of integers or truth values, or nil.
  public var integers: [Int]? {
    guard case .list(let elements) = self else { return nil }
    var integers: [Int] = []
    integers.reserveCapacity(elements.count)
    for element in elements {
      switch element {
      case .int(let value): integers.append(value)
      case .bool(let value): integers.append(value ? 1 : 0)
      default: return nil
      }
    }
    return integers
  }
  /// The entry of a record, or nil.
  public subscript(name: String) -> MLIRAttribute? {
    guard case .record(let entries) = self else { return nil }
    return entries.first { $0.name == name }?.value
  }
}

/// The elements of a constant: a place in the text, decoded when they are needed.
public struct MLIRElements: Sendable {
  /// The text between the angle brackets.
  var place: Range<Int>
  /// Whether the text is the name of a resource.
  var isResource: Bool
  /// The type of the tensor.
  public internal(set) var type: MLIRType
  /// Where the attribute stands.
  public internal(set) var location: SourceLocation
}

/// Where an op came from, as the program that printed the text tells it.
public indirect enum MLIRLocation: Sendable {
  /// `loc(unknown)`
  case unknown
  /// `loc(#loc1)`
  case alias(String)
  /// `loc("name")`, or `loc("name"(inner))`
  case name(String, MLIRLocation?)
  /// `loc("file":line:column)`
  case file(String, line: Int, column: Int)
  /// `loc(fused[…])`
  case fused([MLIRLocation])
  /// `loc(callsite(callee at caller))`
  case callSite(MLIRLocation, caller: MLIRLocation)
}
