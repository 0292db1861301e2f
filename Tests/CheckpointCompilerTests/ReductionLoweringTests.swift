import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// Reductions in every form that shapes decide: lanes, columns, groups, and parts of each.
@Suite struct ReductionLoweringTests {
  /// Mean and variance along dimensions of `%x`, and `%x` normalized by them.
  private static func normalization(_ shape: [Int], along dims: [Int], dtype: String = "f32")
    -> String
  {
    let kept = shape.indices.filter { !dims.contains($0) }
    let type = "\(dtype)[\(shape.map(String.init).joined(separator: ","))]"
    let small = "\(dtype)[\(kept.map { "\(shape[$0])" }.joined(separator: ","))]"
    let scale = 1.0 / Double(dims.reduce(1) { $0 * shape[$1] })
    return """
      func @main(%x: \(type), %bias: \(small)) -> (%y: \(type), %mean: \(small)) {
        %sum = reduce %x {kind = add, dims = \(dims)}
        %mean = multiply %sum, \(scale)
        %wide = broadcast_in_dim %mean {dims = \(kept)} : \(type)
        %d = subtract %x, %wide
        %square = multiply %d, %d
        %squares = reduce %square {kind = add, dims = \(dims)}
        %deviation = sqrt %squares
        %below = broadcast_in_dim %deviation {dims = \(kept)} : \(type)
        %shift = broadcast_in_dim %bias {dims = \(kept)} : \(type)
        %z = divide %d, %below
        %y = add %z, %shift
        return %y, %mean
      }
      """
  }

  private static func compiled(_ text: String, threads: Int = 4) throws -> Compilation {
    var options = CompileOptions()
    options.target = .cpu(threadsMax: threads)
    options.lastStage = .code
    return try LoopSamples.compile(text, options)
  }

  /// The text of the one kernel of a step, and what follows.
  private static func kernel(_ text: String, threads: Int = 4) throws -> Substring {
    let source = try compiled(text, threads: threads).source
    return source[source.range(of: "CKC_KERNEL k0")!.lowerBound...]
  }

  private static let texts = [
    // Lanes of a row, of which some hold nothing in the end; rows in parts.
    normalization([5, 100], along: [1]), normalization([3, 256], along: [1]),
    normalization([70_001], along: [0]), normalization([2, 65_600], along: [1]),
    // Columns; wide blocks of them in parts, the last block and the last part shorter.
    normalization([40, 70], along: [0]), normalization([1031, 520], along: [0]),
    normalization([3, 700, 100], along: [1], dtype: "f64"),
    // Groups of lanes, without and with parts.
    normalization([2, 50, 4, 6], along: [1, 3]), normalization([2, 2100, 8, 4], along: [1, 3]),
    normalization([2, 9, 300, 40], along: [1, 3]),
    // What belongs to a group is a number of its own place.
    """
    func @main(%x: i32[3,20,4,5]) -> (%y: i32[3,4], %z: i32[3,20,4,5]) {
      %place = iota {dim = 1} : i32[3,4]
      %wide = broadcast_in_dim %place {dims = [0, 2]} : i32[3,20,4,5]
      %z = add %x, %wide
      %y = reduce %z {kind = max, dims = [1, 3]}
      return %y, %z
    }
    """,
  ]

  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
  func everyFormAgreesWithTheInterpreter() throws {
    let programs = try Self.texts.enumerated().map { number, text in
      try EmittedProgram(ProgramCheck(try moduleOf(text).flattened, seed: UInt64(number)))
    }
    let library = try CompiledPrograms(programs, driver: TestToolchain.driver!)
    for program in programs { try library.check(program) }
  }

  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
  func noNumberOfThreadsChangesABit() throws {
    for text in Self.texts where text.contains("f32") {
      let compilation = try Self.compiled(text)
      let step = try CompiledStep(compilation, driver: TestToolchain.driver!)
      let arguments = randomArguments(for: compilation.step!.function, seed: 3)
      var found: [[Tensor]] = []
      for threads in 1...4 {
        step.setThreads(threads)
        for (index, tensor) in arguments.enumerated() { step.setArgument(index, to: tensor) }
        #expect(step.run() == 0)
        found.append(step.resultValues)
      }
      #expect(found.allSatisfy { $0 == found[0] })
    }
  }

