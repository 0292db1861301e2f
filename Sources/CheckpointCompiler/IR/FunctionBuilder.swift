// The one way to make a function: append ops, each checked by its type rule.

/// Builds a function op by op.
public struct FunctionBuilder: Sendable {
  /// What has been built so far.
  public private(set) var function: Function
  private var openBlocks: [BlockID] = []
  /// How often a name was asked for, so that the next one gets a suffix.
  private var nameUses: [String: Int] = [:]
  /// The functions that ops may name.
  private var functionTypes: [String: FunctionType] = [:]

  /// A function without arguments and ops.
  public init(name: String) {
    function = Function(name: name)
    let body = function.blocks.append(Block(ops: [], owner: nil))
    openBlocks = [body]
  }

  /// Adds an argument and returns its value.
  @discardableResult
  public mutating func addArgument(
    name: String, type: TensorType, role: ArgumentRole = .input, initializer: Initializer? = nil,
    location: SourceLocation = .unknown
  ) -> ValueID {
    let value = function.values.append(
      Value(
        type: type, name: uniqued(name), definition: .argument(function.arguments.count)))
    function.arguments.append(
      Argument(value: value, role: role, initializer: initializer, location: location))
    return value
  }

  /// Lets ops name a function that stands beside the one being built.
  public mutating func declare(_ function: Function) {
    functionTypes[function.name] = FunctionType(function)
  }

  /// Lets ops name a function, which the function being built takes along, after its callees.
  ///
  /// - Precondition: No other function has its name; callees of equal names are the same.
  public mutating func addCallee(_ callee: Function) {
    for inner in callee.callees where function.callee(inner.name) == nil { addCallee(inner) }
    var callee = callee
    callee.callees = []
    declare(callee)
    function.callees.append(callee)
  }

  /// The type of a value.
  public func type(of value: ValueID) -> TensorType { function.type(of: value) }

  /// The block that ops are appended to.
  public var currentBlock: BlockID { openBlocks.last! }

  /// Appends an op after inferring the types of its results.
  ///
  /// `type` is the result type, for ops whose operands and attributes do not tell it; `name` is made
  /// unique with a suffix.
  ///
  /// - Returns: The result.
  /// - Throws: The constraint that operands, attributes or type break.
  @discardableResult
  public mutating func append(
    _ opcode: Opcode, _ operands: [ValueID], _ attributes: Attributes = [:],
    type: TensorType? = nil, name: String = "", location: SourceLocation = .unknown
  ) throws(OpError) -> ValueID {
    try append(
      opcode, operands, attributes, types: type.map { [$0] } ?? [], names: [name],
      location: location)[0]
  }

  /// Appends an op of any number of results after inferring their types; see the form for one.
  ///
  /// - Parameters:
  ///   - opcode: The op.
  ///   - operands: Its operands.
  ///   - attributes: Its attributes.
  ///   - types: The types of the results, where they are known.
  ///   - names: The names of the results, made unique.
  ///   - location: Where it was written.
  /// - Returns: The results.
  /// - Throws: The constraint that operands, attributes or types break.
  @discardableResult
  public mutating func append(
    _ opcode: Opcode, _ operands: [ValueID], _ attributes: Attributes = [:],
    types: [TensorType] = [],
    names: [String], location: SourceLocation = .unknown
  ) throws(OpError) -> [ValueID] {
    var signature = OpSignature(
      opcode: opcode, operandTypes: operands.map { function.type(of: $0) },
      attributes: attributes)
    signature.declaredTypes = types
    for name in attributes.functionNames { signature.functionTypes[name] = functionTypes[name] }
    let normalized = signature.normalized()
    let op = appendUnchecked(
      opcode, operands, normalized.attributes, types: try normalized.checkedResultTypes(),
      names: names, location: location)
    return Array(function.results(of: op))
  }

