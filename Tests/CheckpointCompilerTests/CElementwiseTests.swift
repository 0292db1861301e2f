import Foundation
import Testing

@testable import CheckpointCompiler

/// One elementwise op on one dtype, and how far its C may be from the interpreter.
private struct ElementwiseCase {
  var opcode: Opcode
  var operands: [DType]
  var result: DType
  var attributes: Attributes = [:]

  var label: String {
    let attribute = attributes.elementwiseVariant.map { " \($0)" } ?? ""
    return "\(opcode.name)\(attribute) of \(operands.map(\.name)) to \(result.name)"
  }

  /// The largest distance allowed, in units in the last place of the result.
  var ulpMax: Int {
    guard result.isFloatingPoint else { return 0 }
    switch opcode {
    case .exponential, .exponentialMinusOne, .log, .logPlusOne, .tanh, .logistic, .rsqrt, .sine,
      .cosine, .tan, .erf, .erfc, .cbrt, .power, .asin, .acos, .atan, .sinh, .cosh, .asinh,
      .acosh, .atanh, .atan2:
      return result == .f32 ? 2 : 1
    default: return 0
    }
  }

  /// Every op on every dtype it accepts.
  static var all: [ElementwiseCase] {
    var cases: [ElementwiseCase] = []
    for opcode in Opcode.allCases where opcode.isElementwise {
      let kinds = opcode.definition.operands.map(\.kind)
      for dtype in DType.allCases where kinds[kinds.count - 1].accepts(dtype) {
        var operands = Array(repeating: dtype, count: kinds.count)
        switch opcode {
        case .convert:
          for target in DType.allCases {
            cases.append(ElementwiseCase(opcode: opcode, operands: operands, result: target))
          }
        case .compare:
          for direction in ["eq", "ne", "lt", "le", "gt", "ge"] {
            var attributes: Attributes = [.direction: .symbol(direction)]
            for order in [nil, Attribute.symbol("total")] {
              attributes[.order] = order
              cases.append(
                ElementwiseCase(
                  opcode: opcode, operands: operands, result: .i1, attributes: attributes))
            }
          }
        case .bitcastConvert:
          for target in DType.allCases
          where target.byteCount == dtype.byteCount && (target == .i1) == (dtype == .i1) {
            cases.append(ElementwiseCase(opcode: opcode, operands: operands, result: target))
          }
        case .reducePrecision:
          for (exponent, mantissa) in [(5, 10), (8, 7), (4, 3), (5, 0), (1, 2), (11, 52), (2, 30)] {
            cases.append(
              ElementwiseCase(
                opcode: opcode, operands: operands, result: dtype,
                attributes: [.exponentBits: .int(exponent), .mantissaBits: .int(mantissa)]))
          }
        case .isFinite:
          cases.append(ElementwiseCase(opcode: opcode, operands: operands, result: .i1))
        case .select:
          operands[0] = .i1
          cases.append(ElementwiseCase(opcode: opcode, operands: operands, result: dtype))
        default:
          cases.append(ElementwiseCase(opcode: opcode, operands: operands, result: dtype))
        }
      }
    }
    return cases
  }

  /// A C function that applies the op to `count` elements.
  func function(named name: String, uses: inout Set<String>) -> String {
    var text = """
      void \(name)(const void *const *in, void *out, int64_t count);
      void \(name)(const void *const *in, void *out, int64_t count) {
        \(cStorageType(result)) *r = (\(cStorageType(result)) *)out;

      """
    for (index, dtype) in operands.enumerated() {
      let type = cStorageType(dtype)
      text += "  const \(type) *p\(index) = (const \(type) *)in[\(index)];\n"
    }
    text += "  for (int64_t i = 0; i < count; i++) {\n"
    for (index, dtype) in operands.enumerated() {
      let load = cLoad(dtype, "p\(index)[i]", uses: &uses)
      text += "    const \(cComputeType(dtype)) x\(index) = \(load);\n"
    }
    let value = cExpression(
      opcode, operandDType: operands[operands.count - 1], resultDType: result,
      operands.indices.map { "x\($0)" }, direction: attributes.elementwiseVariant, uses: &uses)
    text += "    const \(cComputeType(result)) y = \(value);\n"
    text += "    r[i] = \(cStore(result, "y", isRounded: true, uses: &uses));\n  }\n}\n"
    return text
  }

