// Safetensors: named tensors and a map of strings, the file format of weights.
//
// Problem     Weights are saved, resumed from and exchanged with other tools; equal weights must be
//             equal files.
// Method      8 bytes header length, a JSON header, the data. Written in the order of the reference
//             implementation: wider elements first, then by name, so that data stay aligned.
// Invariants  The ranges of the tensors cover the data without holes and overlaps.
// Cost        O(bytes + tensors log tensors).
// Source      https://github.com/huggingface/safetensors, "Format".

/// The content of a safetensors file.
public struct Safetensors: Sendable {
  /// The tensors; in the order of their data when they were read.
  public var tensors: [NamedTensor]
  /// Strings that travel with them, such as a step counter.
  public var metadata: [String: String]

  /// Tensors and their metadata.
  public init(tensors: [NamedTensor], metadata: [String: String] = [:]) {
    self.tensors = tensors
    self.metadata = metadata
  }

  /// The tensor of a name. O(tensors).
  public func tensor(named name: String) -> Tensor? {
    tensors.first { $0.name == name }?.tensor
  }

  /// The longest header that is read, as in the reference implementation.
  static let headerByteCountMax = 100_000_000

  private static let dtypeNames: [(DType, String)] = [
    (.f64, "F64"), (.f32, "F32"), (.bf16, "BF16"), (.f16, "F16"), (.i64, "I64"), (.i32, "I32"),
    (.i16, "I16"), (.i8, "I8"), (.ui64, "U64"), (.ui32, "U32"), (.ui16, "U16"), (.ui8, "U8"),
    (.i1, "BOOL"),
  ]

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - bytes: The whole file.
  ///   - name: The file's name, for messages.
  /// - Returns: The tensors in the order of their data.
  /// - Throws: An error that names the file, the tensor and the rule it breaks.
  public static func decode(_ bytes: [UInt8], name: String) throws(Diagnostic) -> Safetensors {
    var reader = ByteReader(bytes, name: name)
    let header = try decodeHeader(&reader, name: name)
    let dataStart = reader.offset
    let dataCount = bytes.count - dataStart

    var result = Safetensors(tensors: [])
    var extents: [(start: Int, end: Int, type: TensorType, name: String)] = []
    for member in header.objectValue ?? [] {
      if member.key == "__metadata__" {
        result.metadata = try decodeMetadata(member.value, name: name)
        continue
      }
      let (type, start, end) = try decodeEntry(
        member.value, name: "\(name): tensor '\(member.key)'")
      guard end <= dataCount else {
        throw Diagnostic(
          "\(name): tensor '\(member.key)' ends at byte \(end) of the data, "
            + "but the file holds \(dataCount): it is truncated")
      }
      extents.append((start, end, type, member.key))
    }
    extents.sort { ($0.start, $0.end, $0.name) < ($1.start, $1.end, $1.name) }
    var covered = 0
    for extent in extents {
      guard extent.start >= covered else {
        throw Diagnostic("\(name): tensor '\(extent.name)' overlaps the tensor before it")
      }
      guard extent.start == covered else {
        throw Diagnostic(
          "\(name): \(extent.start - covered) bytes before tensor '\(extent.name)' belong to none")
      }
      covered = extent.end
      let data = Array(bytes[dataStart + extent.start..<dataStart + extent.end])
      if extent.type.dtype == .i1, let bad = data.first(where: { $0 > 1 }) {
        throw Diagnostic(
          "\(name): tensor '\(extent.name)': a truth value is 0 or 1, found \(bad)")
      }
      result.tensors.append(
        NamedTensor(name: extent.name, tensor: Tensor(extent.type, bytes: data)))
    }
    guard covered == dataCount else {
      throw Diagnostic("\(name): \(dataCount - covered) bytes at the end belong to no tensor")
    }
    return result
  }

  private static func decodeHeader(
    _ reader: inout ByteReader, name: String
  ) throws(Diagnostic) -> JSONValue {
    let length = try reader.uint64("the header length")
    guard length <= headerByteCountMax else {
      throw Diagnostic(
        "\(name): not a safetensors file: a header of \(length) bytes is longer than "
          + "\(headerByteCountMax)")
    }
    let text = Array(try reader.take(length, "the header"))
    guard text.first == UInt8(ascii: "{") else {
      throw Diagnostic("\(name): not a safetensors file: the header does not start with '{'")
    }
    do {
      return try JSONValue.parse(text)
    } catch {
      throw Diagnostic("\(name): header, byte \(error.location.offset): \(error.message)")
    }
  }

