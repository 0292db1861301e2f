// Tensors: numbers in, the same numbers out.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
