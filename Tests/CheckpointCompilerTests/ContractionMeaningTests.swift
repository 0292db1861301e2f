// What contractions mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
