// Literals: numbers and nested lists to the bytes of a constant, and back.

/// The elements that a literal spells for a type.
func constantData(
  _ value: CompileTimeValue, type: TensorType, at location: SourceLocation
) throws(Diagnostic) -> ConstantData {
  switch value {
  case .elements(let data): return data
  case .list:
    var bytes: [UInt8] = []
    try appendElements(value, type: type, axis: 0, into: &bytes, at: location)
    return .dense(bytes)
  case .text(let hex):
    guard let bytes = hexBytes(hex) else {
      throw Diagnostic("a hex literal has pairs of hexadecimal digits", at: location)
    }
    if type.dtype == .i1, let wrong = bytes.first(where: { $0 > 1 }) {
      throw Diagnostic("a byte of i1 is 0 or 1, not \(wrong)", at: location)
    }
    if bytes.count == type.dtype.byteCount, type.elementCount != 1 || type.shape.isEmpty {
      return .splat(bytes)
    }
    guard bytes.count == type.sizeBytes else {
      throw Diagnostic(
        "\(bytes.count) bytes for \(type) of \(type.sizeBytes)", at: location,
        constraint: "constant_c2")
    }
    return .dense(bytes)
  default: return .splat(try encode(value, as: type.dtype, at: location))
  }
}

private func appendElements(
  _ value: CompileTimeValue, type: TensorType, axis: Int, into bytes: inout [UInt8],
  at location: SourceLocation
) throws(Diagnostic) {
  guard axis < type.rank else {
    bytes += try encode(value, as: type.dtype, at: location)
    return
  }
  guard case .list(let elements) = value, elements.count == type.shape[axis] else {
    let found =
      if case .list(let elements) = value { "a list of \(elements.count)" } else { value.kindName }
    throw Diagnostic(
      "\(type) needs a list of \(type.shape[axis]) at depth \(axis), not \(found)",
      at: location, constraint: "constant_c2")
  }
  for element in elements {
    try appendElements(element, type: type, axis: axis + 1, into: &bytes, at: location)
  }
}

private func encode(
  _ value: CompileTimeValue, as dtype: DType, at location: SourceLocation
) throws(Diagnostic) -> [UInt8] {
  /// The bytes, unless a number that is finite would become infinite.
  func inRange(_ bytes: [UInt8]?, _ number: some CustomStringConvertible) throws(Diagnostic)
    -> [UInt8]
  {
    if let bytes, !dtype.isFloatingPoint || dtype.decode(bytes[...]).isFinite { return bytes }
    throw Diagnostic("\(number) is out of range of \(dtype.name)", at: location)
  }
  switch value {
  case .int(let integer): return try inRange(dtype.encode(integer: integer), integer)
  case .natural(let integer): return try inRange(dtype.encode(integer: integer), integer)
  case .float(let number) where dtype.isFloatingPoint:
    return number.isFinite ? try inRange(dtype.encode(number), number) : dtype.encode(number)
  case .word("nan") where dtype.isFloatingPoint: return dtype.encode(.nan)
  case .word("inf") where dtype.isFloatingPoint: return dtype.encode(.infinity)
  case .word("true") where dtype == .i1: return [1]
  case .word("false") where dtype == .i1: return [0]
  default: throw Diagnostic("\(value.kindName) is no literal of \(dtype.name)", at: location)
  }
}

private func hexBytes(_ text: String) -> [UInt8]? {
  let digits = text.utf8.filter { $0 != 32 }
  guard digits.count % 2 == 0 else { return nil }
  var bytes: [UInt8] = []
  for index in stride(from: 0, to: digits.count, by: 2) {
    guard let byte = UInt8(String(decoding: digits[index..<index + 2], as: UTF8.self), radix: 16)
    else { return nil }
    bytes.append(byte)
  }
  return bytes
}

/// The literal of one element: it parses to the same bytes.
func literal(_ bytes: ArraySlice<UInt8>, _ dtype: DType) -> String? {
  switch dtype {
  case .i1: return bytes.first == 0 ? "false" : "true"
  case .ui64: return String(UInt64(bitPattern: Int64(dtype.decodeInteger(bytes))))
  case .i64, .i32, .i16, .i8, .ui32, .ui16, .ui8: return String(dtype.decodeInteger(bytes))
  case .f64, .f32, .bf16, .f16:
    let value = dtype.decode(bytes)
    if value.isNaN { return dtype.encode(.nan)[...] == bytes ? "nan" : nil }
    if value.isInfinite { return value < 0 ? "-inf" : "inf" }
    return dtype == .f64 ? "\(value)" : "\(Float(value))"
  }
}

/// The literal of a constant.
func literal(_ data: ConstantData, type: TensorType) -> String {
  func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return "hex \"\(String(decoding: text, as: UTF8.self))\""
  }
  switch data {
  case .splat(let bytes): return literal(bytes[...], type.dtype) ?? hex(bytes)
  case .dense(let bytes):
    // Lists are for readers; what is long is data.
    guard type.elementCount <= 64, type.elementCount > 0 else {
      return type.elementCount == 0 ? emptyList(type.shape) : hex(bytes)
    }
    let width = type.dtype.byteCount
    var elements: [String] = []
    for start in stride(from: 0, to: bytes.count, by: width) {
      guard let text = literal(bytes[start..<start + width], type.dtype) else { return hex(bytes) }
      elements.append(text)
    }
    for extent in type.shape.reversed() {
      elements = stride(from: 0, to: elements.count, by: extent).map {
        "[\(elements[$0..<$0 + extent].joined(separator: ", "))]"
      }
    }
    return elements[0]
  }
}

/// The lists of a type without elements: `[[], []]` for `[2,0]`.
private func emptyList(_ shape: [Int]) -> String {
  let outer = shape.prefix { $0 > 0 }
  guard outer.reduce(1, *) <= 64 else { return "hex \"\"" }
  return outer.reversed().reduce("[]") { inner, extent in
    "[\(Array(repeating: inner, count: extent).joined(separator: ", "))]"
  }
}
