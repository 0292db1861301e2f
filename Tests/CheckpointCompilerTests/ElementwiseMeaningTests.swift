// What elementwise ops mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct ElementwiseMeaningTests {
  private func unary(_ opcode: Opcode, _ dtype: DType, _ numbers: [Double]) throws -> [Double] {
    try result(opcode, [tensor(dtype, numbers)]).floats
  }
  private func binary(
    _ opcode: Opcode, _ dtype: DType, _ a: [Double], _ b: [Double]
  ) throws -> [Double] {
    try result(opcode, [tensor(dtype, a), tensor(dtype, b)]).floats
  }
  private func isNegativeZero(_ number: Double) -> Bool { number == 0 && number.sign == .minus }

  @Test func signs() throws {
    #expect(try unary(.abs, .f32, [-1.5, 2, -.infinity]) == [1.5, 2, .infinity])
    #expect(try unary(.negate, .f32, [1.5, -2]) == [-1.5, 2])
    #expect(isNegativeZero(try unary(.negate, .f32, [0])[0]))
    #expect(try unary(.sign, .f32, [-3, 5, 0]) == [-1, 1, 0])
    #expect(isNegativeZero(try unary(.sign, .f32, [-0.0])[0]))
    #expect(try unary(.sign, .f32, [.nan])[0].isNaN)
    #expect(try unary(.sign, .i32, [-3, 5, 0]) == [-1, 1, 0])
    let least = Double(Int32.min)
    #expect(try unary(.abs, .i32, [least, -4]) == [least, 4])
    #expect(try unary(.negate, .i32, [least, 4]) == [least, -4])
    #expect(try unary(.negate, .ui8, [1]) == [255])
  }

  @Test func rounding() throws {
    let numbers: [Double] = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]
    #expect(try unary(.floor, .f32, numbers) == [-3, -2, -1, 0, 1, 2])
    #expect(try unary(.ceil, .f32, numbers) == [-2, -1, 0, 1, 2, 3])
    #expect(isNegativeZero(try unary(.ceil, .f32, [-0.5])[0]))
    #expect(try unary(.roundNearestAfz, .f32, numbers) == [-3, -2, -1, 1, 2, 3])
    #expect(try unary(.roundNearestAfz, .f32, [0.5 - 0x1p-25, 8_388_609]) == [0, 8_388_609])
    #expect(try unary(.roundNearestEven, .f32, numbers) == [-2, -2, 0, 0, 2, 2])
    #expect(try unary(.isFinite, .f32, [1, .infinity, .nan, -.infinity]) == [1, 0, 0, 0])
  }

  @Test func transcendentalFunctions() throws {
    #expect(try unary(.exponential, .f64, [0, 1, -.infinity]) == [1, 2.718281828459045, 0])
    #expect(try unary(.exponential, .f32, [1]) == [Double(Float(2.718281828459045))])
    #expect(try unary(.exponential, .f32, [100]) == [.infinity])
    #expect(try unary(.exponential, .bf16, [1]) == [2.71875])
    #expect(try unary(.exponentialMinusOne, .f32, [1e-20]) == [Double(Float(1e-20))])
    #expect(try unary(.log, .f64, [1, 0]) == [0, -.infinity])
    #expect(try unary(.log, .f64, [-1])[0].isNaN)
    #expect(try unary(.logPlusOne, .f32, [1e-20]) == [Double(Float(1e-20))])
    #expect(try unary(.tanh, .f64, [0, 100]) == [0, 1])
    #expect(try unary(.logistic, .f32, [0, 200, -200]) == [0.5, 1, 0])
    #expect(try unary(.sqrt, .f32, [2, 9]) == [Double(Float(2).squareRoot()), 3])
    #expect(try unary(.rsqrt, .f32, [4, 0, -0.0]) == [0.5, .infinity, -.infinity])
    #expect(try unary(.sine, .f64, [0.5]) == [0.479425538604203])
    #expect(try unary(.cosine, .f64, [0.5]) == [0.8775825618903728])
    #expect(try unary(.erf, .f64, [0.5]) == [0.5204998778130465])
    #expect(try unary(.erfc, .f32, [10]) == [Double(Float(2.088487583762545e-45))])
    #expect(try unary(.cbrt, .f32, [-27, 8]) == [-3, 2])
    #expect(try unary(.tan, .f32, [1]) == [Double(Float(1.5574077246549023))])
    #expect(try unary(.asin, .f32, [1]) == [Double(Float(1.5707963267948966))])
    #expect(try unary(.acos, .f64, [-1]) == [Double.pi])
    #expect(try unary(.acos, .f64, [1.5])[0].isNaN)
    #expect(try unary(.atan, .f32, [-.infinity]) == [-Double(Float(1.5707963267948966))])
    #expect(try unary(.sinh, .f64, [1]) == [1.1752011936438014])
    #expect(try unary(.cosh, .bf16, [1]) == [1.546875])
    #expect(try unary(.asinh, .f32, [1e-20, 1e30])[0] == Double(Float(1e-20)))
    #expect(try unary(.acosh, .f32, [1, .infinity]) == [0, .infinity])
    #expect(try unary(.atanh, .f32, [1, -1]) == [.infinity, -.infinity])
    let half = Double(Float(1.5707963267948966))
    #expect(
      try binary(.atan2, .f32, [1, -1, 0, 0], [0, 0, 1, -1]) == [
        half, -half, 0, Double(Float(Double.pi)),
      ])
  }

  @Test func arithmetic() throws {
    #expect(try binary(.add, .f32, [1, 0x1p24], [2, 1]) == [3, 0x1p24])
    #expect(try binary(.add, .bf16, [1, 256], [0x1p-8, 1]) == [1, 256])
    #expect(try binary(.subtract, .f32, [1, .infinity], [3, 5]) == [-2, .infinity])
    #expect(try binary(.multiply, .f32, [1e30, 3], [1e30, 4]) == [.infinity, 12])
    #expect(try binary(.divide, .f32, [1, -1, 1], [4, 0, 3])[0..<2] == [0.25, -.infinity])
    #expect(try binary(.remainder, .f32, [5.5, -5.5], [2, 2]) == [1.5, -1.5])
    #expect(try binary(.power, .f64, [2, 9, 0], [10, 0.5, 0]) == [1024, 3, 1])
    #expect(try binary(.power, .f64, [-2], [0.5])[0].isNaN)
  }

  @Test func integerArithmeticWraps() throws {
    let (least, most) = (Double(Int32.min), Double(Int32.max))
    #expect(try binary(.add, .i32, [most], [1]) == [least])
    #expect(try binary(.subtract, .ui32, [0], [1]) == [Double(UInt32.max)])
    #expect(try binary(.multiply, .ui8, [16, 15], [16, 17]) == [0, 255])
    #expect(try binary(.divide, .i32, [-7, 7, 5, least], [2, -2, 0, -1]) == [-3, -3, -1, least])
    #expect(try binary(.divide, .ui32, [7, 7], [2, 0]) == [3, Double(UInt32.max)])
    #expect(try binary(.remainder, .i32, [-7, 7, 5, least], [2, -2, 0, -1]) == [-1, 1, 5, 0])
    #expect(
      try binary(.power, .i32, [3, -2, 2, 5, 1, -1], [4, 3, 0, -1, -5, -3])
        == [81, -8, 1, 0, 1, -1])
    let extremes = tensor(.i64, integers: [.max, .min])
    let ones = tensor(.i64, integers: [1, -1])
    #expect(try result(.add, [extremes, ones]).integers == [.min, .max])
    #expect(try result(.divide, [extremes, ones]).integers == [.max, .min])
  }

  @Test func largerAndSmaller() throws {
    let (a, b): ([Double], [Double]) = ([1, -0.0, 0, .nan, 1], [2, 0, -0.0, 1, .nan])
    let larger = try binary(.maximum, .f32, a, b)
    let smaller = try binary(.minimum, .f32, a, b)
    #expect(larger[0] == 2 && smaller[0] == 1)
    #expect(larger[1].sign == .plus && larger[2].sign == .plus)
    #expect(isNegativeZero(smaller[1]) && isNegativeZero(smaller[2]))
    for index in 3...4 { #expect(larger[index].isNaN && smaller[index].isNaN) }
    #expect(try binary(.maximum, .ui32, [Double(UInt32.max)], [1]) == [Double(UInt32.max)])
    #expect(try binary(.minimum, .i32, [-1], [1]) == [-1])
  }

  @Test func bits() throws {
    #expect(try binary(.and, .i32, [12, -1], [10, 7]) == [8, 7])
    #expect(try binary(.or, .ui8, [12], [10]) == [14])
    #expect(try binary(.xor, .i32, [12, -1], [10, 0]) == [6, -1])
    #expect(try unary(.not, .i32, [0, 5]) == [-1, -6])
    #expect(try unary(.not, .ui8, [0]) == [255])
    #expect(try unary(.not, .i1, [0, 1]) == [1, 0])
    let (a, b): ([Double], [Double]) = ([0, 0, 1, 1], [0, 1, 0, 1])
    for opcode in [Opcode.add, .or, .maximum] {
      #expect(try binary(opcode, .i1, a, b) == [0, 1, 1, 1])
    }
    for opcode in [Opcode.multiply, .and, .minimum] {
      #expect(try binary(opcode, .i1, a, b) == [0, 0, 0, 1])
    }
    #expect(try binary(.xor, .i1, a, b) == [0, 1, 1, 0])
  }

  @Test func comparisons() throws {
    let (a, b) = (tensor(.f32, [1, 2, 2, .nan, 0]), tensor(.f32, [2, 2, 1, .nan, -0.0]))
    let expected: [(String, [Double])] = [
      ("eq", [0, 1, 0, 0, 1]), ("ne", [1, 0, 1, 1, 0]), ("lt", [1, 0, 0, 0, 0]),
      ("le", [1, 1, 0, 0, 1]), ("gt", [0, 0, 1, 0, 0]), ("ge", [0, 1, 1, 0, 1]),
    ]
    for (direction, bits) in expected {
      let holds = try result(.compare, [a, b], [.direction: .symbol(direction)])
      #expect(holds.type == TensorType(.i1, [5]) && holds.floats == bits, "\(direction)")
    }
    let unsigned = [tensor(.ui32, [0xFFFF_FFFF]), tensor(.ui32, [1])]
    #expect(try result(.compare, unsigned, [.direction: .symbol("gt")]).floats == [1])
  }

  @Test func choices() throws {
    let p = tensor(.i1, [1, 0])
    #expect(
      try result(.select, [p, tensor(.bf16, [1, 2]), tensor(.bf16, [3, 4])]).floats == [1, 4])
    let clamped = try result(
      .clamp,
      [tensor(.f32, [0, 0, 0, 2]), tensor(.f32, [-1, 5, .nan, 0]), tensor(.f32, [1, 1, 1, 1])])
    #expect(clamped.floats[0..<2] == [0, 1] && clamped[2].isNaN && clamped[3] == 1)
  }

  @Test func conversions() throws {
    func converted(_ from: DType, _ numbers: [Double], to dtype: DType) throws -> [Double] {
      try result(.convert, [tensor(from, numbers)], type: TensorType(dtype, [numbers.count])).floats
    }
    #expect(
      try converted(.f32, [-1.9, 1.9, .nan, 1e10, -1e10], to: .i32)
        == [-1, 1, 0, Double(Int32.max), Double(Int32.min)])
    #expect(try converted(.f32, [-1, 255.9, 256, .infinity], to: .ui8) == [0, 255, 255, 255])
    #expect(try converted(.f32, [0, -0.0, 0.1, .nan], to: .i1) == [0, 0, 1, 1])
    #expect(try converted(.i1, [0, 1], to: .f32) == [0, 1])
    #expect(try converted(.f64, [1 + 0x1p-24, 1e300], to: .f32) == [1, .infinity])
    #expect(try converted(.i32, [16_777_217], to: .f32) == [16_777_216])
    #expect(try converted(.i32, [-5, 300, 255], to: .ui8) == [251, 44, 255])
    #expect(try converted(.i32, [-5, 200, 32_768], to: .i8) == [-5, -56, 0])
    #expect(try converted(.ui16, [40_000], to: .i16) == [-25_536])
    let extremes = tensor(.f64, [1e30, -1e30])
    #expect(try result(.convert, [extremes], type: TensorType(.i64, [2])).integers == [.max, .min])
  }
}
