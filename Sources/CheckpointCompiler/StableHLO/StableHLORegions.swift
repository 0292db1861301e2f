// Regions as closed functions, and the ops that run them: while, case, sort, calls.
//
// Closing     The values that a region uses and does not define are its captures. Constants are copied
//             into the function; all others become further arguments, which the ops that own several
//             regions have in common.

extension StableHLOFunctionImporter {
  /// The values that regions use of their surroundings, in the order of their first use.
  static func captures(of regions: [MLIRRegion]) -> [MLIRValue] {
    var found: [MLIRValue] = []
    var seen: Set<Key> = []
    var defined: Set<String> = []
    func visit(_ region: MLIRRegion) {
      var names: [String] = []
      func define(_ name: String) {
        if defined.insert(name).inserted { names.append(name) }
      }
      for argument in region.arguments { define(argument.name) }
      for op in region.body {
        for operand in op.operands where !defined.contains(operand.name) {
          if seen.insert(Key(name: operand.name, index: operand.index)).inserted {
            found.append(operand)
          }
        }
        for inner in op.regions { visit(inner) }
        for result in op.results { define(result.name) }
      }
      defined.subtract(names)
    }
    for region in regions { visit(region) }
    return found
  }

  /// What a set of regions captures, once constants are set apart.
  struct Captures {
    var constants: [(key: Key, value: ImportedValue)] = []
    var passed: [(key: Key, value: ImportedValue)] = []
  }

  /// The captures of regions; nil where one has no value after an error.
  func capturedValues(of regions: [MLIRRegion]) throws(Diagnostic) -> Captures? {
    var captures = Captures()
    for use in StableHLOFunctionImporter.captures(of: regions) {
      guard let value = try value(use) else { return nil }
      let key = Key(name: use.name, index: use.index)
      if value.constant?.isSmall == true {
        captures.constants.append((key, value))
      } else {
        captures.passed.append((key, value))
      }
    }
    return captures
  }

  /// Imports a region as a function of its own.
  ///
  /// - Returns: The name of the function and the types of its results; nil after an error.
  mutating func close(
    _ region: MLIRRegion, as suffix: String, _ captures: Captures, of op: MLIROperation
  ) throws(Diagnostic) -> (name: String, results: [TensorType])? {
    let name = context.freshFunctionName("\(functionName).\(suffix)")
    var inner = StableHLOFunctionImporter(context: context, functionName: name)
    var function = SyntaxFunction(name: SyntaxName(text: name, location: op.location))
    for argument in region.arguments {
      try inner.declare(argument.name, at: argument.location)
      let type = try context.tensorType(argument.type, at: argument.location)
      inner.addArgument(
        argument.name, called: StableHLONames.sanitized(argument.name), type: type,
        at: argument.location, to: &function)
    }
    for (key, value) in captures.passed {
      inner.addArgument(
        key.name, index: key.index, called: value.name, type: value.type, at: op.location,
        to: &function)
    }
    let used = Set(
      StableHLOFunctionImporter.captures(of: [region]).map {
        Key(name: $0.name, index: $0.index)
      })
    for (key, value) in captures.constants where used.contains(key) {
      guard let data = value.constant else { continue }
      let copy = inner.appendConstant(
        data, type: value.type, called: value.name, at: op.location)
      inner.define(key.name, copy, index: key.index)
    }
    let returned = inner.importBody(region.body, of: "a region of '\(op.name)'", at: op.location)
    guard let returned else { return nil }
    function.body = inner.finished(returning: returned, at: op.location)
    context.add(function)
    return (name, returned.map(\.type))
  }

  /// Adds an argument to a function that is being made.
  mutating func addArgument(
    _ name: String, index: Int = 0, called: String, type: TensorType, at place: SourceLocation,
    to function: inout SyntaxFunction, role: ArgumentRole = .input
  ) {
    let unique = fresh(called)
    function.arguments.append(
      SyntaxArgument(
        role: role, name: SyntaxName(text: unique, location: place),
        type: StableHLOImporter.syntax(type, at: place), initializer: nil))
    define(name, ImportedValue(name: unique, type: type), index: index)
  }

  /// The ops with a `return` at the end.
  func finished(returning values: [ImportedValue], at place: SourceLocation) -> [SyntaxOp] {
    var end = SyntaxOp(name: SyntaxName(text: "return", location: place))
    end.operands = values.map { .value(SyntaxName(text: $0.name, location: place)) }
    return ops + [end]
  }

  private func function(_ name: String, at place: SourceLocation) -> SyntaxExpression {
    .function(SyntaxName(text: name, location: place))
  }

  // MARK: Calls

  mutating func importCall(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue] {
    guard let callee = op["callee"]?.symbol else { throw missing("callee", of: op) }
    return append(
      "call", operands, types: types, names: names,
      callee: try context.functionName(of: callee, op),
      at: op.location)
  }

