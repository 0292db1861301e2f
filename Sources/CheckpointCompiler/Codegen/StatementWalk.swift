// Which scalars a kernel reads, to leave out definitions that nothing reads.

extension Index {
  /// Calls `visit` with every place variable in it.
  func forEachLocal(_ visit: (Int) -> Void) {
    for term in terms {
      switch term.atom {
      case .variable: break
      case .local(let local): visit(local)
      case .quotient(let inner, _), .remainder(let inner, _): inner.forEachLocal(visit)
      }
    }
  }
}

extension Expression {
  /// Calls `visit` with every scalar in it.
  func forEachLocal(_ visit: (Int) -> Void) {
    switch self {
    case .local(let local): visit(local)
    case .lane(_, let index), .load(_, let index), .number(let index, _),
      .randomWord(_, _, let index):
      index.forEachLocal(visit)
    case .constant, .neutral: break
    case .apply(_, _, _, let operands, _): for operand in operands { operand.forEachLocal(visit) }
    case .combine(_, _, let a, let b):
      a.forEachLocal(visit)
      b.forEachLocal(visit)
    case .choose(let conditions, let a, let b):
      for condition in conditions { condition.index.forEachLocal(visit) }
      a.forEachLocal(visit)
      b.forEachLocal(visit)
    case .uniform(let word, _): word.forEachLocal(visit)
    }
  }
}

/// Statements without definitions that nothing reads: one sweep from the last to the first.
///
/// - Parameters:
///   - statements: The statements.
///   - result: What is read after them.
/// - Returns: The statements that are left.
func withoutUnusedDefinitions(
  _ statements: [Statement], keeping result: Expression? = nil
) -> [Statement] {
  var used: Set<Int> = []
  result?.forEachLocal { used.insert($0) }
  return swept(statements, &used)
}

private func swept(_ statements: [Statement], _ used: inout Set<Int>) -> [Statement] {
  var kept: [Statement] = []
  func use(_ expression: Expression, _ used: inout Set<Int>) {
    expression.forEachLocal { used.insert($0) }
  }
  func use(_ index: Index, _ used: inout Set<Int>) { index.forEachLocal { used.insert($0) } }
  for statement in statements.reversed() {
    switch statement {
    case .define(let local, _, let expression), .definePlace(let local, let expression, _):
      guard used.contains(local) else { continue }
      use(expression, &used)
      kept.append(statement)
    case .defineRow(_, _, _, let expression):
      use(expression, &used)
      kept.append(statement)
    case .defineScratchRow(_, _, _, let index):
      use(index, &used)
      kept.append(statement)
    case .assignLane(_, let index, let expression), .store(_, let index, _, let expression):
      use(index, &used)
      use(expression, &used)
      kept.append(statement)
    case .randomWords(_, _, _, let start, _, _, _):
      use(start, &used)
      kept.append(statement)
    case .loop(let variable, let extent, let kind, let body):
      let body = swept(body, &used)
      kept.append(.loop(variable: variable, extent: extent, kind, body))
    case .lanes(let variable, let lane, let block, let most, let total, let body):
      let body = swept(body, &used)
      kept.append(
        .lanes(
          variable: variable, lane: lane, block: block, most: most, total: total, body))
    case .blocks(let variable, let width, let extent, let kind, let body):
      let body = swept(body, &used)
      kept.append(.blocks(variable: variable, width: width, extent: extent, kind, body))
    case .part(let variable, let step, let start, let most, let total, let body):
      let body = swept(body, &used)
      kept.append(
        .part(
          variable: variable, step: step, start: start, most: most, total: total, body))
    case .when(let conditions, let body):
      let body = swept(body, &used)
      for condition in conditions { use(condition.index, &used) }
      kept.append(.when(conditions, body))
    }
  }
  return kept.reversed()
}
