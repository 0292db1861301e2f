import Foundation
import Testing

@testable import CheckpointCompiler

/// Several contractions in one C file, loaded into this process.
struct CompiledContractions {
  struct Case {
    var opcode: Opcode
    var operands: [Tensor]
    var attributes: Attributes
    var type: TensorType
    /// Whether it multiplies plainly even where minimal filtering would do.
    var isPlain = false

    var signature: OpSignature {
      OpSignature(
        opcode: opcode, operandTypes: operands.map(\.type), attributes: attributes,
        declaredType: type)
    }
    var contraction: Contraction {
      var contraction = Contraction(signature, result: type)!
      if isPlain { contraction.winograd = nil }
      return contraction
    }
    var description: String {
      let values = attributes.entries.map { "\($0.name): \($0.value)" }
      return "\(opcode.name) \(operands.map(\.type)) \(values) -> \(type)"
    }
  }

  var cases: [Case]
  var target: Target
  var library: DynamicLibrary

  /// What the program around contractions provides.
  static let prologue = """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>
    #ifdef _OPENMP
    #include <omp.h>
    #endif
    #ifdef __cplusplus
    #define CKC_RESTRICT __restrict
    #else
    #define CKC_RESTRICT restrict
    #endif
    #define UNUSED __attribute__((unused)) static inline
    UNUSED int ckc_threads(int most)
    {
    #ifdef _OPENMP
      return most < omp_get_max_threads() ? most : omp_get_max_threads();
    #else
      return most < 1 ? most : 1;
    #endif
    }
    UNUSED float ckc_bf16_to_f32(uint16_t x)
    {
      const uint32_t bits = (uint32_t)x << 16;
      float y;
      memcpy(&y, &bits, 4);
      return y;
    }
    UNUSED uint16_t ckc_f32_to_bf16(float x)
    {
      uint32_t bits;
      memcpy(&bits, &x, 4);
      return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
    }
    UNUSED float ckc_f16_to_f32(uint16_t x)
    {
      const uint32_t sign = (uint32_t)(x & 0x8000u) << 16, rest = x & 0x7FFFu;
      const uint32_t bits = rest == 0 ? sign : sign | ((rest << 13) + (112u << 23));
      float y;
      memcpy(&y, &bits, 4);
      return y;
    }
    /* Normal numbers only: enough for the numbers of these tests. */
    UNUSED uint16_t ckc_f32_to_f16(float x)
    {
      uint32_t bits;
      memcpy(&bits, &x, 4);
      const uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
      if (rest == 0) return (uint16_t)sign;
      return (uint16_t)(sign | (((rest - (112u << 23)) + 0xFFFu + (rest >> 13 & 1u)) >> 13));
    }

    """

  static func text(_ cases: [Case], _ target: Target) -> String {
    var functions = ""
    var calls = ""
    for (index, one) in cases.enumerated() {
      functions += cFunction(for: one.contraction, name: "f\(index)", target: target) + "\n"
      let (a, b) = (one.operands[0].type.dtype, one.operands[1].type.dtype)
      calls += "  case \(index): f\(index)((const \(cStorageType(a)) *)a,"
      calls += " (const \(cStorageType(b)) *)b, (\(cStorageType(one.type.dtype)) *)out, scratch);"
      calls += " break;\n"
    }
    return prologue + CGemmSource.source(for: cases.map(\.contraction), target: .cpu()) + functions
      + """
      void run(int index, const void *a, const void *b, void *out, unsigned char *scratch,
        int threads);
      void run(int index, const void *a, const void *b, void *out, unsigned char *scratch,
        int threads)
      {
      #ifdef _OPENMP
        omp_set_num_threads(threads);
      #else
        (void)threads;
      #endif
        switch (index) {
      \(calls)  default: break;
        }
      }

      """
  }

  static let hasCompiler = (try? CompilerDriver(usesThreads: false)) != nil

  /// Compiles the cases, without much optimization: that takes longer than to run them.
  init(_ cases: [Case], target: Target = .cpu(threadsMax: 3)) throws {
    let driver = try CompilerDriver()
    self.cases = cases
    self.target = target
    // A loaded library stays when its file goes.
    let directory = try TemporaryDirectory()
    let bytes = try driver.compile(
      text: CompiledContractions.text(cases, target), name: "contractions", as: .sharedLibrary,
      extraFlags: ["-O1"])
    try writeFileAtomically(bytes, to: directory.file("contractions.so"))
    library = try DynamicLibrary(path: directory.file("contractions.so"))
  }

