import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// The result of one op, through a function of its own.
func result(
  _ opcode: Opcode, _ operands: [Tensor], _ attributes: Attributes = [:],
  type: TensorType? = nil
) throws -> Tensor {
  var builder = FunctionBuilder(name: "f")
  let values = operands.map { builder.addArgument(name: "", type: $0.type) }
  let value = try builder.append(opcode, values, attributes, type: type)
  let function = builder.finish(returning: [value], as: [FunctionResult(name: "result")])
  return try interpret(function, arguments: operands)[0]
}

/// A vector, or a tensor of the given shape.
func tensor(_ dtype: DType, _ numbers: [Double], shape: [Int]? = nil) -> Tensor {
  Tensor(TensorType(dtype, shape ?? [numbers.count]), floats: numbers)
}

/// An integer vector, or a tensor of the given shape.
func tensor(_ dtype: DType, integers: [Int64], shape: [Int]? = nil) -> Tensor {
  Tensor(TensorType(dtype, shape ?? [integers.count]), integers: integers)
}

/// 1, 2, 3, … in a shape.
func counting(_ dtype: DType, _ shape: [Int]) -> Tensor {
  let type = TensorType(dtype, shape)
  return Tensor(type, integers: (0..<type.elementCount).map { Int64($0 + 1) })
}

@Suite struct TensorTests {
  @Test func readsWhatItWrites() {
    let numbers: [Double] = [0, 1, 2, 100]
    for dtype in DType.allCases where dtype != .i1 {
      #expect(tensor(dtype, numbers).floats == numbers, "\(dtype)")
      #expect(tensor(dtype, numbers).integers == [0, 1, 2, 100], "\(dtype)")
      #expect(tensor(dtype, numbers)[3] == 100)
      #expect(Tensor(TensorType(dtype, [3]), repeating: 7).floats == [7, 7, 7])
    }
    #expect(tensor(.i1, numbers).integers == [0, 1, 1, 1])
  }

  @Test func roundsBrainFloatsToNearestEven() {
    // 1 + 2^-8 lies between 1 and 1 + 2^-7: the even neighbour is 1; 1 + 3 * 2^-8 goes up.
    let x = tensor(.bf16, [1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-40, -0.0, 3.39e38, 0x1p-133])
    #expect(x.floats == [1, 1 + 0x1p-6, 1 + 0x1p-7, 0, 3.3895313892515355e38, 0x1p-133])
    #expect(x.bytes[6..<8] == [0, 0x80])
    #expect(tensor(.bf16, [3.5e38, -.infinity]).floats == [.infinity, -.infinity])
    #expect(tensor(.bf16, [.nan])[0].isNaN)
  }

  @Test func roundsHalfsToNearestEven() {
    let x = tensor(.f16, [1 + 0x1p-11, 1 + 0x3p-11, 65519, 65520, 0x1p-24, 0x1p-25, 0x3p-26, -1])
    #expect(x.floats == [1, 1 + 0x1p-9, 65504, .infinity, 0x1p-24, 0, 0x1p-24, -1])
    #expect(tensor(.f16, [.nan])[0].isNaN)
    for bits in 0..<UInt16(0x7C00) { #expect(half(of: double(ofHalf: bits)) == bits) }
  }

  @Test func roundsIntegersOnce() {
    // 2^24 + 1 is halfway between two f32; 2^53 + 1 would be rounded down on the way there.
    let large: Int64 = (1 << 53) + (1 << 29) + 1
    #expect(tensor(.f32, integers: [large])[0] == 0x1p53 + 0x1p30)
    let odd: Int64 = (1 << 60) + (1 << 52) + 1
    #expect(tensor(.bf16, integers: [odd])[0] == 0x1p60 + 0x1p53)
  }
}

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
    #expect(try converted(.i32, [-5, 300], to: .ui8) == [0, 255])
    let extremes = tensor(.f64, [1e30, -1e30])
    #expect(try result(.convert, [extremes], type: TensorType(.i64, [2])).integers == [.max, .min])
  }
}

