// `ckc version`, `ckc help` and `ckc completions`.

import CheckpointCompiler

/// `ckc version`
enum VersionVerb {
  /// The version of this source tree.
  static let version = "0.10.0"

  static func run(_ arguments: Arguments, console: Console) {
    let value: JSONValue = ["name": "ckc", "version": .string(version)]
    console.print(arguments.isJSON ? value.compactText + "\n" : "ckc \(version)\n")
  }
}

/// `ckc help`
enum HelpVerb {
  static func run(_ arguments: Arguments, console: Console) throws {
    let verb = arguments.operands.first.flatMap { Verb(rawValue: $0) }
    try run(verb, isJSON: arguments.isJSON, console: console)
  }

  static func run(_ verb: Verb?, isJSON: Bool, console: Console) throws {
    if isJSON {
      let verbs = verb.map { [$0] } ?? Verb.allCases
      console.print(JSONValue.array(verbs.map(describe)).prettyText)
    } else {
      console.print(verb.map(HelpText.page) ?? HelpText.overview)
    }
  }

  private static func describe(_ verb: Verb) -> JSONValue {
    [
      "verb": .string(verb.rawValue),
      "summary": .string(verb.definition.summary),
      "operands": .array(verb.definition.operands.map { .string($0.placeholder) }),
      "options": .array(
        verb.options.map { option in
          [
            "name": .string(option.spelling),
            "value": .string(option.definition.value.placeholder),
            "help": .string(option.definition.help),
          ]
        }),
    ]
  }
}

/// `ckc completions`
enum CompletionsVerb {
  static func run(_ arguments: Arguments, console: Console) {
    let script = Completions.script(for: arguments.operands[0]) ?? ""
    let value: JSONValue = ["shell": .string(arguments.operands[0]), "script": .string(script)]
    console.print(arguments.isJSON ? value.compactText + "\n" : script)
  }
}
