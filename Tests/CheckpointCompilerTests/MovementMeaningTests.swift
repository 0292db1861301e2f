// What ops that move elements mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
