// Places in buffers as arithmetic on loop variables.
//
// Method      An index is a sum of variables times constants, plus a constant, in one normal form:
//             equal places are equal values, so that a place is computed once. What is not linear,
//             quotients and remainders of reshaped dimensions and places read from memory, stands in
//             a sum as an atom of its own.

/// A sum of atoms times constants, plus a constant.
struct Index: Hashable, Sendable {
  /// Something that is not a constant.
  indirect enum Atom: Hashable, Sendable {
    /// A loop variable.
    case variable(Int)
    /// A scalar that holds a place, such as one read from the indices of a gather.
    case local(Int)
    /// An index over a constant, rounded down; the index is not negative.
    case quotient(Index, Int)
    /// What that division leaves.
    case remainder(Index, Int)
  }

  /// An atom times a constant.
  struct Term: Hashable, Sendable {
    var atom: Atom
    var factor: Int
  }

  /// The terms, each atom once, in the order of their first addition; factors are not 0.
  private(set) var terms: [Term] = []
  /// The constant.
  var constant = 0

  /// A constant.
  init(_ constant: Int = 0) { self.constant = constant }

  /// An atom times a factor.
  init(_ atom: Atom, times factor: Int = 1) {
    if factor != 0 { terms = [Term(atom: atom, factor: factor)] }
  }

  /// A loop variable.
  static func variable(_ number: Int) -> Index { Index(.variable(number)) }

  /// Whether it is a constant.
  var isConstant: Bool { terms.isEmpty }

  /// The factor of a variable; 0 where it does not occur as a term of its own.
  func factor(of variable: Int) -> Int {
    terms.first { $0.atom == .variable(variable) }?.factor ?? 0
  }

  /// Whether a variable occurs inside a quotient or remainder.
  func hides(_ variable: Int) -> Bool {
    terms.contains { term in
      switch term.atom {
      case .variable, .local: false
      case .quotient(let inner, _), .remainder(let inner, _): inner.mentions(variable)
      }
    }
  }

  /// Whether a variable occurs anywhere.
  func mentions(_ variable: Int) -> Bool { factor(of: variable) != 0 || hides(variable) }

  /// The index where a variable is 0, also inside quotients and remainders.
  func dropping(_ variable: Int) -> Index {
    guard mentions(variable) else { return self }
    var sum = Index(constant)
    for term in terms {
      switch term.atom {
      case .variable(variable): continue
      case .quotient(let inner, let divisor) where inner.mentions(variable):
        let rest = inner.dropping(variable)
        sum =
          sum
          + (rest.isConstant
            ? Index(rest.constant / divisor) : Index(.quotient(rest, divisor))) * term.factor
      case .remainder(let inner, let divisor) where inner.mentions(variable):
        let rest = inner.dropping(variable)
        sum =
          sum
          + (rest.isConstant
            ? Index(rest.constant % divisor) : Index(.remainder(rest, divisor))) * term.factor
      case .variable, .local, .quotient, .remainder:
        sum = sum + Index(term.atom, times: term.factor)
      }
    }
    return sum
  }

  /// The index with an index in place of a variable, also inside quotients and remainders.
  func replacing(_ variable: Int, with other: Index) -> Index {
    guard mentions(variable) else { return self }
    var sum = Index(constant)
    for term in terms {
      switch term.atom {
      case .variable(variable): sum = sum + other * term.factor
      case .quotient(let inner, let divisor):
        let quotient = Index.Atom.quotient(inner.replacing(variable, with: other), divisor)
        sum = sum + Index(quotient, times: term.factor)
      case .remainder(let inner, let divisor):
        let remainder = Index.Atom.remainder(inner.replacing(variable, with: other), divisor)
        sum = sum + Index(remainder, times: term.factor)
      case .variable, .local: sum = sum + Index(term.atom, times: term.factor)
      }
    }
    return sum
  }

  static func + (a: Index, b: Index) -> Index {
    var sum = a
    sum.constant += b.constant
    for term in b.terms {
      if let place = sum.terms.firstIndex(where: { $0.atom == term.atom }) {
        sum.terms[place].factor += term.factor
        if sum.terms[place].factor == 0 { sum.terms.remove(at: place) }
      } else {
        sum.terms.append(term)
      }
    }
    // One order for equal sums: variables first, by number.
    sum.terms.sort { $0.atom.rank < $1.atom.rank }
    return sum
  }

  static func + (a: Index, b: Int) -> Index {
    var sum = a
    sum.constant += b
    return sum
  }

  static func * (a: Index, factor: Int) -> Index {
    guard factor != 0 else { return Index() }
    var product = a
    product.constant *= factor
    for place in product.terms.indices { product.terms[place].factor *= factor }
    return product
  }

  /// The place in a row-major buffer of the element at `indices`.
  static func linear(_ indices: [Index], strides: [Int]) -> Index {
    zip(indices, strides).reduce(Index()) { $0 + $1.0 * $1.1 }
  }

  /// The indices of the element that lies at a row-major place of a shape.
  ///
  /// `extents` gives the number of values of each loop variable; it lets terms that cannot reach the
  /// next dimension stay whole, so that adding or removing dimensions of extent 1 costs nothing.
  static func delinearized(_ place: Index, shape: [Int], extents: [Int]) -> [Index] {
    var rest = place
    var indices: [Index] = []
    let strides = TensorType(.f32, shape).strides
    for (axis, stride) in strides.enumerated() {
      if shape[axis] == 1 {
        indices.append(Index())
        continue
      }
      if stride == 1 {
        indices.append(rest)
        continue
      }
      let (high, low) = rest.split(by: stride, extents: extents)
      indices.append(high)
      rest = low
    }
    return indices
  }

  /// Quotient and remainder by a positive constant; the index is not negative.
  private func split(by divisor: Int, extents: [Int]) -> (Index, Index) {
    if divisor <= 0 { return (Index(), Index()) }
    var high = Index()
    var low = Index()
    for term in terms {
      if term.factor % divisor == 0 {
        high = high + Index(term.atom, times: term.factor / divisor)
      } else {
        low = low + Index(term.atom, times: term.factor)
      }
    }
    high.constant = constant / divisor
    low.constant = constant % divisor
    if let most = low.most(extents: extents), most < divisor { return (high, low) }
    return (high + Index(.quotient(low, divisor)), Index(.remainder(low, divisor)))
  }

  /// The largest value, where all factors are positive and all atoms are variables.
  private func most(extents: [Int]) -> Int? {
    var sum = constant
    for term in terms {
      guard case .variable(let number) = term.atom, term.factor > 0, number < extents.count else {
        return nil
      }
      sum += term.factor * max(0, extents[number] - 1)
    }
    return constant < 0 ? nil : sum
  }
}

extension Index.Atom {
  /// Orders atoms in a sum.
  fileprivate var rank: Int {
    switch self {
    case .variable(let number): number
    case .local(let number): 1_000_000 + number
    case .quotient: 2_000_000
    case .remainder: 3_000_000
    }
  }
}
