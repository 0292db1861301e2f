// The results of a function: what its signature writes, and what its body returns.
//
// Names       A result without a written name is called after its role, or else after the value that is
//             returned; names that are taken get a number.

extension SyntaxFunction {
  private func argumentIndex(_ name: SyntaxName) throws(Diagnostic) -> Int {
    let index = arguments.firstIndex { $0.name.text == name.text }
    guard let index else {
      throw Diagnostic(
        "%\(name.text) is no argument"
          + suggestion(for: name.text, among: arguments.map(\.name.text)),
        at: name.location)
    }
    return index
  }

  /// Checks the results that are written, if any are, against the types of what is returned.
  ///
  /// `location` is the place of the `return`.
  func checkResults(
    _ types: [TensorType], at location: SourceLocation, _ evaluator: CompileTimeEvaluator
  ) throws(Diagnostic) {
    guard let written = results else { return }
    guard written.count == types.count else {
      throw Diagnostic(
        "@\(name.text) has \(written.count) results, but returns \(types.count)",
        at: location)
    }
    var names: [String: SourceLocation] = [:]
    for name in written.compactMap(\.name) {
      if let first = names.updateValue(name.location, forKey: name.text) {
        throw Diagnostic(
          "two results are called %\(name.text)", at: name.location,
          notes: [.note("%\(name.text) is the name of this one", at: first)])
      }
    }
    for (result, returned) in zip(written, types) {
      let type = try evaluator.type(result.type)
      guard type == returned else {
        throw Diagnostic(
          "a result is written as \(type), but \(returned) is returned",
          at: result.type.location)
      }
      if case .gradient(let name) = result.role { _ = try argumentIndex(name) }
      if case .update(let name) = result.role { _ = try argumentIndex(name) }
    }
  }

  /// The results of the function, with names of their own: as they are written, or after the values
  /// that are returned.
  ///
  /// - Precondition: The written results have been checked.
  func results(
    ofValuesNamed valueNames: [String], at location: SourceLocation
  ) -> [FunctionResult] {
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
    for (index, valueName) in valueNames.enumerated() {
      guard let written = self.results?[index] else {
        results.append(FunctionResult(name: unique(valueName, index), location: location))
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
    return results
  }
}
