// Whether contractions can have the schedules that rules ask for.
//
// Method      Every contraction of the simplified function is scheduled without rules; what that gives,
//             and the shape, say which values are possible. Kernels that hold the contraction have the
//             same rows, columns and depth, so what is right for it is right for them. A kernel that makes
//             factors as it packs them may have more choice than the contraction alone: a rule does not.
// Cost        O(distinct contractions).

extension ScheduleRules {
  /// Checks all rules on the contractions of a function and of what it calls.
  ///
  /// - Returns: An error for every value that a contraction cannot have, and a warning for every rule
  ///   that is about no contraction; in the order of the text.
  func problems(in function: Function, target: Target) -> [Diagnostic] {
    guard !isEmpty else { return [] }
    var found: [Diagnostic] = []
    var sizes: Set<ContractionSize> = []
    var checked: Set<Contraction> = []
    var plain = target
    plain.schedule = ScheduleRules()
    for function in function.callees + [function] {
      for id in function.opsInOrder.flatMap({ function.opsOfKernel($0) }) {
        guard function.ops[id].opcode.definition.category == .contraction,
          let contraction = function.contraction(of: id), checked.insert(contraction).inserted
        else { continue }
        for part in contraction.parts {
          let size = part.size(contraction.dtypes)
          sizes.insert(size)
          guard let rule = self[size],
            let problem = part.problem(of: rule, in: contraction, target: plain)
          else { continue }
          let diagnostic = Diagnostic(
            "\(problem.key.rawValue): \(problem.message)", at: rule.location(of: problem.key))
          if !found.contains(diagnostic) { found.append(diagnostic) }
        }
      }
    }
    for (size, rule) in rules where !sizes.contains(size) {
      found.append(
        Diagnostic(
          "no contraction has the size \(size); 'ckc inspect --stage schedule' lists them all",
          at: rule.location, severity: .warning))
    }
    return found.sorted { $0.location.offset < $1.location.offset }
  }
}

extension Contraction.Part {
  /// The first value of a rule that this part of a contraction cannot have, and why.
  func problem(
    of rule: ScheduleRule, in contraction: Contraction, target: Target
  ) -> (key: ScheduleRule.Key, message: String)? {
    typealias Key = ScheduleRule.Key
    let dtypes = contraction.dtypes
    if rule.form == .winograd, contraction.winograd == nil {
      return (.form, "it is not computed by minimal filtering")
    }
    guard isPacked(dtypes), case .packed(let blocking) = form(dtypes, target) else {
      let key = Key.allCases.first { rule.text($0) != nil }
      return key.map { ($0, "it is not computed in packed panels, and has no schedule to choose") }
    }
    if contraction.winograd != nil, rule.form != .packed {
      let key = Key.allCases.first { $0 != .form && rule.text($0) != nil }
      return key.map { ($0, "it is computed by minimal filtering: 'form = packed' changes that") }
    }
    func isOut(_ number: Int?, of range: ClosedRange<Int>) -> Bool {
      number.map { !range.contains($0) } ?? false
    }
    func isCut(_ number: Int?, _ count: Int, unit: Int) -> Bool {
      number.map { $0 < 1 || $0 > count || $0 != count && $0 % unit != 0 } ?? false
    }
    if isOut(rule.slices, of: 1...(groupCount > 1 ? 1 : depthCount)) {
      return (
        .slices,
        groupCount > 1 ? "of several groups the depth is summed as a whole" : "1 to \(depthCount)"
      )
    }
    let slices = rule.slices ?? blocking.slices
    let deepest = min(quotient(depthCount, slices), deepestBlock(rowLayout(dtypes), dtypes))
    if isOut(rule.depth, of: 1...deepest) { return (.depth, "1 to \(deepest)") }
    if rule.shared == .rows, slices > 1 || ownsRows(blocking) {
      return (.shared, "every thread has rows of its own here")
    }
    let tall = blocking.layout == .acrossInPlace ? neighbouringRows : CGemmSource.rowsMax
    if slices > 1, rule.rows ?? rowCount != rowCount {
      return (.rows, "a slice has all \(rowCount)")
    }
    if isCut(rule.rows, rowCount, unit: tall) {
      let all = "all \(rowCount)"
      return (.rows, rowCount > tall ? "a multiple of \(tall) below \(rowCount), or \(all)" : all)
    }
    let wide = CGemmSource.columnBytesMax / dtypes.sum.byteCount
    let all = quotient(columnCount, wide) * wide
    if isCut(rule.columns, all, unit: wide) {
      return (.columns, "a multiple of \(wide) up to \(all)")
    }
    if isOut(rule.threads, of: 1...target.threadsMax) {
      return (.threads, "1 to \(target.threadsMax), what --threads allows")
    }
    // What is not said of the tasks follows from the chunks.
    let tasks = rule.tasks ?? (blocking.tasks == .groups ? .groups : .panels)
    if (tasks == .groups) != (blocking.tasks == .groups) || tasks == .blocks && slices > 1 {
      let place = slices > 1 ? "slices" : "groups"
      return (.tasks, "threads \(tasks == .groups ? "cannot have" : "have") whole \(place) here")
    }
    if isOut(rule.chunks, of: 1...(tasks == .panels ? max(rowCount, columnCount) : 1)) {
      return (
        .chunks,
        tasks == .panels
          ? "1 to \(max(rowCount, columnCount))" : "threads have whole \(tasks.rawValue) here"
      )
    }
    return nil
  }
}
