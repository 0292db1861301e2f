// IR text in its standard form, with everything that its writer put there.
//
// Problem     Printing the elaborated functions would lose comments, layers, expressions and the
//             spelling of numbers. Only the space between tokens is to change.
// Method      Walks the tokens of a text that the parser has accepted along the same grammar, and
//             writes each with the space that its place asks for (`TokenWriter.swift`).
// Standard    Two columns of indentation a block, one op a line, at most one blank line in a row, one
//             between functions. Line breaks inside an op or a signature stay where they are; a
//             signature of more than three arguments that has none gets a line for each.
// Invariants  The tokens of the result are those of the text; formatting again changes nothing;
//             what `Printer` wrote stays as it is.
// Cost        O(bytes).

/// Puts a text into standard form: only the space between its tokens changes.
///
/// - Parameters:
///   - text: UTF-8 text of the IR; it may define layers only.
///   - name: The name shown in diagnostics.
///   - sources: The text and the layers are added to it, so that diagnostics can be rendered.
/// - Returns: The text in standard form; formatting it again gives the same.
/// - Throws: Every error of the text, in source order.
public func formatted(
  _ text: [UInt8], name: String, sources: inout SourceMap
) throws(DiagnosticList) -> [UInt8] {
  let file = try sources.addToRead(name: name, text: text)
  let parser = Parser(file: file, in: sources)
  guard parser.diagnostics.isEmpty else { throw DiagnosticList(parser.diagnostics) }
  let elaborator = Elaborator(parser.functions, layers: try layerLibrary(&sources))
  guard elaborator.diagnostics.isEmpty else { throw DiagnosticList(elaborator.diagnostics) }
  return Formatter.format(text, tokens: Lexer(file: file, text: text).tokens)
}

/// Puts a text into standard form.
struct Formatter {
  private var writer: TokenWriter

  /// The standard form of a text that the parser has accepted.
  static func format(_ text: [UInt8], tokens: [Token]) -> [UInt8] {
    var formatter = Formatter(writer: TokenWriter(text: text, tokens: tokens))
    formatter.file()
    return formatter.writer.out
  }

  private var kind: Token.Kind { writer.kind }

  private mutating func put(
    space: Bool, _ lineBreak: TokenWriter.Break = .asWritten, shift: Int? = nil
  ) {
    writer.put(space: space, lineBreak, shift: shift)
  }

  // MARK: Functions

  private mutating func file() {
    while kind != .end {
      writer.startLine(blankMin: writer.position > 0 ? 1 : 0)
      function()
    }
    writer.startLine()
  }

  private mutating func function() {
    writer.putToken()
    put(space: true)
    if kind == .less {
      put(space: false)
      while kind != .greater {
        let isFirst = writer.previousKind == .less
        let isTight = kind == .colon || kind == .comma || kind == .ellipsis
        put(space: !isFirst && !isTight)
      }
      put(space: false)
    }
    let arguments = writer.parenthesis()
    put(space: false)
    list(breaks: arguments.items > 3 && !arguments.isBroken) { $0.argument($1) }
    if kind == .arrow {
      put(space: true)
      if kind == .leftParen {
        let results = writer.parenthesis()
        put(space: true)
        list(breaks: arguments.items > 3 && !results.isBroken) { $0.result($1) }
      } else {
        type(space: true)
      }
    }
    if kind == .identifier {
      put(space: true)
      put(space: true)
    }
    put(space: true)
    block()
  }

  /// Writes what stands in parentheses, and the closing one.
  ///
  /// `item` gets the break before its first token.
  private mutating func list(breaks: Bool, _ item: (inout Formatter, TokenWriter.Break) -> Void) {
    while kind != .rightParen {
      switch kind {
      case .comma: put(space: false)
      case .semicolon:
        put(space: false)
        parameters(breaks ? .always : .asWritten)
      default: item(&self, breaks ? .always : .asWritten)
      }
    }
    put(space: false, shift: 0)
  }

  private mutating func argument(_ lineBreak: TokenWriter.Break) {
    let space = !writer.isAfterOpening
    put(space: space, lineBreak)
    if writer.previousKind == .identifier { put(space: true) }
    put(space: false)
    type(space: true)
    if kind == .equal {
      put(space: true)
      expression(space: true)
    }
  }

  /// The attributes that a layer takes.
  private mutating func parameters(_ lineBreak: TokenWriter.Break) {
    var lineBreak = lineBreak
    while kind != .rightParen {
      put(space: true, lineBreak)
      lineBreak = .asWritten
      if kind == .equal {
        put(space: true)
        expression(space: true)
      }
      if kind == .comma { put(space: false) }
    }
  }

