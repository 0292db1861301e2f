// Contractions and indexed access: the dimension numbers of StableHLO as attributes of the IR.

extension StableHLOFunctionImporter {
  /// The result of a contraction or an indexed op; nil where the op is none.
  mutating func importStructured(
    _ op: MLIROperation, _ operands: [ImportedValue], _ type: TensorType, _ called: String
  ) throws(Diagnostic) -> ImportedValue? {
    let place = op.location
    func ints(_ values: [Int]) -> SyntaxExpression { .ints(values, at: place) }
    switch op.name {
    case "stablehlo.dot_general" where type.dtype == .i1,
      "stablehlo.dot" where type.dtype == .i1:
      return try importTruthContraction(op, operands, type, called)
    case "stablehlo.dot_general":
      guard let numbers = op["dot_dimension_numbers"] else {
        throw missing("dot_dimension_numbers", of: op)
      }
      return appendOne(
        "dot_general", operands,
        present(
          [
            ("lhs_batch", numbers["lhs_batching_dimensions"]?.integers, false),
            ("rhs_batch", numbers["rhs_batching_dimensions"]?.integers, false),
            ("lhs_contract", numbers["lhs_contracting_dimensions"]?.integers, false),
            ("rhs_contract", numbers["rhs_contracting_dimensions"]?.integers, false),
          ], at: place), type: type, called: called, at: place)
    case "stablehlo.dot":
      try require(
        operands.count == 2 && operands.allSatisfy { $0.type.rank > 0 }, op,
        "multiplies vectors and matrices")
      return appendOne(
        "dot_general", operands,
        [("lhs_contract", ints([operands[0].type.rank - 1])), ("rhs_contract", ints([0]))],
        type: type, called: called, at: place)
    case "stablehlo.convolution":
      return appendOne(
        "convolution", operands, try convolutionAttributes(op), type: type, called: called,
        at: place)
    case "stablehlo.gather", "stablehlo.dynamic_gather":
      let isDynamic = op.name != "stablehlo.gather"
      try require(operands.count == (isDynamic ? 3 : 2), op, "has the wrong number of operands")
      guard let numbers = op["dimension_numbers"] else {
        throw missing("dimension_numbers", of: op)
      }
      let sizes = try list("slice_sizes", of: op, operand: isDynamic ? operands[2] : nil)
      return appendOne(
        "gather", Array(operands[..<2]),
        present(
          [
            ("offset_dims", numbers["offset_dims"]?.integers, false),
            ("collapsed_slice_dims", numbers["collapsed_slice_dims"]?.integers, false),
            ("operand_batch_dims", numbers["operand_batching_dims"]?.integers, false),
            ("indices_batch_dims", numbers["start_indices_batching_dims"]?.integers, false),
            ("start_index_map", numbers["start_index_map"]?.integers, true),
            ("slice_sizes", sizes, true),
          ], at: place) + [("index_vector_dim", .int(numbers["index_vector_dim"]?.int ?? 0))],
        type: type, called: called, at: place)
    case "stablehlo.dynamic_slice":
      let sizes = try requiredIntegers("slice_sizes", of: op)
      guard operands.count > 1 else { return operands.first }
      return appendOne(
        "dynamic_slice", operands, [("slice_sizes", ints(sizes))], type: type, called: called,
        at: place)
    case "stablehlo.dynamic_update_slice":
      try require(operands.count >= 2, op, "has at least two operands")
      guard operands.count > 2 else { return operands[1] }
      return appendOne(
        "dynamic_update_slice", operands, type: type, called: called, at: place)
    default: return nil
    }
  }

  /// A contraction of truth values: whether a product of them is true anywhere.
  private mutating func importTruthContraction(
    _ op: MLIROperation, _ operands: [ImportedValue], _ type: TensorType, _ called: String
  ) throws(Diagnostic) -> ImportedValue? {
    let numbers = operands.map {
      appendOne("convert", [$0], type: $0.type.with(.i32), at: op.location)
    }
    guard let count = try importStructured(op, numbers, type.with(.i32), "") else { return nil }
    let zero = appendConstant(
      .splat(DType.i32.encode(0)), type: count.type, at: op.location)
    return appendOne(
      "compare", [count, zero], [("direction", .word("ne", at: op.location))], type: type,
      called: called, at: op.location)
  }

  /// Lists as attributes; an empty one is left out unless the op needs it.
  func present(
    _ lists: [(name: String, values: [Int]?, isRequired: Bool)], at place: SourceLocation
  ) -> [(String, SyntaxExpression)] {
    lists.compactMap { name, values, isRequired in
      let values = values ?? []
      return values.isEmpty && !isRequired ? nil : (name, .ints(values, at: place))
    }
  }

  private func convolutionAttributes(
    _ op: MLIROperation
  ) throws(Diagnostic) -> [(String, SyntaxExpression)] {
    let place = op.location
    guard let numbers = op["dimension_numbers"],
      let lhs = StableHLOFunctionImporter.dimensions(numbers["lhs"]),
      let rhs = StableHLOFunctionImporter.dimensions(numbers["rhs"]),
      let result = StableHLOFunctionImporter.dimensions(numbers["result"])
    else {
      throw Diagnostic(
        "'\(op.name)' needs dimension numbers such as [b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f] of "
          + "fewer than 10 spatial dimensions", at: place)
    }
    let padding = try integers("padding", of: op)
    var attributes: [(String, SyntaxExpression)] = [
      ("dim_numbers", .string("\(lhs)_\(rhs)->\(result)"))
    ]
    attributes += present(
      [
        ("strides", try integers("window_strides", of: op), false),
        ("low", padding.map { $0.everySecond(from: 0) }, false),
        ("high", padding.map { $0.everySecond(from: 1) }, false),
        ("lhs_dilation", try integers("lhs_dilation", of: op), false),
        ("rhs_dilation", try integers("rhs_dilation", of: op), false),
        ("window_reversal", try integers("window_reversal", of: op), false),
      ], at: place)
    for (name, source) in [
      ("feature_groups", "feature_group_count"), ("batch_groups", "batch_group_count"),
    ] {
      if let count = op[source]?.int, count != 1 { attributes.append((name, .int(count))) }
    }
    return attributes
  }

  /// `b01f` from `[b, 0, 1, f]`.
  private static func dimensions(_ attribute: MLIRAttribute?) -> String? {
    guard case .list(let elements)? = attribute else { return nil }
    var text = ""
    for element in elements {
      switch element {
      case .word(let word) where word.utf8.count == 1: text += word
      case .int(let dim) where (0...9).contains(dim): text += String(dim)
      default: return nil
      }
    }
    return text
  }
}

extension [MLIRAttribute] {
  /// The integers of a list of pairs, one after the other; nil where it holds anything else.
  var pairedIntegers: [Int]? {
    var result: [Int] = []
    for element in self {
      guard let pair = element.integers, pair.count == 2 else { return nil }
      result += pair
    }
    return result
  }
}

extension [Int] {
  /// Every second element.
  func everySecond(from first: Int) -> [Int] {
    stride(from: first, to: count, by: 2).map { self[$0] }
  }
}
