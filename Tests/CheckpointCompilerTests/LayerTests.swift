import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// A layer applied to example arguments: the text of its operands (types, with roles), its call, and
/// what must be added for it.
struct LayerCase: Sendable, CustomTestStringConvertible {
  /// The operands by name and type; `param` in front where a gradient is checked.
  var operands: String
  /// The ops up to a value `%y` of any shape.
  var body: String
  /// The shape of `%y`.
  var shape: [Int]
  /// The range of the example numbers.
  var low = -1.0
  /// The range of the example numbers.
  var high = 1.0

  var testDescription: String { body }

  /// A function whose loss is the sum of the squares of `%y + 1`, weighted by their index: it tells
  /// every element of the gradient of `%y` from the others.
  var text: String {
    let type = "f32\(shape.isEmpty ? "" : "\(shape)")"
    let weights =
      shape.isEmpty
      ? "%weights = constant 0.7 : f32"
      : """
      %flat = iota {dim = 0} : f32[\(shape.reduce(1, *))]
        %smaller = multiply %flat, 0.1
        %fractions = sine %smaller
        %weights = reshape %fractions : \(type)
      """
    return """
      func @main(\(operands)) -> (loss %loss: f32) {
        \(body.split(separator: "\n").joined(separator: "\n  "))
        %shifted = add %y, 1.0
        %square = multiply %shifted, %shifted
        \(weights)
        %terms = multiply %square, %weights
        %loss = reduce %terms {kind = add, dims = [\(shape.indices.map(String.init).joined(separator: ", "))]}
        return %loss
      }
      """
  }
}

/// The module of a text, with the errors of a text that does not parse among the issues.
func moduleOf(_ text: String, entry: String? = nil) throws -> Module {
  var sources = SourceMap()
  do {
    return try parseModule(Array(text.utf8), name: "test.ir", sources: &sources, entry: entry)
  } catch {
    Issue.record("\(DiagnosticRenderer(sources: sources).render(error.diagnostics))\n\(text)")
    throw error
  }
}

