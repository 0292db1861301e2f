// Ops that move elements, those of dynamic shape among them whose shapes are constants.

extension StableHLOFunctionImporter {
  /// The result of a movement op; nil where the op is none.
  mutating func importMovement(
    _ op: MLIROperation, _ operands: [ImportedValue], _ type: TensorType, _ called: String
  ) throws(Diagnostic) -> ImportedValue? {
    let place = op.location
    func ints(_ values: [Int]) -> SyntaxExpression { .ints(values, at: place) }
    switch op.name {
    case "stablehlo.iota", "stablehlo.dynamic_iota":
      let dim = try requiredInt("iota_dimension", of: op)
      return appendOne("iota", [], [("dim", .int(dim))], type: type, called: called, at: place)
    case "stablehlo.broadcast_in_dim", "stablehlo.dynamic_broadcast_in_dim":
      try require(!operands.isEmpty, op, "needs an operand")
      let dims = try requiredIntegers("broadcast_dimensions", of: op)
      return keepingSplat(
        of: operands[0],
        appendOne(
          "broadcast_in_dim", [operands[0]], [("dims", ints(dims))], type: type, called: called,
          at: place))
    case "stablehlo.broadcast":
      let first = type.rank - (operands.first?.type.rank ?? 0)
      try require(first >= 0, op, "adds dimensions")
      return appendOne(
        "broadcast_in_dim", operands, [("dims", ints(Array(first..<type.rank)))], type: type,
        called: called, at: place)
    case "stablehlo.reshape", "stablehlo.dynamic_reshape":
      try require(!operands.isEmpty, op, "needs an operand")
      return keepingSplat(
        of: operands[0],
        appendOne("reshape", [operands[0]], type: type, called: called, at: place))
    case "stablehlo.transpose":
      let dims = try requiredIntegers("permutation", of: op)
      return appendOne(
        "transpose", operands, [("dims", ints(dims))], type: type, called: called, at: place)
    case "stablehlo.reverse":
      let dims = try requiredIntegers("dimensions", of: op)
      return appendOne(
        "reverse", operands, [("dims", ints(dims))], type: type, called: called, at: place)
    case "stablehlo.concatenate":
      let dim = try requiredInt("dimension", of: op)
      return appendOne(
        "concatenate", operands, [("dim", .int(dim))], type: type, called: called, at: place)
    case "stablehlo.slice", "stablehlo.real_dynamic_slice":
      let isDynamic = op.name != "stablehlo.slice"
      try require(operands.count == (isDynamic ? 4 : 1), op, "has the wrong number of operands")
      let start = try list("start_indices", of: op, operand: isDynamic ? operands[1] : nil)
      let limit = try list("limit_indices", of: op, operand: isDynamic ? operands[2] : nil)
      let strides = try list("strides", of: op, operand: isDynamic ? operands[3] : nil)
      return appendOne(
        "slice", [operands[0]],
        [("start", ints(start)), ("limit", ints(limit)), ("strides", ints(strides))], type: type,
        called: called, at: place)
    case "stablehlo.pad", "stablehlo.dynamic_pad":
      let isDynamic = op.name != "stablehlo.pad"
      try require(operands.count == (isDynamic ? 5 : 2), op, "has the wrong number of operands")
      let low = try list("edge_padding_low", of: op, operand: isDynamic ? operands[2] : nil)
      let high = try list("edge_padding_high", of: op, operand: isDynamic ? operands[3] : nil)
      let interior = try list("interior_padding", of: op, operand: isDynamic ? operands[4] : nil)
      return appendOne(
        "pad", Array(operands[..<2]),
        [("low", ints(low)), ("high", ints(high)), ("interior", ints(interior))], type: type,
        called: called, at: place)
    case "stablehlo.get_dimension_size":
      let dim = try requiredInt("dimension", of: op)
      guard let shape = operands.first?.type.shape, shape.indices.contains(dim),
        let bytes = type.dtype.encode(integer: shape[dim])
      else { throw Diagnostic("'\(op.name)' of no dimension", at: place) }
      return appendConstant(.splat(bytes), type: type, called: called, at: place)
    default: return nil
    }
  }

  private func keepingSplat(of operand: ImportedValue, _ result: ImportedValue) -> ImportedValue {
    guard case .splat? = operand.constant else { return result }
    var result = result
    result.constant = operand.constant
    return result
  }

  /// Integers from an attribute, or from an operand that is a constant.
  func list(
    _ name: String, of op: MLIROperation, operand: ImportedValue?
  ) throws(Diagnostic) -> [Int] {
    guard let operand else { return try requiredIntegers(name, of: op) }
    guard let constant = operand.constant, !operand.type.dtype.isFloatingPoint else {
      throw Diagnostic(
        "'\(op.name)' whose '\(name)' is no constant is not supported: shapes are fixed",
        at: op.location)
    }
    let dtype = operand.type.dtype
    switch constant {
    case .splat(let bytes):
      return Array(
        repeating: Int(dtype.decodeInteger(bytes[...])), count: operand.type.elementCount)
    case .dense(let bytes):
      return stride(from: 0, to: bytes.count, by: dtype.byteCount).map {
        Int(dtype.decodeInteger(bytes[$0..<$0 + dtype.byteCount]))
      }
    }
  }
}
