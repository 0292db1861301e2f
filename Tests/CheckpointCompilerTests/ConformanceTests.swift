import CheckpointCompiler
import Foundation
import Testing

@testable import ckc_bench

@Suite struct ConformanceTests {
  private func tensor(_ dtype: DType, _ numbers: [Double]) -> Tensor {
    Tensor(TensorType(dtype, [numbers.count]), floats: numbers)
  }

  private func agrees(
    _ agreement: Agreement, _ dtype: DType, _ one: Double, _ other: Double
  ) -> Bool {
    agreement.complaint(tensor(dtype, [1, one]), tensor(dtype, [1, other])) == nil
  }

  @Test func closeCountsNumbersBetween() {
    #expect(agrees(.close(ulps: 3), .f32, 1, 1 + 3 * 0x1p-23))
    #expect(!agrees(.close(ulps: 3), .f32, 1, 1 + 4 * 0x1p-23))
    #expect(agrees(.close(ulps: 3), .bf16, 1, 1 + 3 * 0x1p-7))
    // Across zero: the smallest numbers of both signs are two apart.
    #expect(agrees(.close(ulps: 2), .f64, 0x1p-1074, -0x1p-1074))
    #expect(!agrees(.close(ulps: 1), .f64, 0x1p-1074, -0x1p-1074))
    #expect(agrees(.close(ulps: 0), .f32, .nan, -.nan))
    #expect(!agrees(.close(ulps: 3), .f32, .infinity, Double(Float.greatestFiniteMagnitude)))
    #expect(!agrees(.close(ulps: 3), .f32, .nan, 1))
  }

  @Test func equalAndWithin() {
    #expect(agrees(.equal, .f32, 0, -0.0))
    #expect(agrees(.equal, .f32, .nan, .nan))
    #expect(!agrees(.equal, .f32, 1, 1 + 0x1p-23))
    #expect(agrees(.within(1e-3), .f64, 1, 1.0009))
    #expect(!agrees(.within(1e-3), .f64, 1, 1.0011))
    #expect(!agrees(.within(1e9), .f64, .nan, 1))
    let integers = TensorType(.ui64, [1])
    #expect(
      Agreement.equal.complaint(
        Tensor(integers, integers: [-1]), Tensor(integers, integers: [-1])) == nil)
    #expect(
      Agreement.within(9).complaint(
        Tensor(integers, integers: [1]), Tensor(integers, integers: [2])) != nil)
  }

  /// A program that holds what it must give passes, and fails where it gives something else.
  @Test(arguments: [("4.0", true), ("4.5", false)])
  func programsAreCompared(expected: String, passes: Bool) throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("ckc-conformance-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let text = """
      func.func public @main() -> tensor<2xf32> {
        %0 = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>
        %1 = stablehlo.constant dense<[1.0, \(expected)]> : tensor<2xf32>
        %2 = stablehlo.multiply %0, %0 : tensor<2xf32>
        stablehlo.custom_call @check.expect_close(%2, %1) {has_side_effect = true} : (tensor<2xf32>, tensor<2xf32>) -> ()
        return %2 : tensor<2xf32>
      }
      """
    let path = directory.appendingPathComponent("square.mlir").path
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let file = try #require(ConformanceFile.files(in: [directory.path]).first)
    #expect(file.name == "square")
    let program = try ConformanceCase(file)
    let entry = program.module.entry
    let results = try interpret(entry, in: program.module, arguments: [])
    #expect((program.complaint(results, of: entry) == nil) == passes)
  }
}
