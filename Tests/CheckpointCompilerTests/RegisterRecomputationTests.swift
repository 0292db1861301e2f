// Kernels that compute anew what they would have to read: what is stored, and that the bits stay.

import Testing

@testable import CheckpointCompiler

@Suite struct RegisterRecomputationTests {
  /// The step of a loss after `layers` of a linear map and a smooth activation.
  private func text(layers: Int) -> String {
    var text = "func @main(%x0: f32[16,64]"
    for layer in 0..<layers { text += ", param %w\(layer): f32[64,64]" }
    text += ") -> (loss %loss: f32) {\n"
    for layer in 0..<layers {
      text += """
          %h\(layer) = dot_general %x\(layer), %w\(layer) {lhs_contract = [1], rhs_contract = [0]}
          %a\(layer) = add %h\(layer), 1.0
          %g\(layer) = multiply %a\(layer), %h\(layer)
          %t\(layer) = tanh %g\(layer)
          %x\(layer + 1) = multiply %t\(layer), %a\(layer)

        """
    }
    text += "  %loss = reduce %x\(layers) {kind = add, dims = [0, 1]}\n  return %loss\n}\n"
    return text
  }

  private func compile(_ text: String, to stage: Stage) throws -> Compilation {
    var sources = SourceMap()
    return try Compiler(options: CompileOptions(lastStage: stage)).compile(
      Array(text.utf8), fileName: "test.ir", sources: &sources)
  }

  private func step(layers: Int) throws -> Function {
    try #require(try compile(text(layers: layers), to: .simplified).simplified)
  }

  private func figures(_ function: Function) throws -> (peakBytes: Int, cost: Double) {
    let priced = try priced(function, costs: CostModel(target: .cpu()))
    let result = solve(priced.problem, options: SolveOptions(strategy: .none))
    return (result.peakBytes, result.cost)
  }

  @Test func variantsStoreLessAndLess() throws {
    // The same again without epilogues comes after.
    let variants = kernelVariants(of: try step(layers: 4), target: .cpu()).prefix { variant in
      KernelOrder(variant).kernels.contains {
        variant.ops[$0.op].opcode == .fusion && variant.contractionOp(of: $0.op) != nil
      }
    }
    try #require(variants.count >= 2)
    let all = try variants.map(figures)
    for (more, less) in zip(all, all.dropFirst()) { #expect(less.peakBytes <= more.peakBytes) }
    #expect(all.last!.peakBytes < all[0].peakBytes)
    // At the price of what storing takes, computing anew costs no more.
    #expect(all[1].cost <= all[0].cost)
    for variant in variants { #expect(variant.fusionErrors().isEmpty) }
  }

  @Test func everyVariantComputesTheSameBits() throws {
    let variants = kernelVariants(of: try step(layers: 3), target: .cpu())
    let arguments = variants[0].argumentTypes.enumerated().map { index, type in
      Tensor(type, floats: (0..<type.elementCount).map { Double(($0 * 7 + index) % 11) / 40 - 0.1 })
    }
    let expected = try interpret(variants[0], arguments: arguments)
    for variant in variants.dropFirst() {
      #expect(try interpret(variant, arguments: arguments) == expected)
    }
  }

  @Test func theDefaultSpendsALittleTimeOnMemory() throws {
    let compilation = try compile(text(layers: 4), to: .memory)
    let step = try #require(compilation.step)
    let keepAll = try #require(compilation.keepAll)
    #expect(step.costNs <= keepAll.costNs * (1 + CompileOptions.defaultMaxOverhead))
    #expect(step.arenaBytes < keepAll.arenaBytes)
  }

  @Test func aGraphWithoutALossHasOneVariant() throws {
    let text = """
      func @main(%x: f32[64]) -> f32[64] {
        %y = tanh %x
        %z = multiply %y, %x
        return %z
      }
      """
    var sources = SourceMap()
    let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
    #expect(kernelVariants(of: module.entry, target: .cpu()).count == 1)
  }
}
