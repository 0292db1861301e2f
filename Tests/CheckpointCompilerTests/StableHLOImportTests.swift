import Testing

@testable import CheckpointCompiler

@Suite struct StableHLOImportTests {
  static let step = """
    module @jit_step attributes {mhlo.num_partitions = 1 : i32} {
      func.func public @main(%arg0: tensor<4xf32> {tf.aliasing_output = 1 : i32} loc("params['w']"), %arg1: tensor<2x4xf32> loc("x")) -> (tensor<f32> {jax.result_info = "loss"}, tensor<4xf32> {jax.result_info = "params['w']"}) {
        %0 = call @relu(%arg1) : (tensor<2x4xf32>) -> tensor<2x4xf32>
        %cst = stablehlo.constant dense<2.000000e+00> : tensor<f32>
        %1 = stablehlo.reduce(%0 init: %cst) applies stablehlo.add across dimensions = [0] : (tensor<2x4xf32>, tensor<f32>) -> tensor<4xf32>
        %2:2 = stablehlo.optimization_barrier %1, %arg0 : tensor<4xf32>, tensor<4xf32>
        %3 = stablehlo.multiply %2#0, %2#1 : tensor<4xf32> loc(#loc1)
        %c = stablehlo.constant dense<0> : tensor<i32>
        %4:2 = stablehlo.while(%iterArg = %c, %iterArg_0 = %3) : tensor<i32>, tensor<4xf32>
         cond {
          %c_1 = stablehlo.constant dense<3> : tensor<i32>
          %8 = stablehlo.compare LT, %iterArg, %c_1, SIGNED : (tensor<i32>, tensor<i32>) -> tensor<i1>
          stablehlo.return %8 : tensor<i1>
        } do {
          %8 = stablehlo.add %iterArg_0, %arg0 : tensor<4xf32>
          %c_1 = stablehlo.constant dense<1> : tensor<i32>
          %9 = stablehlo.add %iterArg, %c_1 : tensor<i32>
          stablehlo.return %9, %8 : tensor<i32>, tensor<4xf32>
        }
        %cst_1 = stablehlo.constant dense<0.000000e+00> : tensor<f32>
        %5 = stablehlo.reduce(%4#1 init: %cst_1) applies stablehlo.add across dimensions = [0] : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
        %6 = stablehlo.add %arg0, %4#1 : tensor<4xf32>
        return %5, %6 : tensor<f32>, tensor<4xf32>
      }
      func.func private @relu(%arg0: tensor<2x4xf32>) -> tensor<2x4xf32> {
        %cst = stablehlo.constant dense<0.000000e+00> : tensor<f32>
        %0 = "stablehlo.map"(%arg0) <{dimensions = array<i64: 0, 1>}> ({
        ^bb0(%arg1: tensor<f32>):
          %1 = stablehlo.maximum %arg1, %cst : tensor<f32>
          stablehlo.return %1 : tensor<f32>
        }) : (tensor<2x4xf32>) -> tensor<2x4xf32>
        return %0 : tensor<2x4xf32>
      }
    }
    #loc1 = loc("jit(step)/transpose(jvp(Net))/Dense_0/mul")
    """

  /// Names from locations, calls that stay calls, a loop with a captured value, a `map` and a barrier
  /// that vanish, an initial value that is not neutral, donation.
  @Test func aStepComesOutAsItIsMeant() {
    let expected = """
      func @main.condition(%iterArg: i32, %iterArg_0: f32[4], %params.w: f32[4]) -> (%result0: i1) {
        %c_1 = constant 3 : i32
        %0 = compare %iterArg, %c_1 {direction = lt} : i1
        return %0
      }

      func @main.body(%iterArg: i32, %iterArg_0: f32[4], %params.w: f32[4]) -> (%result0: i32, %result1: f32[4]) {
        %0 = add %iterArg_0, %params.w : f32[4]
        %c_1 = constant 1 : i32
        %1 = add %iterArg, %c_1 : i32
        return %1, %0
      }

      func @relu(%arg0: f32[2,4]) -> (%result0: f32[2,4]) {
        %cst = constant 0.0 : f32
        %0 = broadcast_in_dim %cst {dims = []} : f32[2,4]
        %1 = maximum %arg0, %0 : f32[2,4]
        return %1
      }

      func @main(state %params.w: f32[4], %x: f32[2,4]) -> (%loss: f32, update(%params.w) %params.w.new: f32[4]) {
        %0 = call @relu %x : f32[2,4]
        %cst = constant 2.0 : f32
        %1 = reduce %0 {kind = add, dims = [0]} : f32[4]
        %2 = broadcast_in_dim %cst {dims = []} : f32[4]
        %3 = add %2, %1 : f32[4]
        %grad.Dense_0.mul = multiply %3, %params.w : f32[4]
        %c = constant 0 : i32
        %4, %5 = while %c, %grad.Dense_0.mul, %params.w {condition = @main.condition, body = @main.body} : i32, f32[4]
        %cst_1 = constant 0.0 : f32
        %6 = reduce %5 {kind = add, dims = [0]} : f32
        %7 = add %params.w, %5 : f32[4]
        return %6, %7
      }

      """
    #expect(StableHLOSamples.ir(StableHLOImportTests.step) == expected)
    var sources = SourceMap()
    let again = try? parseModule(Array(expected.utf8), name: "a.ir", sources: &sources)
    #expect(again.map { Printer.print($0) } == expected)
  }

