// NumPy's `.npy`: one array in a file.
//
// Problem     Data and results travel to and from Python as `.npy`, versions 1 to 3.
// Method      A strict reader of the header's Python dictionary; values are copied, byte-swapped if
//             they are big-endian and brought into C order if they are in Fortran order.
// Invariants  The data fill the file exactly. Truth values are 0 or 1. Element types without a
//             counterpart here are refused by name, never converted. bf16, which NumPy lacks, is
//             written as f32, which holds every bf16 value.
// Cost        O(bytes).
// Source      NumPy, `numpy.lib.format`, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

/// Reads and writes `.npy` files.
public enum Npy {
  /// The first bytes of every `.npy` file.
  static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]

  /// Reads one array.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: The file's name, for messages.
  /// - Returns: The array in C order.
  /// - Throws: An error that names the file and the rule it breaks.
  public static func decode(_ bytes: [UInt8], name: String) throws(Diagnostic) -> Tensor {
    var reader = ByteReader(bytes, name: name)
    guard bytes.count >= 6, bytes.starts(with: magic) else {
      throw Diagnostic("\(name): not a .npy file: it does not start with \\x93NUMPY")
    }
    _ = try reader.take(6, "the magic string")
    let version = Array(try reader.take(2, "the version"))
    guard (1...3).contains(version[0]), version[1] == 0 else {
      throw Diagnostic(
        "\(name): .npy version \(version[0]).\(version[1]) is unknown; 1.0, 2.0 and 3.0 are read")
    }
    let length =
      version[0] == 1
      ? try reader.uint16("the header length") : try reader.uint32("the header length")
    let text = Array(try reader.take(length, "the header"))
    var parser = NpyHeaderParser(text: text, name: name)
    let header = try parser.parse()

    let (dtype, isBigEndian) = try elementType(header.descr, name: name)
    let type = TensorType(dtype, header.shape)
    guard type.isRepresentable else {
      throw Diagnostic("\(name): \(type) takes more than \(TensorType.sizeBytesMax) bytes")
    }
    let size = type.sizeBytes
    guard bytes.count - reader.offset == size else {
      throw Diagnostic(
        "\(name): \(type) takes \(size) bytes, "
          + "but \(bytes.count - reader.offset) follow the header")
    }
    var data = Array(try reader.take(size, "the data"))
    if isBigEndian { swapBytes(&data, width: dtype.byteCount) }
    if header.isFortran, header.shape.count > 1 {
      data = cOrder(data, shape: header.shape, width: dtype.byteCount)
    }
    if dtype == .i1, let bad = data.first(where: { $0 > 1 }) {
      throw Diagnostic("\(name): a truth value is 0 or 1, found \(bad)")
    }
    return Tensor(type, bytes: data)
  }

  /// The tensor as the bytes of a `.npy` file, version 1 where the header fits it.
  public static func encode(_ tensor: Tensor) -> [UInt8] {
    let dtype = tensor.type.dtype
    let descr =
      switch dtype {
      case .f64: "<f8"
      case .f32, .bf16: "<f4"
      case .f16: "<f2"
      case .i64: "<i8"
      case .i32: "<i4"
      case .i16: "<i2"
      case .i8: "|i1"
      case .ui64: "<u8"
      case .ui32: "<u4"
      case .ui16: "<u2"
      case .ui8: "|u1"
      case .i1: "|b1"
      }
    let dims = tensor.type.shape.map(String.init)
    let shape = dims.count == 1 ? "(\(dims[0]),)" : "(\(dims.joined(separator: ", ")))"
    var header = Array("{'descr': '\(descr)', 'fortran_order': False, 'shape': \(shape), }".utf8)
    let isVersion1 = header.count + 1 + 63 < 65536
    let prefix = isVersion1 ? 10 : 12
    // The data start at a multiple of 64, so that they can be mapped.
    while (prefix + header.count + 1) % 64 != 0 { header.append(UInt8(ascii: " ")) }
    header.append(UInt8(ascii: "\n"))

    var out = magic + [isVersion1 ? 1 : 2, 0]
    out.reserveCapacity(prefix + header.count + tensor.bytes.count)
    out.appendLittleEndian(header.count, byteCount: isVersion1 ? 2 : 4)
    out += header
    if dtype == .bf16 {
      for index in stride(from: 0, to: tensor.bytes.count, by: 2) {
        out += [0, 0, tensor.bytes[index], tensor.bytes[index + 1]]
      }
    } else {
      out += tensor.bytes
    }
    return out
  }

  private static func elementType(
    _ descr: String, name: String
  ) throws(Diagnostic) -> (DType, isBigEndian: Bool) {
    let order = descr.first
    guard let order, "<>|=".contains(order) else {
      throw Diagnostic("\(name): element type '\(descr)' has no byte order")
    }
    let dtype: DType? =
      switch descr.dropFirst() {
      case "f8": .f64
      case "f4": .f32
      case "f2": .f16
      case "i8": .i64
      case "i4": .i32
      case "i2": .i16
      case "i1": .i8
      case "u8": .ui64
      case "u4": .ui32
      case "u2": .ui16
      case "u1": .ui8
      case "b1": .i1
      default: nil
      }
    guard let dtype else {
      throw Diagnostic(
        "\(name): element type '\(descr)' is not supported; convert it with .astype() to one of "
          + "float64, float32, float16, int64, int32, int16, int8, uint64, uint32, uint16, uint8, bool"
      )
    }
    guard order != "|" || dtype.byteCount == 1 else {
      throw Diagnostic("\(name): element type '\(descr)' has no byte order")
    }
    return (dtype, order == ">")
  }

  private static func swapBytes(_ data: inout [UInt8], width: Int) {
    guard width > 1 else { return }
    for start in stride(from: 0, to: data.count, by: width) {
      for byte in 0..<width / 2 { data.swapAt(start + byte, start + width - 1 - byte) }
    }
  }

  /// Reorders elements whose first index varies fastest into ones whose last index does.
  private static func cOrder(_ data: [UInt8], shape: [Int], width: Int) -> [UInt8] {
    guard !data.isEmpty else { return data }
    var strides = [Int](repeating: width, count: shape.count)
    for axis in 1..<shape.count { strides[axis] = strides[axis - 1] * shape[axis - 1] }
    var index = [Int](repeating: 0, count: shape.count)
    var source = 0
    var out: [UInt8] = []
    out.reserveCapacity(data.count)
    while true {
      for byte in 0..<width { out.append(data[source + byte]) }
      var axis = shape.count - 1
      while axis >= 0 {
        index[axis] += 1
        source += strides[axis]
        if index[axis] < shape[axis] { break }
        source -= shape[axis] * strides[axis]
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return out }
    }
  }
}

