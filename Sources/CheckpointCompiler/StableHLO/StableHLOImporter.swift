// What the functions of one import share: names of functions, types, errors, and what is still to do.

/// Collects the functions of a module of the IR.
final class StableHLOImporter {
  let module: MLIRModule
  let keepsChecks: Bool
  private(set) var functions: [SyntaxFunction] = []
  private(set) var diagnostics: [Diagnostic] = []
  var checks: [StableHLOCheck] = []
  /// The names in the IR of the functions of the text that are called.
  private var importedNames: [String: String] = [:]
  private var usedNames: Set<String>
  private var nameUses: [String: Int] = [:]
  /// The functions that are called and not imported yet.
  private var waiting: [MLIRFunction] = []
  private var sortFunctions: [String: String] = [:]

  init(module: MLIRModule, keepsChecks: Bool, layers: LayerLibrary) {
    self.module = module
    self.keepsChecks = keepsChecks
    // A function of the text must not take the place of a layer that its ops are imported as.
    usedNames = layers.needed(
      for: StableHLOFunctionImporter.chloNames.union(["threefry", "philox"]))
  }

  func report(_ diagnostic: Diagnostic) { diagnostics.append(diagnostic) }

  func add(_ function: SyntaxFunction) { functions.append(function) }

  // MARK: Functions

  /// A name that no function has.
  func freshFunctionName(_ base: String) -> String {
    let base = base.isEmpty ? "function" : base
    var candidate = base
    while !usedNames.insert(candidate).inserted {
      // Counting goes on where it stopped: a function may have thousands of loops.
      nameUses[base, default: 0] += 1
      candidate = "\(base).\(nameUses[base]!)"
    }
    return candidate
  }

  /// The name in the IR of a function that an op calls.
  func functionName(of callee: String, _ op: MLIROperation) throws(Diagnostic) -> String {
    if let name = importedNames[callee] { return name }
    guard let function = module[callee] else {
      throw Diagnostic(
        "no function @\(callee)" + suggestion(for: callee, among: module.functions.map(\.name)),
        at: op.location)
    }
    let name = freshFunctionName(StableHLONames.sanitized(callee))
    importedNames[callee] = name
    waiting.append(function)
    return name
  }

  /// Imports the functions that are called, and those that these call.
  func importCallees() {
    while let function = waiting.popLast() {
      let name = importedNames[function.name]!
      var importer = StableHLOFunctionImporter(context: self, functionName: name)
      var syntax = SyntaxFunction(name: SyntaxName(text: name, location: function.location))
      guard importer.addArguments(of: function, to: &syntax) else { continue }
      guard
        let returned = importer.importBody(
          function.body, of: "@\(function.name)", at: function.location),
        check(returned, of: function)
      else { continue }
      syntax.body = importer.finished(returning: returned, at: function.location)
      add(syntax)
    }
  }

  /// Whether a function returns what its head says.
  private func check(_ returned: [ImportedValue], of function: MLIRFunction) -> Bool {
    guard returned.count == function.results.count else {
      report(
        Diagnostic(
          "@\(function.name) has \(function.results.count) results, but returns \(returned.count)",
          at: function.location))
      return false
    }
    var isRight = true
    for (result, value) in zip(function.results, returned) {
      do throws(Diagnostic) {
        let written = try tensorType(result.type, at: result.location)
        guard written != value.type else { continue }
        throw Diagnostic(
          "a result of @\(function.name) is written as \(written), but \(value.type) is returned",
          at: result.location)
      } catch {
        report(error)
        isRight = false
      }
    }
    return isRight
  }

