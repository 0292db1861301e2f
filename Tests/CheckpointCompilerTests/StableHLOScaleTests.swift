import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// Texts that are broken, or larger than they look.
@Suite struct StableHLOScaleTests {
  /// A broken text is read or refused with a place, cut or changed.
  @Test func brokenVersionsAreSurvived() {
    for seed in 0..<120 as Range<UInt64> {
      let report = fuzzVersion(
        of: Array(StableHLOSamples.forms.utf8), fileName: "a.mlir", seed: seed)
      if let report { Issue.record("\(report)") }
    }
  }

  /// Functions of two calls each, one below the other.
  private func doublings(_ depth: Int) -> String {
    let type = "tensor<f32>"
    let functions = (0..<depth).map { level in
      """
      func.func \(level == 0 ? "@main" : "private @f\(level)")(%x: \(type)) -> \(type) {
        %0 = \(level == depth - 1 ? "stablehlo.tanh %x : \(type)" : "func.call @f\(level + 1)(%x) : (\(type)) -> \(type)")
        %1 = \(level == depth - 1 ? "stablehlo.tanh %0 : \(type)" : "func.call @f\(level + 1)(%0) : (\(type)) -> \(type)")
        return %1 : \(type)
      }
      """
    }
    return functions.joined(separator: "\n")
  }

  @Test func callsThatMultiplyAreRefusedBeforeTheyAreInlined() {
    let found = StableHLOSamples.ir(doublings(40))
    #expect(found.contains("have more than 1000000 ops"), "\(found)")
    #expect(found.hasPrefix("a.mlir:"), "\(found)")
    #expect(!StableHLOSamples.ir(doublings(10)).contains("error"))
  }

  /// Names that a region defines mean nothing in the next one, or behind it.
  @Test func aRegionKeepsItsNamesToItself() {
    let found = StableHLOSamples.ops(
      """
          %z = stablehlo.constant dense<0.0> : tensor<f32>
          %p = stablehlo.compare GT, %arg0, %z, FLOAT : (tensor<f32>, tensor<f32>) -> tensor<i1>
          %y = stablehlo.cosine %arg0 : tensor<f32>
          %r = "stablehlo.if"(%p) ({
            %i = "stablehlo.if"(%p) ({
              %y = stablehlo.sine %arg0 : tensor<f32>
              stablehlo.return %y : tensor<f32>
            }, {
              stablehlo.return %arg0 : tensor<f32>
            }) : (tensor<i1>) -> tensor<f32>
            %0 = stablehlo.add %i, %y : tensor<f32>
            stablehlo.return %0 : tensor<f32>
          }, {
            stablehlo.return %arg0 : tensor<f32>
          }) : (tensor<i1>) -> tensor<f32>
      """, argument: "tensor<f32>", result: "tensor<f32>")
    #expect(found.contains { $0.hasPrefix("%r = case ") && $0.contains("%y") }, "\(found)")
  }
}