  /// Operands: values at the edges of the dtype in all combinations, and random bits.
  func inputs(_ random: inout SeededGenerator) -> [Tensor] {
    var columns = operands.map { _ in [UInt8]() }
    var count = 0
    func append(_ elements: [[UInt8]]) {
      for (index, element) in elements.enumerated() { columns[index] += element }
      count += 1
    }
    var combinations: [[[UInt8]]] = [[]]
    for dtype in operands {
      let edges = edgeElements(dtype, isShort: operands.count == 3)
      combinations = combinations.flatMap { start in edges.map { start + [$0] } }
    }
    for combination in combinations { append(combination) }
    for _ in 0..<100 { append(operands.map { randomElement($0, &random) }) }
    return zip(operands, columns).map { Tensor(TensorType($0, [count]), bytes: $1) }
  }
}

/// The elements of a dtype where meanings have their corners.
private func edgeElements(_ dtype: DType, isShort: Bool) -> [[UInt8]] {
  if dtype == .i1 { return [[0], [1]] }
  if !dtype.isFloatingPoint {
    let (least, greatest) = (dtype.leastInteger, dtype.greatestInteger)
    let short: [Int64] = [least, 0, 1, 7, greatest, dtype.wrapped(-1)]
    let long: [Int64] = [
      2, 3, 8, 10, 15, 16, 17, 31, 32, 63, 64, 100, 127, 128, 200, 255, 256, 257, 65_519, 65_520,
      16_777_217,
      33_554_435, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000, 0x7FFF_FF80_0000_0001,
      0x0040_4000_0000_0001, 0x0040_8000_0000_0001, 0x0040_8000_0000_0000,
      least &+ 1, greatest &- 1,
    ]
    let all = isShort ? short : short + long + (long + short).map { 0 &- $0 }
    let numbers = all.filter { dtype.wrapped($0) == $0 }
    return numbers.map { Tensor(TensorType(dtype), integers: [$0]).bytes }
  }
  let short: [Double] = [0, -0.0, 1, -1.5, .infinity, -.infinity, .nan]
  let long: [Double] = [
    0.5, -0.5, 1.5, 2, 2.5, 3, -3, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-14, 0x1p-126, 0x1p-133,
    0x1p-134, 0x1.8p-134, 0x1p-149, 0x1p-150, 0x1.8p-150, 0x1p-1022, 0x1p-1074, 10.25, -10.25,
    88.72,
    -87.4, -103.9, 127.5, 255, 255.5, 256, 1e4, 65_504, 65_519.996, 65_520, 65_536, 1e7, 8_388_609,
    2_147_483_520, 2_147_483_648, -2_147_483_648, -2_147_483_904, 4_294_967_040, 4_294_967_296,
    0x1.fffffep62, 0x1p63, -0x1p63, 0x1p64, 3.3895e38, 0x1.fffffep127, 0x1.ffffffp127, 1e300,
    1.7976931348623157e308, 0x1.0080000000001p10, 0x1.0020000000001p10, 0x1.01p10, -0x1.003p10,
    0.7071, 1e-3, 0x1.f37c8ap95, 3.14159265, 1.57079632679, 1 - 0x1p-24, 1 + 0x1p-23, -1 + 0x1p-24,
  ]
  let all = isShort ? short : short + long
  return all.map { Tensor(TensorType(dtype), floats: [$0]).bytes }
}

/// Random bits, or half of the time a number of usual size.
private func randomElement(_ dtype: DType, _ random: inout SeededGenerator) -> [UInt8] {
  if dtype == .i1 { return [UInt8.random(in: 0...1, using: &random)] }
  if dtype.isFloatingPoint, Bool.random(using: &random) {
    return Tensor(TensorType(dtype), floats: [Double.random(in: -8...8, using: &random)]).bytes
  }
  return (0..<dtype.byteCount).map { _ in UInt8.random(in: 0...255, using: &random) }
}

