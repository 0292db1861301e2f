// Ops, their regions, and where parsing goes on after one that is wrong.

extension Parser {
  /// The ops up to the closing brace.
  mutating func block() throws(Unwind) -> [SyntaxOp] {
    var ops: [SyntaxOp] = []
    while !accept(.rightBrace) {
      guard token.kind != .end, !(token.startsLine && isKeyword("func")) else {
        throw fail("'}'")
      }
      let start = position
      do {
        ops.append(try op())
      } catch {
        skipOp(from: start)
        ops.append(brokenOp(from: start))
      }
    }
    return ops
  }

  /// Goes on to where the next op may start, or to the brace that ends the block.
  private mutating func skipOp(from start: Int) {
    if position == start { position += 1 }
    var place = start
    while tokens[place].kind == .value || tokens[place].kind == .comma
      || tokens[place].kind == .equal
    {
      place += 1
    }
    let ownsRegion = ["fusion", "no_grad", "recompute", "if", "else"]
      .contains(spelling(tokens[place]))
    var openCount = 0
    for token in tokens[start..<position] {
      if token.kind == .leftBrace { openCount += 1 }
      if token.kind == .rightBrace { openCount -= 1 }
    }
    while token.kind != .end {
      if token.startsLine {
        // Attributes go over several lines, but no line of them starts like an op.
        let startsOp = token.kind == .value || isKeyword("return") || isKeyword("yield")
        if openCount <= 0 || startsOp && !ownsRegion || isKeyword("func") { return }
      }
      if token.kind == .leftBrace { openCount += 1 }
      if token.kind == .rightBrace {
        guard openCount > 0 else { return }
        openCount -= 1
      }
      position += 1
    }
  }

  /// What stands for an op with a syntax error: its results, if they are followed by `=`.
  private func brokenOp(from start: Int) -> SyntaxOp {
    var results: [SyntaxName] = []
    var place = start
    while tokens[place].kind == .value {
      var spelled = spelling(tokens[place])
      spelled.removeFirst()
      results.append(SyntaxName(text: spelled, location: location(tokens[place])))
      place += tokens[place + 1].kind == .comma ? 2 : 1
    }
    let name = SyntaxName(text: "", location: location(tokens[start]))
    var op = SyntaxOp(results: tokens[place].kind == .equal ? results : [], name: name)
    op.isBroken = true
    return op
  }

  private mutating func op() throws(Unwind) -> SyntaxOp {
    var results: [SyntaxName] = []
    if token.kind == .value {
      repeat {
        results.append(try name(.value, "the name of a value"))
      } while accept(.comma)
      try expect(.equal, "'='")
    }
    var op = SyntaxOp(results: results, name: try name(.identifier, "the name of an op"))
    switch op.name.text {
    case "fusion", "no_grad", "recompute":
      if token.kind == .string { op.label = string() }
      try expect(.leftBrace, "'{'")
      op.region = try nested { p throws(Unwind) in try p.block() }
      return op
    case "if":
      op.condition = try expression()
      try expect(.leftBrace, "'{'")
      op.region = try nested { p throws(Unwind) in try p.block() }
      guard isKeyword("else") else { throw fail("'else'") }
      position += 1
      try expect(.leftBrace, "'{'")
      op.otherwise = try nested { p throws(Unwind) in try p.block() }
      return op
    case "constant":
      op.literal = try expression()
    case "call":
      op.callee = try name(.symbol, "the name of a function")
      try operands(of: &op)
    default:
      try operands(of: &op)
    }
    if accept(.leftBrace) {
      op.attributes = try list(until: .rightBrace, "'}'") { p throws(Unwind) in
        let name = try p.name(.identifier, "the name of an attribute")
        try p.expect(.equal, "'='")
        return SyntaxAttribute(name: name, value: try p.expression())
      }
    }
    if accept(.colon) {
      repeat { op.types.append(try type()) } while accept(.comma)
    }
    guard token.startsLine || token.kind == .rightBrace || token.kind == .end else {
      throw fail("the end of the line")
    }
    return op
  }

  private mutating func operands(of op: inout SyntaxOp) throws(Unwind) {
    guard !token.startsLine, token.kind != .leftBrace, token.kind != .colon,
      token.kind != .rightBrace, token.kind != .end
    else { return }
    repeat {
      if token.kind == .value {
        op.operands.append(.value(try name(.value, "an operand")))
      } else {
        let place = location(token)
        op.operands.append(.literal(try expression(), place))
      }
    } while accept(.comma)
  }
}