  /// The result of a case. Memory around and in result and scratch holds 0xFF before; what must not
  /// be written is checked.
  func run(_ index: Int, threads: Int) throws -> Tensor {
    typealias Run =
      @convention(c) (
        Int32, UnsafeRawPointer, UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer,
        Int32
      ) -> Void
    let function = unsafeBitCast(try library.symbol("run"), to: Run.self)
    let one = cases[index]
    func buffer(_ count: Int) -> UnsafeMutableRawBufferPointer {
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count + 128, alignment: 64)
      for position in buffer.indices { buffer[position] = 0xFF }
      return buffer
    }
    let scratchSize = scratchBytes(for: one.contraction, target: target)
    let (out, scratch) = (buffer(one.type.sizeBytes), buffer(scratchSize))
    let inputs = one.operands.map { operand in
      let memory = buffer(operand.type.sizeBytes)
      memory.copyBytes(from: operand.bytes)
      return memory
    }
    defer { for memory in [out, scratch] + inputs { memory.deallocate() } }
    function(
      Int32(index), inputs[0].baseAddress!, inputs[1].baseAddress!, out.baseAddress!,
      scratch.baseAddress!, Int32(threads))
    let isClean =
      out[one.type.sizeBytes...].allSatisfy { $0 == 0xFF }
      && scratch[scratchSize...].allSatisfy { $0 == 0xFF }
    #expect(isClean, "written past the end: \(one.description)")
    return Tensor(one.type, bytes: Array(out[..<one.type.sizeBytes]))
  }

  /// Expects that every case gives the interpreter's bytes, with one thread and with three.
  func expectExact() throws {
    for (index, one) in cases.enumerated() {
      let expected = try result(one.opcode, one.operands, one.attributes, type: one.type)
      let single = try run(index, threads: 1)
      let wrong = zip(single.floats, expected.floats).enumerated().first { $1.0 != $1.1 }
      #expect(wrong == nil, "\(index): \(one.description), element \(wrong?.offset ?? 0)")
      let several = try run(index, threads: 3)
      #expect(several.bytes == single.bytes, "\(index): \(one.description), threads")
    }
  }
}

/// Whole numbers from -4 to 4: their sums of products are exact in every dtype of accumulators.
private func wholeNumbers(
  _ dtype: DType, _ shape: [Int], _ generator: inout SeededGenerator
) -> Tensor {
  let type = TensorType(dtype, shape)
  let numbers = (0..<type.elementCount).map { _ in Int64(generator.index(below: 9)) - 4 }
  return Tensor(type, integers: numbers)
}

func contraction(
  _ opcode: Opcode, _ operands: [Tensor], _ attributes: Attributes, to dtype: DType? = nil
) throws -> CompiledContractions.Case {
  let dtype = dtype ?? operands[0].type.dtype
  let signature = OpSignature(
    opcode: opcode, operandTypes: operands.map { $0.type.with(dtype) }, attributes: attributes)
  let type = try opcode.definition.typeRule(signature)
  return CompiledContractions.Case(
    opcode: opcode, operands: operands, attributes: attributes, type: type)
}

/// Operands and result of one dtype.
private func uniform(_ dtype: DType) -> Contraction.DTypes {
  Contraction.DTypes(first: dtype, second: dtype, result: dtype)
}

/// A `dot_general` of random dimensions in random order.
private func randomDot(
  _ dtypes: Contraction.DTypes, _ generator: inout SeededGenerator
) throws -> CompiledContractions.Case {
  let extents = [1, 1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 24, 33, 40, 70]
  // Batch, contracting, free of the left, free of the right.
  var counts = [0, 0, 0, 0].map { _ in generator.index(below: 3) }
  if generator.index(below: 4) > 0 { counts[1] = max(1, counts[1]) }
  var budget = 60_000
  let groups = [1, 3, 2, 0].map { kind in
    (
      kind,
      (0..<counts[kind]).map { _ -> Int in
        let extent = min(extents[generator.index(below: extents.count)], max(1, budget))
        budget /= max(1, extent)
        return extent
      }
    )
  }
  let ordered = groups.sorted { $0.0 < $1.0 }.map(\.1)
  func operand(_ own: [Int]) -> (shape: [Int], batch: [Int], contract: [Int]) {
    let all = ordered[0] + ordered[1] + own
    let order = Array(all.indices).shuffled(using: &generator)
    let place = all.indices.map { order.firstIndex(of: $0)! }
    let batchCount = ordered[0].count
    return (
      order.map { all[$0] }, Array(place[..<batchCount]),
      Array(place[batchCount..<(batchCount + ordered[1].count)])
    )
  }
  let (a, b) = (operand(ordered[2]), operand(ordered[3]))
  let dims = DotDimensions(
    lhsBatch: a.batch, rhsBatch: b.batch, lhsContract: a.contract, rhsContract: b.contract)
  return try contraction(
    .dotGeneral,
    [
      wholeNumbers(dtypes.first, a.shape, &generator),
      wholeNumbers(dtypes.second, b.shape, &generator),
    ], dims.attributes, to: dtypes.result)
}

