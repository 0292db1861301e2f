import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// A spelling of an attention.
private struct Spelling: Sendable, CustomTestStringConvertible {
  var name: String
  var body: String
  var testDescription: String { name }

  /// A function of queries [2,5,3,4], keys [2,6,3,4], values [2,6,3,2] and a mask [5,6].
  var text: String {
    """
    func @main(
        %q: f32[2,5,3,4], %k: f32[2,6,3,4], %v: f32[2,6,3,2], %m: f32[5,6], param %b: f32[5,6],
        %p: i1[6], %key: ui32[2]) -> (loss %l: f32) {
      %scores = dot_general %q, %k {
        lhs_batch = [0, 2], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [3]}
      \(body)
      %c = add %y, 0.5
      %s = multiply %c, %c
      %l = reduce %s {kind = add, dims = [0, 1, 2, 3]}
      return %l
    }
    """
  }
}

/// The product of weights and values.
private let values =
  "%y = dot_general %w, %v {lhs_batch = [0, 1], rhs_batch = [0, 2], lhs_contract = [3], "
  + "rhs_contract = [1]}"

/// A softmax as it is written out, with a guard against rows of infinities.
private let softmax = """
  %max = reduce %x {kind = max, dims = [3]}
  %low = constant -inf : f32[2,3,5]
  %most = maximum %low, %max
  %zero = constant 0.0 : f32[2,3,5]
  %finite = is_finite %most
  %base = select %finite, %most, %zero
  %column = reshape %base : f32[2,3,5,1]
  %spread = broadcast_in_dim %column {dims = [0, 1, 2, 3]} : f32[2,3,5,6]
  %shifted = subtract %x, %spread
  %e = exponential %shifted
  %sum = reduce %e {kind = add, dims = [3]}
  """

private let quotient = """
  %total = broadcast_in_dim %sum {dims = [0, 1, 2]} : f32[2,3,5,6]
  %w = divide %e, %total
  """

@Suite struct AttentionTests {
  fileprivate static let found = [
    Spelling(name: "the layer", body: "%w = softmax %scores\n\(values)"),
    Spelling(
      name: "the layer's mask",
      body: "%w = attention_weights %scores {causal = true, scale = 0.5}\n\(values)"),
    Spelling(
      name: "written out", body: "%x = divide %scores, 2.0\n\(softmax)\n\(quotient)\n\(values)"),
    Spelling(
      name: "by the inverse of the sum",
      body: """
        %x = multiply 0.5, %scores
        \(softmax)
        %inverse = divide 1.0, %sum
        %factor = broadcast_in_dim %inverse {dims = [0, 1, 2]} : f32[2,3,5,6]
        %w = multiply %factor, %e
        \(values)
        """),
    Spelling(
      name: "an added mask and dropout",
      body: """
        %added = broadcast_in_dim %m {dims = [2, 3]} : f32[2,3,5,6]
        %x = add %scores, %added
        \(softmax)
        \(quotient.replacing("%w", with: "%kept"))
        %w = dropout %kept, %key {rate = 0.25}
        \(values)
        """),
    Spelling(
      name: "the future filled in, in the other order",
      body: """
        %i = iota {dim = 0} : i32[5,6]
        %j = iota {dim = 1} : i32[5,6]
        %last = add %i, 1
        %late = compare %j, %last {direction = gt}
        %later = broadcast_in_dim %late {dims = [2, 3]} : i1[2,3,5,6]
        %x = select %later, -1e9, %scores
        \(softmax)
        \(quotient)
        \(values)
        """),
    Spelling(
      name: "a mask of keys",
      body: """
        %chosen = broadcast_in_dim %p {dims = [3]} : i1[2,3,5,6]
        %x = select %chosen, %scores, -30.0
        \(softmax)
        \(quotient)
        \(values)
        """),
    Spelling(
      name: "values on the left",
      body: """
        %w = softmax %scores
        %y = dot_general %v, %w {
          lhs_batch = [2, 0], rhs_batch = [1, 0], lhs_contract = [1], rhs_contract = [3]}
        """),
  ]

  fileprivate static let left = [
    Spelling(
      name: "weights that are read",
      body: "%w = softmax %scores\n\(values)\n%r = reduce %w {kind = add, dims = [3]}\n"
        + "%t = broadcast_in_dim %r {dims = [0, 1, 2]} : f32[2,3,5,2]\n%y = add %y0, %t"
    ).renamed("%y = dot_general", "%y0 = dot_general"),
    Spelling(
      name: "a mask that is trained",
      body: "%added = broadcast_in_dim %b {dims = [2, 3]} : f32[2,3,5,6]\n"
        + "%x = add %scores, %added\n%w = softmax %x\n\(values)"),
    Spelling(
      name: "scaled after it was masked",
      body: "%added = broadcast_in_dim %m {dims = [2, 3]} : f32[2,3,5,6]\n"
        + "%x = add %scores, %added\n%z = multiply %x, 0.5\n%w = softmax %z\n\(values)"),
    Spelling(
      name: "a softmax over the queries",
      body: "%turned = transpose %scores {dims = [0, 1, 3, 2]}\n%sw = softmax %turned\n"
        + "%w = transpose %sw {dims = [0, 1, 3, 2]}\n\(values)"),
  ]

