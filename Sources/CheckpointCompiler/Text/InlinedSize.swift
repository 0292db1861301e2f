// How large functions get when calls are inlined, and how deeply they are nested.
//
// A short text can be of exponential size: functions of two calls each, nested. It is refused before
// anything is inlined.

extension Module {
  /// The most ops that the functions of a module may have, calls inlined.
  static let inlinedOpCountMax = 1_000_000

  /// What is said where the functions are too large or too deeply nested; nil where they are not.
  ///
  /// - Precondition: Callees stand before their callers.
  /// - Complexity: O(ops).
  func sizeError() -> Diagnostic? {
    var counts: [String: Int] = [:]
    var depths: [String: Int] = [:]
    var total = 0
    for function in functions {
      let before = total
      let depth = 1 + (function.mentionedFunctions.compactMap { depths[$0] }.max() ?? 0)
      // What walks through callees is recursive.
      guard depth <= Elaborator.depthMax else {
        return Diagnostic(
          "@\(function.name) and what it calls or names are nested more than "
            + "\(Elaborator.depthMax) deep", at: function.ops.elements.first?.location ?? .unknown)
      }
      depths[function.name] = depth
      for op in function.ops.elements {
        let callee = op.opcode == .call ? op.attributes.function(.callee) : nil
        total += 1 + (callee.flatMap { counts[$0] } ?? 0)
        guard total <= Module.inlinedOpCountMax else {
          return Diagnostic(
            "with its calls inlined, @\(function.name) and what it calls have more than "
              + "\(Module.inlinedOpCountMax) ops", at: op.location)
        }
      }
      counts[function.name] = total - before
    }
    return nil
  }
}
