// What iota, constants and random numbers mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
