// Names of the graph as names in C.

/// A name as an identifier of C: other characters become `_`, and a leading digit gets one before.
package func cIdentifier(_ name: String) -> String {
  var bytes = name.utf8.map { byte -> UInt8 in
    let isAllowed =
      (byte | 0x20) >= UInt8(ascii: "a") && (byte | 0x20) <= UInt8(ascii: "z")
      || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    return isAllowed ? byte : UInt8(ascii: "_")
  }
  if bytes.isEmpty || (bytes[0] >= UInt8(ascii: "0") && bytes[0] <= UInt8(ascii: "9")) {
    bytes.insert(UInt8(ascii: "_"), at: 0)
  }
  return String(decoding: bytes, as: UTF8.self)
}
