// `dense<…>` in all its spellings to the bytes of a constant.
//
// Forms       One element for all; nested lists; hexadecimal bits of a splat (`0x7FC00000`, the number
//             with its most significant digit first); a string blob of all elements or of one
//             (`"0x0000803F"`, bytes in memory order); the name of a resource (a blob whose first
//             four bytes are its alignment).
// Cost        O(bytes): blobs are decoded in one pass, without a string in between.

extension MLIRModule {
  /// The bytes of a constant.
  ///
  /// - Throws: An error at its place where the text does not fit the type.
  func constant(
    _ elements: MLIRElements, type: TensorType
  ) throws(Diagnostic) -> ConstantData {
    var decoder = MLIRElementsDecoder(text: text, elements: elements, type: type)
    if elements.isResource {
      var name = String(decoding: text[elements.place], as: UTF8.self)
      name = String(name.drop { $0 == " " || $0 == "\"" }.prefix { $0 != "\"" && $0 != " " })
      guard let place = resources[name] else {
        throw Diagnostic("no resource '\(name)' at the end of the text", at: elements.location)
      }
      return try decoder.blob(place, skipping: 4)
    }
    return try decoder.decode()
  }

  /// The integers of `dense<[[0, 1], [2, 3]]> : tensor<2x2xi64>`, row-major; nil where they are none.
  func integers(_ elements: MLIRElements) -> [Int]? {
    guard case .tensor(let shape, let element) = elements.type, let dtype = DType(name: element),
      !dtype.isFloatingPoint
    else { return nil }
    let type = TensorType(dtype, shape)
    guard type.isRepresentable, type.elementCount <= 1 << 16,
      let data = try? constant(elements, type: type)
    else { return nil }
    switch data {
    case .splat(let bytes):
      return Array(repeating: Int(dtype.decodeInteger(bytes[...])), count: type.elementCount)
    case .dense(let bytes):
      return stride(from: 0, to: bytes.count, by: dtype.byteCount).map {
        Int(dtype.decodeInteger(bytes[$0..<$0 + dtype.byteCount]))
      }
    }
  }
}

/// Decodes one constant.
private struct MLIRElementsDecoder {
  let text: [UInt8]
  let elements: MLIRElements
  let type: TensorType
  private var position: Int
  private let end: Int
  private var bytes: [UInt8] = []

  init(text: [UInt8], elements: MLIRElements, type: TensorType) {
    self.text = text
    self.elements = elements
    self.type = type
    position = elements.place.lowerBound
    end = elements.place.upperBound
  }

  private func error(_ message: String, at place: Int? = nil) -> Diagnostic {
    guard let place else { return Diagnostic(message, at: elements.location) }
    return Diagnostic(
      message, at: SourceLocation(file: elements.location.file, offset: Int32(place)))
  }

  private mutating func skipSpace() {
    while position < end, text[position] <= 32 { position += 1 }
  }

  mutating func decode() throws(Diagnostic) -> ConstantData {
    skipSpace()
    guard position < end else {
      guard type.elementCount == 0 else { throw error("a constant without elements") }
      return .dense([])
    }
    switch text[position] {
    case UInt8(ascii: "\""):
      guard let close = text[(position + 1)..<end].firstIndex(of: UInt8(ascii: "\"")) else {
        throw error("a blob without an end", at: position)
      }
      return try blob(position + 1..<close, skipping: 0)
    case UInt8(ascii: "["):
      bytes.reserveCapacity(type.sizeBytes <= elements.place.count * 8 ? type.sizeBytes : 0)
      try list(axis: 0)
      try expectEnd()
      return .dense(bytes)
    default:
      try element()
      try expectEnd()
      return .splat(bytes)
    }
  }

  private mutating func expectEnd() throws(Diagnostic) {
    skipSpace()
    guard position == end else { throw error("unexpected text in a constant", at: position) }
  }

  // MARK: Blobs

