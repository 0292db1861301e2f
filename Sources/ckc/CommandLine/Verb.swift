// The verbs of the command line: one row each, from which parsing, help, documentation and
// completions are derived.

/// What `ckc` can be asked to do.
enum Verb: String, CaseIterable, Sendable {
  case compile
  case inspect
  case plan
  case explain
  case run
  case train
  case check
  case profile
  case `import`
  case solve
  case pack
  case fmt
  case ops
  case version
  case help
  case completions

  /// The verbs that read a graph and decide what is kept.
  static let planning: [Verb] = [.compile, .inspect, .plan, .explain, .run, .train, .check]
  /// The verbs that read a graph.
  static let graph: [Verb] = planning + [.profile]
  /// The verbs that read a graph of IR or StableHLO.
  static let importing: [Verb] = graph + [.import]
  /// The verbs that call a compiler of C or CUDA.
  static let compiling: [Verb] = [.compile, .run, .train, .check, .profile]
}

/// A word on the command line that is no option.
struct Operand: Sendable {
  /// The placeholder in help, such as `GRAPH`.
  let placeholder: String
  /// What it is.
  let help: String
  /// Whether it may be left out.
  var isOptional = false
  /// Whether it may be given more than once.
  var isRepeated = false
  /// What completes it.
  var completion = ValueKind.text("")
}

/// The row of a verb.
struct VerbDefinition: Sendable {
  /// What it does, in a few words.
  let summary: String
  /// What it does, in a paragraph or two.
  let details: String
  /// Its operands in order.
  let operands: [Operand]
  /// Command lines that show it, each with what it does.
  let examples: [(command: String, meaning: String)]
}

extension Verb {
  private static let graphOperand = Operand(
    placeholder: "GRAPH", help: "a graph as .ir text or StableHLO (.mlir); - is standard input",
    completion: .file("ir"))