@Suite struct GeneratorMeaningTests {
  @Test func constants() throws {
    let splat = try result(
      .constant, [], [.value: .constant(.splat([0, 0, 128, 63]))], type: TensorType(.f32, [2, 2]))
    #expect(splat.floats == [1, 1, 1, 1])
    let dense = try result(
      .constant, [], [.value: .constant(.dense([1, 2, 3]))], type: TensorType(.ui8, [3]))
    #expect(dense.floats == [1, 2, 3])
  }

  @Test func iotas() throws {
    let type = TensorType(.i32, [2, 3])
    #expect(try result(.iota, [], [.dim: .int(0)], type: type).floats == [0, 0, 0, 1, 1, 1])
    #expect(try result(.iota, [], [.dim: .int(1)], type: type).floats == [0, 1, 2, 0, 1, 2])
    let empty = try result(.iota, [], [.dim: .int(0)], type: TensorType(.f32, [0]))
    #expect(empty.floats.isEmpty)
  }

  /// The known answers of the authors' library (`kat_vectors`, philox4x32 with 10 rounds).
  @Test func knownAnswersOfPhilox() {
    let zero = philox4x32(counter: (0, 0, 0, 0), key: (0, 0))
    #expect(zero == (0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    let ones: UInt32 = 0xFFFF_FFFF
    let full = philox4x32(counter: (ones, ones, ones, ones), key: (ones, ones))
    #expect(full == (0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    let pi = philox4x32(
      counter: (0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344),
      key: (0xA409_3822, 0x299F_31D0))
    #expect(pi == (0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  @Test func layoutOfRandomNumbers() throws {
    let key = tensor(.ui32, [5, 9])
    let attributes: Attributes = [.distribution: .symbol("bits"), .stream: .int(3)]
    let words = try result(.random, [key], attributes, type: TensorType(.ui32, [130])).integers
    for (index, block, lane) in [(0, 0, 0), (1, 1, 0), (16, 0, 1), (63, 15, 3), (64, 16, 0)] {
      let four = philox4x32(counter: (UInt32(block), 0, 9, 0), key: (5, 3))
      #expect(words[index] == Int64([four.0, four.1, four.2, four.3][lane]))
    }
    let uniform = try result(
      .random, [key], [.distribution: .symbol("uniform"), .stream: .int(3)],
      type: TensorType(.f32, [130])
    ).floats
    #expect(uniform == words.map { Double($0 >> 8) / 16_777_216 })
    #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
  }
}

