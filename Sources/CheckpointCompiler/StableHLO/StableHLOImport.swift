// StableHLO to a module of the IR.
//
//   text ─ parse ─▶ MLIRModule ─ list what is not supported ─▶ import ─▶ syntax of the IR ─ elaborate ─▶ Module
//
// Method      Functions become functions, and calls stay calls; regions become functions of their own. The
//             result is syntax of the IR, which is elaborated like a text that somebody wrote: ops that the
//             op table lacks may be layers, and every type is checked, with the places of the StableHLO text.
// Dissolved   `optimization_barrier`: a barrier keeps a recomputation that its framework has chosen, and
//             here the planner chooses. Ops of dynamic shape whose shapes are constants.
// Errors      All that is not supported is listed before anything is imported.

/// What the arguments and results of a graph are to the training step, by name or position.
public struct GraphRoles: Sendable, Hashable {
  /// The result that training minimizes.
  public var loss: String?
  /// The arguments that are trained: names, names that end in `*`, positions, and ranges such as `0-7`.
  public var parameters: [String]
  /// Arguments carried from step to step and the results that are their next values: `ARGUMENT=RESULT`,
  /// ranges on both sides.
  public var state: [String]

  /// No roles but those that the text tells.
  public init(loss: String? = nil, parameters: [String] = [], state: [String] = []) {
    self.loss = loss
    self.parameters = parameters
    self.state = state
  }

  /// Whether none is given.
  public var isEmpty: Bool { loss == nil && parameters.isEmpty && state.isEmpty }
}

/// How to import StableHLO.
public struct StableHLOOptions: Sendable {
  /// The function to compile; by default `@main`, or the only one that is not private.
  public var entry: String?
  /// Roles beyond those that the text tells.
  public var roles: GraphRoles
  /// Whether `custom_call @check.expect_…` of the entry become further results instead of errors.
  public var keepsChecks: Bool

  /// Options.
  public init(
    entry: String? = nil, roles: GraphRoles = GraphRoles(), keepsChecks: Bool = false
  ) {
    self.entry = entry
    self.roles = roles
    self.keepsChecks = keepsChecks
  }
}

/// A comparison that a test program asks for.
public struct StableHLOCheck: Sendable {
  /// What stands behind `check.`, such as `expect_close`.
  public var kind: String
  /// The result of the entry that is compared.
  public var actual: Int
  /// The result of the entry that it is compared with.
  public var expected: Int
  /// The attributes of the call, such as tolerances.
  public var attributes: [MLIRNamedAttribute]
  /// Where it stands.
  public var location: SourceLocation
}

/// StableHLO as a module of the IR.
public struct ImportedStableHLO: Sendable {
  /// The functions.
  public var module: Module
  /// The comparisons, where the options keep them.
  public var checks: [StableHLOCheck]
}

/// Imports a module.
///
/// - Parameters:
///   - syntax: What `parseStableHLO` gave.
///   - options: The entry and its roles.
///   - sources: The texts; the layers are added.
/// - Returns: The module, verified, and the checks that the options keep.
/// - Throws: Everything that is not supported, or every other error, in source order.
public func importStableHLO(
  _ syntax: MLIRModule, options: StableHLOOptions = StableHLOOptions(), sources: inout SourceMap
) throws(DiagnosticList) -> ImportedStableHLO {
  let layers = try layerLibrary(&sources)
  let importer = StableHLOImporter(
    module: syntax, keepsChecks: options.keepsChecks, layers: layers)
  let repeated = syntax.repeatedFunctions
  guard repeated.isEmpty else { throw DiagnosticList(repeated) }
  let entry: MLIRFunction
  do {
    entry = try syntax.entryFunction(named: options.entry)
  } catch {
    throw DiagnosticList([error])
  }
  let unsupported = StableHLOSupport(
    module: syntax, keepsChecks: options.keepsChecks, layers: layers
  ).problems(from: entry)
  guard unsupported.isEmpty else { throw DiagnosticList(unsupported) }
  let entryName = importer.importEntry(entry, roles: options.roles)
  importer.importCallees()
  guard importer.diagnostics.isEmpty else {
    throw DiagnosticList(
      importer.diagnostics.sorted { $0.location.offset < $1.location.offset })
  }
  let module = try elaborated(
    importer.functions, entry: entryName, file: syntax.file, layers: layers)
  return ImportedStableHLO(module: module, checks: importer.checks)
}

/// Whether a text is StableHLO rather than IR, by the name of its file or by how it begins.
public func isStableHLO(_ text: [UInt8], fileName: String) -> Bool {
  if fileName.hasSuffix(".mlir") || fileName.hasSuffix(".stablehlo") { return true }
  if fileName.hasSuffix(".ir") { return false }
  var scanner = MLIRScanner(text: Array(text.prefix(1 << 16)), file: 0)
  let next = scanner.peek()
  return next == UInt8(ascii: "#") || next == UInt8(ascii: "!") || next == UInt8(ascii: "\"")
    || scanner.accept(word: "module") || scanner.accept(word: "builtin.module")
    || scanner.accept(mark: "func.func")
}

/// Reads a graph, IR or StableHLO.
///
/// - Parameters:
///   - text: The text.
///   - name: The name shown in diagnostics; its suffix `.mlir` or `.ir` tells the language.
///   - sources: The texts are added to it, so that diagnostics can be rendered.
///   - entry: The function to compile.
///   - roles: Roles of a StableHLO graph; IR has its own.
/// - Returns: The entry function and every function that it calls, callees first.
/// - Throws: Every error of the text.
public func readGraph(
  _ text: [UInt8], name: String, sources: inout SourceMap, entry: String? = nil,
  roles: GraphRoles = GraphRoles()
) throws(DiagnosticList) -> Module {
  guard isStableHLO(text, fileName: name) else {
    guard roles.isEmpty else {
      throw DiagnosticList([
        Diagnostic("'\(name)' is IR, which says itself what is a parameter, a state and the loss")
      ])
    }
    return try parseModule(text, name: name, sources: &sources, entry: entry)
  }
  let syntax = try parseStableHLO(text, name: name, sources: &sources)
  return try importStableHLO(
    syntax, options: StableHLOOptions(entry: entry, roles: roles), sources: &sources
  ).module
}

extension MLIRModule {
  /// An error for every function whose name another one before it has.
  fileprivate var repeatedFunctions: [Diagnostic] {
    var errors: [Diagnostic] = []
    var first: [String: SourceLocation] = [:]
    for function in functions {
      if let place = first[function.name] {
        errors.append(
          Diagnostic(
            "@\(function.name) is defined twice", at: function.location,
            notes: [.note("@\(function.name) is defined here", at: place)]))
      } else {
        first[function.name] = function.location
      }
    }
    return errors
  }

  /// The function to compile.
  fileprivate func entryFunction(named name: String?) throws(Diagnostic) -> MLIRFunction {
    let names = functions.prefix(20).map { "@\($0.name)" }.joined(separator: ", ")
    let known = names + (functions.count > 20 ? " and others" : "")
    let start = SourceLocation(file: file, offset: 0)
    if let name {
      guard let function = self[name] else {
        throw Diagnostic(
          "no function @\(name) to compile; the file defines \(known)"
            + suggestion(for: name, among: functions.map(\.name)), at: start)
      }
      return function
    }
    if let main = self["main"] { return main }
    let visible = functions.filter { !$0.isPrivate }
    guard visible.count == 1 else {
      throw Diagnostic(
        "no function @main; choose the function to compile: \(known)", at: start)
    }
    return visible[0]
  }
}
