// The layers as syntax, and which of them a text needs.

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
