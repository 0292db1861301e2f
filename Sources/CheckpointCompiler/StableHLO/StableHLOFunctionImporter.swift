// One function, or one closed region, from StableHLO to the syntax of the IR.
//
// Method      Op by op in order; each gives syntax ops whose names are opcodes or layers, which the
//             elaborator resolves and checks, so that every message has the place of its op.
// Values      A value is known by its name in the IR and its type; constants carry their elements, so
//             that neutral initial values and shapes are recognised, and regions get a copy of them.
// Regions     A region becomes a function of its own: what it uses of its surroundings become further
//             operands.
// Cost        O(ops + operands).

/// A value of StableHLO, in the IR.
struct ImportedValue {
  /// The name without `%`.
  var name: String
  var type: TensorType
  /// The elements, where they are known.
  var constant: ConstantData?
}

/// Imports the body of one function.
struct StableHLOFunctionImporter {
  struct Key: Hashable {
    var name: String
    var index: Int
  }

  let context: StableHLOImporter
  /// The name of the function in the IR, from which those of its regions are made.
  let functionName: String
  /// What the names mean here; nil after an error.
  var values: [Key: ImportedValue?] = [:]
  private(set) var ops: [SyntaxOp] = []
  /// Where the text defines the names of this function.
  private var places: [String: SourceLocation] = [:]
  private var nameUses: [String: Int] = [:]
  private var usedNames: Set<String> = []
  private var numberedCount = 0
  /// Whether checks are noted instead of refused.
  var keepsChecks = false
  /// The checks, and what they compare.
  var checks: [(check: StableHLOCheck, values: [ImportedValue])] = []
  /// The shape that stands for that of scalars while the region of a `map` is imported.
  var liftedShape: [Int]?

  init(context: StableHLOImporter, functionName: String) {
    self.context = context
    self.functionName = functionName
  }

  // MARK: Names

  /// A name that no value of the function has; empty and numeric ones give a number.
  mutating func fresh(_ base: String) -> String {
    guard base.utf8.contains(where: { $0 < 48 || $0 > 57 }) else {
      numberedCount += 1
      return String(numberedCount - 1)
    }
    guard !usedNames.insert(base).inserted else { return base }
    while true {
      let number = nameUses[base, default: 0] + 1
      nameUses[base] = number
      let candidate = "\(base).\(number)"
      if usedNames.insert(candidate).inserted { return candidate }
    }
  }

  /// What the results of an op are called.
  private func baseNames(of op: MLIROperation) -> [String] {
    let path = context.module.name(of: op.debugLocation).map(StableHLONames.name(ofPath:)) ?? ""
    return op.results.flatMap { result in
      Array(
        repeating: path.isEmpty ? StableHLONames.sanitized(result.name) : path, count: result.count)
    }
  }

  // MARK: Values

  /// A value by its name; nil where it has no value after an error.
  func value(_ use: MLIRValue) throws(Diagnostic) -> ImportedValue? {
    guard let entry = values[Key(name: use.name, index: use.index)] else {
      let known = values.keys.contains { $0.name == use.name }
      throw Diagnostic(
        known
          ? "%\(use.name) has no result \(use.index)" : "%\(use.name) is not defined here",
        at: use.location)
    }
    return entry
  }

  /// The operands of an op; nil where one has no value after an error.
  mutating func operands(of op: MLIROperation) throws(Diagnostic) -> [ImportedValue]? {
    var result: [ImportedValue] = []
    result.reserveCapacity(op.operands.count)
    var isPoisoned = false
    for (index, use) in op.operands.enumerated() {
      guard let value = try value(use) else {
        isPoisoned = true
        continue
      }
      if liftedShape == nil, index < op.operandTypes.count {
        let written = try context.tensorType(op.operandTypes[index], at: use.location)
        guard written == value.type else {
          throw Diagnostic(
            "%\(use.name) is \(value.type), but its type is written as \(written)",
            at: use.location)
        }
      }
      result.append(lifted(value, at: op.location))
    }
    return isPoisoned ? nil : result
  }

  /// The types of the results of an op.
  func resultTypes(of op: MLIROperation) throws(Diagnostic) -> [TensorType] {
    var types: [TensorType] = []
    for type in op.resultTypes {
      types.append(lifted(try context.tensorType(type, at: op.location)))
    }
    return types
  }

  private func lifted(_ type: TensorType) -> TensorType {
    guard let liftedShape, type.shape.isEmpty else { return type }
    return type.with(shape: liftedShape)
  }

  /// A scalar of the surroundings of a `map`, in the shape of its operands.
  private mutating func lifted(_ value: ImportedValue, at place: SourceLocation) -> ImportedValue {
    let type = lifted(value.type)
    return type == value.type ? value : broadcast(value, to: type.shape, at: place)
  }

