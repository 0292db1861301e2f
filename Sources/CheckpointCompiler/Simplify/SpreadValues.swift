// Values behind broadcasts: which smaller tensor a tensor repeats, and along which dimensions.

/// A tensor whose elements another one, of a given shape, repeats.
struct SpreadValue {
  var value: ValueID
  /// The dimension of the larger tensor that each dimension is; nil for one of extent 1 that is
  /// repeated or was inserted.
  var dims: [Int?]

  /// Whether it has more than one element along a dimension of the larger tensor.
  func varies(along dim: Int) -> Bool { dims.contains(dim) }
}

extension Function {
  /// The op that defines a value, where it is of the given opcode.
  func op(_ opcode: Opcode, defining value: ValueID) -> OpID? {
    definingOp(of: value).flatMap { ops[$0].opcode == opcode ? $0 : nil }
  }

  /// The number in every element of a value, where that is known: of a constant, spread or not.
  func splatNumber(_ value: ValueID) -> Double? {
    let source = unspread(value).value
    guard let op = op(.constant, defining: source),
      case .splat(let bytes)? = ops[op].attributes.constant
    else { return nil }
    return type(of: source).dtype.decode(bytes[...])
  }

  /// What a value repeats, behind at most `stepsMax` ops.
  func unspread(_ value: ValueID, stepsMax: Int = 8) -> SpreadValue {
    var spread = SpreadValue(value: value, dims: type(of: value).shape.indices.map { $0 })
    for _ in 0..<stepsMax {
      guard let id = definingOp(of: spread.value) else { break }
      let shape = type(of: spread.value).shape
      let op = ops[id]
      let dims: [Int?]
      switch op.opcode {
      case .broadcastInDim:
        let inner = type(of: operands(of: op).first!).shape
        dims = zip(inner, op.attributes.ints(.dims)!).map { extent, dim in
          extent == 1 && shape[dim] != 1 ? nil : spread.dims[dim]
        }
      case .transpose:
        let order = op.attributes.ints(.dims)!
        dims = order.indices.map { spread.dims[order.firstIndex(of: $0)!] }
      case .reshape:
        let inner = type(of: operands(of: op).first!).shape
        let long = shape.indices.filter { shape[$0] != 1 }
        guard inner.filter({ $0 != 1 }) == long.map({ shape[$0] }) else { return spread }
        var rest = long[...]
        dims = inner.map { $0 == 1 ? nil : spread.dims[rest.removeFirst()] }
      default: return spread
      }
      spread = SpreadValue(value: operands(of: op).first!, dims: dims)
    }
    return spread
  }
}
