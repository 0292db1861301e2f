// Elementwise ops: most have the name of their opcode or layer.

extension StableHLOFunctionImporter {
  /// Ops of `stablehlo` whose operands and result have one shape and whose name is that of the IR.
  static let elementwiseNames: Set<String> = [
    "abs", "add", "and", "atan2", "cbrt", "ceil", "convert", "cosine", "count_leading_zeros",
    "divide", "exponential", "exponential_minus_one", "floor", "is_finite", "log", "log_plus_one",
    "logistic", "maximum", "minimum", "multiply", "negate", "not", "or", "popcnt", "power",
    "remainder", "round_nearest_afz", "round_nearest_even", "rsqrt", "shift_left",
    "shift_right_arithmetic", "shift_right_logical", "sign", "sine", "sqrt", "subtract", "tan",
    "tanh", "xor",
  ]
  /// Ops of `chlo` that are an op or a layer of the same name.
  static let chloNames: Set<String> = [
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "bessel_i1e", "cosh", "digamma", "erf",
    "erf_inv", "erfc", "is_inf", "is_neg_inf", "is_pos_inf", "lgamma", "next_after", "polygamma",
    "sinh", "tan", "zeta",
  ]
  /// The ops behind `chlo.broadcast_…`.
  static let broadcastNames: [String: String] = [
    "add": "add", "and": "and", "atan2": "atan2", "divide": "divide", "maximum": "maximum",
    "minimum": "minimum", "multiply": "multiply", "next_after": "next_after", "or": "or",
    "power": "power", "remainder": "remainder", "shift_left": "shift_left",
    "shift_right_arithmetic": "shift_right_arithmetic",
    "shift_right_logical": "shift_right_logical", "subtract": "subtract", "xor": "xor",
    "compare": "compare", "select": "select", "polygamma": "polygamma", "zeta": "zeta",
  ]

  /// The result of an elementwise op; nil where the op is none.
  mutating func importElementwise(
    _ op: MLIROperation, _ name: String, _ operands: [ImportedValue], _ type: TensorType,
    _ called: String
  ) throws(Diagnostic) -> ImportedValue? {
    let place = op.location
    let isChlo = op.name.hasPrefix("chlo.")
    var operands = operands
    var name = name
    if isChlo, name.hasPrefix("broadcast_"),
      let inner = StableHLOFunctionImporter.broadcastNames[String(name.dropFirst(10))]
    {
      let dims = try integers("broadcast_dimensions", of: op)
      for (index, operand) in operands.enumerated() where operand.type.rank < type.rank {
        let kept = dims.flatMap { $0.count == operand.type.rank ? $0 : nil }
        operands[index] = appendOne(
          "broadcast_in_dim", [operand],
          [("dims", .ints(kept ?? Array((type.rank - operand.type.rank)..<type.rank), at: place))],
          type: operand.type.with(shape: type.shape), at: place)
      }
      // Extents of 1 are repeated, too.
      for (index, operand) in operands.enumerated() {
        operands[index] = broadcast(operand, to: type.shape, at: place)
      }
      name = inner
    } else if isChlo {
      if name == "square" || name == "conj" {
        try require(operands.count == 1, op, "has one operand")
        return name == "conj"
          ? operands[0]
          : appendOne(
            "multiply", [operands[0], operands[0]], type: type, called: called, at: place)
      }
      guard StableHLOFunctionImporter.chloNames.contains(name) else { return nil }
      return appendOne(name, operands, type: type, called: called, at: place)
    }
    switch name {
    case "compare": return try importCompare(op, operands, type, called)
    case "select":
      try require(operands.count == 3, op, "has three operands")
      operands[0] = broadcast(operands[0], to: type.shape, at: place)
    case "clamp":
      try require(operands.count == 3, op, "has three operands")
      for index in [0, 2] {
        operands[index] = broadcast(operands[index], to: type.shape, at: place)
      }
    case "reduce_precision":
      let exponent = try requiredInt("exponent_bits", of: op)
      let mantissa = try requiredInt("mantissa_bits", of: op)
      return appendOne(
        name, operands, [("exponent_bits", .int(exponent)), ("mantissa_bits", .int(mantissa))],
        type: type, called: called, at: place)
    case "bitcast_convert": break
    default:
      guard StableHLOFunctionImporter.elementwiseNames.contains(name) else { return nil }
    }
    return appendOne(name, operands, type: type, called: called, at: place)
  }

  private mutating func importCompare(
    _ op: MLIROperation, _ operands: [ImportedValue], _ type: TensorType, _ called: String
  ) throws(Diagnostic) -> ImportedValue {
    guard let direction = op["comparison_direction"]?.word?.lowercased() else {
      throw missing("comparison_direction", of: op)
    }
    let place = op.location
    var attributes = [("direction", SyntaxExpression.word(direction, at: place))]
    let dtype = operands.first?.type.dtype ?? .i1
    switch op["compare_type"]?.word {
    case "TOTALORDER": attributes.append(("order", .word("total", at: place)))
    case "SIGNED" where !dtype.isInteger || dtype.isUnsigned,
      "UNSIGNED" where dtype.isFloatingPoint || !dtype.isUnsigned,
      "FLOAT" where !dtype.isFloatingPoint:
      throw Diagnostic("'compare' of \(dtype.name) does not compare as that", at: place)
    default: break
    }
    return appendOne("compare", operands, attributes, type: type, called: called, at: place)
  }

  /// The results of a `map`: its region, with the shape of the operands in place of scalars.
  mutating func importMap(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard let region = op.regions.first, types.count == 1,
      region.arguments.count == operands.count
    else { throw Diagnostic("'\(op.name)' needs a region of its operands", at: op.location) }
    for inner in region.body {
      let family = inner.name.split(separator: ".", maxSplits: 1).last.map(String.init) ?? ""
      let isScalarOp =
        StableHLOFunctionImporter.elementwiseNames.contains(family)
        || ["constant", "return", "compare", "select", "clamp", "reduce_precision"].contains(family)
        || inner.name.hasPrefix("chlo.")
      guard isScalarOp else {
        throw Diagnostic("'\(inner.name)' in a 'map' is not supported", at: inner.location)
      }
    }
    let outer = values
    let outerShape = liftedShape
    defer {
      values = outer
      liftedShape = outerShape
    }
    liftedShape = types[0].shape
    for (argument, operand) in zip(region.arguments, operands) { define(argument.name, operand) }
    return importBody(region.body, of: "the region of 'map'", at: op.location)
  }
}
