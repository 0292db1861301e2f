// What ops on the bits of numbers mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct BitMeaningTests {
  private func shifted(
    _ opcode: Opcode, _ dtype: DType, _ a: [Int64], _ b: [Int64]
  ) throws -> [Int64] {
    try result(opcode, [tensor(dtype, integers: a), tensor(dtype, integers: b)]).integers
  }

  @Test func shifts() throws {
    #expect(
      try shifted(.shiftLeft, .i8, [1, -1, 3, 5, 5], [7, 1, 8, -1, 0]) == [-128, -2, 0, 0, 5])
    #expect(try shifted(.shiftLeft, .ui16, [0x8001, 1], [1, 16]) == [2, 0])
    #expect(try shifted(.shiftLeft, .i64, [1, 1], [63, 64]) == [.min, 0])
    #expect(try shifted(.shiftRightLogical, .i8, [-1, -128, -1], [4, 7, 8]) == [15, 1, 0])
    #expect(try shifted(.shiftRightLogical, .i64, [-1], [1]) == [.max])
    #expect(try shifted(.shiftRightLogical, .ui32, [0xFFFF_FFFF, 9], [31, 32]) == [1, 0])
    #expect(
      try shifted(.shiftRightArithmetic, .i32, [-8, 8, -8, 8, -8], [1, 1, 99, 99, -1])
        == [-4, 4, -1, 0, -1])
    // The upper bit fills in where it is no sign as well.
    #expect(try shifted(.shiftRightArithmetic, .ui8, [0x80, 0x40], [3, 3]) == [0xF0, 8])
  }

  @Test func counts() throws {
    func counted(_ opcode: Opcode, _ dtype: DType, _ numbers: [Int64]) throws -> [Int64] {
      try result(opcode, [tensor(dtype, integers: numbers)]).integers
    }
    #expect(try counted(.popcnt, .i8, [-1, 0, 5]) == [8, 0, 2])
    #expect(try counted(.popcnt, .ui64, [-1, 1 << 40]) == [64, 1])
    #expect(try counted(.countLeadingZeros, .i16, [0, 1, -1, 255]) == [16, 15, 0, 8])
    #expect(try counted(.countLeadingZeros, .i64, [0, 1, .min]) == [64, 63, 0])
  }

  @Test func totalOrder() throws {
    // -NaN < -infinity < -1 < -0 < 0 < 1 < infinity < NaN, by their bits.
    for (dtype, hex) in [
      (
        DType.f32,
        [
          0xFFC0_0000, 0xFF80_0000, 0xBF80_0000, 0x8000_0000, 0, 0x3F80_0000,
          0x7F80_0000, 0x7FC0_0000,
        ] as [Int64]
      ),
      (.bf16, [0xFFC0, 0xFF80, 0xBF80, 0x8000, 0, 0x3F80, 0x7F80, 0x7FC0]),
      (.f16, [0xFE00, 0xFC00, 0xBC00, 0x8000, 0, 0x3C00, 0x7C00, 0x7E00]),
    ] {
      let bits = Tensor(TensorType(dtype.bits, [8]), integers: hex)
      let numbers = Tensor(TensorType(dtype, [8]), bytes: bits.bytes)
      let size = dtype.byteCount
      let low = Tensor(TensorType(dtype, [7]), bytes: Array(numbers.bytes.dropLast(size)))
      let high = Tensor(TensorType(dtype, [7]), bytes: Array(numbers.bytes.dropFirst(size)))
      for (direction, holds) in [("lt", 1.0), ("ge", 0), ("eq", 0), ("ne", 1)] {
        let compared = try result(
          .compare, [low, high], [.direction: .symbol(direction), .order: .symbol("total")])
        #expect(compared.floats == Array(repeating: holds, count: 7), "\(dtype.name) \(direction)")
      }
    }
  }

  @Test func precision() throws {
    func reduced(
      _ numbers: [Double], _ exponent: Int, _ mantissa: Int, _ dtype: DType = .f32
    ) throws -> [Double] {
      try result(
        .reducePrecision, [tensor(dtype, numbers)],
        [.exponentBits: .int(exponent), .mantissaBits: .int(mantissa)]
      ).floats
    }
    // As f16, but for what lies below its normal range.
    #expect(
      try reduced([1.0004, 1.00049, 65_504, 65_520, -1e-5, 0x1p-14], 5, 10)
        == [1, 1.0009765625, 65_504, .infinity, 0, 0x1p-14])
    #expect(try reduced([3, 5, 6, 7], 8, 0) == [2, 4, 8, 8])
    #expect(try reduced([.nan], 5, 10)[0].isNaN)
    let edges = try reduced([.nan, .infinity], 8, 0)
    #expect(edges[0].isNaN && edges[1] == .infinity)
    #expect(try reduced([0x1p-140, 1 + 0x1p-23], 8, 23) == [0x1p-140, 1 + 0x1p-23])
    #expect(try reduced([1e300, 1.7], 8, 23, .f64) == [.infinity, Double(Float(1.7))])
    #expect(try reduced([1.75, 448, 480], 4, 2, .bf16) == [1.75, .infinity, .infinity])
  }

  @Test func sameBits() throws {
    func cast(_ x: Tensor, _ type: TensorType) throws -> Tensor {
      try result(.bitcastConvert, [x], type: type)
    }
    #expect(
      try cast(tensor(.f32, [1, -0.0]), TensorType(.i32, [2])).integers
        == [0x3F80_0000, Int64(Int32.min)])
    #expect(try cast(tensor(.ui16, [0x3C00]), TensorType(.f16, [1])).floats == [1])
    let parts = try cast(
      tensor(.ui64, integers: [0x0102_0304_0506_0708]), TensorType(.ui16, [1, 4]))
    #expect(parts.integers == [0x0708, 0x0506, 0x0304, 0x0102])
    #expect(try cast(parts, TensorType(.ui64, [1])).integers == [0x0102_0304_0506_0708])
    #expect(throws: (any Error).self) { try cast(tensor(.f32, [1]), TensorType(.i64, [1])) }
  }
}
