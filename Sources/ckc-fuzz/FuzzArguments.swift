// The command line of the fuzzer.

import CompilerTesting

/// What the fuzzer is asked for.
struct FuzzArguments: Sendable {
  enum Mode: String, Sendable {
    /// Random programs, executed by the interpreter.
    case interpreted
    /// The same, and the emitted C compiled and run.
    case compiled
    /// The emitted CUDA, executed by emulation, beside the emitted C.
    case cuda
    /// Broken texts, which must be refused or read.
    case text
  }

  static let usage =
    "usage: ckc-fuzz --seed S --count N [--jobs J] [--compiled | --cuda | --text [FILE...]]"

  var seed: UInt64 = 1
  var count = 100
  var jobs = 2
  var mode = Mode.interpreted
  /// Whether this process runs the seeds itself.
  var isWorker = false
  /// The texts to break, IR or StableHLO, `count` versions of each; random programs where there is none.
  var files: [String] = []

  init(_ words: [String]) throws(TestTextError) {
    var rest = words[...]
    while let word = rest.popFirst() {
      switch word {
      case "--compiled": mode = .compiled
      case "--cuda": mode = .cuda
      case "--text": mode = .text
      case "--worker": isWorker = true
      case "--seed", "--count", "--jobs":
        guard let number = rest.popFirst().flatMap({ Int($0) }), number > 0 else {
          throw TestTextError("\(word) takes a positive number")
        }
        switch word {
        case "--seed": seed = UInt64(number)
        case "--count": count = number
        default: jobs = number
        }
      case _ where word.hasPrefix("-"): throw TestTextError("unknown argument '\(word)'")
      default: files.append(word)
      }
    }
    guard files.isEmpty || mode == .text else {
      throw TestTextError("'\(files[0])': files are taken by --text")
    }
  }

  /// The arguments that spell this.
  var commandLine: [String] {
    ["--seed", "\(seed)", "--count", "\(count)"] + (mode == .interpreted ? [] : ["--\(mode)"])
      + (isWorker ? ["--worker"] : []) + files
  }
}
