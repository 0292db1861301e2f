// Loops that were written for one thread, spread over the threads of a launch.
//
// Problem     Ops that move elements, and those that slide windows, are lowered to nests of loops. Which
//             of them may run on threads of their own is not written in them.
// Test        A loop may if each of its iterations stores elsewhere: in the place of every store, the
//             value of the loop's variable can be read off like a digit of a number, because smaller
//             terms add up to less than its step and larger ones are multiples of more than its reach.
//             Nothing that is stored may be read from another place, and no row that is defined outside
//             the loop may be assigned in it.
// Method      From the outermost loop inwards, through conditions and definitions, as long as there is
//             one thing that has an effect: loops that pass the test become dimensions of the launch,
//             the others stay in the body, in order. Definitions around them are computed by each
//             thread.
// Lanes       Blocks of lanes side by side are for vectors: here each lane is an iteration of its own.

extension GridKernel {
  /// Launches that do what statements do.
  ///
  /// - Parameters:
  ///   - statements: The body of a kernel.
  ///   - independent: Variables whose iterations are known to be independent.
  init(_ statements: [Statement], independent: Set<Int>) {
    let statements = withoutUnusedDefinitions(statements.map { $0.withSingleLanes() })
    // Rows are shared by what follows them.
    if statements.contains(where: { if case .defineRow = $0 { true } else { false } }) {
      self.init(launches: [.map(GridMap(dims: [], body: statements))])
      return
    }
    var definitions: [Statement] = []
    var launches: [GridLaunch] = []
    for statement in statements {
      switch statement {
      case .define, .definePlace: definitions.append(statement)
      case .defineRow, .defineScratchRow, .assignLane, .store, .loop, .lanes, .blocks, .part, .when,
        .randomWords:
        var mapping = GridMapping(independent: independent)
        launches.append(.map(mapping.run(definitions + [statement])))
      }
    }
    self.init(launches: launches)
  }
}

/// Finds the loops of one nest that run on threads.
private struct GridMapping {
  let independent: Set<Int>
  private var dims: [LoopDimension] = []
  private var facts = NestFacts()

  init(independent: Set<Int>) { self.independent = independent }

  mutating func run(_ statements: [Statement]) -> GridMap {
    facts.visit(statements)
    let body = inside(statements)
    return GridMap(dims: dims, body: body)
  }

  private mutating func inside(_ statements: [Statement]) -> [Statement] {
    // All but the last are definitions, or this is where the body of the threads begins.
    let leading = statements.dropLast()
    guard let last = statements.last,
      leading.allSatisfy({
        switch $0 {
        case .define, .definePlace: true
        default: false
        }
      })
    else { return statements }
    switch last {
    case .loop(let variable, let extent, let kind, let body):
      let inner = { (mapping: inout GridMapping) in mapping.inside(body) }
      if independent.contains(variable) || facts.isIndependent(variable, over: body) {
        dims.append(LoopDimension(variable: variable, extent: extent))
        return leading + inner(&self)
      }
      return leading + [.loop(variable: variable, extent: extent, kind, inner(&self))]
    case .when(let conditions, let body):
      return leading + [.when(conditions, inside(body))]
    case .define, .definePlace, .defineRow, .defineScratchRow, .assignLane, .store, .lanes, .blocks,
      .part, .randomWords:
      return statements
    }
  }
}

/// What is known of the places in a nest.
private struct NestFacts {
  /// The number of values of every variable, and of every place that is data.
  private var extents: [Index.Atom: Int] = [:]
  private var loads: [(buffer: Int, place: Index)] = []
  private var stores: [(buffer: Int, place: Index)] = []

  mutating func visit(_ statements: [Statement]) {
    for statement in statements {
      switch statement {
      case .loop(let variable, let extent, _, let body):
        extents[.variable(variable)] = extent
        visit(body)
      case .when(let conditions, let body):
        for condition in conditions {
          guard condition.index.terms.count == 1, condition.index.constant == 0,
            condition.lower == 0, let upper = condition.upper,
            case .local = condition.index.terms[0].atom, condition.index.terms[0].factor == 1
          else { continue }
          extents[condition.index.terms[0].atom] = upper
        }
        visit(body)
      case .definePlace(let local, let expression, let range):
        if let range, range.lowerBound == 0 { extents[.local(local)] = range.upperBound + 1 }
        visit(expression)
      case .store(let buffer, let place, _, let expression):
        stores.append((buffer, place))
        visit(expression)
      case .define(_, _, let expression), .defineRow(_, _, _, let expression),
        .assignLane(_, _, let expression):
        visit(expression)
      case .lanes(_, _, _, _, _, let body), .blocks(_, _, _, _, let body),
        .part(_, _, _, _, _, let body):
        visit(body)
      case .defineScratchRow, .randomWords: break
      }
    }
  }

  private mutating func visit(_ expression: Expression) {
    switch expression {
    case .load(let buffer, let place): loads.append((buffer, place))
    case .apply(_, _, _, let operands, _): for operand in operands { visit(operand) }
    case .combine(_, _, let a, let b), .choose(_, let a, let b):
      visit(a)
      visit(b)
    case .uniform(let word, _): visit(word)
    case .local, .lane, .constant, .number, .neutral, .randomWord: break
    }
  }

  /// Whether the iterations of a loop share nothing that one of them changes.
  func isIndependent(_ variable: Int, over body: [Statement]) -> Bool {
    var defined: Set<Int> = []
    guard !stores.isEmpty, body.allSatisfy({ $0.assignsOnlyRows(in: &defined) }) else {
      return false
    }
    for store in stores {
      guard isDigit(variable, of: store.place),
        loads.allSatisfy({ $0.buffer != store.buffer || $0.place == store.place }),
        stores.allSatisfy({ $0.buffer != store.buffer || $0.place == store.place })
      else { return false }
    }
    return true
  }

  /// Whether a place tells the value of a variable.
  private func isDigit(_ variable: Int, of place: Index) -> Bool {
    let step = place.factor(of: variable)
    guard step != 0, let extent = extents[.variable(variable)] else { return false }
    var below = 0
    var above: [Int] = []
    for term in place.terms where term.atom != .variable(variable) {
      // Positions along one dimension, from either end, are digits as well.
      guard let count = extents[term.atom] else { return false }
      if term.factor.magnitude < step.magnitude {
        below += Int(term.factor.magnitude) * max(0, count - 1)
      } else {
        above.append(Int(term.factor.magnitude))
      }
    }
    let reach = below + Int(step.magnitude) * max(0, extent - 1)
    guard below < step.magnitude else { return false }
    let common = above.reduce(0, greatestCommonDivisor)
    return above.isEmpty || reach < common
  }
}

extension Statement {
  /// Whether all rows that are assigned in it were defined in the same loop.
  fileprivate func assignsOnlyRows(in defined: inout Set<Int>) -> Bool {
    switch self {
    case .defineRow(let row, _, _, _), .defineScratchRow(let row, _, _, _):
      defined.insert(row)
      return true
    case .assignLane(let row, _, _): return defined.contains(row)
    case .loop(_, _, _, let body), .when(_, let body), .lanes(_, _, _, _, _, let body),
      .blocks(_, _, _, _, let body), .part(_, _, _, _, _, let body):
      for statement in body where !statement.assignsOnlyRows(in: &defined) { return false }
      return true
    case .define, .definePlace, .store, .randomWords: return true
    }
  }
}
