// Statements in which every lane is an iteration of its own.
//
// A block of lanes becomes one iteration, its rows one element, and the lane 0.

/// A block whose lanes have become one.
private struct SingleLane {
  /// The variable of the block, that of the element, and that of the lane.
  var block: Int
  var variable: Int
  var lane: Int

  func callAsFunction(_ index: Index) -> Index {
    index.replacing(variable, with: .variable(block)).dropping(lane)
  }

  func callAsFunction(_ condition: Condition) -> Condition {
    var condition = condition
    condition.index = self(condition.index)
    return condition
  }

  func callAsFunction(_ expression: Expression) -> Expression {
    switch expression {
    case .local, .constant, .neutral: expression
    case .lane(let row, let index): .lane(row: row, self(index))
    case .load(let buffer, let index): .load(buffer: buffer, self(index))
    case .number(let index, let dtype): .number(self(index), dtype)
    case .apply(let opcode, let from, let to, let operands, let direction):
      .apply(opcode, from: from, to: to, operands.map { self($0) }, direction: direction)
    case .combine(let kind, let dtype, let a, let b): .combine(kind: kind, dtype, self(a), self(b))
    case .choose(let conditions, let a, let b):
      .choose(conditions.map { self($0) }, self(a), self(b))
    case .randomWord(let key, let stream, let index):
      .randomWord(key: key, stream: stream, self(index))
    case .uniform(let word, let dtype): .uniform(self(word), dtype)
    }
  }
}

extension Statement {
  /// The statement with blocks of one lane.
  func withSingleLanes() -> Statement {
    switch self {
    case .blocks(let variable, _, let extent, let kind, let body):
      .loop(variable: variable, extent: extent, kind, body.flatMap { $0.singleLane() })
    case .loop(let variable, let extent, let kind, let body):
      .loop(variable: variable, extent: extent, kind, body.map { $0.withSingleLanes() })
    case .when(let conditions, let body): .when(conditions, body.map { $0.withSingleLanes() })
    case .define, .definePlace, .defineRow, .defineScratchRow, .assignLane, .store, .lanes, .part,
      .randomWords:
      self
    }
  }

  /// What a statement in a block of lanes does for one lane.
  private func singleLane() -> [Statement] {
    switch self {
    case .defineRow(let row, let dtype, _, let expression):
      [.defineRow(row: row, dtype, count: 1, expression)]
    case .loop(let variable, let extent, let kind, let body):
      [.loop(variable: variable, extent: extent, kind, body.flatMap { $0.singleLane() })]
    case .when(let conditions, let body): [.when(conditions, body.flatMap { $0.singleLane() })]
    case .lanes(let variable, let lane, let block, _, _, let body):
      body.map { $0.mapped(SingleLane(block: block, variable: variable, lane: lane)) }
    case .define, .definePlace, .defineScratchRow, .assignLane, .store, .blocks, .part,
      .randomWords:
      [self]
    }
  }

  private func mapped(_ single: SingleLane) -> Statement {
    switch self {
    case .define(let local, let dtype, let expression):
      .define(local: local, dtype, single(expression))
    case .definePlace(let local, let expression, let range):
      .definePlace(local: local, single(expression), clampedTo: range)
    case .assignLane(let row, let index, let expression):
      .assignLane(row: row, single(index), single(expression))
    case .store(let buffer, let index, let dtype, let expression):
      .store(buffer: buffer, single(index), dtype, single(expression))
    case .loop(let variable, let extent, let kind, let body):
      .loop(variable: variable, extent: extent, kind, body.map { $0.mapped(single) })
    case .when(let conditions, let body):
      .when(conditions.map { single($0) }, body.map { $0.mapped(single) })
    case .defineRow, .defineScratchRow, .lanes, .blocks, .part, .randomWords: self
    }
  }
}
