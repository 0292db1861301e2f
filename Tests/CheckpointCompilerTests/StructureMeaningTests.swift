// What calls and regions mean, by examples.

import CompilerTesting
import Testing

@testable import CheckpointCompiler

@Suite struct StructureMeaningTests {
  private let scalar = TensorType(.f32)

  @Test func regionsRunInPlace() throws {
    var builder = FunctionBuilder(name: "f")
    let x = builder.addArgument(name: "x", type: scalar)
    builder.beginRegion()
    let y = builder.emit(.add, [x, x])
    builder.beginRegion()
    let z = builder.emit(.multiply, [y, x])
    let inner = builder.endRegion(.fusion, yielding: [z])
    let outer = builder.endRegion(.noGrad, yielding: [inner[0], y])
    builder.beginRegion()
    let again = builder.emit(.subtract, [outer[0], outer[1]])
    let last = builder.endRegion(.recompute, yielding: [again])
    let function = builder.finish(
      returning: [last[0], x], as: [FunctionResult(name: "a"), FunctionResult(name: "b")])
    let results = try interpret(function, arguments: [tensor(.f32, [3], shape: [])])
    #expect(results.map { $0[0] } == [12, 3])
  }

  @Test func callsGoThroughTheModule() throws {
    var callee = FunctionBuilder(name: "swap")
    let a = callee.addArgument(name: "a", type: scalar)
    let b = callee.addArgument(name: "b", type: scalar)
    let results = [FunctionResult(name: "x"), FunctionResult(name: "y")]
    let swap = callee.finish(returning: [b, a], as: results)
    var caller = FunctionBuilder(name: "main")
    let c = caller.addArgument(name: "c", type: scalar)
    let d = caller.addArgument(name: "d", type: scalar)
    let call = caller.appendUnchecked(
      .call, [c, d], [.callee: .function("swap")], types: [scalar, scalar])
    let main = caller.finish(
      returning: Array(caller.function.results(of: call)), as: results)
    let module = Module(functions: [swap, main], entryName: "main")
    let arguments = [tensor(.f32, [1], shape: []), tensor(.f32, [2], shape: [])]
    #expect(try interpret(main, in: module, arguments: arguments) == arguments.reversed())
    #expect(throws: InterpreterError.self) { try interpret(main, arguments: arguments) }
  }

  @Test func argumentsMustFit() throws {
    var builder = FunctionBuilder(name: "f")
    let x = builder.addArgument(name: "x", type: scalar)
    let function = builder.finish(returning: [x], as: [FunctionResult(name: "y")])
    #expect(throws: InterpreterError.self) { try interpret(function, arguments: []) }
    #expect(throws: InterpreterError.self) {
      try interpret(function, arguments: [tensor(.f32, [1, 2])])
    }
  }

  @Test func randomOpsWithoutStreamDiffer() throws {
    var builder = FunctionBuilder(name: "f")
    let key = builder.addArgument(name: "key", type: TensorType(.ui32, [2]))
    let attributes: Attributes = [.distribution: .symbol("bits")]
    let values = (0..<2).map { _ in
      builder.emit(.random, [key], attributes, type: TensorType(.ui32, [4]))
    }
    let function = builder.finish(
      returning: values, as: [FunctionResult(name: "a"), FunctionResult(name: "b")])
    let results = try interpret(function, arguments: [tensor(.ui32, [1, 2])])
    #expect(results[0] != results[1])
  }
}
