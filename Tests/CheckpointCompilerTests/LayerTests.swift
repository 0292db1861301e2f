import CompilerTesting
import Foundation
import Testing

@testable import CheckpointCompiler

/// A call of layers, and what NumPy gives for it: argument `k` has `sin(0.7 i + 1.3 k)` at the
/// places `i`.
private struct LayerValue: Sendable, CustomTestStringConvertible {
  var arguments: String
  var body: String
  var values: [Double]

  var testDescription: String { body }
}

@Suite struct LayerTests {
  private static let layers: [LayerValue] = [
    LayerValue(
      arguments: "%x: f64[5]", body: "%y = leaky_relu %x",
      values: [0, 0.644217687, 0.98544973, 0.863209367, 0.33498815]),
    LayerValue(
      arguments: "%x: f64[5]", body: "%y = silu %x",
      values: [0, 0.422417565, 0.717592887, 0.607121688, 0.195288904]),
    LayerValue(
      arguments: "%x: f64[5]", body: "%y = gelu %x",
      values: [0, 0.476903311, 0.825608201, 0.695737097, 0.211438821]),
    LayerValue(
      arguments: "%x: f64[2,3]", body: "%y = softmax %x",
      values: [0.179098715, 0.341092882, 0.479808403, 0.530036654, 0.312537651, 0.157425695]),
    LayerValue(
      arguments: "%x: f64[2,3]", body: "%y = log_softmax %x",
      values: [
        -1.71981814, -1.07560046, -0.734368415, -0.634809117, -1.16303033, -1.84880171,
      ]),
    LayerValue(
      arguments: "%x: f64[2,3]", body: "%y = log_sum_exp %x", values: [1.71981814, 1.49801848]),
    LayerValue(
      arguments: "%x: f64[2,3], %g: f64[3]", body: "%y = rms_norm %x, %g",
      values: [0, 0.861781484, 0.619593852, 1.45496723, 0.532837188, -0.262247897]),
    LayerValue(
      arguments: "%x: f64[2,3], %g: f64[3], %b: f64[3], %m: f64[3], %v: f64[3]",
      body: """
        %half = multiply %v, 0.5
        %variance = add %half, 1.0
        %y = batch_norm_inference %x, %g, %b, %m, %variance
        """,
      values: [1.40243613, 1.49395456, -0.0341946581, 2.51562028, 1.18212124, -0.565395233]),
    LayerValue(
      arguments: "%x: f64[2,3], %t: f64[2,3]", body: "%y = mse %x, %t", values: [0.718049017]),
    LayerValue(
      arguments: "%x: f64[4,3]",
      body: """
        %labels = constant [0, 1, 2, 0] : i32[4]
        %y = accuracy %x, %labels
        """, values: [0.25]),
    LayerValue(
      arguments: "%x: f64[4,3]",
      body: """
        %labels = constant [0, 1, 2, 0] : ui8[4]
        %y = cross_entropy %x, %labels
        """, values: [1.37672981]),
    LayerValue(
      arguments: "%x: f64[1,3,3,1]", body: "%y = avg_pool2d %x {padding = 1}",
      values: [0, 0.407416854, -0.00209160144, -0.407378582]),
    LayerValue(
      arguments: "%x: f64[1,3,3,1]", body: "%y = max_pool2d %x {padding = 1}",
      values: [0, 0.98544973, 0.863209367, 0.33498815]),
    LayerValue(
      arguments: "%x: f64[1,2,1,1]", body: "%y = upsample %x",
      values: [0, 0, 0, 0, 0.644217687, 0.644217687, 0.644217687, 0.644217687]),
    LayerValue(
      arguments: "%x: f64[2,2,2,2]", body: "%y = global_avg_pool %x",
      values: [0.112215527, 0.0435478034, 0.128459935, 0.111096184]),
    LayerValue(
      arguments: "%q: f64[1,1,2,2], %k: f64[1,1,3,2], %v: f64[1,1,3,2]",
      body: "%y = attention %q, %k, %v",
      values: [-0.126532117, -0.40956078, 0.132953481, -0.358601499]),
    LayerValue(
      arguments: "%q: f64[1,1,2,2], %k: f64[1,1,3,2], %v: f64[1,1,3,2]",
      body: "%y = attention %q, %k, %v {causal = true}",
      values: [0.0442751817, -0.469664989, 0.132953481, -0.358601499]),
    LayerValue(
      arguments: "%x: f64, %table: f64[3,2]",
      body: """
        %ids = constant [2, 0, 2] : i64[3]
        %y = embedding %ids, %table
        """,
      values: [-0.818277111, -0.996164609, 0.963558185, 0.909297427, -0.818277111, -0.996164609]),
  ]

