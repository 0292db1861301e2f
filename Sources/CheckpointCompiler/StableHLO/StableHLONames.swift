// Names of the IR from what StableHLO text tells: locations, pytree paths, names of values.
//
// Paths       JAX names an op by the path of the scopes it was traced in,
//             `jit(step)/jvp(Net)/Block_0/dot_general`. Wrappers of transformations say nothing about
//             the op, but `transpose(…)` marks the backward pass and `rematted_computation` what a
//             checkpoint computes again: they become the prefixes `grad` and `again`.
// Arguments   `params[0]['w']` becomes `params.0.w`.

/// Makes names of the IR.
enum StableHLONames {
  /// The text with every run of bytes that no name holds made into one `.`; dots at the ends vanish.
  static func sanitized(_ text: String) -> String {
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      if Lexer.isNameByte(byte), byte != UInt8(ascii: ".") {
        bytes.append(byte)
      } else if let last = bytes.last, last != UInt8(ascii: ".") {
        bytes.append(UInt8(ascii: "."))
      }
    }
    if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
    return String(decoding: bytes.prefix(120), as: UTF8.self)
  }

  /// The name of an op from its path: the last three scopes that are no wrappers.
  static func name(ofPath path: String) -> String {
    var parts: [Substring] = []
    var isBackward = false
    var isRecomputed = false
    for part in path.split(separator: "/") {
      if part.hasPrefix("transpose(") { isBackward = true }
      if part == "rematted_computation" { isRecomputed = true }
      if part.contains("(") || part == "checkpoint" || part == "rematted_computation"
        || part == "jit" || part == "closed_call" || part == "while" || part == "body"
      {
        continue
      }
      parts.append(part)
    }
    let name = sanitized(parts.suffix(3).joined(separator: "."))
    guard !name.isEmpty else { return "" }
    return (isBackward ? "grad." : isRecomputed ? "again." : "") + name
  }
}

extension MLIRModule {
  /// The name that a location gives; nil where it gives none.
  ///
  /// What stands behind aliases, call sites and fusions is followed a few steps only: they may be
  /// written in a circle.
  func name(of location: MLIRLocation?) -> String? {
    var location = location
    for _ in 0..<32 {
      switch location {
      case nil, .unknown, .file: return nil
      case .alias(let alias): location = locationAliases[alias]
      case .name(let name, _): return name.isEmpty ? nil : name
      case .fused(let parts):
        location = parts.first {
          switch $0 {
          case .name, .alias, .callSite, .fused: true
          case .unknown, .file: false
          }
        }
      case .callSite(let callee, _): location = callee
      }
    }
    return nil
  }
}
