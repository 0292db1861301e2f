// Whether a tensor agrees with an expected one, by the rules that test programs name.
//
// Source      The rules of `check.expect_eq`, `check.expect_close` and `check.expect_almost_eq` are those of
//             StableHLO's reference interpreter (github.com/openxla/stablehlo, stablehlo/tests/CheckOps.td).

import CheckpointCompiler

/// A rule of comparison.
enum Agreement {
  /// Equal numbers; NaN agrees with NaN.
  case equal
  /// At most this many representable numbers apart; what is not finite must be the same.
  case close(ulps: UInt64)
  /// At most this far apart.
  case within(Double)

  /// The rule of a check by its name, such as `expect_close`; nil where there is none.
  init?(check: String) {
    switch check {
    case "expect_eq": self = .equal
    case "expect_close": self = .close(ulps: 3)
    case "expect_almost_eq": self = .within(1e-3)
    default: return nil
    }
  }

  /// What is wrong with `actual`; nil where it agrees.
  func complaint(_ actual: Tensor, _ expected: Tensor) -> String? {
    guard actual.type == expected.type else {
      return "\(actual.type) instead of \(expected.type)"
    }
    if actual.bytes == expected.bytes { return nil }
    guard actual.type.dtype.isFloatingPoint else {
      let (found, wanted) = (actual.integers, expected.integers)
      return complaint(found.indices.filter { found[$0] != wanted[$0] }, found, wanted)
    }
    let (found, wanted) = (actual.floats, expected.floats)
    let wrong: [Int]
    switch self {
    case .close(let limit):
      let (foundBits, wantedBits) = (Self.orderedBits(actual), Self.orderedBits(expected))
      wrong = found.indices.filter { index in
        if found[index].isNaN && wanted[index].isNaN { return false }
        guard found[index].isFinite, wanted[index].isFinite else {
          return found[index] != wanted[index]
        }
        return Self.distance(foundBits[index], wantedBits[index]) > limit
      }
    case .equal, .within:
      let tolerance = if case .within(let most) = self { most } else { 0.0 }
      wrong = found.indices.filter { index in
        if found[index].isNaN && wanted[index].isNaN { return false }
        return !(found[index] == wanted[index] || abs(found[index] - wanted[index]) <= tolerance)
      }
    }
    return complaint(wrong, found, wanted)
  }

  private func complaint<Number>(
    _ wrong: [Int], _ found: [Number], _ wanted: [Number]
  ) -> String? {
    guard let first = wrong.first else { return nil }
    return "\(wrong.count) of \(found.count) elements differ, [\(first)] is \(found[first]), not "
      + "\(wanted[first])"
  }

  /// The bits of floating-point elements as integers in the order of the numbers.
  private static func orderedBits(_ tensor: Tensor) -> [Int64] {
    let width = tensor.type.dtype.byteCount
    return (0..<tensor.type.elementCount).map { index in
      var bits: UInt64 = 0
      for byte in (0..<width).reversed() {
        bits = bits << 8 | UInt64(tensor.bytes[index * width + byte])
      }
      let sign: UInt64 = 1 << UInt64(8 * width - 1)
      let magnitude = Int64(bits & (sign - 1))
      return bits & sign == 0 ? magnitude : -magnitude
    }
  }

  /// How far two numbers are apart.
  private static func distance(_ one: Int64, _ other: Int64) -> UInt64 {
    let (difference, overflow) = one.subtractingReportingOverflow(other)
    return overflow ? .max : difference.magnitude
  }
}
