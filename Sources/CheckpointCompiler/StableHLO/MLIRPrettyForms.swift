// The forms of their own that MLIR prints ops in, made into the generic form.
//
// Method      All forms but a few are a sequence of operands, words, `name = value` pairs, braces and
//             types in some order; they are read by one loop, and a table gives the attributes
//             their generic names. `return`, `constant`, `reduce` and `while` are in
//             `MLIRSpecialForms.swift`.
// Invariants  The result has a type for each operand and each result, as the generic form has.

extension MLIRParser {
  /// The generic name of an attribute by op and short name.
  private static let attributeNames: [String: [String: String]] = [
    "stablehlo.iota": ["dim": "iota_dimension"],
    "stablehlo.dynamic_iota": ["dim": "iota_dimension"],
    "stablehlo.broadcast_in_dim": ["dims": "broadcast_dimensions"],
    "stablehlo.dynamic_broadcast_in_dim": ["dims": "broadcast_dimensions"],
    "stablehlo.broadcast": ["sizes": "broadcast_sizes"],
    "stablehlo.transpose": ["dims": "permutation"],
    "stablehlo.pad": [
      "low": "edge_padding_low", "high": "edge_padding_high", "interior": "interior_padding",
    ],
    "stablehlo.concatenate": ["dim": "dimension"],
    "stablehlo.get_dimension_size": ["dim": "dimension"],
    "stablehlo.set_dimension_size": ["dim": "dimension"],
    "stablehlo.reverse": ["dims": "dimensions"],
    "stablehlo.dynamic_slice": ["sizes": "slice_sizes"],
    "stablehlo.dot_general": ["precision": "precision_config"],
    "stablehlo.dot": ["precision": "precision_config"],
    "stablehlo.rng": ["distribution": "rng_distribution"],
    "stablehlo.rng_bit_generator": ["algorithm": "rng_algorithm"],
    "stablehlo.fft": ["type": "fft_type", "length": "fft_length"],
  ]
  /// The attributes of words that stand alone, in order.
  private static let wordAttributes: [String: [String]] = [
    "stablehlo.compare": ["comparison_direction", "compare_type"],
    "chlo.broadcast_compare": ["comparison_direction", "compare_type"],
  ]

  /// An op in a form of its own.
  mutating func prettyOp() throws(Diagnostic) -> MLIROperation {
    _ = scanner.peek()
    let start = scanner.position
    guard let word = scanner.word() else { throw scanner.unexpected("an op") }
    var name = scanner.text(in: word)
    if name == "call" || name == "return" || name == "constant" { name = "func.\(name)" }
    var op = MLIROperation(name: name, location: scanner.location(from: start))
    switch name {
    case "func.return", "stablehlo.return": try returnForm(&op)
    case "stablehlo.constant", "arith.constant": try constantForm(&op)
    case "stablehlo.reduce": try reduceForm(&op)
    case "stablehlo.while": try whileForm(&op)
    default:
      guard name.contains(".") else {
        throw Diagnostic("'\(name)' is no op", at: op.location)
      }
      try plainForm(&op)
      try normalize(&op)
    }
    return op
  }

  // MARK: The common form

