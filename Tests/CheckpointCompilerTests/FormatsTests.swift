import Testing

@testable import CheckpointCompiler

/// A generator whose numbers are the same in every run.
private struct Xorshift: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

private func bytes(hex: String) -> [UInt8] {
  let digits = hex.utf8.filter { $0 > 32 }.map { Int(Character(UnicodeScalar($0)).hexDigitValue!) }
  return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

private func npy(_ header: String, data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
  let length = header.utf8.count
  var out: [UInt8] = [0x93] + Array("NUMPY".utf8) + [version, 0]
  out += [UInt8(length & 255), UInt8(length >> 8)] + (version == 1 ? [] : [0, 0])
  return out + Array(header.utf8) + data
}

private func message(_ body: () throws(Diagnostic) -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return error.message }
}

/// A tensor of each dtype, with bytes that are valid for it.
private var samples: [NamedTensor] {
  DType.allCases.map { dtype in
    let type = TensorType(dtype, [2, 3])
    let data = (0..<type.sizeBytes).map { dtype == .i1 ? UInt8($0 % 2) : UInt8($0 * 7 % 251) }
    return NamedTensor(name: "t.\(dtype.name)", tensor: Tensor(type, bytes: data))
  }
}

/// Cuts `good` at every byte and flips bits; a reader may accept or refuse, but never crash.
private func damage(_ good: [UInt8], cuts: Bool = true, _ read: ([UInt8]) throws -> Void) {
  if cuts {
    for count in 0..<good.count {
      #expect(throws: Diagnostic.self) { try read(Array(good[..<count])) }
    }
  }
  var random = Xorshift(state: 88_172_645_463_325_252)
  for _ in 0..<2000 {
    var bad = good
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      bad[Int.random(in: 0..<bad.count, using: &random)] = UInt8.random(
        in: 0...255, using: &random)
    }
    try? read(bad)
  }
}

@Suite struct NpyTests {
  /// `np.array([[1.5, -2], [3, 4]], "<f4")` as NumPy 2.4 writes it.
  static let golden =
    bytes(
      hex: """
        934e554d50590100760 07b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a20
        46616c73652c20277368617065273a2028322c2032292c207d
        """) + [UInt8](repeating: 32, count: 58) + [10]
    + bytes(hex: "0000c03f000000c00000404000008040")

  @Test func readsAndWritesWhatNumPyDoes() throws {
    let tensor = try Npy.decode(NpyTests.golden, name: "a.npy")
    #expect(tensor.type == TensorType(.f32, [2, 2]))
    #expect(tensor.bytes == bytes(hex: "0000c03f000000c00000404000008040"))
    #expect(Npy.encode(tensor) == NpyTests.golden)
  }

  @Test func roundTripsEveryDType() throws {
    for sample in samples where sample.tensor.type.dtype != .bf16 {
      #expect(try Npy.decode(Npy.encode(sample.tensor), name: "a.npy") == sample.tensor)
    }
    for shape in [[], [0], [5], [1, 0, 3]] {
      let tensor = Tensor(zeros: TensorType(.i32, shape))
      #expect(try Npy.decode(Npy.encode(tensor), name: "a.npy") == tensor)
    }
  }

  @Test func writesBF16AsF32() throws {
    let one = Tensor(TensorType(.bf16, [1]), bytes: [0x80, 0x3F])
    let read = try Npy.decode(Npy.encode(one), name: "a.npy")
    #expect(read == Tensor(TensorType(.f32, [1]), bytes: [0, 0, 0x80, 0x3F]))
  }

  @Test func convertsFortranOrderAndBigEndian() throws {
    // np.asfortranarray(np.arange(6, dtype='>i4').reshape(2, 3)): 0 3 1 4 2 5 in the file.
    let data: [UInt8] = [0, 3, 1, 4, 2, 5].flatMap { [0, 0, 0, $0] as [UInt8] }
    let file = npy(
      "{'descr': '>i4', 'fortran_order': True, 'shape': (2, 3), }\n", data: data, version: 2)
    let tensor = try Npy.decode(file, name: "a.npy")
    #expect(tensor.bytes == (0..<6 as Range<UInt8>).flatMap { [$0, 0, 0, 0] as [UInt8] })
  }

