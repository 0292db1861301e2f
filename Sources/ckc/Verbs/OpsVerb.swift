// `ckc ops`: the op table, for reading.

import CheckpointCompiler

/// `ckc ops`
enum OpsVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    guard let name = arguments.operands.first else {
      if arguments.isJSON {
        console.print(JSONValue.array(Opcode.allCases.map(json)).prettyText)
      } else {
        console.print(list)
      }
      return
    }
    guard let opcode = Opcode(name: name) else {
      let hint = hint(for: name, in: Opcode.allCases.map(\.name))
      throw Failure.usage("no op '\(name)'" + (hint.isEmpty ? "; 'ckc ops' lists them" : hint))
    }
    console.print(arguments.isJSON ? json(opcode).prettyText : opReference(opcode))
  }

  /// `; did you mean …?` with the ops whose names begin with a word, or hold it, or are close to it.
  private static func hint(for word: String, in names: [String]) -> String {
    let extended = names.filter { $0.hasPrefix(word) }
    let related = extended.isEmpty ? names.filter { $0.contains(word) } : extended
    guard word.count >= 3, let last = related.prefix(5).last else {
      return Suggestion.clause(for: word, in: names)
    }
    let others = related.prefix(5).dropLast().map { "'\($0)'" }.joined(separator: ", ")
    return "; did you mean \(others)\(others.isEmpty ? "" : " or ")'\(last)'?"
  }

  /// All ops, one a line.
  private static var list: String {
    let rows = Opcode.allCases.map { [$0.name, $0.definition.summary] }
    return alignedColumns(rows, rightAligned: [false, false]).map { "\($0)\n" }.joined()
  }

  private static func gradient(_ gradient: Gradient) -> String {
    switch gradient {
    case .rule: "derived by a rule"
    case .zero: "zero"
    case .unsupported: "none"
    }
  }

  private static func text(_ kind: AttributeKind) -> String {
    switch kind {
    case .int: "an integer"
    case .number: "a number"
    case .ints: "a list of integers"
    case .symbol(let words): words.joined(separator: " | ")
    case .dimNumbers: "dimension numbers such as \"b01f_01io->b01f\""
    case .constant: "the elements"
    case .function: "a function"
    case .functions: "a list of functions"
    case .string: "a string"
    }
  }

  private static func text(_ value: AttributeDefault) -> String {
    switch value {
    case .required: ""
    case .optional: ", optional"
    case .fill(let fill): ", each \(fill) unless given"
    case .int(let number): ", \(number) unless given"
    case .number(let number): ", \(number) unless given"
    }
  }

  private static func json(_ opcode: Opcode) -> JSONValue {
    let definition = opcode.definition
    return [
      "name": .string(definition.name), "summary": .string(definition.summary),
      "category": .string("\(definition.category)"),
      "operands": .array(
        definition.operands.map {
          ["name": .string($0.name), "kind": .string($0.kind.rawValue)]
        }),
      "isVariadic": .bool(definition.isVariadic),
      "attributes": .array(
        definition.attributes.map {
          [
            "name": .string($0.name.rawValue), "kind": .string(text($0.kind)),
            "isRequired": .bool(text($0.defaultValue).isEmpty),
          ]
        }),
      "constraints": .array(definition.constraints.map { .string($0) }),
      "gradient": .string(gradient(definition.gradient)),
    ]
  }
}