/// The three entries of a `.npy` header.
private struct NpyHeader {
  var descr = ""
  var isFortran = false
  var shape: [Int] = []
}

/// Reads the header's dictionary; nothing but what NumPy writes is accepted.
private struct NpyHeaderParser {
  let text: [UInt8]
  let name: String
  var offset = 0

  init(text: [UInt8], name: String) {
    self.text = text
    self.name = name
  }

  func error(_ message: String) -> Diagnostic { Diagnostic("\(name): .npy header: \(message)") }

  mutating func skipSpace() {
    while offset < text.count, [32, 9, 10, 13].contains(text[offset]) { offset += 1 }
  }

  /// Whether the next character is `character`, which is then consumed.
  mutating func accept(_ character: UnicodeScalar) -> Bool {
    skipSpace()
    guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  mutating func expect(_ character: UnicodeScalar, _ place: String) throws(Diagnostic) {
    guard accept(character) else { throw error("expected '\(character)' \(place)") }
  }

  mutating func parse() throws(Diagnostic) -> NpyHeader {
    var header = NpyHeader()
    var seen: [String] = []
    try expect("{", "at its start")
    while !accept("}") {
      let key = try parseString("a key")
      guard !seen.contains(key) else { throw error("'\(key)' is given twice") }
      seen.append(key)
      try expect(":", "after '\(key)'")
      switch key {
      case "descr":
        guard !accept("[") else { throw error("structured element types are not supported") }
        header.descr = try parseString("the element type")
      case "fortran_order": header.isFortran = try parseBool()
      case "shape": header.shape = try parseShape()
      default: throw error("unknown key '\(key)'")
      }
      if !accept(",") {
        try expect("}", "at its end")
        break
      }
    }
    for key in ["descr", "fortran_order", "shape"] where !seen.contains(key) {
      throw error("'\(key)' is missing")
    }
    skipSpace()
    guard offset == text.count else { throw error("text follows the dictionary") }
    return header
  }

  mutating func parseString(_ what: String) throws(Diagnostic) -> String {
    let isDouble = accept("\"")
    guard isDouble || accept("'") else { throw error("expected a string for \(what)") }
    let start = offset
    let quote = isDouble ? UInt8(ascii: "\"") : UInt8(ascii: "'")
    while offset < text.count, text[offset] != quote {
      guard text[offset] >= 32, text[offset] < 127, text[offset] != UInt8(ascii: "\\") else {
        throw error("\(what) holds a character that is not plain ASCII")
      }
      offset += 1
    }
    guard offset < text.count else { throw error("the string for \(what) is not closed") }
    offset += 1
    return String(decoding: text[start..<offset - 1], as: UTF8.self)
  }

  mutating func parseBool() throws(Diagnostic) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)]
    where text[offset...].starts(with: word.utf8) {
      offset += word.utf8.count
      return value
    }
    throw error("'fortran_order' is neither True nor False")
  }

  mutating func parseShape() throws(Diagnostic) -> [Int] {
    try expect("(", "before the shape")
    var shape: [Int] = []
    while !accept(")") {
      skipSpace()
      let start = offset
      while offset < text.count, (48...57).contains(text[offset]) { offset += 1 }
      guard offset > start else { throw error("a dimension of the shape is not a whole number") }
      guard let dim = Int(String(decoding: text[start..<offset], as: UTF8.self)) else {
        throw error("a dimension of the shape overflows")
      }
      // Python 2 wrote long integers as 3L.
      if offset < text.count, text[offset] == UInt8(ascii: "L") { offset += 1 }
      shape.append(dim)
      guard shape.count <= 64 else { throw error("the shape has more than 64 dimensions") }
      if !accept(",") {
        guard shape.count > 1 || text[offset...].first != UInt8(ascii: ")") else {
          throw error("the shape is a number, not a tuple")
        }
        try expect(")", "after the shape")
        break
      }
    }
    return shape
  }
}
