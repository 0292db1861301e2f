// Attributes, types and locations of MLIR text.
//
// What has a meaning for tensors comes out as a value; all else, such as layouts and shardings, is
// kept as its text, for whoever reads the tree to refuse or to ignore.

extension MLIRParser {
  // MARK: Attributes

  /// `{ name = value, name, … }`
  mutating func dictionary() throws(Diagnostic) -> [MLIRNamedAttribute] {
    try scanner.expect("{")
    return try dictionaryEntries()
  }

  /// The entries up to the closing brace.
  mutating func dictionaryEntries() throws(Diagnostic) -> [MLIRNamedAttribute] {
    try nested { parser throws(Diagnostic) in
      var entries: [MLIRNamedAttribute] = []
      while !parser.scanner.accept("}") {
        entries.append(try parser.namedAttribute())
        if !parser.scanner.accept(",") {
          try parser.scanner.expect("}")
          break
        }
      }
      return entries
    }
  }

  /// `name = value`, or a name alone.
  mutating func namedAttribute() throws(Diagnostic) -> MLIRNamedAttribute {
    let isQuoted = scanner.peek() == UInt8(ascii: "\"")
    let start = scanner.position
    let name: String
    if isQuoted {
      name = try scanner.string()
    } else {
      guard let word = scanner.word() else { throw scanner.unexpected("the name of an attribute") }
      name = scanner.text(in: word)
    }
    let location = scanner.location(from: start)
    let value: MLIRAttribute = scanner.accept("=") ? try attribute() : .unit
    return MLIRNamedAttribute(name: name, value: value, location: location)
  }

  /// The value of an attribute.
  mutating func attribute() throws(Diagnostic) -> MLIRAttribute {
    try nested { parser throws(Diagnostic) in try parser.unboundedAttribute() }
  }

  private mutating func unboundedAttribute() throws(Diagnostic) -> MLIRAttribute {
    let next = scanner.peek()
    switch next {
    case UInt8(ascii: "\""):
      let text = try scanner.string()
      if scanner.accept(":") { _ = try type() }
      return .string(text)
    case UInt8(ascii: "@"):
      var name = try scanner.symbol()
      while scanner.accept(mark: "::") { name = try scanner.symbol() }
      return .symbol(name)
    case UInt8(ascii: "["):
      _ = scanner.accept("[")
      return .list(try list(until: "]"))
    case UInt8(ascii: "{"): return .record(try dictionary())
    case UInt8(ascii: "#"): return try dialectAttribute()
    case UInt8(ascii: "<"):
      let start = scanner.position
      _ = scanner.accept("<")
      return .other(scanner.text(in: try scanner.skipBalanced(from: start)))
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      let number = try scanner.number()
      if scanner.accept(":") { _ = try type() }
      return number
    case UInt8(ascii: "("), UInt8(ascii: "!"): return .type(try type())
    default: return try wordAttribute()
    }
  }

  /// Attributes that start with a word: constants, arrays, types, and words themselves.
  private mutating func wordAttribute() throws(Diagnostic) -> MLIRAttribute {
    let start = scanner.position
    guard let place = scanner.word() else { throw scanner.unexpected("an attribute") }
    let word = scanner.text(in: place)
    switch word {
    case "true": return .bool(true)
    case "false": return .bool(false)
    case "unit": return .unit
    case "dense", "dense_resource": return try elements(from: start, isResource: word != "dense")
    case "array": return try array()
    case "loc":
      scanner.move(to: start)
      _ = try optionalLocation()
      return .other("loc")
    case "tensor", "tuple", "memref", "vector", "complex", "index", "none":
      scanner.move(to: start)
      return .type(try type())
    default:
      if scanner.byte() == UInt8(ascii: "<") {
        let opening = scanner.position
        _ = scanner.accept("<")
        _ = try scanner.skipBalanced(from: opening)
        return .other(scanner.text(in: start..<scanner.position))
      }
      return MLIRParser.isScalarType(word) ? .type(.other(word)) : .word(word)
    }
  }

  /// Whether a word is a type such as `f32`, `i1` or `bf16`.
  private static func isScalarType(_ word: String) -> Bool {
    if ["bf16", "f16", "f32", "f64", "tf32"].contains(word) { return true }
    let digits = word.drop { $0 == "i" || $0 == "u" || $0 == "s" }
    let prefix = word.dropLast(digits.count)
    return !digits.isEmpty && digits.utf8.allSatisfy(MLIRScanner.isDigit)
      && ["i", "ui", "si"].contains(String(prefix))
  }

