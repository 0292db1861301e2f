// Roles of the entry: what the text tells, and what was asked for.
//
// Donation    `tf.aliasing_output = 3` on an argument says that result 3 takes its buffer: the next value
//             of what is carried from step to step. The argument is state, the result its update.
// Names       Arguments and results have names in the IR; a name may be given as the framework spells it
//             (`params[0]['w']`), as it is in the IR (`params.0.w`), or by its position.

/// The entry function while its roles are found.
struct StableHLOEntry {
  let function: MLIRFunction
  var syntax: SyntaxFunction
  let returned: [ImportedValue]

  /// The names of results, for messages and for finding them.
  private var resultNames: [String] {
    function.results.enumerated().map { index, result in
      let info = result.attributes.first { $0.name == "jax.result_info" }?.value.string ?? ""
      return StableHLONames.sanitized(info)
    }
  }

  /// Gives arguments and results their roles.
  ///
  /// - Precondition: As many values are returned as the function has results.
  mutating func assignRoles(_ roles: GraphRoles) throws(Diagnostic) {
    let names = resultNames
    var results: [SyntaxResult] = []
    for (index, value) in returned.enumerated() {
      let place = function.results[index].location
      results.append(
        SyntaxResult(
          role: .output,
          name: names[index].isEmpty ? nil : SyntaxName(text: names[index], location: place),
          type: StableHLOImporter.syntax(value.type, at: place)))
    }
    for (index, argument) in function.arguments.enumerated() {
      guard
        let result = argument.attributes.first(where: { $0.name == "tf.aliasing_output" })?
          .value.int
      else { continue }
      guard results.indices.contains(result) else {
        throw Diagnostic(
          "%\(argument.name) is donated to result \(result) of \(results.count)",
          at: argument.location)
      }
      try makeState(index, result, &results)
    }
    try assignGiven(roles, names, &results)
    syntax.results = results
  }

  private mutating func makeState(
    _ argument: Int, _ result: Int, _ results: inout [SyntaxResult]
  ) throws(Diagnostic) {
    let name = syntax.arguments[argument].name
    if syntax.arguments[argument].role == .state {
      throw error("two results are the next value of %\(name.text), one of them result \(result)")
    }
    if case .update(let other) = results[result].role {
      throw error(
        "result \(result) is the next value of %\(other.text) and cannot be that of %\(name.text)")
    }
    syntax.arguments[argument].role = .state
    results[result].role = .update(name)
    // Both would be found under one name; without one of its own, the result is called `name.new`.
    if results[result].name?.text == name.text { results[result].name = nil }
  }

  private mutating func assignGiven(
    _ roles: GraphRoles, _ names: [String], _ results: inout [SyntaxResult]
  ) throws(Diagnostic) {
    let arguments = syntax.arguments.map(\.name.text)
    for pair in roles.state {
      let sides = pair.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
      guard sides.count == 2 else {
        throw error("'\(pair)' is no ARGUMENT=RESULT")
      }
      let from = try positions(of: sides[0], among: arguments, "argument")
      let to = try positions(of: sides[1], among: names, "result")
      guard from.count == to.count else {
        throw error("'\(pair)' pairs \(from.count) arguments with \(to.count) results")
      }
      for (argument, result) in zip(from, to) {
        let type = syntax.arguments[argument].type
        guard SyntaxEquality.same(type, results[result].type) else {
          throw error(
            "the state %\(arguments[argument]) has another type than result \(result), its next value"
          )
        }
        try makeState(argument, result, &results)
      }
    }
    for word in roles.parameters {
      for argument in try positions(of: word, among: arguments, "argument") {
        guard syntax.arguments[argument].role != .state else {
          throw error(
            "%\(arguments[argument]) is a state, donated or given, and cannot be a parameter")
        }
        syntax.arguments[argument].role = .parameter
      }
    }
    guard let loss = roles.loss else {
      guard roles.parameters.isEmpty else {
        throw error("parameters without a loss: say which result training minimizes")
      }
      return
    }
    let found = try positions(of: loss, among: names, "result")
    guard found.count == 1 else {
      throw error("'\(loss)' names \(found.count) results; one is the loss")
    }
    let type = returned[found[0]].type
    guard type.shape.isEmpty, type.dtype.isFloatingPoint else {
      throw error("the loss is a floating-point scalar, and result \(found[0]) is \(type)")
    }
    if case .update(let name) = results[found[0]].role {
      throw error("result \(found[0]) is the next value of %\(name.text) and cannot be the loss")
    }
    results[found[0]].role = .loss
  }

  private func error(_ message: String) -> Diagnostic {
    Diagnostic(message, at: function.location)
  }

  /// The positions that a word names.
  private func positions(
    of word: String, among names: [String], _ what: String
  ) throws(Diagnostic) -> [Int] {
    if !word.isEmpty {
      let plain = StableHLONames.sanitized(word)
      let matches = names.indices.filter {
        names[$0] == word || names[$0] == plain && !plain.isEmpty
      }
      if !matches.isEmpty { return matches }
      if word.hasSuffix("*") {
        let prefix = String(word.dropLast())
        let matches = names.indices.filter { names[$0].hasPrefix(prefix) }
        if !matches.isEmpty { return matches }
      }
      let bounds = word.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      if let first = bounds.first ?? nil, let last = bounds.last ?? nil, bounds.count <= 2 {
        guard first >= 0, first <= last, last < names.count else {
          throw error("no \(what) \(word): @\(function.name) has \(names.count), counted from 0")
        }
        return Array(first...last)
      }
    }
    let listed = names.enumerated().prefix(40).map { index, name in
      name.isEmpty ? String(index) : "\(index) \(name)"
    }
    throw error(
      "no \(what) '\(word)'\(suggestion(for: word, among: names.filter { !$0.isEmpty })); the "
        + "\(what)s are \(listed.joined(separator: ", "))\(names.count > 40 ? ", …" : "")")
  }
}

/// Whether types as written are the same.
private enum SyntaxEquality {
  static func same(_ a: SyntaxType, _ b: SyntaxType) -> Bool {
    guard a.dtype.text == b.dtype.text, a.dims.count == b.dims.count else { return false }
    return zip(a.dims, b.dims).allSatisfy {
      if case .int(let x) = $0, case .int(let y) = $1 { x == y } else { false }
    }
  }
}