  /// Operands, words, attributes and types in the order in which they come.
  private mutating func plainForm(_ op: inout MLIROperation) throws(Diagnostic) {
    var words = MLIRParser.wordAttributes[op.name] ?? []
    var openParentheses = 0
    while true {
      let next = scanner.peek()
      let start = scanner.position
      switch next {
      case UInt8(ascii: "%"): op.operands.append(try value())
      case UInt8(ascii: ","): _ = scanner.accept(",")
      case UInt8(ascii: "("):
        _ = scanner.accept("(")
        openParentheses += 1
      case UInt8(ascii: ")"):
        guard openParentheses > 0 else { throw scanner.unexpected("':'") }
        openParentheses -= 1
        _ = scanner.accept(")")
      case UInt8(ascii: "\""): add("name", .string(try scanner.string()), from: start, to: &op)
      case UInt8(ascii: "@"):
        let key = op.name == "stablehlo.custom_call" ? "call_target_name" : "callee"
        add(key, try attribute(), from: start, to: &op)
      case UInt8(ascii: "{"): op.attributes += try dictionary()
      case UInt8(ascii: "["): try bracketForm(&op)
      case UInt8(ascii: "<"): add("properties", try attribute(), from: start, to: &op)
      case UInt8(ascii: ":"):
        guard openParentheses == 0 else { throw scanner.unexpected("')'") }
        _ = scanner.accept(":")
        try types(of: &op)
        return
      default:
        guard let word = scanner.word() else { throw scanner.unexpected("':' and the types") }
        let key = scanner.text(in: word)
        if scanner.accept("=") {
          add(
            MLIRParser.attributeNames[op.name]?[key] ?? key, try formValue(key, op.name),
            from: start, to: &op)
        } else if !words.isEmpty {
          add(words.removeFirst(), .word(key), from: start, to: &op)
        } else if key == "loc" {
          scanner.move(to: start)
          throw scanner.unexpected("':' and the types")
        } else {
          throw Diagnostic(
            "unexpected word '\(key)' in '\(op.name)'", at: scanner.location(from: start))
        }
      }
    }
  }

  /// The value of `name = value`, with the forms that only ops have.
  private mutating func formValue(
    _ key: String, _ op: String
  ) throws(Diagnostic) -> MLIRAttribute {
    if op == "stablehlo.convolution", key == "dim_numbers" { return try convolutionDimensions() }
    // A colon behind a number starts the types of the op.
    let next = scanner.peek()
    if MLIRScanner.isDigit(next) || next == UInt8(ascii: "-") { return try scanner.number() }
    if next == UInt8(ascii: "\"") { return .string(try scanner.string()) }
    let start = scanner.position
    let first = try attribute()
    guard case .list = first, scanner.accept(word: "x") else { return first }
    let second = try attribute()
    let location = scanner.location(from: start)
    return .record([
      MLIRNamedAttribute(name: "lhs", value: first, location: location),
      MLIRNamedAttribute(name: "rhs", value: second, location: location),
    ])
  }

  func named(_ name: String, _ value: MLIRAttribute, from start: Int) -> MLIRNamedAttribute {
    MLIRNamedAttribute(name: name, value: value, location: scanner.location(from: start))
  }

  func add(
    _ name: String, _ value: MLIRAttribute, from start: Int, to op: inout MLIROperation
  ) {
    op.attributes.append(named(name, value, from: start))
  }

  /// `[0:8, 0:28:2]` of a slice, `[0]` of a tuple's element.
  private mutating func bracketForm(_ op: inout MLIROperation) throws(Diagnostic) {
    let start = scanner.position
    try scanner.expect("[")
    var starts: [MLIRAttribute] = []
    var limits: [MLIRAttribute] = []
    var strides: [MLIRAttribute] = []
    while !scanner.accept("]") {
      starts.append(.int(try scanner.count("an index")))
      if scanner.accept(":") {
        limits.append(.int(try scanner.count("a limit")))
        strides.append(.int(scanner.accept(":") ? try scanner.count("a stride") : 1))
      }
      if !scanner.accept(",") {
        try scanner.expect("]")
        break
      }
    }
    guard op.name == "stablehlo.slice" else {
      add("index", starts.first ?? .unit, from: start, to: &op)
      return
    }
    guard limits.count == starts.count else {
      throw Diagnostic("a slice is start:limit:stride", at: scanner.location(from: start))
    }
    add("start_indices", .list(starts), from: start, to: &op)
    add("limit_indices", .list(limits), from: start, to: &op)
    add("strides", .list(strides), from: start, to: &op)
  }

  // MARK: Types

