import CompilerTesting
import Testing

@testable import CheckpointCompiler

/// `triangular_solve` against the product that it inverts.
@Suite struct StableHLOTriangularSolveTests {
  struct Form: Sendable {
    var isLeft: Bool
    var isLower: Bool
    var isUnit: Bool
    var transpose: String
  }

  static let forms: [Form] = [true, false].flatMap { isLeft in
    [true, false].flatMap { isLower in
      [true, false].flatMap { isUnit in
        ["NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"].map {
          Form(isLeft: isLeft, isLower: isLower, isUnit: isUnit, transpose: $0)
        }
      }
    }
  }

  /// The text of a solve of two 3 by 3 matrices.
  private func text(_ form: Form) -> String {
    let b = form.isLeft ? "tensor<2x3x2xf64>" : "tensor<2x2x3xf64>"
    return """
      func.func @main(%a: tensor<2x3x3xf64>, %b: \(b)) -> \(b) {
        %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = \(form.isLeft), lower = \(form.isLower), transpose_a = #stablehlo<transpose \(form.transpose)>, unit_diagonal = \(form.isUnit)}> : (tensor<2x3x3xf64>, \(b)) -> \(b)
        return %0 : \(b)
      }
      """
  }

  @Test(arguments: forms)
  func theProductGivesTheRightHandSide(form: Form) throws {
    var sources = SourceMap()
    let module = try readGraph(Array(text(form).utf8), name: "a.mlir", sources: &sources)
    let a: [Double] = [2, 3, -1, 0.5, 4, 7, 1, -2, 8, -1, 5, 2, 3, 0.25, 6, 2, -3, 4]
    let b = (0..<12).map { Double($0 * $0 % 7) - 2.5 }
    let types = module.entry.argumentTypes
    let results = try interpret(
      module.entry, in: module,
      arguments: [Tensor(types[0], floats: a), Tensor(types[1], floats: b)])
    let x = results[0].floats
    // What stands outside the triangle, and a diagonal that is taken for 1, have no part in it.
    func element(_ batch: Int, _ row: Int, _ column: Int) -> Double {
      if row == column, form.isUnit { return 1 }
      return (form.isLower ? row < column : row > column) ? 0 : a[9 * batch + 3 * row + column]
    }
    for batch in 0..<2 {
      for i in 0..<3 {
        for j in 0..<2 {
          // Row i of op(A) X, or column i of X op(A).
          let sum = (0..<3).reduce(0) { sum, k in
            let isTurned = (form.transpose == "NO_TRANSPOSE") != form.isLeft
            let factor = isTurned ? element(batch, k, i) : element(batch, i, k)
            return sum + factor * x[6 * batch + (form.isLeft ? 2 * k + j : 3 * j + k)]
          }
          let expected = b[6 * batch + (form.isLeft ? 2 * i + j : 3 * j + i)]
          #expect(abs(sum - expected) < 1e-9, "\(form): \(sum), not \(expected)")
        }
      }
    }
  }

  @Test func theOtherTriangleIsNotRead() throws {
    var sources = SourceMap()
    let form = Form(isLeft: true, isLower: true, isUnit: true, transpose: "NO_TRANSPOSE")
    let module = try readGraph(Array(text(form).utf8), name: "a.mlir", sources: &sources)
    let row: [Double] = [.nan, .infinity, .nan, 1, .nan, .nan, 1, 1, .infinity]
    let types = module.entry.argumentTypes
    let results = try interpret(
      module.entry, in: module,
      arguments: [
        Tensor(types[0], floats: row + row),
        Tensor(types[1], floats: Array(repeating: 1, count: 12)),
      ])
    #expect(results[0].floats == [1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0])
  }

  @Test func matricesThatDoNotFitAreRefused() {
    let found = StableHLOSamples.ir(
      """
      func.func @main(%a: tensor<3x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
        %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, transpose_a = #stablehlo<transpose NO_TRANSPOSE>, unit_diagonal = false}> : (tensor<3x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
        return %0 : tensor<2x3xf32>
      }
      """)
    #expect(
      found.contains("a.mlir:2:8: error: 'stablehlo.triangular_solve' of f32[3,3] and f32[2,3]"),
      "\(found)")
  }
}