  /// Appends an op that is correct by construction.
  ///
  /// - Precondition: Operands and attributes satisfy the constraints of the op.
  @discardableResult
  public mutating func emit(
    _ opcode: Opcode, _ operands: [ValueID], _ attributes: Attributes = [:],
    type: TensorType? = nil, name: String = "", location: SourceLocation = .unknown
  ) -> ValueID {
    do {
      return try append(
        opcode, operands, attributes, type: type, name: name, location: location)
    } catch {
      preconditionFailure("\(opcode.name) built with \(error.message) [\(error.constraint)]")
    }
  }

  /// Appends an op with the given result types, without asking its type rule: calls, terminators,
  /// ops with regions, and clones of ops that have been checked.
  @discardableResult
  public mutating func appendUnchecked(
    _ opcode: Opcode, _ operands: some Collection<ValueID>, _ attributes: Attributes,
    types: [TensorType], names: [String] = [], regions: [BlockID] = [],
    location: SourceLocation = .unknown
  ) -> OpID {
    let first = UInt32(function.values.count)
    let id = OpID(function.ops.count)
    for (index, type) in types.enumerated() {
      function.values.append(
        Value(
          type: type, name: index < names.count ? uniqued(names[index]) : "",
          definition: .result(id, index)))
    }
    let start = Int32(function.operandPool.count)
    function.operandPool.append(contentsOf: operands)
    function.ops.append(
      Op(
        opcode: opcode, operandRange: start..<Int32(function.operandPool.count),
        resultRange: first..<UInt32(function.values.count), attributes: attributes,
        regions: regions, block: currentBlock, location: location))
    for region in regions { function.blocks[region].owner = id }
    function.blocks[currentBlock].ops.append(id)
    return id
  }

  /// Opens a region: ops are appended to it until `endRegion`.
  public mutating func beginRegion() { openRegion() }

  /// Opens a block that ops are appended to until `closeRegion`; some op must come to own it.
  @discardableResult
  mutating func openRegion() -> BlockID {
    let block = function.blocks.append(Block(ops: [], owner: nil))
    openBlocks.append(block)
    return block
  }

  /// Closes the innermost open block.
  mutating func closeRegion() { openBlocks.removeLast() }

  /// Closes the innermost region with a `yield` and appends the op that owns it.
  ///
  /// - Returns: The results of the op, one for each yielded value and of the same type.
  @discardableResult
  public mutating func endRegion(
    _ opcode: Opcode, yielding values: [ValueID], names: [String] = [],
    attributes: Attributes = [:], location: SourceLocation = .unknown
  ) -> [ValueID] {
    appendUnchecked(.yield, values, [:], types: [])
    let region = currentBlock
    closeRegion()
    let op = appendUnchecked(
      opcode, [], attributes, types: values.map { function.type(of: $0) }, names: names,
      regions: [region], location: location)
    return Array(function.results(of: op))
  }

  /// Sets the function that computes the gradient.
  public mutating func setGradientFunction(_ name: String?) { function.gradientFunction = name }

  /// Renames a value.
  public mutating func rename(_ value: ValueID, to name: String) {
    function.values[value].name = uniqued(name)
  }

  /// Closes the function with a `return` of the given values and returns it.
  public mutating func finish(
    returning values: [ValueID], as results: [FunctionResult], location: SourceLocation = .unknown
  ) -> Function {
    precondition(openBlocks.count == 1 && values.count == results.count)
    appendUnchecked(.return, values, [:], types: [], location: location)
    function.results = results
    return function
  }

  /// The name, with a suffix where it has been given before. Purely numeric names are dropped: the
  /// printer gives unnamed values numbers.
  private mutating func uniqued(_ name: String) -> String {
    guard !name.isEmpty, name.utf8.contains(where: { $0 < 48 || $0 > 57 }) else { return "" }
    guard let uses = nameUses[name] else {
      nameUses[name] = 0
      return name
    }
    var number = uses
    var candidate: String
    repeat {
      number += 1
      candidate = "\(name).\(number)"
    } while nameUses[candidate] != nil
    nameUses[name] = number
    nameUses[candidate] = 0
    return candidate
  }
}
