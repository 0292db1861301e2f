import Testing

@testable import CheckpointCompiler

/// Convolutions by minimal filtering. Whole numbers make every transform exact.
@Suite struct WinogradTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")
  private static let forward = "b01f_01io->b01f"
  private static let kernelGradient = "f01b_i01o->01bf"

  private func role(_ signature: OpSignature) throws -> Winograd.Role? {
    try contraction(signature).winograd?.role
  }

  @Test func threeTapsOfStrideOneAreFiltered() throws {
    let x = [8, 24, 24, 32]
    #expect(try role(convolution(x, [3, 3, 32, 40], Self.forward, padding: [1, 1])) == .outputs)
    #expect(try role(convolution(x, [3, 3, 32, 40], Self.forward, padding: [0, 2])) == .outputs)
    #expect(
      try role(
        convolution(x, [3, 3, 48, 32], "b01f_01oi->b01f", padding: [1, 1], reversal: [1, 1]))
        == .outputs)
    #expect(
      try role(convolution(x, [8, 24, 24, 48], Self.kernelGradient, padding: [1, 1])) == .taps)
  }

  @Test func othersAreNot() throws {
    let x = [8, 24, 24, 32]
    let w = [3, 3, 32, 32]
    let others = [
      convolution(x, w, Self.forward, padding: [1, 1], strides: [2, 2]),
      convolution(x, w, Self.forward, padding: [2, 2], rhsDilation: [2, 2]),
      convolution(x, [5, 5, 32, 32], Self.forward, padding: [2, 2]),
      // Few channels or columns, few tiles; scratch would be most of the memory.
      convolution([8, 24, 24, 16], [3, 3, 16, 32], Self.forward, padding: [1, 1]),
      convolution(x, [3, 3, 32, 16], Self.forward, padding: [1, 1]),
      convolution([1, 8, 8, 32], w, Self.forward, padding: [1, 1]),
      convolution([8, 8, 8, 32], w, Self.forward, padding: [1, 1]),
      convolution([8, 8, 8, 32], [8, 8, 8, 32], Self.kernelGradient, padding: [1, 1]),
      // Channels that are no whole vectors, or no neighbours.
      convolution([8, 24, 24, 36], [3, 3, 36, 32], Self.forward, padding: [1, 1]),
      convolution([2, 32, 16, 16], [32, 32, 3, 3], "bf01_oi01->bf01", padding: [1, 1]),
      convolution(x, [8, 24, 24, 36], Self.kernelGradient, padding: [1, 1]),
    ]
    for signature in others { #expect(try role(signature) == nil) }
    for dtype: DType in [.f64, .bf16, .f16, .i32] {
      var signature = convolution(x, w, Self.forward, padding: [1, 1])
      signature.operandTypes = signature.operandTypes.map { $0.with(dtype) }
      #expect(try role(signature) == nil)
    }
  }

  @Test func aGraphicsProcessorMultipliesPlainly() throws {
    let signature = convolution([8, 24, 24, 32], [3, 3, 32, 32], Self.forward, padding: [1, 1])
    #expect(try contraction(signature).winograd(.cuda(.a100)) == nil)
  }

  @Test func scratchGrowsWithThreadsOnlyAndIsBounded() throws {
    let shapes = [
      convolution([64, 32, 32, 64], [3, 3, 64, 64], Self.forward, padding: [1, 1]),
      convolution([64, 4, 4, 512], [3, 3, 512, 512], Self.forward, padding: [1, 1]),
      convolution([64, 32, 32, 64], [64, 32, 32, 64], Self.kernelGradient, padding: [1, 1]),
      convolution([64, 4, 4, 512], [64, 4, 4, 512], Self.kernelGradient, padding: [1, 1]),
    ]
    for signature in shapes {
      let winograd = try #require(try contraction(signature).winograd)
      let one = winograd.scratchBytes(.cpu(threadsMax: 1))
      let two = winograd.scratchBytes(.cpu(threadsMax: 2))
      let ownsColumns = winograd.ownsColumns(.cpu(threadsMax: 2))
      #expect(ownsColumns == (winograd.role == .outputs && winograd.columns == 512))
      #expect(one <= 4 << 20 && two - one <= (ownsColumns ? one : 1 << 20))
      // At least 2.25 times fewer products, apart from edges.
      let plain = Double(winograd.tileCount * 4 * 9 * winograd.channels * winograd.columns)
      #expect(winograd.products * 2.25 == plain)
    }
  }

  @Test(needsCompiler) func sumsAreExact() throws {
    var generator = SeededGenerator(seed: 8)
    let signatures = [
      // Odd extents; windows that begin outside, inside, and leave on one side; edges of columns.
      convolution([9, 19, 21, 32], [3, 3, 32, 33], Self.forward, padding: [1, 1]),
      convolution([8, 20, 19, 32], [3, 3, 32, 40], Self.forward, padding: [0, 2]),
      convolution([70, 4, 5, 48], [3, 3, 48, 100], Self.forward, padding: [2, 1]),
      // Few tiles and many columns.
      convolution([16, 4, 4, 128], [3, 3, 128, 384], Self.forward, padding: [1, 1]),
      // Gradients of images.
      convolution(
        [8, 19, 18, 48], [3, 3, 32, 48], "b01f_01oi->b01f", padding: [1, 1], reversal: [1, 1]),
      // Gradients of kernels: slices of one block; blocks of channels and columns, with slices and whole.
      convolution([9, 27, 25, 32], [9, 27, 25, 48], Self.kernelGradient, padding: [1, 1]),
      convolution([5, 21, 22, 80], [5, 21, 22, 96], Self.kernelGradient, padding: [1, 1]),
      convolution([4, 15, 16, 144], [4, 15, 16, 272], Self.kernelGradient, padding: [1, 1]),
      convolution([9, 20, 19, 32], [9, 18, 21, 32], Self.kernelGradient, padding: [0, 2]),
    ]
    let cases = try signatures.map { try wholeNumbered($0, &generator) }
    #expect(cases.allSatisfy { $0.contraction.winograd != nil })
    let owning = cases.filter { $0.contraction.winograd!.ownsColumns(.cpu(threadsMax: 3)) }
    #expect(owning.count == 1)
    // Plain sums are compared with the interpreter elsewhere; here that would take minutes.
    let plain = cases.map { one in
      var one = one
      one.isPlain = true
      return one
    }
    let compiled = try CompiledContractions(cases + plain)
    for index in cases.indices {
      let filtered = try compiled.run(index, threads: 1)
      #expect(filtered == (try compiled.run(cases.count + index, threads: 1)), "\(index)")
      #expect(filtered == (try compiled.run(index, threads: 3)), "\(index), threads")
    }
  }

  /// The transforms round a few times more, and sum fewer products: errors are those of plain sums.
  @Test(needsCompiler) func realNumbersAreAsExactAsPlainSums() throws {
    var generator = SeededGenerator(seed: 9)
    let signature = convolution([5, 16, 16, 64], [3, 3, 64, 32], Self.forward, padding: [1, 1])
    let values = signature.operandTypes.map { type in
      (0..<type.elementCount).map { _ in Double(Float(generator.unit() - 0.5)) }
    }
    var cases = try [DType.f32, .f32, .f64].map { dtype in
      let operands = zip(signature.operandTypes, values).map {
        Tensor($0.with(dtype), floats: $1)
      }
      return try contraction(.convolution, operands, signature.attributes)
    }
    cases[1].isPlain = true
    let compiled = try CompiledContractions(cases)
    let exact = try compiled.run(2, threads: 2).floats
    let errors = try [0, 1].map { index in
      zip(try compiled.run(index, threads: 2).floats, exact).map { abs($0 - $1) }
    }
    let means = errors.map { $0.reduce(0, +) / Double($0.count) }
    #expect(means[0] < 2 * means[1] && errors[0].max()! < 3 * errors[1].max()!)
    // 576 products below 1/4: their sums are of the order of 2.
    #expect(means[0] < 8e-7)
  }
}
