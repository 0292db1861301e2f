// A bounds-checked, little-endian cursor over the bytes of a file.

/// Reads fixed-width little-endian integers; running past the end is an error that names the file.
struct ByteReader {
  let bytes: [UInt8]
  /// The file's name, for messages.
  let name: String
  private(set) var offset: Int

  init(_ bytes: [UInt8], name: String, at offset: Int = 0) {
    self.bytes = bytes
    self.name = name
    self.offset = offset
  }

  /// The next `count` bytes; `what` names them in the error.
  mutating func take(_ count: Int, _ what: String) throws(Diagnostic) -> ArraySlice<UInt8> {
    guard count >= 0, offset >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      throw Diagnostic(
        "\(name): the file is truncated: \(what) takes \(count) bytes at offset \(offset), "
          + "but the file has \(bytes.count)")
    }
    defer { offset += count }
    return bytes[offset..<offset + count]
  }

  mutating func uint16(_ what: String) throws(Diagnostic) -> Int {
    try take(2, what).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  mutating func uint32(_ what: String) throws(Diagnostic) -> Int {
    try take(4, what).reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  /// A 64-bit size; one that does not fit `Int` is an error.
  mutating func uint64(_ what: String) throws(Diagnostic) -> Int {
    let value = try take(8, what).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard let size = Int(exactly: value) else {
      throw Diagnostic("\(name): \(what) is \(value), more than any file holds")
    }
    return size
  }
}

extension [UInt8] {
  /// Appends the low `byteCount` bytes of `value`, least significant first.
  mutating func appendLittleEndian(_ value: Int, byteCount: Int) {
    for byte in 0..<byteCount { append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
  }
}

/// A tensor under a name, as container files hold them.
public struct NamedTensor: Sendable {
  /// The name of the entry.
  public var name: String
  /// The value.
  public var tensor: Tensor

  /// A tensor under a name.
  public init(name: String, tensor: Tensor) {
    self.name = name
    self.tensor = tensor
  }
}
