// The text format of planning problems.
//
// Format      {"nodes":[{"name","cost","outputs":[bytes,…],"inputs":[[node,output],…],"scratch",
//             "keep":[…],"once","cheap","invalidates":[node,…],"overwrites":[[output,input],…]},…],
//             "budget":N}; the second number of a pair in `overwrites` is a position in `inputs`;
//             `cost` and `outputs` are required, other keys are ignored.

extension RematProblem {
  /// Reads a problem from its JSON text.
  ///
  /// - Parameters:
  ///   - json: The UTF-8 text.
  ///   - file: The text's index in the source map that will render diagnostics.
  /// - Throws: The first thing that is not as the format has it, pointing at its byte.
  public init(json: [UInt8], file: Int32 = 0) throws(Diagnostic) {
    var scanner = JSONScanner(json, file: file)
    var nodes: [Node] = []
    var locations: [SourceLocation] = []
    var budget: Int?
    var hasNodes = false
    try scanner.object { (scanner, key) throws(Diagnostic) in
      switch key {
      case "nodes":
        hasNodes = true
        try scanner.array { (scanner) throws(Diagnostic) in
          _ = scanner.peek()
          locations.append(scanner.location(scanner.position))
          nodes.append(try Self.node(&scanner))
        }
      case "budget":
        if !scanner.acceptNull() { budget = try scanner.integer() }
      default: try scanner.skipValue()
      }
    }
    try scanner.end()
    if !hasNodes { throw scanner.failure("the problem has no \"nodes\"", at: 0) }
    try self.init(nodes: nodes, budgetBytes: budget, locations: locations)
  }

  private static func node(_ scanner: inout JSONScanner) throws(Diagnostic) -> Node {
    let start = scanner.position
    var node = Node(cost: 0, outputBytes: [])
    var hasCost = false
    var hasOutputs = false
    try scanner.object { (scanner, key) throws(Diagnostic) in
      switch key {
      case "name": node.name = try scanner.string()
      case "cost":
        hasCost = true
        node.cost = try scanner.number()
      case "outputs":
        hasOutputs = true
        try scanner.array { (scanner) throws(Diagnostic) in
          node.outputBytes.append(try scanner.integer())
        }
      case "inputs":
        try pairs(&scanner, "an input is [node, output]") {
          node.inputs.append(Input(node: $0, output: $1))
        }
      case "scratch": node.scratchBytes = try scanner.integer()
      case "keep":
        try scanner.array { (scanner) throws(Diagnostic) in
          node.keep.append(try scanner.boolean())
        }
      case "once": node.isOnce = try scanner.boolean()
      case "cheap":
        if !scanner.acceptNull() { node.isCheap = try scanner.boolean() }
      case "invalidates":
        try scanner.array { (scanner) throws(Diagnostic) in
          node.invalidates.append(try scanner.integer())
        }
      case "overwrites":
        try pairs(&scanner, "a pair of 'overwrites' is [output, input]") {
          node.overwrites.append(Overwrite(output: $0, input: $1))
        }
      default: try scanner.skipValue()
      }
    }
    if !hasCost { throw scanner.failure("a node has no \"cost\"", at: start) }
    if !hasOutputs { throw scanner.failure("a node has no \"outputs\"", at: start) }
    return node
  }

  /// Reads an array of pairs of integers; `rule` says what a pair is.
  private static func pairs(
    _ scanner: inout JSONScanner, _ rule: String, _ body: (Int, Int) -> Void
  ) throws(Diagnostic) {
    try scanner.array { (scanner) throws(Diagnostic) in
      _ = scanner.peek()
      let at = scanner.position
      var pair: [Int] = []
      try scanner.array { (scanner) throws(Diagnostic) in pair.append(try scanner.integer()) }
      guard pair.count == 2 else { throw scanner.failure(rule, at: at) }
      body(pair[0], pair[1])
    }
  }

  /// The problem as JSON text, one node a line; keys at their defaults are left out.
  public func json() -> String {
    var out = "{\"nodes\":[\n"
    for (index, node) in nodes.enumerated() {
      out += "{\"name\":\(jsonQuoted(node.name)),\"cost\":\(jsonNumber(node.cost))"
      out += ",\"outputs\":[\(node.outputBytes.map(String.init).joined(separator: ","))]"
      let inputs = node.inputs.map { "[\($0.node),\($0.output)]" }
      out += ",\"inputs\":[\(inputs.joined(separator: ","))]"
      if node.scratchBytes != 0 { out += ",\"scratch\":\(node.scratchBytes)" }
      if !node.keep.isEmpty {
        out += ",\"keep\":[\(node.keep.map { $0 ? "true" : "false" }.joined(separator: ","))]"
      }
      if node.isOnce { out += ",\"once\":true" }
      if let isCheap = node.isCheap { out += ",\"cheap\":\(isCheap)" }
      if !node.invalidates.isEmpty {
        out += ",\"invalidates\":[\(node.invalidates.map(String.init).joined(separator: ","))]"
      }
      if !node.overwrites.isEmpty {
        let pairs = node.overwrites.map { "[\($0.output),\($0.input)]" }
        out += ",\"overwrites\":[\(pairs.joined(separator: ","))]"
      }
      out += index + 1 < nodes.count ? "},\n" : "}\n"
    }
    out += "]"
    if let budgetBytes { out += ",\"budget\":\(budgetBytes)" }
    return out + "}\n"
  }
}
