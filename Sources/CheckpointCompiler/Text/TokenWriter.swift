// Tokens of IR text, written one after the other with the space and the comments between them.
//
// Comments    What stood between two tokens is looked up in the text. A comment on the line of the token
//             before it stays there, two columns away; others get lines of their own.

/// The standard form of a text as far as it is written, and the tokens that are left.
struct TokenWriter {
  /// What happens to the line at a token.
  enum Break {
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
  let tokens: [Token]
  private(set) var position = 0
  /// How many blocks are open.
  var depth = 0
  private(set) var out: [UInt8] = []

  init(text: [UInt8], tokens: [Token]) {
    self.text = text
    self.tokens = tokens
  }

  /// The kind of the next token.
  var kind: Token.Kind { tokens[position].kind }

  /// The kind of the token that was written last.
  var previousKind: Token.Kind { tokens[position - 1].kind }

  /// Whether the next token is the first of its list.
  var isAfterOpening: Bool {
    switch previousKind {
    case .leftParen, .leftBracket: true
    default: false
    }
  }

  func spelling(_ index: Int) -> ArraySlice<UInt8> {
    text[Int(tokens[index].start)..<Int(tokens[index].end)]
  }

  /// Whether the next token is that word.
  func isWord(_ word: String) -> Bool {
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

  /// The number of arguments or results in the parenthesis that is next, and whether its writer broke
  /// lines in it.
  func parenthesis() -> (items: Int, isBroken: Bool) {
    let start = position
    var nesting = 0
    var items = 0
    var isParameter = false
    for index in start..<tokens.count {
      switch tokens[index].kind {
      case .leftParen, .leftBracket: nesting += 1
      case .rightParen, .rightBracket:
        nesting -= 1
        if nesting == 0 { return (items, breaks(from: start + 1, through: index)) }
      case .semicolon: isParameter = true
      case .colon where nesting == 1 && !isParameter: items += 1
      default: break
      }
    }
    return (items, breaks(from: start + 1, through: tokens.count - 1))
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
  mutating func put(
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
    putToken()
  }

  /// Writes the next token where the text ends, without space.
  mutating func putToken() {
    out += spelling(position)
    position += 1
  }

  /// Writes the comments before a statement or a closing brace, and starts its line.
  ///
  /// - Parameters:
  ///   - blankMin: Blank lines to put before it and its comments where there are none.
  ///   - opens: Whether it is the first of its block, so that blank lines before it go.
  ///   - closes: Whether nothing follows in its block, so that blank lines before it go.
  mutating func startLine(blankMin: Int = 0, opens: Bool = false, closes: Bool = false) {
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
}
