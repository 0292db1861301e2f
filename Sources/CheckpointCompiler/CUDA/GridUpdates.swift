// Updates at places that are data, side by side without changing their order.
//
// Problem     A `scatter` that adds rows into a table, the gradient of an embedding, must add those of one
//             place in order, whichever threads do it.
// Method      A block for each index vector. Only the first of those that name the same place works: it
//             looks for the later ones, in order, and applies their updates, a thread for each element of
//             a window. Whether vectors are the same is asked 32 at a time.
// Invariants  The place of an element tells the index vector and the element of the window: blocks
//             share none (`GridMapping.swift`).
// Cost        Vectors squared comparisons, on all multiprocessors.

/// A launch whose blocks apply the updates of one place each.
struct GridUpdates: Hashable, Sendable {
  /// Index vectors from which on blocks are worth it.
  static let vectorsMin = 64

  /// The dimensions that index vectors are counted by, outermost first.
  var vectors: [LoopDimension]
  /// The places of a vector, as they are read.
  var definitions: [Statement]
  /// The dimensions of a window.
  var windows: [LoopDimension]
  /// What is done with an element.
  var body: [Statement]

  /// The number of index vectors.
  var vectorCount: Int { vectors.reduce(1) { $0 * $1.extent } }
  /// Elements of a window.
  var windowCount: Int { windows.reduce(1) { $0 * $1.extent } }
  /// The scalars of the places.
  var locals: [Int] {
    definitions.compactMap { if case .definePlace(let local, _, _) = $0 { local } else { nil } }
  }

  /// The same as a map whose threads walk over all vectors; nil where it is none.
  init?(_ map: GridMap) {
    windows = map.dims
    vectors = []
    var rest = map.body
    while rest.count == 1, case .loop(let variable, let extent, _, let body) = rest[0] {
      vectors.append(LoopDimension(variable: variable, extent: extent))
      rest = body
    }
    definitions = Array(rest.dropLast())
    body = Array(rest.suffix(1))
    guard case .when? = body.first, !definitions.isEmpty, vectorCount >= Self.vectorsMin else {
      return nil
    }
    for definition in definitions {
      guard case .definePlace(_, let expression, nil) = definition,
        !windows.contains(where: { expression.mentions($0.variable) })
      else { return nil }
    }
  }
}

extension Expression {
  /// Whether a loop variable decides what it reads.
  fileprivate func mentions(_ variable: Int) -> Bool {
    switch self {
    case .load(_, let index), .lane(_, let index), .number(let index, _),
      .randomWord(_, _, let index):
      index.mentions(variable)
    case .apply(_, _, _, let operands, _): operands.contains { $0.mentions(variable) }
    case .combine(_, _, let a, let b), .choose(_, let a, let b):
      a.mentions(variable) || b.mentions(variable)
    case .uniform(let word, _): word.mentions(variable)
    case .local, .constant, .neutral: false
    }
  }
}
