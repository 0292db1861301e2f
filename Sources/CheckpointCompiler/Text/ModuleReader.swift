// A text to a module: its functions and the layers that they call, elaborated, with an entry.

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
  let file = try sources.addToRead(name: name, text: text)
  let parser = Parser(file: file, in: sources)
  // Without one of the functions, calls of it would be errors of their own.
  guard parser.hasAllFunctions else { throw DiagnosticList(parser.diagnostics) }
  return try elaborated(
    parser.functions, entry: entry, file: file, layers: try layerLibrary(&sources),
    syntaxErrors: parser.diagnostics)
}

/// Elaborates the functions of a file together with the layers.
///
/// - Throws: The syntax errors of the file together with all others, in source order.
func elaborated(
  _ functions: [SyntaxFunction], entry: String?, file: Int32, layers: LayerLibrary,
  syntaxErrors: [Diagnostic] = []
) throws(DiagnosticList) -> Module {
  let elaborator = Elaborator(functions, layers: layers)
  guard syntaxErrors.isEmpty else {
    throw DiagnosticList(inSourceOrder(syntaxErrors + elaborator.diagnostics))
  }
  guard elaborator.diagnostics.isEmpty else { throw DiagnosticList(elaborator.diagnostics) }
  let candidates = functions.filter { !$0.isGeneric }.map(\.name.text)
  guard let entry = chosenEntry(entry, among: candidates, of: elaborator.functions) else {
    throw DiagnosticList([
      Diagnostic(
        noEntry(entry, among: candidates), at: SourceLocation(file: file, offset: 0))
    ])
  }
  let module = Module(functions: elaborator.functions, entryName: entry).reachable()
  let errors = module.functions.flatMap { verify($0, in: module) }
  guard errors.isEmpty else { throw DiagnosticList(errors) }
  if let error = module.sizeError() { throw DiagnosticList([error]) }
  return module
}

/// The errors by their places; those of one place in the order in which they were found.
private func inSourceOrder(_ errors: [Diagnostic]) -> [Diagnostic] {
  let order = errors.indices.sorted { a, b in
    let (first, second) = (errors[a].location, errors[b].location)
    return (first.file, first.offset, a) < (second.file, second.offset, b)
  }
  return order.map { errors[$0] }
}

/// The function to compile: the one asked for, or `@main`, or the only one that no other calls; nil
/// where there is none.
private func chosenEntry(
  _ asked: String?, among candidates: [String], of functions: [Function]
) -> String? {
  if let asked { return candidates.contains(asked) ? asked : nil }
  if candidates.contains("main") { return "main" }
  let called = Set(
    functions.flatMap { function in
      function.mentionedFunctions + (function.gradientFunction.map { [$0] } ?? [])
    })
  let roots = candidates.filter { !called.contains($0) }
  return roots.count == 1 ? roots[0] : nil
}

/// Why no entry was chosen.
private func noEntry(_ asked: String?, among candidates: [String]) -> String {
  let names = candidates.prefix(20).map { "@\($0)" }.joined(separator: ", ")
  let known =
    candidates.isEmpty
    ? "the file defines none that is not generic"
    : "the file defines \(names)\(candidates.count > 20 ? " and others" : "")"
  if let asked {
    return "no function @\(asked) to compile; \(known)" + suggestion(for: asked, among: candidates)
  }
  return candidates.isEmpty
    ? "no function to compile: \(known)"
    : "several functions could be compiled, name one '@main' or choose: \(names)"
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
