// The options of the command line: one row each, from which parsing, help, documentation and
// completions are derived.

import CheckpointCompiler

/// What follows an option.
enum ValueKind: Sendable, Equatable {
  /// Nothing: the option is given or not.
  case flag
  /// Free text.
  case text(String)
  /// A file that exists, mostly with the given suffix.
  case file(String)
  /// `NAME=FILE` with a file of the given suffix.
  case binding(String)
  /// A directory or file to write.
  case output(String)
  /// One word of a list.
  case choice([String])
  /// Some words of a list, with commas between them.
  case choices([String])
  /// A whole number in a range.
  case integer(String, ClosedRange<Int>)
  /// A number, at least 0.
  case number(String)
  /// A number of bytes.
  case bytes(String)
  /// A number of bytes, a percentage of the peak, or `min`.
  case budget
  /// A percentage.
  case percentage

  /// The value in help; empty for a flag.
  var placeholder: String {
    switch self {
    case .flag: ""
    case .text(let name), .output(let name), .integer(let name, _), .number(let name),
      .bytes(let name):
      name
    case .file: "FILE"
    case .binding(let suffix): "NAME=FILE.\(suffix)"
    case .choice(let words): words.joined(separator: "|")
    case .choices(let words): words.joined(separator: ",")
    case .budget: "SIZE"
    case .percentage: "P%"
    }
  }

  /// The words it may be.
  var words: [String] {
    switch self {
    case .choice(let words), .choices(let words): words
    default: []
    }
  }
}

/// An option; its raw value is its spelling without the dashes.
enum OptionName: String, CaseIterable, Sendable {
  case output
  case budget
  case maxOverhead = "max-overhead"
  case strategy
  case pin
  case planFile = "plan"
  case timeLimit = "time-limit"
  case effort
  case costs
  case schedule
  case threads
  case target
  case emit
  case optimizer
  case learningRate = "lr"
  case momentum
  case weightDecay = "weight-decay"
  case entry
  case name
  case loss
  case params
  case state
  case stage
  case format
  case pareto
  case compare
  case input
  case inputs
  case save
  case data
  case eval
  case epochs
  case resume
  case seed
  case cc
  case nvcc
  case tolerance
  case printAfter = "print-after"
  case stopAfter = "stop-after"
  case order
  case capacity
  case check
  case inPlace = "in-place"
  case json
  case help

  /// The spelling with its dashes.
  var spelling: String { "--\(rawValue)" }
}

/// The row of an option.
struct OptionDefinition: Sendable {
  /// The verbs that take it.
  let verbs: [Verb]
  /// What follows it.
  let value: ValueKind
  /// What it does.
  let help: String
  /// One letter that may stand for it.
  var short: Character?
  /// Whether it may be given more than once.
  var isRepeated = false
}