@Suite struct LayerTests {
  static let layers: [LayerCase] = [
    LayerCase(operands: "param %x: f32[2,5]", body: "%y = relu %x", shape: [2, 5]),
    LayerCase(operands: "param %x: f32[7]", body: "%y = leaky_relu %x {slope = 0.2}", shape: [7]),
    LayerCase(operands: "param %x: f32", body: "%y = sigmoid %x", shape: []),
    LayerCase(operands: "param %x: f32[2,5]", body: "%y = silu %x", shape: [2, 5]),
    LayerCase(operands: "param %x: f32[9]", body: "%y = gelu %x", shape: [9], low: -3, high: 3),
    LayerCase(operands: "param %x: f32[9]", body: "%y = gelu_tanh %x", shape: [9], low: -3, high: 3),
    LayerCase(
      operands: "param %x: f32[2,3,4], param %w: f32[4,5]", body: "%y = linear %x, %w",
      shape: [2, 3, 5]),
    LayerCase(
      operands: "param %x: f32[4], param %w: f32[4,5], param %b: f32[5]",
      body: "%y = linear %x, %w, %b", shape: [5]),
    LayerCase(
      operands: "param %x: f32[2,5,6,3], param %w: f32[3,2,3,4]",
      body: "%y = conv2d %x, %w {stride = 2, padding = 1}", shape: [2, 3, 4, 4]),
    LayerCase(
      operands: "param %x: f32[1,6,6,4], param %w: f32[3,3,2,6], param %b: f32[6]",
      body: "%y = conv2d %x, %w, %b {groups = 2, dilation = 2, padding = 2}", shape: [1, 6, 6, 6]),
    LayerCase(
      operands: "param %x: f32[2,4,4,3], param %w: f32[2,2,1,3]",
      body: "%y = conv2d %x, %w {groups = 3}", shape: [2, 3, 3, 3]),
    LayerCase(
      operands: "%ids: i32[2,3], param %table: f32[3,4]", body: "%y = embedding %ids, %table",
      shape: [2, 3, 4]),
    LayerCase(
      operands: "param %x: f32[2,3,5], param %g: f32[5], param %b: f32[5]",
      body: "%y = layer_norm %x, %g, %b", shape: [2, 3, 5]),
    LayerCase(
      operands: "param %x: f32[3,5], param %g: f32[5]", body: "%y = rms_norm %x, %g",
      shape: [3, 5]),
    LayerCase(
      operands: "param %x: f32[2,3,2,6], param %g: f32[6], param %b: f32[6]",
      body: "%y = group_norm %x, %g, %b {groups = 3}", shape: [2, 3, 2, 6]),
    LayerCase(
      operands: "param %x: f32[3,2,2,3], param %g: f32[3], param %b: f32[3], %m: f32[3], %v: f32[3]",
      body: "%y, %m.new, %v.new = batch_norm %x, %g, %b, %m, %v", shape: [3, 2, 2, 3]),
    LayerCase(
      operands:
        "param %x: f32[4,3], param %g: f32[3], param %b: f32[3], param %m: f32[3], param %v: f32[3]",
      body: "%y = batch_norm_inference %x, %g, %b, %m, %v", shape: [4, 3], low: 0.1, high: 1),
    LayerCase(operands: "param %x: f32[3,4]", body: "%y = softmax %x", shape: [3, 4], high: 3),
    LayerCase(operands: "param %x: f32[3,4]", body: "%y = log_softmax %x", shape: [3, 4], high: 3),
    LayerCase(operands: "param %x: f32[2,2,4]", body: "%y = log_sum_exp %x", shape: [2, 2]),
    LayerCase(
      operands: "param %x: f32[2,3,4], %labels: i32[2,3]", body: "%y = cross_entropy %x, %labels",
      shape: []),
    LayerCase(
      operands: "param %x: f32[2,3], param %t: f32[2,3]", body: "%y = mse %x, %t", shape: []),
    LayerCase(
      operands: "param %q: f32[2,1,3,4], param %k: f32[2,1,5,4], param %v: f32[2,1,5,4]",
      body: "%y = attention %q, %k, %v", shape: [2, 1, 3, 4]),
    LayerCase(
      operands: "param %q: f32[1,2,3,4], param %k: f32[1,2,3,4], param %v: f32[1,2,3,4]",
      body: "%y = attention %q, %k, %v {causal = true, scale = 1}", shape: [1, 2, 3, 4]),
    LayerCase(
      operands: """
        param %x: f32[2,3,4], param %wq: f32[4,2,3], param %wk: f32[4,2,3], param %wv: f32[4,2,3],
        param %wo: f32[2,3,4]
        """,
      body: "%y = multi_head_attention %x, %wq, %wk, %wv, %wo {causal = true}", shape: [2, 3, 4]),
    LayerCase(
      operands: "param %x: f32[2,4,6,2]", body: "%y = max_pool2d %x", shape: [2, 2, 3, 2]),
    LayerCase(
      operands: "param %x: f32[1,5,5,2]",
      body: "%y = max_pool2d %x {window = 3, stride = 2, padding = 1}", shape: [1, 3, 3, 2]),
    LayerCase(
      operands: "param %x: f32[2,4,6,2]", body: "%y = avg_pool2d %x", shape: [2, 2, 3, 2]),
    LayerCase(
      operands: "param %x: f32[1,5,5,2]",
      body: "%y = avg_pool2d %x {window = 3, stride = 2, padding = 1}", shape: [1, 3, 3, 2]),
    LayerCase(
      operands: "param %x: f32[2,3,2,4]", body: "%y = global_avg_pool %x", shape: [2, 4]),
    LayerCase(
      operands: "param %x: f32[1,2,3,2]", body: "%y = upsample %x {scale = 3}", shape: [1, 6, 9, 2]),
    LayerCase(
      operands: "param %x: f32[4,5], %key: ui32[2]", body: "%y = dropout %x, %key {rate = 0.4}",
      shape: [4, 5]),
  ]

  @Test(arguments: layers)
  func gradientsOfLayersAreSlopes(layer: LayerCase) throws {
    let module = try moduleOf(layer.text)
    let arguments = exampleArguments(for: module.entry, low: layer.low, high: layer.high)
    #expect(try gradientMismatches(of: module, at: arguments).isEmpty)
  }
}
