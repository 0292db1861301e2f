// Tokens to the syntax tree, by recursive descent.
//
// Errors      Every statement with an error is reported once; the parser picks up at the next line
//             that starts a statement, and leaves an op in its place whose results are known, so that
//             one run shows all errors. A function with an error outside its statements is left out.
// Depth       Regions, lists and parentheses nest at most `depthMax` deep, and an expression holds at
//             most `operatorsMax` operators, so that no tree is too deep for recursion.

/// Parses the functions of one file.
struct Parser {
  private static let depthMax = 100
  /// How many operators an expression may hold: each makes its tree deeper.
  private static let operatorsMax = 500

  private let tokens: [Token]
  private let text: [UInt8]
  private let file: Int32
  private var position = 0
  private var depth = 0
  private var expressionDepth = 0
  /// The operators of the outermost expression so far.
  private var operatorCount = 0
  private(set) var diagnostics: [Diagnostic]
  private(set) var functions: [SyntaxFunction] = []
  /// Whether every function of the file is among those parsed, even if ops of them have errors.
  private(set) var hasAllFunctions = true

  /// A syntax error has been reported; unwind to where parsing can go on.
  private struct Unwind: Error {}

  /// Parses a file of a source map.
  init(file: Int32, in sources: SourceMap) {
    self.file = file
    text = sources.files[Int(file)].text
    let lexer = Lexer(file: file, text: text)
    tokens = lexer.tokens
    diagnostics = lexer.diagnostics
    guard diagnostics.isEmpty else {
      hasAllFunctions = false
      return
    }
    parseFile()
  }

  // MARK: Tokens

  private var token: Token { tokens[position] }

  private func location(_ token: Token) -> SourceLocation {
    SourceLocation(file: file, offset: token.start, length: max(1, token.end - token.start))
  }

  private func spelling(_ token: Token) -> String {
    String(decoding: text[Int(token.start)..<Int(token.end)], as: UTF8.self)
  }

  private func isKeyword(_ word: StaticString) -> Bool {
    token.kind == .identifier && Int(token.end - token.start) == word.utf8CodeUnitCount
      && word.withUTF8Buffer { text[Int(token.start)..<Int(token.end)].elementsEqual($0) }
  }

  private mutating func advance() -> Token {
    let current = token
    if current.kind != .end { position += 1 }
    return current
  }

  private mutating func accept(_ kind: Token.Kind) -> Bool {
    guard token.kind == kind else { return false }
    position += 1
    return true
  }

  private mutating func fail(_ expected: String) -> Unwind {
    let found = token.kind == .end ? "the file ends" : "there is '\(spelling(token))'"
    // Every region that is open misses its end in the same place.
    if diagnostics.last?.location != location(token) {
      diagnostics.append(Diagnostic("expected \(expected), but \(found)", at: location(token)))
    }
    return Unwind()
  }

  @discardableResult
  private mutating func expect(_ kind: Token.Kind, _ what: String) throws(Unwind) -> Token {
    guard token.kind == kind else { throw fail(what) }
    return advance()
  }

  private mutating func name(_ kind: Token.Kind, _ what: String) throws(Unwind) -> SyntaxName {
    let token = try expect(kind, what)
    var spelled = spelling(token)
    if kind != .identifier { spelled.removeFirst() }
    return SyntaxName(text: spelled, location: location(token))
  }

  private mutating func nested<T>(_ body: (inout Parser) throws(Unwind) -> T) throws(Unwind) -> T {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Parser.depthMax else {
      diagnostics.append(
        Diagnostic("nested more than \(Parser.depthMax) deep", at: location(token)))
      throw Unwind()
    }
    return try body(&self)
  }

  /// Parses items up to a closing token, separated by commas.
  private mutating func list<T>(
    until end: Token.Kind, _ closing: String, _ item: (inout Parser) throws(Unwind) -> T
  ) throws(Unwind) -> [T] {
    var items: [T] = []
    while token.kind != end {
      items.append(try item(&self))
      if !accept(.comma) { break }
    }
    try expect(end, "',' or \(closing)")
    return items
  }

  // MARK: Functions