@Suite struct MovementMeaningTests {
  @Test func broadcasts() throws {
    let row = tensor(.f32, [1, 2, 3])
    let type = TensorType(.f32, [2, 3])
    #expect(
      try result(.broadcastInDim, [row], [.dims: .ints([1])], type: type).floats
        == [1, 2, 3, 1, 2, 3])
    let column = tensor(.f32, [1, 2], shape: [2, 1])
    #expect(
      try result(.broadcastInDim, [column], [.dims: .ints([0, 1])], type: type).floats
        == [1, 1, 1, 2, 2, 2])
    // Dimensions may change their order.
    let square = counting(.i32, [2, 3])
    #expect(
      try result(
        .broadcastInDim, [square], [.dims: .ints([1, 0])], type: TensorType(.i32, [3, 2])
      ).floats == [1, 4, 2, 5, 3, 6])
    let scalar = tensor(.f32, [7], shape: [])
    #expect(
      try result(.broadcastInDim, [scalar], [.dims: .ints([])], type: type).floats
        == Array(repeating: 7, count: 6))
  }

  @Test func permutations() throws {
    let x = counting(.i32, [2, 3])
    #expect(
      try result(.transpose, [x], [.dims: .ints([1, 0])]).floats == [1, 4, 2, 5, 3, 6])
    #expect(try result(.reshape, [x], type: TensorType(.i32, [3, 2])).floats == x.floats)
    #expect(try result(.reverse, [x], [.dims: .ints([1])]).floats == [3, 2, 1, 6, 5, 4])
    #expect(try result(.reverse, [x], [.dims: .ints([0, 1])]).floats == [6, 5, 4, 3, 2, 1])
    let cube = counting(.ui8, [2, 2, 2])
    #expect(
      try result(.transpose, [cube], [.dims: .ints([2, 0, 1])]).floats
        == [1, 3, 5, 7, 2, 4, 6, 8])
  }

  @Test func slices() throws {
    let x = counting(.i64, [3, 4])
    #expect(
      try result(
        .slice, [x],
        [.start: .ints([1, 0]), .limit: .ints([3, 4]), .strides: .ints([1, 3])]
      ).floats == [5, 8, 9, 12])
    let empty = try result(.slice, [x], [.start: .ints([1, 2]), .limit: .ints([1, 2])])
    #expect(empty.type.shape == [0, 0])
  }

  @Test func padding() throws {
    let zero = tensor(.f32, [0], shape: [])
    let x = tensor(.f32, [1, 2, 3])
    #expect(
      try result(
        .pad, [x, zero], [.low: .ints([1]), .high: .ints([2]), .interior: .ints([1])]
      ).floats == [0, 1, 0, 2, 0, 3, 0, 0])
    #expect(try result(.pad, [x, zero], [.low: .ints([-1])]).floats == [2, 3])
    #expect(try result(.pad, [x, zero], [.high: .ints([-2])]).floats == [1])
    #expect(
      try result(.pad, [x, zero], [.low: .ints([-1]), .interior: .ints([2])]).floats
        == [0, 0, 2, 0, 0, 3])
    // More is cut off than there is: only padding remains.
    #expect(
      try result(.pad, [x, zero], [.low: .ints([-4]), .high: .ints([3])]).floats == [0, 0])
    #expect(
      try result(
        .pad, [counting(.f32, [2, 2]), zero], [.low: .ints([0, 1]), .high: .ints([1, 0])]
      ).floats == [0, 1, 2, 0, 3, 4, 0, 0, 0])
    let nothing = tensor(.f32, [], shape: [0])
    #expect(try result(.pad, [nothing, zero], [.low: .ints([2])]).floats == [0, 0])
  }

  @Test func concatenation() throws {
    let (a, b) = (counting(.f32, [2, 1]), counting(.f32, [2, 2]))
    #expect(try result(.concatenate, [a, b], [.dim: .int(1)]).floats == [1, 1, 2, 2, 3, 4])
    let empty = tensor(.f32, [], shape: [0, 2])
    #expect(try result(.concatenate, [b, empty, b], [.dim: .int(0)]).floats == b.floats + b.floats)
    #expect(try result(.concatenate, [b], [.dim: .int(0)]).floats == b.floats)
  }
}

