import Testing

@testable import CheckpointCompiler

/// What is refused, and roles that are given.
@Suite struct StableHLORefusalTests {
  @Test func allThatIsNotSupportedIsToldAtOnce() {
    let found = StableHLOSamples.ir(
      """
      module {
        func.func @main(%arg0: tensor<2x?xf32>, %arg1: tensor<4xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}]>}) -> tensor<4xf32> {
          %0 = stablehlo.custom_call @foo(%arg1) : (tensor<4xf32>) -> tensor<4xf32>
          %1 = "stablehlo.all_reduce"(%0) <{replica_groups = dense<0> : tensor<1x1xi64>}> ({
          ^bb0(%arg3: tensor<f32>, %arg4: tensor<f32>):
            %5 = stablehlo.complex %arg3, %arg4 : tensor<complex<f32>>
            stablehlo.return %arg3 : tensor<f32>
          }) : (tensor<4xf32>) -> tensor<4xf32>
          %2 = call @other(%1) : (tensor<4xf32>) -> tensor<4xf32>
          return %2 : tensor<4xf32>
        }
        func.func private @other(%arg0: tensor<4xf32>) -> tensor<4xf32> {
          %0 = stablehlo.tuple %arg0, %arg0 : tuple<tensor<4xf32>, tensor<4xf32>>
          return %arg0 : tensor<4xf32>
        }
        func.func private @unused(%arg0: tensor<!quant.uniform<i8:f32, 1.0>>)
      }
      """)
    for message in [
      "a.mlir:2:19: error: the dynamic shape of tensor<2x?xf32> is not supported",
      "a.mlir:2:65: error: sharding is not supported",
      "a.mlir:3:10: error: 'stablehlo.custom_call' of @foo is not supported",
      "a.mlir:4:10: error: 'stablehlo.all_reduce' is not supported",
      "a.mlir:6:12: error: 'stablehlo.complex' is not supported",
      "a.mlir:13:10: error: 'stablehlo.tuple' is not supported",
    ] {
      #expect(found.contains(message), "\(found)")
    }
    #expect(!found.contains("quant"))
  }

  @Test(arguments: [
    ("%r = stablehlo.negate %x : tensor<f32>", "a.mlir:3:27: error: %x is not defined here"),
    (
      "%r = stablehlo.negate %arg0 : tensor<2xf32>",
      "a.mlir:3:27: error: %arg0 is f32, but its type is written as f32[2]"
    ),
    (
      "%0 = stablehlo.is_finite %arg0 : (tensor<f32>) -> tensor<i32>\n"
        + "%r = stablehlo.convert %0 : (tensor<i32>) -> tensor<f32>",
      "a.mlir:3:10: error: 'is_finite' gives i1, but its type is written as i32"
    ),
    ("%r = stablehlo.negate %arg0#1 : tensor<f32>", "error: %arg0 has no result 1"),
    (
      "%r = stablehlo.add %arg0, %arg0 : (tensor<f32>, tensor<f32>) -> tensor<f64>",
      "a.mlir:4:12: error: %r is f64, but its type is written as f32"
    ),
    ("%r = call @f(%arg0) : (tensor<f32>) -> tensor<f32>", "a.mlir:3:10: error: no function @f"),
    (
      "%r = call @main(%arg0) : (tensor<f32>) -> tensor<f32>",
      "a.mlir:3:10: error: recursive call: @main calls @main"
    ),
    (
      "%r = \"stablehlo.iota\"() : () -> tensor<f32>",
      "a.mlir:3:10: error: 'stablehlo.iota' needs the attribute 'iota_dimension'"
    ),
  ])
  func aWrongOpGetsItsPlaceAndItsReason(op: String, message: String) {
    let found = StableHLOSamples.ir(
      StableHLOSamples.function("    " + op, argument: "tensor<f32>", result: "tensor<f32>"))
    #expect(found.contains(message), "\(found)")
  }

