// Operands, compile-time expressions and their operators, by precedence.

extension Parser {
  mutating func string() -> String {
    let raw = spelling(advance())
    return String(raw.dropFirst().dropLast())
  }

  mutating func listElement() throws(Unwind) -> SyntaxExpression {
    if token.kind == .identifier, tokens[position + 1].kind == .ellipsis {
      let name = try name(.identifier, "a pack")
      position += 1
      return .expansion(name)
    }
    return try expression()
  }

  private mutating func countOperator() throws(Unwind) {
    operatorCount += 1
    guard operatorCount <= Parser.operatorsMax else {
      diagnostics.append(
        Diagnostic(
          "an expression of more than \(Parser.operatorsMax) operators", at: location(token)))
      throw Unwind()
    }
  }

  mutating func expression() throws(Unwind) -> SyntaxExpression {
    if expressionDepth == 0 { operatorCount = 0 }
    expressionDepth += 1
    defer { expressionDepth -= 1 }
    return try nested { p throws(Unwind) in
      var left = try p.term()
      while p.token.kind == .plus || p.token.kind == .minus {
        try p.countOperator()
        let op = p.advance()
        left = .binary(p.text[Int(op.start)], left, try p.term(), p.location(op))
      }
      return left
    }
  }

  private mutating func term() throws(Unwind) -> SyntaxExpression {
    var left = try factor()
    while token.kind == .star || token.kind == .slash {
      try countOperator()
      let op = advance()
      left = .binary(text[Int(op.start)], left, try factor(), location(op))
    }
    return left
  }

  private mutating func factor() throws(Unwind) -> SyntaxExpression {
    if token.kind == .minus {
      let minus = advance()
      return .negate(try nested { p throws(Unwind) in try p.factor() }, location(minus))
    }
    var value = try primary()
    while token.kind == .leftBracket, !token.startsLine {
      try countOperator()
      let bracket = advance()
      value = .index(value, try expression(), location(bracket))
      try expect(.rightBracket, "']'")
    }
    return value
  }

  private mutating func primary() throws(Unwind) -> SyntaxExpression {
    let start = token
    switch start.kind {
    case .integer:
      position += 1
      if let value = Int(spelling(start)) { return .int(value) }
      guard let value = UInt64(spelling(start)) else {
        diagnostics.append(
          Diagnostic("'\(spelling(start))' is out of range of ui64", at: location(start)))
        throw Unwind()
      }
      return .natural(value)
    case .float:
      position += 1
      let value = Double(spelling(start)) ?? .nan
      guard value.isFinite else {
        diagnostics.append(
          Diagnostic("'\(spelling(start))' is out of range of f64", at: location(start)))
        throw Unwind()
      }
      return .float(value)
    case .string: return .string(string())
    case .symbol: return .function(try name(.symbol, "the name of a function"))
    case .leftBracket:
      position += 1
      let elements = try nested { p throws(Unwind) in
        try p.list(until: .rightBracket, "']'") { p throws(Unwind) in try p.listElement() }
      }
      return .list(elements, location(start))
    case .leftParen:
      position += 1
      let inner = try expression()
      try expect(.rightParen, "')'")
      return inner
    case .identifier:
      let name = try name(.identifier, "a name")
      if name.text == "hex", token.kind == .string { return .call(name, [.string(string())]) }
      guard accept(.leftParen) else { return .name(name) }
      return .call(
        name, try list(until: .rightParen, "')'") { p throws(Unwind) in try p.listElement() })
    default: throw fail("a value or a number")
    }
  }
}
