// Tensors as text in tests: `[[1, 2], [3, 4]]`, `true`, `-inf`.

import CheckpointCompiler

/// What is wrong with a test itself.
package struct TestTextError: Error, CustomStringConvertible {
  package var description: String

  package init(_ description: String) { self.description = description }
}

/// Reads values from the text of a `run:` line.
struct TensorReader {
  private let text: [Character]
  private var position = 0

  init(_ text: some StringProtocol) { self.text = Array(text) }

  /// The next character that is no space; nil at the end.
  mutating func peek() -> Character? {
    while position < text.count, text[position] == " " { position += 1 }
    return position < text.count ? text[position] : nil
  }

  /// Whether the next character is the given one, which is then consumed.
  mutating func accept(_ character: Character) -> Bool {
    guard peek() == character else { return false }
    position += 1
    return true
  }

  /// Consumes a text, or says what stands in its place.
  mutating func expect(_ word: String) throws(TestTextError) {
    for character in word {
      guard accept(character) else {
        throw TestTextError("expected '\(word)' before '\(String(text[position...]))'")
      }
    }
  }

  /// The name up to a character that no name has.
  mutating func name() -> String {
    _ = peek()
    let start = position
    while position < text.count,
      text[position].isLetter || text[position].isNumber || "_.".contains(text[position])
    {
      position += 1
    }
    return String(text[start..<position])
  }

  /// A tensor of the given type: a number for every element, in lists as deep as its rank, or one
  /// number for all of them.
  mutating func tensor(_ type: TensorType) throws(TestTextError) -> Tensor {
    var numbers: [Double] = []
    let isList = peek() == "["
    try append(to: &numbers)
    if !isList { return Tensor(type, repeating: numbers[0]) }
    guard numbers.count == type.elementCount else {
      throw TestTextError("\(numbers.count) elements for \(type)")
    }
    return Tensor(type, floats: numbers)
  }

  private mutating func append(to numbers: inout [Double]) throws(TestTextError) {
    if accept("[") {
      while !accept("]") {
        try append(to: &numbers)
        if !accept(","), peek() != "]" { throw TestTextError("expected ',' or ']' in a list") }
      }
      return
    }
    _ = peek()
    let start = position
    while position < text.count, !",[]() ".contains(text[position]) { position += 1 }
    let word = String(text[start..<position])
    switch word {
    case "true": numbers.append(1)
    case "false": numbers.append(0)
    default:
      guard let number = Double(word) else { throw TestTextError("'\(word)' is no number") }
      numbers.append(number)
    }
  }
}

extension Tensor {
  /// The elements as a flat list.
  var flatText: String {
    let texts = type.dtype.isFloatingPoint ? floats.map(\.description) : integers.map(\.description)
    return "\(type) [\(texts.joined(separator: ", "))]"
  }
}
