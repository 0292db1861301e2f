// Diagnostics as text: `file:line:column: error: message [constraint]`, the line, and carets.
//
// Nobody reads thousands of errors: the first of a list are shown, and how many more there are.

/// Renders diagnostics with the source line they point at.
public struct DiagnosticRenderer: Sendable {
  /// The texts that locations refer to.
  public var sources: SourceMap

  /// The most diagnostics of a list that are shown, apart from their notes.
  public static let shownMax = 100

  /// A renderer for the given texts.
  public init(sources: SourceMap) { self.sources = sources }

  /// The first diagnostics, each with its notes, and how many more there are; every line ends in a
  /// line break.
  public func render(_ diagnostics: [Diagnostic]) -> String {
    var out = ""
    for diagnostic in diagnostics.prefix(DiagnosticRenderer.shownMax) {
      render(diagnostic, into: &out)
    }
    let rest = diagnostics.dropFirst(DiagnosticRenderer.shownMax)
    if let next = rest.first {
      let word = next.severity.rawValue + (rest.count == 1 ? "" : "s")
      out += "ckc: and \(rest.count) more \(word)\n"
    }
    return out
  }

  private func render(_ diagnostic: Diagnostic, into out: inout String) {
    let index = Int(diagnostic.location.file)
    let suffix = diagnostic.constraint.map { " [\($0)]" } ?? ""
    guard sources.files.indices.contains(index) else {
      out += "ckc: \(diagnostic.severity.rawValue): \(diagnostic.message)\(suffix)\n"
      for note in diagnostic.notes { render(note, into: &out) }
      return
    }
    let file = sources.files[index]
    let offset = min(max(0, Int(diagnostic.location.offset)), file.text.count)
    let (line, column) = file.position(of: offset)
    out += "\(file.name):\(line):\(column): \(diagnostic.severity.rawValue): "
    out += "\(diagnostic.message)\(suffix)\n"
    renderExcerpt(file.line(line), column: column, length: Int(diagnostic.location.length), &out)
    for note in diagnostic.notes { render(note, into: &out) }
  }

  /// The line, cut to a window around the column when it is very long, and the carets below it.
  private func renderExcerpt(
    _ line: ArraySlice<UInt8>, column: Int, length: Int, _ out: inout String
  ) {
    guard !line.isEmpty else { return }
    let width = 160
    let bytes = Array(line)
    let start = bytes.count <= width ? 0 : max(0, min(column - 1 - width / 2, bytes.count - width))
    let window = bytes[start..<min(bytes.count, start + width)]
    let printable = window.map { $0 == 9 ? 32 : ($0 < 32 || $0 == 127 ? UInt8(ascii: "?") : $0) }
    out += "  \(String(decoding: printable, as: UTF8.self))\n"
    // Columns count bytes; continuation bytes take no place of their own on the screen.
    let before = window.prefix(max(0, column - 1 - start)).filter { $0 & 0xC0 != 0x80 }.count
    let carets = max(1, min(length, bytes.count - (column - 1), width - before))
    out += "  " + String(repeating: " ", count: before) + "^"
    out += String(repeating: "~", count: carets - 1) + "\n"
  }
}
