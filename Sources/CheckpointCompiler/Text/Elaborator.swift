// The syntax tree to functions: names get values, layers get shapes.
//
// Layers      A generic function is a pattern. Each call matches its operands against the pattern,
//             which binds dtypes, extents and packs, and elaborates one instance per distinct match;
//             instances are ordinary functions named `<layer>.<n>`.
// Errors      All errors of a file are found in one run: an op with an error defines poisoned
//             values, and what uses a poisoned value is silent.
// Depth       Calls nest at most `depthMax` deep; recursion is an error.

/// Turns parsed functions into a module.
struct Elaborator {
  static let depthMax = 64
  /// The number of errors after which similar names are looked for no longer: each takes a look at all
  /// names, and a file of so many errors is no misspelling.
  static let suggestionsMax = 20

  /// Functions by name; several of a name differ in the number of operands.
  private var declarations: [String: [SyntaxFunction]] = [:]
  private var instanceNames: [String: String] = [:]
  private var instanceCounts: [String: Int] = [:]
  private var callStack: [(key: String, name: String, arity: Int)] = []
  private(set) var functions: [Function] = []
  private var functionIndex: [String: Int] = [:]
  var diagnostics: [Diagnostic] = []

  /// Elaborates the functions of a file that are not generic, and the instances that they call.
  init(_ functions: [SyntaxFunction], layers: LayerLibrary) {
    for layers in layers.files { declare(layers) }
    declare(functions)
    for function in functions where !function.isGeneric { elaborate(function) }
  }

  /// Declares functions; those of a later call take the place of earlier ones of the same name.
  private mutating func declare(_ functions: [SyntaxFunction]) {
    var fresh: [String: [SyntaxFunction]] = [:]
    for function in functions {
      let name = function.name.text
      let same = fresh[name, default: []].first {
        $0.arguments.count == function.arguments.count || !($0.isGeneric && function.isGeneric)
      }
      if let same {
        diagnostics.append(
          Diagnostic(
            "@\(name) is defined twice with \(function.arguments.count) arguments",
            at: function.name.location,
            notes: [.note("@\(name) is defined here", at: same.name.location)]))
      } else {
        fresh[name, default: []].append(function)
      }
    }
    declarations.merge(fresh) { _, new in new }
  }

  /// Elaborates a function that is not generic, unless that has been done.
  private mutating func elaborate(_ syntax: SyntaxFunction) {
    guard functionIndex[syntax.name.text] == nil, instanceNames[syntax.name.text] == nil else {
      return
    }
    _ = instantiate(syntax, bindings: [:], key: syntax.name.text, name: syntax.name.text)
  }

  private func function(named name: String) -> Function? {
    functionIndex[name].map { functions[$0] }
  }

  private var layerNames: [String] { declarations.keys.sorted() }

  /// Whether errors are few enough to look for similar names.
  private var suggests: Bool { diagnostics.count < Elaborator.suggestionsMax }

  // MARK: Calls

  /// The instance of a function for a call; nil after an error.
  mutating func callee(
    _ name: SyntaxName, operandTypes: [TensorType], attributes: [SyntaxAttribute],
    evaluator: CompileTimeEvaluator
  ) throws(Diagnostic) -> Function? {
    guard let overloads = declarations[name.text] else {
      let known = suggests ? Opcode.allCases.map(\.name) + layerNames : []
      throw Diagnostic(
        "unknown op '\(name.text)'" + suggestion(for: name.text, among: known), at: name.location)
    }
    guard let syntax = overloads.first(where: { $0.arguments.count == operandTypes.count }) else {
      let counts = overloads.map { String($0.arguments.count) }.joined(separator: " or ")
      throw Diagnostic(
        "'\(name.text)' takes \(counts) operands, not \(operandTypes.count)", at: name.location,
        notes: [.note("'\(name.text)' is defined here", at: overloads[0].name.location)])
    }
    var given: [String: CompileTimeValue] = [:]
    for attribute in attributes {
      guard syntax.parameters.contains(where: { $0.name.text == attribute.name.text }) else {
        throw Diagnostic(
          "'\(name.text)' has no attribute '\(attribute.name.text)'"
            + suggestion(
              for: attribute.name.text, among: syntax.parameters.map(\.name.text)),
          at: attribute.name.location)
      }
      given[attribute.name.text] = try evaluator.evaluate(attribute.value)
    }
    return try instance(of: syntax, for: name, operandTypes: operandTypes, attributes: given)
  }

