// Where the elementwise ops beside a contraction read: indices over dimensions as places that count.
//
// Method      Place 0 is that of the element in row-major order. An index that is a sum of dimensions
//             times strides is another place with strides of its own; places with equal strides are one.

/// Turns indices over the dimensions into places.
struct ElementPlaces {
  /// Strides of the place of the element.
  let own: [Int]
  /// Strides of the other places.
  private(set) var others: [[Int]] = []
  /// The buffers that are loaded from.
  private(set) var loaded: Set<Int> = []

  init(own: [Int]) { self.own = own }

  /// A place and a constant; nil where the index is not linear in the dimensions.
  private mutating func placed(_ index: Index) -> Index? {
    var strides = Array(repeating: 0, count: own.count)
    for term in index.terms {
      guard case .variable(let dim) = term.atom, own.indices.contains(dim) else { return nil }
      strides[dim] = term.factor
    }
    if strides.allSatisfy({ $0 == 0 }) { return Index(index.constant) }
    if strides == own { return Index.variable(0) + index.constant }
    let number = others.firstIndex(of: strides) ?? others.count
    if number == others.count { others.append(strides) }
    return Index.variable(number + 1) + index.constant
  }

  /// The same with places in place of indices; nil where it is no statement of one element.
  mutating func placed(_ statement: Statement) -> Statement? {
    switch statement {
    case .define(let local, let dtype, let expression):
      return placed(expression).map { .define(local: local, dtype, $0) }
    case .store(let buffer, let index, let dtype, let expression):
      guard let index = placed(index), let expression = placed(expression) else { return nil }
      return .store(buffer: buffer, index, dtype, expression)
    case .definePlace, .defineRow, .defineScratchRow, .assignLane, .loop, .lanes, .blocks, .part,
      .when,
      .randomWords:
      return nil
    }
  }

  /// The same with places in place of indices; nil where one is not linear in the dimensions.
  mutating func placed(_ expression: Expression) -> Expression? {
    switch expression {
    case .local, .constant, .neutral: return expression
    case .load(let buffer, let index):
      loaded.insert(buffer)
      return placed(index).map { .load(buffer: buffer, $0) }
    case .number(let index, let dtype): return placed(index).map { .number($0, dtype) }
    case .apply(let opcode, let from, let to, let operands, let direction):
      let operands = operands.compactMap { placed($0) }
      guard operands.count == expression.operandCount else { return nil }
      return .apply(opcode, from: from, to: to, operands, direction: direction)
    case .combine, .choose, .lane, .randomWord, .uniform: return nil
    }
  }
}

extension Expression {
  fileprivate var operandCount: Int {
    if case .apply(_, _, _, let operands, _) = self { operands.count } else { 0 }
  }
}
