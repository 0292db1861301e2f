import Testing

@testable import CheckpointCompiler

/// The module of a text.
private func parse(_ text: String) throws -> Module {
  var sources = SourceMap()
  return try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
}

/// The differentiated entry function of a text, verified and inlined.
private func step(_ text: String, remarks: inout [Diagnostic]) throws -> Function {
  let module = try parse(text)
  let step = inlined(try differentiated(module, remarks: &remarks), in: module)
  #expect(verify(step).isEmpty)
  return step
}

private func step(_ text: String) throws -> Function {
  var remarks: [Diagnostic] = []
  return try step(text, remarks: &remarks)
}

/// The rendered errors of differentiation.
private func errors(_ text: String) throws -> String {
  var sources = SourceMap()
  let module = try parseModule(Array(text.utf8), name: "test.ir", sources: &sources)
  var remarks: [Diagnostic] = []
  do throws(DiagnosticList) {
    _ = try differentiated(module, remarks: &remarks)
    return ""
  } catch {
    return DiagnosticRenderer(sources: sources).render(error.diagnostics)
  }
}

@Suite struct DifferentiationTests {
  @Test func backwardOpsFollowInReverseOrderWithTheNamesOfTheirValues() throws {
    let function = try step(
      """
      func @main(%x: f32[4,3], param %w: f32[3,2]) -> (%out: f32[4,2], loss %loss: f32) {
        %h = dot_general %x, %w {lhs_contract = [1], rhs_contract = [0]}
        %y = tanh %h
        %loss = reduce %y {kind = add, dims = [0, 1]}
        return %y, %loss
      }
      """)
    #expect(function.values.elements.contains { $0.name == "d.h" })
  }
}
