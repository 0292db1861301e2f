// The schedules of contractions as text, in the format of `ScheduleReader.swift`.
//
// Invariants  Read back, it gives the same schedules: where kernels of one size have different blocks, or
//             such as the contraction alone cannot have, the line says only in which order sums are added,
//             and where not even that is the same, nothing.

extension ContractionSize: CustomStringConvertible {
  /// The size as texts have it.
  public var description: String {
    "\(rows) x \(columns) x \(depth)\(groups > 1 ? " x \(groups)" : "") \(first.name)"
      + (first == second ? "" : " * \(second.name)")
  }
}

extension ScheduleRule: CustomStringConvertible {
  /// The rule as texts have it, without the size.
  public var description: String {
    Key.allCases.compactMap { key in text(key).map { "\(key.rawValue) = \($0)" } }
      .joined(separator: ", ")
  }
}

extension ScheduleRule {
  /// The rule that a schedule follows.
  init(_ blocking: Blocking) {
    form = .packed
    slices = blocking.slices
    depth = blocking.depth
    shared = blocking.sharesRows ? .rows : .columns
    rows = blocking.rows
    columns = blocking.columns
    threads = blocking.threads
    tasks = blocking.tasks
    chunks = blocking.chunks
  }

  /// What two kernels have in common: all of it, or else the order of sums; nil where that differs.
  func common(with other: ScheduleRule) -> ScheduleRule? {
    if self == other { return self }
    return orderOfSums == other.orderOfSums ? orderOfSums : nil
  }

  /// What it says of the order of sums.
  var orderOfSums: ScheduleRule {
    var rule = ScheduleRule()
    (rule.form, rule.slices, rule.depth) = (form, slices, depth)
    return rule
  }
}

extension KernelProgram {
  /// The schedules of all contractions as rules: what `ScheduleRules(text:)` reads.
  var scheduleText: String {
    var order: [ContractionSize] = []
    var found: [ContractionSize: (rule: ScheduleRule?, remark: String, labels: [String])] = [:]
    for function in functions {
      guard case .contraction(let contraction) = function.body else { continue }
      for part in contraction.parts {
        let size = part.size(contraction.dtypes)
        let (rule, remark) = schedule(of: part, in: contraction)
        if var known = found[size] {
          known.rule = known.rule.flatMap { one in rule.flatMap { one.common(with: $0) } }
          known.labels.append(function.label)
          found[size] = known
        } else {
          order.append(size)
          found[size] = (rule, remark, [function.label])
        }
      }
    }
    var text = "// ROWS x COLUMNS x DEPTH [x GROUPS] DTYPE: what was chosen for its contractions\n"
    for size in order {
      let (rule, remark, labels) = found[size]!
      let more = labels.count > 1 ? " and \(labels.count - 1) more" : ""
      text += "\n// \(labels[0])\(more): \(remark)\n"
      text += rule.map { "\(size): \($0)\n" } ?? "// \(size)\n"
    }
    return text
  }

  /// The rule that a part follows, nil where there is no choice, and its schedule in words.
  private func schedule(
    of part: Contraction.Part, in contraction: Contraction
  ) -> (ScheduleRule?, String) {
    if let winograd = contraction.winograd(target) {
      var rule = ScheduleRule()
      rule.form = .winograd
      return (rule, winograd.description(target))
    }
    switch part.form(contraction.dtypes, target) {
    case .lanes: return (nil, "lanes along the result")
    case .dots: return (nil, "lanes along the depth")
    case .depthwise(let form): return (nil, form.description)
    case .packed(let blocking):
      let rule = ScheduleRule(blocking)
      var plain = part
      (plain.firstCycles, plain.secondCycles, plain.sumsWait) = (nil, nil, false)
      var others = target
      others.schedule = ScheduleRules()
      let isPossible = plain.problem(of: rule, in: contraction, target: others) == nil
      return (isPossible ? rule : rule.orderOfSums, blocking.description)
    }
  }
}