/// A convolution of random shapes, dimension numbers and windows.
private func randomConvolution(
  _ dtypes: Contraction.DTypes, _ generator: inout SeededGenerator
) throws -> CompiledContractions.Case {
  func pick(_ choices: [Int]) -> Int { choices[generator.index(below: choices.count)] }
  let spatialRank = pick([0, 1, 1, 2, 2, 2, 2, 3])
  let digits = (0..<spatialRank).map { "\($0)" }
  func letters(_ two: [String]) -> [String] { (two + digits).shuffled(using: &generator) }
  let (input, kernel, output) = (letters(["b", "f"]), letters(["i", "o"]), letters(["b", "f"]))
  let numbers = "\(input.joined())_\(kernel.joined())->\(output.joined())"
  let dims = ConvolutionDimensions(numbers)!
  var window = ConvolutionWindow([:], spatialRank: spatialRank)
  let groups = pick([1, 1, 1, 2, 3, 8])
  if groups > 1 {
    if pick([0, 1]) == 0 { window.featureGroups = groups } else { window.batchGroups = groups }
  }
  let inputs = pick([1, 2, 3, 5, 8, 16])
  let outputs = pick([1, 2, 4, 5, 11, 16, 33])
  var x = Array(repeating: 0, count: dims.rank)
  var w = x
  x[dims.inputBatch] = pick([1, 1, 2, 3]) * window.batchGroups
  x[dims.inputFeature] = inputs * window.featureGroups
  w[dims.kernelInput] = inputs
  w[dims.kernelOutput] = outputs * groups
  for axis in 0..<spatialRank {
    let largest = spatialRank == 1 ? 40 : spatialRank == 2 ? 9 : 5
    x[dims.inputSpatial[axis]] = 1 + generator.index(below: largest)
    w[dims.kernelSpatial[axis]] = pick([1, 2, 3, 3])
    window.strides[axis] = pick([1, 1, 1, 2, 3])
    window.low[axis] = pick([0, 0, 1, 1, 2, 3, -1])
    window.high[axis] = pick([0, 0, 1, 1, 2, 3, -1])
    window.lhsDilation[axis] = pick([1, 1, 1, 2, 3, 4])
    window.rhsDilation[axis] = pick([1, 1, 1, 2, 4])
    window.reversal[axis] = pick([0, 0, 1])
  }
  return try contraction(
    .convolution,
    [wholeNumbers(dtypes.first, x, &generator), wholeNumbers(dtypes.second, w, &generator)],
    window.attributes(dims), to: dtypes.result)
}

@Suite struct ContractionTests {
  private static let needsCompiler = ConditionTrait.enabled(
    if: CompiledContractions.hasCompiler, "no C compiler")

  @Test func mergesAPlainProductToOneLoopEach() throws {
    let signature = OpSignature(
      opcode: .dotGeneral,
      operandTypes: [TensorType(.f32, [2, 3, 4, 5]), TensorType(.f32, [4, 5, 6])],
      attributes: DotDimensions(lhsContract: [2, 3], rhsContract: [0, 1]).attributes)
    let part = Contraction(signature, result: TensorType(.f32, [2, 3, 6]))!.parts[0]
    #expect(part.rows == [.init(extent: 6, first: 20, out: 6)])
    #expect(part.columns == [.init(extent: 6, second: 1, out: 1)])
    #expect(part.depth == [.init(extent: 20, first: 1, second: 6)])
    #expect(part.groups.isEmpty && part.rowOperand == .first)
  }