  @Test(arguments: [
    ("maximum", "0xFF800000", true), ("maximum", "0.0", false), ("minimum", "0x7F800000", true),
    ("add", "-0.0", true), ("add", "1.0", false), ("multiply", "1.0", true),
  ])
  func aNeutralInitialValueNeedsNoOp(name: String, initial: String, isNeutral: Bool) {
    let found = StableHLOSamples.ops(
      """
          %c = stablehlo.constant dense<\(initial)> : tensor<f32>
          %r = stablehlo.reduce(%arg0 init: %c) applies stablehlo.\(name) across dimensions = [1] : (tensor<2x3xf32>, tensor<f32>) -> tensor<2xf32>
      """, argument: "tensor<2x3xf32>", result: "tensor<2xf32>")
    #expect(found.contains { $0.contains(" = reduce %arg0 {kind = ") }, "\(found)")
    #expect(found.contains { $0.contains(" = \(name) ") } != isNeutral, "\(found)")
  }

  /// On truth values a sum is a disjunction, and its neutral element is false.
  @Test func truthValuesReduceByConjunctionAndDisjunction() {
    let found = StableHLOSamples.ops(
      """
          %c = stablehlo.constant dense<false> : tensor<i1>
          %r = stablehlo.reduce(%arg0 init: %c) applies stablehlo.maximum across dimensions = [0] : (tensor<3xi1>, tensor<i1>) -> tensor<i1>
      """, argument: "tensor<3xi1>", result: "tensor<i1>")
    #expect(found.contains("%r = reduce %arg0 {kind = or, dims = [0]} : i1"), "\(found)")
  }