  /// Imports the function that is compiled.
  ///
  /// - Returns: Its name in the IR.
  func importEntry(_ function: MLIRFunction, roles: GraphRoles) -> String {
    let name = freshFunctionName(StableHLONames.sanitized(function.name))
    importedNames[function.name] = name
    var importer = StableHLOFunctionImporter(context: self, functionName: name)
    importer.keepsChecks = keepsChecks
    var syntax = SyntaxFunction(name: SyntaxName(text: name, location: function.location))
    guard importer.addArguments(of: function, to: &syntax) else { return name }
    guard
      var returned = importer.importBody(
        function.body, of: "@\(function.name)", at: function.location),
      check(returned, of: function)
    else { return name }
    var entry = StableHLOEntry(function: function, syntax: syntax, returned: returned)
    do throws(Diagnostic) {
      try entry.assignRoles(roles)
    } catch {
      report(error)
      return name
    }
    syntax = entry.syntax
    for (check, values) in importer.checks {
      var check = check
      check.actual = returned.count
      check.expected = returned.count + 1
      checks.append(check)
      for (value, side) in zip(values, ["actual", "expected"]) {
        returned.append(value)
        syntax.results?.append(
          SyntaxResult(
            role: .output,
            name: SyntaxName(text: "check\(checks.count - 1).\(side)", location: check.location),
            type: StableHLOImporter.syntax(value.type, at: check.location)))
      }
    }
    syntax.body = importer.finished(returning: returned, at: function.location)
    add(syntax)
    return name
  }

  /// A comparator of pairs of an element and its place: larger elements first.
  func largerFirst(_ dtype: DType, _ index: DType, at place: SourceLocation) -> String {
    let key = "\(dtype.name) \(index.name)"
    if let name = sortFunctions[key] { return name }
    let name = freshFunctionName("larger.first.\(dtype.name)")
    sortFunctions[key] = name
    var importer = StableHLOFunctionImporter(context: self, functionName: name)
    var syntax = SyntaxFunction(name: SyntaxName(text: name, location: place))
    for (argument, dtype) in [("a", dtype), ("b", dtype), ("i", index), ("j", index)] {
      importer.addArgument(
        argument, called: argument, type: TensorType(dtype), at: place, to: &syntax)
    }
    var attributes = [("direction", SyntaxExpression.word("gt", at: place))]
    if dtype.isFloatingPoint { attributes.append(("order", .word("total", at: place))) }
    let result = importer.appendOne(
      "compare",
      [
        ImportedValue(name: "a", type: TensorType(dtype)),
        ImportedValue(name: "b", type: TensorType(dtype)),
      ], attributes, type: TensorType(.i1), at: place)
    syntax.body = importer.finished(returning: [result], at: place)
    add(syntax)
    return name
  }

  // MARK: Types

  /// A type of StableHLO in the IR.
  func tensorType(_ type: MLIRType, at place: SourceLocation) throws(Diagnostic) -> TensorType {
    if let problem = StableHLOSupport.problem(with: type) { throw Diagnostic(problem, at: place) }
    guard case .tensor(let shape, let element) = type,
      let dtype = DType(name: StableHLOSupport.spelling(element))
    else { throw Diagnostic("the type \(type) is not supported", at: place) }
    return TensorType(dtype, shape)
  }

  /// A type as it is written in the IR.
  static func syntax(_ type: TensorType, at place: SourceLocation) -> SyntaxType {
    SyntaxType(
      dtype: SyntaxName(text: type.dtype.name, location: place),
      dims: type.shape.map { .int($0) }, location: place)
  }
}

extension StableHLOFunctionImporter {
  /// Adds the arguments of a function; false after an error.
  mutating func addArguments(
    of function: MLIRFunction, to syntax: inout SyntaxFunction
  ) -> Bool {
    for (index, argument) in function.arguments.enumerated() {
      do throws(Diagnostic) {
        try declare(argument.name, at: argument.location)
        let type = try context.tensorType(argument.type, at: argument.location)
        let path = context.module.name(of: argument.debugLocation) ?? argument.name
        var called = StableHLONames.sanitized(path)
        if !called.utf8.contains(where: { $0 < 48 || $0 > 57 }) { called = "arg\(index)" }
        addArgument(argument.name, called: called, type: type, at: argument.location, to: &syntax)
      } catch {
        context.report(error)
        return false
      }
    }
    return true
  }

  /// Whether an op is a check, which is then noted.
  mutating func importCheck(_ op: MLIROperation) throws(Diagnostic) -> Bool {
    guard op.name == "stablehlo.custom_call", let target = op["call_target_name"] else {
      return false
    }
    let name = target.symbol ?? target.string ?? ""
    guard keepsChecks, name.hasPrefix("check.") else { return false }
    try require(op.operands.count == 2, op, "compares two values")
    guard let operands = try operands(of: op) else { return true }
    let check = StableHLOCheck(
      kind: String(name.dropFirst(6)), actual: 0, expected: 0, attributes: op.attributes,
      location: op.location)
    checks.append((check, operands))
    return true
  }
}