  @Test func splitsADilatedInputIntoPartsWithoutGaps() throws {
    var window = ConvolutionWindow([:], spatialRank: 1)
    (window.lhsDilation, window.low, window.high) = ([2], [1], [2])
    let signature = OpSignature(
      opcode: .convolution,
      operandTypes: [TensorType(.f32, [1, 8, 5]), TensorType(.f32, [3, 5, 7])],
      attributes: window.attributes(ConvolutionDimensions("b0f_0io->b0f")!))
    let type = try OpDefinition.convolution.typeRule(signature)
    let contraction = Contraction(signature, result: type)!
    // Even outputs meet the middle tap, odd ones the outer two.
    #expect(contraction.parts.map(\.depthCount) == [5, 10])
    #expect(contraction.parts.map(\.rowCount) == [8, 8])
    #expect(contraction.parts.allSatisfy { $0.axes.allSatisfy { $0.dilation == 1 } })
  }

  @Test(needsCompiler) func randomDotProductsAreExact() throws {
    var generator = SeededGenerator(seed: 1)
    let dtypes: [DType] = [.f32, .f32, .f32, .f64, .bf16, .f16, .i32, .i64, .ui32, .ui8]
    let cases = try (0..<60).map {
      try randomDot(uniform(dtypes[$0 % dtypes.count]), &generator)
    }
    try CompiledContractions(cases).expectExact()
  }

  @Test(needsCompiler) func randomConvolutionsAreExact() throws {
    var generator = SeededGenerator(seed: 2)
    let dtypes: [DType] = [.f32, .f32, .f32, .f64, .bf16, .i32]
    let cases = try (0..<60).map {
      try randomConvolution(uniform(dtypes[$0 % dtypes.count]), &generator)
    }
    try CompiledContractions(cases).expectExact()
  }

  @Test(needsCompiler) func widerResultsAreExact() throws {
    var generator = SeededGenerator(seed: 3)
    let dtypes: [Contraction.DTypes] = [
      .init(first: .bf16, second: .bf16, result: .f32),
      .init(first: .f16, second: .f16, result: .f32),
      .init(first: .f32, second: .bf16, result: .f32),
      .init(first: .bf16, second: .f32, result: .f64),
      .init(first: .i8, second: .i8, result: .i32),
      .init(first: .ui8, second: .ui16, result: .ui64),
      .init(first: .i32, second: .ui8, result: .i64),
    ]
    let cases = try (0..<48).map { number in
      let dtypes = dtypes[number % dtypes.count]
      return number < 24
        ? try randomDot(dtypes, &generator) : try randomConvolution(dtypes, &generator)
    }
    try CompiledContractions(cases).expectExact()
  }

  @Test(needsCompiler) func blocksAreExact() throws {
    var generator = SeededGenerator(seed: 3)
    func product(
      _ dtype: DType, _ a: [Int], _ b: [Int], _ lhsContract: Int, _ rhsContract: Int,
      batch: [Int] = []
    ) throws -> CompiledContractions.Case {
      let dims = DotDimensions(
        lhsBatch: batch, rhsBatch: batch, lhsContract: [lhsContract], rhsContract: [rhsContract])
      return try contraction(
        .dotGeneral, [wholeNumbers(dtype, a, &generator), wholeNumbers(dtype, b, &generator)],
        dims.attributes)
    }
    let cases = [
      // Several blocks of the depth, in each layout, with whole tiles and edges.
      try product(.f32, [17, 1300], [1300, 40], 1, 0),
      try product(.f32, [700, 17], [700, 64], 0, 0),
      try product(.f32, [30, 650], [40, 650], 1, 1), try product(.f64, [9, 333], [333, 33], 1, 0),
      // Columns read in place, with an edge.
      try product(.f32, [9, 700], [700, 70], 1, 0),
      // Sums of several blocks in scratch.
      try product(.bf16, [60, 700], [700, 9], 1, 0),
      try product(.f16, [15, 1300], [36, 1300], 1, 1),
      // Several blocks of columns.
      try product(.f32, [6, 400], [700, 400], 1, 1), try product(.bf16, [40, 6], [40, 300], 0, 0),
      // Groups for the threads.
      try product(.f32, [7, 20, 30], [7, 30, 25], 2, 1, batch: [0]),
      try product(.bf16, [7, 20, 700], [7, 5, 700], 2, 2, batch: [0]),
      // Vectors.
      try product(.f32, [1, 300], [300, 70], 1, 0), try product(.f32, [300, 70], [1, 70], 1, 1),
      try product(.f64, [70, 1], [1, 90], 1, 0),
    ]
    let compiled = try CompiledContractions(cases)
    try compiled.expectExact()
  }

