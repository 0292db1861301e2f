// `ckc explain`: why one value is kept or recomputed, and what the other way would cost.

import CheckpointCompiler

/// `ckc explain`
enum ExplainVerb {
  /// What planning with the value pinned the other way gave.
  private enum Alternative {
    case plan(arenaBytes: Int, cost: Double, runs: Int)
    case refused(BudgetError)
  }

  static func run(_ arguments: Arguments, console: Console) throws {
    let word = arguments.operands[1]
    let name = word.hasPrefix("%") ? String(word.dropFirst()) : word
    let job = try GraphJob(arguments, lastStage: .memory)
    guard let compilation = try job.compile(console: console), let step = compilation.step else {
      return
    }
    guard let explanation = try compilation.explain(name) else {
      throw Failure.input(
        "\(job.fileName): the graph holds 'no_grad' or 'recompute' regions and is planned: "
          + "the text itself says what is kept")
    }
    var alternative: Alternative?
    if let choice = explanation.decision.opposite, job.options.plan == nil {
      alternative = try plan(job, pinning: ValuePin(value: name, choice))
    }
    let figures = (arenaBytes: step.arenaBytes, cost: step.costNs)
    if arguments.isJSON {
      console.print(json(explanation, alternative, figures).compactText + "\n")
    } else {
      console.print(text(explanation, alternative, figures, compilation))
    }
  }

  /// Plans again with a decision taken out of the planner's hands.
  private static func plan(_ job: GraphJob, pinning pin: ValuePin) throws -> Alternative {
    var options = job.options
    options.pins.removeAll { $0.value == pin.value }
    options.pins.append(pin)
    var sources = SourceMap()
    do {
      let compilation = try Compiler(options: options).compile(
        job.text, fileName: job.fileName, sources: &sources)
      guard let step = compilation.step else { throw Failure(.defect, "planning made nothing") }
      let runs = try compilation.explain(pin.value)?.runs ?? 0
      return .plan(arenaBytes: step.arenaBytes, cost: step.costNs, runs: runs)
    } catch CompileError.budget(let error) {
      return .refused(error)
    } catch {
      throw Failure(error, sources: sources)
    }
  }

  // MARK: Text

  private static func text(
    _ value: ValueExplanation, _ alternative: Alternative?,
    _ figures: (arenaBytes: Int, cost: Double), _ compilation: Compilation
  ) -> String {
    var out = "%\(value.name): \(value.type), \(describeBytes(value.sizeBytes))\n"
    out += "\(sentence(value, compilation))\n"
    guard value.kernel != nil else { return out }
    var rows: [[String]] = []
    rows.append([
      "made by", "\(value.kernel ?? "")", "predicted \(describeNs(value.kernelCostNs)) a run",
    ])
    rows.append(["runs", "\(value.runs)", ""])
    let readers = value.readers.prefix(6).map { "%\($0)" }.joined(separator: ", ")
    let more = value.readers.count > 6 ? " and \(value.readers.count - 6) more" : ""
    rows.append([
      "read by", value.readers.isEmpty ? "nothing" : readers + more,
      value.backwardReaders > 0 ? "\(value.backwardReaders) of them in the backward part" : "",
    ])
    if let life = value.keepAllLife {
      rows.append([
        "everything kept", describe([life]), "of \(value.kernelCounts.keepAll) kernels",
      ])
    }
    if !value.lives.isEmpty {
      rows.append([
        "in this plan", describe(value.lives), "of \(value.kernelCounts.plan) kernels",
      ])
    }
    out += "\n"
    for row in alignedColumns(rows, rightAligned: [false, false, false]) { out += "  \(row)\n" }
    if let alternative, let choice = value.decision.opposite {
      out += "\nWith --pin %\(value.name)=\(choice.rawValue): "
      out += consequence(alternative, choice, figures) + "\n"
    }
    return out
  }

  private static func describe(_ lives: [ValueExplanation.Life]) -> String {
    let shown = lives.prefix(4).map {
      $0.from == $0.through ? "\($0.from)" : "\($0.from) to \($0.through)"
    }
    let more = lives.count > 4 ? " and \(lives.count - 4) more times" : ""
    return "in memory at kernels " + shown.joined(separator: ", ") + more
  }