  @Test func dynamicShapesThatAreConstantsAreFolded() {
    let found = StableHLOSamples.ops(
      """
          %c = stablehlo.constant dense<4> : tensor<1xi64>
          %0 = stablehlo.dynamic_iota %c, dim = 0 : (tensor<1xi64>) -> tensor<4xi32>
          %1 = stablehlo.convert %0 : (tensor<4xi32>) -> tensor<4xf32>
          %2 = stablehlo.constant dense<1> : tensor<1xi64>
          %z = stablehlo.constant dense<0.0> : tensor<f32>
          %3 = "stablehlo.dynamic_pad"(%1, %z, %2, %2, %2) : (tensor<4xf32>, tensor<f32>, tensor<1xi64>, tensor<1xi64>, tensor<1xi64>) -> tensor<9xf32>
          %r = stablehlo.get_dimension_size %3, dim = 0 : (tensor<9xf32>) -> tensor<i32>
      """, argument: "tensor<f32>", result: "tensor<i32>")
    #expect(found.contains("%0 = iota {dim = 0} : i32[4]"), "\(found)")
    #expect(
      found.contains("%3 = pad %1, %z {low = [1], high = [1], interior = [1]} : f32[9]"),
      "\(found)")
    #expect(found.contains("%r = constant 9 : i32"), "\(found)")
  }

  @Test func indexedOpsKeepTheirDimensionNumbers() {
    let found = StableHLOSamples.ops(
      """
          %i = stablehlo.constant dense<[[1], [0]]> : tensor<2x1xi32>
          %0 = "stablehlo.gather"(%arg0, %i) <{dimension_numbers = #stablehlo.gather<offset_dims = [1], collapsed_slice_dims = [0], start_index_map = [0], index_vector_dim = 1>, slice_sizes = array<i64: 1, 3>}> : (tensor<2x3xf32>, tensor<2x1xi32>) -> tensor<2x3xf32>
          %r = "stablehlo.scatter"(%arg0, %i, %0) <{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = [1], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1>}> ({
          ^bb0(%a: tensor<f32>, %b: tensor<f32>):
            stablehlo.return %b : tensor<f32>
          }) : (tensor<2x3xf32>, tensor<2x1xi32>, tensor<2x3xf32>) -> tensor<2x3xf32>
      """, argument: "tensor<2x3xf32>", result: "tensor<2x3xf32>")
    #expect(
      found.contains(
        "%r = scatter %arg0, %i, %0 {kind = set, index_vector_dim = 1, update_window_dims = [1], "
          + "inserted_window_dims = [0], scatter_dims = [0]} : f32[2,3]"), "\(found)")
  }

  @Test func convolutionsKeepTheirWindow() {
    let found = StableHLOSamples.ops(
      """
          %k = stablehlo.constant dense<1.0> : tensor<3x3x2x4xf32>
          %r = stablehlo.convolution(%arg0, %k) dim_numbers = [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f], window = {stride = [2, 2], pad = [[0, 1], [-1, 1]]} {batch_group_count = 1 : i64, feature_group_count = 1 : i64} : (tensor<1x8x8x2xf32>, tensor<3x3x2x4xf32>) -> tensor<1x4x3x4xf32>
      """, argument: "tensor<1x8x8x2xf32>", result: "tensor<1x4x3x4xf32>")
    #expect(
      found.contains(
        "%r = convolution %arg0, %k {strides = [2, 2], low = [0, -1], high = [1, 1], "
          + "dim_numbers = \"b01f_01io->b01f\"} : f32[1,4,3,4]"), "\(found)")
  }

  /// A product of truth values counts where both are true, and asks whether there is such a place.
  @Test func truthValuesAreContracted() {
    let found = StableHLOSamples.ops(
      """
          %r = stablehlo.dot_general %arg0, %arg0, contracting_dims = [1] x [1] : (tensor<2x3xi1>, tensor<2x3xi1>) -> tensor<2x2xi1>
      """, argument: "tensor<2x3xi1>", result: "tensor<2x2xi1>")
    #expect(
      found.contains { $0.hasSuffix("{lhs_contract = [1], rhs_contract = [1]} : i32[2,2]") },
      "\(found)")
    #expect(
      found.contains { $0.hasPrefix("%r = compare ") && $0.contains("{direction = ne}") },
      "\(found)")
  }

  /// The checks of a test program become results.
  @Test func checksBecomeResults() throws {
    let text = StableHLOSamples.function(
      """
          %r = stablehlo.negate %arg0 : tensor<2xf32>
          stablehlo.custom_call @check.expect_close(%r, %arg0) {max_ulp_difference = 5 : i64} : (tensor<2xf32>, tensor<2xf32>) -> ()
      """, argument: "tensor<2xf32>", result: "tensor<2xf32>")
    var sources = SourceMap()
    let syntax = try parseStableHLO(Array(text.utf8), name: "a.mlir", sources: &sources)
    let imported = try importStableHLO(
      syntax, options: StableHLOOptions(keepsChecks: true), sources: &sources)
    #expect(imported.checks.map(\.kind) == ["expect_close"])
    #expect(imported.checks.map(\.actual) == [1] && imported.checks.map(\.expected) == [2])
    #expect(imported.checks[0].attributes.contains { $0.name == "max_ulp_difference" })
    #expect(imported.module.entry.results.map(\.name) == ["r", "check0.actual", "check0.expected"])
  }

  @Test func theLanguageIsToldByNameOrContent() {
    #expect(isStableHLO([], fileName: "a.mlir") && !isStableHLO(Array("#".utf8), fileName: "a.ir"))
    for text in ["module @m {}", "// RUN\n#loc = loc(unknown)\nmodule {}", "func.func @main() {}"] {
      #expect(isStableHLO(Array(text.utf8), fileName: "<stdin>"))
    }
    for text in ["func @main() {}", "// a\nfunc @f() {}", ""] {
      #expect(!isStableHLO(Array(text.utf8), fileName: "<stdin>"))
    }
  }
}
