// The same functions on binary64: what gradients are checked on, where rounding is out of the way.

/// The module with every floating-point type made `f64`.
///
/// Constants keep the numbers that they have, roles and initial values stay, integers and `i1` are
/// untouched. Numbers that `random` gives stay the same: 24 bits fit both.
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
  for id in function.values.ids where function.values[id].type.dtype.isFloatingPoint {
    function.values[id].type.dtype = .f64
  }
  return function
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