extension OptionName {
  /// The row of this option; an option without a row does not compile.
  var definition: OptionDefinition {
    switch self {
    case .output:
      OptionDefinition(
        verbs: [.compile, .inspect, .plan, .train, .profile, .import, .solve, .pack],
        value: .output("PATH"),
        help: "where to write: a directory for compile, 'out' unless given; otherwise a file",
        short: "o")
    case .budget:
      OptionDefinition(
        verbs: Verb.planning + [.solve], value: .budget,
        help: "the arena's limit: 512KiB, 64MiB, 2GiB, bytes, 50% of keeping everything, or min")
    case .maxOverhead:
      OptionDefinition(
        verbs: Verb.planning, value: .percentage,
        help: "the smallest memory for at most this much more time; 5% without a budget")
    case .strategy:
      OptionDefinition(
        verbs: Verb.planning + [.solve], value: .choice(OptionName.strategies),
        help: "how to choose what is recomputed")
    case .pin:
      OptionDefinition(
        verbs: Verb.planning, value: .text("%VALUE=keep|recompute"),
        help: "decide one value yourself", isRepeated: true)
    case .planFile:
      OptionDefinition(
        verbs: Verb.planning, value: .file("json"),
        help: "take the plan that compile --emit plan wrote instead of planning")
    case .timeLimit:
      OptionDefinition(
        verbs: Verb.planning + [.solve, .pack], value: .number("SECONDS"),
        help: "stop searching for a better plan or packing after this long")
    case .effort:
      OptionDefinition(
        verbs: [.compile, .plan, .solve], value: .number("N"),
        help: "amount of search for a better plan; 1 unless given, 100 take about ten seconds")
    case .costs:
      OptionDefinition(
        verbs: Verb.planning, value: .file("json"),
        help: "measured costs from ckc profile in place of estimates")
    case .schedule:
      OptionDefinition(
        verbs: Verb.graph, value: .file("txt"),
        help:
          "schedules of contractions in place of those of the cost model, as inspect --stage schedule prints them"
      )
    case .threads:
      OptionDefinition(
        verbs: Verb.graph, value: .integer("N", 1...Target.threadsLimit),
        help: "threads that the step runs on; the results do not depend on it")
    case .target:
      OptionDefinition(
        verbs: Verb.graph, value: .choice(Target.names),
        help: "what to emit and to plan for; c unless given, cuda is cuda:a100")
    case .emit:
      OptionDefinition(
        verbs: [.compile], value: .choices(["c", "lib", "exe", "ir", "plan", "report"]),
        help: "what to write; c unless given")
    case .optimizer:
      OptionDefinition(
        verbs: Verb.graph,
        value: .choice(["none", "sgd", "momentum", "adam", "adamw"]),
        help: "the update that becomes part of the step; sgd for train, else none")
    case .learningRate:
      OptionDefinition(
        verbs: [.train], value: .number("RATE"),
        help: "the learning rate; unless given 0.1 for sgd, 0.05 for momentum, else 0.001")
    case .momentum:
      OptionDefinition(
        verbs: Verb.graph, value: .number("M"), help: "the momentum of --optimizer momentum")
    case .weightDecay:
      OptionDefinition(
        verbs: Verb.graph, value: .number("W"), help: "the weight decay of the optimizer")
    case .entry:
      OptionDefinition(
        verbs: Verb.importing, value: .text("NAME"),
        help: "the function to compile, where the file has several")
    case .loss:
      OptionDefinition(
        verbs: Verb.importing, value: .text("RESULT"),
        help: "the result of a StableHLO graph that training minimizes, by name or position")
    case .params:
      OptionDefinition(
        verbs: Verb.importing, value: .text("NAMES"),
        help: "the arguments of a StableHLO graph that are trained: names, positions, 0-7, "
          + "'params.*', with commas between them", isRepeated: true)
    case .state:
      OptionDefinition(
        verbs: Verb.importing, value: .text("NAMES=RESULTS"),
        help: "arguments of a StableHLO graph that are carried from step to step, and the results "
          + "that are their next values: 8-9=1-2", isRepeated: true)
    case .stage:
      OptionDefinition(
        verbs: [.inspect],
        value: .choice([
          "parsed", "differentiated", "simplified", "planned", "kernels", "memory", "schedule",
        ]),
        help: "what to look at; planned unless given")
    case .format:
      OptionDefinition(
        verbs: [.inspect, .plan, .solve],
        value: .choice(["ir", "text", "dot", "svg", "html", "json"]),
        help:
          "how to show it: ir, dot, svg, html or json for inspect; text, svg or json for plan and "
          + "solve --compare")
    case .pareto:
      OptionDefinition(
        verbs: [.plan], value: .flag, help: "plans for many budgets: the curve of memory and time")
    case .compare:
      OptionDefinition(
        verbs: [.plan, .solve], value: .flag,
        help: "what every strategy costs for many budgets, or for the one given")
    case .input:
      OptionDefinition(
        verbs: [.run, .check], value: .binding("npy"),
        help: "the value of an input, by name or position", isRepeated: true)
    case .inputs:
      OptionDefinition(
        verbs: [.run, .check], value: .file("npz"),
        help: "the values of arguments, by name: what run --save wrote, or weights that train "
          + "saved as .safetensors")
    case .name:
      OptionDefinition(
        verbs: [.compile], value: .text("NAME"),
        help: "what emitted names and files begin with; the function's name unless given, so that "
          + "networks of different names link into one program")
    case .save:
      OptionDefinition(
        verbs: [.run], value: .output("FILE.npz"),
        help: "write the results, in result order, then updated parameters and state")
    case .data:
      OptionDefinition(
        verbs: [.train], value: .binding("npy"),
        help: "training data of an input: the graph's shape with more rows", isRepeated: true)
    case .eval:
      OptionDefinition(
        verbs: [.train], value: .binding("npy"),
        help: "held-out data of an input, evaluated after each epoch", isRepeated: true)
    case .epochs:
      OptionDefinition(
        verbs: [.train], value: .integer("N", 0...OptionName.epochsMax),
        help: "passes over the data; 1 unless given")
    case .resume:
      OptionDefinition(
        verbs: [.train], value: .file("safetensors"),
        help: "continue from a file that train saved")
    case .seed:
      OptionDefinition(
        verbs: [.run, .train, .check], value: .integer("N", 0...Int.max),
        help: "seed of initial weights, shuffling and random ops; 0 unless given")
    case .cc:
      OptionDefinition(
        verbs: Verb.compiling, value: .text("COMPILER"),
        help: "the C compiler instead of $CC, cc, gcc or clang")
    case .nvcc:
      OptionDefinition(
        verbs: Verb.compiling, value: .text("COMPILER"),
        help: "the CUDA compiler instead of $CUDA_HOME/bin/nvcc or nvcc")
    case .tolerance:
      OptionDefinition(
        verbs: [.check], value: .number("T"),
        help: "largest relative error of a gradient; 1e-5 unless given")
    case .printAfter:
      OptionDefinition(
        verbs: Verb.graph, value: .text("STAGE"),
        help: "print the function after a stage or pass to standard error", isRepeated: true)
    case .stopAfter:
      OptionDefinition(
        verbs: Verb.graph, value: .text("STAGE"),
        help: "stop after a stage or pass and print what it made")
    case .order:
      OptionDefinition(
        verbs: [.solve], value: .choice(["free", "given"]),
        help: "whether first computations may leave the order of the file; free unless given")
    case .capacity:
      OptionDefinition(
        verbs: [.pack], value: .bytes("SIZE"),
        help: "stop at a packing this low; status 3 if none is found")
    case .check:
      OptionDefinition(
        verbs: [.fmt], value: .flag,
        help: "write nothing; status 1 if a file is not in standard form")
    case .inPlace:
      OptionDefinition(
        verbs: [.fmt], value: .flag, help: "rewrite the files", short: "i")
    case .json:
      OptionDefinition(
        verbs: Verb.allCases, value: .flag, help: "write the result as JSON for machines")
    case .help:
      OptionDefinition(
        verbs: Verb.allCases, value: .flag, help: "explain the verb", short: "h")
    }
  }

  /// The most epochs: their batches are counted.
  static let epochsMax = 1_000_000_000

  /// The strategies of the planner, the default first.
  static let strategies =
    ["auto"] + RematStrategy.allCases.map(\.rawValue).filter { $0 != "auto" }
}

extension Verb {
  /// The options that this verb takes, in the order of the table.
  var options: [OptionName] { OptionName.allCases.filter { $0.definition.verbs.contains(self) } }
}
