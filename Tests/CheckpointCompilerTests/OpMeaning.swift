// Shorthands to run one op in the interpreter.

import Testing

@testable import CheckpointCompiler

/// The result of one op, through a function of its own.
func result(
  _ opcode: Opcode, _ operands: [Tensor], _ attributes: Attributes = [:],
  type: TensorType? = nil
) throws -> Tensor {
  var builder = FunctionBuilder(name: "f")
  let values = operands.map { builder.addArgument(name: "", type: $0.type) }
  let value = try builder.append(opcode, values, attributes, type: type)
  let function = builder.finish(returning: [value], as: [FunctionResult(name: "result")])
  return try interpret(function, arguments: operands)[0]
}

/// A vector, or a tensor of the given shape.
func tensor(_ dtype: DType, _ numbers: [Double], shape: [Int]? = nil) -> Tensor {
  Tensor(TensorType(dtype, shape ?? [numbers.count]), floats: numbers)
}

/// An integer vector, or a tensor of the given shape.
func tensor(_ dtype: DType, integers: [Int64], shape: [Int]? = nil) -> Tensor {
  Tensor(TensorType(dtype, shape ?? [integers.count]), integers: integers)
}

/// 1, 2, 3, … in a shape.
func counting(_ dtype: DType, _ shape: [Int]) -> Tensor {
  let type = TensorType(dtype, shape)
  return Tensor(type, integers: (0..<type.elementCount).map { Int64($0 + 1) })
}