  @Test(arguments: [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 8, "f32[3] takes 12 bytes, but 8"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", 13, "but 13 follow the header"),
    ("{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", 6, "'<c8' is not supported"),
    ("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", 6, "'|O' is not supported"),
    ("{'descr': 'f4', 'fortran_order': False, 'shape': (3,)}", 12, "no byte order"),
    ("{'descr': '|f4', 'fortran_order': False, 'shape': (3,)}", 12, "no byte order"),
    ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}", 4, "structured"),
    ("{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}", 12, "neither True nor False"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3)}", 12, "a number, not a tuple"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", 12, "not a whole number"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 0, "overflows"),
    (
      "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4)}", 0,
      "takes more than"
    ),
    ("{'descr': '<f4', 'fortran_order': False}", 12, "'shape' is missing"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", 12, "unknown key 'x'"),
    ("{'shape': (), 'shape': ()}", 12, "'shape' is given twice"),
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x", 12, "text follows"),
    ("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", 3, "0 or 1, found 2"),
    ("", 0, "expected '{'"),
  ])
  func refuses(header: String, dataCount: Int, expected: String) {
    let file = npy(header, data: [UInt8](repeating: 2, count: dataCount))
    let text = message { () throws(Diagnostic) in _ = try Npy.decode(file, name: "dir/a.npy") }
    #expect(text.hasPrefix("dir/a.npy: ") && text.contains(expected), "\(text)")
  }

  @Test func refusesOtherFiles() {
    #expect(
      message { () throws(Diagnostic) in _ = try Npy.decode([1, 2, 3], name: "a") }
        .contains("not a .npy file"))
    #expect(
      message { () throws(Diagnostic) in _ = try Npy.decode(npy("", version: 9), name: "a") }
        .contains("version 9.0 is unknown"))
  }

  @Test func survivesDamage() {
    damage(NpyTests.golden) { _ = try Npy.decode($0, name: "a.npy") }
  }
}

@Suite struct NpzTests {
  @Test func crcIsThatOfZip() {
    #expect(Zip.crc32(Array("123456789".utf8)) == 0xCBF4_3926)
    #expect(Zip.crc32([]) == 0)
  }

  @Test func roundTrips() throws {
    let tensors = samples.filter { $0.tensor.type.dtype != .bf16 }
    let file = try Npz.encode(tensors, name: "a.npz")
    let read = try Npz.decode(file, name: "a.npz")
    #expect(read.map(\.name) == tensors.map(\.name))
    #expect(read.map(\.tensor) == tensors.map(\.tensor))
    #expect(try Npz.encode(tensors, name: "a.npz") == file)
    #expect(try Npz.decode(Npz.encode([], name: "a.npz"), name: "a.npz").isEmpty)
  }

  /// NumPy streams entries: sizes in 64-bit extra fields of the local headers, zero in the fields.
  @Test func readsLocalHeadersWith64BitFields() throws {
    let entry = Npy.encode(Tensor(zeros: TensorType(.ui8, [1])))
    var file: [UInt8] = [0x50, 0x4B, 3, 4, 45, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]
    file.appendLittleEndian(Int(Zip.crc32(entry)), byteCount: 4)
    file += [UInt8](repeating: 255, count: 8) + [5, 0, 20, 0] + Array("a.npy".utf8)
    file += [1, 0, 16, 0]
    file.appendLittleEndian(entry.count, byteCount: 8)
    file.appendLittleEndian(entry.count, byteCount: 8)
    file += entry
    let start = file.count
    file += [0x50, 0x4B, 1, 2, 45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0x21, 0]
    file.appendLittleEndian(Int(Zip.crc32(entry)), byteCount: 4)
    file.appendLittleEndian(entry.count, byteCount: 4)
    file += [255, 255, 255, 255, 5, 0, 12, 0] + [UInt8](repeating: 0, count: 14)
    file += Array("a.npy".utf8) + [1, 0, 8, 0]
    file.appendLittleEndian(entry.count, byteCount: 8)
    let size = file.count - start
    file += [0x50, 0x4B, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0]
    file.appendLittleEndian(size, byteCount: 4)
    file.appendLittleEndian(start, byteCount: 4)
    file += [0, 0]
    #expect(try Npz.decode(file, name: "a.npz").map(\.name) == ["a"])
  }

