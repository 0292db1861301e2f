import Testing

@testable import CheckpointCompiler

/// Ops with regions, as functions of their own.
@Suite struct StableHLORegionTests {
  /// A region that is more than one known op goes along as a function, with copies of the constants it uses.
  @Test func aReducerOfItsOwnIsAFunction() {
    let found = StableHLOSamples.ops(
      """
          %z = stablehlo.constant dense<0.0> : tensor<f32>
          %two = stablehlo.constant dense<2.0> : tensor<f32>
          %r = stablehlo.reduce(%arg0 init: %z) across dimensions = [0] : (tensor<3xf32>, tensor<f32>) -> tensor<f32>
           reducer(%a: tensor<f32>, %b: tensor<f32>)  {
            %0 = stablehlo.multiply %b, %two : tensor<f32>
            %1 = stablehlo.add %a, %0 : tensor<f32>
            stablehlo.return %1 : tensor<f32>
          }
      """, argument: "tensor<3xf32>", result: "tensor<f32>")
    #expect(
      found.contains("func @main.reducer(%a: f32, %b: f32) -> (%result0: f32) {")
        && found.contains("%two = constant 2.0 : f32")
        && found.contains("%r = reduce_with %arg0, %z {function = @main.reducer, dims = [0]} : f32"),
      "\(found)")
  }

  /// The operands of a reduction of several tensors are paired as they are printed.
  @Test func severalTensorsAreReducedTogether() {
    let found = StableHLOSamples.ops(
      """
          %z = stablehlo.constant dense<0.0> : tensor<f32>
          %i = stablehlo.constant dense<0> : tensor<i32>
          %0 = stablehlo.iota dim = 0 : tensor<3xi32>
          %1:2 = stablehlo.reduce(%arg0 init: %z), (%0 init: %i) across dimensions = [0] : (tensor<3xf32>, tensor<3xi32>, tensor<f32>, tensor<i32>) -> (tensor<f32>, tensor<i32>)
           reducer(%a: tensor<f32>, %b: tensor<f32>) (%c: tensor<i32>, %d: tensor<i32>)  {
            %2 = stablehlo.compare GT, %a, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
            %3 = stablehlo.select %2, %a, %b : tensor<i1>, tensor<f32>
            %4 = stablehlo.select %2, %c, %d : tensor<i1>, tensor<i32>
            stablehlo.return %3, %4 : tensor<f32>, tensor<i32>
          }
          %r = stablehlo.negate %1#1 : tensor<i32>
      """, argument: "tensor<3xf32>", result: "tensor<i32>")
    #expect(found.contains("func @main.reducer("), "\(found)")
    #expect(
      found.contains {
        $0.contains("= reduce_with %arg0, %0, %z, %i {function = @main.reducer, dims = [0]}")
      }, "\(found)")
    #expect(found.contains { $0.hasPrefix("%r = negate ") }, "\(found)")
  }

  /// A branch of a predicate that fails comes first; what branches use becomes an operand of both.
  @Test func branchesGetWhatTheyUse() {
    let found = StableHLOSamples.ops(
      """
          %z = stablehlo.constant dense<0.0> : tensor<f32>
          %p = stablehlo.compare GT, %arg0, %z, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
          %r = "stablehlo.if"(%p) ({
            %0 = stablehlo.sine %arg0 : tensor<f32>
            stablehlo.return %0 : tensor<f32>
          }, {
            stablehlo.return %z : tensor<f32>
          }) : (tensor<i1>) -> tensor<f32>
      """, argument: "tensor<f32>", result: "tensor<f32>")
    #expect(found.contains("%0 = convert %p : i32"), "\(found)")
    #expect(
      found.contains("%r = case %0, %arg0 {branches = [@main.else, @main.then]} : f32"),
      "\(found)")
  }

  @Test func theLargestElementsAreTheStartOfASort() {
    let found = StableHLOSamples.ops(
      """
          %v, %i = chlo.top_k(%arg0, k = 2) : tensor<3x5xf32> -> (tensor<3x2xf32>, tensor<3x2xi32>)
          %r = stablehlo.negate %v : tensor<3x2xf32>
      """, argument: "tensor<3x5xf32>", result: "tensor<3x2xf32>")
    #expect(
      found.contains {
        $0.contains(
          "= sort %arg0, %0 {comparator = @larger.first.f32, dim = 1} : f32[3,5], i32[3,5]")
      }, "\(found)")
    #expect(
      found.contains("%0 = compare %a, %b {direction = gt, order = total} : i1"), "\(found)")
  }

  @Test func randomBitsAreALayer() {
    let found = StableHLOSamples.ops(
      """
          %s, %r = stablehlo.rng_bit_generator %arg0, algorithm = THREE_FRY : (tensor<2xui64>) -> (tensor<2xui64>, tensor<3x4xi32>)
      """, argument: "tensor<2xui64>", result: "tensor<3x4xi32>")
    #expect(found.contains("%r = bitcast_convert %1 : i32[3,4]"), "\(found)")
    #expect(
      found.contains { $0.contains("call @threefry.1 %arg0 : ui64[2], ui32[3,4,1]") }, "\(found)")
  }

  /// A function of elements is closed: only constants go along.
  @Test func aComparatorThatUsesASurroundingValueIsRefused() {
    let found = StableHLOSamples.ir(
      StableHLOSamples.function(
        """
            %k = stablehlo.slice %arg0 [0:1] : (tensor<3xf32>) -> tensor<1xf32>
            %s = stablehlo.reshape %k : (tensor<1xf32>) -> tensor<f32>
            %r = "stablehlo.sort"(%arg0) <{dimension = 0 : i64}> ({
            ^bb0(%a: tensor<f32>, %b: tensor<f32>):
              %0 = stablehlo.add %a, %s : tensor<f32>
              %1 = stablehlo.compare LT, %0, %b, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
              stablehlo.return %1 : tensor<i1>
            }) : (tensor<3xf32>) -> tensor<3xf32>
        """, argument: "tensor<3xf32>", result: "tensor<3xf32>"))
    #expect(
      found.contains(
        "a.mlir:5:10: error: a region of 'stablehlo.sort' that uses %s of its surroundings is not"),
      "\(found)")
  }
}
