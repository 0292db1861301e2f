// Reductions of all kinds: by name where the region is one known op, else by a function.
//
// Kinds       A region that combines its two arguments by one op, `add` or `maximum` say, is a kind.
//             On truth values, addition and maximum are disjunction, multiplication and minimum
//             conjunction.
// Initial     The IR starts from the neutral element of a kind. Any other initial value is combined
//             with the result by one more op where that gives the same: StableHLO leaves open where in
//             the order it stands. Padding repeats it, so that a window allows it for idempotent kinds
//             only. Where it does not give the same, the general form takes the function.

extension StableHLOFunctionImporter {
  /// A way to combine two elements that the IR knows by name.
  enum Kind: String {
    case add, mul, max, min, and, or

    /// The op that combines two values.
    var opName: String {
      switch self {
      case .add: "add"
      case .mul: "multiply"
      case .max: "maximum"
      case .min: "minimum"
      case .and: "and"
      case .or: "or"
      }
    }

    /// Whether combining a value twice is combining it once.
    var isIdempotent: Bool { self != .add && self != .mul }

    /// The kind of an op of StableHLO on elements of a dtype.
    init?(op: String, dtype: DType) {
      switch (op, dtype == .i1) {
      case ("stablehlo.add", false): self = .add
      case ("stablehlo.multiply", false): self = .mul
      case ("stablehlo.maximum", false): self = .max
      case ("stablehlo.minimum", false): self = .min
      case ("stablehlo.and", _), ("stablehlo.multiply", true), ("stablehlo.minimum", true):
        self = .and
      case ("stablehlo.or", _), ("stablehlo.add", true), ("stablehlo.maximum", true): self = .or
      default: return nil
      }
    }

    /// Whether the bytes of an element change nothing when they are combined.
    func isNeutral(_ bytes: [UInt8], _ dtype: DType) -> Bool {
      switch self {
      case .or: bytes.allSatisfy { $0 == 0 }
      case .add:
        dtype.isFloatingPoint ? dtype.decode(bytes[...]) == 0 : bytes.allSatisfy { $0 == 0 }
      case .mul: bytes == dtype.encode(1)
      case .and: bytes.allSatisfy { $0 == (dtype == .i1 ? 1 : 0xFF) }
      case .max: bytes == Kind.extreme(dtype, isLargest: false)
      case .min: bytes == Kind.extreme(dtype, isLargest: true)
      }
    }

    private static func extreme(_ dtype: DType, isLargest: Bool) -> [UInt8] {
      if dtype.isFloatingPoint { return dtype.encode(isLargest ? .infinity : -.infinity) }
      var bytes = [UInt8](repeating: isLargest ? 0xFF : 0, count: dtype.byteCount)
      if dtype == .i1 { return [isLargest ? 1 : 0] }
      if !dtype.isUnsigned { bytes[bytes.count - 1] ^= 0x80 }
      return bytes
    }
  }

  /// The kind of a region of two arguments; nil where it is more than one op.
  private static func kind(of region: MLIRRegion, dtype: DType) -> Kind? {
    guard region.arguments.count == 2, region.body.count == 2, let op = region.body.first,
      let end = region.body.last, op.results.count == 1, op.results[0].count == 1,
      op.operands.count == 2, end.operands.count == 1,
      end.operands[0].name == op.results[0].name
    else { return nil }
    let names = region.arguments.map(\.name)
    let used = op.operands.map(\.name)
    guard used == names || used == names.reversed() else { return nil }
    return Kind(op: op.name, dtype: dtype)
  }

  /// Converts operands to the dtypes in which the region computes.
  private mutating func promoted(
    _ operands: [ImportedValue], in region: MLIRRegion, of op: MLIROperation
  ) throws(Diagnostic) -> [ImportedValue] {
    var result: [ImportedValue] = []
    for (operand, argument) in zip(operands, region.arguments) {
      let dtype = try context.tensorType(argument.type, at: argument.location).dtype
      result.append(
        dtype == operand.type.dtype
          ? operand
          : appendOne("convert", [operand], type: operand.type.with(dtype), at: op.location))
    }
    return result
  }