  /// The function before and after.
  private func fused(_ spelling: Spelling) throws -> (plain: Function, fused: Function) {
    let module = try moduleOf(spelling.text)
    let fused = inlined(module.entry, in: module, scope: .beforeDifferentiation)
      .fusingAttention(in: module)
    return (inlined(module.entry, in: module), fused)
  }

  @Test(arguments: found)
  fileprivate func anAttentionIsOneOp(spelling: Spelling) throws {
    let (plain, fused) = try fused(spelling)
    let opcodes = fused.ops.elements.map(\.opcode)
    #expect(opcodes.count { $0 == .softmaxAttention } == 1)
    #expect(!opcodes.contains { [.exponential, .call].contains($0) }, "\(Printer.print(fused))")
    #expect(verify(fused).isEmpty)
    let arguments = randomArguments(for: plain, seed: 3)
    let expected = try interpret(plain, arguments: arguments)[0].floats[0]
    let found = try interpret(fused, arguments: arguments)[0].floats[0]
    #expect(abs(found - expected) < 1e-5 * abs(expected))
  }

  @Test(arguments: left)
  fileprivate func whatIsNoAttentionAloneStays(spelling: Spelling) throws {
    let fused = try fused(spelling).fused
    #expect(!fused.ops.elements.contains { $0.opcode == .softmaxAttention })
  }

  /// A function whose attention reads parts of one product.
  private static func ofOneProduct(_ first: String, _ second: String) -> String {
    """
    func @main(%x: f32[2,5,4], param %w: f32[4,3,6], param %b: f32[18]) -> (loss %l: f32) {
      %p = dot_general %x, %w {lhs_contract = [2], rhs_contract = [0]}
      %flat = reshape %p : f32[2,5,18]
      %bias = broadcast_in_dim %b {dims = [2]} : f32[2,5,18]
      %qkv = add %flat, %bias
      %q.part = slice %qkv {start = [0, 0, \(first)], limit = [2, 5, \(first) + 6]}
      %k.part = slice %qkv {start = [0, 0, \(second)], limit = [2, 5, \(second) + 6]}
      %v.part = slice %qkv {start = [0, 0, 12], limit = [2, 5, 18]}
      %q = reshape %q.part : f32[2,5,3,2]
      %k = reshape %k.part : f32[2,5,3,2]
      %v = reshape %v.part : f32[2,5,3,2]
      %scores = dot_general %q, %k {
        lhs_batch = [0, 2], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [3]}
      %weights = softmax %scores
      %y = dot_general %weights, %v {
        lhs_batch = [0, 1], rhs_batch = [0, 2], lhs_contract = [3], rhs_contract = [1]}
      %c = multiply %y, %y
      %l = reduce %c {kind = add, dims = [0, 1, 2, 3]}
      return %l
    }
    """
  }

  @Test func thirdsOfOneProductAreReadWhereTheyAre() throws {
    let module = try moduleOf(Self.ofOneProduct("0", "6"))
    let plain = inlined(module.entry, in: module)
    let joined = inlined(module.entry, in: module, scope: .beforeDifferentiation)
      .fusingAttention(in: module)
    let attention = try #require(
      joined.ops.elements.first { $0.opcode == .softmaxAttention })
    #expect(attention.attributes.int(.qkvDim) == 2)
    #expect(!joined.ops.elements.contains { $0.opcode == .slice }, "\(Printer.print(joined))")
    #expect(verify(joined).isEmpty)
    let arguments = randomArguments(for: plain, seed: 4)
    let expected = try interpret(plain, arguments: arguments)[0].floats[0]
    let found = try interpret(joined, arguments: arguments)[0].floats[0]
    #expect(abs(found - expected) < 1e-5 * abs(expected))
  }

  @Test func partsInAnotherOrderStayApart() throws {
    let module = try moduleOf(Self.ofOneProduct("6", "0"))
    let fused = inlined(module.entry, in: module, scope: .beforeDifferentiation)
      .fusingAttention(in: module)
    let attention = try #require(fused.ops.elements.first { $0.opcode == .softmaxAttention })
    #expect(attention.attributes.int(.qkvDim) == nil)
  }

  @Test func weightsTakeNoMemory() throws {
    let text = """
      func @main(%x: f32[1,512,8], param %w: f32[8,1,8] = normal(0.1), param %o: f32[1,8,8] = ones)
          -> (loss %l: f32) {
        %y = multi_head_attention %x, %w, %w, %w, %o {causal = true}
        %l = reduce %y {kind = add, dims = [0, 1, 2]}
        return %l
      }
      """
    var sources = SourceMap()
    let options = CompileOptions(target: .cpu(threadsMax: 1))
    let compilation = try Compiler(options: options)
      .compile(Array(text.utf8), fileName: "test.ir", sources: &sources)
    let arenaBytes = try #require(compilation.step).arenaBytes
    #expect(arenaBytes < 512 * 512 * 4, "\(arenaBytes)")
  }
}

extension Spelling {
  fileprivate func renamed(_ old: String, _ new: String) -> Spelling {
    Spelling(name: name, body: body.replacing(old, with: new))
  }
}
