// The loops that the ops of one kernel share.
//
// Domain      The shape of the largest loop nest: the shape of the operands of the reductions, or of
//             the results where nothing is reduced.
// Full, kept  A full value has an element for every place of the domain. A kept value has one for
//             every place of the dimensions that are not reduced. Both are aligned: dimension by
//             dimension in order, so that a reduction, a broadcast of its result back to the domain
//             and another reduction run in the same nest.

/// A domain and the dimensions of it that are reduced.
struct LoopFrame: Hashable, Sendable {
  /// Extents of the domain.
  var domain: [Int]
  /// The reduced dimensions, ascending; empty where nothing is reduced.
  var reduced: [Int]

  /// The dimensions that are not reduced.
  var keptDims: [Int] { domain.indices.filter { !reduced.contains($0) } }
  /// Extents of kept values.
  var keptShape: [Int] { keptDims.map { domain[$0] } }

  /// A frame of an op that can stand in a loop kernel; nil where the op cannot.
  init?(_ op: OpID, of function: Function) {
    let opcode = function.ops[op].opcode
    if opcode.isElementwise, !function.isIndexing(op) {
      domain = function.type(of: function.result(of: op)).shape
      reduced = []
    } else if opcode == .reduce {
      domain = function.type(of: function.operands(of: op).first!).shape
      reduced = function.ops[op].attributes.ints(.dims)!.sorted()
      // Reducing nothing, or dimensions that do not exist elsewhere, needs no frame of its own.
      if reduced.isEmpty { return nil }
    } else {
      return nil
    }
  }

  init(domain: [Int], reduced: [Int]) {
    self.domain = domain
    self.reduced = reduced
  }

  /// The frame that holds the ops of both; nil where there is none.
  func joined(with other: LoopFrame) -> LoopFrame? {
    if domain == other.domain {
      if reduced == other.reduced || other.reduced.isEmpty { return self }
      return reduced.isEmpty ? other : nil
    }
    if !reduced.isEmpty, other.reduced.isEmpty, other.domain == keptShape { return self }
    if !other.reduced.isEmpty, reduced.isEmpty, domain == other.keptShape { return other }
    return nil
  }

  /// Whether values of a shape are kept values.
  func isKept(_ shape: [Int]) -> Bool { !reduced.isEmpty && shape == keptShape && shape != domain }
}

extension Function {
  /// Whether an op only says where elements come from, so that each reader can do it by itself: a
  /// generator, a broadcast, another view of whole dimensions, or parts of elements.
  func isIndexing(_ op: OpID) -> Bool {
    switch ops[op].opcode {
    case .constant:
      if case .splat? = ops[op].attributes.constant { return true }
      return false
    case .iota, .broadcastInDim, .slice, .reverse, .transpose: return true
    case .bitcastConvert:
      return type(of: operands(of: op).first!).rank != type(of: result(of: op)).rank
    default: return false
    }
  }
}
