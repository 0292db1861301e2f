// One function from syntax to IR: scopes, operands, attributes, results.

/// Elaborates the body of one function.
struct FunctionElaborator {
  private enum Binding {
    case value(ValueID)
    /// Defined by an op with an error; its uses are silent.
    case poisoned
  }

  private struct Entry {
    var binding: Binding
    var location: SourceLocation
    /// The region it was defined in; it is visible while that region is open.
    var region: Int
  }

  private let syntax: SyntaxFunction
  private let evaluator: CompileTimeEvaluator
  var builder: FunctionBuilder
  private var names: [String: Entry] = [:]
  private var openRegions: [Int] = [0]
  private var regionCount = 1
  private var returned: (values: [ValueID], location: SourceLocation)?
  private var failed = false
  private var errorCount = 0

  init(syntax: SyntaxFunction, name: String, evaluator: CompileTimeEvaluator) {
    self.syntax = syntax
    self.evaluator = evaluator
    builder = FunctionBuilder(name: name)
  }

  var argumentTypes: [TensorType] { builder.function.argumentTypes }
  var returnedTypes: [TensorType] { returned?.values.map { builder.type(of: $0) } ?? [] }

  mutating func run(_ module: inout Elaborator) {
    for argument in syntax.arguments {
      do throws(Diagnostic) {
        let type = try evaluator.type(argument.type)
        if argument.role == .input, argument.initializer != nil {
          throw Diagnostic(
            "%\(argument.name.text) is data of the step and has no first value; 'param', 'frozen' and "
              + "'state' have one", at: argument.name.location)
        }
        let initializer = try argument.initializer.map { e throws(Diagnostic) in
          try self.initializer(e, of: type.dtype, at: argument.name.location)
        }
        try define(argument.name, .poisoned)
        let value = builder.addArgument(
          name: argument.name.text, type: type, role: argument.role, initializer: initializer,
          location: argument.name.location)
        names[argument.name.text]?.binding = .value(value)
      } catch {
        fail(error, &module)
        _ = try? define(argument.name, .poisoned)
      }
    }
    elaborate(syntax.body, &module)
    if returned == nil, !failed {
      fail(
        Diagnostic("@\(syntax.name.text) does not end in 'return'", at: syntax.name.location),
        &module)
    }
    if !failed {
      do { try checkResults() } catch { fail(error, &module) }
    }
  }

  private mutating func fail(_ diagnostic: Diagnostic, _ module: inout Elaborator) {
    failed = true
    errorCount += 1
    module.diagnostics.append(diagnostic)
  }

  // MARK: Names

  private mutating func define(_ name: SyntaxName, _ binding: Binding) throws(Diagnostic) {
    if let existing = names[name.text] {
      throw Diagnostic(
        "%\(name.text) is defined twice", at: name.location,
        notes: [.note("%\(name.text) is defined here", at: existing.location)])
    }
    names[name.text] = Entry(
      binding: binding, location: name.location, region: openRegions.last!)
  }

  /// The value of a name; nil where it is poisoned.
  private func lookUp(_ name: SyntaxName) throws(Diagnostic) -> ValueID? {
    guard let entry = names[name.text] else {
      let known = errorCount < Elaborator.suggestionsMax ? names.keys.sorted() : []
      throw Diagnostic(
        "%\(name.text) is not defined" + suggestion(for: name.text, among: known),
        at: name.location)
    }
    guard openRegions.contains(entry.region) else {
      throw Diagnostic(
        "%\(name.text) dies at the end of its region; yield it to use it here",
        at: name.location,
        notes: [.note("%\(name.text) is defined here", at: entry.location)])
    }
    if case .value(let value) = entry.binding { return value }
    return nil
  }

  // MARK: Ops

