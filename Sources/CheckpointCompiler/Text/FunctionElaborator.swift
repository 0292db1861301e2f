// One function from syntax to IR: arguments, ops in their order, regions, calls.
//
// What names mean is in `ValueNames.swift`; attributes, first values and results are elaborated in files
// of their own.

/// Elaborates the body of one function.
struct FunctionElaborator {
  private let syntax: SyntaxFunction
  private let evaluator: CompileTimeEvaluator
  var builder: FunctionBuilder
  private var names = ValueNames()
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
        try elaborate(argument)
      } catch {
        fail(error, &module)
        names.poison([argument.name])
      }
    }
    elaborate(syntax.body, &module)
    if returned == nil, !failed {
      fail(
        Diagnostic("@\(syntax.name.text) does not end in 'return'", at: syntax.name.location),
        &module)
    }
    if !failed, let returned {
      do throws(Diagnostic) {
        try syntax.checkResults(returnedTypes, at: returned.location, evaluator)
      } catch {
        fail(error, &module)
      }
    }
  }

  private mutating func elaborate(_ argument: SyntaxArgument) throws(Diagnostic) {
    let type = try evaluator.type(argument.type)
    if argument.role == .input, argument.initializer != nil {
      throw Diagnostic(
        "%\(argument.name.text) is data of the step and has no first value; 'param', 'frozen' and "
          + "'state' have one", at: argument.name.location)
    }
    let initializer = try argument.initializer.map { e throws(Diagnostic) in
      try evaluator.initializer(e, of: type.dtype, at: argument.name.location)
    }
    try names.define(argument.name, nil)
    let value = builder.addArgument(
      name: argument.name.text, type: type, role: argument.role, initializer: initializer,
      location: argument.name.location)
    names.give(argument.name, value)
  }

  private mutating func fail(_ diagnostic: Diagnostic, _ module: inout Elaborator) {
    failed = true
    errorCount += 1
    module.diagnostics.append(diagnostic)
  }

  /// The value of a name; nil where it is poisoned.
  private func lookUp(_ name: SyntaxName) throws(Diagnostic) -> ValueID? {
    try names.lookUp(name, suggests: errorCount < Elaborator.suggestionsMax)
  }

  // MARK: Ops

  private mutating func elaborate(_ ops: [SyntaxOp], _ module: inout Elaborator) {
    for (index, op) in ops.enumerated() {
      if op.isBroken {
        failed = true
        names.poison(op.results)
        continue
      }
      do throws(Diagnostic) {
        try elaborate(op, isLast: index == ops.count - 1, &module)
      } catch {
        fail(error, &module)
        names.poison(op.results)
      }
    }
  }

  private mutating func elaborate(
    _ op: SyntaxOp, isLast: Bool, _ module: inout Elaborator
  ) throws(Diagnostic) {
    if op.name.text == "return" || op.name.text == "yield" {
      try elaborateEnd(op, isLast: isLast)
    } else if let condition = op.condition {
      try elaborateConditional(op, condition, &module)
    } else if let region = op.region {
      try defineResults(of: op, try elaborateRegion(op, region, &module))
    } else {
      try defineResults(of: op, try elaborateOp(op, &module))
    }
  }

  /// Takes a `return` or a `yield`; what is yielded is looked up by the op that owns the region.
  private mutating func elaborateEnd(_ op: SyntaxOp, isLast: Bool) throws(Diagnostic) {
    guard isLast else {
      throw Diagnostic("nothing may follow '\(op.name.text)'", at: op.name.location)
    }
    let isReturn = op.name.text == "return"
    guard isReturn != names.isInRegion else {
      throw Diagnostic(
        isReturn
          ? "'return' ends a function; a region ends in 'yield'"
          : "'yield' ends a region; a function ends in 'return'", at: op.name.location)
    }
    if isReturn, let values = try operandValues(op.operands) {
      returned = (values, op.name.location)
    }
  }

  private mutating func defineResults(
    of op: SyntaxOp, _ values: [ValueID]?
  ) throws(Diagnostic) {
    guard let values else {
      for result in op.results { try names.define(result, nil) }
      return
    }
    guard op.results.count == values.count else {
      let plural = values.count == 1 ? "result" : "results"
      throw Diagnostic(
        "'\(op.name.text)' has \(values.count) \(plural), not \(op.results.count)",
        at: op.results.first?.location ?? op.name.location)
    }
    for (result, value) in zip(op.results, values) {
      try names.define(result, value)
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
    names.openRegion()
    let errorCount = module.diagnostics.count
    let firstOwn = builder.function.values.count
    elaborate(branch, &module)
    var yielded: [ValueID]?
    var problem: Diagnostic?
    do { yielded = try operandValues(last.operands) } catch { problem = error }
    names.closeRegion()
    if let problem { throw problem }
    guard let yielded, module.diagnostics.count == errorCount, !last.isBroken else {
      for result in op.results { try names.define(result, nil) }
      return
    }
    guard yielded.count == op.results.count else {
      throw Diagnostic(
        "'if' has \(op.results.count) \(op.results.count == 1 ? "result" : "results"), but the branch "
          + "yields \(yielded.count)", at: op.name.location)
    }
    for (result, value) in zip(op.results, yielded) {
      try names.define(result, value)
      // What the branch only passes on keeps its name.
      if value.index >= firstOwn { builder.rename(value, to: result.text) }
    }
  }

  private mutating func elaborateRegion(
    _ op: SyntaxOp, _ ops: [SyntaxOp], _ module: inout Elaborator
  ) throws(Diagnostic) -> [ValueID]? {
    names.openRegion()
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
    names.closeRegion()
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
    var attributes = try evaluator.attributes(of: op, opcode, operandTypes, type)
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
        guard let (value, location) = names.definition(of: name.text) else { continue }
        notes.append(
          .note("%\(name.text) is \(builder.type(of: value)), defined here", at: location))
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

  // MARK: Results

  /// The function; nil after an error.
  func finished() -> Function? {
    guard !failed, let returned else { return nil }
    var builder = builder
    let names = returned.values.map { builder.function.values[$0].name }
    let results = syntax.results(ofValuesNamed: names, at: returned.location)
    return builder.finish(returning: returned.values, as: results, location: returned.location)
  }
}