  /// The bytes of `0x…`, all elements or one.
  mutating func blob(_ place: Range<Int>, skipping prefix: Int) throws(Diagnostic) -> ConstantData {
    guard place.count >= 2, text[place.lowerBound] == UInt8(ascii: "0"),
      text[place.lowerBound + 1] | 0x20 == UInt8(ascii: "x"), place.count % 2 == 0
    else { throw error("a blob is \"0x\" and pairs of hexadecimal digits") }
    let first = place.lowerBound + 2 + 2 * prefix
    guard first <= place.upperBound else { throw error("a resource starts with its alignment") }
    let count = (place.upperBound - first) / 2
    let width = type.dtype.byteCount
    guard count == type.sizeBytes || count == width else {
      throw error("\(count) bytes for \(type) of \(type.sizeBytes)")
    }
    var wrong: Int?
    bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      text.withUnsafeBufferPointer { source in
        for index in 0..<count {
          let at = first + 2 * index
          if let high = MLIRScanner.hexDigit(source[at]),
            let low = MLIRScanner.hexDigit(source[at + 1])
          {
            buffer[index] = high << 4 | low
          } else {
            wrong = wrong ?? at
            buffer[index] = 0
          }
        }
      }
      initialized = count
    }
    if let wrong { throw error("no hexadecimal digit", at: wrong) }
    if type.dtype == .i1 { for index in bytes.indices where bytes[index] > 1 { bytes[index] = 1 } }
    return count == width && type.elementCount != 1 ? .splat(bytes) : .dense(bytes)
  }

  // MARK: Lists

  private mutating func list(axis: Int) throws(Diagnostic) {
    guard axis < type.rank else { throw error("a list too deep for \(type)", at: position) }
    let opening = position
    position += 1
    var count = 0
    skipSpace()
    while position < end, text[position] != UInt8(ascii: "]") {
      if text[position] == UInt8(ascii: "[") {
        try list(axis: axis + 1)
      } else {
        guard axis == type.rank - 1 else {
          throw error("a list too shallow for \(type)", at: position)
        }
        try element()
      }
      count += 1
      skipSpace()
      guard position < end, text[position] == UInt8(ascii: ",") else { break }
      position += 1
      skipSpace()
    }
    guard position < end, text[position] == UInt8(ascii: "]") else {
      throw error("expected ',' or ']' in a constant", at: min(position, end - 1))
    }
    position += 1
    guard count == type.shape[axis] || count == 0 && type.elementCount == 0 else {
      throw error("\(type) needs a list of \(type.shape[axis]), not of \(count)", at: opening)
    }
  }

  /// One number, appended as bytes.
  private mutating func element() throws(Diagnostic) {
    let start = position
    while position < end {
      let byte = text[position]
      guard
        MLIRScanner.isNameByte(byte) || byte == UInt8(ascii: "+")
      else { break }
      position += 1
    }
    let dtype = type.dtype
    let word = text[start..<position]
    if let encoded = MLIRElementsDecoder.encode(word, dtype) {
      bytes += encoded
    } else {
      let spelled = word.isEmpty ? "this" : "'\(String(decoding: word.prefix(40), as: UTF8.self))'"
      throw error("\(spelled) is no element of \(dtype.name)", at: start)
    }
  }

  private static func encode(_ word: ArraySlice<UInt8>, _ dtype: DType) -> [UInt8]? {
    guard let first = word.first else { return nil }
    let spelled = String(decoding: word, as: UTF8.self)
    if first == UInt8(ascii: "t") || first == UInt8(ascii: "f") {
      guard dtype == .i1 else { return nil }
      return spelled == "true" ? [1] : spelled == "false" ? [0] : nil
    }
    if word.count > 2, first == UInt8(ascii: "0"), word[word.startIndex + 1] == UInt8(ascii: "x") {
      guard let bits = UInt64(spelled.dropFirst(2), radix: 16) else { return nil }
      let width = dtype.byteCount
      guard dtype != .i1 || bits <= 1 else { return nil }
      guard width == 8 || bits >> (8 * UInt64(width)) == 0 else { return nil }
      return (0..<width).map { UInt8(truncatingIfNeeded: bits >> (8 * UInt64($0))) }
    }
    if dtype.isFloatingPoint {
      guard let value = Double(spelled), value.isFinite || spelled.contains("e") else { return nil }
      return dtype.encode(value)
    }
    if dtype == .i1 { return spelled == "1" || spelled == "-1" ? [1] : spelled == "0" ? [0] : nil }
    if let value = Int(spelled) { return dtype.encode(integer: value) }
    guard dtype.byteCount == 8, dtype.isUnsigned, let value = UInt64(spelled) else { return nil }
    return (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }
}
