// IR text in its standard form, with everything that its writer put there.
//
// Problem     Printing the elaborated functions would lose comments, layers, expressions and the
//             spelling of numbers. Only the space between tokens is to change.
// Method      Walks the tokens of a text that the parser has accepted along the same grammar, and
//             writes each with the space that its place asks for. What stood between two tokens,
//             comments and line breaks, is looked up in the text.
// Standard    Two columns of indentation a block, one op a line, at most one blank line in a row, one
//             between functions. Line breaks inside an op or a signature stay where they are; a
//             signature of more than three arguments that has none gets a line for each.
// Invariants  The tokens of the result are those of the text; formatting again changes nothing;
//             what `Printer` wrote stays as it is.
// Cost        O(bytes).

/// Puts a text into standard form.
struct Formatter {
  /// What happens to the line at a token.
  private enum Break {
    /// The line goes on; only a comment ends it.
    case never
    /// The line ends where it ended in the text.
    case asWritten
    /// The line ends.
    case always
  }

  /// A comment between two tokens.
  private struct Comment {
    var text: ArraySlice<UInt8>
    /// The line ends before it.
    var newlines: Int
  }

  private let text: [UInt8]
  private let tokens: [Token]
  private var position = 0
  private var depth = 0
  private var out: [UInt8] = []

  /// The standard form of a text that the parser has accepted.
  static func format(_ text: [UInt8], tokens: [Token]) -> [UInt8] {
    var formatter = Formatter(text: text, tokens: tokens)
    formatter.file()
    return formatter.out
  }

  private init(text: [UInt8], tokens: [Token]) {
    self.text = text
    self.tokens = tokens
  }

  // MARK: Tokens

  private var kind: Token.Kind { tokens[position].kind }

  private func spelling(_ index: Int) -> ArraySlice<UInt8> {
    text[Int(tokens[index].start)..<Int(tokens[index].end)]
  }

  private func isWord(_ word: String) -> Bool {
    kind == .identifier && spelling(position).elementsEqual(word.utf8)
  }

  /// The comments before a token, and the line ends between the last of them and the token.
  private func gap(before index: Int) -> (comments: [Comment], newlines: Int) {
    var comments: [Comment] = []
    var newlines = 0
    var cursor = index > 0 ? Int(tokens[index - 1].end) : 0
    let end = Int(tokens[index].start)
    while cursor < end {
      let byte = text[cursor]
      if byte == UInt8(ascii: "/") {
        let start = cursor
        while cursor < end, text[cursor] != UInt8(ascii: "\n") { cursor += 1 }
        var last = cursor
        while last > start, text[last - 1] <= 32 { last -= 1 }
        comments.append(Comment(text: text[start..<last], newlines: newlines))
        newlines = 0
        continue
      }
      if byte == UInt8(ascii: "\n") { newlines += 1 }
      cursor += 1
    }
    return (comments, newlines)
  }

  /// Whether a line ends or a comment stands somewhere between two tokens.
  private func breaks(from first: Int, through last: Int) -> Bool {
    (first...max(first, last)).contains { index in
      let gap = gap(before: index)
      return gap.newlines > 0 || !gap.comments.isEmpty
    }
  }

  // MARK: Writing

  private mutating func write(_ string: String) { out.append(contentsOf: string.utf8) }

