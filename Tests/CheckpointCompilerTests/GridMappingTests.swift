import Testing

@testable import CheckpointCompiler

/// The launches of the kernel of an op.
private func launches(_ body: String, of signature: String) throws -> [GridLaunch] {
  let text = "func @main\(signature) {\n\(body)\n}\n"
  var sources = SourceMap()
  let compilation = try Compiler(options: CompileOptions(target: .cuda(), lastStage: .code))
    .compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
  let functions = try #require(compilation.program).functions
  return functions.flatMap { function -> [GridLaunch] in
    if case .grid(let grid) = function.body { grid.launches } else { [] }
  }
}

/// The extents that the threads of every launch are spread over.
private func threads(_ body: String, of signature: String) throws -> [[Int]] {
  try launches(body, of: signature).map { launch in
    guard case .map(let map) = launch else { return [] }
    return map.dims.map(\.extent)
  }
}

@Suite struct GridMappingTests {
  /// Every element of a gather has a thread.
  @Test func gathersRunOnAllThreads() throws {
    let extents = try threads(
      """
        %y = gather %x, %i {offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1, slice_sizes = [1, 7]}
        return %y
      """, of: "(%x: f32[9,7], %i: i32[5]) -> f32[5,7]")
    #expect(extents == [[5, 7]])
  }

  /// Updates of one row follow each other in one thread; its columns have threads of their own.
  @Test func scattersKeepTheirOrder() throws {
    let extents = try threads(
      """
        %y = scatter %x, %i, %u {kind = add, update_window_dims = [1], inserted_window_dims = [0], scatter_dims = [0], index_vector_dim = 1}
        return %y
      """, of: "(%x: f32[9,7], %i: i32[5], %u: f32[5,7]) -> f32[9,7]")
    #expect(extents == [[63], [7]])
  }

  /// Windows that may lie over each other along the dimension that is indexed share elements.
  @Test func overlappingWindowsRunOnOneThread() throws {
    let extents = try threads(
      """
        %y = scatter %x, %i, %u {kind = add, update_window_dims = [1], scatter_dims = [0], index_vector_dim = 1}
        return %y
      """, of: "(%x: f32[9], %i: i32[5], %u: f32[5,3]) -> f32[9]")
    #expect(extents == [[9], []])
  }

  /// A running sum goes along its dimension in one thread.
  @Test func scansGoAlongTheirDimension() throws {
    let extents = try threads(
      """
        %y = reduce_window %x {kind = add, window = [6, 1], low = [5, 0]}
        return %y
      """, of: "(%x: f32[6,4]) -> f32[6,4]")
    #expect(extents == [[4]])
  }

  /// The windows of one plane and channel may choose the same element.
  @Test func selectionsKeepThePlanesApart() throws {
    let extents = try threads(
      """
        %y = select_and_scatter %x, %s {direction = ge, window = [1, 2, 1], strides = [1, 1, 1]}
        return %y
      """, of: "(%x: f32[3,5,4], %s: f32[3,4,4]) -> f32[3,5,4]")
    #expect(extents == [[60], [3, 4]])
  }
}

@Suite struct GridReductionTests {
  private func shape(_ domain: [Int], _ reduced: [Int]) -> GridReductionShape {
    GridReductionShape(LoopFrame(domain: domain, reduced: reduced))
  }

  @Test func rowsHaveBlocksOfTheirOwn() {
    let rows = shape([4096, 1024], [1])
    #expect(!rows.isAcross)
    #expect((rows.columns, rows.walkers, rows.parts) == (1, 256, 1))
    let short = shape([4096, 5], [1])
    #expect((short.columns, short.walkers) == (32, 8))
  }

  @Test func columnsAreReadSideBySide() {
    let columns = shape([64, 4096], [0])
    #expect(columns.isAcross)
    #expect((columns.columns, columns.walkers, columns.parts) == (32, 8, 1))
  }

  @Test(arguments: [([1 << 20, 64], [0]), ([1 << 22], [0]), ([8, 1 << 18], [1])])
  func fewSumsAreCutIntoParts(_ domain: [Int], _ reduced: [Int]) {
    let shape = shape(domain, reduced)
    #expect(shape.parts > 1 && shape.parts <= 64)
    #expect(shape.partSize % shape.walkers == 0)
    #expect(shape.partSize * shape.parts >= shape.walkCount)
    #expect(shape.partSize * (shape.parts - 1) < shape.walkCount)
  }

  /// The scratch that is planned is what the kernel is lowered with.
  @Test func scratchIsPlanned() throws {
    let found = try launches(
      """
        %m = reduce %x {kind = max, dims = [0]}
        %n = broadcast_in_dim %m {dims = [1]} : f32[100000,3]
        %d = subtract %x, %n
        %s = reduce %d {kind = add, dims = [0]}
        return %s, %d
      """, of: "(%x: f32[100000,3]) -> (f32[3], f32[100000,3])")
    #expect(found.count >= 3)
    for case .reduction(let reduction) in found {
      #expect(reduction.shape.parts > 1)
    }
  }
}
