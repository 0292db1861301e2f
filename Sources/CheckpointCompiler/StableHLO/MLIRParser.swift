// The parser of MLIR text that holds StableHLO: modules, functions, ops in the generic form.
//
// Method      Recursive descent over bytes. Ops are in `MLIROperationParser.swift` and, in forms of their
//             own, in `MLIRPrettyForms.swift`; attributes, types and locations in
//             `MLIRAttributeParser.swift`. All come out in the generic form.
// Errors      An op with an error is reported and skipped, with what it owns; parsing goes on at the
//             next one. At most `errorCountMax` errors are collected.
// Invariants  Brackets and regions nest at most `depthMax` deep, so that the stack is bounded.
// Cost        O(bytes).

/// Reads the text of one module.
struct MLIRParser {
  static let depthMax = 100
  static let errorCountMax = 20

  var scanner: MLIRScanner
  var module = MLIRModule()
  var diagnostics: [Diagnostic] = []
  /// `#name = …` that are no locations.
  var attributeAliases: [String: MLIRAttribute] = [:]
  var typeAliases: [String: MLIRType] = [:]
  private var depth = 0

  init(text: [UInt8], file: Int32) {
    scanner = MLIRScanner(text: text, file: file)
    module.text = text
    module.file = file
    run()
  }

  /// Runs a part of the grammar that may hold itself.
  mutating func nested<T>(
    _ body: (inout MLIRParser) throws(Diagnostic) -> T
  ) throws(Diagnostic) -> T {
    guard depth < MLIRParser.depthMax else {
      throw Diagnostic(
        "brackets and regions nest more than \(MLIRParser.depthMax) deep",
        at: scanner.location(from: scanner.position, to: scanner.position + 1))
    }
    depth += 1
    defer { depth -= 1 }
    return try body(&self)
  }

  private var isFull: Bool { diagnostics.count >= MLIRParser.errorCountMax }

  // MARK: The file

  private mutating func run() {
    var moduleCount = 0
    while !isFull {
      let next = scanner.peek()
      if scanner.isAtEnd { break }
      let start = scanner.position
      do throws(Diagnostic) {
        switch next {
        case UInt8(ascii: "#"): try attributeAlias()
        case UInt8(ascii: "!"): try typeAlias()
        case UInt8(ascii: "{"): try resources()
        default:
          if scanner.accept(word: "module") || scanner.accept(word: "builtin.module") {
            moduleCount += 1
            guard moduleCount == 1 else {
              throw Diagnostic(
                "a second module; one is expected", at: scanner.location(from: start))
            }
            try moduleBody()
          } else {
            try moduleOp()
          }
        }
      } catch {
        report(error)
      }
    }
    if diagnostics.isEmpty, module.functions.isEmpty {
      diagnostics.append(
        Diagnostic(
          "no function: StableHLO text holds 'func.func'",
          at: scanner.location(from: 0, to: 1)))
    }
  }

  private mutating func moduleBody() throws(Diagnostic) {
    if scanner.peek() == UInt8(ascii: "@") { module.name = try scanner.symbol() }
    if scanner.accept(word: "attributes") { module.attributes = try dictionary() }
    let opening = scanner.position
    try scanner.expect("{")
    while !isFull, scanner.peek() != UInt8(ascii: "}") {
      guard !scanner.isAtEnd else {
        throw Diagnostic(
          "the module is never closed", at: scanner.location(from: opening, to: opening + 1))
      }
      do throws(Diagnostic) { try moduleOp() } catch { report(error) }
    }
    guard !isFull else { return }
    try scanner.expect("}")
    _ = try optionalLocation()
  }

  /// A function, or another op of a module.
  private mutating func moduleOp() throws(Diagnostic) {
    if scanner.accept(word: "func.func") || scanner.accept(word: "func") {
      module.append(try function())
      return
    }
    let op = try operation()
    switch op.name {
    case "builtin.module":
      if case .string(let name)? = op["sym_name"] { module.name = name }
      for inner in op.regions.first?.body ?? [] { try add(genericOp: inner) }
    default: try add(genericOp: op)
    }
  }

  /// An op of a module in the generic form.
  private mutating func add(genericOp op: MLIROperation) throws(Diagnostic) {
    guard op.name == "func.func" else {
      module.otherOps.append(op)
      return
    }
    guard case .string(let name)? = op["sym_name"], let region = op.regions.first else {
      throw Diagnostic("'func.func' needs a 'sym_name' and a region", at: op.location)
    }
    var function = MLIRFunction(name: name, location: op.location)
    function.isPrivate = op["sym_visibility"]?.string == "private"
    function.arguments = region.arguments
    function.body = region.body
    if case .list(let entries)? = op["arg_attrs"], entries.count == function.arguments.count {
      for (index, entry) in entries.enumerated() {
        if case .record(let attributes) = entry {
          function.arguments[index].attributes = attributes
        }
      }
    }
    function.results = (region.body.last?.operandTypes ?? []).map {
      MLIRResult(type: $0, location: op.location)
    }
    if case .list(let entries)? = op["res_attrs"], entries.count == function.results.count {
      for (index, entry) in entries.enumerated() {
        if case .record(let attributes) = entry { function.results[index].attributes = attributes }
      }
    }
    module.append(function)
  }

