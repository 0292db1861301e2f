// Ops whose printed form is like no other: `return`, `constant`, `reduce`, `while`.

extension MLIRParser {
  mutating func returnForm(_ op: inout MLIROperation) throws(Diagnostic) {
    if scanner.peek() == UInt8(ascii: "{") { op.attributes = try dictionary() }
    guard scanner.peek() == UInt8(ascii: "%") else { return }
    repeat { op.operands.append(try value()) } while scanner.accept(",")
    try scanner.expect(":")
    repeat { op.operandTypes.append(try type()) } while scanner.accept(",")
    guard op.operandTypes.count == op.operands.count else {
      throw Diagnostic(
        "\(op.operands.count) values and \(op.operandTypes.count) types are returned",
        at: op.location)
    }
  }

  mutating func constantForm(_ op: inout MLIROperation) throws(Diagnostic) {
    if scanner.peek() == UInt8(ascii: "{") { op.attributes = try dictionary() }
    _ = scanner.peek()
    let start = scanner.position
    let value = try attribute()
    guard case .elements(let elements) = value else {
      throw Diagnostic(
        "a constant is dense<…> or dense_resource<…> with the type of a tensor",
        at: scanner.location(from: start))
    }
    add("value", value, from: start, to: &op)
    op.resultTypes = [elements.type]
  }

  /// `reduce(%x init: %i), … applies op across dimensions = […] : types`, or with a `reducer`.
  mutating func reduceForm(_ op: inout MLIROperation) throws(Diagnostic) {
    var initials: [MLIRValue] = []
    repeat {
      try scanner.expect("(")
      op.operands.append(try value())
      guard scanner.accept(mark: "init:") || scanner.accept(word: "init") && scanner.accept(":")
      else { throw scanner.unexpected("'init:'") }
      initials.append(try value())
      try scanner.expect(")")
    } while scanner.accept(",")
    let count = op.operands.count
    op.operands += initials
    var applied: MLIROperation?
    if scanner.accept(word: "applies") {
      _ = scanner.peek()
      let start = scanner.position
      guard let word = scanner.word() else { throw scanner.unexpected("an op") }
      applied = MLIROperation(
        name: scanner.text(in: word), location: scanner.location(from: start))
    }
    guard scanner.accept(word: "across"), scanner.accept(word: "dimensions"), scanner.accept("=")
    else { throw scanner.unexpected("'across dimensions ='") }
    let start = scanner.position
    add("dimensions", try attribute(), from: start, to: &op)
    if scanner.peek() == UInt8(ascii: "{") { op.attributes += try dictionary() }
    try scanner.expect(":")
    try functionType(&op)
    guard op.operandTypes.count == op.operands.count, op.resultTypes.count == count else {
      throw Diagnostic(
        "'stablehlo.reduce' of \(count) tensors has \(op.operandTypes.count) operand types and "
          + "\(op.resultTypes.count) results", at: op.location)
    }
    if let applied {
      guard count == 1 else {
        throw Diagnostic("'applies' reduces one tensor, not \(count)", at: applied.location)
      }
      op.regions = [MLIRParser.region(applying: applied, to: op.operandTypes[1])]
      return
    }
    guard scanner.accept(word: "reducer") else { throw scanner.unexpected("'reducer'") }
    // Printed as one pair for each tensor; the block has the accumulators first.
    var accumulators: [MLIRArgument] = []
    var elements: [MLIRArgument] = []
    for _ in 0..<count {
      try scanner.expect("(")
      accumulators.append(try argument())
      try scanner.expect(",")
      elements.append(try argument())
      try scanner.expect(")")
    }
    var reducer = try region()
    reducer.arguments = accumulators + elements
    op.regions = [reducer]
  }

  /// The region that `applies op` stands for.
  private static func region(applying op: MLIROperation, to type: MLIRType) -> MLIRRegion {
    func value(_ name: String) -> MLIRValue {
      MLIRValue(name: name, index: 0, location: op.location)
    }
    var applied = op
    applied.results = [MLIRResultName(name: "result", count: 1, location: op.location)]
    applied.operands = [value("lhs"), value("rhs")]
    applied.operandTypes = [type, type]
    applied.resultTypes = [type]
    var end = MLIROperation(name: "stablehlo.return", location: op.location)
    end.operands = [value("result")]
    end.operandTypes = [type]
    let arguments = ["lhs", "rhs"].map {
      MLIRArgument(name: $0, type: type, location: op.location)
    }
    return MLIRRegion(arguments: arguments, body: [applied, end])
  }

  /// `while(%a = %x, …) : types cond {…} do {…}`
  mutating func whileForm(_ op: inout MLIROperation) throws(Diagnostic) {
    var arguments: [MLIRArgument] = []
    try scanner.expect("(")
    if !scanner.accept(")") {
      repeat {
        _ = scanner.peek()
        let start = scanner.position
        let name = try scanner.name(after: "%", "a value")
        let location = scanner.location(from: start)
        try scanner.expect("=")
        op.operands.append(try value())
        arguments.append(MLIRArgument(name: name, type: .other(""), location: location))
      } while scanner.accept(",")
      try scanner.expect(")")
    }
    if !arguments.isEmpty {
      try scanner.expect(":")
      repeat { op.operandTypes.append(try type()) } while scanner.accept(",")
    }
    op.resultTypes = op.operandTypes
    guard op.operandTypes.count == arguments.count else {
      throw Diagnostic(
        "'stablehlo.while' carries \(arguments.count) values and has \(op.operandTypes.count) types",
        at: op.location)
    }
    for index in arguments.indices { arguments[index].type = op.operandTypes[index] }
    if scanner.accept(word: "attributes") { op.attributes += try dictionary() }
    guard scanner.accept(word: "cond") else { throw scanner.unexpected("'cond'") }
    op.regions.append(try region())
    guard scanner.accept(word: "do") else { throw scanner.unexpected("'do'") }
    op.regions.append(try region())
    op.regions[0].arguments = arguments
    op.regions[1].arguments = arguments
  }
}
