// Elementwise ops on the factors of contractions, computed where these are packed: the bits are those of
// kernels of their own, and the backward pass computes so what it need not store.

import Testing

@testable import CheckpointCompiler

@Suite struct PrologueTests {
  /// Compiles and runs a planned text on numbers of its own, with one thread and with two.
  private func results(_ text: String, options: CompileOptions) throws -> [Tensor]? {
    guard let driver = try? CompilerDriver() else { return nil }
    var sources = SourceMap()
    let compilation = try Compiler(options: options).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
    let step = try CompiledStep(compilation, driver: driver, defines: ["CKC_POISON"])
    for (index, type) in step.function.argumentTypes.enumerated() {
      let numbers = (0..<type.elementCount).map { Double(($0 * 7 + index) % 23) / 16 - 0.6 }
      step.setArgument(index, to: Tensor(type, floats: numbers))
    }
    var results: [Tensor] = []
    for threads in [1, 2] {
      step.setThreads(threads)
      #expect(step.run() == 0)
      results += step.resultValues
    }
    #expect(step.brokenGuards.isEmpty)
    return results + step.argumentValues
  }

  /// A product, and ops that make its factors before it, in one kernel and each in its own: the results
  /// must have the same bits.
  private func expectSameBits(
    _ arguments: String, making ops: [String], _ product: String, _ after: [String] = [],
    result: String, type: String
  ) throws {
    let body = (ops + [product] + after).map { "      \($0)\n" }.joined()
    let head = "func @main(\(arguments)) -> \(type) {\n  %out = no_grad {\n"
    let fused = "    %all = fusion {\n\(body)      yield \(result)\n    }\n    yield %all\n"
    let options = CompileOptions(target: .cpu(threadsMax: 2))
    let tail = "  }\n  return %out\n}\n"
    let function = try moduleOf(head + fused + tail).entry
    #expect(function.fusionErrors().isEmpty, "\(function.fusionErrors())")
    let order = KernelOrder(function)
    #expect(order.kernels.count == 1 && function.hasPrologue(order.kernels[0].op))
    guard let together = try results(head + fused + tail, options: options) else { return }
    let apart = try results(head + body + "    yield \(result)\n" + tail, options: options)
    let isSame = together == apart
    #expect(isSame)
  }

  /// A row's mean and scale, a column's scale, and a function of the element: as the first or the second
  /// factor, along its rows or its columns.
  @Test(arguments: [
    ("%n, %w {lhs_contract = [1], rhs_contract = [0]}", "f32[96,40]", "f32[70,40]"),
    ("%n, %w {lhs_contract = [0], rhs_contract = [0]}", "f32[70,40]", "f32[96,40]"),
    ("%w, %n {lhs_contract = [1], rhs_contract = [0]}", "f32[40,70]", "f32[40,96]"),
    ("%w, %n {lhs_contract = [1], rhs_contract = [1]}", "f32[40,96]", "f32[40,70]"),
  ])
  func normalizedFactors(product: String, other: String, type: String) throws {
    try expectSameBits(
      "%x: f32[70,96], %m: f32[70], %g: f32[96], %w: \(other)",
      making: [
        "%mb = broadcast_in_dim %m {dims = [0]} : f32[70,96]",
        "%gb = broadcast_in_dim %g {dims = [1]} : f32[70,96]",
        "%c = subtract %x, %mb", "%s = multiply %c, %gb", "%n = tanh %s",
      ],
      "%p = dot_general \(product)", result: "%p", type: type)
  }

  /// Both factors of one value, an epilogue that reads it too, and a depth of several blocks.
  @Test func bothFactorsAndAnEpilogue() throws {
    try expectSameBits(
      "%x: f32[60,700], %y: f32[700,60], %r: f32[60,60]",
      making: ["%a = logistic %x", "%b = multiply %y, 0.5"],
      "%p = dot_general %a, %b {lhs_contract = [1], rhs_contract = [0]}",
      ["%q = add %p, %r", "%z = tanh %q"], result: "%z", type: "f32[60,60]")
  }

  /// What a window reads outside is zero, not what the ops make of zero: as the input of a convolution
  /// and in the gradient of its kernel, where the input is turned.
  @Test(arguments: [
    ("b01f_01io->b01f", "f32[3,3,8,24]", "f32[3,10,10,24]", "low = [1,1], high = [1,1]"),
    (
      "b01f_01io->b01f", "f32[3,3,8,24]", "f32[3,5,5,24]",
      "strides = [2,2], low = [1,1], high = [1,1]"
    ),
    ("f01b_i01o->01bf", "f32[3,10,10,24]", "f32[3,3,8,24]", "low = [1,1], high = [1,1]"),
  ])
  func windows(numbers: String, kernel: String, type: String, window: String) throws {
    try expectSameBits(
      "%x: f32[3,10,10,8], %g: f32[8], %w: \(kernel)",
      making: [
        "%gb = broadcast_in_dim %g {dims = [3]} : f32[3,10,10,8]", "%s = add %x, %gb",
        "%h = exponential %s",
      ],
      "%p = convolution %h, %w {dim_numbers = \"\(numbers)\", \(window)}",
      result: "%p", type: type)
  }

