// Reads the CSV of placement instances, with the line and column of what is wrong.

/// The rows of one CSV text.
struct PlacementCSV {
  /// One buffer a row.
  private(set) var buffers: [PlacementProblem.Buffer] = []
  /// The offset of each row, if the text has that column.
  private(set) var offsets: [Int]?

  /// Parses `csv`; the header names the columns.
  init(_ csv: [UInt8], file: Int32) throws(Diagnostic) {
    var columns: [String: Int] = [:]
    var lineStart = 0
    while lineStart < csv.count {
      var lineEnd = lineStart
      while lineEnd < csv.count, csv[lineEnd] != UInt8(ascii: "\n") { lineEnd += 1 }
      let fields = Self.fields(csv, lineStart..<lineEnd)
      defer { lineStart = lineEnd + 1 }
      if fields.count == 1, fields[0].text.isEmpty { continue }
      if columns.isEmpty {
        for (index, field) in fields.enumerated() { columns[field.text] = index }
        // MiniMalloc names its first column "id" or "buffer_id".
        if columns["id"] == nil { columns["id"] = columns["buffer_id"] }
        for name in ["lower", "upper", "size"] where columns[name] == nil {
          throw Diagnostic(
            "the header has no column '\(name)'",
            at: SourceLocation(file: file, offset: Int32(clamping: lineStart)))
        }
        if columns["offset"] != nil { offsets = [] }
        continue
      }
      func field(_ name: String) throws(Diagnostic) -> (text: String, offset: Int) {
        let column = columns[name] ?? 0
        guard column < fields.count else {
          throw Diagnostic(
            "the line has no field '\(name)'",
            at: SourceLocation(file: file, offset: Int32(clamping: lineStart)))
        }
        return fields[column]
      }
      func integer(_ name: String) throws(Diagnostic) -> Int {
        let (text, offset) = try field(name)
        guard let value = Int(text), value.magnitude < 1 << 62 else {
          let digits = text.utf8.drop { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "+") }
          let isNumber = !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
          throw Diagnostic(
            "'\(text)' is " + (isNumber ? "too large" : "not a whole number"),
            at: SourceLocation(
              file: file, offset: Int32(clamping: offset), length: Int32(clamping: text.utf8.count))
          )
        }
        return value
      }
      let name = columns["id"] == nil ? String(buffers.count) : try field("id").text
      let lower = try integer("lower")
      let upper = try integer("upper")
      let size = try integer("size")
      if size < 0 {
        let (text, offset) = try field("size")
        throw Diagnostic(
          "the size of buffer '\(name)' is negative: \(size)",
          at: SourceLocation(
            file: file, offset: Int32(clamping: offset), length: Int32(clamping: text.utf8.count)))
      }
      buffers.append(
        PlacementProblem.Buffer(name: name, lower: lower, upper: upper, sizeBytes: size))
      if offsets != nil { offsets?.append(try integer("offset")) }
      if upper <= lower {
        throw Diagnostic(
          "the life of buffer '\(name)' ends at \(upper), not after its start \(lower)",
          at: SourceLocation(file: file, offset: Int32(clamping: lineStart)))
      }
    }
    if columns.isEmpty {
      throw Diagnostic(
        "the text has no header line", at: SourceLocation(file: file, offset: 0))
    }
  }

  private static func fields(
    _ csv: [UInt8], _ line: Range<Int>
  ) -> [(text: String, offset: Int)] {
    var fields: [(text: String, offset: Int)] = []
    var start = line.lowerBound
    for position in line.lowerBound...line.upperBound
    where position == line.upperBound || csv[position] == UInt8(ascii: ",") {
      var low = start
      var high = position
      while low < high, csv[low] <= 32 { low += 1 }
      while high > low, csv[high - 1] <= 32 { high -= 1 }
      fields.append((String(decoding: csv[low..<high], as: UTF8.self), low))
      start = position + 1
    }
    return fields
  }
}