  private mutating func newline(indent: Int) {
    out.append(UInt8(ascii: "\n"))
    out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent))
  }

  /// Writes the next token inside a statement.
  ///
  /// - Parameters:
  ///   - space: Whether a space stands before it where the line goes on.
  ///   - lineBreak: What happens to the line before it.
  ///   - shift: The indentation of a new line, beyond that of the statement; by default 4 in
  ///     signatures and 2 in ops.
  private mutating func put(
    space: Bool, _ lineBreak: Break = .asWritten, shift: Int? = nil
  ) {
    // Arguments must not look like the ops below them.
    let shift = shift ?? (depth == 0 ? 4 : 2)
    let (comments, newlines) = gap(before: position)
    for comment in comments {
      if comment.newlines == 0 { write("  ") } else { newline(indent: 2 * depth + shift) }
      out += comment.text
    }
    let ends =
      !comments.isEmpty || lineBreak == .always || (lineBreak == .asWritten && newlines > 0)
    if ends {
      newline(indent: 2 * depth + shift)
    } else if space {
      write(" ")
    }
    out += spelling(position)
    position += 1
  }

  /// Writes the comments before a statement or a closing brace, and starts its line.
  ///
  /// - Parameters:
  ///   - blankMin: Blank lines to put before it and its comments where there are none.
  ///   - opens: Whether it is the first of its block, so that blank lines before it go.
  ///   - closes: Whether nothing follows in its block, so that blank lines before it go.
  private mutating func startLine(blankMin: Int = 0, opens: Bool = false, closes: Bool = false) {
    let (comments, newlines) = gap(before: position)
    var isFirst = true
    func blanks(_ newlines: Int, _ isLast: Bool) -> Int {
      let written = (opens && isFirst) || (closes && isLast) ? 0 : min(1, max(0, newlines - 1))
      return isFirst ? max(blankMin, written) : written
    }
    for comment in comments {
      if comment.newlines == 0, !out.isEmpty {
        write("  ")
      } else {
        if !out.isEmpty {
          for _ in 0..<blanks(comment.newlines, false) { write("\n") }
          newline(indent: 2 * depth)
        }
        isFirst = false
      }
      out += comment.text
    }
    if kind == .end {
      if !out.isEmpty { write("\n") }
      return
    }
    guard !out.isEmpty else { return }
    for _ in 0..<blanks(newlines, true) { write("\n") }
    newline(indent: closes ? 2 * depth - 2 : 2 * depth)
  }

  // MARK: Functions

  private mutating func file() {
    while kind != .end {
      startLine(blankMin: position > 0 ? 1 : 0)
      function()
    }
    startLine()
  }

  private mutating func function() {
    out += spelling(position)
    position += 1
    put(space: true)
    if kind == .less {
      put(space: false)
      while kind != .greater {
        let isFirst = tokens[position - 1].kind == .less
        let isTight = kind == .colon || kind == .comma || kind == .ellipsis
        put(space: !isFirst && !isTight)
      }
      put(space: false)
    }
    let arguments = extent(from: position)
    let breaksArguments =
      arguments.items > 3 && !breaks(from: position + 1, through: arguments.last)
    put(space: false)
    list(breaks: breaksArguments) { $0.argument($1) }
    if kind == .arrow {
      put(space: true)
      if kind == .leftParen {
        let results = extent(from: position)
        let breaksResults =
          arguments.items > 3 && !breaks(from: position + 1, through: results.last)
        put(space: true)
        list(breaks: breaksResults) { $0.result($1) }
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

  /// The index of the token that closes the parenthesis at `start`, and the number of arguments or
  /// results in it.
  private func extent(from start: Int) -> (last: Int, items: Int) {
    var nesting = 0
    var items = 0
    var isParameter = false
    for index in start..<tokens.count {
      switch tokens[index].kind {
      case .leftParen, .leftBracket: nesting += 1
      case .rightParen, .rightBracket:
        nesting -= 1
        if nesting == 0 { return (index, items) }
      case .semicolon: isParameter = true
      case .colon where nesting == 1 && !isParameter: items += 1
      default: break
      }
    }
    return (tokens.count - 1, items)
  }

  /// Writes what stands in parentheses, and the closing one.
  ///
  /// `item` gets the break before its first token.
  private mutating func list(breaks: Bool, _ item: (inout Formatter, Break) -> Void) {
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

  private func isAfterOpening(_ index: Int) -> Bool {
    switch tokens[index - 1].kind {
    case .leftParen, .leftBracket: true
    default: false
    }
  }

  private mutating func argument(_ lineBreak: Break) {
    let space = !isAfterOpening(position)
    put(space: space, lineBreak)
    if tokens[position - 1].kind == .identifier { put(space: true) }
    put(space: false)
    type(space: true)
    if kind == .equal {
      put(space: true)
      expression(space: true)
    }
  }

  /// The attributes that a layer takes.
  private mutating func parameters(_ lineBreak: Break) {
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

  private mutating func result(_ lineBreak: Break) {
    var lineBreak = lineBreak
    var space = !isAfterOpening(position)
    if isWord("loss") || isWord("grad") || isWord("update") {
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
  private mutating func type(space: Bool, _ lineBreak: Break = .asWritten) {
    put(space: space, lineBreak)
    guard kind == .leftBracket else { return }
    var end = position
    var isPlain = true
    while tokens[end].kind != .rightBracket {
      let inner = tokens[end].kind
      isPlain = isPlain && (inner == .integer || inner == .comma || inner == .leftBracket)
      end += 1
    }
    put(space: false)
    elements(until: .rightBracket, isTight: isPlain)
  }

  // MARK: Ops

  /// Writes the ops of blocks up to the closing brace of the outermost, without recursion.
  private mutating func block() {
    depth += 1
    var opens = true
    while depth > 0 {
      if kind == .rightBrace {
        startLine(opens: opens, closes: true)
        depth -= 1
        out += spelling(position)
        position += 1
        opens = false
        if depth > 0, isWord("else") {
          put(space: true, .never)
          put(space: true, .never)
          depth += 1
          opens = true
        }
      } else {
        startLine(opens: opens)
        opens = op()
      }
    }
  }

  /// Writes an op, up to the opening brace of its region; true if it has one.
  private mutating func op() -> Bool {
    // The first token has its line already.
    out += spelling(position)
    position += 1
    if tokens[position - 1].kind == .value {
      while kind == .comma {
        put(space: false)
        put(space: true)
      }
      put(space: true)
      put(space: true)
    }
    let name = String(decoding: spelling(position - 1), as: UTF8.self)
    switch name {
    case "fusion", "no_grad", "recompute":
      if kind == .string { put(space: true) }
      put(space: true, .never)
      depth += 1
      return true
    case "if":
      expression(space: true)
      put(space: true, .never)
      depth += 1
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
        put(space: tokens[position - 1].kind == .comma)
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
    guard !tokens[position].startsLine, kind != .leftBrace, kind != .colon, kind != .rightBrace,
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
    let start = position
    put(space: space)
    switch tokens[start].kind {
    case .leftBracket: elements(until: .rightBracket, isTight: isTight)
    case .leftParen:
      expression(space: false, isTight: isTight)
      put(space: false)
    case .identifier:
      if kind == .string, spelling(start).elementsEqual("hex".utf8) {
        put(space: true)
      } else if kind == .ellipsis {
        put(space: false)
      } else if kind == .leftParen {
        put(space: false)
        elements(until: .rightParen, isTight: isTight)
      }
    default: break
    }
    while kind == .leftBracket, !tokens[position].startsLine {
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
        let isFirst = isAfterOpening(position)
        expression(space: !isFirst && !isTight, isTight: isTight)
      }
    }
    put(space: false)
  }
}

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