  /// A composite: the op that it names where there is one, else its decomposition.
  mutating func importComposite(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard let name = op["name"]?.string else { throw missing("name", of: op) }
    var inner = op
    inner.name = name
    if name == "chlo.top_k", let k = op["composite_attributes"]?["k"] {
      inner.attributes.append(MLIRNamedAttribute(name: "k", value: k, location: op.location))
      return try importTopK(inner, operands, types, names)
    }
    if name.hasPrefix("chlo."), types.count == 1,
      let result = try importElementwise(
        inner, String(name.dropFirst(5)), operands, types[0], names.first ?? "")
    {
      return [result]
    }
    guard let decomposition = op["decomposition"]?.symbol else {
      throw missing("decomposition", of: op)
    }
    return append(
      "call", operands, types: types, names: names,
      callee: try context.functionName(of: decomposition, op), at: op.location)
  }

  // MARK: Control flow

  mutating func importWhile(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard op.regions.count == 2,
      op.regions.allSatisfy({ $0.arguments.count == operands.count })
    else {
      throw Diagnostic("'\(op.name)' needs two regions of the values it carries", at: op.location)
    }
    guard let captures = try capturedValues(of: op.regions) else { return nil }
    let condition = try close(op.regions[0], as: "condition", captures, of: op)
    let body = try close(op.regions[1], as: "body", captures, of: op)
    guard let condition, let body else { return nil }
    return append(
      "while", operands + captures.passed.map(\.value),
      [
        ("condition", function(condition.name, at: op.location)),
        ("body", function(body.name, at: op.location)),
      ], types: types, names: names, at: op.location)
  }

  mutating func importCase(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    let isIf = op.name == "stablehlo.if"
    guard operands.count == 1, isIf ? op.regions.count == 2 : !op.regions.isEmpty else {
      throw Diagnostic("'\(op.name)' needs an index and its branches", at: op.location)
    }
    var index = operands[0]
    // The branch of a predicate that holds is written first.
    let regions = isIf ? [op.regions[1], op.regions[0]] : op.regions
    if index.type.dtype != .i32 {
      index = appendOne("convert", [index], type: index.type.with(.i32), at: op.location)
    }
    guard let captures = try capturedValues(of: regions) else { return nil }
    var branches: [SyntaxExpression] = []
    for (number, region) in regions.enumerated() {
      let suffix = isIf ? (number == 1 ? "then" : "else") : "branch\(number)"
      guard let branch = try close(region, as: suffix, captures, of: op) else { continue }
      branches.append(function(branch.name, at: op.location))
    }
    guard branches.count == regions.count else { return nil }
    return append(
      "case", [index] + captures.passed.map(\.value),
      [("branches", .list(branches, op.location))], types: types, names: names, at: op.location)
  }

  // MARK: Functions of elements

  /// A region as a closed function without further arguments; nil after an error.
  mutating func elementFunction(
    _ region: MLIRRegion, as suffix: String, of op: MLIROperation
  ) throws(Diagnostic) -> SyntaxExpression? {
    guard let captures = try capturedValues(of: [region]) else { return nil }
    if let first = captures.passed.first {
      throw Diagnostic(
        "a region of '\(op.name)' that uses %\(first.key.name) of its surroundings is not supported",
        at: op.location)
    }
    guard let closed = try close(region, as: suffix, captures, of: op) else { return nil }
    return function(closed.name, at: op.location)
  }

  mutating func importSort(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard let region = op.regions.first, region.arguments.count == 2 * operands.count,
      let rank = operands.first?.type.rank
    else { throw Diagnostic("'\(op.name)' needs a comparator of its operands", at: op.location) }
    let dim = op["dimension"]?.int ?? -1
    guard let comparator = try elementFunction(region, as: "comparator", of: op) else { return nil }
    return append(
      "sort", operands,
      [("dim", .int(dim < 0 ? dim + rank : dim)), ("comparator", comparator)], types: types,
      names: names, at: op.location)
  }

  /// The largest elements of every row and their places: a stable sort, of which the start is taken.
  mutating func importTopK(
    _ op: MLIROperation, _ operands: [ImportedValue], _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard operands.count == 1, types.count == 2, let rank = operands.first?.type.rank, rank > 0
    else { throw Diagnostic("'\(op.name)' takes the rows of one operand", at: op.location) }
    let k = try requiredInt("k", of: op)
    let place = op.location
    let x = operands[0]
    let places = appendOne(
      "iota", [], [("dim", .int(rank - 1))], type: x.type.with(types[1].dtype), at: place)
    let comparator = context.largerFirst(x.type.dtype, types[1].dtype, at: place)
    let sorted = append(
      "sort", [x, places],
      [("dim", .int(rank - 1)), ("comparator", function(comparator, at: place))],
      types: [x.type, places.type], at: place)
    var limit = x.type.shape
    limit[rank - 1] = k
    var results: [ImportedValue] = []
    for (index, value) in sorted.enumerated() {
      results.append(
        appendOne(
          "slice", [value],
          [
            ("start", .ints(Array(repeating: 0, count: rank), at: place)),
            ("limit", .ints(limit, at: place)),
          ], type: types[index], called: index < names.count ? names[index] : "", at: place))
    }
    return results
  }
}

extension ConstantData {
  /// Whether a copy costs nothing to speak of.
  var isSmall: Bool {
    switch self {
    case .splat: true
    case .dense(let bytes): bytes.count <= 64
    }
  }
}