  /// `np.savez_compressed(f, a=np.array([1, 2], "<i4"))` as NumPy 2.4 writes it.
  @Test func refusesWhatSavezCompressedWrites() {
    let file = bytes(
      hex: """
        504b03042d0000000800000021000bf9aa2dffffffffffffffff05001400612e6e7079010010008800000000
        0000004b000000000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9369a2aea3a09e965f5452
        9498179f5f94920a12774bcc294e058a17672416a402f91a463a9a3a0ab50a14002e46060626062006005
        04b01022d032d0000000800000021000bf9aa2d4b00000088000000050000000000000000000000800100
        000000612e6e7079504b0506000000000100010033000000820000000000
        """)
    #expect(
      message { () throws(Diagnostic) in _ = try Npz.decode(file, name: "a.npz") }
        .contains("entry 'a.npy' is compressed"))
  }

  @Test func refusesCompressedEntries() throws {
    var file = try Npz.encode([samples[0]], name: "a.npz")
    let directory = file.count - 22 - 46 - "t.f64.npy".utf8.count
    file[directory + 10] = 8
    let text = message { () throws(Diagnostic) in _ = try Npz.decode(file, name: "a.npz") }
    #expect(text.contains("entry 't.f64.npy' is compressed") && text.contains("np.savez,"))
  }

  @Test func refusesDamagedAndOverlappingEntries() throws {
    var file = try Npz.encode([samples[0], samples[1]], name: "a.npz")
    file[60] ^= 1
    #expect(
      message { () throws(Diagnostic) in _ = try Npz.decode(file, name: "a.npz") }
        .contains("CRC-32 does not match"))
    #expect(
      message { () throws(Diagnostic) in
        _ = try Npz.encode([samples[0], samples[0]], name: "a.npz")
      }.contains("two tensors are named 't.f64'"))
    // Both directory records point at the first entry, under the names of the two.
    let entries = [Zip.Entry(name: "a", bytes: [1]), Zip.Entry(name: "a", bytes: [1])]
    let twice = try Zip.encode(entries, name: "a.npz")
    #expect(
      message { () throws(Diagnostic) in _ = try Zip.decode(twice, name: "a.npz") }
        .contains("two entries named 'a'"))
  }

  @Test func survivesDamage() throws {
    let file = try Npz.encode([samples[0], samples[8]], name: "a.npz")
    damage(file) { _ = try Npz.decode($0, name: "a.npz") }
  }
}

@Suite struct SafetensorsTests {
  private func file(_ header: String, dataCount: Int) -> [UInt8] {
    var out: [UInt8] = []
    out.appendLittleEndian(header.utf8.count, byteCount: 8)
    return out + Array(header.utf8) + [UInt8](repeating: 7, count: dataCount)
  }

