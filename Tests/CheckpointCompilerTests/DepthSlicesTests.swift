import Testing

@testable import CheckpointCompiler

/// The gradient of a weight: both operands lie along the depth.
private func gradient(_ m: Int, _ n: Int, _ k: Int, _ dtype: DType = .f32) -> OpSignature {
  OpSignature(
    opcode: .dotGeneral, operandTypes: [TensorType(dtype, [k, m]), TensorType(dtype, [k, n])],
    attributes: DotDimensions(lhsContract: [0], rhsContract: [0]).attributes)
}

@Suite struct DepthSlicesTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  private func blocking(
    _ m: Int, _ n: Int, _ k: Int, _ dtype: DType = .f32, threads: Int = 2
  ) throws -> Blocking {
    let contraction = try contraction(gradient(m, n, k, dtype))
    return contraction.parts[0].blocking(contraction.dtypes, .cpu(threadsMax: threads))
  }

  @Test func slicesFollowFromTheShape() throws {
    let shapes = [
      (64, 32, 18_432, 8), (128, 64, 4608, 8), (32, 64, 32_768, 16), (3, 32, 73_728, 2),
      (256, 256, 2048, 2), (30, 33, 20_000, 4),
      // The result is wide for such a depth, or all of it is small.
      (784, 1024, 256, 1), (384, 1536, 2048, 1), (8, 72, 8192, 1), (60, 60, 784, 1),
      (256, 256, 1024, 1),
    ]
    for (m, n, k, slices) in shapes {
      let blockings = try [1, 2, 3, 8, 64].map { try blocking(m, n, k, threads: $0) }
      #expect(Set(blockings.map(\.slices)) == [slices], "\(m) x \(n) x \(k)")
      #expect(Set(blockings.map(\.sliceDepth)).count == 1)
      #expect(Set(blockings.map(\.depth)).count == 1)
      let one = blockings[0]
      #expect((one.slices - 1) * one.sliceDepth < k && one.slices * one.sliceDepth >= k)
      #expect(one.slices == 1 || one.slices * one.sumElements * 4 <= 524_288)
    }
  }

  @Test func whatReadsTheResultChangesNoSlices() throws {
    var contraction = try contraction(gradient(64, 32, 18_432))
    let slices = contraction.parts[0].depthSlices(contraction.dtypes)
    contraction.parts[0].sumsWait = true
    (contraction.parts[0].firstCycles, contraction.parts[0].secondCycles) = (20, 20)
    let packed = contraction.parts[0].blocking(contraction.dtypes, .cpu(threadsMax: 2))
    let plain = try blocking(64, 32, 18_432)
    #expect(slices == 8 && packed.slices == 8)
    #expect(packed.depth == plain.depth && packed.sliceDepth == plain.sliceDepth)
    let order = contraction.parts[0].sumOrder(contraction.dtypes)
    let others = try [(64, 32, 18_432), (30, 33, 18_432), (64, 32, 18_000)].map { m, n, k in
      let other = try CheckpointCompilerTests.contraction(gradient(m, n, k))
      return other.parts[0].sumOrder(other.dtypes).cuts
    }
    #expect(order.cuts == others[0] && order.cuts != others[1] && order.cuts != others[2])
  }

  @Test func moreThreadsThanSlicesShareRows() throws {
    let many = try blocking(256, 256, 2048, threads: 8)
    #expect(many.slices == 2 && many.chunks >= 4 && many.threads == 8)
    // Not more pieces than there are panels of rows.
    let few = try blocking(3, 32, 73_728, threads: 64)
    #expect(few.chunks == 1 && few.threads == 2)
  }

  @Test(needsCompiler) func sumsAreExact() throws {
    var generator = SeededGenerator(seed: 3)
    let gradients = "f01b_i01o->01bf"
    let signatures = [
      // Edges of rows and columns, and a last slice that is shorter; results of 16 bits, of 64.
      gradient(30, 33, 6600), gradient(30, 33, 6600, .bf16), gradient(20, 17, 18_600, .f64),
      // Taps that leave the tensor; three colours; columns in place, and a transposed result.
      convolution([9, 24, 24, 12], [9, 24, 24, 20], gradients, padding: [1, 1]),
      convolution(
        [16, 64, 32, 3], [16, 32, 16, 70], gradients, padding: [0, 0], rhsDilation: [2, 2]),
      convolution([8, 96, 88, 32], [8, 96, 88, 3], gradients, padding: [0, 0]),
    ]
    let cases = try signatures.map { try wholeNumbered($0, &generator) }
    for one in cases {
      let (parts, dtypes) = (one.contraction.parts, one.contraction.dtypes)
      #expect(parts.allSatisfy { $0.isPacked(dtypes) && $0.depthSlices(dtypes) > 1 })
    }
    try CompiledContractions(cases).expectExact()
  }

  @Test(needsCompiler) func bitsDoNotDependOnThreads() throws {
    let signature = gradient(128, 80, 1400)
    let operands = signature.operandTypes.map { type in
      Tensor(
        type, floats: (0..<type.elementCount).map { Double(($0 * 7919) % 1009) / 1009 - 0.47 })
    }
    let one = try contraction(signature.opcode, operands, signature.attributes)
    #expect(one.contraction.parts[0].depthSlices(one.contraction.dtypes) == 2)
    let results = try [1, 2, 5].map { most in
      let compiled = try CompiledContractions([one], target: .cpu(threadsMax: most))
      let bytes = try [1, 2, 5].map { try compiled.run(0, threads: $0).bytes }
      return Set(bytes)
    }
    #expect(results.reduce(into: Set()) { $0.formUnion($1) }.count == 1)
  }
}
