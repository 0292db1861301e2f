// Makes a step smaller before it is grouped and planned.

/// The names of the passes of simplification, as `--print-after` and `--stop-after` spell them.
public let simplificationPasses: [String] = Pipeline.simplification.passes.map(\.name)

/// A function with the same results, bit by bit, and fewer or cheaper ops.
///
/// Arguments, results, their order and their roles stay; a value that disappears gives its name to an
/// unnamed one that takes its place.
///
/// - Parameters:
///   - function: A step without calls.
///   - observe: Gets the name of every pass that changed something, and what it made.
/// - Returns: The simplified function.
/// - Precondition: The function is not planned: it holds no `no_grad` and no `recompute`.
/// - Complexity: O(ops + operands).
public func simplified(
  _ function: Function, observe: (String, Function) -> Void = { _, _ in }
) -> Function {
  precondition(!function.isPlanned, "@\(function.name) is planned and must stay as it is")
  return Pipeline.simplification.run(function, observe: observe)
}