  private static func decodeMetadata(
    _ value: JSONValue, name: String
  ) throws(Diagnostic) -> [String: String] {
    guard let members = value.objectValue else {
      throw Diagnostic("\(name): '__metadata__' is \(value.kindName), not an object")
    }
    var metadata: [String: String] = [:]
    for member in members {
      guard let text = member.value.stringValue else {
        throw Diagnostic(
          "\(name): metadata '\(member.key)' is \(member.value.kindName), not a string")
      }
      metadata[member.key] = text
    }
    return metadata
  }

  private static func decodeEntry(
    _ value: JSONValue, name: String
  ) throws(Diagnostic) -> (TensorType, start: Int, end: Int) {
    guard value.objectValue != nil else {
      throw Diagnostic("\(name) is \(value.kindName), not an object")
    }
    guard let dtypeName = value["dtype"]?.stringValue else {
      throw Diagnostic("\(name) has no 'dtype'")
    }
    guard let dtype = dtypeNames.first(where: { $0.1 == dtypeName })?.0 else {
      throw Diagnostic(
        "\(name): dtype \(dtypeName) is not supported; supported are "
          + dtypeNames.map(\.1).joined(separator: ", "))
    }
    guard let dims = value["shape"]?.arrayValue else { throw Diagnostic("\(name) has no 'shape'") }
    let shape = dims.compactMap(\.intValue)
    guard shape.count == dims.count, shape.allSatisfy({ $0 >= 0 }) else {
      throw Diagnostic("\(name): a dimension of its shape is not a whole number of at least 0")
    }
    let offsets = value["data_offsets"]?.arrayValue?.compactMap(\.intValue) ?? []
    guard offsets.count == 2, value["data_offsets"]?.arrayValue?.count == 2 else {
      throw Diagnostic("\(name) has no 'data_offsets' of two whole numbers")
    }
    guard 0 <= offsets[0], offsets[0] <= offsets[1] else {
      throw Diagnostic("\(name): data offsets \(offsets) are not a range")
    }
    let type = TensorType(dtype, shape)
    guard type.isRepresentable else {
      throw Diagnostic("\(name): \(type) takes more than \(TensorType.sizeBytesMax) bytes")
    }
    guard type.sizeBytes == offsets[1] - offsets[0] else {
      throw Diagnostic(
        "\(name): \(type) takes \(type.sizeBytes) bytes, "
          + "but its data offsets hold \(offsets[1] - offsets[0])")
    }
    return (type, offsets[0], offsets[1])
  }

  /// The bytes of the file; the same content gives the same bytes in whatever order it is.
  ///
  /// - Throws: An error where a name is used twice or reserved.
  public func encode(name: String) throws(Diagnostic) -> [UInt8] {
    let ordered = tensors.sorted {
      ($1.tensor.type.dtype.byteCount, $0.name) < ($0.tensor.type.dtype.byteCount, $1.name)
    }
    var names: Set<String> = ["__metadata__"]
    var members: [JSONMember] = []
    if !metadata.isEmpty {
      let strings = metadata.sorted { $0.key < $1.key }
      members.append(
        JSONMember("__metadata__", .object(strings.map { JSONMember($0.key, .string($0.value)) })))
    }
    var offset = 0
    for entry in ordered {
      guard names.insert(entry.name).inserted else {
        throw Diagnostic("\(name): two tensors are named '\(entry.name)', or it is reserved")
      }
      let end = offset + entry.tensor.bytes.count
      let dtype = Safetensors.dtypeNames.first { $0.0 == entry.tensor.type.dtype }?.1 ?? "U8"
      members.append(
        JSONMember(
          entry.name,
          [
            "dtype": .string(dtype),
            "shape": .array(entry.tensor.type.shape.map { .integer($0) }),
            "data_offsets": [.integer(offset), .integer(end)],
          ]))
      offset = end
    }
    var header = Array(JSONValue.object(members).compactText.utf8)
    while header.count % 8 != 0 { header.append(UInt8(ascii: " ")) }
    var out: [UInt8] = []
    out.reserveCapacity(8 + header.count + offset)
    out.appendLittleEndian(header.count, byteCount: 8)
    out += header
    for entry in ordered { out += entry.tensor.bytes }
    return out
  }
}