@Suite struct ContractionMeaningTests {
  @Test func reductions() throws {
    func reduced(_ x: Tensor, _ kind: String, _ dims: [Int]) throws -> [Double] {
      try result(.reduce, [x], [.kind: .symbol(kind), .dims: .ints(dims)]).floats
    }
    let x = counting(.f32, [2, 3])
    #expect(try reduced(x, "add", [0]) == [5, 7, 9])
    #expect(try reduced(x, "add", [1]) == [6, 15])
    #expect(try reduced(x, "add", [1, 0]) == [21])
    #expect(try reduced(x, "add", []) == x.floats)
    #expect(try reduced(x, "mul", [1]) == [6, 120])
    #expect(try reduced(x, "max", [0, 1]) == [6])
    #expect(try reduced(x, "min", [0]) == [1, 2, 3])
    #expect(try reduced(tensor(.f32, [1, .nan, 3]), "max", [0])[0].isNaN)
    #expect(try reduced(tensor(.f32, [-0.0, 0]), "min", [0])[0].sign == .minus)
    // Neutral elements, where nothing is combined.
    let empty = tensor(.f32, [], shape: [0, 2])
    #expect(try reduced(empty, "add", [0]) == [0, 0])
    #expect(try reduced(empty, "max", [0]) == [-.infinity, -.infinity])
    #expect(try reduced(tensor(.i32, [], shape: [0]), "min", [0]) == [Double(Int32.max)])
    #expect(try reduced(tensor(.ui8, [], shape: [0]), "and", [0]) == [255])
    #expect(try reduced(tensor(.i1, [1, 0, 1]), "and", [0]) == [0])
    #expect(try reduced(tensor(.i1, [1, 0, 1]), "or", [0]) == [1])
    #expect(try reduced(tensor(.i32, [6, 3]), "and", [0]) == [2])
    // bf16 accumulates in f32: 256 ones on top of 256 would vanish one by one.
    #expect(
      try reduced(tensor(.bf16, [256] + Array(repeating: 1, count: 256)), "add", [0]) == [512])
  }

  @Test func products() throws {
    let (a, b) = (counting(.f32, [2, 3]), counting(.f32, [3, 2]))
    #expect(
      try result(
        .dotGeneral, [a, b], [.lhsContract: .ints([1]), .rhsContract: .ints([0])]
      ).floats == [22, 28, 49, 64])
    // Outer product, inner product, and batches in the middle.
    let v = counting(.f32, [2])
    #expect(try result(.dotGeneral, [v, v]).floats == [1, 2, 2, 4])
    #expect(
      try result(
        .dotGeneral, [v, v], [.lhsContract: .ints([0]), .rhsContract: .ints([0])]
      ).floats == [5])
    let x = counting(.i32, [2, 2, 3])
    let y = counting(.i32, [2, 3, 2])
    let batched = try result(
      .dotGeneral, [x, y],
      [
        .lhsBatch: .ints([1]), .rhsBatch: .ints([2]), .lhsContract: .ints([2]),
        .rhsContract: .ints([1]),
      ])
    // result[b, i, j] = sum over k of x[i, b, k] * y[j, k, b]
    #expect(batched.type.shape == [2, 2, 2])
    #expect(batched.floats == [22, 58, 76, 220, 64, 154, 136, 334])
    let none = tensor(.f32, [], shape: [2, 0])
    #expect(
      try result(
        .dotGeneral, [none, none], [.lhsContract: .ints([1]), .rhsContract: .ints([1])]
      ).floats == [0, 0, 0, 0])
  }

  private func convolved(
    _ x: Tensor, _ w: Tensor, _ numbers: String, _ window: Attributes = [:]
  ) throws -> Tensor {
    var attributes = window
    attributes[.dimNumbers] = .string(numbers)
    return try result(.convolution, [x, w], attributes)
  }

  @Test func convolutionsAlongALine() throws {
    let x = tensor(.f32, [1, 2, 3, 4], shape: [1, 1, 4])
    let w = tensor(.f32, [10, 1], shape: [1, 1, 2])
    let line = "bf0_oi0->bf0"
    #expect(try convolved(x, w, line).floats == [12, 23, 34])
    #expect(try convolved(x, w, line, [.strides: .ints([2])]).floats == [12, 34])
    #expect(
      try convolved(x, w, line, [.low: .ints([1]), .high: .ints([1])]).floats
        == [1, 12, 23, 34, 40])
    #expect(
      try convolved(x, w, line, [.low: .ints([-1]), .high: .ints([1])]).floats == [23, 34, 40])
    #expect(
      try convolved(x, w, line, [.lhsDilation: .ints([2])]).floats == [10, 2, 20, 3, 30, 4])
    #expect(try convolved(x, w, line, [.rhsDilation: .ints([2])]).floats == [13, 24])
    #expect(try convolved(x, w, line, [.windowReversal: .ints([1])]).floats == [21, 32, 43])
    // A window longer than the line has no place.
    let long = tensor(.f32, [1, 1, 1, 1, 1], shape: [1, 1, 5])
    #expect(try convolved(x, long, line).type.shape == [1, 1, 0])
  }

  @Test func convolutionsWithFeatures() throws {
    // Two pixels with two features each, a 1x1 kernel from 2 to 3 features.
    let x = tensor(.f32, [1, 2, 3, 4], shape: [1, 2, 1, 2])
    let w = tensor(.f32, [1, 2, 3, 4, 5, 6], shape: [1, 1, 2, 3])
    #expect(try convolved(x, w, "b01f_01io->b01f").floats == [9, 12, 15, 19, 26, 33])
    // The same with other dimension orders: features first in the result.
    #expect(try convolved(x, w, "b01f_01io->fb01").floats == [9, 19, 12, 26, 15, 33])
    // No spatial dimension: a matrix product.
    let a = counting(.i32, [2, 3])
    let b = counting(.i32, [3, 2])
    #expect(try convolved(a, b, "bf_io->bf").floats == [22, 28, 49, 64])
  }

  @Test func groupedConvolutions() throws {
    // Two groups of one feature, two output features each.
    let x = tensor(.f32, [1, 10], shape: [1, 2, 1])
    let w = tensor(.f32, [1, 2, 3, 4], shape: [4, 1, 1])
    #expect(
      try convolved(x, w, "bf0_oi0->bf0", [.featureGroups: .int(2)]).floats == [1, 2, 30, 40])
    // Two groups of the batch: the outputs of the second group see the second half of it.
    let batch = tensor(.f32, [1, 2, 10, 20], shape: [4, 1, 1])
    let pair = tensor(.f32, [1, 3], shape: [2, 1, 1])
    let grouped = try convolved(batch, pair, "bf0_oi0->bf0", [.batchGroups: .int(2)])
    #expect(grouped.type.shape == [2, 2, 1])
    #expect(grouped.floats == [1, 30, 2, 60])
  }
}