  /// Attributes separated by commas, behind the opening bracket.
  private mutating func list(until closing: Unicode.Scalar) throws(Diagnostic) -> [MLIRAttribute] {
    var elements: [MLIRAttribute] = []
    while !scanner.accept(closing) {
      elements.append(try attribute())
      if !scanner.accept(",") {
        try scanner.expect(closing)
        break
      }
    }
    return elements
  }

  /// `array<i64: 1, 2>`
  private mutating func array() throws(Diagnostic) -> MLIRAttribute {
    try scanner.expect("<")
    _ = try type()
    guard scanner.accept(":") else {
      try scanner.expect(">")
      return .list([])
    }
    return .list(try list(until: ">"))
  }

  /// `dense<…> : type` or `dense_resource<name> : type`
  private mutating func elements(
    from start: Int, isResource: Bool
  ) throws(Diagnostic) -> MLIRAttribute {
    let opening = scanner.position
    try scanner.expect("<")
    let place = try scanner.skipBalanced(from: opening)
    let location = scanner.location(from: start, to: min(scanner.position, start + 40))
    try scanner.expect(":")
    return .elements(
      MLIRElements(place: place, isResource: isResource, type: try type(), location: location))
  }

  /// `#alias`, `#stablehlo.gather<…>`, `#stablehlo<precision DEFAULT>`
  private mutating func dialectAttribute() throws(Diagnostic) -> MLIRAttribute {
    let start = scanner.position
    let name = try scanner.name(after: "#", "an attribute")
    guard scanner.byte() == UInt8(ascii: "<") else {
      return attributeAliases[name] ?? .other("#\(name)")
    }
    let opening = scanner.position
    _ = scanner.accept("<")
    if !name.contains("."), name == "stablehlo" || name == "chlo" || name == "mhlo",
      scanner.word() != nil, let place = scanner.word(), scanner.accept(">")
    {
      return .word(scanner.text(in: place))
    }
    if name == "stablehlo.conv", scanner.peek() == UInt8(ascii: "[") {
      let dimensions = try convolutionDimensions()
      try scanner.expect(">")
      return dimensions
    }
    scanner.move(to: opening + 1)
    if name.hasPrefix("stablehlo."), let entries = recordEntries() { return .record(entries) }
    scanner.move(to: opening + 1)
    _ = try scanner.skipBalanced(from: opening)
    return .other(scanner.text(in: start..<scanner.position))
  }

  /// `name = value, …>`; nil where the body is anything else.
  private mutating func recordEntries() -> [MLIRNamedAttribute]? {
    var entries: [MLIRNamedAttribute] = []
    while !scanner.accept(">") {
      guard let entry = try? namedAttribute() else { return nil }
      entries.append(entry)
      if !scanner.accept(",") { return scanner.accept(">") ? entries : nil }
    }
    return entries
  }

  /// `[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`
  mutating func convolutionDimensions() throws(Diagnostic) -> MLIRAttribute {
    var entries: [MLIRNamedAttribute] = []
    for name in ["lhs", "rhs", "result"] {
      _ = scanner.peek()
      let start = scanner.position
      try scanner.expect("[")
      entries.append(
        MLIRNamedAttribute(
          name: name, value: .list(try list(until: "]")), location: scanner.location(from: start)))
      if name == "lhs", !scanner.accept(mark: "x") { throw scanner.unexpected("'x'") }
      if name == "rhs", !scanner.accept(mark: "->") { throw scanner.unexpected("'->'") }
    }
    return .record(entries)
  }

  // MARK: Types

  /// A type.
  mutating func type() throws(Diagnostic) -> MLIRType {
    let next = scanner.peek()
    let start = scanner.position
    if scanner.accept(mark: "tensor<") { return try tensorType(from: start) }
    if next == UInt8(ascii: "!") {
      let name = try scanner.name(after: "!", "a type")
      if scanner.byte() != UInt8(ascii: "<"), let alias = typeAliases[name] { return alias }
    } else if next == UInt8(ascii: "(") {
      let opening = scanner.position
      _ = scanner.accept("(")
      _ = try scanner.skipBalanced(from: opening, isLine: true)
      if scanner.accept(mark: "->") {
        _ = try nested { parser throws(Diagnostic) in try parser.type() }
      }
      return .other(scanner.text(in: start..<scanner.position))
    } else if scanner.word() == nil {
      throw scanner.unexpected("a type")
    }
    if scanner.byte() == UInt8(ascii: "<") {
      let opening = scanner.position
      _ = scanner.accept("<")
      _ = try scanner.skipBalanced(from: opening, isLine: true)
    }
    return .other(scanner.text(in: start..<scanner.position))
  }