  /// Values of 16 bits are rounded before they are packed; casts and masks are read as they are stored.
  @Test func narrowValues() throws {
    try expectSameBits(
      "%x: bf16[50,64], %k: i1[50,64], %w: bf16[64,40]",
      making: [
        "%t = tanh %x", "%z = subtract %x, %x", "%a = select %k, %t, %z",
      ],
      "%p = dot_general %a, %w {lhs_contract = [1], rhs_contract = [0]}",
      result: "%p", type: "bf16[50,40]")
  }

  @Test func factorsThatAreNotPackedSaySo() throws {
    let text = """
      func @main(%x: f32[50,64], %w: f32[64,1]) -> f32[50,1] {
        %out = fusion {
          %a = tanh %x
          %p = dot_general %a, %w {lhs_contract = [1], rhs_contract = [0]}
          yield %p
        }
        return %out
      }
      """
    let errors = try moduleOf(text).entry.fusionErrors()
    #expect(errors.count == 1, "\(errors)")
    #expect(errors.contains { $0.message.contains("made where it is not packed") }, "\(errors)")
  }

  /// Two layers with a smooth activation: what the gradient of the second weight multiplies.
  private static let network = """
    func @main(%x: f32[64,48], param %v: f32[48,96], param %w: f32[96,40]) -> (loss %loss: f32) {
      %u = dot_general %x, %v {lhs_contract = [1], rhs_contract = [0]}
      %s = logistic %u
      %h = multiply %u, %s
      %y = dot_general %h, %w {lhs_contract = [1], rhs_contract = [0]}
      %q = multiply %y, %y
      %loss = reduce %q {kind = add, dims = [0, 1]}
      return %loss
    }
    """

  private func variants(_ optimizer: Optimizer) throws -> [Function] {
    var sources = SourceMap()
    let compilation = try Compiler(
      options: CompileOptions(optimizer: optimizer, lastStage: .simplified)
    ).compile(Array(Self.network.utf8), fileName: "test.ir", sources: &sources)
    return kernelVariants(of: try #require(compilation.simplified), target: .cpu(threadsMax: 2))
      .map(sinkingUpdates)
  }

  private func prologueCount(_ function: Function) -> Int {
    KernelOrder(function).kernels.filter { function.hasPrologue($0.op) }.count
  }

  /// A gradient computes the activation from what is stored for its own gradient; the forward pass does
  /// not compute it twice.
  @Test func gradientsMakeTheirFactors() throws {
    let variants = try variants(.sgd(weightDecay: 0))
    #expect(prologueCount(variants[0]) == 0)
    #expect(variants.contains { prologueCount($0) == 1 })
    for variant in variants {
      #expect(variant.fusionErrors().isEmpty)
      let order = KernelOrder(variant)
      for kernel in order.kernels where variant.hasPrologue(kernel.op) {
        // What is made as it is packed is not read, nor overwritten.
        #expect(!kernel.reads.contains { variant.values[$0].name == "h" })
        let label = variant.kernelLabel(kernel.op)
        #expect(label.hasPrefix("dot_general"))
        for pair in variant.inPlaceOutputs(of: kernel, order: order) {
          #expect(variant.values[kernel.reads[pair.input]].name != "u")
        }
        let read = kernel.reads.first { variant.values[$0].name.hasPrefix("u") }
        let proven = read.map {
          LoweredKernel(variant, kernel, order: order).mayOverwrite($0, with: kernel.writes[0])
        }
        #expect(proven != true)
      }
    }
  }

  @Test func allVariantsHaveTheSameBits() throws {
    let optimizer = Optimizer.momentum(momentum: 0.9, weightDecay: 0)
    var expected: [Tensor]?
    for variant in try variants(optimizer) {
      let order = KernelOrder(variant).kernels
      let plan = SavedPlan(
        kernels: order.map { kernelKey($0.op, in: variant) }, order: Array(order.indices))
      let results = try results(
        Self.network,
        options: CompileOptions(
          target: .cpu(threadsMax: 2), optimizer: optimizer, plan: plan))
      let isSame = expected == nil || results == expected
      #expect(isSame)
      expected = results
    }
  }

  /// A window packs an element once for each tap: the work says so.
  @Test func repeatedPackingIsPriced() throws {
    func flops(_ taps: Int) throws -> Double {
      let text = """
        func @main(%x: f32[2,16,16,8], %w: f32[\(taps),\(taps),8,16]) -> f32[2,16,16,16] {
          %p = fusion {
            %h = exponential %x
            %q = convolution %h, %w {dim_numbers = "b01f_01io->b01f",
              low = [\(taps / 2),\(taps / 2)], high = [\(taps / 2),\(taps / 2)]}
            yield %q
          }
          return %p
        }
        """
      let function = try moduleOf(text).entry
      let kernel = KernelOrder(function).kernels[0]
      return KernelWork(
        of: kernel, in: function, target: .cpu(threadsMax: 1), isInPlace: false
      ).loopFlops
    }
    #expect(try flops(3) == 9 * flops(1))
  }
}
