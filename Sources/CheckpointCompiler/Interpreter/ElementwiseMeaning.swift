// What elementwise ops compute.
//
// Floating-point numbers are computed in binary64 and rounded once to the dtype, through f32 for
// `bf16` and `f16`. Integers of every width are computed in 64 bits, wrapping, and keep their lowest
// bits, so that one rule serves all of them.

import Foundation

/// Rounds numbers to a dtype as the result of one op: arithmetic on 16-bit formats happens in f32.
func rounded(_ numbers: [Double], to type: TensorType) -> Tensor {
  switch type.dtype {
  case .bf16, .f16: Tensor(type, floats: mapped(numbers) { Double(Float($0)) })
  default: Tensor(type, floats: numbers)
  }
}

/// Rounds one number to a floating-point dtype as the result of one op.
func rounded(_ number: Double, to dtype: DType) -> Double {
  switch dtype {
  case .f32: Double(Float(number))
  case .bf16: Double(Float(bitPattern: UInt32(bfloat16(of: Double(Float(number)))) << 16))
  case .f16: double(ofHalf: half(of: Double(Float(number))))
  default: number
  }
}

/// `numbers.map`, by pointers: the loop that unoptimized builds spend their time in.
func mapped<Element: BitwiseCopyable>(
  _ elements: [Element], _ function: (Element) -> Element
) -> [Element] {
  let count = elements.count
  return elements.withUnsafeBufferPointer { source in
    Array(unsafeUninitializedCapacity: count) { target, initializedCount in
      var index = 0
      while index < count {
        target[index] = function(source[index])
        index &+= 1
      }
      initializedCount = count
    }
  }
}

/// A function of the elements of two arrays at the same places.
func mapped<Element: BitwiseCopyable>(
  _ a: [Element], _ b: [Element], _ function: (Element, Element) -> Element
) -> [Element] {
  let count = a.count
  return a.withUnsafeBufferPointer { left in
    b.withUnsafeBufferPointer { right in
      Array(unsafeUninitializedCapacity: count) { target, initializedCount in
        var index = 0
        while index < count {
          target[index] = function(left[index], right[index])
          index &+= 1
        }
        initializedCount = count
      }
    }
  }
}

func unary(_ opcode: Opcode, _ x: Tensor) -> Tensor {
  let type = x.type
  if opcode == .isFinite {
    return Tensor(type.with(.i1), integers: x.floats.map { $0.isFinite ? 1 : 0 })
  }
  guard type.dtype.isFloatingPoint else {
    let numbers: [Int64] =
      switch opcode {
      case .abs where type.dtype.isUnsigned: x.integers
      case .sign where type.dtype.isUnsigned: x.integers.map { $0 == 0 ? 0 : 1 }
      case .abs: x.integers.map { $0 < 0 ? 0 &- $0 : $0 }
      case .negate: x.integers.map { 0 &- $0 }
      case .sign: x.integers.map { $0.signum() }
      case .not: x.integers.map { ~$0 }
      case .popcnt: x.integers.map { Int64(type.dtype.unsignedBits($0).nonzeroBitCount) }
      case .countLeadingZeros:
        x.integers.map {
          Int64(type.dtype.unsignedBits($0).leadingZeroBitCount - 64 + 8 * type.dtype.byteCount)
        }
      default: preconditionFailure("'\(opcode.name)' of \(type)")
      }
    return Tensor(type, integers: numbers)
  }
  return rounded(mapped(x.floats, meaning(ofUnary: opcode)), to: type)
}

