// Compile-time expressions and their values: extents, attributes, literals.

/// The value of a compile-time expression.
enum CompileTimeValue: Hashable, Sendable {
  case int(Int)
  /// An integer above the largest `Int`: a literal, of use as that only.
  case natural(UInt64)
  case float(Double)
  case list([CompileTimeValue])
  case word(String)
  case text(String)
  /// The elements of a constant as bytes.
  case elements(ConstantData)
  case dtype(DType)
  /// A function by its name.
  case function(String)
  /// The extents that a pack stands for.
  case pack([Int])

  var kindName: String {
    switch self {
    case .int: "an integer"
    case .natural(let value): "the integer \(value)"
    case .float: "a number"
    case .list: "a list"
    case .word(let word): "the word '\(word)'"
    case .text: "a string"
    case .elements: "the elements of a constant"
    case .dtype: "a dtype"
    case .function: "a function"
    case .pack: "a pack of extents"
    }
  }

  var number: Double? {
    switch self {
    case .int(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }

  /// The word `true` or `false`.
  static func truth(_ holds: Bool) -> CompileTimeValue { .word(holds ? "true" : "false") }

  /// The value with a dtype as the word that spells it, for comparison with a word.
  var comparable: CompileTimeValue {
    if case .dtype(let dtype) = self { .word(dtype.name) } else { self }
  }

  /// The integers of a list; nil where it holds anything else.
  var integers: [Int]? {
    guard case .list(let elements) = self else { return nil }
    var result: [Int] = []
    for element in elements {
      guard case .int(let value) = element else { return nil }
      result.append(value)
    }
    return result
  }

  /// The names of a list of functions; nil where it holds anything else.
  var functions: [String]? {
    guard case .list(let elements) = self else { return nil }
    var result: [String] = []
    for element in elements {
      guard case .function(let name) = element else { return nil }
      result.append(name)
    }
    return result
  }
}

extension CompileTimeValue {
  /// The most elements of a list that is made of others: layers that each double one would soon have
  /// more than memory holds.
  private static let elementsMax = 1 << 16

  /// The elements of a list, those of the lists in it included.
  private var elementCount: Int {
    guard case .list(let elements) = self else { return 0 }
    return elements.reduce(elements.count) { $0 + $1.elementCount }
  }

  /// The list, unless it has too many elements.
  fileprivate func bounded(at location: SourceLocation) throws(Diagnostic) -> CompileTimeValue {
    guard elementCount <= CompileTimeValue.elementsMax else {
      throw Diagnostic(
        "a list made of lists has more than \(CompileTimeValue.elementsMax) elements",
        at: location)
    }
    return self
  }
}

/// Evaluates expressions against the generic parameters and attributes of a function.
struct CompileTimeEvaluator: Sendable {
  /// What the names mean.
  var bindings: [String: CompileTimeValue] = [:]

  func evaluate(_ expression: SyntaxExpression) throws(Diagnostic) -> CompileTimeValue {
    switch expression {
    case .int(let value): return .int(value)
    case .natural(let value): return .natural(value)
    case .float(let value): return .float(value)
    case .string(let text): return .text(text)
    case .elements(let data): return .elements(data)
    case .name(let name): return bindings[name.text] ?? .word(name.text)
    case .function(let name): return .function(name.text)
    case .expansion(let name):
      throw Diagnostic("'\(name.text)...' stands only in a list", at: name.location)
    case .list(let elements, let location):
      let list = CompileTimeValue.list(try evaluate(elements: elements))
      return elements.allSatisfy(\.isWritten) ? list : try list.bounded(at: location)
    case .negate(let inner, let location):
      switch try evaluate(inner) {
      case .int(let value): return .int(0 &- value)
      case .natural(0x8000_0000_0000_0000): return .int(.min)
      case .float(let value): return .float(-value)
      case .word("inf"): return .float(-.infinity)
      case let other: throw Diagnostic("cannot negate \(other.kindName)", at: location)
      }
    case .binary(let op, let left, let right, let location):
      return try combine(op, try evaluate(left), try evaluate(right), location)
    case .index(let list, let index, let location):
      guard case .list(let elements) = try evaluate(list),
        case .int(let place) = try evaluate(index)
      else { throw Diagnostic("only a list is indexed, by an integer", at: location) }
      guard elements.indices.contains(place) else {
        throw Diagnostic(
          "index \(place) is outside a list of \(elements.count)", at: location)
      }
      return elements[place]
    case .call(let name, let arguments):
      return try call(name, try evaluate(elements: arguments))
    }
  }

  /// The elements of a list, packs spliced in.
  func evaluate(elements: [SyntaxExpression]) throws(Diagnostic) -> [CompileTimeValue] {
    var result: [CompileTimeValue] = []
    result.reserveCapacity(elements.count)
    for element in elements {
      if case .expansion(let name) = element {
        guard case .pack(let extents)? = bindings[name.text] else {
          throw Diagnostic("'\(name.text)' is no pack of extents", at: name.location)
        }
        result += extents.map { .int($0) }
      } else {
        result.append(try evaluate(element))
      }
    }
    return result
  }

  /// The type that a pattern spells.
  func type(_ pattern: SyntaxType) throws(Diagnostic) -> TensorType {
    var shape: [Int] = []
    for value in try evaluate(elements: pattern.dims) {
      guard case .int(let extent) = value else {
        throw Diagnostic(
          "an extent is an integer, not \(value.kindName)", at: pattern.location)
      }
      shape.append(extent)
    }
    let type = TensorType(try dtype(pattern.dtype), shape)
    guard type.isRepresentable else {
      throw Diagnostic(
        "extents are at least 0 and a type takes at most 1 TiB, not \(type)",
        at: pattern.location)
    }
    return type
  }

  func dtype(_ name: SyntaxName) throws(Diagnostic) -> DType {
    var spelled = name.text
    if case .dtype(let dtype)? = bindings[name.text] { return dtype }
    // An attribute may be given a dtype by its name.
    if case .word(let word)? = bindings[name.text] { spelled = word }
    guard let dtype = DType(name: spelled) else {
      throw Diagnostic(
        "unknown dtype '\(spelled)'"
          + suggestion(for: spelled, among: DType.allCases.map(\.name)),
        at: name.location)
    }
    return dtype
  }

  private func combine(
    _ op: UInt8, _ left: CompileTimeValue, _ right: CompileTimeValue, _ location: SourceLocation
  ) throws(Diagnostic) -> CompileTimeValue {
    if case .int(let a) = left, case .int(let b) = right {
      let result: (partialValue: Int, overflow: Bool)
      switch op {
      case UInt8(ascii: "+"): result = a.addingReportingOverflow(b)
      case UInt8(ascii: "-"): result = a.subtractingReportingOverflow(b)
      case UInt8(ascii: "*"): result = a.multipliedReportingOverflow(by: b)
      default: result = a.dividedReportingOverflow(by: b)
      }
      guard !result.overflow else {
        throw Diagnostic("\(a) \(Character(UnicodeScalar(op))) \(b) has no value", at: location)
      }
      return .int(result.partialValue)
    }
    if op == UInt8(ascii: "+"), case .list(let a) = left, case .list(let b) = right {
      return try CompileTimeValue.list(a + b).bounded(at: location)
    }
    guard let a = left.number, let b = right.number else {
      throw Diagnostic(
        "cannot combine \(left.kindName) and \(right.kindName)", at: location)
    }
    switch op {
    case UInt8(ascii: "+"): return .float(a + b)
    case UInt8(ascii: "-"): return .float(a - b)
    case UInt8(ascii: "*"): return .float(a * b)
    default: return .float(a / b)
    }
  }

  private func call(
    _ name: SyntaxName, _ arguments: [CompileTimeValue]
  ) throws(Diagnostic) -> CompileTimeValue {
    switch (name.text, arguments.count) {
    case ("hex", 1):
      // The bytes of a constant: `hex "0000803f"`.
      if case .text = arguments[0] { return arguments[0] }
    case ("sqrt", 1):
      if let value = arguments[0].number { return .float(value.squareRoot()) }
    case ("rank", 1):
      if case .pack(let extents) = arguments[0] { return .int(extents.count) }
    case ("product", 1):
      let extents: [Int]?
      if case .pack(let pack) = arguments[0] {
        extents = pack
      } else {
        extents = arguments[0].integers
      }
      if let extents {
        var product = 1
        for extent in extents { product = saturatingExtent(0, plus: product, times: extent) }
        return .int(product)
      }
    case ("wide", 1):
      if case .dtype(let dtype) = arguments[0] {
        return .dtype(dtype == .bf16 || dtype == .f16 ? .f32 : dtype)
      }
    case ("equal", 2):
      if let a = arguments[0].number, let b = arguments[1].number { return .truth(a == b) }
      return .truth(arguments[0].comparable == arguments[1].comparable)
    case ("less", 2):
      if let a = arguments[0].number, let b = arguments[1].number { return .truth(a < b) }
    case ("range", 1), ("range", 2):
      if case .int(let last)? = arguments.last {
        var first = 0
        if arguments.count == 2 {
          guard case .int(let given) = arguments[0] else { break }
          first = given
        }
        let (length, overflow) = last.subtractingReportingOverflow(first)
        guard last <= first || !overflow && length <= 1000 else {
          throw Diagnostic("a range of more than 1000 integers", at: name.location)
        }
        return .list((first..<max(first, last)).map { .int($0) })
      }
    default: break
    }
    throw Diagnostic(
      "no function '\(name.text)' of \(arguments.map(\.kindName).joined(separator: " and ")); "
        + "there are sqrt(number), rank(pack), product(pack), range(limit), range(start, limit), "
        + "equal(value, value), less(number, number), wide(dtype)",
      at: name.location)
  }
}

/// `; did you mean 'x'?` for the candidate nearest to a misspelt word, or nothing.
package func suggestion(for word: String, among candidates: some Sequence<String>) -> String {
  let budget = max(1, word.utf8.count / 3)
  var best: (distance: Int, candidate: String)?
  for candidate in candidates where abs(candidate.utf8.count - word.utf8.count) <= budget {
    let distance = editDistance(Array(word.utf8), Array(candidate.utf8))
    if distance <= budget, distance < word.utf8.count, distance < best?.distance ?? .max {
      best = (distance, candidate)
    }
  }
  return best.map { "; did you mean '\($0.candidate)'?" } ?? ""
}

/// The least number of insertions, deletions, replacements and swaps of neighbours.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var distance = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        distance = min(distance, beforeLast[j - 1] + 1)
      }
      row.append(distance)
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}
