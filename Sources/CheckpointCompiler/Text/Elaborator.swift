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
  private(set) var functionIndex: [String: Int] = [:]
  var diagnostics: [Diagnostic] = []

  /// Declares functions; those of a later call take the place of earlier ones of the same name.
  mutating func declare(_ functions: [SyntaxFunction]) {
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
  mutating func elaborate(_ syntax: SyntaxFunction) {
    guard functionIndex[syntax.name.text] == nil, instanceNames[syntax.name.text] == nil else {
      return
    }
    _ = instantiate(syntax, bindings: [:], key: syntax.name.text, name: syntax.name.text)
  }

  func function(named name: String) -> Function? { functionIndex[name].map { functions[$0] } }

  var layerNames: [String] { declarations.keys.sorted() }

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
    let bindings = try match(
      syntax, operandTypes, attributes: attributes, at: name, declared: declared)
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

  /// Binds the generic parameters and attributes of a function for a call.
  private func match(
    _ syntax: SyntaxFunction, _ types: [TensorType], attributes: [String: CompileTimeValue],
    at name: SyntaxName, declared: Diagnostic
  ) throws(Diagnostic) -> [String: CompileTimeValue] {
    var kinds: [String: SyntaxGeneric.Kind] = [:]
    for generic in syntax.generics { kinds[generic.name.text] = generic.kind }
    var bindings: [String: CompileTimeValue] = [:]
    for (argument, type) in zip(syntax.arguments, types) {
      bind(argument.type, to: type, kinds: kinds, &bindings)
    }
    for generic in syntax.generics where bindings[generic.name.text] == nil {
      throw Diagnostic(
        "'\(name.text)' of \(types.map(\.description).joined(separator: ", ")) does not fit its "
          + "arguments: nothing tells '\(generic.name.text)'",
        at: name.location, notes: [declared])
    }
    var evaluator = CompileTimeEvaluator(bindings: bindings)
    for parameter in syntax.parameters {
      if let given = attributes[parameter.name.text] {
        evaluator.bindings[parameter.name.text] = given
      } else if let defaultValue = parameter.defaultValue {
        evaluator.bindings[parameter.name.text] = try evaluator.evaluate(defaultValue)
      } else {
        throw Diagnostic(
          "'\(name.text)' needs the attribute '\(parameter.name.text)'", at: name.location,
          notes: [declared])
      }
    }
    for (argument, type) in zip(syntax.arguments, types) {
      let expected = try evaluator.type(argument.type)
      guard expected == type else {
        throw Diagnostic(
          "'\(name.text)' takes %\(argument.name.text): \(expected), not \(type)",
          at: name.location, notes: [declared])
      }
    }
    return evaluator.bindings
  }

  /// Binds the unbound names of a pattern, as far as the type reaches; mismatches show afterwards,
  /// when the pattern is evaluated.
  private func bind(
    _ pattern: SyntaxType, to type: TensorType, kinds: [String: SyntaxGeneric.Kind],
    _ bindings: inout [String: CompileTimeValue]
  ) {
    if kinds[pattern.dtype.text] == .dtype, bindings[pattern.dtype.text] == nil {
      bindings[pattern.dtype.text] = .dtype(type.dtype)
    }
    func bindOne(_ element: SyntaxExpression, _ extent: Int) {
      if case .name(let name) = element, kinds[name.text] == .extent, bindings[name.text] == nil {
        bindings[name.text] = .int(extent)
      }
    }
    let packPlace = pattern.dims.firstIndex { if case .expansion = $0 { true } else { false } }
    guard let packPlace, case .expansion(let pack) = pattern.dims[packPlace] else {
      for (element, extent) in zip(pattern.dims, type.shape) { bindOne(element, extent) }
      return
    }
    let suffix = pattern.dims.count - packPlace - 1
    guard type.rank >= packPlace + suffix else { return }
    for axis in 0..<packPlace { bindOne(pattern.dims[axis], type.shape[axis]) }
    for axis in 0..<suffix {
      bindOne(pattern.dims[packPlace + 1 + axis], type.shape[type.rank - suffix + axis])
    }
    if kinds[pack.text] == .pack, bindings[pack.text] == nil {
      bindings[pack.text] = .pack(Array(type.shape[packPlace..<type.rank - suffix]))
    }
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

/// Parses a text and elaborates it together with the layers.
///
/// - Parameters:
///   - text: UTF-8 text of the IR.
///   - name: The name shown in diagnostics.
///   - sources: The text and the layers are added to it, so that diagnostics can be rendered.
///   - entry: The function to compile; by default `@main`, or the only one that no other calls.
/// - Returns: The entry function and every function that it calls, callees first.
/// - Throws: Every error of the text, in source order.
/// - Complexity: O(bytes), apart from the instances of layers.
public func parseModule(
  _ text: [UInt8], name: String, sources: inout SourceMap, entry: String? = nil
) throws(DiagnosticList) -> Module {
  let file = sources.add(name: name, text: text)
  guard text.count < Int(Int32.max) else {
    throw DiagnosticList([Diagnostic("'\(name)' is larger than 2 GiB")])
  }
  let parser = Parser(file: file, in: sources)
  // Without one of the functions, calls of it would be errors of their own.
  guard parser.hasAllFunctions else { throw DiagnosticList(parser.diagnostics) }
  return try elaborated(
    parser.functions, entry: entry, file: file, layers: try layerLibrary(&sources),
    syntaxErrors: parser.diagnostics)
}

/// The layers as syntax.
struct LayerLibrary {
  fileprivate(set) var files: [[SyntaxFunction]] = []

  /// Whether there is a layer of that name.
  func has(_ name: String) -> Bool {
    files.contains { $0.contains { $0.name.text == name } }
  }

  /// The names of the given layers and of all that they call or name as their gradient.
  func needed(for names: Set<String>) -> Set<String> {
    var needed: Set<String> = []
    var waiting = Array(names)
    while let name = waiting.popLast() {
      for function in files.joined() where function.name.text == name {
        guard needed.insert(name).inserted || function.isGeneric else { continue }
        var bodies = [function.body]
        while let body = bodies.popLast() {
          for op in body {
            let callee = (op.callee ?? op.name).text
            if !needed.contains(callee) { waiting.append(callee) }
            bodies += [op.region ?? [], op.otherwise].filter { !$0.isEmpty }
          }
        }
        if let gradient = function.gradient?.text, !needed.contains(gradient) {
          waiting.append(gradient)
        }
      }
    }
    return needed
  }
}

/// Parses the layers; their texts are added to the sources.
func layerLibrary(_ sources: inout SourceMap) throws(DiagnosticList) -> LayerLibrary {
  var library = LayerLibrary()
  for (name, text) in Prelude.files {
    let parser = Parser(file: sources.add(name: name, text: Array(text.utf8)), in: sources)
    guard parser.diagnostics.isEmpty else { throw DiagnosticList(parser.diagnostics) }
    library.files.append(parser.functions)
  }
  return library
}

/// Elaborates the functions of a file together with the layers.
///
/// - Throws: The syntax errors of the file together with all others, in source order.
func elaborated(
  _ functions: [SyntaxFunction], entry: String?, file: Int32, layers: LayerLibrary,
  syntaxErrors: [Diagnostic] = []
) throws(DiagnosticList) -> Module {
  var elaborator = Elaborator()
  for functions in layers.files { elaborator.declare(functions) }
  elaborator.declare(functions)
  for function in functions where !function.isGeneric { elaborator.elaborate(function) }
  guard syntaxErrors.isEmpty else {
    let errors = syntaxErrors + elaborator.diagnostics
    let order = errors.indices.sorted { a, b in
      let (first, second) = (errors[a].location, errors[b].location)
      return (first.file, first.offset, a) < (second.file, second.offset, b)
    }
    throw DiagnosticList(order.map { errors[$0] })
  }
  let candidates = functions.filter { !$0.isGeneric }.map(\.name.text)
  let start = SourceLocation(file: file, offset: 0)
  if elaborator.diagnostics.isEmpty {
    let called = Set(
      elaborator.functions.flatMap { function in
        function.mentionedFunctions + (function.gradientFunction.map { [$0] } ?? [])
      })
    let roots = candidates.filter { !called.contains($0) }
    let chosen = entry ?? (candidates.contains("main") ? "main" : roots.count == 1 ? roots[0] : nil)
    if let chosen, candidates.contains(chosen) {
      let module = Module(functions: elaborator.functions, entryName: chosen).reachable()
      let errors = module.functions.flatMap { verify($0, in: module) }
      guard errors.isEmpty else { throw DiagnosticList(errors) }
      if let error = module.sizeError() { throw DiagnosticList([error]) }
      return module
    }
    let names = candidates.prefix(20).map { "@\($0)" }.joined(separator: ", ")
    let known =
      candidates.isEmpty
      ? "the file defines none that is not generic"
      : "the file defines \(names)\(candidates.count > 20 ? " and others" : "")"
    elaborator.diagnostics.append(
      Diagnostic(
        entry.map {
          "no function @\($0) to compile; \(known)" + suggestion(for: $0, among: candidates)
        }
          ?? (candidates.isEmpty
            ? "no function to compile: \(known)"
            : "several functions could be compiled, name one '@main' or choose: \(names)"),
        at: start))
  }
  throw DiagnosticList(elaborator.diagnostics)
}

extension Module {
  /// The module without functions that the entry does not need.
  func reachable() -> Module {
    var needed: Set<String> = [entryName]
    for function in functions.reversed() where needed.contains(function.name) {
      needed.formUnion(function.mentionedFunctions)
      if let gradient = function.gradientFunction { needed.insert(gradient) }
    }
    return Module(
      functions: functions.filter { needed.contains($0.name) }, entryName: entryName)
  }
}