  /// The function that an attribute names: it is not generic, and has its name for itself. Nil after
  /// an error.
  mutating func namedFunction(_ name: SyntaxName) throws(Diagnostic) -> Function? {
    let overloads = declarations[name.text] ?? []
    guard let syntax = overloads.first else {
      throw Diagnostic(
        "no function @\(name.text)" + suggestion(for: name.text, among: suggests ? layerNames : []),
        at: name.location)
    }
    guard overloads.count == 1, !syntax.isGeneric else {
      throw Diagnostic(
        "an attribute names a function of fixed types, and @\(name.text) is "
          + (overloads.count > 1 ? "several" : "generic"),
        at: name.location, notes: [.note("@\(name.text) is defined here", at: syntax.name.location)]
      )
    }
    let evaluator = CompileTimeEvaluator()
    let types = try syntax.arguments.map { a throws(Diagnostic) in try evaluator.type(a.type) }
    return try instance(of: syntax, for: name, operandTypes: types, attributes: [:])
  }

  private mutating func instance(
    of syntax: SyntaxFunction, for name: SyntaxName, operandTypes: [TensorType],
    attributes: [String: CompileTimeValue]
  ) throws(Diagnostic) -> Function? {
    let declared = Diagnostic.note("'\(name.text)' is defined here", at: syntax.name.location)
    let bindings = try syntax.bindings(
      for: operandTypes, attributes: attributes, at: name, declared: declared)
    var key = name.text
    if syntax.isGeneric {
      key += "(\(operandTypes.map(\.description).joined(separator: " ")))"
      for parameter in syntax.parameters {
        key += " \(parameter.name.text)=\(bindings[parameter.name.text]!)"
      }
    }
    // One overload of a name may call another.
    let cycle = callStack.firstIndex {
      $0.key == key || $0.name == name.text && $0.arity == operandTypes.count
    }
    if let cycle {
      let names = callStack[cycle...].map { "@\($0.name)" } + ["@\(name.text)"]
      throw Diagnostic(
        "recursive call: \(names.joined(separator: " calls "))", at: name.location,
        notes: [declared])
    }
    if let existing = instanceNames[key] {
      // Its errors have been reported where it was first elaborated.
      return function(named: existing)
    }
    guard callStack.count < Elaborator.depthMax else {
      throw Diagnostic(
        "calls nest more than \(Elaborator.depthMax) deep", at: name.location)
    }
    var instanceName = name.text
    if syntax.isGeneric {
      repeat {
        instanceCounts[name.text, default: 0] += 1
        instanceName = "\(name.text).\(instanceCounts[name.text]!)"
      } while declarations[instanceName] != nil
    }
    let errorCount = diagnostics.count
    let result = instantiate(syntax, bindings: bindings, key: key, name: instanceName)
    if result == nil, diagnostics.count > errorCount, syntax.isGeneric {
      let types = operandTypes.map(\.description).joined(separator: ", ")
      diagnostics[diagnostics.count - 1].notes.append(
        .note("in '\(name.text)' of \(types), called here", at: name.location))
    }
    return result
  }

  /// Elaborates one instance and adds it to the module; nil after an error.
  private mutating func instantiate(
    _ syntax: SyntaxFunction, bindings: [String: CompileTimeValue], key: String, name: String
  ) -> Function? {
    instanceNames[key] = name
    callStack.append((key, syntax.name.text, syntax.arguments.count))
    defer { callStack.removeLast() }
    let errorCount = diagnostics.count
    var body = FunctionElaborator(
      syntax: syntax, name: name, evaluator: CompileTimeEvaluator(bindings: bindings))
    body.run(&self)
    guard diagnostics.count == errorCount else { return nil }
    if let gradient = syntax.gradient {
      do {
        body.builder.setGradientFunction(
          try gradientInstance(gradient, of: syntax, body, bindings: bindings))
      } catch {
        diagnostics.append(error)
        return nil
      }
    }
    guard let function = body.finished() else { return nil }
    functionIndex[name] = functions.count
    functions.append(function)
    return function
  }

  /// The instance of a gradient function: it takes the operands, the results and the gradients of
  /// the results, and gives a gradient for every floating-point operand.
  private mutating func gradientInstance(
    _ gradient: SyntaxName, of syntax: SyntaxFunction, _ body: FunctionElaborator,
    bindings: [String: CompileTimeValue]
  ) throws(Diagnostic) -> String? {
    let operands = body.argumentTypes
    let results = body.returnedTypes
    let types = operands + results + results
    guard
      let rule = declarations[gradient.text]?.first(where: { $0.arguments.count == types.count })
    else {
      throw Diagnostic(
        "no function @\(gradient.text) of \(types.count) arguments (operands, results, gradients)",
        at: gradient.location)
    }
    var attributes: [String: CompileTimeValue] = [:]
    for parameter in rule.parameters {
      attributes[parameter.name.text] = bindings[parameter.name.text]
    }
    guard
      let function = try instance(
        of: rule, for: gradient, operandTypes: types, attributes: attributes)
    else { return nil }
    let expected = operands.filter(\.dtype.isFloatingPoint)
    guard function.resultTypes == expected else {
      throw Diagnostic(
        "@\(gradient.text) gives \(function.resultTypes.map(\.description)), not "
          + "\(expected.map(\.description)), a gradient for every floating-point operand",
        at: gradient.location)
    }
    return function.name
  }
}