  mutating func define(_ name: String, _ value: ImportedValue?, index: Int = 0) {
    values[Key(name: name, index: index)] = .some(value)
  }

  /// Notes that the text defines a value here.
  ///
  /// - Throws: An error where the function has defined the name before.
  mutating func declare(_ name: String, at place: SourceLocation) throws(Diagnostic) {
    // The region of a `map` stands in its function; its names are its own.
    guard liftedShape == nil, !name.isEmpty else { return }
    if let first = places[name] {
      throw Diagnostic(
        "%\(name) is defined twice", at: place,
        notes: [.note("%\(name) is defined here", at: first)])
    }
    places[name] = place
  }

  // MARK: Appending ops

  /// Appends an op of the IR: an opcode, a layer, or a `call` of the callee.
  ///
  /// Names are made unique; a result without one gets a number.
  @discardableResult
  mutating func append(
    _ name: String, _ operands: [ImportedValue], _ attributes: [(String, SyntaxExpression)] = [],
    types: [TensorType], names: [String] = [], callee: String? = nil, at place: SourceLocation
  ) -> [ImportedValue] {
    var op = SyntaxOp(name: SyntaxName(text: name, location: place))
    op.callee = callee.map { SyntaxName(text: $0, location: place) }
    op.operands = operands.map { .value(SyntaxName(text: $0.name, location: place)) }
    op.attributes = attributes.map {
      SyntaxAttribute(name: SyntaxName(text: $0.0, location: place), value: $0.1)
    }
    op.types = types.map { StableHLOImporter.syntax($0, at: place) }
    var results: [ImportedValue] = []
    for (index, type) in types.enumerated() {
      let unique = fresh(index < names.count ? names[index] : "")
      op.results.append(SyntaxName(text: unique, location: place))
      results.append(ImportedValue(name: unique, type: type))
    }
    ops.append(op)
    return results
  }

  /// Appends an op of one result.
  mutating func appendOne(
    _ name: String, _ operands: [ImportedValue], _ attributes: [(String, SyntaxExpression)] = [],
    type: TensorType, called: String = "", at place: SourceLocation
  ) -> ImportedValue {
    append(name, operands, attributes, types: [type], names: [called], at: place)[0]
  }

  mutating func appendConstant(
    _ data: ConstantData, type: TensorType, called: String = "", at place: SourceLocation
  ) -> ImportedValue {
    var value = appendOne("constant", [], type: type, called: called, at: place)
    ops[ops.count - 1].literal = .elements(data)
    value.constant = data
    return value
  }

  /// A value repeated over a shape; its dimensions are the last ones.
  mutating func broadcast(
    _ value: ImportedValue, to shape: [Int], at place: SourceLocation
  ) -> ImportedValue {
    guard value.type.shape != shape else { return value }
    let first = max(0, shape.count - value.type.rank)
    var result = appendOne(
      "broadcast_in_dim", [value], [("dims", .ints(Array(first..<shape.count), at: place))],
      type: value.type.with(shape: shape), at: place)
    if case .splat? = value.constant { result.constant = value.constant }
    return result
  }

  // MARK: Bodies

  /// Imports ops up to the one that ends the block.
  ///
  /// - Returns: What is returned; nil after an error.
  mutating func importBody(_ body: [MLIROperation], of what: String, at place: SourceLocation)
    -> [ImportedValue]?
  {
    var errorCount = 0
    for op in body {
      do throws(Diagnostic) {
        switch op.name {
        case "func.return", "stablehlo.return":
          let returned = try operands(of: op)
          return errorCount == 0 ? returned : nil
        default:
          guard !(try importCheck(op)) else { continue }
          let names = baseNames(of: op)
          for result in op.results { try declare(result.name, at: result.location) }
          let results = try importOp(op, names: names)
          if let results, results.count != names.count {
            throw Diagnostic(
              "'\(op.name)' has \(results.count) results, not \(names.count)", at: op.location)
          }
          bind(op, to: results)
        }
      } catch {
        errorCount += 1
        context.report(error)
        guard !op.name.hasSuffix(".return") else { return nil }
        bind(op, to: nil)
      }
    }
    context.report(Diagnostic("\(what) does not end in 'return'", at: place))
    return nil
  }

  private mutating func bind(_ op: MLIROperation, to results: [ImportedValue]?) {
    var next = 0
    for result in op.results {
      // A number that is out of all proportion is no reason to fill the memory.
      for index in 0..<min(result.count, results?.count ?? 64) {
        define(result.name, results.flatMap { next < $0.count ? $0[next] : nil }, index: index)
        next += 1
      }
    }
  }

