// JSON values: objects with the order of their members kept.
//
// Problem     Safetensors headers, cost files, saved plans and `--json` output are JSON. Which byte breaks
//             which rule must be told; the same value must print as the same bytes.
// Parts       `JSONParser.swift` reads a value, `JSONWriter.swift` prints one, `JSONSyntax.swift` has the
//             forms of strings and numbers. `JSONScanner.swift` reads what is too large to be a value.
// Source      RFC 8259.

/// One member of a JSON object.
package struct JSONMember: Sendable, Equatable {
  /// The name.
  package var key: String
  /// The value.
  package var value: JSONValue

  /// A member.
  package init(_ key: String, _ value: JSONValue) {
    self.key = key
    self.value = value
  }
}

/// A JSON value; objects keep the order of their members.
package enum JSONValue: Sendable, Equatable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number written without fraction and exponent that fits 64 bits.
  case integer(Int)
  /// Any other number.
  case number(Double)
  /// A string.
  case string(String)
  /// An array.
  case array([JSONValue])
  /// An object.
  case object([JSONMember])

  /// How deep arrays and objects may nest.
  package static let maximumDepth = 200
}

extension JSONValue {
  /// The value of `key` in an object; nil where it is absent or this is no object. O(members).
  package subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
  /// The elements of an array.
  package var arrayValue: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }
  /// The members of an object.
  package var objectValue: [JSONMember]? {
    if case .object(let members) = self { members } else { nil }
  }
  /// The text of a string.
  package var stringValue: String? { if case .string(let text) = self { text } else { nil } }
  /// An integer, also when it was written as `3.0` or `3e2`.
  package var intValue: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  /// Any number.
  package var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  /// What kind of value it is, for messages.
  package var kindName: String {
    switch self {
    case .null: "null"
    case .bool: "a truth value"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
  ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .integer(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { JSONMember($0.0, $0.1) })
  }
}
