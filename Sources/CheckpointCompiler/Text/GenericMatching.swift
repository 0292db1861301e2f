// The parameters of a generic function, from the types of the operands of a call.
//
// Method      Argument types are patterns. Names in them that are parameters, and unbound, take the dtype
//             or the extent at their place; a pack takes all dimensions between those before and after
//             it. Then the attributes are added, and every pattern is evaluated and compared.

extension SyntaxFunction {
  /// Binds the generic parameters and attributes of a function for a call.
  ///
  /// - Parameters:
  ///   - types: The types of the operands, as many as there are arguments.
  ///   - attributes: What the call gives.
  ///   - name: The name in the call.
  ///   - declared: The note of an error that tells where the function is defined.
  /// - Returns: What every parameter and attribute of the function means in the call.
  /// - Throws: An error where the types do not fit, or an attribute is missing.
  func bindings(
    for types: [TensorType], attributes: [String: CompileTimeValue], at name: SyntaxName,
    declared: Diagnostic
  ) throws(Diagnostic) -> [String: CompileTimeValue] {
    var kinds: [String: SyntaxGeneric.Kind] = [:]
    for generic in generics { kinds[generic.name.text] = generic.kind }
    var bindings: [String: CompileTimeValue] = [:]
    for (argument, type) in zip(arguments, types) {
      bind(argument.type, to: type, kinds: kinds, &bindings)
    }
    for generic in generics where bindings[generic.name.text] == nil {
      throw Diagnostic(
        "'\(name.text)' of \(types.map(\.description).joined(separator: ", ")) does not fit its "
          + "arguments: nothing tells '\(generic.name.text)'",
        at: name.location, notes: [declared])
    }
    var evaluator = CompileTimeEvaluator(bindings: bindings)
    for parameter in parameters {
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
    for (argument, type) in zip(arguments, types) {
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
}
