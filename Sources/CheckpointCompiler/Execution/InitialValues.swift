// First values of parameters and state.
//
// Problem     Two runs with the same seed must start from the same bits on every machine, whatever
//             the order of the parameters and whatever the plan.
// Method      SplitMix64, seeded by the user's seed and the FNV-1a hash of the parameter's name.
//             Uniform numbers have 53 bits. Normal ones come from Marsaglia's polar method; its
//             logarithm is a series of additions, multiplications and divisions, which round the
//             same everywhere, unlike a mathematics library.
// Source      G. Marsaglia, T. A. Bray, "A convenient method for generating normal variables", SIAM
//             Review 6(3), 1964, doi:10.1137/1006063.

import Foundation

/// Makes the first values of parameters and state, each from the seed and its name alone.
public struct InitialValues: Sendable {
  /// The seed.
  public var seed: UInt64

  /// Values for a seed.
  public init(seed: UInt64) { self.seed = seed }

  /// The first value of an argument.
  ///
  /// Where the text gives none, state and integers are 0, and floating-point parameters are uniform
  /// within ±1/√*n*, where *n* is the number of elements for each index of the last dimension, or the
  /// number of elements of a vector or scalar.
  public func value(ofArgument index: Int, of function: Function) -> Tensor {
    let argument = function.arguments[index]
    let type = function.argumentType(index)
    return value(
      type, name: function.argumentName(index),
      argument.initializer ?? InitialValues.usual(type, role: argument.role))
  }

  /// A tensor that follows an initializer; numbers are rounded to nearest, but towards zero by integer
  /// dtypes, which saturate.
  public func value(_ type: TensorType, name: String, _ initializer: Initializer) -> Tensor {
    var generator = generator(name: name)
    switch initializer {
    case .fill(let number): return Tensor(type, repeating: number)
    case .uniform(let bound):
      return Tensor(
        type, floats: (0..<type.elementCount).map { _ in (2 * generator.unit() - 1) * bound })
    case .normal(let deviation):
      return Tensor(type, floats: generator.normals(type.elementCount).map { $0 * deviation })
    }
  }

  /// The generator for a name.
  package func generator(name: String) -> SeededGenerator {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    var mixer = SeededGenerator(seed: seed)
    return SeededGenerator(seed: hash ^ mixer.next())
  }

  /// How an argument without an initializer starts.
  static func usual(_ type: TensorType, role: ArgumentRole) -> Initializer {
    guard role == .parameter || role == .frozen, type.dtype.isFloatingPoint else { return .fill(0) }
    let count = type.rank < 2 ? type.elementCount : type.elementCount / max(1, type.shape.last!)
    return .uniform(1 / Double(max(1, count)).squareRoot())
  }
}

extension SeededGenerator {
  /// Numbers with a normal distribution of mean 0 and standard deviation 1.
  package mutating func normals(_ count: Int) -> [Double] {
    var numbers: [Double] = []
    numbers.reserveCapacity(count + 1)
    while numbers.count < count {
      let (x, y) = (2 * unit() - 1, 2 * unit() - 1)
      let square = x * x + y * y
      guard square > 0, square < 1 else { continue }
      let scale = (-2 * portableLog(square) / square).squareRoot()
      numbers.append(x * scale)
      numbers.append(y * scale)
    }
    if numbers.count > count { numbers.removeLast() }
    return numbers
  }

  /// Puts elements into a random order: Fisher and Yates, from the end.
  package mutating func shuffle(_ elements: inout [Int]) {
    guard elements.count > 1 else { return }
    for last in stride(from: elements.count - 1, to: 0, by: -1) {
      elements.swapAt(last, index(below: last + 1))
    }
  }
}

/// The natural logarithm of a positive, finite number, by operations that round alike everywhere.
///
/// The series of 2 artanh(s) with s = (m - 1) / (m + 1), |s| < 0.18, to terms below 2^-56.
func portableLog(_ number: Double) -> Double {
  var exponent = Double(number.exponent)
  var fraction = number.significand
  if fraction > 1.4142135623730951 {
    fraction /= 2
    exponent += 1
  }
  let s = (fraction - 1) / (fraction + 1)
  let square = s * s
  var sum = 0.0
  for divisor in stride(from: 23.0, through: 1, by: -2) { sum = sum * square + 1 / divisor }
  return exponent * 0.6931471805599453 + 2 * s * sum
}