  private mutating func tensorType(from start: Int) throws(Diagnostic) -> MLIRType {
    var shape: [Int] = []
    while true {
      scanner.skipSpace()
      let place = scanner.position
      if scanner.byte() == UInt8(ascii: "?") {
        _ = scanner.accept("?")
        shape.append(-1)
      } else if MLIRScanner.isDigit(scanner.byte()) {
        guard let extent = scanner.digits() else {
          throw Diagnostic(
            "an extent is too large", at: scanner.location(from: place, to: place + 1))
        }
        shape.append(extent)
      } else {
        break
      }
      guard scanner.byte() == UInt8(ascii: "x") else { throw scanner.unexpected("'x'") }
      scanner.move(to: scanner.position + 1)
    }
    let first = scanner.position
    // An element type goes on to the bracket, or to an encoding behind a comma.
    if scanner.word() != nil, scanner.byte() == UInt8(ascii: ">") {
      let element = scanner.text(in: first..<scanner.position)
      scanner.move(to: scanner.position + 1)
      return .tensor(shape: shape, element: element)
    }
    scanner.move(to: first)
    let place = try scanner.skipBalanced(from: start + 6, isLine: true)
    let text = scanner.text(in: place)
    guard !text.isEmpty else {
      throw Diagnostic("a tensor without an element type", at: scanner.location(from: start))
    }
    return .tensor(shape: shape, element: text)
  }

  /// `(types) -> types`, for an op.
  mutating func functionType(_ op: inout MLIROperation) throws(Diagnostic) {
    op.operandTypes = try typeList()
    guard scanner.accept(mark: "->") else { throw scanner.unexpected("'->'") }
    op.resultTypes = try resultTypeList()
  }

  /// The types behind an arrow, in parentheses or alone.
  mutating func resultTypeList() throws(Diagnostic) -> [MLIRType] {
    scanner.peek() == UInt8(ascii: "(") ? try typeList() : [try type()]
  }

  private mutating func typeList() throws(Diagnostic) -> [MLIRType] {
    try scanner.expect("(")
    var types: [MLIRType] = []
    if scanner.accept(")") { return types }
    repeat { types.append(try type()) } while scanner.accept(",")
    try scanner.expect(")")
    return types
  }

  // MARK: Locations

  /// `loc(…)`, where it stands.
  mutating func optionalLocation() throws(Diagnostic) -> MLIRLocation? {
    guard scanner.peek() == UInt8(ascii: "l"), scanner.accept(mark: "loc(") else { return nil }
    let location = try nestedLocation()
    try scanner.expect(")")
    return location
  }

  private mutating func nestedLocation() throws(Diagnostic) -> MLIRLocation {
    try nested { parser throws(Diagnostic) in
      switch parser.scanner.peek() {
      case UInt8(ascii: "#"): return .alias(try parser.scanner.name(after: "#", "a location"))
      case UInt8(ascii: "\""): return try parser.namedLocation()
      default: break
      }
      if parser.scanner.accept(word: "unknown") { return .unknown }
      if parser.scanner.accept(word: "callsite") {
        try parser.scanner.expect("(")
        let callee = try parser.nestedLocation()
        guard parser.scanner.accept(word: "at") else { throw parser.scanner.unexpected("'at'") }
        let caller = try parser.nestedLocation()
        try parser.scanner.expect(")")
        return .callSite(callee, caller: caller)
      }
      guard parser.scanner.accept(word: "fused") else {
        throw parser.scanner.unexpected("a location")
      }
      if parser.scanner.peek() == UInt8(ascii: "<") { _ = try parser.attribute() }
      try parser.scanner.expect("[")
      var parts: [MLIRLocation] = []
      while !parser.scanner.accept("]") {
        parts.append(try parser.nestedLocation())
        if !parser.scanner.accept(",") {
          try parser.scanner.expect("]")
          break
        }
      }
      return .fused(parts)
    }
  }

  /// `"name"`, `"name"(inner)`, or `"file":line:column`
  private mutating func namedLocation() throws(Diagnostic) -> MLIRLocation {
    let name = try scanner.string()
    if scanner.accept("(") {
      let inner = try nestedLocation()
      try scanner.expect(")")
      return .name(name, inner)
    }
    guard scanner.accept(":") else { return .name(name, nil) }
    let line = try scanner.count("a line")
    let column = scanner.accept(":") ? try scanner.count("a column") : 0
    if scanner.accept(word: "to") {
      if scanner.peek() != UInt8(ascii: ":") { _ = try scanner.count("a line") }
      if scanner.accept(":") { _ = try scanner.count("a column") }
    }
    return .file(name, line: line, column: column)
  }
}
