// Elementwise ops in the kernel of the contraction whose result they read: which join, and that the bits
// are those of kernels of their own.

import Testing

@testable import CheckpointCompiler

@Suite struct EpilogueTests {
  /// A text, simplified.
  private func simplified(_ text: String, _ optimizer: Optimizer? = nil) throws -> Function {
    var sources = SourceMap()
    let compilation = try Compiler(
      options: CompileOptions(optimizer: optimizer, lastStage: .simplified)
    ).compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
    return try #require(compilation.simplified)
  }

  /// The names of the ops of each kernel, in order.
  private func kernels(_ text: String, _ optimizer: Optimizer? = nil) throws -> [String] {
    let function = grouped(try simplified(text, optimizer))
    #expect(function.fusionErrors().isEmpty)
    return KernelOrder(function).kernels.map { function.kernelLabel($0.op) }
  }

  /// Runs a text with epilogues and without: the results must have the same bits.
  private func expectSameBits(_ text: String, _ optimizer: Optimizer? = nil) throws {
    guard let driver = try? CompilerDriver() else { return }
    let function = try simplified(text, optimizer)
    var results: [[Tensor]] = []
    for joins in [true, false] {
      let kernels = sinkingUpdates(grouped(function, joinsContractions: joins))
      let order = KernelOrder(kernels).kernels
      let fused = order.contains {
        kernels.ops[$0.op].opcode == .fusion && kernels.contractionOp(of: $0.op) != nil
      }
      #expect(fused == joins)
      let plan = SavedPlan(
        kernels: order.map { kernelKey($0.op, in: kernels) }, order: Array(order.indices))
      var sources = SourceMap()
      let compilation = try Compiler(
        options: CompileOptions(
          target: .cpu(threadsMax: 2), optimizer: optimizer, plan: plan)
      ).compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
      let step = try CompiledStep(compilation, driver: driver, defines: ["CKC_POISON"])
      for (index, type) in step.function.argumentTypes.enumerated() {
        let numbers = (0..<type.elementCount).map { Double(($0 * 7 + index) % 23) / 16 - 0.6 }
        step.setArgument(index, to: Tensor(type, floats: numbers))
      }
      for threads in [1, 2] {
        step.setThreads(threads)
        #expect(step.run() == 0)
      }
      #expect(step.brokenGuards.isEmpty)
      results.append(step.resultValues + step.argumentValues)
    }
    let isSame = results[0] == results[1]
    #expect(isSame)
  }

  static let dense = """
    func @main(%x: f32[40,96], param %w: f32[96,48], param %b: f32[48], param %v: f32[48,96])
        -> (loss %loss: f32) {
      %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
      %bb = broadcast_in_dim %b {dims = [1]} : f32[40,48]
      %h = add %p, %bb
      %t = tanh %h
      %q = dot_general %t, %v {lhs_contract = [1], rhs_contract = [0]}
      %y = add %q, %x
      %s = multiply %y, %y
      %loss = reduce %s {kind = add, dims = [0, 1]}
      return %loss
    }
    """

  @Test func biasActivationAndUpdatesJoin() throws {
    let labels = try kernels(Self.dense, .sgd(weightDecay: 0))
    #expect(labels.contains("dot_general_add_tanh"))
    #expect(labels.contains("dot_general_add"))
    // Updates of weights store no gradient, the gradient of the activation no product.
    #expect(labels.filter { $0 == "dot_general_multiply_subtract" }.count == 2)
    #expect(!labels.contains("dot_general"))
  }

  @Test func denseLayersHaveTheSameBits() throws {
    for optimizer in [Optimizer.sgd(weightDecay: 0.1), .adam(weightDecay: 0)] {
      try expectSameBits(Self.dense, optimizer)
    }
  }

  /// Two blocks of the depth: sums wait in the result, or in scratch where an operand lies there.
  @Test(arguments: ["", "%r: f32[70,40], "])
  func deepSumsHaveTheSameBits(residual: String) throws {
    try expectSameBits(
      """
      func @main(\(residual)%x: f32[70,700], %w: f32[700,40], %b: f32[40]) -> f32[70,40] {
        %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
        %c = broadcast_in_dim %b {dims = [1]} : f32[70,40]
        %h = add %p, %c
        %y = add %h, \(residual.isEmpty ? "%c" : "%r")
        %z = logistic %y
        return %z
      }
      """)
  }

  /// A long depth in slices whose sums wait in scratch; the result takes the place of an operand.
  @Test func slicesHaveTheSameBits() throws {
    try expectSameBits(
      """
      func @main(%x: f32[3300,48], %g: f32[3300,44], state %w: f32[48,44], %b: f32[44])
          -> (update(%w) %v: f32[48,44], %z: f32[48,44]) {
        %p = dot_general %x, %g {lhs_contract = [0], rhs_contract = [0]}
        %c = broadcast_in_dim %b {dims = [1]} : f32[48,44]
        %s = multiply %p, %c
        %v = subtract %w, %s
        %z = logistic %s
        return %v, %z
      }
      """)
  }

  /// Batches, a transposed result, and operands that are broadcast along the rows or the batches.
  @Test func batchesHaveTheSameBits() throws {
    try expectSameBits(
      """
      func @main(%q: f32[6,20,32], %k: f32[6,24,32], %m: f32[20,24], %s: f32[6]) -> f32[6,20,24] {
        %p = dot_general %q, %k {lhs_batch = [0], rhs_batch = [0], lhs_contract = [2],
          rhs_contract = [2]}
        %mm = broadcast_in_dim %m {dims = [1, 2]} : f32[6,20,24]
        %ss = broadcast_in_dim %s {dims = [0]} : f32[6,20,24]
        %a = multiply %p, %ss
        %y = add %a, %mm
        return %y
      }
      """)
  }

