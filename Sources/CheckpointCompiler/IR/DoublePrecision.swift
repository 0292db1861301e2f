// The same functions on binary64: what gradients are checked on, where rounding is out of the way.

/// The module with every floating-point type made `f64`.
///
/// Constants keep the numbers that they have, roles and initial values stay, integers and `i1` are
/// untouched. Numbers that `random` gives stay the same: 24 bits fit both. A `bitcast_convert` sees
/// the bits that it was written for, and `reduce_precision` rounds nothing.
///
/// - Complexity: O(values + bytes of constants).
public func inDoublePrecision(_ module: Module) -> Module {
  Module(functions: module.functions.map { inDoublePrecision($0) }, entryName: module.entryName)
}

/// The function with every floating-point type made `f64`; see `inDoublePrecision(_:)` of a module.
public func inDoublePrecision(_ function: Function) -> Function {
  var function = function
  for id in function.ops.ids {
    guard let data = function.ops[id].attributes.constant else { continue }
    let dtype = function.type(of: function.result(of: id)).dtype
    guard dtype.isFloatingPoint, dtype != .f64 else { continue }
    function.ops[id].attributes[.value] = .constant(widened(data, from: dtype))
  }
  function.callees = function.callees.map { inDoublePrecision($0) }
  var bitcasts: [(op: OpID, from: TensorType, to: TensorType)] = []
  for id in function.ops.ids {
    switch function.ops[id].opcode {
    case .bitcastConvert:
      bitcasts.append(
        (
          id, function.type(of: function.operands(of: id).first!),
          function.type(of: function.result(of: id))
        ))
    case .reducePrecision:
      function.ops[id].opcode = .convert
      function.ops[id].attributes = [:]
    default: break
    }
  }
  for id in function.values.ids where function.values[id].type.dtype.isFloatingPoint {
    function.values[id].type.dtype = .f64
  }
  function.keepBits(of: bitcasts)
  return function
}

extension Function {
  /// Puts conversions from and to `f64` around ops that look at the bits of other numbers.
  fileprivate mutating func keepBits(of bitcasts: [(op: OpID, from: TensorType, to: TensorType)]) {
    // The ops to insert before an op.
    var inserted: [OpID: [OpID]] = [:]
    func isWidened(_ type: TensorType) -> Bool { type.dtype.isFloatingPoint && type.dtype != .f64 }
    for bitcast in bitcasts where isWidened(bitcast.from) || isWidened(bitcast.to) {
      var operand = operands(of: bitcast.op).first!
      var before: [OpID] = []
      if isWidened(bitcast.from) {
        before.append(makeOp(.convert, operand, type: bitcast.from, block: ops[bitcast.op].block))
        operand = result(of: before.last!)
      }
      if isWidened(bitcast.to) {
        before.append(
          makeOp(.bitcastConvert, operand, type: bitcast.to, block: ops[bitcast.op].block))
        operand = result(of: before.last!)
        ops[bitcast.op].opcode = .convert
      }
      operandPool[Int(ops[bitcast.op].operandRange.lowerBound)] = operand
      inserted[bitcast.op] = before
    }
    guard !inserted.isEmpty else { return }
    for block in blocks.ids {
      blocks[block].ops = blocks[block].ops.flatMap { (inserted[$0] ?? []) + [$0] }
    }
  }

  /// An op of one operand that stands in no block yet.
  private mutating func makeOp(
    _ opcode: Opcode, _ operand: ValueID, type: TensorType, block: BlockID
  ) -> OpID {
    let id = OpID(ops.count)
    let result = values.append(Value(type: type, name: "", definition: .result(id, 0)))
    operandPool.append(operand)
    let end = Int32(operandPool.count)
    return ops.append(
      Op(
        opcode: opcode, operandRange: end - 1..<end,
        resultRange: result.rawValue..<result.rawValue + 1, attributes: [:], regions: [],
        block: block, location: .unknown))
  }
}

/// The same numbers as `f64`.
private func widened(_ data: ConstantData, from dtype: DType) -> ConstantData {
  func widened(_ bytes: [UInt8]) -> [UInt8] {
    stride(from: 0, to: bytes.count, by: dtype.byteCount).flatMap { start in
      DType.f64.encode(dtype.decode(bytes[start..<start + dtype.byteCount]))
    }
  }
  return switch data {
  case .splat(let bytes): .splat(widened(bytes))
  case .dense(let bytes): .dense(widened(bytes))
  }
}
