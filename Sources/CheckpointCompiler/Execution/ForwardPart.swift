// The forward part of a training graph: what is run to evaluate it.

extension Module {
  /// The module whose entry returns outputs and loss only, as plain outputs: it is not
  /// differentiated, and updates nothing.
  package var forwardPart: Module {
    let entry = entry
    var builder = FunctionBuilder(name: entry.name)
    var map = ValueMap(for: entry)
    builder.cloneArguments(of: entry, into: &map)
    for op in entry.blocks[entry.body].ops where !entry.ops[op].opcode.isTerminator {
      builder.clone(op, of: entry, map: &map)
    }
    var values: [ValueID] = []
    var results: [FunctionResult] = []
    for (result, value) in zip(entry.results, entry.returnedValues) {
      guard result.role == .output || result.role == .loss else { continue }
      values.append(map[value]!)
      results.append(FunctionResult(name: result.name, location: result.location))
    }
    let forward = builder.finish(returning: values, as: results)
    return Module(
      functions: functions.map { $0.name == entry.name ? forward : $0 }, entryName: entryName)
  }
}