  @Test func roundTripsInAnyOrder() throws {
    let value = Safetensors(tensors: samples, metadata: ["step": "12", "epoch": "3"])
    let bytes = try value.encode(name: "w.safetensors")
    let read = try Safetensors.decode(bytes, name: "w.safetensors")
    #expect(read.metadata == value.metadata)
    for sample in samples { #expect(read.tensor(named: sample.name) == sample.tensor) }
    let reversed = Safetensors(tensors: samples.reversed(), metadata: value.metadata)
    #expect(try reversed.encode(name: "w.safetensors") == bytes)
  }

  /// The reference implementation's bytes for `{"b": float32 [1, 2], "a": uint8 [3]}`.
  @Test func writesWhatTheReferenceDoes() throws {
    let header =
      #"{"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
      + #""a":{"dtype":"U8","shape":[1],"data_offsets":[8,9]}}"#
    let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
    let value = Safetensors(tensors: [
      NamedTensor(name: "a", tensor: Tensor(TensorType(.ui8, [1]), bytes: [7])),
      NamedTensor(
        name: "b", tensor: Tensor(TensorType(.f32, [2]), bytes: .init(repeating: 7, count: 8))),
    ])
    #expect(try value.encode(name: "w") == file(padded, dataCount: 9))
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 7, "it is truncated"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 9, "1 bytes at the end"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[1,9]}}"#, 9, "1 bytes before tensor 'a'"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8, "are not a range"),
    (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8, "f32[3] takes 12 bytes"),
    (#"{"a":{"dtype":"F8","shape":[3],"data_offsets":[0,8]}}"#, 8, "dtype F8 is not supported"),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}}"#, 8, "not a whole number"),
    (#"{"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#, 8, "not a whole number"),
    (
      #"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8,
      "takes more than"
    ),
    (#"{"a":{"dtype":"F32","shape":[2]}}"#, 8, "has no 'data_offsets'"),
    (#"{"a":{"dtype":"F32","data_offsets":[0,8]}}"#, 8, "has no 'shape'"),
    (#"{"a":{"shape":[2],"data_offsets":[0,8]}}"#, 8, "has no 'dtype'"),
    (#"{"a":3}"#, 8, "is a number, not an object"),
    (#"{"__metadata__":{"a":3}}"#, 0, "metadata 'a' is a number, not a string"),
    (#"{"__metadata__":3}"#, 0, "'__metadata__' is a number"),
    (
      #"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"#
        + #""b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#, 3,
      "'b' overlaps the tensor before it"
    ),
    (#"{"a":1,"a":2}"#, 0, "the key \"a\" twice"),
    (#"{"a":"#, 0, "header, byte 5: JSON ends"),
    ("[]", 0, "does not start with '{'"),
    (#"{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}"#, 1, "0 or 1, found 7"),
  ])
  func refuses(header: String, dataCount: Int, expected: String) {
    let bytes = file(header, dataCount: dataCount)
    let text = message { () throws(Diagnostic) in
      _ = try Safetensors.decode(bytes, name: "w.safetensors")
    }
    #expect(text.hasPrefix("w.safetensors: ") && text.contains(expected), "\(text)")
  }

  @Test func refusesAHugeHeader() {
    let bytes = [UInt8](repeating: 255, count: 8)
    #expect(
      message { () throws(Diagnostic) in _ = try Safetensors.decode(bytes, name: "w") }
        .contains("more than any file holds"))
  }

  @Test func survivesDamage() throws {
    let bytes = try Safetensors(tensors: [samples[0], samples[8]], metadata: ["step": "1"])
      .encode(name: "w")
    damage(bytes) { _ = try Safetensors.decode($0, name: "w") }
  }
}

@Suite struct JSONTests {
  private func parse(_ text: String) throws(Diagnostic) -> JSONValue {
    try JSONValue.parse(Array(text.utf8))
  }

  @Test func readsAndWrites() throws {
    let text = #"{"z":[1,-2.5,1e+20,true,null],"a":{"s":"\"\\\n\u0001é😀"},"e":[],"o":{}}"#
    let value = try parse(text)
    #expect(value.compactText == text)
    #expect(try parse(value.prettyText) == value)
    #expect(try parse(" \u{FEFF}".trimmingPrefix(" ") + "[3]") == [3])
    #expect(try parse(#""\ud83d\ude00\u00e9\/""#) == "😀é/")
    #expect(try parse("9223372036854775807") == .integer(.max))
    #expect(try parse("9223372036854775808") == .number(9_223_372_036_854_775_808))
    #expect(try parse("3e2").intValue == 300)
  }

  @Test(arguments: [
    "", "{", "[", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "01", "1.", "1e",
    "-", "+1", "1e999", "tru", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"",
    "\"\u{1}\"", "1 2", "nan", "'a'", "{\"a\":1,\"a\":2}",
  ])
  func refuses(text: String) {
    #expect(throws: Diagnostic.self) { try parse(text) }
  }

  @Test func boundsItsDepth() {
    let text = String(repeating: "[", count: 100_000)
    #expect(message { () throws(Diagnostic) in _ = try parse(text) }.contains("nests deeper"))
  }
}
