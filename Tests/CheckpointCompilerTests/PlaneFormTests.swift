import Testing

@testable import CheckpointCompiler

/// A depthwise convolution with channels first.
private struct DepthwisePlanes {
  var x: [Int]
  var w: [Int]
  var numbers: String
  var window: ConvolutionWindow

  init(
    _ x: [Int], _ taps: [Int], low: [Int], high: [Int], strides: [Int] = [1, 1],
    rhsDilation: [Int] = [1, 1], lhsDilation: [Int] = [1, 1], isGradient: Bool = false
  ) {
    let channels = x[1]
    self.x = x
    w = (isGradient ? [1, channels] : [channels, 1]) + taps
    numbers = isGradient ? "bf01_io01->bf01" : "bf01_oi01->bf01"
    window = ConvolutionWindow([:], spatialRank: 2)
    (window.low, window.high, window.strides) = (low, high, strides)
    (window.rhsDilation, window.lhsDilation) = (rhsDilation, lhsDilation)
    window.reversal = isGradient ? [1, 1] : [0, 0]
    window.featureGroups = channels
  }

  /// The gradient of a kernel from images and gradients of results.
  init(kernelOf x: [Int], _ dy: [Int], low: [Int], high: [Int], strides: [Int] = [1, 1]) {
    (self.x, w, numbers) = (x, dy, "fb01_io01->fb01")
    window = ConvolutionWindow([:], spatialRank: 2)
    (window.low, window.high, window.rhsDilation) = (low, high, strides)
    window.batchGroups = x[1]
  }

  func signature(_ dtype: DType) -> OpSignature {
    OpSignature(
      opcode: .convolution, operandTypes: [TensorType(dtype, x), TensorType(dtype, w)],
      attributes: window.attributes(ConvolutionDimensions(numbers)!))
  }

  func contraction(_ dtype: DType = .f32) throws -> Contraction {
    let signature = signature(dtype)
    return Contraction(signature, result: try signature.opcode.definition.typeRule(signature))!
  }

  /// The form of every part; nil where it is not plane by plane.
  func forms() throws -> [Planes?] {
    let contraction = try contraction()
    return contraction.parts.map { part in
      guard case .planes(let form) = part.form(contraction.dtypes, .cpu(threadsMax: 1)) else {
        return nil
      }
      return form
    }
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
    return try CheckpointCompilerTests.contraction(
      .convolution, operands, signature(dtype).attributes)
  }
}

@Suite struct PlaneFormTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  private static let results: [DepthwisePlanes] = [
    .init([2, 9, 6, 19], [3, 3], low: [1, 1], high: [1, 1]),
    .init([3, 8, 4, 4], [3, 3], low: [1, 1], high: [1, 1]),
    .init([2, 5, 9, 17], [3, 3], low: [1, 1], high: [1, 1], strides: [2, 2]),
    .init([2, 6, 8, 16], [3, 3], low: [0, 0], high: [1, 1], strides: [2, 2]),
    .init([1, 8, 40, 40], [5, 5], low: [2, 2], high: [2, 2]),
    .init([1, 9, 7, 7], [7, 7], low: [3, 3], high: [3, 3]),
    .init([1, 8, 11, 23], [3, 3], low: [2, 2], high: [2, 2], rhsDilation: [2, 2]),
    .init(
      [1, 8, 20, 33], [3, 3], low: [2, 1], high: [0, 1], strides: [3, 2], rhsDilation: [2, 3]),
    .init([2, 6, 8, 9], [3, 3], low: [1, 1], high: [1, 1], isGradient: true),
  ]

  private static let kernels: [DepthwisePlanes] = [
    .init(kernelOf: [4, 9, 9, 17], [4, 9, 9, 17], low: [1, 1], high: [1, 1]),
    .init(kernelOf: [3, 8, 7, 7], [3, 8, 7, 7], low: [1, 1], high: [1, 1]),
    .init(kernelOf: [2, 8, 40, 40], [2, 8, 40, 40], low: [2, 2], high: [2, 2]),
    .init(kernelOf: [3, 8, 16, 18], [3, 8, 8, 9], low: [1, 1], high: [0, 0], strides: [2, 2]),
  ]

  @Test func contiguousRowsAreGoneOverAsPlanes() throws {
    for one in Self.results {
      #expect(try one.forms().allSatisfy { $0?.isKernelGradient == false }, "\(one)")
    }
    for one in Self.kernels {
      #expect(try one.forms().allSatisfy { $0?.isKernelGradient == true }, "\(one)")
    }
    // A gradient between the elements of a stride is of parts, each over a plane of its own.
    let strided = DepthwisePlanes(
      [2, 8, 8, 9], [3, 3], low: [1, 1], high: [2, 2], lhsDilation: [2, 2], isGradient: true)
    #expect(try strided.forms().contains { $0 != nil })
  }

  @Test func bandsAndPhasesFollowFromTheShape() throws {
    let strided = try #require(try Self.results[2].forms()[0])
    #expect(strided.phaseCount == 4)
    #expect(strided.pitch == 10)
    // Tap 2 of a stride of 2 is the first phase, one step on.
    #expect(strided.offset(row: 0, column: 2) == 1)
    let tall = try #require(try Self.results[4].forms()[0])
    #expect([tall.bands, tall.bandRows, tall.copiedRows, tall.pitch] == [3, 14, 18, 44])
  }

  @Test func scratchIsThatOfABandForEachThread() throws {
    let contraction = try Self.results[4].contraction()
    let one = scratchBytes(for: contraction, target: .cpu(threadsMax: 1))
    #expect(one > 18 * 44 * 4 && one < 8192)
    #expect(scratchBytes(for: contraction, target: .cpu(threadsMax: 2)) == 2 * one)
  }

  @Test(needsCompiler) func sumsAreExact() throws {
    var generator = SeededGenerator(seed: 12)
    var cases = try (Self.results + Self.kernels).map { try $0.filled(.f32, &generator) }
    cases += try [Self.results[3], Self.kernels[0]].map { try $0.filled(.f64, &generator) }
    let strided = DepthwisePlanes(
      [2, 8, 8, 9], [3, 3], low: [1, 1], high: [2, 2], lhsDilation: [2, 2], isGradient: true)
    cases.append(try strided.filled(.f32, &generator))
    try CompiledContractions(cases).expectExact()
  }
}