  private mutating func elaborate(_ ops: [SyntaxOp], _ module: inout Elaborator) {
    for (index, op) in ops.enumerated() {
      if op.isBroken {
        failed = true
        for result in op.results where names[result.text] == nil {
          _ = try? define(result, .poisoned)
        }
        continue
      }
      let isLast = index == ops.count - 1
      do throws(Diagnostic) {
        if op.name.text == "return" || op.name.text == "yield" {
          guard isLast else {
            throw Diagnostic("nothing may follow '\(op.name.text)'", at: op.name.location)
          }
          let belongs = op.name.text == "return" ? openRegions.count == 1 : openRegions.count > 1
          guard belongs else {
            throw Diagnostic(
              op.name.text == "return"
                ? "'return' ends a function; a region ends in 'yield'"
                : "'yield' ends a region; a function ends in 'return'", at: op.name.location)
          }
          if op.name.text == "return", let values = try operandValues(op.operands) {
            returned = (values, op.name.location)
          }
          continue
        }
        if let condition = op.condition {
          try elaborateConditional(op, condition, &module)
          continue
        }
        let values: [ValueID]?
        if let region = op.region {
          values = try elaborateRegion(op, region, &module)
        } else {
          values = try elaborateOp(op, &module)
        }
        try defineResults(of: op, values)
      } catch {
        fail(error, &module)
        for result in op.results where names[result.text] == nil {
          _ = try? define(result, .poisoned)
        }
      }
    }
  }

  private mutating func defineResults(
    of op: SyntaxOp, _ values: [ValueID]?
  ) throws(Diagnostic) {
    guard let values else {
      for result in op.results { try define(result, .poisoned) }
      return
    }
    guard op.results.count == values.count else {
      let plural = values.count == 1 ? "result" : "results"
      throw Diagnostic(
        "'\(op.name.text)' has \(values.count) \(plural), not \(op.results.count)",
        at: op.results.first?.location ?? op.name.location)
    }
    for (result, value) in zip(op.results, values) {
      try define(result, .value(value))
      builder.rename(value, to: result.text)
    }
  }

  /// Appends the ops of one branch to the block in which the `if` stands.
  private mutating func elaborateConditional(
    _ op: SyntaxOp, _ condition: SyntaxExpression, _ module: inout Elaborator
  ) throws(Diagnostic) {
    let branch: [SyntaxOp]
    switch try evaluator.evaluate(condition) {
    case .word("true"): branch = op.region ?? []
    case .word("false"): branch = op.otherwise
    case let other:
      throw Diagnostic(
        "the condition of 'if' is true or false, not \(other.kindName)", at: op.name.location)
    }
    guard let last = branch.last, last.name.text == "yield" || last.isBroken else {
      throw Diagnostic("the branch does not end in 'yield'", at: op.name.location)
    }
    openRegions.append(regionCount)
    regionCount += 1
    let errorCount = module.diagnostics.count
    let firstOwn = builder.function.values.count
    elaborate(branch, &module)
    var yielded: [ValueID]?
    var problem: Diagnostic?
    do { yielded = try operandValues(last.operands) } catch { problem = error }
    openRegions.removeLast()
    if let problem { throw problem }
    guard let yielded, module.diagnostics.count == errorCount, !last.isBroken else {
      for result in op.results { try define(result, .poisoned) }
      return
    }
    guard yielded.count == op.results.count else {
      throw Diagnostic(
        "'if' has \(op.results.count) \(op.results.count == 1 ? "result" : "results"), but the branch "
          + "yields \(yielded.count)", at: op.name.location)
    }
    for (result, value) in zip(op.results, yielded) {
      try define(result, .value(value))
      // What the branch only passes on keeps its name.
      if value.index >= firstOwn { builder.rename(value, to: result.text) }
    }
  }

  private mutating func elaborateRegion(
    _ op: SyntaxOp, _ ops: [SyntaxOp], _ module: inout Elaborator
  ) throws(Diagnostic) -> [ValueID]? {
    openRegions.append(regionCount)
    regionCount += 1
    builder.beginRegion()
    let errorCount = module.diagnostics.count
    elaborate(ops, &module)
    var yielded: [ValueID]?
    var problem: Diagnostic?
    if let last = ops.last, last.name.text == "yield" {
      do { yielded = try operandValues(last.operands) } catch { problem = error }
    } else if ops.last?.isBroken != true {
      problem = Diagnostic("the region does not end in 'yield'", at: op.name.location)
    }
    let attributes: Attributes = op.label.map { [.label: .string($0)] } ?? [:]
    let opcode = Opcode(name: op.name.text)!
    let values = builder.endRegion(
      opcode, yielding: yielded ?? [], attributes: attributes, location: op.name.location)
    openRegions.removeLast()
    if let problem { throw problem }
    return yielded == nil || module.diagnostics.count > errorCount ? nil : values
  }

