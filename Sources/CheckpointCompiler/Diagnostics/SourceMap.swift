// The texts that were read, and the way from a byte offset to a line and a column.

/// The source texts of one compilation.
public struct SourceMap: Sendable {
  /// One text and its name.
  public struct File: Sendable {
    /// The name shown in diagnostics.
    public let name: String
    /// The UTF-8 text.
    public let text: [UInt8]
    /// Offset of the first byte of every line.
    let lineStarts: [Int]

    init(name: String, text: [UInt8]) {
      self.name = name
      self.text = text
      var starts = [0]
      for (offset, byte) in text.enumerated() where byte == UInt8(ascii: "\n") {
        starts.append(offset + 1)
      }
      lineStarts = starts
    }

    /// The 1-based line and column, in bytes, of an offset. O(log lines).
    public func position(of offset: Int) -> (line: Int, column: Int) {
      var low = 0
      var high = lineStarts.count
      while high - low > 1 {
        let middle = (low + high) / 2
        if lineStarts[middle] <= offset { low = middle } else { high = middle }
      }
      return (low + 1, offset - lineStarts[low] + 1)
    }

    /// The bytes of a 1-based line, without its line break.
    func line(_ line: Int) -> ArraySlice<UInt8> {
      let start = lineStarts[line - 1]
      var end = line < lineStarts.count ? lineStarts[line] - 1 : text.count
      if end > start, text[end - 1] == UInt8(ascii: "\r") { end -= 1 }
      return text[start..<max(start, end)]
    }
  }

  /// The files in the order in which they were added.
  public private(set) var files: [File] = []

  /// No files.
  public init() {}

  /// Adds a text and returns its index.
  public mutating func add(name: String, text: [UInt8]) -> Int32 {
    files.append(File(name: name, text: text))
    return Int32(files.count - 1)
  }

  /// Adds a text that a parser is to read, and returns its index.
  ///
  /// - Throws: An error where the text is longer than the offsets of locations reach.
  mutating func addToRead(name: String, text: [UInt8]) throws(DiagnosticList) -> Int32 {
    let file = add(name: name, text: text)
    guard text.count < Int(Int32.max) else {
      throw DiagnosticList([Diagnostic("'\(name)' is larger than 2 GiB")])
    }
    return file
  }

  /// A map of one file.
  public init(name: String, text: String) {
    _ = add(name: name, text: Array(text.utf8))
  }
}
