import Testing

@testable import CheckpointCompiler

/// A product of matrices.
private func product(_ m: Int, _ n: Int, _ k: Int, lhsContract: Int = 1) -> OpSignature {
  OpSignature(
    opcode: .dotGeneral,
    operandTypes: [
      TensorType(.f32, lhsContract == 1 ? [m, k] : [k, m]), TensorType(.f32, [k, n]),
    ],
    attributes: DotDimensions(lhsContract: [lhsContract], rhsContract: [0]).attributes)
}

/// A convolution along two axes.
func convolution(
  _ x: [Int], _ w: [Int], _ numbers: String, padding: [Int], strides: [Int] = [1, 1],
  rhsDilation: [Int] = [1, 1], lhsDilation: [Int] = [1, 1], reversal: [Int] = [0, 0]
) -> OpSignature {
  var window = ConvolutionWindow([:], spatialRank: 2)
  (window.low, window.high) = (padding, padding)
  (window.strides, window.rhsDilation) = (strides, rhsDilation)
  (window.lhsDilation, window.reversal) = (lhsDilation, reversal)
  return OpSignature(
    opcode: .convolution, operandTypes: [TensorType(.f32, x), TensorType(.f32, w)],
    attributes: window.attributes(ConvolutionDimensions(numbers)!))
}

func contraction(_ signature: OpSignature) throws -> Contraction {
  Contraction(signature, result: try signature.opcode.definition.typeRule(signature))!
}

/// A contraction of whole numbers from -4 to 4.
func wholeNumbered(
  _ signature: OpSignature, _ generator: inout SeededGenerator
) throws -> CompiledContractions.Case {
  let operands = signature.operandTypes.map { type in
    Tensor(
      type, integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: 9)) - 4 })
  }
  return try contraction(signature.opcode, operands, signature.attributes)
}

@Suite struct InPlaceRowsTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  private func layouts(_ signature: OpSignature) throws -> Set<Blocking.Layout> {
    let contraction = try contraction(signature)
    return Set(contraction.parts.map { $0.rowLayout(contraction.dtypes) })
  }

  @Test func windowsOverChannelsAreReadAlongTheDepth() throws {
    let forward = "b01f_01io->b01f"
    #expect(
      try layouts(convolution([2, 16, 16, 32], [3, 3, 32, 32], forward, padding: [1, 1]))
        == [.alongInPlace])
    // Rows 4096 bytes apart would drive out each other.
    #expect(
      try layouts(convolution([2, 16, 16, 1024], [3, 3, 1024, 32], forward, padding: [1, 1]))
        == [.along])
    #expect(
      try layouts(
        convolution(
          [2, 16, 16, 32], [3, 3, 24, 32], "b01f_01oi->b01f", padding: [2, 2],
          lhsDilation: [2, 2], reversal: [1, 1])) == [.alongInPlace])
  }

  @Test func kernelGradientsAreReadAcross() throws {
    let gradient = "f01b_i01o->01bf"
    #expect(
      try layouts(convolution([2, 16, 16, 32], [2, 16, 16, 8], gradient, padding: [1, 1]))
        == [.acrossInPlace])
    // Three channels are a tile, five are none.
    for (channels, layout) in [(3, Blocking.Layout.acrossInPlace), (5, .across)] {
      let signature = convolution(
        [2, 16, 16, channels], [2, 16, 16, 8], gradient, padding: [1, 1])
      #expect(try layouts(signature) == [layout])
    }
    #expect(try layouts(product(96, 64, 500, lhsContract: 0)) == [.acrossInPlace])
  }

  @Test func rowsInPlaceTakeNoScratch() throws {
    let signature = convolution(
      [2, 16, 16, 32], [5, 5, 32, 32], "b01f_01io->b01f", padding: [2, 2])
    for threads in [1, 2, 16] {
      #expect(scratchBytes(for: try contraction(signature), target: .cpu(threadsMax: threads)) == 0)
    }
  }

  @Test func layoutDoesNotDependOnThreads() throws {
    let contraction = try contraction(
      convolution([1, 40, 32, 1000], [1, 5, 1000, 64], "b01f_01io->b01f", padding: [0, 2]))
    let blockings = [1, 2, 7].map {
      contraction.parts[0].blocking(contraction.dtypes, .cpu(threadsMax: $0))
    }
    #expect(Set(blockings.map(\.layout)) == [.alongInPlace])
    // 5000 deep is cut in two, in the middle of a tap.
    #expect(Set(blockings.map(\.depth)) == [2500])
  }

  @Test(needsCompiler) func sumsAreExact() throws {
    var generator = SeededGenerator(seed: 5)
    let forward = "b01f_01io->b01f"
    let signatures = [
      // Tiles that straddle rows of the image, edges on all sides, an edge of columns.
      convolution([3, 9, 7, 16], [3, 3, 16, 33], forward, padding: [1, 1]),
      convolution([2, 20, 18, 8], [3, 3, 8, 12], forward, padding: [1, 2], strides: [2, 2]),
      // Three channels; taps two apart; a window wholly outside at some places.
      convolution([2, 12, 12, 3], [3, 3, 3, 32], forward, padding: [1, 1]),
      convolution([2, 12, 12, 5], [3, 3, 5, 7], forward, padding: [4, 4], rhsDilation: [2, 2]),
      // A block of the depth that ends inside a tap.
      convolution([1, 4, 32, 1000], [1, 5, 1000, 4], forward, padding: [0, 2]),
      // Gradients of an image and of kernels.
      convolution(
        [2, 9, 9, 16], [3, 3, 12, 16], "b01f_01oi->b01f", padding: [1, 1], lhsDilation: [2, 2],
        reversal: [1, 1]),
      // Taps along an axis without edges continue the channels of the image, not of the kernel.
      convolution(
        [2, 16, 16, 8], [3, 3, 12, 8], "b01f_01oi->b01f", padding: [1, 0], reversal: [1, 1]),
      convolution([4, 10, 12, 20], [4, 10, 12, 36], "f01b_i01o->01bf", padding: [1, 1]),
      convolution(
        [4, 19, 21, 12], [4, 10, 11, 8], "f01b_i01o->01bf", padding: [1, 1], rhsDilation: [2, 2]),
      convolution([2, 30, 31, 10], [2, 30, 31, 3], "f01b_i01o->01bf", padding: [2, 0]),
      convolution([3, 20, 17, 3], [3, 20, 17, 40], "f01b_i01o->01bf", padding: [1, 1]),
      convolution(
        [3, 21, 20, 3], [3, 11, 10, 9], "f01b_i01o->01bf", padding: [1, 1], rhsDilation: [2, 2]),
      product(130, 40, 24), product(26, 70, 900, lhsContract: 0),
    ]
    let cases = try signatures.map { try wholeNumbered($0, &generator) }
    try CompiledContractions(cases).expectExact()
  }
}