  /// The values of operands that are all names; nil where one is poisoned.
  private func operandValues(_ operands: [SyntaxOperand]) throws(Diagnostic) -> [ValueID]? {
    var values: [ValueID] = []
    var isPoisoned = false
    for operand in operands {
      switch operand {
      case .value(let name):
        if let value = try lookUp(name) { values.append(value) } else { isPoisoned = true }
      case .literal(_, let location):
        throw Diagnostic("a literal stands only as an operand of a primitive op", at: location)
      }
    }
    return isPoisoned ? nil : values
  }

  /// Appends an op or a call; nil where an operand is poisoned.
  private mutating func elaborateOp(
    _ op: SyntaxOp, _ module: inout Elaborator
  ) throws(Diagnostic) -> [ValueID]? {
    guard op.callee == nil, let opcode = Opcode(name: op.name.text), opcode != .call else {
      return try elaborateCall(op, &module)
    }
    guard let operands = try operands(of: op, opcode) else { return nil }
    let isSingle = opcode.definition.resultsRule == nil
    guard op.types.count <= 1 || !isSingle else {
      throw Diagnostic("'\(op.name.text)' has one result", at: op.types[1].location)
    }
    let types = try op.types.map { t throws(Diagnostic) in try evaluator.type(t) }
    let type = types.first
    let operandTypes = operands.map { builder.type(of: $0) }
    var attributes = try self.attributes(of: op, opcode, operandTypes, type)
    if let literal = op.literal {
      guard let type else {
        throw Diagnostic(
          "'constant' needs a result type", at: op.name.location, constraint: "constant_c1")
      }
      attributes[.value] = .constant(
        try constantData(try evaluator.evaluate(literal), type: type, at: op.name.location))
    }
    guard try declareFunctions(named: attributes, by: op, &module) else { return nil }
    do {
      return try builder.append(
        opcode, operands, attributes, types: types, names: [], location: op.name.location)
    } catch {
      var notes: [Diagnostic] = []
      for case .value(let name) in op.operands.prefix(3) {
        guard let entry = names[name.text], case .value(let value) = entry.binding else { continue }
        notes.append(
          .note("%\(name.text) is \(builder.type(of: value)), defined here", at: entry.location))
      }
      throw Diagnostic(
        error.message, at: op.name.location, constraint: error.constraint, notes: notes)
    }
  }

  /// Elaborates the functions that attributes name; false where one has errors.
  private mutating func declareFunctions(
    named attributes: Attributes, by op: SyntaxOp, _ module: inout Elaborator
  ) throws(Diagnostic) -> Bool {
    for entry in attributes.entries {
      let place = op.attributes.first { $0.name.text == entry.name.rawValue }?.name.location
      for text in ([entry.name: entry.value] as Attributes).functionNames {
        let name = SyntaxName(text: text, location: place ?? op.name.location)
        guard let function = try module.namedFunction(name) else {
          failed = true
          return false
        }
        builder.declare(function)
      }
    }
    return true
  }

  private mutating func elaborateCall(
    _ op: SyntaxOp, _ module: inout Elaborator
  ) throws(Diagnostic) -> [ValueID]? {
    let name = op.callee ?? op.name
    guard let operands = try operandValues(op.operands) else { return nil }
    let callee = try module.callee(
      name, operandTypes: operands.map { builder.type(of: $0) }, attributes: op.attributes,
      evaluator: evaluator)
    guard let callee else {
      failed = true
      return nil
    }
    let types = callee.resultTypes
    if !op.types.isEmpty {
      let written = try op.types.map { t throws(Diagnostic) in try evaluator.type(t) }
      guard written == types else {
        throw Diagnostic(
          "'\(name.text)' gives \(types.map(\.description).joined(separator: ", ")), but its type "
            + "is written as \(written.map(\.description).joined(separator: ", "))",
          at: op.types[0].location)
      }
    }
    let call = builder.appendUnchecked(
      .call, operands, [.callee: .function(callee.name)], types: types, location: op.name.location)
    return Array(builder.function.results(of: call))
  }