  /// The types behind the colon: `(T) -> T`, `T -> T`, or a list of which the op says the meaning.
  private mutating func types(of op: inout MLIROperation) throws(Diagnostic) {
    if scanner.peek() == UInt8(ascii: "(") {
      try functionType(&op)
      return
    }
    var listed: [MLIRType] = []
    repeat { listed.append(try type()) } while scanner.accept(",")
    if scanner.accept(mark: "->") {
      op.operandTypes = listed
      op.resultTypes = try resultTypeList()
      return
    }
    spread(listed, over: &op)
  }

  /// Gives operands and results their types where one type stands for several.
  private func spread(_ listed: [MLIRType], over op: inout MLIROperation) {
    let count = op.operands.count
    if op.name == "stablehlo.select", listed.count == 2, count == 3 {
      op.operandTypes = [listed[0], listed[1], listed[1]]
      op.resultTypes = [listed[1]]
    } else if count == 0 {
      op.resultTypes = listed
    } else if listed.count == 1 {
      op.operandTypes = Array(repeating: listed[0], count: count)
      op.resultTypes = listed
    } else {
      op.operandTypes = listed
      op.resultTypes = listed
    }
    if op.name == "stablehlo.optimization_barrier", listed.count == count {
      op.resultTypes = listed
    }
  }

  // MARK: Attributes that are written differently

  private mutating func normalize(_ op: inout MLIROperation) throws(Diagnostic) {
    guard op.operandTypes.count == op.operands.count else {
      throw Diagnostic(
        "'\(op.name)' has \(op.operands.count) operands and \(op.operandTypes.count) operand types",
        at: op.location)
    }
    let place = op.location
    func entry(_ name: String, _ value: MLIRAttribute) -> MLIRNamedAttribute {
      MLIRNamedAttribute(name: name, value: value, location: place)
    }
    switch op.name {
    case "stablehlo.dot_general":
      let batch = op["batching_dims"]
      let contract = op["contracting_dims"]
      let empty = MLIRAttribute.list([])
      guard batch != nil || contract != nil else { return }
      op.attributes.removeAll { $0.name == "batching_dims" || $0.name == "contracting_dims" }
      op.attributes.append(
        entry(
          "dot_dimension_numbers",
          .record([
            entry("lhs_batching_dimensions", batch?["lhs"] ?? empty),
            entry("rhs_batching_dimensions", batch?["rhs"] ?? empty),
            entry("lhs_contracting_dimensions", contract?["lhs"] ?? empty),
            entry("rhs_contracting_dimensions", contract?["rhs"] ?? empty),
          ])))
    case "stablehlo.convolution":
      let names = [
        "stride": "window_strides", "pad": "padding", "lhs_dilate": "lhs_dilation",
        "rhs_dilate": "rhs_dilation", "reverse": "window_reversal",
      ]
      var attributes: [MLIRNamedAttribute] = []
      for attribute in op.attributes {
        switch (attribute.name, attribute.value) {
        case ("dim_numbers", let value): attributes.append(entry("dimension_numbers", value))
        case ("window", .record(let entries)):
          for window in entries {
            guard let name = names[window.name] else {
              throw Diagnostic("'\(window.name)' is no part of a window", at: window.location)
            }
            attributes.append(entry(name, window.value))
          }
        default: attributes.append(attribute)
        }
      }
      op.attributes = attributes
    case "stablehlo.reduce_precision":
      guard case .word(let format)? = op["format"] else { return }
      let parts = format.dropFirst().split(separator: "m", omittingEmptySubsequences: false)
      guard format.hasPrefix("e"), parts.count == 2, let exponent = Int(parts[0]),
        let mantissa = Int(parts[1])
      else {
        throw Diagnostic("a format looks like e5m10, not '\(format)'", at: place)
      }
      op.attributes.removeAll { $0.name == "format" }
      op.attributes.append(entry("exponent_bits", .int(exponent)))
      op.attributes.append(entry("mantissa_bits", .int(mantissa)))
    default: break
    }
  }
}
