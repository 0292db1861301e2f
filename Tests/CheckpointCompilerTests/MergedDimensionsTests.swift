import Testing

@testable import CheckpointCompiler

/// Loops on both sides of a merging of dimensions.
@Suite struct MergedDimensionsTests {
  /// The function with loops before mergings, folded; it gives the same whole numbers.
  private func moved(_ function: Function) throws -> Function {
    let result = try mergedDimensions.checked(on: function, largest: 2)
    #expect(mergedDimensions.run(result) == nil, "once is enough")
    return result
  }

  @Test func elementwiseOpsAndReductionsMove() throws {
    let result = try moved(
      try differentiatedStep(
        """
        func @main(%x: f32[2,3,4,2], %gain: f32[8], %other: f32[2,3,8]) -> (%y: f32[2,3,8], %s: f32[8], %all: f32) {
          %loop = multiply %x, %x
          %merged = reshape %loop : f32[2,3,8]
          %gains = broadcast_in_dim %gain {dims = [2]} : f32[2,3,8]
          %scaled = multiply %merged, %gains
          %y = maximum %scaled, 0.0
          %product = multiply %y, %other
          %s = reduce %product {kind = add, dims = [0, 1]}
          %rows = reduce %scaled {kind = max, dims = [1, 2]}
          %all = reduce %rows {kind = add, dims = [0]}
          return %y, %s, %all
        }
        """))
    #expect(result.resultShapes(.multiply).allSatisfy { $0 == [2, 3, 4, 2] })
    #expect(result.resultShapes(.maximum) == [[2, 3, 4, 2]])
    #expect(result.resultShapes(.reduce) == [[4, 2], [2], []])
    // The gain and the other factor before, the results after.
    #expect(
      result.resultShapes(.reshape).sorted { $0.count < $1.count } == [
        [8], [4, 2], [2, 3, 8], [2, 3, 4, 2],
      ])
  }

  @Test func whatOneOpReadsIsMadeInItsShape() throws {
    let result = try moved(
      try differentiatedStep(
        """
        func @main(%x: f32[6,4], %u: f32[24], %v: f32[24], %w: f32[24])
            -> (%y: f32[24], %z: f32[24]) {
          %loop = add %x, %x
          %merged = reshape %loop : f32[24]
          %alone = multiply %u, %v
          %shared = multiply %u, %w
          %a = add %merged, %alone
          %y = add %a, %shared
          %z = negate %shared
          return %y, %z
        }
        """))
    // `shared` stays for its other reader and is split for this one.
    #expect(result.resultShapes(.multiply).sorted { $0.count < $1.count } == [[24], [6, 4]])
    #expect(result.resultShapes(.add).allSatisfy { $0 == [6, 4] })
    #expect(result.resultShapes(.negate) == [[24]])
  }

  @Test func dimensionsOfOneElementStayInPlace() throws {
    let result = try moved(
      try differentiatedStep(
        """
        func @main(%x: f32[2,1,3,2], %b: f32[1,6], %c: f32[2]) -> (%y: f32[2,1,6,1]) {
          %loop = negate %x
          %merged = reshape %loop : f32[2,1,6,1]
          %wide = broadcast_in_dim %b {dims = [0, 2]} : f32[2,1,6,1]
          %rows = broadcast_in_dim %c {dims = [0]} : f32[2,1,6,1]
          %sum = add %merged, %wide
          %y = multiply %sum, %rows
          return %y
        }
        """))
    #expect(result.resultShapes(.add) == [[2, 1, 3, 2]])
    #expect(result.resultShapes(.broadcastInDim) == [[2, 1, 3, 2], [2, 1, 3, 2]])
  }

  @Test(arguments: [
    // A product leads nothing: its epilogue is written in its own shape.
    """
    func @main(%x: f32[2,3,5], %w: f32[5,8], %b: f32[2,24]) -> (%y: f32[2,24]) {
      %p = dot_general %x, %w {lhs_contract = [2], rhs_contract = [0]}
      %flat = reshape %p : f32[2,24]
      %y = add %flat, %b
      return %y
    }
    """,
    // Splitting is no merging, and a merging in front of a product needs no loop.
    """
    func @main(%x: f32[6,4], %w: f32[24,3]) -> (%y: f32[1,3], %z: f32[2,3,4]) {
      %loop = negate %x
      %split = reshape %loop : f32[2,3,4]
      %z = negate %split
      %flat = reshape %loop : f32[1,24]
      %y = dot_general %flat, %w {lhs_contract = [1], rhs_contract = [0]}
      return %y, %z
    }
    """,
    // Neither shape is a merging of the other.
    """
    func @main(%x: f32[6,4]) -> (%y: f32[8,3]) {
      %loop = negate %x
      %turned = reshape %loop : f32[8,3]
      %y = negate %turned
      return %y
    }
    """,
  ])
  func othersStayAsTheyAre(text: String) throws {
    #expect(mergedDimensions.run(try differentiatedStep(text)) == nil)
  }

  @Test func groupNormalizationIsOneKernel() throws {
    var sources = SourceMap()
    let text = """
      func @main(%x: f32[2,6,6,8], param %k: f32[3,3,8,8], param %g: f32[8], param %b: f32[8]) -> (loss %loss: f32) {
        %c = conv2d %x, %k {padding = 1}
        %n = group_norm %c, %g, %b {groups = 4}
        %r = relu %n
        %d = conv2d %r, %k {padding = 1}
        %s = multiply %d, %d
        %loss = reduce %s {kind = add, dims = [0, 1, 2, 3]}
        return %loss
      }
      """
    let compilation = try Compiler().compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    let function = try #require(compilation.step).function
    // From the first convolution to the second one there is one loop.
    let kernels: [Opcode] = function.opsInOrder.map { function.ops[$0].opcode }.filter {
      $0 == .convolution || $0 == .fusion
    }
    #expect(kernels.prefix(3) == [.convolution, .fusion, .convolution])
  }
}
