// The format that `reduce_precision` rounds to, and what it means for the bits of a dtype.

/// A floating-point format by its number of bits.
struct ReducedFormat: Hashable, Sendable {
  /// The bits of the exponent; at least 1.
  var exponentBits: Int
  /// The bits of the mantissa, without the leading one.
  var mantissaBits: Int

  init(exponentBits: Int, mantissaBits: Int) {
    self.exponentBits = exponentBits
    self.mantissaBits = mantissaBits
  }

  /// The format that the attributes of a `reduce_precision` say.
  init(_ attributes: Attributes) {
    exponentBits = attributes.int(.exponentBits)!
    mantissaBits = attributes.int(.mantissaBits)!
  }

  /// Its name: `e5m10`.
  var name: String { "e\(exponentBits)m\(mantissaBits)" }

  /// The format with the given name.
  init?(name: String) {
    let parts = name.dropFirst().split(separator: "m")
    guard name.hasPrefix("e"), parts.count == 2, let exponent = Int(parts[0]),
      let mantissa = Int(parts[1])
    else { return nil }
    (exponentBits, mantissaBits) = (exponent, mantissa)
  }

  /// What rounding to the format does to the bits of a number.
  struct Limits: Hashable, Sendable {
    /// The sign of the dtype.
    var signBit: UInt64
    /// The exponent of the dtype's infinity.
    var infinity: UInt64
    /// How many of the last bits of the mantissa become 0.
    var dropped: Int
    /// Numbers below this exponent become 0.
    var least: UInt64
    /// Numbers above this exponent become infinite.
    var most: UInt64
  }

  /// What rounding to the format does to the bits of a dtype.
  func limits(in dtype: DType) -> Limits {
    let (exponentCount, fractionCount): (Int, Int) =
      switch dtype {
      case .f64: (11, 52)
      case .f32: (8, 23)
      case .bf16: (8, 7)
      case .f16: (5, 10)
      default: preconditionFailure("the precision of \(dtype.name)")
      }
    let infinity = ((UInt64(1) << UInt64(exponentCount)) - 1) << UInt64(fractionCount)
    var limits = Limits(
      signBit: UInt64(1) << UInt64(exponentCount + fractionCount), infinity: infinity,
      dropped: max(0, fractionCount - mantissaBits), least: 0, most: infinity)
    if exponentBits < exponentCount {
      let bias = (UInt64(1) << UInt64(exponentCount - 1)) - 1
      let newBias = (UInt64(1) << UInt64(exponentBits - 1)) - 1
      limits.least = (bias - newBias + 1) << UInt64(fractionCount)
      limits.most = (bias + newBias) << UInt64(fractionCount)
    }
    return limits
  }
}