  /// The row of this verb; a verb without a row does not compile.
  var definition: VerbDefinition {
    switch self {
    case .compile:
      VerbDefinition(
        summary: "emit C that fits the budget",
        details: """
          Differentiates, plans under the budget, rewrites, packs and emits the graph. The arena \
          never exceeds the budget, or the command fails with status 3 and names the smallest \
          budget it can reach.
          """,
        operands: [Verb.graphOperand],
        examples: [
          ("ckc compile net.ir -o out --budget 50%", "C and a library in half the memory"),
          ("ckc compile net.ir --emit c,exe -o out", "a program that runs steps and measures"),
          ("ckc compile net.ir --target cuda:h100 -o out", "CUDA for a graphics processor"),
        ])
    case .inspect:
      VerbDefinition(
        summary: "print or draw a stage of the compilation",
        details: """
          Prints the function as it is after a stage. With --format svg or html it draws the \
          memory timeline before and after planning, with kept and recomputed values marked; with \
          --format dot the kernels and values of the stage, for Graphviz.
          """,
        operands: [Verb.graphOperand],
        examples: [
          ("ckc inspect net.ir --stage planned --budget 50%", "the rewritten IR"),
          ("ckc inspect net.ir --stage memory --format html -o net.html", "the timeline"),
        ])
    case .plan:
      VerbDefinition(
        summary: "show what would be kept and recomputed",
        details: """
          Prints the peak, the cost, a proven lower bound of the cost and the gap between the \
          two, and which values are kept and which recomputed. Nothing is emitted. With --format \
          svg it draws the memory timeline, with --pareto as well the curve of memory and time. With \
          --compare it prints, or draws, what each of the published strategies costs at budgets \
          from all of the memory down to the smallest, beside the proven bound; a budget is there \
          the memory in use, before packing.
          """,
        operands: [Verb.graphOperand],
        examples: [
          ("ckc plan net.ir --budget 64MiB", "the plan for a budget"),
          ("ckc plan net.ir --pareto --format svg -o curve.svg", "memory against time"),
          ("ckc plan net.ir --compare", "all strategies, side by side"),
        ])
    case .explain:
      VerbDefinition(
        summary: "say why one value is kept or recomputed",
        details: """
          Says how large the value is, what makes and reads it, when it is in memory, and what \
          planning again with the value pinned the other way gives.
          """,
        operands: [
          Verb.graphOperand,
          Operand(placeholder: "%VALUE", help: "a value of the graph, such as %h3"),
        ],
        examples: [("ckc explain net.ir %h3 --budget 50%", "why %h3 is or is not kept")])
    case .run:
      VerbDefinition(
        summary: "compile, execute once and write the results",
        details: """
          Inputs that are not given are zero, but %key is the seed and 0, and %lr the usual \
          learning rate; parameters and state start from --inputs, from their initial values in \
          the graph, or from --seed. Results are written in their order, then parameters and \
          state that the step updates, under their own names: --inputs takes them again. With \
          --target cuda the step is compiled with nvcc and runs on the first device.
          """,
        operands: [Verb.graphOperand],
        examples: [
          ("ckc run net.ir --input x=x.npy --save out.npz", "one step, results in out.npz")
        ])
    case .train:
      VerbDefinition(
        summary: "compile, train and save the weights",
        details: """
          Trains for a number of epochs over the data, shuffled by --seed, and saves parameters \
          and optimizer state as safetensors, to net.safetensors for net.ir unless -o says else. The \
          first dimension of the inputs is the batch; data have more rows. %key gets the seed and \
          the step, %lr the learning rate. --eval runs @eval where the file has it, otherwise the \
          forward part of the graph, and prints the mean of every scalar result. Ctrl-C stops \
          after the current step and saves; --resume continues from there as if it had not \
          stopped, or starts from weights of another origin. The saved bytes depend neither on \
          the budget nor on --threads. With --target cuda the steps are compiled with nvcc and run \
          on the first device, where parameters and state stay from step to step.
          """,
        operands: [Verb.graphOperand],
        examples: [
          (
            "ckc train net.ir --data x=x.npy --data y=y.npy --epochs 5 -o net.safetensors",
            "five epochs"
          )
        ])
    case .check:
      VerbDefinition(
        summary: "check gradients, plan and memory by running",
        details: """
          Compares gradients with central differences in f64; the results of the plan with those \
          of keeping everything, bit by bit, over three steps, with one thread and several, and \
          with memory overwritten before it is first written; one step with the reference \
          interpreter; and the measured high-water mark with ARENA_BYTES. Inputs that are not given \
          are random. With --target cuda the emitted CUDA is executed by emulation on this \
          processor: compared with emitted C, and bit by bit with keeping everything and with other \
          orders of threads, searched for races, reads of what was not written and accesses out of \
          bounds, and its peak of device memory counted; where nvcc and a device are there, it runs \
          there as well. Status 1 if a check fails.
          """,
        operands: [Verb.graphOperand],
        examples: [
          ("ckc check net.ir --budget min", "all checks at the smallest budget"),
          ("ckc check net.ir --target cuda", "emitted CUDA, with or without a device"),
        ])
    case .profile:
      VerbDefinition(
        summary: "measure the cost of every kernel here",
        details: """
          Writes measured times that --costs takes in place of estimates; with --target cuda those of \
          the first device, by events.
          """,
        operands: [Verb.graphOperand],
        examples: [("ckc profile net.ir -o costs.json", "then: ckc plan net.ir --costs costs.json")]
      )
    case .import:
      VerbDefinition(
        summary: "read StableHLO and write IR",
        details: """
          Reads the StableHLO text that JAX or PyTorch printed and writes it as IR. All verbs that take \
          a graph read .mlir files as well; what is not supported is listed at once, each with its \
          line. A forward graph is differentiated where --loss and --params say what is trained.
          """,
        operands: [
          Operand(
            placeholder: "FILE", help: "StableHLO text; - is standard input",
            completion: .file("mlir"))
        ],
        examples: [
          ("ckc import step.mlir -o step.ir", "the graph as IR"),
          (
            "ckc compile forward.mlir --loss 0 --params 0-7 --budget 50%",
            "a forward graph as a training step"
          ),
        ])
    case .solve:
      VerbDefinition(
        summary: "run the planner on a graph of costs and sizes",
        details: """
          Reads {"nodes":[{"name","cost","outputs","inputs","scratch","keep","once", \
          "overwrites"}],"budget"} and writes the schedule, its peak and cost, and a proven lower bound as JSON. With \
          --compare it prints what each strategy costs at many budgets.
          """,
        operands: [
          Operand(
            placeholder: "PROBLEM", help: "the problem as JSON; - is standard input",
            completion: .file("json"))
        ],
        examples: [
          ("ckc solve problem.json --budget 1GiB", "the schedule for 1 GiB"),
          (
            "ckc solve problem.json --compare --format svg -o strategies.svg",
            "all strategies in one drawing"
          ),
        ])
    case .pack:
      VerbDefinition(
        summary: "run the packer on buffers with lifetimes",
        details: """
          Reads id,lower,upper,size lines, lives half-open, and writes them with an offset column.
          """,
        operands: [
          Operand(
            placeholder: "INSTANCE", help: "the buffers as CSV; - is standard input",
            completion: .file("csv"))
        ],
        examples: [("ckc pack A.1048576.csv --capacity 1048576", "offsets within 1 MiB")])
    case .fmt:
      VerbDefinition(
        summary: "print IR text in its standard form",
        details: """
          Parses and checks each file and prints it in standard form. Only the space between words \
          changes: comments, layers, expressions and the spelling of numbers stay. One wrong file \
          and nothing is rewritten.
          """,
        operands: [
          Operand(
            placeholder: "FILE", help: "IR text; - is standard input", isRepeated: true,
            completion: .file("ir"))
        ],
        examples: [
          ("ckc fmt -i net.ir", "rewrite the file"),
          ("ckc fmt --check *.ir", "status 1 if a file is not formatted"),
        ])
    case .ops:
      VerbDefinition(
        summary: "describe the primitive ops",
        details: "Lists all ops, or prints the full description of one.",
        operands: [
          Operand(placeholder: "OP", help: "an op, such as dot_general", isOptional: true)
        ],
        examples: [("ckc ops dot_general", "its operands, attributes, type rule and gradient")])
    case .version:
      VerbDefinition(
        summary: "print the version", details: "Prints the version of ckc.", operands: [],
        examples: [])
    case .help:
      VerbDefinition(
        summary: "explain a verb", details: "Prints the list of verbs, or the help of one.",
        operands: [
          Operand(
            placeholder: "VERB", help: "a verb", isOptional: true,
            completion: .choice(Verb.allCases.map(\.rawValue)))
        ],
        examples: [("ckc help train", "all about train")])
    case .completions:
      VerbDefinition(
        summary: "print a completion script for a shell",
        details: "The script completes verbs, options, their values and files.",
        operands: [
          Operand(
            placeholder: "SHELL", help: "bash, zsh or fish",
            completion: .choice(["bash", "zsh", "fish"]))
        ],
        examples: [
          ("ckc completions bash > ~/.local/share/bash-completion/completions/ckc", "for bash"),
          ("ckc completions zsh > ~/.zfunc/_ckc", "for zsh, with ~/.zfunc in fpath"),
          ("ckc completions fish > ~/.config/fish/completions/ckc.fish", "for fish"),
        ])
    }
  }
}