/// How many numbers of the dtype apart two elements are; NaN is no distance from NaN.
private func ulpDistance(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>, _ dtype: DType) -> Int {
  func bits(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  guard dtype.isFloatingPoint else { return bits(a) == bits(b) ? 0 : .max }
  let signBit = UInt64(1) << UInt64(dtype.byteCount * 8 - 1)
  let infinity = Tensor(TensorType(dtype), floats: [.infinity]).bytes
  func place(_ bits: UInt64) -> Int {
    bits & signBit == 0 ? Int(bits) : -Int(bits & ~signBit) - 1
  }
  let (left, right) = (bits(a), bits(b))
  let infinityBits = bits(infinity[...])
  let (leftIsNaN, rightIsNaN) = (
    left & ~signBit > infinityBits, right & ~signBit > infinityBits
  )
  if leftIsNaN || rightIsNaN { return leftIsNaN && rightIsNaN ? 0 : .max }
  let (distance, overflow) = place(left).subtractingReportingOverflow(place(right))
  return overflow ? .max : abs(distance)
}

/// The C compiler of this machine, or nil with the reason printed by the test's condition.
private let compiler: CompilerDriver? = try? CompilerDriver(usesThreads: false)
private let strictFlags = ["-O1", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]

/// A whole C file of functions with the support functions that they use.
private func cFile(_ functions: [String], uses: Set<String>) -> String {
  let includes = CSupport.includes.map { "#include <\($0)>" }.joined(separator: "\n")
  return """
    \(includes)
    #define CKC_INLINE static inline

    \(CSupport.source(using: uses))

    \(functions.joined(separator: "\n"))
    """
}

/// Compiles a C file without warnings, and calls `body` with the loaded library.
private func withLibrary(_ text: String, _ body: (DynamicLibrary) throws -> Void) throws {
  let directory = try TemporaryDirectory()
  let source = directory.file("program.c")
  try writeFileAtomically(Array(text.utf8), to: source)
  let library = directory.file("program.so")
  try #require(compiler).compile(
    [source], to: library, as: .sharedLibrary, extraFlags: strictFlags)
  try body(DynamicLibrary(path: library))
}

private typealias ElementFunction =
  @convention(c) (
    UnsafePointer<UnsafeRawPointer?>, UnsafeMutableRawPointer, Int64
  ) -> Void

/// The result of a C function for all elements of its operands.
private func run(
  _ name: String, _ operands: [Tensor], to type: TensorType, in library: DynamicLibrary
) throws -> Tensor {
  let function = unsafeBitCast(try library.symbol(name), to: ElementFunction.self)
  var result = Tensor(zeros: type)
  // Copies at addresses that stay while C reads them.
  let buffers = operands.map { operand in
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(operand.bytes.count, 1), alignment: 64)
    buffer.copyBytes(from: operand.bytes)
    return buffer
  }
  defer { for buffer in buffers { buffer.deallocate() } }
  let pointers = buffers.map { UnsafeRawPointer($0.baseAddress) }
  result.bytes.withUnsafeMutableBytes { bytes in
    guard let target = bytes.baseAddress else { return }
    function(pointers, target, Int64(type.elementCount))
  }
  return result
}