  /// Imports one op; nil where an operand has no value after an error.
  private mutating func importOp(
    _ op: MLIROperation, names: [String]
  ) throws(Diagnostic) -> [ImportedValue]? {
    guard let operands = try operands(of: op) else { return nil }
    let types = try resultTypes(of: op)
    let family = op.name.split(separator: ".", maxSplits: 1).map(String.init)
    switch op.name {
    case "stablehlo.constant", "arith.constant", "chlo.constant":
      return [try importConstant(op, types, names)]
    case "stablehlo.optimization_barrier": return operands
    case "func.call", "call": return try importCall(op, operands, types, names)
    case "stablehlo.composite": return try importComposite(op, operands, types, names)
    case "stablehlo.while": return try importWhile(op, operands, types, names)
    case "stablehlo.case", "stablehlo.if": return try importCase(op, operands, types, names)
    case "stablehlo.reduce": return try importReduce(op, operands, types, names)
    case "stablehlo.reduce_window": return try importReduceWindow(op, operands, types, names)
    case "stablehlo.select_and_scatter":
      return try importSelectAndScatter(op, operands, types, names)
    case "stablehlo.scatter": return try importScatter(op, operands, types, names)
    case "stablehlo.sort": return try importSort(op, operands, types, names)
    case "stablehlo.map": return try importMap(op, operands, types)
    case "stablehlo.rng_bit_generator":
      return try importRandomBits(op, operands, types, names)
    case "chlo.top_k": return try importTopK(op, operands, types, names)
    default: break
    }
    guard types.count == 1, family.count == 2 else {
      throw Diagnostic("'\(op.name)' of \(types.count) results is not supported", at: op.location)
    }
    let called = names.first ?? ""
    if let result = try importElementwise(op, family[1], operands, types[0], called) {
      return [result]
    }
    if let result = try importMovement(op, operands, types[0], called) { return [result] }
    if let result = try importStructured(op, operands, types[0], called) { return [result] }
    if op.name == "stablehlo.triangular_solve" {
      return [try importTriangularSolve(op, operands, types[0], called)]
    }
    throw Diagnostic("'\(op.name)' is not supported", at: op.location)
  }

  private mutating func importConstant(
    _ op: MLIROperation, _ types: [TensorType], _ names: [String]
  ) throws(Diagnostic) -> ImportedValue {
    guard case .elements(let elements)? = op["value"], types.count == 1 else {
      throw Diagnostic("'\(op.name)' needs a 'value' that is dense<…>", at: op.location)
    }
    let written = try context.tensorType(elements.type, at: op.location)
    var data = try context.module.constant(elements, type: written)
    var type = written
    if liftedShape != nil, written.shape.isEmpty {
      type = types[0]
      if case .dense(let bytes) = data { data = .splat(bytes) }
    }
    guard type == types[0] else {
      throw Diagnostic("a constant of \(written) is written as \(types[0])", at: op.location)
    }
    if case .dense(let bytes) = data, type.shape.isEmpty { data = .splat(bytes) }
    return appendConstant(data, type: type, called: names.first ?? "", at: op.location)
  }

  // MARK: Attributes

  /// The integers of an attribute: `[…]`, `[[…], …]` of pairs, `array<…>` or `dense<…>`.
  func integers(
    _ name: String, of op: MLIROperation
  ) throws(Diagnostic) -> [Int]? {
    guard let attribute = op.attributes.first(where: { $0.name == name }) else { return nil }
    if let list = attribute.value.integers { return list }
    if case .list(let elements) = attribute.value, let pairs = elements.pairedIntegers {
      return pairs
    }
    if case .elements(let elements) = attribute.value,
      let list = context.module.integers(elements)
    {
      return list
    }
    throw Diagnostic("'\(name)' of '\(op.name)' is a list of integers", at: attribute.location)
  }

  /// A list of integers that must be given.
  func requiredIntegers(_ name: String, of op: MLIROperation) throws(Diagnostic) -> [Int] {
    guard let list = try integers(name, of: op) else { throw missing(name, of: op) }
    return list
  }

  /// An integer that must be given.
  func requiredInt(_ name: String, of op: MLIROperation) throws(Diagnostic) -> Int {
    guard let value = op[name]?.int else { throw missing(name, of: op) }
    return value
  }

  func missing(_ name: String, of op: MLIROperation) -> Diagnostic {
    Diagnostic("'\(op.name)' needs the attribute '\(name)'", at: op.location)
  }

  /// The error for a number of operands that the op does not have.
  func require(_ holds: Bool, _ op: MLIROperation, _ message: String) throws(Diagnostic) {
    guard holds else { throw Diagnostic("'\(op.name)' \(message)", at: op.location) }
  }
}

extension SyntaxExpression {
  /// A list of integers.
  static func ints(_ values: [Int], at place: SourceLocation) -> SyntaxExpression {
    .list(values.map { .int($0) }, place)
  }
  /// A word.
  static func word(_ text: String, at place: SourceLocation) -> SyntaxExpression {
    .name(SyntaxName(text: text, location: place))
  }
}