@Suite struct WindowMeaningTests {
  @Test func pooling() throws {
    let x = counting(.f32, [4, 4])
    func pooled(_ kind: String, _ attributes: Attributes) throws -> Tensor {
      var attributes = attributes
      attributes[.kind] = .symbol(kind)
      return try result(.reduceWindow, [x], attributes)
    }
    let halves: Attributes = [.window: .ints([2, 2]), .strides: .ints([2, 2])]
    #expect(try pooled("max", halves).floats == [6, 8, 14, 16])
    #expect(try pooled("add", halves).floats == [14, 22, 46, 54])
    #expect(
      try pooled(
        "min", [.window: .ints([1, 2]), .strides: .ints([3, 2]), .low: .ints([0, 1])]
      ).floats == [1, 2, 13, 14])
    #expect(
      try pooled(
        "add",
        [.window: .ints([2, 1]), .strides: .ints([1, 4]), .windowDilation: .ints([3, 1])]
      ).floats == [14])
    let line = tensor(.i32, [1, 2], shape: [2])
    #expect(
      try result(
        .reduceWindow, [line],
        [
          .kind: .symbol("mul"), .window: .ints([2]), .baseDilation: .ints([2]),
          .low: .ints([1]), .high: .ints([1]),
        ]
      ).floats == [1, 1, 2, 2])
    // A window that lies in the padding gives the neutral element.
    #expect(
      try result(
        .reduceWindow, [tensor(.f32, [5])],
        [.kind: .symbol("max"), .window: .ints([1]), .low: .ints([1])]
      ).floats == [-.infinity, 5])
  }

  @Test func scatteringToTheSelected() throws {
    let x = tensor(.f32, [1, 5, 5, 2, 0, 3], shape: [2, 3])
    let source = tensor(.f32, [10, 20], shape: [1, 2])
    let attributes: Attributes = [.direction: .symbol("ge"), .window: .ints([2, 2])]
    // Both windows see a 5; of two equal elements the first is selected.
    #expect(try result(.selectAndScatter, [x, source], attributes).floats == [0, 30, 0, 0, 0, 0])
    var smallest = attributes
    smallest[.direction] = .symbol("le")
    #expect(try result(.selectAndScatter, [x, source], smallest).floats == [0, 0, 0, 0, 30, 0])
    // What lies wholly in the padding goes nowhere.
    let padded: Attributes = [
      .direction: .symbol("ge"), .window: .ints([1]), .low: .ints([1]), .high: .ints([1]),
    ]
    #expect(
      try result(.selectAndScatter, [tensor(.i32, [7]), tensor(.i32, [1, 2, 3])], padded).floats
        == [2])
  }
}

