// Scans written out before differentiation: products, and functions, under windows that grow.
//
// Problem     The derivative of such a scan by one element runs through every result after it; a division by
//             the element would fail at zero, and a function has no formula at all.
// Method      By doubling. After the round of distance d each element stands for itself and the 2d - 1 before
//             it (after it, where the windows end at the last element): it is combined with what stands
//             d places away. These are elementwise ops on slices, which have gradients.
// Invariants  The function is associative, and its initial values are neutral, or combined with twice they
//             change nothing: they are taken in once, last. StableHLO asks for the former.
// Cost        2 + log2(extent) times the ops of the function.
// Source      W. D. Hillis, G. L. Steele: Data parallel algorithms. CACM 29 (12), 1986.

extension Function {
  /// The function and its callees with the scans written out that have no gradient of their own.
  func expandingScans() -> Function {
    var result = expandingOwnScans(callees)
    result.callees = callees.map { $0.expandingOwnScans(callees) }
    return result.prunedCallees()
  }

  private func expandingOwnScans(_ callees: [Function]) -> Function {
    guard ops.elements.contains(where: { ScanCombiner($0, self, callees) != nil }) else {
      return self
    }
    var builder = FunctionBuilder(name: name)
    builder.setGradientFunction(gradientFunction)
    var map = ValueMap(for: self)
    builder.cloneArguments(of: self, into: &map)
    for id in blocks[body].ops.dropLast() {
      guard let combiner = ScanCombiner(ops[id], self, callees) else {
        builder.clone(id, of: self, map: &map)
        continue
      }
      let images = combiner.expanded(operands(of: id).map { map[$0]! }, &builder)
      for (value, image) in zip(results(of: id), images) {
        map[value] = image
        builder.rename(image, to: values[value].name)
      }
    }
    return builder.finish(returning: returnedValues.map { map[$0]! }, as: results)
  }
}

/// A scan, and how it combines two elements.
private struct ScanCombiner {
  private let scan: PoolingWindow.Scan
  /// What is combined by; the product where there is none.
  private let function: Function?
  private let location: SourceLocation

  /// The scan that an op is; nil if it is none, or has a gradient.
  init?(_ op: Op, _ caller: Function, _ callees: [Function]) {
    guard op.opcode == .reduceWindow || op.opcode == .reduceWindowWith else { return nil }
    let type = caller.type(of: caller.operands(of: op).first!)
    guard type.dtype.isFloatingPoint,
      let scan = PoolingWindow(op.attributes, rank: type.rank).scan(type.shape)
    else { return nil }
    self.scan = scan
    location = op.location
    if op.opcode == .reduceWindow {
      guard op.attributes.symbol(.kind) == "mul" else { return nil }
      function = nil
      return
    }
    guard let name = op.attributes.function(.function),
      let callee = callees.first(where: { $0.name == name }),
      callee.opsInOrder.allSatisfy({ callee.isOfElements($0) })
    else { return nil }
    function = callee
  }

  /// Appends the ops of the scan, and returns its results.
  func expanded(_ operands: [ValueID], _ builder: inout FunctionBuilder) -> [ValueID] {
    let count = function.map { $0.results.count } ?? 1
    var values = Array(operands.prefix(count))
    let shape = builder.type(of: values[0]).shape
    let extent = shape[scan.axis]
    var distance = 1
    while distance < extent {
      let before = values.map { slice($0, 0, extent - distance, &builder) }
      let after = values.map { slice($0, distance, extent, &builder) }
      let combined = combine(before, after, &builder)
      values = zip(values, combined).map { value, combined in
        let parts =
          scan.isReversed
          ? [combined, slice(value, extent - distance, extent, &builder)]
          : [slice(value, 0, distance, &builder), combined]
        return builder.emit(
          .concatenate, parts, [.dim: .int(scan.axis)], location: location)
      }
      distance *= 2
    }
    if function == nil { return values }
    let initial = operands.dropFirst(count).map {
      builder.emit(
        .broadcastInDim, [$0], [.dims: .ints([])], type: builder.type(of: $0).with(shape: shape),
        location: location)
    }
    return combine(initial, values, &builder)
  }

  private func slice(
    _ value: ValueID, _ start: Int, _ limit: Int, _ builder: inout FunctionBuilder
  ) -> ValueID {
    let shape = builder.type(of: value).shape
    var (from, to) = (Array(repeating: 0, count: shape.count), shape)
    from[scan.axis] = start
    to[scan.axis] = limit
    return builder.emit(
      .slice, [value], [.start: .ints(from), .limit: .ints(to)], location: location)
  }

  /// What the elements of tensors are combined to.
  private func combine(
    _ before: [ValueID], _ after: [ValueID], _ builder: inout FunctionBuilder
  ) -> [ValueID] {
    guard let function else {
      return [builder.emit(.multiply, [before[0], after[0]], location: location)]
    }
    let shape = builder.type(of: before[0]).shape
    var map = ValueMap(for: function)
    for (argument, value) in zip(function.arguments, before + after) {
      map[argument.value] = value
    }
    for id in function.blocks[function.body].ops.dropLast() {
      let op = function.ops[id]
      let result = function.results(of: id).first!
      let operands = function.operands(of: op).map { map[$0]! }
      switch op.opcode {
      // Of scalars, these are the scalar.
      case .reshape, .broadcastInDim, .transpose: map[result] = operands[0]
      default:
        var attributes = op.attributes
        if case .dense(let bytes)? = attributes.constant {
          attributes[.value] = .constant(.splat(bytes))
        }
        let copy = builder.appendUnchecked(
          op.opcode, operands, attributes, types: [function.type(of: result).with(shape: shape)],
          location: location)
        map[result] = builder.function.results(of: copy).first!
      }
    }
    return function.returnedValues.map { map[$0]! }
  }
}
