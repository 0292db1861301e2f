// Places of elements as text: sums of indices times strides, the same in C and in CUDA.

/// What writes where elements of a contraction are.
protocol PlaceText {}

extension PlaceText {
  /// A product as a term: `+ i * 3`, nothing for a factor of 0.
  func term(_ index: String, _ factor: Int) -> String {
    switch factor {
    case 0: ""
    case 1: " + \(index)"
    case let factor where factor < 0: " - \(index) * \(-factor)"
    default: " + \(index) * \(factor)"
    }
  }

  /// A start with the terms of the loops whose indices are `prefix0`, `prefix1`, ….
  func sum(
    _ start: String, _ loops: [Contraction.Loop], _ prefix: String,
    _ factor: (Contraction.Loop) -> Int
  ) -> String {
    let terms = loops.enumerated().map { term("\(prefix)\($0)", factor($1)) }.joined()
    return start == "0" && terms.hasPrefix(" + ") ? String(terms.dropFirst(3)) : start + terms
  }
}
