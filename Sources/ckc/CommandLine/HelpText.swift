// Help pages and `docs/cli.md`, printed from the tables of verbs and options.

/// Prints help.
enum HelpText {
  /// `ckc VERB OPERAND … [options]`
  static func usage(of verb: Verb) -> String {
    var words = ["ckc", verb.rawValue]
    for operand in verb.definition.operands {
      let name = operand.placeholder + (operand.isRepeated ? " …" : "")
      words.append(operand.isOptional ? "[\(name)]" : name)
    }
    if verb.options.contains(where: { $0 != .json && $0 != .help }) { words.append("[options]") }
    return words.joined(separator: " ")
  }

  /// The list of verbs.
  static var overview: String {
    var text = """
      ckc compiles training graphs that must fit in memory.

      usage: ckc VERB … [options]


      """
    let width = Verb.allCases.map(\.rawValue.count).max() ?? 0
    for verb in Verb.allCases {
      text += "  \(padded(verb.rawValue, to: width + 2))\(verb.definition.summary)\n"
    }
    text += """

      'ckc help VERB' explains a verb and its options.
      Exit status: 0 done, 1 the input is wrong, 2 the command line is wrong,
      3 the budget cannot be met, 4 a compiler or device is missing or failed, or
      memory is short, 70 a defect of ckc.

      """
    return text
  }

  /// The page of one verb.
  static func page(of verb: Verb) -> String {
    let definition = verb.definition
    var text = "\(usage(of: verb)): \(definition.summary)\n\n"
    text += wrap(definition.details, indent: 0) + "\n"
    if !definition.operands.isEmpty {
      text += "\n"
      for operand in definition.operands {
        text += entry(operand.placeholder, operand.help)
      }
    }
    text += "\noptions:\n"
    for option in verb.options { text += entry(synopsis(of: option), option.definition.help) }
    if !definition.examples.isEmpty {
      text += "\nexamples:\n"
      for example in definition.examples {
        text += "  # \(example.meaning)\n  \(example.command)\n"
      }
    }
    return text
  }

  /// `-o, --output PATH`
  static func synopsis(of option: OptionName) -> String {
    let definition = option.definition
    let short = definition.short.map { "-\($0), " } ?? ""
    let value = definition.value.placeholder
    return short + option.spelling + (value.isEmpty ? "" : " \(value)")
  }

  /// The whole of `docs/cli.md`.
  static var markdown: String {
    var text = """
      # The command line

      <!-- Printed from the tables in Sources/ckc/CommandLine; a test compares. -->

      | verb | what it does |
      |---|---|

      """
    for verb in Verb.allCases {
      text += "| [`\(verb.rawValue)`](#ckc-\(verb.rawValue)) | \(verb.definition.summary) |\n"
    }
    text += """

      Errors go to standard error as `ckc: error: …`, those in a file with their place in it. The exit \
      status is 0 when done, 1 when the input is wrong, 2 when the command line is wrong, 3 when the \
      budget cannot be met, 4 when the C compiler, or nvcc or a CUDA device, is missing or failed (its \
      command and its output are shown), or the machine has no memory for what a graph takes, and 70 for \
      a defect of `ckc`. Files are written completely or not at all.

      With `--json` an error is an object on standard output as well: `error`, its first message; \
      `exitStatus`; `minimumBudgetBytes` where the budget was too small and a smallest one is known; and \
      `diagnostics`, all that was found: each has a `severity` (`error`, `warning`, `note`), a `message`, \
      where it has a place `file`, `line` and `column` (from 1, columns in bytes), where a rule of \
      [ops.md](ops.md) is broken its name as `constraint`, and `notes`, diagnostics that explain it.

      """
    for verb in Verb.allCases {
      let definition = verb.definition
      text += "\n## ckc \(verb.rawValue)\n\n    \(usage(of: verb))\n\n\(definition.details)\n"
      if !definition.operands.isEmpty {
        text += "\n"
        for operand in definition.operands {
          text += "- `\(operand.placeholder)`: \(operand.help)\n"
        }
      }
      text += "\n| option | meaning |\n|---|---|\n"
      for option in verb.options {
        let name = synopsis(of: option).split(separator: "|").joined(separator: "\\|")
        text += "| `\(name)` | \(option.definition.help) |\n"
      }
      for example in definition.examples {
        text += "\n\(example.meaning):\n\n    \(example.command)\n"
      }
    }
    return text
  }

  private static func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  /// A name and its meaning, in two columns; a long name has a line of its own.
  private static func entry(_ name: String, _ help: String) -> String {
    let column = 28
    let first = "  \(name)"
    let body = wrap(help, indent: column)
    if first.count + 2 > column {
      return "\(first)\n\(String(repeating: " ", count: column))\(body)\n"
    }
    return padded(first, to: column) + body + "\n"
  }

  /// Breaks text into lines of at most 80 columns, all but the first indented.
  private static func wrap(_ text: String, indent: Int) -> String {
    var lines = [""]
    for word in text.split(whereSeparator: \.isWhitespace) {
      if !lines[lines.count - 1].isEmpty,
        lines[lines.count - 1].count + word.count + 1 > 80 - indent
      {
        lines.append("")
      }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " ") + word
    }
    return lines.joined(separator: "\n" + String(repeating: " ", count: indent))
  }
}
