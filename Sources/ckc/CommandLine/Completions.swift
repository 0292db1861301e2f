// Completion scripts for shells, printed from the tables of verbs and options.

/// Prints completion scripts.
enum Completions {
  /// The script for a shell: `bash`, `zsh` or `fish`.
  static func script(for shell: String) -> String? {
    switch shell {
    case "bash": bash
    case "zsh": zsh
    case "fish": fish
    default: nil
    }
  }

  private static func spellings(of option: OptionName) -> [String] {
    [option.spelling] + (option.definition.short.map { ["-\($0)"] } ?? [])
  }

  private static var bash: String {
    var text = """
      # Completion of ckc for bash.
      _ckc() {
        local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" verb="${COMP_WORDS[1]}"
        COMPREPLY=()
        if [ "$COMP_CWORD" -eq 1 ]; then
          COMPREPLY=($(compgen -W "\(Verb.allCases.map(\.rawValue).joined(separator: " "))" -- "$word"))
          return
        fi
        case "$before" in

      """
    for option in OptionName.allCases {
      let names = spellings(of: option).joined(separator: "|")
      switch option.definition.value {
      case .flag: continue
      case .choice(let words), .choices(let words):
        text += "    \(names)) COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\" "
        text += "-- \"$word\")); return;;\n"
      case .file, .output, .binding:
        text += "    \(names)) COMPREPLY=($(compgen -f -- \"${word#*=}\")); return;;\n"
      case .budget:
        text += "    \(names)) COMPREPLY=($(compgen -W \"min 50% 64MiB\" -- \"$word\")); return;;\n"
      case .text, .integer, .number, .bytes, .percentage:
        text += "    \(names)) return;;\n"
      }
    }
    text += "  esac\n  case \"$verb\" in\n"
    for verb in Verb.allCases {
      let names = verb.options.flatMap(spellings).joined(separator: " ")
      let words = verb.definition.operands.flatMap { $0.completion.words }
      text += "    \(verb.rawValue))\n"
      text += "      if [[ \"$word\" == -* ]]; then "
      text += "COMPREPLY=($(compgen -W \"\(names)\" -- \"$word\"))\n"
      if words.isEmpty {
        text += "      else COMPREPLY=($(compgen -f -- \"$word\")); fi;;\n"
      } else {
        text += "      else COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\" "
        text += "-- \"$word\")); fi;;\n"
      }
    }
    return text + "  esac\n}\ncomplete -o filenames -F _ckc ckc\n"
  }

  private static var zsh: String {
    func quoted(_ text: String) -> String {
      "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
        + "'"
    }
    func plain(_ text: String) -> String {
      var out = ""
      for character in text {
        if "[]:\\".contains(character) { out += "\\" }
        out.append(character)
      }
      return out
    }
    func action(_ kind: ValueKind) -> String {
      switch kind {
      case .flag: ""
      case .choice(let words): ":value:(\(words.joined(separator: " ")))"
      case .choices(let words): ":values:_sequence compadd - \(words.joined(separator: " "))"
      case .file, .output: ":file:_files"
      case .binding: ":name=file:_files -P '*='"
      case .budget: ":size:(min 50% 64MiB)"
      case .text, .integer, .number, .bytes, .percentage: ":\(plain(kind.placeholder)):"
      }
    }
    var text = """
      #compdef ckc
      # Completion of ckc for zsh.
      _ckc() {
        local context state state_descr line
        typeset -A opt_args
        local -a verbs=(

      """
    for verb in Verb.allCases {
      text += "    \(quoted("\(verb.rawValue):\(verb.definition.summary)"))\n"
    }
    text += """
        )
        _arguments -C '1:verb:->verb' '*::argument:->argument'
        case $state in
          verb) _describe verb verbs;;
          argument)
            case $words[1] in

      """
    for verb in Verb.allCases {
      text += "        \(verb.rawValue)) _arguments"
      for option in verb.options {
        let definition = option.definition
        for spelling in spellings(of: option) {
          let repeats = definition.isRepeated ? "*" : ""
          text += " \\\n          "
          text += quoted(
            "\(repeats)\(spelling)[\(plain(definition.help))]\(action(definition.value))")
        }
      }
      for operand in verb.definition.operands {
        let words = operand.completion.words
        let what = words.isEmpty ? "_files" : "(\(words.joined(separator: " ")))"
        text += " \\\n          "
        text += quoted("\(operand.isRepeated ? "*" : "")::\(plain(operand.placeholder)):\(what)")
      }
      text += ";;\n"
    }
    return text
      + "      esac;;\n  esac\n}\nif [ \"$funcstack[1]\" = _ckc ]; then _ckc \"$@\"; else compdef _ckc ckc; fi\n"
  }

  private static var fish: String {
    func quoted(_ text: String) -> String {
      var out = "'"
      for character in text {
        if "'\\".contains(character) { out += "\\" }
        out.append(character)
      }
      return out + "'"
    }
    var text = "# Completion of ckc for fish.\ncomplete -c ckc -f\n"
    for verb in Verb.allCases {
      text += "complete -c ckc -n __fish_use_subcommand -a \(verb.rawValue) "
      text += "-d \(quoted(verb.definition.summary))\n"
    }
    for verb in Verb.allCases {
      let condition = "-n '__fish_seen_subcommand_from \(verb.rawValue)'"
      for operand in verb.definition.operands {
        let words = operand.completion.words
        text += "complete -c ckc \(condition) "
        text += words.isEmpty ? "-F\n" : "-a \(quoted(words.joined(separator: " ")))\n"
      }
      for option in verb.options {
        let definition = option.definition
        text += "complete -c ckc \(condition) -l \(option.rawValue)"
        if let short = definition.short { text += " -s \(short)" }
        switch definition.value {
        case .flag: break
        case .choice(let words): text += " -x -a \(quoted(words.joined(separator: " ")))"
        case .choices(let words):
          text += " -x -a \(quoted("(__fish_append , \(words.joined(separator: " ")))"))"
        case .file, .output, .binding: text += " -r -F"
        case .budget: text += " -x -a 'min 50% 64MiB'"
        case .text, .integer, .number, .bytes, .percentage: text += " -x"
        }
        text += " -d \(quoted(definition.help))\n"
      }
    }
    return text
  }
}