  /// The target bounds the threads of a step, not the order of its sums.
  @Test func partsDependOnShapesAlone() throws {
    #expect(
      try Self.kernel(Self.texts[5], threads: 1) == Self.kernel(Self.texts[5], threads: 16))
  }

  /// Few columns leave no block for a second thread; their rows are cut.
  @Test func fewColumnsRunOnThreads() throws {
    let large = try Self.kernel(Self.normalization([4096, 32], along: [0]))
    #expect(large.contains("CKC_PARALLEL(1)\n"))
    let small = try Self.kernel(Self.normalization([64, 32], along: [0]))
    #expect(!small.contains("CKC_PARALLEL(1)\n"))
  }

  /// The lanes of all groups are one loop: no thread walks through memory in steps of a group.
  @Test func groupsAreWalkedAsTheyLie() throws {
    let source = try Self.kernel(Self.texts[7])
    #expect(source.contains("< 24; i"))
    #expect(!source.contains("* 24 + i2 * 6"))
  }

  /// A sum in parts is that of the parts, in order.
  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence))
  func aSumInPartsKeepsSmallNumbers() throws {
    let compilation = try Self.compiled(
      "func @main(%x: f32[65536,2]) -> (%y: f32[2]) {\n"
        + "  %y = reduce %x {kind = add, dims = [0]}\n  return %y\n}")
    let step = try CompiledStep(compilation, driver: TestToolchain.driver!)
    // In one chain, ones stop counting at 2^24 / 2^8.
    var numbers = Array(repeating: 1.0 / 256, count: 131_072)
    numbers[0] = 65_536
    numbers[1] = 0
    step.setArgument(0, to: Tensor(TensorType(.f32, [65_536, 2]), floats: numbers))
    #expect(step.run() == 0)
    // The first part adds 4095 numbers to 2^16 without effect or exactly; all others are exact.
    #expect(step.resultValues[0].floats[1] == 65_535.0 / 256)
    #expect(step.resultValues[0].floats[0] >= 65_536 + 61_440.0 / 256)
  }

  /// Partial sums are in the arena, not on a stack that no budget counts.
  @Test func partialSumsAreScratch() throws {
    // 16 parts of 512 columns, of mean and deviation in turn, and a row of each for the next pass.
    let compilation = try Self.compiled(Self.texts[5])
    let call = compilation.program!.calls[0]
    #expect(call.scratchBytes == (16 + 2) * 512 * 4)
    #expect(compilation.step!.arenaBytes == call.scratchBytes)
    #expect(compilation.source.contains("scratch + 0"))
    #expect(try !Self.kernel(Self.texts[4]).contains("scratch"))
  }

  /// The more random tensors, the shorter the blocks that their words are made for.
  @Test(.enabled(if: TestToolchain.driver != nil, TestToolchain.absence), arguments: [5, 9])
  func manyRandomTensorsShareAKernel(count: Int) throws {
    let drops = (0..<count).map { "  %d\($0) = dropout %x, %key {rate = 0.5}\n" }.joined()
    let sums = (1..<count).map {
      "  %s\($0) = add %\($0 == 1 ? "d0" : "s\($0 - 1)"), %d\($0)\n"
    }.joined()
    let text =
      "func @main(%x: f32[20000], %key: ui32[2]) -> (%y: f32[20000]) {\n"
      + "\(drops)\(sums)  return %s\(count - 1)\n}"
    let compilation = try Self.compiled(text)
    #expect(compilation.program!.calls.count == 1)
    // 1024 words of all at most, in a power of two for each.
    #expect(try !Self.kernel(text).contains("< 256; i"))
    let step = try CompiledStep(compilation, driver: TestToolchain.driver!)
    let arguments = randomArguments(for: compilation.step!.function, seed: 3)
    for (index, tensor) in arguments.enumerated() { step.setArgument(index, to: tensor) }
    step.setThreads(2)
    #expect(step.run() == 0)
    let expected = try interpret(compilation.simplified!, arguments: arguments)
    #expect(step.resultValues == expected)
  }

  /// No kernel has more than 4 KiB of local arrays.
  @Test func localArraysAreSmall() throws {
    // As many sums of one value as there may be, of which each is read in a second pass.
    func sums(_ shape: [Int], along dims: [Int]) -> String {
      let kept = shape.indices.filter { !dims.contains($0) }
      let type = "f64[\(shape.map(String.init).joined(separator: ","))]"
      let names = (0..<14).map { "%y\($0)" }
      let ops = names.enumerated().map { number, name in
        """
        %s\(number) = multiply %x, \(number + 1).0
          %r\(number) = reduce %s\(number) {kind = add, dims = \(dims)}
          %b\(number) = broadcast_in_dim %r\(number) {dims = \(kept)} : \(type)
          \(name) = subtract %x, %b\(number)
        """
      }
      let results = names.map { "\($0): \(type)" }.joined(separator: ", ")
      return "func @main(%x: \(type)) -> (\(results)) {\n  " + ops.joined(separator: "\n  ")
        + "\n  return \(names.joined(separator: ", "))\n}"
    }
    let random = (0..<12).map { number in
      "  %u\(number) = random %key {distribution = uniform, stream = \(number)} : f32[4096]\n"
    }.joined()
    let added = (1..<12).map { "  %a\($0) = add %\($0 == 1 ? "u0" : "a\($0 - 1)"), %u\($0)\n" }
      .joined()
    let texts =
      Self.texts + [
        sums([50, 200], along: [1]), sums([50, 200], along: [0]),
        sums([9, 30, 8, 60], along: [1, 3]), sums([2, 4000, 8, 60], along: [1, 3]),
        "func @main(%key: ui32[2]) -> (%y: f32[4096]) {\n\(random)\(added)  return %a11\n}",
      ]
    for text in texts {
      let source = try Self.compiled(text).source
      for kernel in source[source.range(of: "CKC_KERNEL k0")!.lowerBound...]
        .components(separatedBy: "CKC_KERNEL")
      {
        var bytes = 0
        for match in kernel.matches(of: /(float|u?int32_t|double|u?int64_t) r\d+\[(\d+)\];/) {
          let isWide = match.1 == "double" || match.1.contains("64")
          if match.2 != "1" { bytes += Int(match.2)! * (isWide ? 8 : 4) }
        }
        #expect(bytes <= LoopLowering.rowBytesMax)
      }
    }
  }
}