  private mutating func parseFile() {
    while token.kind != .end {
      do {
        guard isKeyword("func") else { throw fail("'func'") }
        functions.append(try function())
      } catch {
        hasAllFunctions = false
        while token.kind != .end, !(token.startsLine && isKeyword("func")) { position += 1 }
      }
    }
  }

  private mutating func function() throws(Unwind) -> SyntaxFunction {
    position += 1
    var function = SyntaxFunction(name: try name(.symbol, "the name of the function"))
    if accept(.less) {
      function.generics = try list(until: .greater, "'>'") { p throws(Unwind) in
        let name = try p.name(.identifier, "the name of a generic parameter")
        if p.accept(.ellipsis) { return SyntaxGeneric(name: name, kind: .pack) }
        guard p.accept(.colon) else { return SyntaxGeneric(name: name, kind: .extent) }
        guard p.isKeyword("dtype") else { throw p.fail("'dtype'") }
        p.position += 1
        return SyntaxGeneric(name: name, kind: .dtype)
      }
    }
    try expect(.leftParen, "'('")
    while token.kind == .value || token.kind == .identifier {
      function.arguments.append(try argument())
      if !accept(.comma) { break }
    }
    if accept(.semicolon) {
      function.parameters = try list(until: .rightParen, "')'") { p throws(Unwind) in
        let name = try p.name(.identifier, "the name of an attribute")
        let value = p.accept(.equal) ? try p.expression() : nil
        return SyntaxParameter(name: name, defaultValue: value)
      }
    } else {
      try expect(.rightParen, "an argument, ';' or ')'")
    }
    if accept(.arrow) { function.results = try results() }
    if isKeyword("gradient") {
      position += 1
      function.gradient = try name(.symbol, "the name of the gradient function")
    }
    try expect(.leftBrace, "'{'")
    function.body = try block()
    return function
  }

  private mutating func argument() throws(Unwind) -> SyntaxArgument {
    var role = ArgumentRole.input
    if token.kind == .identifier {
      guard let named = ArgumentRole(rawValue: spelling(token)) else {
        throw fail("'input', 'param', 'frozen', 'state' or an argument")
      }
      role = named
      position += 1
    }
    let name = try name(.value, "the name of an argument")
    try expect(.colon, "':' and the type of %\(name.text)")
    let type = try type()
    let initializer = accept(.equal) ? try expression() : nil
    return SyntaxArgument(role: role, name: name, type: type, initializer: initializer)
  }

  private mutating func results() throws(Unwind) -> [SyntaxResult] {
    guard accept(.leftParen) else {
      return [SyntaxResult(role: .output, name: nil, type: try type())]
    }
    return try list(until: .rightParen, "')'") { p throws(Unwind) in
      var role = SyntaxResult.Role.output
      if p.isKeyword("loss") {
        p.position += 1
        role = .loss
      } else if p.isKeyword("grad") || p.isKeyword("update") {
        let isGradient = p.isKeyword("grad")
        p.position += 1
        try p.expect(.leftParen, "'('")
        let argument = try p.name(.value, "the argument")
        try p.expect(.rightParen, "')'")
        role = isGradient ? .gradient(argument) : .update(argument)
      }
      var name: SyntaxName?
      if p.token.kind == .value {
        name = try p.name(.value, "the name of a result")
        try p.expect(.colon, "':' and the type of the result")
      }
      return SyntaxResult(role: role, name: name, type: try p.type())
    }
  }

  private mutating func type() throws(Unwind) -> SyntaxType {
    let start = token
    let dtype = try name(.identifier, "a type such as f32[64,784]")
    var dims: [SyntaxExpression] = []
    if accept(.leftBracket) {
      dims = try list(until: .rightBracket, "']'") { p throws(Unwind) in try p.listElement() }
    }
    let end = tokens[position - 1].end
    return SyntaxType(
      dtype: dtype, dims: dims,
      location: SourceLocation(file: file, offset: start.start, length: end - start.start))
  }

  // MARK: Ops

  /// The ops up to the closing brace.
  private mutating func block() throws(Unwind) -> [SyntaxOp] {
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

  // MARK: Expressions

  private mutating func string() -> String {
    let raw = spelling(advance())
    return String(raw.dropFirst().dropLast())
  }

  private mutating func listElement() throws(Unwind) -> SyntaxExpression {
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

  private mutating func expression() throws(Unwind) -> SyntaxExpression {
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