  @Test(arguments: [
    (
      "tensor<f32>", "%r = stablehlo.tanh %arg0 : tensor<2xf32>", "",
      "a.mlir:1:42: error: a result of @main is written as f32, but f32[2] is returned"
    ),
    (
      "(tensor<2xf32>, tensor<2xf32>)", "%r = stablehlo.tanh %arg0 : tensor<2xf32>", "",
      "a.mlir:1:11: error: @main has 2 results, but returns 1"
    ),
    (
      "tensor<2xf32>", "%r = call @f(%arg0) : (tensor<2xf32>) -> tensor<2xf32>",
      "func.func private @f(%arg0: tensor<2xf32>) -> tensor<2xi32> {\n"
        + "  return %arg0 : tensor<2xf32>\n}\n",
      "a.mlir:5:47: error: a result of @f is written as i32[2], but f32[2] is returned"
    ),
    (
      "tensor<2xf32>",
      "%r = stablehlo.tanh %arg0 : tensor<2xf32>\n  %r = stablehlo.negate %r : tensor<2xf32>", "",
      "a.mlir:3:3: error: %r is defined twice"
    ),
    (
      "tensor<2xf32>",
      "%arg0 = stablehlo.tanh %arg0 : tensor<2xf32>\n  %r = stablehlo.tanh %arg0 : tensor<2xf32>",
      "", "a.mlir:2:3: error: %arg0 is defined twice"
    ),
    (
      "tensor<2xf32>", "%r = stablehlo.tanh %arg0 : tensor<2xf32>",
      "func.func @main(%arg0: tensor<f32>) -> tensor<f32> {\n  return %arg0 : tensor<f32>\n}\n",
      "a.mlir:5:11: error: @main is defined twice"
    ),
  ])
  func whatContradictsItselfIsRefused(
    result: String, body: String, after: String, message: String
  ) {
    let found = StableHLOSamples.ir(
      "func.func @main(%arg0: tensor<2xf32>) -> \(result) {\n  \(body)\n"
        + "  return %r : tensor<2xf32>\n}\n" + after)
    #expect(found.contains(message), "\(found)")
    #expect(found.split(separator: "\n").count { $0.contains(": error: ") } == 1, "\(found)")
  }

  // MARK: Roles

  static let forward = """
    func.func @main(%arg0: tensor<3xf32> loc("p[0]['w']"), %arg1: tensor<3xf32> loc("p[1]['w']"), %arg2: tensor<3xf32> loc("x"), %arg3: tensor<f32> loc("mean")) -> (tensor<f32> {jax.result_info = "loss"}, tensor<f32> {jax.result_info = "mean"}) {
      %0 = stablehlo.multiply %arg0, %arg2 : tensor<3xf32>
      %1 = stablehlo.multiply %arg1, %0 : tensor<3xf32>
      %c = stablehlo.constant dense<0.0> : tensor<f32>
      %2 = stablehlo.reduce(%1 init: %c) applies stablehlo.add across dimensions = [0] : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
      %3 = stablehlo.add %arg3, %2 : tensor<f32>
      return %2, %3 : tensor<f32>, tensor<f32>
    }
    """

  @Test(arguments: [
    (["0-1"], "loss", ["3=1"]), (["p[0]['w']", "p.1.w"], "0", ["mean=mean"]),
    (["p*"], "loss", ["mean=1"]),
  ])
  func rolesByNameAndPosition(parameters: [String], loss: String, state: [String]) {
    let found = StableHLOSamples.ir(
      StableHLORefusalTests.forward,
      roles: GraphRoles(loss: loss, parameters: parameters, state: state))
    for part in [
      "param %p.0.w: f32[3]", "param %p.1.w: f32[3]", " %x: f32[3]", "state %mean: f32",
      "loss %loss: f32", "update(%mean) %mean.new: f32",
    ] {
      #expect(found.contains(part), "\(found)")
    }
  }

  @Test(arguments: [
    (GraphRoles(loss: "lost"), "no result 'lost'; did you mean 'loss'?"),
    (GraphRoles(loss: "loss", parameters: ["7"]), "no argument 7: @main has 4, counted from 0"),
    (
      GraphRoles(loss: "loss", parameters: ["q"]),
      "no argument 'q'; the arguments are 0 p.0.w, 1 p.1.w, 2 x, 3 mean"
    ),
    (GraphRoles(parameters: ["0"]), "parameters without a loss"),
    (GraphRoles(state: ["0=1"]), "the state %p.0.w has another type than result 1"),
    (GraphRoles(state: ["0-1=0"]), "'0-1=0' pairs 2 arguments with 1 results"),
    (GraphRoles(state: ["mean"]), "'mean' is no ARGUMENT=RESULT"),
  ])
  func wrongRolesAreExplained(roles: GraphRoles, message: String) {
    let found = StableHLOSamples.ir(StableHLORefusalTests.forward, roles: roles)
    #expect(found.contains(message), "\(found)")
  }

  @Test func aForwardGraphIsDifferentiated() throws {
    var options = CompileOptions(lastStage: .differentiated)
    options.roles = GraphRoles(loss: "loss", parameters: ["0-1"])
    var sources = SourceMap()
    let compilation = try Compiler(options: options).compile(
      Array(StableHLORefusalTests.forward.utf8), fileName: "a.mlir", sources: &sources)
    #expect(
      compilation.differentiated?.results.map(\.name) == [
        "loss", "mean", "grad.p.0.w", "grad.p.1.w",
      ])
  }
}
