// What gather, scatter and their kin mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

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
