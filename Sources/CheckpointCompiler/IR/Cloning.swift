// Copies ops from one function into another that is being built: the way every pass rewrites.

/// For every value of a source function, the value that stands for it in the function being built.
public struct ValueMap: Sendable {
  private var images: Table<ValueID, ValueID?>

  /// A map that knows no value of `source` yet.
  public init(for source: Function) {
    images = Table(repeating: nil, count: source.values.count)
  }

  /// The image of a value; nil where it has none yet.
  public subscript(value: ValueID) -> ValueID? {
    get { images[value] }
    set { images[value] = newValue }
  }
}

extension FunctionBuilder {
  /// Adds the arguments of `source` and maps them; the callees of `source` come along.
  public mutating func cloneArguments(of source: Function, into map: inout ValueMap) {
    for callee in source.callees { addCallee(callee) }
    for argument in source.arguments {
      let value = source.values[argument.value]
      map[argument.value] = addArgument(
        name: value.name, type: value.type, role: argument.role,
        initializer: argument.initializer, location: argument.location)
    }
  }

  /// Appends the ops of a closed function, and returns the images of what it returns. `prefix` is put
  /// before names.
  mutating func splice(
    _ callee: Function, _ operands: [ValueID], prefix: String = ""
  ) -> [ValueID] {
    var map = ValueMap(for: callee)
    for (argument, operand) in zip(callee.arguments, operands) { map[argument.value] = operand }
    return splice(callee.returnedValues, of: callee, map: &map, prefix: prefix)
  }

  /// Appends the ops of a closed function that some of its values need, up to values that are mapped,
  /// and returns the images of those values.
  mutating func splice(
    _ values: [ValueID], of callee: Function, map: inout ValueMap, prefix: String = ""
  ) -> [ValueID] {
    let given = map
    let needed = callee.opsReached(from: values) { given[$0] != nil }
    for op in callee.blocks[callee.body].ops where needed[op] {
      let results = Array(callee.results(of: op))
      let images = results.map { map[$0] }
      clone(op, of: callee, map: &map) { _, name in prefix + name }
      // One of several results may be given.
      for (result, image) in zip(results, images) where image != nil { map[result] = image }
    }
    return values.map { map[$0]! }
  }

  /// Appends a copy of an op, its regions included, and maps its results.
  ///
  /// `naming` gives the name of a copied value, from the original and its name; values without a name
  /// get none.
  ///
  /// - Precondition: Its operands are mapped.
  @discardableResult
  public mutating func clone(
    _ op: OpID, of source: Function, map: inout ValueMap,
    naming: (ValueID, String) -> String = { _, name in name }
  ) -> OpID {
    let original = source.ops[op]
    var regions: [BlockID] = []
    for region in original.regions {
      let block = openRegion()
      for inner in source.blocks[region].ops {
        clone(inner, of: source, map: &map, naming: naming)
      }
      closeRegion()
      regions.append(block)
    }
    let results = source.results(of: op)
    let copy = appendUnchecked(
      original.opcode, source.operands(of: original).map { map[$0]! }, original.attributes,
      types: results.map { source.type(of: $0) },
      names: results.map {
        let name = source.values[$0].name
        return name.isEmpty ? "" : naming($0, name)
      },
      regions: regions, location: original.location)
    for (old, new) in zip(results, function.results(of: copy)) { map[old] = new }
    return copy
  }
}