  private func require(
    _ region: MLIRRegion?, of op: MLIROperation, arguments: Int
  ) throws(Diagnostic) -> MLIRRegion {
    guard let region, region.arguments.count == arguments else {
      throw Diagnostic(
        "'\(op.name)' needs a region of \(arguments) arguments", at: op.location)
    }
    return region
  }

  /// Whether an initial value is neutral for a kind.
  private func isNeutral(_ initial: ImportedValue, _ kind: Kind) -> Bool {
    guard let constant = initial.constant else { return false }
    switch constant {
    case .splat(let bytes), .dense(let bytes):
      return bytes.count == initial.type.dtype.byteCount
        && kind.isNeutral(bytes, initial.type.dtype)
    }
  }

  // MARK: Reduce

  mutating func importReduce(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    let count = types.count
    let region = try require(op.regions.first, of: op, arguments: 2 * count)
    try require(operands.count == 2 * count && count > 0, op, "has an initial value per operand")
    let dims = SyntaxExpression.ints(try requiredIntegers("dimensions", of: op), at: op.location)
    let inputs = try promoted(
      Array(operands[..<count]), in: MLIRRegion(arguments: Array(region.arguments[count...])),
      of: op)
    let initials = Array(operands[count...])
    if count == 1, let kind = StableHLOFunctionImporter.kind(of: region, dtype: types[0].dtype),
      inputs[0].type.dtype == types[0].dtype
    {
      return [
        reduced(
          "reduce", inputs, kind, [("dims", dims)], initial: initials[0], type: types[0],
          called: names.first ?? "", at: op.location)
      ]
    }
    guard let function = try elementFunction(region, as: "reducer", of: op) else { return nil }
    return append(
      "reduce_with", inputs + initials, [("dims", dims), ("function", function)], types: types,
      names: names, at: op.location)
  }

  /// A reduction by kind, and its initial value combined with the result unless it is neutral.
  private mutating func reduced(
    _ name: String, _ inputs: [ImportedValue], _ kind: Kind,
    _ attributes: [(String, SyntaxExpression)], initial: ImportedValue, type: TensorType,
    called: String, at place: SourceLocation
  ) -> ImportedValue {
    let word = SyntaxExpression.word(kind.rawValue, at: place)
    let isNeutral = isNeutral(initial, kind)
    let result = appendOne(
      name, inputs, [("kind", word)] + attributes, type: type, called: isNeutral ? called : "",
      at: place)
    guard !isNeutral else { return result }
    let start = broadcast(initial, to: type.shape, at: place)
    return appendOne(kind.opName, [start, result], type: type, called: called, at: place)
  }

  // MARK: Windows

  /// The window of an op as attributes.
  private func windowAttributes(
    _ op: MLIROperation
  ) throws(Diagnostic) -> [(String, SyntaxExpression)] {
    let padding = try integers("padding", of: op)
    return present(
      [
        ("window", try requiredIntegers("window_dimensions", of: op), true),
        ("strides", try integers("window_strides", of: op), false),
        ("low", padding?.everySecond(from: 0), false),
        ("high", padding?.everySecond(from: 1), false),
        ("base_dilation", try integers("base_dilations", of: op), false),
        ("window_dilation", try integers("window_dilations", of: op), false),
      ], at: op.location)
  }

  mutating func importReduceWindow(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    let count = types.count
    let region = try require(op.regions.first, of: op, arguments: 2 * count)
    try require(operands.count == 2 * count && count > 0, op, "has an initial value per operand")
    let window = try windowAttributes(op)
    let inputs = try promoted(
      Array(operands[..<count]), in: MLIRRegion(arguments: Array(region.arguments[count...])),
      of: op)
    let initials = Array(operands[count...])
    if count == 1, let kind = StableHLOFunctionImporter.kind(of: region, dtype: types[0].dtype),
      inputs[0].type.dtype == types[0].dtype,
      kind.isIdempotent || isNeutral(initials[0], kind)
    {
      return [
        reduced(
          "reduce_window", inputs, kind, window, initial: initials[0], type: types[0],
          called: names.first ?? "", at: op.location)
      ]
    }
    guard let function = try elementFunction(region, as: "reducer", of: op) else { return nil }
    return append(
      "reduce_window_with", inputs + initials, window + [("function", function)], types: types,
      names: names, at: op.location)
  }