  /// The decision and its reason.
  private static func sentence(_ value: ValueExplanation, _ compilation: Compilation) -> String {
    let related = value.related.map { "%\($0)" } ?? ""
    switch value.decision {
    case .kept:
      let budget = compilation.budgetBytes.map { describeBytes($0) }
      return "kept: it waits in memory for the backward part; making it again would cost at least "
        + "\(describeNs(value.kernelCostNs))"
        + (budget.map { ", and \($0) have room for it" } ?? ", and no budget asks for it")
    case .recomputed:
      let extra = Double(value.runs - 1) * value.kernelCostNs
      return "recomputed: it is dropped, and its kernel runs \(value.runs) times in all, "
        + "\(describeNs(extra)) more than once"
    case .shortLived:
      return "neither kept nor recomputed: the backward part does not need it"
    case .backward: return "a value of the backward part: it dies after its last use"
    case .result:
      return "written straight into a result of the caller: it takes no room in the arena"
    case .argument: return "an argument, in memory of the caller: no plan changes that"
    case .constant: return "static data of the emitted code: it takes no room in the arena"
    case .fused: return "never in memory: it exists inside the fused kernel of \(related) only"
    case .view: return "a view that shares the memory of \(related)"
    case .simplified: return "simplified away: no kernel makes it under this name"
    }
  }

  private static func consequence(
    _ alternative: Alternative, _ choice: RematPin.Choice,
    _ figures: (arenaBytes: Int, cost: Double)
  ) -> String {
    switch alternative {
    case .refused(let error):
      return error.message
    case .plan(_, _, let runs) where choice == .recompute && runs < 2:
      return "nothing changes, it cannot be made again for a later use"
    case .plan(let arenaBytes, let cost, _):
      let time = cost - figures.cost
      let memory = arenaBytes - figures.arenaBytes
      let timeText =
        abs(time) < 0.5
        ? "the same predicted time"
        : "\(describeNs(abs(time))) (\(describePercent(abs(time) / max(1, figures.cost)))) "
          + (time > 0 ? "slower" : "faster")
      let memoryText =
        memory == 0
        ? "in the same arena"
        : "in an arena \(describeBytes(abs(memory))) \(memory > 0 ? "larger" : "smaller")"
      return "\(timeText), \(memoryText)"
    }
  }

  // MARK: JSON

  private static func json(
    _ value: ValueExplanation, _ alternative: Alternative?,
    _ figures: (arenaBytes: Int, cost: Double)
  ) -> JSONValue {
    func life(_ life: ValueExplanation.Life) -> JSONValue {
      [.integer(life.from), .integer(life.through)]
    }
    var members = [
      JSONMember("value", .string(value.name)), JSONMember("type", .string(value.type)),
      JSONMember("sizeBytes", .integer(value.sizeBytes)),
      JSONMember("decision", .string(value.decision.rawValue)),
      JSONMember("related", value.related.map { .string($0) } ?? .null),
      JSONMember("kernel", value.kernel.map { .string($0) } ?? .null),
      JSONMember("kernelCost", .number(value.kernelCostNs)),
      JSONMember("runs", .integer(value.runs)),
      JSONMember("readers", .array(value.readers.map { .string($0) })),
      JSONMember("backwardReaders", .integer(value.backwardReaders)),
      JSONMember("keepAllLife", value.keepAllLife.map(life) ?? .null),
      JSONMember("lives", .array(value.lives.map(life))),
      JSONMember("arenaBytes", .integer(figures.arenaBytes)),
      JSONMember("cost", .number(figures.cost)),
    ]
    if let alternative, let choice = value.decision.opposite {
      let pin = JSONMember("pin", .string(choice.rawValue))
      switch alternative {
      case .plan(let arenaBytes, let cost, let runs):
        members.append(
          JSONMember(
            "alternative",
            .object([
              pin, JSONMember("isFeasible", true), JSONMember("arenaBytes", .integer(arenaBytes)),
              JSONMember("cost", .number(cost)), JSONMember("runs", .integer(runs)),
            ])))
      case .refused(let error):
        members.append(
          JSONMember(
            "alternative",
            .object([
              pin, JSONMember("isFeasible", false),
              JSONMember(
                "minimumBudgetBytes", error.minimumBytes.map { .integer($0) } ?? .null),
            ])))
      }
    }
    return .object(members)
  }
}

extension ValueExplanation.Decision {
  /// The pin that would turn the decision around; nil where there is none.
  fileprivate var opposite: RematPin.Choice? {
    switch self {
    case .kept: .recompute
    case .recomputed: .keep
    case .shortLived, .backward, .result, .argument, .constant, .fused, .view, .simplified: nil
    }
  }
}
