// What tests of passes that round another result share: whole numbers tell whether only the order changed.

import Testing

@testable import CheckpointCompiler

/// The training step of a text, before simplification.
func differentiatedStep(_ text: String) throws -> Function {
  var sources = SourceMap()
  let options = CompileOptions(lastStage: .differentiated)
  let compilation = try Compiler(options: options).compile(
    Array(text.utf8), fileName: "test.ir", sources: &sources)
  return try #require(compilation.differentiated)
}

extension Pass {
  /// What the pass makes of a function, folded; it gives the same results for random whole numbers from
  /// -`largest` to `largest`.
  func checked(on function: Function, largest: Int = 1) throws -> Function {
    let result = Pipeline.local.run(try #require(run(function)))
    #expect(verify(result).isEmpty)
    var generator = SeededGenerator(seed: 11)
    let arguments = function.argumentTypes.map { type in
      Tensor(
        type,
        integers: (0..<type.elementCount).map { _ in
          Int64(generator.index(below: 2 * largest + 1) - largest)
        })
    }
    #expect(
      try interpret(result, arguments: arguments) == interpret(function, arguments: arguments))
    return result
  }
}

extension Function {
  /// The shapes of what the ops of an opcode give, in order.
  func resultShapes(_ opcode: Opcode) -> [[Int]] {
    blocks[body].ops.filter { ops[$0].opcode == opcode }.map { type(of: result(of: $0)).shape }
  }
}