  @Test(arguments: layers)
  private func valuesAreThoseOfNumPy(layer: LayerValue) throws {
    let module = try moduleOf("func @main(\(layer.arguments)) {\n\(layer.body)\nreturn %y\n}")
    let function = inlined(module.entry, in: module)
    let arguments = function.argumentTypes.enumerated().map { place, type in
      Tensor(
        type,
        floats: (0..<type.elementCount).map { sin(0.7 * Double($0) + 1.3 * Double(place)) })
    }
    let found = try interpret(function, arguments: arguments)[0].floats
    #expect(found.count == layer.values.count)
    for (a, b) in zip(found, layer.values) { #expect(abs(a - b) < 1e-8, "\(a), not \(b)") }
  }

  /// Layers of `bf16` compute in `f32`: the result is that of `f32`, rounded once, and the loss is
  /// `f32`.
  @Test(arguments: [
    "%y = layer_norm %x, %g, %b", "%y = rms_norm %x, %g", "%y = softmax %x",
    "%y = log_softmax %x",
  ])
  func layersOfHalfPrecisionRoundOnce(body: String) throws {
    func run(_ dtype: String) throws -> [Tensor] {
      let module = try moduleOf(
        """
        func @main(%x: \(dtype)[3,40], %g: \(dtype)[40], %b: \(dtype)[40]) {
          \(body)
          %labels = constant [0, 7, 39] : i32[3]
          %loss = cross_entropy %x, %labels
          return %y, %loss
        }
        """)
      let function = inlined(module.entry, in: module)
      // Numbers that bf16 holds, with a mean far from 0.
      let x = (0..<120).map { 16 + Double($0 * 37 % 32) / 8 }
      let ones = Array(repeating: 1.0, count: 40)
      return try interpret(
        function,
        arguments: zip(function.argumentTypes, [x, ones, ones.map { $0 - 1 }]).map {
          Tensor($0, floats: $1)
        })
    }
    let (narrow, wide) = (try run("bf16"), try run("f32"))
    #expect(narrow[0] == Tensor(narrow[0].type, floats: wide[0].floats))
    #expect(narrow[1] == wide[1])
  }

  /// A quarter of the elements is dropped, the others are scaled up; two layers drop others, and the
  /// key alone decides.
  @Test func dropoutDropsItsShare() throws {
    let module = try moduleOf(
      """
      func @main(%x: f32[4000], %key: ui32[2]) -> (f32[4000], f32[4000]) {
        %a = dropout %x, %key {rate = 0.25}
        %b = dropout %x, %key {rate = 0.25}
        return %a, %b
      }
      """)
    let function = inlined(module.entry, in: module)
    func run(_ step: Int64) throws -> [[Double]] {
      let results = try interpret(
        function,
        arguments: [
          Tensor(TensorType(.f32, [4000]), repeating: 3), tensor(.ui32, integers: [7, step]),
        ])
      return results.map(\.floats)
    }
    let first = try run(1)
    for mask in first {
      #expect(Set(mask) == [0, 4])
      #expect(abs(mask.reduce(0, +) / 4000 - 3) < 0.15)
    }
    #expect(first[0] != first[1])
    #expect(try run(1) == first)
    #expect(try run(2) != first)
  }
}
