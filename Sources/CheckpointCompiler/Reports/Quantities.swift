// Bytes, times and shares as people read them.

/// The bytes in the largest unit that leaves at least 1, with at most two decimals.
package func describeBytes(_ bytes: Int) -> String {
  var value = Double(bytes)
  var unit = "B"
  for next in ["KiB", "MiB", "GiB", "TiB"] where abs(value) >= 1024 {
    value /= 1024
    unit = next
  }
  return unit == "B" ? "\(bytes) B" : "\(decimalText(value)) \(unit)"
}

/// The time in the largest unit that leaves at least 1, with three significant digits.
package func describeNs(_ nanoseconds: Double) -> String {
  var value = nanoseconds
  var unit = "ns"
  for next in ["µs", "ms", "s"] where abs(value) >= 999.5 {
    value /= 1000
    unit = next
  }
  let digits = abs(value) >= 99.95 ? 0 : abs(value) >= 9.995 ? 1 : 2
  return "\(decimalText(value, digits: digits)) \(unit)"
}

/// A fraction as a percentage with one decimal.
package func describePercent(_ fraction: Double) -> String {
  "\(decimalText(fraction * 100, digits: 1)) %"
}

/// A number with at most `digits` decimals, zeros at the end left out.
package func decimalText(_ value: Double, digits: Int = 2) -> String {
  guard value.isFinite else { return value.isNaN ? "?" : value < 0 ? "-∞" : "∞" }
  var scale = 1
  for _ in 0..<digits { scale *= 10 }
  let scaled = (abs(value) * Double(scale)).rounded()
  guard scaled < 1e18 else { return "\(value)" }
  let whole = Int(scaled) / scale
  var fraction = String(Int(scaled) % scale + scale).dropFirst()
  while fraction.last == "0" { fraction.removeLast() }
  let sign = value < 0 && scaled > 0 ? "-" : ""
  return fraction.isEmpty ? "\(sign)\(whole)" : "\(sign)\(whole).\(fraction)"
}
