// Whether places in a kernel fit an `int`, which a graphics processor divides and multiplies fastest.

/// Finds the largest place that statements can name.
struct CUDAIndexWidth {
  private var extents: [Int: Int] = [:]
  /// A bound of all places and counts.
  private(set) var most = 0

  /// The type for the variables of a kernel.
  var type: String { most < 1 << 31 ? "int" : "ptrdiff_t" }

  init(_ statements: [Statement], dims: [LoopDimension]) {
    for dim in dims { extents[dim.variable] = dim.extent }
    note(dims.reduce(1) { $0 * max(1, $1.extent) })
    visit(statements)
  }

  private mutating func note(_ place: Int) { most = max(most, place) }

  private mutating func visit(_ statements: [Statement]) {
    for statement in statements {
      switch statement {
      case .define(_, _, let expression), .definePlace(_, let expression, _),
        .defineRow(_, _, _, let expression), .assignLane(_, _, let expression):
        visit(expression)
      case .store(_, let place, _, let expression):
        note(bound(place))
        visit(expression)
      case .loop(let variable, let extent, _, let body),
        .blocks(let variable, _, let extent, _, let body):
        extents[variable] = extent
        visit(body)
      case .lanes(let variable, _, _, _, let total, let body),
        .part(let variable, _, _, _, let total, let body):
        extents[variable] = total
        visit(body)
      case .when(_, let body): visit(body)
      case .defineScratchRow, .randomWords: break
      }
    }
  }

  private mutating func visit(_ expression: Expression) {
    switch expression {
    case .load(_, let place), .number(let place, _), .randomWord(_, _, let place):
      note(bound(place))
    case .apply(_, _, _, let operands, _): for operand in operands { visit(operand) }
    case .combine(_, _, let a, let b), .choose(_, let a, let b):
      visit(a)
      visit(b)
    case .uniform(let word, _): visit(word)
    case .local, .lane, .constant, .neutral: break
    }
  }

  /// A bound of the magnitude of a place; those read from memory are 64-bit numbers in C anyway.
  private func bound(_ place: Index) -> Int {
    var sum = Int(place.constant.magnitude)
    for term in place.terms {
      let atom: Int =
        switch term.atom {
        case .variable(let variable): max(0, (extents[variable] ?? 1) - 1)
        case .local: 0
        case .quotient(let inner, let divisor): bound(inner) / max(1, divisor)
        case .remainder(let inner, _): bound(inner)
        }
      sum += atom * Int(term.factor.magnitude)
    }
    return sum
  }
}