@Suite(.enabled(if: compiler != nil, "there is no C compiler on this machine"))
struct CElementwiseTests {
  @Test func everyOpIsWhatTheInterpreterSays() throws {
    let cases = ElementwiseCase.all
    var uses: Set<String> = []
    let functions = cases.enumerated().map { index, item in
      item.function(named: "f\(index)", uses: &uses)
    }
    try withLibrary(cFile(functions, uses: uses)) { library in
      var random = SeededGenerator(seed: 11)
      for (index, item) in cases.enumerated() {
        let inputs = item.inputs(&random)
        let type = inputs[0].type.with(item.result)
        let expected = evaluate(item.opcode, inputs, item.attributes, type)
        let actual = try run("f\(index)", inputs, to: type, in: library)
        if actual == expected { continue }
        let size = item.result.byteCount
        var worst = (distance: 0, place: 0)
        for place in 0..<type.elementCount {
          let range = place * size..<(place + 1) * size
          let distance = ulpDistance(actual.bytes[range], expected.bytes[range], item.result)
          if distance > worst.distance { worst = (distance, place) }
        }
        let numbers = inputs.map { String(describing: $0[worst.place]) }
        #expect(
          worst.distance <= item.ulpMax,
          "\(item.label): \(numbers) gives \(actual[worst.place]), not \(expected[worst.place])")
      }
    }
  }

  /// Emitted programs may be compiled by a C++ compiler, too.
  @Test func everyOpIsCPlusPlusAsWell() throws {
    var uses = Set(CSupport.functions.map(\.name))
    let functions = ElementwiseCase.all.enumerated().map { index, item in
      item.function(named: "f\(index)", uses: &uses)
    }
    let directory = try TemporaryDirectory()
    func compile(_ text: String) throws -> ProcessResult {
      let source = directory.file("program.cc")
      try writeFileAtomically(Array(text.utf8), to: source)
      let flags = ["-x", "c++", "-std=c++17", "-fsyntax-only"] + strictFlags
      return try Subprocess.run(
        #require(compiler).command + flags + ["-Wno-unused-function", source], joinsStreams: true)
    }
    // A C compiler may come without its C++ part.
    guard try compile("#include <cmath>\nint main() { return 0; }\n").isSuccess else { return }
    let result = try compile(cFile(functions, uses: uses))
    #expect(result.isSuccess, "\(String(decoding: result.standardOutput, as: UTF8.self))")
  }

  /// In C++, a member may not have the name of a type that its struct mentions.
  @Test func membersAreNoTypes() throws {
    let names = ["float", "int32_t", "uint16_t", "size_t", "ptrdiff_t", "xor", "NULL", "x_t"]
    let arguments = names.map { "%\($0): i32[4]" }.joined(separator: ", ")
    let text =
      "func @main(\(arguments), %a: f32[4], %h: f16[4]) -> i32[4] {\n"
      + "  %c = add %size_t, %x_t\n  return %c\n}"
    let header = try LoopSamples.compile(text, CompileOptions(lastStage: .code)).header
    for name in names {
      #expect(header.contains("*\(name == "x_t" ? name : name + "_");"), "\(name)")
    }
    let directory = try TemporaryDirectory()
    let source = directory.file("program.cc")
    try writeFileAtomically(Array("#include <cmath>\n\(header)".utf8), to: source)
    let result = try Subprocess.run(
      #require(compiler).command + ["-x", "c++", "-std=c++17", "-fsyntax-only", source],
      joinsStreams: true)
    let output = String(decoding: result.standardOutput, as: UTF8.self)
    // A C compiler may come without its C++ part.
    #expect(result.isSuccess || output.contains("cmath"), "\(output)")
  }

  @Test func sixteenBitFormatsRoundAsTheInterpreter() throws {
    var uses: Set<String> = []
    var functions: [String] = []
    for dtype in [DType.bf16, .f16] {
      for (name, source, target, value) in [
        ("load", dtype, DType.f32, cLoad(dtype, "p[i]", uses: &uses)),
        ("store", .f32, dtype, cStore(dtype, "p[i]", uses: &uses)),
        ("round", .f32, .f32, cRounded(dtype, "p[i]", uses: &uses)),
        (
          "rounded", .f32, dtype,
          cStore(dtype, cRounded(dtype, "p[i]", uses: &uses), isRounded: true, uses: &uses)
        ),
      ] {
        functions.append(
          """
          void \(name)_\(dtype.name)(const void *const *in, void *out, int64_t count);
          void \(name)_\(dtype.name)(const void *const *in, void *out, int64_t count) {
            const \(cStorageType(source)) *p = (const \(cStorageType(source)) *)in[0];
            \(cStorageType(target)) *r = (\(cStorageType(target)) *)out;
            for (int64_t i = 0; i < count; i++) r[i] = \(value);
          }
          """)
      }
    }
    try withLibrary(cFile(functions, uses: uses)) { library in
      for dtype in [DType.bf16, .f16] {
        // Every number of the format, as f32, and the floats around it and around the middle to
        // the next one.
        let all = Tensor(
          TensorType(dtype, [65_536]),
          bytes: (0..<65_536).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
        let widened = Tensor(TensorType(.f32, [65_536]), floats: all.floats)
        let loaded = try run("load_\(dtype.name)", [all], to: widened.type, in: library)
        // Of a signalling NaN the interpreter makes a quiet one, loading bf16 does not.
        #expect(
          (0..<65_536).allSatisfy { place in
            let range = place * 4..<place * 4 + 4
            return ulpDistance(loaded.bytes[range], widened.bytes[range], .f32) == 0
          })
        var near: [UInt8] = []
        let middle: UInt32 = dtype == .bf16 ? 0x8000 : 0x1000
        for number in all.floats {
          let bits = Float(number).bitPattern
          for offset in [0, 1, middle &- 1, middle, middle &+ 1] {
            for byte in 0..<4 {
              near.append(UInt8(truncatingIfNeeded: (bits &+ offset) >> UInt32(8 * byte)))
            }
          }
        }
        let floats = Tensor(TensorType(.f32, [near.count / 4]), bytes: near)
        let expected = Tensor(floats.type.with(dtype), floats: floats.floats)
        for name in ["store", "rounded"] {
          let stored = try run("\(name)_\(dtype.name)", [floats], to: expected.type, in: library)
          #expect(stored == expected, "\(name) of \(dtype.name)")
        }
        let back = Tensor(floats.type, floats: expected.floats)
        #expect(try run("round_\(dtype.name)", [floats], to: floats.type, in: library) == back)
      }
    }
  }

  @Test func randomWordsAreThoseOfTheInterpreter() throws {
    let text = """
      void words(const void *const *in, void *out, int64_t count);
      void words(const void *const *in, void *out, int64_t count) {
        const uint32_t *key = (const uint32_t *)in[0];
        uint32_t *r = (uint32_t *)out;
        ckc_random_words(key[0], key[1], key[2], 0, 128, r);
        ckc_random_words(key[0], key[1], key[2], 128, count - 128, r + 128);
      }
      void uniform(const void *const *in, void *out, int64_t count);
      void uniform(const void *const *in, void *out, int64_t count) {
        const uint32_t *p = (const uint32_t *)in[0];
        float *r = (float *)out;
        for (int64_t i = 0; i < count; i++) {
          const double exact = ckc_uniform_f64(p[i]);
          r[i] = (double)ckc_uniform_f32(p[i]) == exact ? ckc_uniform_f32(p[i]) : -1.0f;
        }
      }
      """
    let uses: Set<String> = ["ckc_random_words", "ckc_uniform_f32", "ckc_uniform_f64"]
    try withLibrary(cFile([text], uses: uses)) { library in
      for count in [128, 129, 191, 192, 200, 1000] {
        let key: [Int64] = [0xDEAD_BEEF, 7, 0xFFFF_FFFF]
        let expected = randomWords(
          count: count, seed: UInt32(key[0]), step: UInt32(key[1]), stream: UInt32(key[2]))
        let words = try run(
          "words", [Tensor(TensorType(.ui32, [3]), integers: key)], to: TensorType(.ui32, [count]),
          in: library)
        #expect(words.integers == expected.map { Int64($0) })
        let uniform = try run("uniform", [words], to: TensorType(.f32, [count]), in: library)
        #expect(uniform.floats == expected.map { Double($0 >> 8) * 0x1p-24 })
      }
    }
  }

  @Test func literalsAreTheirBits() throws {
    var uses: Set<String> = []
    var functions: [String] = []
    var tensors: [Tensor] = []
    var random = SeededGenerator(seed: 5)
    for dtype in DType.allCases {
      var elements = edgeElements(dtype, isShort: false)
      for _ in 0..<50 { elements.append(randomElement(dtype, &random)) }
      let tensor = Tensor(TensorType(dtype, [elements.count]), bytes: elements.flatMap { $0 })
      let type = cComputeType(dtype)
      var text = """
        void literals_\(dtype.name)(const void *const *in, void *out, int64_t count);
        void literals_\(dtype.name)(const void *const *in, void *out, int64_t count) {
          \(cStorageType(dtype)) *r = (\(cStorageType(dtype)) *)out;
          (void)in;
          (void)count;

        """
      for (index, element) in elements.enumerated() {
        let literal = cLiteral(element, dtype, uses: &uses)
        text += "  { const \(type) x = \(literal); "
        text += "r[\(index)] = \(cStore(dtype, "x", uses: &uses)); }\n"
      }
      functions.append(text + "}\n")
      tensors.append(tensor)
    }
    try withLibrary(cFile(functions, uses: uses)) { library in
      for tensor in tensors {
        let dtype = tensor.type.dtype
        let actual = try run("literals_\(dtype.name)", [], to: tensor.type, in: library)
        let size = dtype.byteCount
        for place in 0..<tensor.type.elementCount {
          let range = place * size..<(place + 1) * size
          #expect(
            ulpDistance(actual.bytes[range], tensor.bytes[range], dtype) == 0,
            "\(dtype.name) \(tensor[place])")
        }
      }
    }
  }

  @Test func literalsReadWell() {
    var uses: Set<String> = []
    #expect(cLiteral(DType.f32.encode(1), .f32, uses: &uses) == "1.0f")
    #expect(cLiteral(DType.f32.encode(-0.0), .f32, uses: &uses) == "(-0.0f)")
    #expect(cLiteral(DType.f32.encode(1.5), .f32, uses: &uses) == "0x1.8p+0f")
    #expect(cLiteral(DType.f64.encode(-0.0625), .f64, uses: &uses) == "(-0x1p-4)")
    #expect(cLiteral(DType.bf16.encode(3), .bf16, uses: &uses) == "3.0f")
    #expect(cLiteral(DType.i64.encode(-5), .i64, uses: &uses) == "(-INT64_C(5))")
    #expect(cLiteral(DType.ui32.encode(5), .ui32, uses: &uses) == "5u")
    #expect(uses.isEmpty)
    #expect(
      cLiteral(DType.f32.encode(.infinity), .f32, uses: &uses) == "ckc_f32_from_bits(0x7F800000u)")
    #expect(uses == ["ckc_f32_from_bits"])
  }

  @Test func reductionsStartAtTheirNeutralElement() throws {
    // Of every element, the neutral one is without effect.
    var uses: Set<String> = []
    var functions: [String] = []
    var cases: [(name: String, dtype: DType)] = []
    for kind in combinerKinds {
      for dtype in DType.allCases {
        let isLogical = ["and", "or", "xor"].contains(kind)
        guard isLogical ? !dtype.isFloatingPoint : dtype != .i1 else { continue }
        let name = "combine_\(kind)_\(dtype.name)"
        let neutral = cNeutral(kind: kind, dtype: dtype, uses: &uses)
        let sum = cCombine(kind: kind, dtype: dtype, "x", "y", uses: &uses)
        let type = cStorageType(dtype)
        functions.append(
          """
          void \(name)(const void *const *in, void *out, int64_t count);
          void \(name)(const void *const *in, void *out, int64_t count) {
            const \(type) *p = (const \(type) *)in[0];
            \(type) *r = (\(type) *)out;
            for (int64_t i = 0; i < count; i++) {
              const \(cComputeType(dtype)) x = \(neutral);
              const \(cComputeType(dtype)) y = \(cLoad(dtype, "p[i]", uses: &uses));
              const \(cComputeType(dtype)) z = \(sum);
              r[i] = \(cStore(dtype, "z", uses: &uses));
            }
          }
          """)
        cases.append((name, dtype))
      }
    }
    try withLibrary(cFile(functions, uses: uses)) { library in
      for (name, dtype) in cases {
        let elements = edgeElements(dtype, isShort: false)
        let tensor = Tensor(TensorType(dtype, [elements.count]), bytes: elements.flatMap { $0 })
        let actual = try run(name, [tensor], to: tensor.type, in: library)
        // 0 + -0 is 0.
        #expect(
          dtype.isFloatingPoint
            ? zip(actual.floats, tensor.floats).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
            : actual == tensor, "\(name)")
      }
    }
  }

  @Test func supportFunctionsFollowWhatTheyCall() {
    var seen: Set<String> = []
    for function in CSupport.functions {
      #expect(function.calls.allSatisfy { seen.contains($0) }, "\(function.name)")
      // What the text calls is what the row says.
      let words = function.text.split { !($0.isLetter || $0.isNumber || $0 == "_") }
      let called = Set(words.map(String.init).filter { $0.hasPrefix("ckc_") })
      #expect(called == Set(function.calls + [function.name]), "\(function.name)")
      #expect(seen.insert(function.name).inserted, "\(function.name) twice")
    }
  }
}
