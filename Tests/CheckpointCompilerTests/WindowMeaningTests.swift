// What windows mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
    // Cumulative sums, from the first and to the last element; and truth values.
    func cumulated(_ low: Int, _ high: Int, _ kind: String, _ x: Tensor) throws -> [Double] {
      try result(
        .reduceWindow, [x],
        [.kind: .symbol(kind), .window: .ints([3]), .low: .ints([low]), .high: .ints([high])]
      ).floats
    }
    #expect(try cumulated(2, 0, "add", counting(.i64, [3])) == [1, 3, 6])
    #expect(try cumulated(0, 2, "add", counting(.bf16, [3])) == [6, 5, 3])
    #expect(try cumulated(2, 0, "xor", tensor(.i1, [1, 1, 1])) == [1, 0, 1])
    #expect(try cumulated(2, 0, "mul", tensor(.i1, [1, 0, 1])) == [1, 0, 0])
    // In the order of the scan: 1 vanishes beside 2^24 if that comes before -2^24 does.
    let sum = tensor(.bf16, [1, 0x1p24, -0x1p24])
    #expect(try cumulated(2, 0, "add", sum)[2] == 0)
    #expect(try cumulated(0, 2, "add", sum)[0] == 1)
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
