// JSON as text: the same value is the same bytes.

extension JSONValue {
  /// The value as compact text, members in their order, no spaces.
  package var compactText: String {
    var out = ""
    write(into: &out)
    return out
  }

  /// The value as indented text that ends in a line break; arrays of scalars stay on one line.
  package var prettyText: String {
    var out = ""
    writePretty(into: &out, indent: 0)
    out += "\n"
    return out
  }

  private func write(into out: inout String) {
    switch self {
    case .null: out += "null"
    case .bool(let value): out += value ? "true" : "false"
    case .integer(let value): out += String(value)
    // JSON has no infinities; a value that is not known is null.
    case .number(let value): out += value.isFinite ? String(value) : "null"
    case .string(let text): JSONValue.quote(text, into: &out)
    case .array(let elements):
      out += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { out += "," }
        element.write(into: &out)
      }
      out += "]"
    case .object(let members):
      out += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { out += "," }
        JSONValue.quote(member.key, into: &out)
        out += ":"
        member.value.write(into: &out)
      }
      out += "}"
    }
  }

  private var isScalar: Bool {
    switch self {
    case .array, .object: false
    default: true
    }
  }

  private func writePretty(into out: inout String, indent: Int) {
    let inner = String(repeating: "  ", count: indent + 1)
    let outer = String(repeating: "  ", count: indent)
    switch self {
    case .array(let elements) where !elements.isEmpty && !elements.allSatisfy(\.isScalar):
      out += "[\n"
      for (index, element) in elements.enumerated() {
        out += inner
        // Rows of scalars, such as a schedule's steps, read best one per line.
        if let row = element.arrayValue, row.allSatisfy(\.isScalar) {
          element.write(into: &out)
        } else {
          element.writePretty(into: &out, indent: indent + 1)
        }
        out += index + 1 < elements.count ? ",\n" : "\n"
      }
      out += outer + "]"
    case .object(let members) where !members.isEmpty:
      out += "{\n"
      for (index, member) in members.enumerated() {
        out += inner
        JSONValue.quote(member.key, into: &out)
        out += ": "
        member.value.writePretty(into: &out, indent: indent + 1)
        out += index + 1 < members.count ? ",\n" : "\n"
      }
      out += outer + "}"
    default: write(into: &out)
    }
  }

  private static func quote(_ text: String, into out: inout String) {
    let digits = Array("0123456789abcdef")
    out += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x7F:
        out += "\\u00"
        out.append(digits[Int(scalar.value >> 4)])
        out.append(digits[Int(scalar.value & 15)])
      default: out.unicodeScalars.append(scalar)
      }
    }
    out += "\""
  }
}

/// `text` as a JSON string, quotes included.
///
/// Problems have 100,000 names: this goes over bytes, and has one spelling for all control characters.
func jsonQuoted(_ text: String) -> String {
  var out: [UInt8] = [UInt8(ascii: "\"")]
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
    case 0..<32:
      let digits = Array("0123456789abcdef".utf8)
      out += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    default: out.append(byte)
    }
  }
  out.append(UInt8(ascii: "\""))
  return String(decoding: out, as: UTF8.self)
}

/// A finite number as JSON writes it, whole numbers without a fraction.
func jsonNumber(_ value: Double) -> String {
  if let whole = Int(exactly: value), whole.magnitude < 1 << 53 { return String(whole) }
  return value.description
}
