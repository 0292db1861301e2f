// Tokens to the syntax tree, by recursive descent.
//
// Grammar     Functions and types are here, ops in `OpParser.swift`, and what stands in ops in
//             `ExpressionParser.swift`.
// Errors      Every statement with an error is reported once; the parser picks up at the next line
//             that starts a statement, and leaves an op in its place whose results are known, so that
//             one run shows all errors. A function with an error outside its statements is left out.
// Depth       Regions, lists and parentheses nest at most `depthMax` deep, and an expression holds at
//             most `operatorsMax` operators, so that no tree is too deep for recursion.

/// Parses the functions of one file.
struct Parser {
  private static let depthMax = 100
  /// How many operators an expression may hold: each makes its tree deeper.
  static let operatorsMax = 500

  let tokens: [Token]
  let text: [UInt8]
  let file: Int32
  var position = 0
  private var depth = 0
  var expressionDepth = 0
  /// The operators of the outermost expression so far.
  var operatorCount = 0
  var diagnostics: [Diagnostic]
  private(set) var functions: [SyntaxFunction] = []
  /// Whether every function of the file is among those parsed, even if ops of them have errors.
  private(set) var hasAllFunctions = true

  /// A syntax error has been reported; unwind to where parsing can go on.
  struct Unwind: Error {}

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

  var token: Token { tokens[position] }

  func location(_ token: Token) -> SourceLocation {
    SourceLocation(file: file, offset: token.start, length: max(1, token.end - token.start))
  }

  func spelling(_ token: Token) -> String {
    String(decoding: text[Int(token.start)..<Int(token.end)], as: UTF8.self)
  }

  func isKeyword(_ word: StaticString) -> Bool {
    token.kind == .identifier && Int(token.end - token.start) == word.utf8CodeUnitCount
      && word.withUTF8Buffer { text[Int(token.start)..<Int(token.end)].elementsEqual($0) }
  }

  mutating func advance() -> Token {
    let current = token
    if current.kind != .end { position += 1 }
    return current
  }

  mutating func accept(_ kind: Token.Kind) -> Bool {
    guard token.kind == kind else { return false }
    position += 1
    return true
  }

  mutating func fail(_ expected: String) -> Unwind {
    let found = token.kind == .end ? "the file ends" : "there is '\(spelling(token))'"
    // Every region that is open misses its end in the same place.
    if diagnostics.last?.location != location(token) {
      diagnostics.append(Diagnostic("expected \(expected), but \(found)", at: location(token)))
    }
    return Unwind()
  }

  @discardableResult
  mutating func expect(_ kind: Token.Kind, _ what: String) throws(Unwind) -> Token {
    guard token.kind == kind else { throw fail(what) }
    return advance()
  }

  mutating func name(_ kind: Token.Kind, _ what: String) throws(Unwind) -> SyntaxName {
    let token = try expect(kind, what)
    var spelled = spelling(token)
    if kind != .identifier { spelled.removeFirst() }
    return SyntaxName(text: spelled, location: location(token))
  }

  mutating func nested<T>(_ body: (inout Parser) throws(Unwind) -> T) throws(Unwind) -> T {
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
  mutating func list<T>(
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

  mutating func type() throws(Unwind) -> SyntaxType {
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
}
