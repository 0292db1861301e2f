// The op table as text: `docs/ops.md` and `ckc ops` are printed from here.

/// The description of one op in Markdown: what it computes, operands, attributes, constraints,
/// gradient, cost.
package func opReference(_ opcode: Opcode) -> String {
  let op = opcode.definition
  var text = "### `\(op.name)`\n\n\(op.summary)\n\n"
  text += "    \(spelling(of: op))\n\n"
  for (index, operand) in op.operands.enumerated() {
    let repeats = op.isVariadic && index == op.operands.count - 1
    text += "- Operand `\(operand.name)`: \(operand.kind.rawValue)\(repeats ? ", repeated" : "")\n"
  }
  for attribute in op.attributes {
    text += "- Attribute `\(attribute.name.rawValue)`: \(attribute.kind.words)"
    text += attribute.defaultValue.words.map { "; \($0)\n" } ?? "\n"
  }
  for (index, constraint) in op.constraints.enumerated() {
    text += "- `\(op.name)_c\(index + 1)`: \(constraint)\n"
  }
  if op.category != .structure {
    text += "- Gradient: \(op.gradient.words)\n"
    text += "- Cost: \(costWords(of: op)), operands read once, result written once\n"
  }
  return text
}

/// The descriptions of all ops in Markdown, by family, after a table of them.
package func opReferenceTable() -> String {
  var text = """
    # The ops

    <!-- Printed from the op table in Sources/CheckpointCompiler/Ops; a test compares. -->

    Names and semantics follow StableHLO. A constraint's name stands in brackets behind the error that \
    it causes, and names the test in `Tests/Files/verify`. Every op has three more, which say the same of \
    all ops: `<op>_operands` (their number and dtypes), `<op>_attributes` (their names and kinds) and \
    `<op>_type` (the result type, where one is written, is the one that follows).

    | op | what it computes |
    |---|---|

    """
  let families = OpCategory.allCases.map { category in
    (category, Opcode.allCases.filter { $0.definition.category == category })
  }
  for opcode in families.flatMap(\.1) {
    let name = opcode.name
    text += "| [`\(name)`](#\(name)) | \(firstSentence(of: opcode.definition.summary)) |\n"
  }
  for (category, opcodes) in families {
    text += "\n## \(category.title)\n"
    for opcode in opcodes { text += "\n\(opReference(opcode))" }
  }
  return text
}

/// The summary up to the end of its first sentence or clause.
private func firstSentence(of summary: String) -> String {
  var end = summary.startIndex
  while end < summary.endIndex {
    let next = summary.index(after: end)
    let endsSentence = summary[end] == "." && (next == summary.endIndex || summary[next] == " ")
    if endsSentence || summary[end] == ";" || summary[end] == ":" { break }
    end = next
  }
  return summary[..<end].replacing("|", with: "\\|") + "."
}

/// How an op is written: `%y = add %a, %b`.
private func spelling(of op: OpDefinition) -> String {
  switch op.name {
  case "constant": return "%y = constant 1.5 : f32[2,3]"
  case "call": return "%y, %z = call @callee %a, %b : f32[2], i32"
  case "fusion", "no_grad", "recompute": return "%y, %z = \(op.name) \"label\" { … yield %a, %b }"
  case "while": return "%y, %z = while %a, %b, %c {condition = @more, body = @next}"
  case "case": return "%y, %z = case %index, %a, %b {branches = [@first, @second]}"
  case "yield", "return": return "\(op.name) %a, %b"
  default: break
  }
  var text = "\(op.resultsRule == nil ? "%y" : "%y, …") = \(op.name)"
  let operands = op.operands.map { "%\($0.name)" } + (op.isVariadic ? ["…"] : [])
  if !operands.isEmpty { text += " " + operands.joined(separator: ", ") }
  let attributes = op.attributes.map { attribute -> String in
    let entry = "\(attribute.name.rawValue) = …"
    if case .required = attribute.defaultValue { return entry }
    return "[\(entry)]"
  }
  if !attributes.isEmpty { text += " {\(attributes.joined(separator: ", "))}" }
  return text
}

private func costWords(of op: OpDefinition) -> String {
  if op.flops != nil { return "operations counted from the shapes" }
  let count = Int(op.flopsPerElement)
  return count == 1 ? "1 operation per element" : "\(count) operations per element"
}

extension OpCategory {
  /// The heading of the family in the documentation.
  fileprivate var title: String {
    switch self {
    case .elementwise: "Elementwise"
    case .generator: "Generators"
    case .movement: "Movement"
    case .reduction: "Reduction"
    case .contraction: "Contraction"
    case .attention: "Attention"
    case .window: "Windows"
    case .indexed: "Indexed access"
    case .structure: "Structure"
    }
  }
}

extension AttributeKind {
  /// What its value looks like, in words.
  fileprivate var words: String {
    switch self {
    case .int: "an integer"
    case .number: "a number"
    case .ints: "a list of integers"
    case .symbol(let words): "one of \(words.map { "`\($0)`" }.joined(separator: ", "))"
    case .dimNumbers: "dimension numbers, such as `b01f_01io->b01f`"
    case .constant: "the elements"
    case .function: "a function"
    case .functions: "a list of functions"
    case .string: "a label"
    }
  }
}

extension AttributeDefault {
  /// What happens where it is absent, in words; nil where it must be given.
  fileprivate var words: String? {
    switch self {
    case .required: nil
    case .optional: "may be absent"
    case .fill(let value): "\(value) for every dimension unless given"
    case .int(let value): "\(value) unless given"
    case .number(let value): "\(value) unless given"
    }
  }
}

extension Gradient {
  /// How it is found, in words.
  fileprivate var words: String {
    switch self {
    case .rule: "by a rule"
    case .zero: "zero"
    case .unsupported: "none"
    }
  }
}