  @Test(needsCompiler) func deepPanelsOfLargeResultsAreExact() throws {
    var generator = SeededGenerator(seed: 4)
    let (m, n, k) = (530, 500, 170)
    var cases: [CompiledContractions.Case] = []
    for (a, b, dims) in [
      ([m, k], [k, n], DotDimensions(lhsContract: [1], rhsContract: [0])),
      ([k, m], [n, k], DotDimensions(lhsContract: [0], rhsContract: [1])),
    ] {
      let operands = [wholeNumbers(.f32, a, &generator), wholeNumbers(.f32, b, &generator)]
      cases.append(try contraction(.dotGeneral, operands, dims.attributes))
    }
    let compiled = try CompiledContractions(cases)
    for index in 0..<2 {
      let (a, b) = (cases[index].operands[0].floats, cases[index].operands[1].floats)
      let y = try compiled.run(index, threads: 3).floats
      for _ in 0..<400 {
        let (row, column) = (generator.index(below: m), generator.index(below: n))
        var sum = 0.0
        for depth in 0..<k {
          sum +=
            index == 0
            ? a[row * k + depth] * b[depth * n + column]
            : a[depth * m + row] * b[column * k + depth]
        }
        #expect(y[row * n + column] == sum, "\(index): \(row), \(column)")
      }
    }
  }

  @Test(needsCompiler) func realNumbersAreWithinTheBoundOfTheSum() throws {
    var generator = SeededGenerator(seed: 5)
    func numbers(_ shape: [Int]) -> [Double] {
      (0..<shape.reduce(1, *)).map { _ in Double(Float(generator.unit() - 0.5)) }
    }
    let (m, n, k) = (33, 45, 200)
    let (a, b) = (numbers([m, k]), numbers([k, n]))
    let attributes = DotDimensions(lhsContract: [1], rhsContract: [0]).attributes
    func operands(_ dtype: DType, _ change: (Double) -> Double) -> [Tensor] {
      [
        Tensor(TensorType(dtype, [m, k]), floats: a.map(change)),
        Tensor(TensorType(dtype, [k, n]), floats: b.map(change)),
      ]
    }
    let one = try contraction(.dotGeneral, operands(.f32) { $0 }, attributes)
    let y = try CompiledContractions([one]).run(0, threads: 2).floats
    let exact = try result(.dotGeneral, operands(.f64) { $0 }, attributes).floats
    let magnitude = try result(.dotGeneral, operands(.f64, abs), attributes).floats
    for index in y.indices {
      #expect(abs(y[index] - exact[index]) <= Double(k) * 0x1p-24 * magnitude[index])
    }
  }

  /// As C11 and as C++17, with every compiler that is there, without a warning.
  @Test(needsCompiler) func textIsClean() throws {
    var generator = SeededGenerator(seed: 6)
    var cases: [CompiledContractions.Case] = []
    for dtype: DType in [.f32, .f64, .bf16, .f16, .i32, .ui8] {
      cases.append(try randomDot(uniform(dtype), &generator))
      for _ in 0..<4 { cases.append(try randomConvolution(uniform(dtype), &generator)) }
    }
    for (w, numbers) in [
      ([3, 3, 32, 32], "b01f_01io->b01f"), ([8, 30, 30, 32], "f01b_i01o->01bf"),
    ] {
      let window = convolution([8, 30, 30, 32], w, numbers, padding: [1, 1])
      cases.append(try wholeNumbered(window, &generator))
      #expect(cases.last?.contraction.winograd != nil)
    }
    cases.append(try randomDot(.init(first: .bf16, second: .f16, result: .f64), &generator))
    cases.append(try randomDot(.init(first: .ui8, second: .i32, result: .i64), &generator))
    let directory = try TemporaryDirectory()
    let text = CompiledContractions.text(cases, .cpu(threadsMax: 4))
    try writeFileAtomically(Array(text.utf8), to: directory.file("text.c"))
    let warnings = [
      "-Wall", "-Wextra", "-Wconversion", "-Wsign-conversion", "-pedantic", "-Werror",
    ]
    for compiler in [
      ["gcc", "-std=c11"], ["clang", "-std=c11"], ["gcc", "-std=c11", "-DCKC_SCALAR"],
      ["g++", "-x", "c++", "-std=c++17"], ["clang++", "-x", "c++", "-std=c++17"],
    ] {
      let line = compiler + warnings + ["-fsyntax-only", directory.file("text.c")]
      guard let result = try? Subprocess.run(line, joinsStreams: true) else { continue }
      let output = String(decoding: result.standardOutput, as: UTF8.self)
      #expect(result.isSuccess, "\(compiler): \(output)")
    }
  }
}
