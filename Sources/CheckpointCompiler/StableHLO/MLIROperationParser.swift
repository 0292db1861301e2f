// Ops of MLIR text: their results, the generic form, values; and what stands beside a module: aliases and
// the blobs of resources.

extension MLIRParser {
  // MARK: Ops

  /// One op in either form.
  mutating func operation() throws(Diagnostic) -> MLIROperation {
    var results: [MLIRResultName] = []
    if scanner.peek() == UInt8(ascii: "%") {
      repeat {
        _ = scanner.peek()
        let start = scanner.position
        let name = try scanner.name(after: "%", "a value")
        let location = scanner.location(from: start)
        let count =
          scanner.byte() == UInt8(ascii: ":") && scanner.accept(":")
          ? try scanner.count("the number of results") : 1
        guard count > 0, count <= 1 << 20 else {
          throw Diagnostic("a name for \(count) results", at: location)
        }
        results.append(MLIRResultName(name: name, count: count, location: location))
      } while scanner.accept(",")
      try scanner.expect("=")
    }
    var op: MLIROperation
    if scanner.peek() == UInt8(ascii: "\"") {
      op = try nested { parser throws(Diagnostic) in try parser.genericOp() }
    } else {
      op = try nested { parser throws(Diagnostic) in try parser.prettyOp() }
    }
    op.results = results
    op.debugLocation = try optionalLocation()
    return op
  }

  /// `"name"(operands) <{properties}> ({regions}) {attributes} : (types) -> types`
  private mutating func genericOp() throws(Diagnostic) -> MLIROperation {
    let start = scanner.position
    let name = try scanner.string()
    var op = MLIROperation(name: name, location: scanner.location(from: start))
    try scanner.expect("(")
    if !scanner.accept(")") {
      repeat { op.operands.append(try value()) } while scanner.accept(",")
      try scanner.expect(")")
    }
    if scanner.accept(mark: "<{") {
      op.attributes = try dictionaryEntries()
      try scanner.expect(">")
    }
    if scanner.accept("(") {
      repeat { op.regions.append(try region()) } while scanner.accept(",")
      try scanner.expect(")")
    }
    if scanner.peek() == UInt8(ascii: "{") { op.attributes += try dictionary() }
    try scanner.expect(":")
    guard scanner.peek() == UInt8(ascii: "(") else { throw scanner.unexpected("'('") }
    try functionType(&op)
    guard op.operandTypes.count == op.operands.count else {
      throw Diagnostic(
        "'\(name)' has \(op.operands.count) operands and \(op.operandTypes.count) operand types",
        at: op.location)
    }
    return op
  }

  /// `%name` or `%name#2`
  mutating func value() throws(Diagnostic) -> MLIRValue {
    _ = scanner.peek()
    let start = scanner.position
    let name = try scanner.name(after: "%", "a value")
    var index = 0
    if scanner.byte() == UInt8(ascii: "#") {
      _ = scanner.accept("#")
      index = try scanner.count("the number of a result")
    }
    return MLIRValue(name: name, index: index, location: scanner.location(from: start))
  }

  // MARK: Aliases and resources

  mutating func attributeAlias() throws(Diagnostic) {
    let name = try scanner.name(after: "#", "an alias")
    try scanner.expect("=")
    if let location = try optionalLocation() {
      module.locationAliases[name] = location
    } else {
      attributeAliases[name] = try attribute()
    }
  }

  mutating func typeAlias() throws(Diagnostic) {
    let name = try scanner.name(after: "!", "an alias")
    try scanner.expect("=")
    typeAliases[name] = try type()
  }

  /// `{-# dialect_resources: { builtin: { name: "0x…" } } #-}`
  mutating func resources() throws(Diagnostic) {
    guard scanner.accept(mark: "{-#") else { throw scanner.unexpected("an op") }
    while !scanner.accept(mark: "#-}") {
      try resourceEntry(depth: 0)
      _ = scanner.accept(",")
    }
  }

  private mutating func resourceEntry(depth: Int) throws(Diagnostic) {
    let key: String
    if scanner.peek() == UInt8(ascii: "\"") {
      key = try scanner.string()
    } else {
      guard let word = scanner.word() else { throw scanner.unexpected("the name of a resource") }
      key = scanner.text(in: word)
    }
    try scanner.expect(":")
    if scanner.peek() == UInt8(ascii: "\"") {
      module.resources[key] = try scanner.stringPlace()
    } else if scanner.peek() == UInt8(ascii: "{") {
      guard depth < 4 else { throw scanner.unexpected("a blob") }
      _ = scanner.accept("{")
      while !scanner.accept("}") {
        try resourceEntry(depth: depth + 1)
        if !scanner.accept(",") {
          try scanner.expect("}")
          break
        }
      }
    } else {
      _ = try attribute()
    }
  }
}