@Suite struct IndexedMeaningTests {
  @Test func gatheringRows() throws {
    let table = counting(.f32, [3, 2])
    let rows = try result(
      .gather, [table, tensor(.i32, [2, 0, 7, -1])],
      [
        .offsetDims: .ints([1]), .collapsedSliceDims: .ints([0]), .startIndexMap: .ints([0]),
        .indexVectorDim: .int(1), .sliceSizes: .ints([1, 2]),
      ])
    // Places outside are clamped to the last and the first row.
    #expect(rows.type.shape == [4, 2] && rows.floats == [5, 6, 1, 2, 5, 6, 1, 2])
  }

  @Test func gatheringBlocks() throws {
    let x = counting(.i32, [3, 4])
    // Without index_vector_dim, dimension 0 of the indices holds the vectors: (0, 1) and (9, 9).
    let blocks = try result(
      .gather, [x, tensor(.i64, [0, 9, 1, 9], shape: [2, 2])],
      [.offsetDims: .ints([0, 2]), .startIndexMap: .ints([0, 1]), .sliceSizes: .ints([2, 2])])
    #expect(blocks.type.shape == [2, 2, 2])
    #expect(blocks.floats == [2, 3, 7, 8, 6, 7, 11, 12])
    // The map says which dimension an entry is about.
    let swapped = try result(
      .gather, [x, tensor(.ui8, [3, 2], shape: [2])],
      [
        .collapsedSliceDims: .ints([0, 1]), .startIndexMap: .ints([1, 0]),
        .sliceSizes: .ints([1, 1]),
      ])
    #expect(swapped.type.shape == [] && swapped.floats == [12])
  }

  @Test func scatteringRows() throws {
    let attributes: Attributes = [
      .updateWindowDims: .ints([1]), .insertedWindowDims: .ints([0]), .scatterDims: .ints([0]),
      .indexVectorDim: .int(1),
    ]
    func scattered(_ kind: String, _ indices: [Double]) throws -> [Double] {
      var attributes = attributes
      attributes[.kind] = .symbol(kind)
      let updates = counting(.f32, [indices.count, 2])
      return try result(
        .scatter,
        [Tensor(TensorType(.f32, [2, 2]), repeating: 10), tensor(.i32, indices), updates],
        attributes
      ).floats
    }
    #expect(try scattered("add", [1, 0, 1]) == [13, 14, 16, 18])
    #expect(try scattered("set", [0, 0]) == [3, 4, 10, 10])
    #expect(try scattered("max", [1]) == [10, 10, 10, 10])
    #expect(try scattered("mul", [1]) == [10, 10, 10, 20])
    // What does not lie inside is dropped, never clamped.
    #expect(try scattered("add", [2, -1, 0]) == [15, 16, 10, 10])
  }

