// The gradient of sorting: what was moved goes back.

/// Sorts the places along with the elements, then scatters `dy` to the places its elements came from.
@Sendable func gradientOfSort(_ g: inout GradientContext) -> [ValueID?] {
  let type = g.type(of: g[0])
  let dim = g.attributes.int(.dim)!
  let places = g.emit(.iota, [], [.dim: .int(dim)], type: type.with(.i64))
  var attributes = g.attributes
  attributes[.comparator] = .function(
    comparatorIgnoringAnother(g.attributes.function(.comparator)!, .i64, &g))
  let origins = g.emitAll(.sort, g.operands + [places], attributes).last!
  let others = type.shape.indices.filter { $0 != dim }
  let scatter: Attributes = [
    .kind: .symbol("set"), .insertedWindowDims: .ints([dim]), .scatterDims: .ints([dim]),
    .indexVectorDim: .int(type.rank), .operandBatchDims: .ints(others),
    .indicesBatchDims: .ints(others),
  ]
  return g.operands.indices.map { index in
    guard g.needed[index], let dy = g.resultGradients[index] else { return nil }
    let zero = g.zero(like: g[index])
    return g.emit(.scatter, [zero, origins, dy], scatter)
  }
}

/// The name of a function that compares as another does, given two scalars more.
private func comparatorIgnoringAnother(
  _ name: String, _ dtype: DType, _ g: inout GradientContext
) -> String {
  let comparator = g.builder.function.callee(name)!
  var builder = FunctionBuilder(name: "\(name).\(dtype.name)")
  var map = ValueMap(for: comparator)
  builder.cloneArguments(of: comparator, into: &map)
  for argument in ["a", "b"] {
    _ = builder.addArgument(name: argument, type: TensorType(dtype))
  }
  for op in comparator.blocks[comparator.body].ops.dropLast() {
    builder.clone(op, of: comparator, map: &map)
  }
  var extended = builder.finish(
    returning: comparator.returnedValues.map { map[$0]! }, as: comparator.results)
  while let other = g.builder.function.callee(extended.name) {
    // It was made for another sort, or is a function of the text that happens to have the name.
    if Printer.print(other) == Printer.print(extended) { return extended.name }
    extended.name += "_"
  }
  g.builder.addCallee(extended)
  return extended.name
}