  /// The operands of a primitive op, literals made into constants; nil where one is poisoned.
  private mutating func operands(
    of op: SyntaxOp, _ opcode: Opcode
  ) throws(Diagnostic) -> [ValueID]? {
    var values: [ValueID?] = []
    var isPoisoned = false
    for operand in op.operands {
      guard case .value(let name) = operand else {
        values.append(nil)
        continue
      }
      let value = try lookUp(name)
      if value == nil { isPoisoned = true }
      values.append(value)
    }
    guard !isPoisoned else { return nil }
    var result: [ValueID] = []
    for (index, operand) in op.operands.enumerated() {
      guard case .literal(let expression, let location) = operand else {
        result.append(values[index]!)
        continue
      }
      // The predicate of `select` does not tell the type of its branches.
      let skipped = opcode == .select ? 1 : 0
      let model = values.indices.first { $0 >= skipped && values[$0] != nil }
      guard let model, opcode.isElementwise || opcode == .pad else {
        throw Diagnostic(
          "nothing tells the type of this literal; write a 'constant'", at: location)
      }
      var type = builder.type(of: values[model]!)
      if opcode == .pad { type.shape = [] }
      let data = try constantData(try evaluator.evaluate(expression), type: type, at: location)
      result.append(
        builder.emit(.constant, [], [.value: .constant(data)], type: type, location: location))
    }
    return result
  }

  // MARK: Attributes

  private func attributes(
    of op: SyntaxOp, _ opcode: Opcode, _ operandTypes: [TensorType], _ type: TensorType?
  ) throws(Diagnostic) -> Attributes {
    let definition = opcode.definition
    var attributes = Attributes()
    for attribute in op.attributes {
      let spec = definition.attributes.first { $0.name.rawValue == attribute.name.text }
      guard let spec else {
        let known = definition.attributes.map(\.name.rawValue)
        throw Diagnostic(
          "'\(op.name.text)' has no attribute '\(attribute.name.text)'"
            + suggestion(for: attribute.name.text, among: known),
          at: attribute.name.location, constraint: "\(op.name.text)_attributes")
      }
      guard attributes[spec.name] == nil else {
        throw Diagnostic(
          "'\(attribute.name.text)' is given twice", at: attribute.name.location)
      }
      let value = try evaluator.evaluate(attribute.value)
      guard var converted = FunctionElaborator.attribute(value, spec.kind) else {
        throw Diagnostic(
          "'\(attribute.name.text)' of '\(op.name.text)' is not \(value.kindName)",
          at: attribute.name.location, constraint: "\(op.name.text)_attributes")
      }
      let rank = countedRank(opcode, spec.name, operandTypes, type)
      if let rank { converted = FunctionElaborator.counted(converted, rank: rank) }
      attributes[spec.name] = converted
    }
    if opcode == .broadcastInDim, attributes[.dims] == nil, let type,
      let operand = operandTypes.first, operand.rank <= type.rank
    {
      attributes[.dims] = .ints(Array((type.rank - operand.rank)..<type.rank))
    }
    return attributes
  }

  private static func attribute(_ value: CompileTimeValue, _ kind: AttributeKind) -> Attribute? {
    switch (kind, value) {
    case (.int, .int(let value)): .int(value)
    case (.number, .word("inf")): .number(.infinity)
    case (.number, _): value.number.map { .number($0) }
    case (.ints, .list): value.integers.map { .ints($0) }
    case (.symbol, .word(let word)): .symbol(word)
    case (.function, .function(let name)): .function(name)
    case (.functions, .list): value.functions.map { .functions($0) }
    case (.dimNumbers, .text(let text)), (.string, .text(let text)): .string(text)
    default: nil
    }
  }

  /// The rank from whose end negative dimensions count; nil where entries are no dimensions.
  private func countedRank(
    _ opcode: Opcode, _ name: AttributeName, _ operands: [TensorType], _ type: TensorType?
  ) -> Int? {
    switch (opcode, name) {
    case (.broadcastInDim, .dims), (.iota, .dim): type?.rank
    case (_, .dims), (_, .dim), (_, .lhsBatch), (_, .lhsContract): operands.first?.rank
    case (_, .rhsBatch), (_, .rhsContract): operands.count > 1 ? operands[1].rank : nil
    default: nil
    }
  }