  @Test func scatteringBlocks() throws {
    let x = Tensor(zeros: TensorType(.i32, [3, 3]))
    let attributes: Attributes = [
      .kind: .symbol("add"), .updateWindowDims: .ints([0, 1]), .scatterDims: .ints([0, 1]),
    ]
    let block = counting(.i32, [2, 2])
    #expect(
      try result(.scatter, [x, tensor(.i32, [1, 0]), block], attributes).floats
        == [0, 0, 0, 1, 2, 0, 3, 4, 0])
    // A window that lies partly outside is dropped as a whole.
    #expect(
      try result(.scatter, [x, tensor(.i32, [2, 0]), block], attributes).floats
        == Array(repeating: 0, count: 9))
  }

  @Test func roundsEveryCombination() throws {
    // In f32, 1 vanishes beside 2^24 each time; a sum that is rounded once would keep both.
    let scattered = try result(
      .scatter,
      [tensor(.f32, [0x1p24]), tensor(.i32, [0, 0], shape: [2, 1]), tensor(.f32, [1, 1])],
      [
        .kind: .symbol("add"), .insertedWindowDims: .ints([0]), .scatterDims: .ints([0]),
        .indexVectorDim: .int(1),
      ])
    #expect(scattered.floats == [0x1p24])
  }
}

@Suite struct StructureMeaningTests {
  private let scalar = TensorType(.f32)

  @Test func regionsRunInPlace() throws {
    var builder = FunctionBuilder(name: "f")
    let x = builder.addArgument(name: "x", type: scalar)
    builder.beginRegion()
    let y = builder.emit(.add, [x, x])
    builder.beginRegion()
    let z = builder.emit(.multiply, [y, x])
    let inner = builder.endRegion(.fusion, yielding: [z])
    let outer = builder.endRegion(.noGrad, yielding: [inner[0], y])
    builder.beginRegion()
    let again = builder.emit(.subtract, [outer[0], outer[1]])
    let last = builder.endRegion(.recompute, yielding: [again])
    let function = builder.finish(
      returning: [last[0], x], as: [FunctionResult(name: "a"), FunctionResult(name: "b")])
    let results = try interpret(function, arguments: [tensor(.f32, [3], shape: [])])
    #expect(results.map { $0[0] } == [12, 3])
  }

  @Test func callsGoThroughTheModule() throws {
    var callee = FunctionBuilder(name: "swap")
    let a = callee.addArgument(name: "a", type: scalar)
    let b = callee.addArgument(name: "b", type: scalar)
    let results = [FunctionResult(name: "x"), FunctionResult(name: "y")]
    let swap = callee.finish(returning: [b, a], as: results)
    var caller = FunctionBuilder(name: "main")
    let c = caller.addArgument(name: "c", type: scalar)
    let d = caller.addArgument(name: "d", type: scalar)
    let call = caller.appendUnchecked(
      .call, [c, d], [.callee: .function("swap")], types: [scalar, scalar])
    let main = caller.finish(
      returning: Array(caller.function.results(of: call)), as: results)
    let module = Module(functions: [swap, main], entryName: "main")
    let arguments = [tensor(.f32, [1], shape: []), tensor(.f32, [2], shape: [])]
    #expect(try interpret(main, in: module, arguments: arguments) == arguments.reversed())
    #expect(throws: InterpreterError.self) { try interpret(main, arguments: arguments) }
  }

  @Test func argumentsMustFit() throws {
    var builder = FunctionBuilder(name: "f")
    let x = builder.addArgument(name: "x", type: scalar)
    let function = builder.finish(returning: [x], as: [FunctionResult(name: "y")])
    #expect(throws: InterpreterError.self) { try interpret(function, arguments: []) }
    #expect(throws: InterpreterError.self) {
      try interpret(function, arguments: [tensor(.f32, [1, 2])])
    }
  }

  @Test func randomOpsWithoutStreamDiffer() throws {
    var builder = FunctionBuilder(name: "f")
    let key = builder.addArgument(name: "key", type: TensorType(.ui32, [2]))
    let attributes: Attributes = [.distribution: .symbol("bits")]
    let values = (0..<2).map { _ in
      builder.emit(.random, [key], attributes, type: TensorType(.ui32, [4]))
    }
    let function = builder.finish(
      returning: values, as: [FunctionResult(name: "a"), FunctionResult(name: "b")])
    let results = try interpret(function, arguments: [tensor(.ui32, [1, 2])])
    #expect(results[0] != results[1])
  }
}
