// Numbers of bytes as people write them.

import CheckpointCompiler

/// How much memory the arena may take, as given on the command line.
enum BudgetArgument: Sendable, Equatable {
  /// A number of bytes.
  case bytes(Int)
  /// A percentage of the arena when everything is kept.
  case percent(Double)
  /// The smallest that can be reached.
  case minimum
}

/// Reads and writes numbers of bytes.
enum ByteSize {
  private static let units: [(String, Int)] = [
    ("B", 0), ("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("K", 10), ("M", 20), ("G", 30),
    ("T", 40),
  ]

  /// The number of bytes in `12345`, `512KiB` or `1.5GiB`; nil where it is none or overflows.
  ///
  /// A fraction of a byte is dropped where a unit has bytes, so that a budget is never exceeded; bytes
  /// have no fraction. Units of 1000 are refused: `MB` means two things.
  static func parse(_ text: String) -> Int? {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let suffix = text.dropFirst(digits.count)
    guard let shift = suffix.isEmpty ? 0 : units.first(where: { $0.0 == suffix })?.1 else {
      return nil
    }
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 2, !parts.contains(where: \.isEmpty), let whole = Int(parts[0]) else {
      return nil
    }
    let (scaled, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
    guard !overflow else { return nil }
    guard parts.count == 2 else { return scaled }
    guard shift > 0, parts[1].count <= 15, let fraction = Double("0.\(parts[1])"),
      let extra = Int(exactly: (fraction * Double(1 << shift)).rounded(.down))
    else { return nil }
    let (sum, carry) = scaled.addingReportingOverflow(extra)
    return carry ? nil : sum
  }

  /// A budget: a number of bytes, a percentage, or `min`.
  static func parseBudget(_ text: String) -> BudgetArgument? {
    if text == "min" { return .minimum }
    if let percent = parsePercentage(text) { return percent > 0 ? .percent(percent) : nil }
    return parse(text).flatMap { $0 > 0 ? .bytes($0) : nil }
  }

  /// A percentage such as `10%` or `12.5%`.
  static func parsePercentage(_ text: String) -> Double? {
    guard text.hasSuffix("%"), text.allSatisfy({ $0.isASCII }) else { return nil }
    let digits = text.dropLast()
    guard digits.allSatisfy({ $0.isNumber || $0 == "." }), let value = Double(digits) else {
      return nil
    }
    return value.isFinite && value <= 1e6 ? value : nil
  }

  /// The bytes in the largest unit that leaves at least 1, with at most two decimals.
  static func describe(_ bytes: Int) -> String { describeBytes(bytes) }
}