  /// Products with a vector and outer products have no panels; 16 bits are rounded before the rest.
  @Test(arguments: ["f32", "bf16"])
  func smallProductsHaveTheSameBits(dtype: String) throws {
    for (x, w, y) in [
      ("70,33", "33,1", "70,1"), ("70,1", "1,90", "70,90"), ("1,64", "64,3", "1,3"),
    ] {
      try expectSameBits(
        """
        func @main(%x: \(dtype)[\(x)], %w: \(dtype)[\(w)], %r: \(dtype)[\(y)]) -> \(dtype)[\(y)] {
          %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
          %h = add %p, %r
          %z = multiply %h, %p
          return %z
        }
        """)
    }
  }

  /// With a stride, the gradient of the input comes in parts; with groups, columns in pieces; with many
  /// channels, products are fewer.
  @Test(arguments: [(1, 1, 16), (2, 1, 16), (1, 4, 16), (1, 1, 32)])
  func convolutionsHaveTheSameBits(stride: Int, groups: Int, channels: Int) throws {
    let images = channels < Winograd.channelsMin ? 2 : 20
    try expectSameBits(
      """
      func @main(%x: f32[\(images),11,12,8], param %u: f32[3,3,8,\(channels)],
          param %b: f32[\(channels)], param %w: f32[3,3,\(channels / groups),48], param %c: f32[48]) -> (loss %loss: f32) {
        %p = conv2d %x, %u, %b {padding = 1}
        %h = tanh %p
        %q = conv2d %h, %w, %c {padding = 1, stride = \(stride), groups = \(groups)}
        %y = relu %q
        %z = multiply %y, %y
        %loss = reduce %z {kind = add, dims = [0, 1, 2, 3]}
        return %loss
      }
      """, .momentum(momentum: 0.9, weightDecay: 0))
  }

  /// What a kernel that reduces makes on the way is not stored for the sake of an epilogue.
  @Test func reductionsKeepTheirOwn() throws {
    let labels = try kernels(
      """
      func @main(%x: f32[40,96], %w: f32[96,48]) -> f32[40] {
        %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
        %e = exponential %p
        %s = reduce %e {kind = add, dims = [1]}
        return %s
      }
      """)
    #expect(labels == ["dot_general", "exponential_reduce"])
  }

  /// An op that reads a sum of the product's own elements cannot run before it is known.
  @Test func whatDependsOnTheWholeProductDoesNotJoin() throws {
    let labels = try kernels(
      """
      func @main(%x: f32[40,96], %w: f32[96,48]) -> f32[40,48] {
        %p = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
        %s = reduce %p {kind = add, dims = [1]}
        %b = broadcast_in_dim %s {dims = [0]} : f32[40,48]
        %y = divide %p, %b
        return %y
      }
      """)
    #expect(labels == ["dot_general", "reduce_divide"])
  }

  /// Each of two sums reads both products: the later one takes what it can, and no cycle arises.
  @Test func twoProductsAndTwoReaders() throws {
    let labels = try kernels(
      """
      func @main(%x: f32[16,32], %v: f32[32,16], %w: f32[32,16]) -> (f32[16,16], f32[16,16]) {
        %p = dot_general %x, %v {lhs_contract = [1], rhs_contract = [0]}
        %q = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
        %a = add %p, %q
        %b = subtract %p, %q
        return %a, %b
      }
      """)
    #expect(labels == ["dot_general", "dot_general_add_subtract"])
  }

  /// The sum of a residual lies where the residual lay; a factor is never overwritten.
  @Test func onlyOperandsAtTheSamePlaceMayBeOverwritten() throws {
    let text = """
      func @main(%x: f32[48,48], %r: f32[48,48], %c: f32[48,48]) -> f32[48,48] {
        %y = fusion {
          %p = dot_general %x, %c {lhs_contract = [1], rhs_contract = [0]}
          %t = transpose %c {dims = [1, 0]}
          %a = add %p, %r
          %b = add %a, %x
          %k = multiply %b, %t
          yield %k
        }
        return %y
      }
      """
    let function = try moduleOf(text).entry
    #expect(function.fusionErrors().isEmpty)
    let order = KernelOrder(function)
    let kernel = order.kernels[0]
    let allowed = function.inPlaceOutputs(of: kernel, order: order).map {
      function.values[kernel.reads[$0.input]].name
    }
    #expect(allowed == ["r"])
    let lowered = LoweredKernel(function, kernel, order: order)
    for root in kernel.reads {
      let isProven = lowered.mayOverwrite(root, with: kernel.writes[0])
      #expect(isProven == (function.values[root].name == "r"))
    }
  }

  @Test(arguments: [
    ("%k = reduce %p {kind = add, dims = [1]}", "f32[48]", "'reduce' cannot stand after"),
    ("%k = transpose %p {dims = [1, 0]}", "f32[48,48]", "reads the product at another place"),
    (
      "%i = convert %p : i32[48,48]\n%q = dot_general %i, %i {lhs_contract = [1], rhs_contract = [0]}\n"
        + "%k = convert %q : f32[48,48]", "f32[48,48]", "two contractions"
    ),
  ])
  func fusionsThatCannotRunSayWhy(ops: String, type: String, reason: String) throws {
    let text = """
      func @main(%x: f32[48,48]) -> \(type) {
        %y = fusion {
          %p = dot_general %x, %x {lhs_contract = [1], rhs_contract = [0]}
          \(ops)
          yield %k
        }
        return %y
      }
      """
    let errors = try moduleOf(text).entry.fusionErrors()
    #expect(errors.count == 1 && errors[0].message.contains(reason), "\(errors)")
  }
}