  private static func counted(_ attribute: Attribute, rank: Int) -> Attribute {
    switch attribute {
    case .int(let dim): .int(dim < 0 ? dim + rank : dim)
    case .ints(let dims): .ints(dims.map { $0 < 0 ? $0 + rank : $0 })
    case .number, .symbol, .function, .functions, .constant, .string: attribute
    }
  }

  private func initializer(
    _ expression: SyntaxExpression, of dtype: DType, at location: SourceLocation
  ) throws(Diagnostic) -> Initializer {
    switch expression {
    case .name(let name) where name.text == "zeros": return .fill(0)
    case .name(let name) where name.text == "ones": return .fill(1)
    case .call(let name, let arguments):
      let values = try evaluator.evaluate(elements: arguments)
      guard values.count == 1, let number = values[0].number, number.isFinite else { break }
      guard name.text == "fill" || number >= 0 else {
        throw Diagnostic(
          "'\(name.text)' takes a number of at least 0, not \(number)", at: location)
      }
      let initializer: Initializer
      switch name.text {
      case "fill": initializer = .fill(number)
      case "normal": initializer = .normal(number)
      case "uniform": initializer = .uniform(number)
      default:
        throw Diagnostic(FunctionElaborator.initializers, at: location)
      }
      if let problem = initializer.problem(of: dtype) {
        throw Diagnostic(problem, at: location)
      }
      return initializer
    default: break
    }
    throw Diagnostic(FunctionElaborator.initializers, at: location)
  }

  private static let initializers =
    "an initial value is zeros, ones, fill(number), normal(deviation) or uniform(bound)"

  // MARK: Results

  private func argumentIndex(_ name: SyntaxName) throws(Diagnostic) -> Int {
    let index = syntax.arguments.firstIndex { $0.name.text == name.text }
    guard let index else {
      throw Diagnostic(
        "%\(name.text) is no argument"
          + suggestion(for: name.text, among: syntax.arguments.map(\.name.text)),
        at: name.location)
    }
    return index
  }

  private func checkResults() throws(Diagnostic) {
    guard let written = syntax.results, let returned else { return }
    guard written.count == returned.values.count else {
      throw Diagnostic(
        "@\(syntax.name.text) has \(written.count) results, but returns \(returned.values.count)",
        at: returned.location)
    }
    var names: [String: SourceLocation] = [:]
    for name in written.compactMap(\.name) {
      if let first = names.updateValue(name.location, forKey: name.text) {
        throw Diagnostic(
          "two results are called %\(name.text)", at: name.location,
          notes: [.note("%\(name.text) is the name of this one", at: first)])
      }
    }
    for (result, value) in zip(written, returned.values) {
      let type = try evaluator.type(result.type)
      guard type == builder.type(of: value) else {
        throw Diagnostic(
          "a result is written as \(type), but \(builder.type(of: value)) is returned",
          at: result.type.location)
      }
      if case .gradient(let name) = result.role { _ = try argumentIndex(name) }
      if case .update(let name) = result.role { _ = try argumentIndex(name) }
    }
  }

  /// The function; nil after an error.
  func finished() -> Function? {
    guard !failed, let returned else { return nil }
    var builder = builder
    var used: Set<String> = []
    func unique(_ name: String, _ index: Int) -> String {
      let base = name.isEmpty ? "result\(index)" : name
      var candidate = base
      var number = 1
      while !used.insert(candidate).inserted {
        candidate = "\(base).\(number)"
        number += 1
      }
      return candidate
    }
    var results: [FunctionResult] = []
    for (index, value) in returned.values.enumerated() {
      let valueName = builder.function.values[value].name
      guard let written = syntax.results?[index] else {
        results.append(
          FunctionResult(name: unique(valueName, index), location: returned.location))
        continue
      }
      let role: ResultRole
      var name = valueName
      switch written.role {
      case .output: role = .output
      case .loss:
        role = .loss
        name = "loss"
      case .gradient(let argument):
        role = .gradient(of: (try? argumentIndex(argument)) ?? 0)
        name = "grad.\(argument.text)"
      case .update(let argument):
        role = .update(of: (try? argumentIndex(argument)) ?? 0)
        name = "\(argument.text).new"
      }
      results.append(
        FunctionResult(
          name: unique(written.name?.text ?? name, index), role: role,
          location: written.name?.location ?? written.type.location))
    }
    return builder.finish(returning: returned.values, as: results, location: returned.location)
  }
}
