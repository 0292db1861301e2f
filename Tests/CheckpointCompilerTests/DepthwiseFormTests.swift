import Testing

@testable import CheckpointCompiler

/// A depthwise convolution: `groups` in the features or, for gradients of kernels, in the batch.
private struct Depthwise2D {
  var x: [Int]
  var w: [Int]
  var numbers: String
  var window: ConvolutionWindow

  /// Forward, channels last.
  init(
    _ x: [Int], _ taps: [Int], low: [Int], high: [Int], strides: [Int] = [1, 1],
    rhsDilation: [Int] = [1, 1], lhsDilation: [Int] = [1, 1], isGradient: Bool = false
  ) {
    let channels = x[3]
    self.x = x
    w = isGradient ? taps + [channels, 1] : taps + [1, channels]
    numbers = isGradient ? "b01f_01oi->b01f" : "b01f_01io->b01f"
    window = ConvolutionWindow([:], spatialRank: 2)
    (window.low, window.high, window.strides) = (low, high, strides)
    (window.rhsDilation, window.lhsDilation) = (rhsDilation, lhsDilation)
    window.reversal = isGradient ? [1, 1] : [0, 0]
    window.featureGroups = channels
  }

  /// The gradient of a kernel from images and gradients of results.
  init(kernelOf x: [Int], _ dy: [Int], low: [Int], high: [Int], strides: [Int] = [1, 1]) {
    (self.x, w, numbers) = (x, dy, "f01b_i01o->01bf")
    window = ConvolutionWindow([:], spatialRank: 2)
    (window.low, window.high, window.rhsDilation) = (low, high, strides)
    window.batchGroups = x[3]
  }

  func signature(_ dtype: DType) -> OpSignature {
    OpSignature(
      opcode: .convolution, operandTypes: [TensorType(dtype, x), TensorType(dtype, w)],
      attributes: window.attributes(ConvolutionDimensions(numbers)!))
  }

  func forms(_ dtype: DType = .f32) throws -> [Depthwise?] {
    let signature = signature(dtype)
    let result = try signature.opcode.definition.typeRule(signature)
    let contraction = Contraction(signature, result: result)!
    return contraction.parts.map { $0.depthwise(contraction.dtypes) }
  }

  /// With whole numbers, whose sums are exact.
  func filled(
    _ dtype: DType, _ generator: inout SeededGenerator
  ) throws -> CompiledContractions.Case {
    let operands = signature(dtype).operandTypes.map { type in
      Tensor(
        type,
        integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: 9)) - 4 })
    }
    return try contraction(.convolution, operands, signature(dtype).attributes)
  }
}

@Suite struct DepthwiseFormTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  /// Windows of every kind: wide and narrow images, channels that fill vectors and that do not.
  private static let results: [Depthwise2D] = [
    .init([2, 6, 19, 33], [3, 3], low: [1, 1], high: [1, 1]),
    .init([2, 5, 4, 64], [3, 3], low: [1, 1], high: [1, 1]),
    .init([3, 2, 2, 130], [3, 3], low: [1, 1], high: [1, 1]),
    .init([2, 9, 17, 24], [3, 3], low: [1, 1], high: [1, 1], strides: [2, 2]),
    .init([1, 8, 16, 16], [3, 3], low: [0, 0], high: [1, 1], strides: [2, 2]),
    .init([2, 7, 40, 8], [5, 5], low: [2, 2], high: [2, 2]),
    .init([1, 14, 14, 20], [7, 7], low: [3, 3], high: [3, 3]),
    .init([1, 6, 23, 9], [3, 3], low: [2, 2], high: [2, 2], rhsDilation: [2, 2]),
    .init([2, 6, 12, 16], [3, 3], low: [0, 0], high: [0, 0]),
    .init([2, 6, 12, 16], [1, 3], low: [0, -1], high: [1, -1], strides: [1, 3]),
    .init([2, 6, 9, 12], [3, 1], low: [1, 0], high: [1, 0]),
    .init([2, 8, 9, 40], [3, 3], low: [1, 1], high: [1, 1], isGradient: true),
    .init(
      [2, 8, 9, 40], [3, 3], low: [1, 1], high: [2, 2], lhsDilation: [2, 2], isGradient: true),
  ]

  private static let kernels: [Depthwise2D] = [
    .init(kernelOf: [4, 9, 17, 40], [4, 9, 17, 40], low: [1, 1], high: [1, 1]),
    .init(kernelOf: [30, 5, 4, 33], [30, 5, 4, 33], low: [1, 1], high: [1, 1]),
    .init(kernelOf: [40, 2, 2, 72], [40, 2, 2, 72], low: [1, 1], high: [1, 1]),
    .init(
      kernelOf: [5, 16, 18, 16], [5, 8, 9, 16], low: [1, 1], high: [0, 0], strides: [2, 2]),
    .init(kernelOf: [3, 12, 15, 8], [3, 12, 15, 8], low: [2, 2], high: [2, 2]),
    .init(kernelOf: [40, 12, 12, 32], [40, 10, 10, 32], low: [0, 0], high: [0, 0]),
  ]

  @Test func neighbouringChannelsAreLanes() throws {
    for one in Self.results {
      let forms = try one.forms()
      #expect(forms.allSatisfy { $0 != nil && $0!.sweeps == nil }, "\(one)")
    }
    for one in Self.kernels {
      #expect(try one.forms().allSatisfy { $0?.sweeps != nil }, "\(one)")
    }
    // Numbers of 16 bits are added in others, and integers wrap.
    #expect(try Self.results[0].forms(.bf16).allSatisfy { $0 == nil })
    #expect(try Self.results[0].forms(.i32).allSatisfy { $0 == nil })
  }

  @Test func blocksHoldTheProductsThatExist() throws {
    // 19 results of 3 taps with an edge of 1: the first and the last lack one product each.
    let form = try #require(try Self.results[0].forms()[0])
    #expect(form.runs.map(\.count) == [1, 1, 1])
    #expect(form.runs.map(\.block.outputs) == [7, 6, 6])
    func products(_ block: Depthwise.Block) -> Int {
      block.columns.reduce(0) { $0 + block.pairs(at: $1).count }
    }
    #expect(form.runs.map { products($0.block) } == [20, 18, 17])
    // Wide images repeat the block in the middle.
    let wide = Depthwise2D([1, 4, 112, 32], [3, 3], low: [1, 1], high: [1, 1])
    #expect(try wide.forms()[0]?.runs.map(\.count) == [1, 12, 1])
  }

  @Test func partsFollowFromTheShape() throws {
    func parts(_ batch: Int, _ channels: Int) throws -> Int? {
      let shape = [batch, 16, 16, channels]
      return try Depthwise2D(kernelOf: shape, shape, low: [1, 1], high: [1, 1]).forms()[0]?.sweeps?
        .parts
    }
    #expect(try parts(32, 32) == 16)
    #expect(try parts(3, 32) == 3)
    #expect(try parts(32, 128) == 8)
    #expect(try parts(32, 1024) == 1)
  }

  @Test(needsCompiler) func sumsAreExact() throws {
    var generator = SeededGenerator(seed: 11)
    var cases = try (Self.results + Self.kernels).map { try $0.filled(.f32, &generator) }
    cases += try [Self.results[3], Self.kernels[1]].map { try $0.filled(.f64, &generator) }
    try CompiledContractions(cases).expectExact()
  }
}