  mutating func importSelectAndScatter(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    try require(operands.count == 3 && op.regions.count == 2, op, "has three operands, two regions")
    let select = try require(op.regions[0], of: op, arguments: 2)
    let scatter = try require(op.regions[1], of: op, arguments: 2)
    let window = try windowAttributes(op)
    let place = op.location
    if let direction = StableHLOFunctionImporter.direction(of: select),
      StableHLOFunctionImporter.kind(of: scatter, dtype: types[0].dtype) == .add
    {
      let isNeutral = isNeutral(operands[2], .add)
      let called = names.first ?? ""
      let result = appendOne(
        "select_and_scatter", Array(operands[..<2]),
        [("direction", .word(direction, at: place))] + window, type: types[0],
        called: isNeutral ? called : "", at: place)
      guard !isNeutral else { return [result] }
      let start = broadcast(operands[2], to: types[0].shape, at: place)
      return [appendOne("add", [start, result], type: types[0], called: called, at: place)]
    }
    let selector = try elementFunction(select, as: "select", of: op)
    let scatterer = try elementFunction(scatter, as: "scatter", of: op)
    guard let selector, let scatterer else { return nil }
    return append(
      "select_and_scatter_with", operands, window + [("select", selector), ("scatter", scatterer)],
      types: types, names: names, at: place)
  }

  /// `ge` or `le` where a region compares its arguments so.
  private static func direction(of region: MLIRRegion) -> String? {
    guard region.body.count == 2, let op = region.body.first, let end = region.body.last,
      op.name == "stablehlo.compare", op.results.count == 1, end.operands.count == 1,
      end.operands[0].name == op.results[0].name,
      op.operands.map(\.name) == region.arguments.map(\.name),
      op["compare_type"]?.word != "TOTALORDER"
    else { return nil }
    return switch op["comparison_direction"]?.word {
    case "GE": "ge"
    case "LE": "le"
    default: nil
    }
  }

  // MARK: Scatter

  mutating func importScatter(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    let count = types.count
    let region = try require(op.regions.first, of: op, arguments: 2 * count)
    try require(
      operands.count == 2 * count + 1 && count > 0, op, "has updates for every operand, and indices"
    )
    guard let numbers = op["scatter_dimension_numbers"] else {
      throw missing("scatter_dimension_numbers", of: op)
    }
    let place = op.location
    let attributes =
      present(
        [
          ("update_window_dims", numbers["update_window_dims"]?.integers, false),
          ("inserted_window_dims", numbers["inserted_window_dims"]?.integers, false),
          ("operand_batch_dims", numbers["input_batching_dims"]?.integers, false),
          ("indices_batch_dims", numbers["scatter_indices_batching_dims"]?.integers, false),
          ("scatter_dims", numbers["scatter_dims_to_operand_dims"]?.integers, true),
        ], at: place) + [("index_vector_dim", .int(numbers["index_vector_dim"]?.int ?? 0))]
    if count == 1, let kind = StableHLOFunctionImporter.scatterKind(of: region, types[0].dtype) {
      return append(
        "scatter", operands, [("kind", .word(kind, at: place))] + attributes, types: types,
        names: names, at: place)
    }
    guard let function = try elementFunction(region, as: "combine", of: op) else { return nil }
    return append(
      "scatter_with", operands, attributes + [("function", function)], types: types, names: names,
      at: place)
  }

  private static func scatterKind(of region: MLIRRegion, _ dtype: DType) -> String? {
    if region.body.count == 1, let end = region.body.first, end.operands.count == 1,
      region.arguments.count == 2, end.operands[0].name == region.arguments[1].name
    {
      return "set"
    }
    return kind(of: region, dtype: dtype)?.rawValue
  }
}