  private mutating func result(_ lineBreak: TokenWriter.Break) {
    var lineBreak = lineBreak
    var space = !writer.isAfterOpening
    if writer.isWord("loss") || writer.isWord("grad") || writer.isWord("update") {
      put(space: space, lineBreak)
      if kind == .leftParen { for _ in 0..<3 { put(space: false) } }
      lineBreak = .asWritten
      space = true
    }
    if kind == .value {
      put(space: space, lineBreak)
      put(space: false)
      lineBreak = .asWritten
      space = true
    }
    type(space: space, lineBreak)
  }

  /// Writes a type; extents that are plain numbers stand without spaces, as they are printed.
  private mutating func type(space: Bool, _ lineBreak: TokenWriter.Break = .asWritten) {
    put(space: space, lineBreak)
    guard kind == .leftBracket else { return }
    var end = writer.position
    var isPlain = true
    while writer.tokens[end].kind != .rightBracket {
      let inner = writer.tokens[end].kind
      isPlain = isPlain && (inner == .integer || inner == .comma || inner == .leftBracket)
      end += 1
    }
    put(space: false)
    elements(until: .rightBracket, isTight: isPlain)
  }

  // MARK: Ops

  /// Writes the ops of blocks up to the closing brace of the outermost, without recursion.
  private mutating func block() {
    writer.depth += 1
    var opens = true
    while writer.depth > 0 {
      if kind == .rightBrace {
        writer.startLine(opens: opens, closes: true)
        writer.depth -= 1
        writer.putToken()
        opens = false
        if writer.depth > 0, writer.isWord("else") {
          put(space: true, .never)
          put(space: true, .never)
          writer.depth += 1
          opens = true
        }
      } else {
        writer.startLine(opens: opens)
        opens = op()
      }
    }
  }

  /// Writes an op, up to the opening brace of its region; true if it has one.
  private mutating func op() -> Bool {
    // The first token has its line already.
    writer.putToken()
    if writer.previousKind == .value {
      while kind == .comma {
        put(space: false)
        put(space: true)
      }
      put(space: true)
      put(space: true)
    }
    let name = String(decoding: writer.spelling(writer.position - 1), as: UTF8.self)
    switch name {
    case "fusion", "no_grad", "recompute":
      if kind == .string { put(space: true) }
      put(space: true, .never)
      writer.depth += 1
      return true
    case "if":
      expression(space: true)
      put(space: true, .never)
      writer.depth += 1
      return true
    case "constant": expression(space: true)
    case "call":
      put(space: true)
      operands()
    default: operands()
    }
    if kind == .leftBrace {
      put(space: true)
      while kind != .rightBrace {
        if kind == .comma {
          put(space: false)
          continue
        }
        put(space: writer.previousKind == .comma)
        put(space: true)
        expression(space: true)
      }
      put(space: false)
    }
    if kind == .colon {
      put(space: true)
      type(space: true)
      while kind == .comma {
        put(space: false)
        type(space: true)
      }
    }
    return false
  }

  private mutating func operands() {
    guard !writer.tokens[writer.position].startsLine, kind != .leftBrace, kind != .colon,
      kind != .rightBrace,
      kind != .end
    else { return }
    expression(space: true)
    while kind == .comma {
      put(space: false)
      expression(space: true)
    }
  }

  // MARK: Expressions

  /// Writes an operand or a compile-time expression; operators stand without spaces where `isTight`.
  private mutating func expression(space: Bool, isTight: Bool = false) {
    factor(space: space, isTight)
    while kind == .plus || kind == .minus || kind == .star || kind == .slash {
      put(space: !isTight)
      factor(space: !isTight, isTight)
    }
  }

  private mutating func factor(space: Bool, _ isTight: Bool) {
    var space = space
    while kind == .minus {
      put(space: space)
      space = false
    }
    let start = writer.position
    put(space: space)
    switch writer.tokens[start].kind {
    case .leftBracket: elements(until: .rightBracket, isTight: isTight)
    case .leftParen:
      expression(space: false, isTight: isTight)
      put(space: false)
    case .identifier:
      if kind == .string, writer.spelling(start).elementsEqual("hex".utf8) {
        put(space: true)
      } else if kind == .ellipsis {
        put(space: false)
      } else if kind == .leftParen {
        put(space: false)
        elements(until: .rightParen, isTight: isTight)
      }
    default: break
    }
    while kind == .leftBracket, !writer.tokens[writer.position].startsLine {
      put(space: false)
      expression(space: false, isTight: isTight)
      put(space: false)
    }
  }

  /// Writes what is left of a list up to its closing token.
  private mutating func elements(until end: Token.Kind, isTight: Bool) {
    while kind != end {
      if kind == .comma {
        put(space: false)
      } else {
        let isFirst = writer.isAfterOpening
        expression(space: !isFirst && !isTight, isTight: isTight)
      }
    }
    put(space: false)
  }
}
