// Plans and measured costs as files.
//
// Formats     A plan is {"kernels":[key,…],"order":[position,…]}; measured costs are
//             {"kernels":{key:nanoseconds,…}}. Other keys are ignored.

extension SavedPlan {
  /// Reads the plan that `json()` wrote.
  ///
  /// - Parameters:
  ///   - json: The UTF-8 text.
  ///   - file: The text's index in the source map that will render diagnostics.
  /// - Throws: What is not as the format has it.
  public init(json: [UInt8], file: Int32 = -1) throws(Diagnostic) {
    let value = try JSONValue.parse(json, file: file)
    let start = SourceLocation(file: file, offset: 0)
    guard let keys = value["kernels"]?.arrayValue, let order = value["order"]?.arrayValue else {
      throw Diagnostic("a plan has the arrays \"kernels\" and \"order\"", at: start)
    }
    var kernels: [String] = []
    for (index, key) in keys.enumerated() {
      guard let text = key.stringValue else {
        throw Diagnostic(
          "\"kernels\" of a plan holds strings, not \(key.kindName)",
          at: place(ofElement: index, under: "kernels", in: json, file: file))
      }
      kernels.append(text)
    }
    var positions: [Int] = []
    for (index, position) in order.enumerated() {
      guard let number = position.intValue else {
        throw Diagnostic(
          "\"order\" of a plan holds integers, not \(position.kindName)",
          at: place(ofElement: index, under: "order", in: json, file: file))
      }
      positions.append(number)
    }
    self.init(kernels: kernels, order: positions)
  }

  /// The plan as JSON text.
  public func json() -> String {
    let value: JSONValue = [
      "kernels": .array(kernels.map { .string($0) }), "order": .array(order.map { .integer($0) }),
    ]
    return value.compactText + "\n"
  }
}

/// Where a value stands in the array or object that an object has under a key.
private func place(
  ofElement index: Int, under key: String, in json: [UInt8], file: Int32
) -> SourceLocation {
  var scanner = JSONScanner(json, file: file)
  var found = scanner.location(0)
  try? scanner.object { (scanner, member) throws(Diagnostic) in
    guard member == key else { return try scanner.skipValue() }
    var count = 0
    func pass(_ scanner: inout JSONScanner) throws(Diagnostic) {
      _ = scanner.peek()
      if count == index { found = scanner.location(scanner.position) }
      count += 1
      try scanner.skipValue()
    }
    if scanner.peek() == UInt8(ascii: "[") {
      try scanner.array { (scanner) throws(Diagnostic) in try pass(&scanner) }
    } else {
      try scanner.object { (scanner, _) throws(Diagnostic) in try pass(&scanner) }
    }
  }
  return found
}

/// Measured times of kernels as a file.
public enum MeasuredCosts {
  /// Nanoseconds by kernel key.
  ///
  /// - Parameters:
  ///   - json: The UTF-8 text.
  ///   - file: The text's index in the source map that will render diagnostics.
  /// - Returns: The costs.
  /// - Throws: What is not as the format has it.
  public static func read(
    json: [UInt8], file: Int32 = -1
  ) throws(Diagnostic) -> [String: Double] {
    let value = try JSONValue.parse(json, file: file)
    let start = SourceLocation(file: file, offset: 0)
    guard let members = value["kernels"]?.objectValue else {
      throw Diagnostic("measured costs have the object \"kernels\"", at: start)
    }
    var costs: [String: Double] = [:]
    for (index, member) in members.enumerated() {
      guard let nanoseconds = member.value.doubleValue, nanoseconds >= 0 else {
        throw Diagnostic(
          "the cost of '\(member.key)' is not a number of nanoseconds, at least 0",
          at: place(ofElement: index, under: "kernels", in: json, file: file))
      }
      costs[member.key] = nanoseconds
    }
    return costs
  }

  /// Nanoseconds by kernel key as JSON text, keys in order.
  public static func json(_ costs: [String: Double]) -> String {
    let members = costs.sorted { $0.key < $1.key }.map { JSONMember($0.key, .number($0.value)) }
    let value: JSONValue = ["kernels": .object(members)]
    return value.prettyText
  }
}

extension Compilation {
  /// The keys of the kernels in the order before planning, by which costs are measured; empty where
  /// the text was planned already or the stage has not run.
  public var kernelKeys: [String] { SavedPlan(self)?.kernels ?? [] }
}
