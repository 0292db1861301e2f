import Testing

@testable import CheckpointCompiler

/// A product of matrices.
private func signature(_ m: Int, _ n: Int, _ k: Int, _ dtype: DType = .f32) -> OpSignature {
  OpSignature(
    opcode: .dotGeneral, operandTypes: [TensorType(dtype, [m, k]), TensorType(dtype, [k, n])],
    attributes: DotDimensions(lhsContract: [1], rhsContract: [0]).attributes)
}

/// The contraction of a product of matrices.
private func product(_ m: Int, _ n: Int, _ k: Int, _ dtype: DType = .f32) -> Contraction {
  Contraction(signature(m, n, k, dtype), result: TensorType(dtype, [m, n]))!
}

@Suite struct BlockingTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  private func blocking(_ contraction: Contraction, threads: Int) -> Blocking {
    contraction.parts[0].blocking(contraction.dtypes, .cpu(threadsMax: threads))
  }

  @Test func depthIsCutByShapeAlone() {
    for (m, n, k) in [(256, 1024, 1024), (31, 700, 2000), (4096, 64, 576), (60, 60, 784)] {
      let depths = Set([1, 2, 3, 8, 64].map { blocking(product(m, n, k), threads: $0).depth })
      #expect(depths.count == 1)
    }
    #expect(blocking(product(64, 64, 784), threads: 2).depth == 392)
    #expect(blocking(product(64, 64, 640), threads: 2).depth == 640)
  }

  @Test func sharesTheSideThatLeavesThreadsEven() {
    // 7 panels of rows are 4 and 3 for two threads; 32 panels of columns are even.
    let uneven = product(1024, 98, 640)
    #expect(blocking(product(98, 1024, 640), threads: 2).sharesRows)
    #expect(!blocking(uneven, threads: 2).sharesRows)
    #expect(!blocking(product(2048, 384, 1152), threads: 2).sharesRows)
  }

  @Test func fewPanelsAreCutIntoTasks() {
    let few = blocking(product(140, 2048, 640), threads: 16)
    #expect(few.threads == 16)
    let panels = few.sharesRows ? 2048 / 32 : 10
    #expect(panels * few.chunks >= 16)
  }

  @Test func threadsHaveBlocksOfTheirOwnWhereTheDepthIsCut() {
    for (m, n, k, threads) in [(384, 1536, 2048, 2), (384, 1536, 2048, 4), (1024, 1024, 1024, 2)] {
      let blocking = blocking(product(m, n, k), threads: threads)
      #expect(blocking.tasks == .blocks && blocking.threads == threads)
      // As many for each thread.
      let blocks = quotient(m, blocking.rows) * quotient(n, blocking.columns)
      #expect(blocks % threads == 0)
      #expect(blocking.sharedElements * 4 <= 1_048_576)
      #expect(
        blocking.scratchElements == threads * (blocking.sharedElements + blocking.ownElements))
    }
    #expect(blocking(product(2048, 1536, 384), threads: 2).tasks == .panels)
    #expect(blocking(product(384, 1536, 2048), threads: 1).tasks == .panels)
  }

  @Test(needsCompiler) func blocksOfThreadsAreExact() throws {
    var generator = SeededGenerator(seed: 23)
    let signatures = [
      // Sums that wait in the result, and in scratch; rows in place, columns in place.
      signature(75, 330, 1400), signature(75, 330, 1400, .bf16), signature(75, 330, 700, .f64),
      signature(330, 75, 1400), signature(25, 330, 1400),
      convolution([9, 12, 12, 12], [9, 12, 12, 70], "f01b_i01o->01bf", padding: [1, 1]),
    ]
    var target = Target.cpu(threadsMax: 3)
    let cases = try signatures.map { try wholeNumbered($0, &generator) }
    for one in cases {
      for part in one.contraction.parts {
        var rule = ScheduleRule()
        (rule.tasks, rule.slices, rule.columns) = (.blocks, 1, 64)
        target.schedule.rules[part.size(one.contraction.dtypes)] = rule
        guard case .packed(let blocking) = part.form(one.contraction.dtypes, target) else {
          Issue.record("not packed")
          continue
        }
        #expect(blocking.tasks == .blocks && blocking.threads > 1)
      }
    }
    let compiled = try CompiledContractions(cases, target: target)
    try compiled.expectExact()
    for index in cases.indices {
      let results = try [1, 2, 3].map { try compiled.run(index, threads: $0).bytes }
      #expect(Set(results).count == 1)
    }
  }

  @Test func scratchIsBounded() {
    for threads in [1, 2, 16] {
      for (m, n, k) in [(8192, 8192, 8192), (64, 64, 100_000), (100_000, 16, 16), (300, 300, 300)] {
        for dtype: DType in [.f32, .f64, .bf16] {
          let blocking = blocking(product(m, n, k, dtype), threads: threads)
          let size = dtype == .f64 ? 8 : 4
          #expect(blocking.sharedElements * size <= 1_400_000)
          #expect(blocking.sumElements * size <= 2_200_000)
          #expect(blocking.ownElements * size <= 100_000)
        }
      }
    }
  }

  @Test func tapsAreOneRunWithChannels() throws {
    let stem = try contraction(
      convolution(
        [2, 30, 30, 3], [7, 7, 3, 64], "b01f_01io->b01f", padding: [3, 3], strides: [2, 2]))
    let side = PackedSide(stem.parts[0], .first)
    #expect(side.unit == 3 && side.run == 21 && side.isAlong)
    // Taps two positions apart do not continue the channels.
    let dilated = try contraction(
      convolution(
        [2, 30, 30, 8], [3, 3, 8, 64], "b01f_01io->b01f", padding: [2, 2], rhsDilation: [2, 2]))
    #expect(PackedSide(dilated.parts[0], .first).unit == 1)
  }

  @Test func equalWindowsStandTogetherWhereMuchIsOutside() throws {
    func rows(_ size: Int) throws -> [Contraction.Loop] {
      try contraction(
        convolution([16, size, size, 32], [3, 3, 32, 32], "b01f_01io->b01f", padding: [1, 1])
      ).parts[0].rows
    }
    #expect(try rows(4).map(\.extent) == [4, 4, 16])
    #expect(try rows(32).map(\.extent) == [16, 32, 32])
  }

  @Test(needsCompiler) func windowsThatLeaveTheTensorAreExact() throws {
    var generator = SeededGenerator(seed: 11)
    let signatures = [
      // Forward with equal windows in panels; so that a panel straddles positions as well.
      convolution([16, 4, 4, 24], [3, 3, 24, 40], "b01f_01io->b01f", padding: [1, 1]),
      convolution([15, 3, 5, 16], [3, 3, 16, 33], "b01f_01io->b01f", padding: [2, 1]),
      // The gradient of a kernel: sums over positions and the batch.
      convolution([16, 4, 4, 24], [16, 4, 4, 20], "f01b_i01o->01bf", padding: [1, 1]),
      // Taps and channels as one run, cut by blocks of the depth.
      convolution(
        [2, 9, 9, 3], [7, 7, 3, 20], "b01f_01io->b01f", padding: [3, 3], strides: [2, 2]),
      convolution([1, 6, 6, 100], [3, 3, 100, 8], "b01f_01io->b01f", padding: [1, 1]),
    ]
    let cases = try signatures.map { signature in
      let operands = signature.operandTypes.map { type in
        Tensor(
          type,
          integers: (0..<type.elementCount).map { _ in Int64(generator.index(below: 9)) - 4 })
      }
      return try contraction(.convolution, operands, signature.attributes)
    }
    try CompiledContractions(cases).expectExact()
  }
}