/// What an op of one operand does to a number, before rounding.
private func meaning(ofUnary opcode: Opcode) -> (Double) -> Double {
  switch opcode {
  case .abs: { $0.magnitude }
  case .negate: { -$0 }
  case .sign: { $0.isNaN || $0 == 0 ? $0 : $0 < 0 ? -1 : 1 }
  case .floor: { $0.rounded(.down) }
  case .ceil: { $0.rounded(.up) }
  case .roundNearestEven: { $0.rounded(.toNearestOrEven) }
  case .roundNearestAfz: { $0.rounded(.toNearestOrAwayFromZero) }
  case .exponential: { exp($0) }
  case .exponentialMinusOne: { expm1($0) }
  case .log: { log($0) }
  case .logPlusOne: { log1p($0) }
  case .tanh: { tanh($0) }
  case .logistic: { 1 / (1 + exp(-$0)) }
  case .sqrt: { $0.squareRoot() }
  case .rsqrt: { 1 / $0.squareRoot() }
  case .sine: { sin($0) }
  case .cosine: { cos($0) }
  case .erf: { erf($0) }
  case .erfc: { erfc($0) }
  case .cbrt: { cbrt($0) }
  case .tan: { tan($0) }
  case .asin: { asin($0) }
  case .acos: { acos($0) }
  case .atan: { atan($0) }
  case .sinh: { sinh($0) }
  case .cosh: { cosh($0) }
  case .asinh: { asinh($0) }
  case .acosh: { acosh($0) }
  case .atanh: { atanh($0) }
  default: preconditionFailure("'\(opcode.name)' is not a function of one number")
  }
}

func binary(_ opcode: Opcode, _ a: Tensor, _ b: Tensor) -> Tensor {
  let type = a.type
  if type.dtype.isFloatingPoint {
    return rounded(mapped(a.floats, b.floats, meaning(ofBinary: opcode)), to: type)
  }
  return Tensor(type, integers: mapped(a.integers, b.integers, meaning(of: opcode, on: type.dtype)))
}

/// The larger number; NaN if either is; 0 above -0.
func maximum(_ a: Double, _ b: Double) -> Double {
  if a.isNaN { return a }
  if b.isNaN { return b }
  if a == b { return a.sign == .plus ? a : b }
  return a > b ? a : b
}

/// The smaller number; NaN if either is; -0 below 0.
func minimum(_ a: Double, _ b: Double) -> Double {
  if a.isNaN { return a }
  if b.isNaN { return b }
  if a == b { return a.sign == .minus ? a : b }
  return a < b ? a : b
}

/// What an op of two operands does to numbers, before rounding.
func meaning(ofBinary opcode: Opcode) -> (Double, Double) -> Double {
  switch opcode {
  case .add: { $0 + $1 }
  case .subtract: { $0 - $1 }
  case .multiply: { $0 * $1 }
  case .divide: { $0 / $1 }
  case .remainder: { fmod($0, $1) }
  case .maximum: { maximum($0, $1) }
  case .minimum: { minimum($0, $1) }
  case .power: { pow($0, $1) }
  case .atan2: { atan2($0, $1) }
  default: preconditionFailure("'\(opcode.name)' is not a function of two numbers")
  }
}

/// What an op of two operands does to integers or truth values, before the upper bits are dropped.
func meaning(of opcode: Opcode, on dtype: DType) -> (Int64, Int64) -> Int64 {
  if dtype == .i1 {
    switch opcode {
    case .add, .maximum, .or: return { $0 | $1 }
    case .multiply, .minimum, .and: return { $0 & $1 }
    case .xor: return { $0 ^ $1 }
    default: preconditionFailure("'\(opcode.name)' of i1")
    }
  }
  if dtype == .ui64, let meaning = meaningOfUnsigned(opcode) {
    return { Int64(bitPattern: meaning(UInt64(bitPattern: $0), UInt64(bitPattern: $1))) }
  }
  return switch opcode {
  case .add: { $0 &+ $1 }
  case .subtract: { $0 &- $1 }
  case .multiply: { $0 &* $1 }
  case .divide: { $1 == 0 ? -1 : $1 == -1 ? 0 &- $0 : $0 / $1 }
  case .remainder: { $1 == 0 ? $0 : $1 == -1 ? 0 : $0 % $1 }
  case .maximum: { max($0, $1) }
  case .minimum: { min($0, $1) }
  case .power: { integerPower($0, $1) }
  case .and: { $0 & $1 }
  case .or: { $0 | $1 }
  case .xor: { $0 ^ $1 }
  case .shiftLeft, .shiftRightLogical, .shiftRightArithmetic: meaning(ofShift: opcode, on: dtype)
  default: preconditionFailure("'\(opcode.name)' of integers")
  }
}