  // MARK: Functions

  private mutating func function() throws(Diagnostic) -> MLIRFunction {
    var isPrivate = false
    if scanner.accept(word: "private") {
      isPrivate = true
    } else if !scanner.accept(word: "public") {
      _ = scanner.accept(word: "nested")
    }
    _ = scanner.peek()
    let start = scanner.position
    var function = MLIRFunction(
      name: try scanner.symbol(), location: scanner.location(from: start))
    function.isPrivate = isPrivate
    try scanner.expect("(")
    if !scanner.accept(")") {
      repeat { function.arguments.append(try argument()) } while scanner.accept(",")
      try scanner.expect(")")
    }
    if scanner.accept(mark: "->") {
      if scanner.accept("(") {
        if !scanner.accept(")") {
          repeat {
            function.results.append(try result(mayHaveAttributes: true))
          } while scanner.accept(",")
          try scanner.expect(")")
        }
      } else {
        function.results = [try result(mayHaveAttributes: false)]
      }
    }
    if scanner.accept(word: "attributes") { _ = try dictionary() }
    if scanner.peek() == UInt8(ascii: "{") {
      function.body = try nested { parser throws(Diagnostic) in try parser.region().body }
    }
    _ = try optionalLocation()
    return function
  }

  private mutating func result(mayHaveAttributes: Bool) throws(Diagnostic) -> MLIRResult {
    _ = scanner.peek()
    let start = scanner.position
    var result = MLIRResult(type: try type(), location: scanner.location(from: start))
    // Without parentheses, a brace opens the body.
    if mayHaveAttributes, scanner.peek() == UInt8(ascii: "{") {
      result.attributes = try dictionary()
    }
    return result
  }

  /// `%name: type {attributes} loc(…)`; declarations write types only.
  mutating func argument() throws(Diagnostic) -> MLIRArgument {
    let isNamed = scanner.peek() == UInt8(ascii: "%")
    let start = scanner.position
    let name = isNamed ? try scanner.name(after: "%", "an argument") : ""
    let location = scanner.location(from: start)
    if isNamed { try scanner.expect(":") }
    var argument = MLIRArgument(name: name, type: try type(), location: location)
    if scanner.peek() == UInt8(ascii: "{") { argument.attributes = try dictionary() }
    argument.debugLocation = try optionalLocation()
    return argument
  }

  // MARK: Regions

  /// `{ … }`, with the arguments of its block where they are written.
  mutating func region() throws(Diagnostic) -> MLIRRegion {
    _ = scanner.peek()
    let opening = scanner.position
    try scanner.expect("{")
    var region = MLIRRegion()
    if scanner.peek() == UInt8(ascii: "^") {
      _ = try scanner.name(after: "^", "a block")
      if scanner.accept("("), !scanner.accept(")") {
        repeat { region.arguments.append(try argument()) } while scanner.accept(",")
        try scanner.expect(")")
      }
      try scanner.expect(":")
    }
    while !isFull {
      let next = scanner.peek()
      if next == UInt8(ascii: "}") { break }
      guard !scanner.isAtEnd else {
        throw Diagnostic(
          "this region is never closed", at: scanner.location(from: opening, to: opening + 1))
      }
      do throws(Diagnostic) {
        if next == UInt8(ascii: "^") {
          throw Diagnostic(
            "a region of several blocks is not supported",
            at: scanner.location(from: scanner.position, to: scanner.position + 1))
        }
        region.body.append(try operation())
      } catch {
        report(error)
      }
    }
    if !isFull { try scanner.expect("}") }
    return region
  }

  /// Notes an error and goes on behind the line, and behind the regions that the line opens.
  private mutating func report(_ error: Diagnostic) {
    if !isFull { diagnostics.append(error) }
    let text = scanner.text
    var position = scanner.position
    var depth = 0
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "}"):
        if depth == 0 {
          // A brace where an op should begin closes nothing that is known here.
          scanner.move(
            to: position == scanner.position && self.depth == 0 ? position + 1 : position)
          return
        }
        depth -= 1
      case 10 where depth == 0:
        scanner.move(to: position)
        return
      case UInt8(ascii: "\""):
        position += 1
        while position < text.count, text[position] != UInt8(ascii: "\""), text[position] != 10 {
          position += text[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        if position < text.count, text[position] == 10 { continue }
      default: break
      }
      position += 1
    }
    scanner.move(to: text.count)
  }
}

/// Parses StableHLO text.
///
/// - Parameters:
///   - text: The text as MLIR prints it.
///   - name: The name shown in diagnostics.
///   - sources: The text is added to it, so that diagnostics can be rendered.
/// - Returns: The syntax tree; no name has been looked up, no type checked.
/// - Throws: Every error that was found, in source order.
/// - Complexity: O(bytes).
public func parseStableHLO(
  _ text: [UInt8], name: String, sources: inout SourceMap
) throws(DiagnosticList) -> MLIRModule {
  let file = try sources.addToRead(name: name, text: text)
  let parser = MLIRParser(text: text, file: file)
  guard parser.diagnostics.isEmpty else { throw DiagnosticList(parser.diagnostics) }
  return parser.module
}