/// What an op of two operands does to `ui64`, where the same bits as `i64` mean something else.
private func meaningOfUnsigned(_ opcode: Opcode) -> ((UInt64, UInt64) -> UInt64)? {
  switch opcode {
  case .divide: { $1 == 0 ? .max : $0 / $1 }
  case .remainder: { $1 == 0 ? $0 : $0 % $1 }
  case .maximum: { max($0, $1) }
  case .minimum: { min($0, $1) }
  case .power:
    { base, exponent in
      // The powers of an exponent's upper and lower half.
      let upper = integerPower(Int64(bitPattern: base), Int64(exponent >> 32))
      let lower = integerPower(Int64(bitPattern: base), Int64(exponent & 0xFFFF_FFFF))
      return UInt64(bitPattern: integerPower(upper, 1 << 32) &* lower)
    }
  default: nil
  }
}

/// A power by repeated squaring, wrapping. A negative exponent gives the quotient 1 by the power,
/// rounded towards zero: 0 but for bases 1 and -1, and 0 for the base 0 as well.
private func integerPower(_ base: Int64, _ exponent: Int64) -> Int64 {
  if exponent < 0 {
    if base == 1 { return 1 }
    return base == -1 ? (exponent & 1 == 0 ? 1 : -1) : 0
  }
  var result: Int64 = 1
  var square = base
  var rest = exponent
  while rest > 0 {
    if rest & 1 == 1 { result = result &* square }
    square = square &* square
    rest >>= 1
  }
  return result
}

func compared(_ a: Tensor, _ b: Tensor, _ attributes: Attributes) -> Tensor {
  let direction = attributes.symbol(.direction)!
  func compare<Number: Comparable>(_ x: [Number], _ y: [Number]) -> [Int64] {
    zip(x, y).map { left, right in
      let holds =
        switch direction {
        case "eq": left == right
        case "ne": left != right
        case "lt": left < right
        case "le": left <= right
        case "gt": left > right
        case "ge": left >= right
        default: preconditionFailure("direction '\(direction)'")
        }
      return holds ? 1 : 0
    }
  }
  let results: [Int64] =
    if !a.type.dtype.isFloatingPoint {
      compare(a.orderedIntegers, b.orderedIntegers)
    } else if attributes.symbol(.order) == "total" {
      compare(totalOrder(a), totalOrder(b))
    } else {
      compare(a.floats, b.floats)
    }
  return Tensor(a.type.with(.i1), integers: results)
}

func selected(_ p: Tensor, _ a: Tensor, _ b: Tensor) -> Tensor {
  let size = a.type.dtype.byteCount
  var result = b
  for (index, holds) in p.bytes.enumerated() where holds != 0 {
    for byte in index * size..<(index + 1) * size { result.bytes[byte] = a.bytes[byte] }
  }
  return result
}

func converted(_ x: Tensor, to type: TensorType) -> Tensor {
  if x.type.dtype == type.dtype { return x }
  if x.type.dtype.isFloatingPoint { return Tensor(type, floats: x.floats) }
  if type.dtype == .f64 { return Tensor(type, floats: x.floats) }
  if type.dtype.isFloatingPoint {
    // Through binary64 rounded to nearest an integer would be rounded twice.
    return Tensor(
      type, floats: x.integers.map { x.type.dtype.roundedToOddNumber(ofBits: $0) })
  }
  if type.dtype == .i1 { return Tensor(type, integers: x.integers.map { $0 != 0 ? 1 : 0 }) }
  return Tensor(type, integers: x.integers)
}
