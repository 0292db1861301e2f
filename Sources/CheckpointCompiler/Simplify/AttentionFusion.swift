// Products, a softmax between them, as one op: `softmax_attention`.
//
// Problem     Scores and weights of an attention are the largest tensors of many steps, and nothing but
//             the attention reads them. As one op, they never exist as a whole.
// Method      From every product back over its operands (AttentionPattern.swift); where all of the
//             pattern is read by the pattern alone, its last op is replaced and the rest is dead.
// Place       Before differentiation, so that the gradient is the op's own; in steps without gradients,
//             and in callees, with the other passes. Forward and backward parts that come together read
//             each other's weights, and stay as they are.
// Bits        Sums are in another order than those of the ops that are replaced: the one pass that changes
//             results, by rounding.
// Cost        O(ops + operands): a pattern has a bounded number of ops.

/// Makes products around a softmax one op.
let attentionFusion = Pass(
  name: "attention", summary: "makes products around a softmax one op, by rounding another result"
) { function in
  function.withAttention(softmaxDims: [:], isActive: { _ in false })
}

extension Function {
  /// The function before differentiation with its attentions, and those of its callees, as ops; the
  /// function as it is where there are none.
  ///
  /// Calls of functions that have a gradient of their own and that are a softmax count as such.
  func fusingAttention(in module: Module) -> Function {
    let softmaxDims = softmaxDims(in: module)
    var result = self
    for index in result.callees.indices where result.callees[index].mayHoldAttention {
      // What a callee is differentiated for is not known here.
      let simple = Pipeline.local.run(result.callees[index])
      guard let fused = simple.withAttention(softmaxDims: softmaxDims, isActive: { _ in true })
      else { continue }
      result.callees[index] = fused
    }
    guard result.mayHoldAttention else { return result }
    let simple = Pipeline.local.run(result)
    var isActive = Table<ValueID, Bool>(repeating: false, count: simple.values.count)
    for argument in simple.arguments where argument.role == .parameter {
      isActive[argument.value] = true
    }
    var activity = ActivityAnalysis()
    activity.mark(&isActive, in: simple)
    return simple.withAttention(softmaxDims: softmaxDims) { isActive[$0] } ?? result
  }

  /// The function with its attentions as ops, of one operand where they read thirds of it; nil where
  /// nothing changes.
  fileprivate func withAttention(
    softmaxDims: [String: Int], isActive: (ValueID) -> Bool
  ) -> Function? {
    let fused = fusingAttention(softmaxDims: softmaxDims, isActive: isActive)
    return (fused ?? self).joiningAttention() ?? fused
  }

  private var mayHoldAttention: Bool {
    ops.elements.count { $0.opcode == .dotGeneral } >= 2
      || ops.elements.contains { $0.opcode == .softmaxAttention }
  }

  /// For each function with a gradient of its own that is a softmax of its argument, the dimension.
  private func softmaxDims(in module: Module) -> [String: Int] {
    var dims: [String: Int] = [:]
    let called = (callees + [self]).flatMap(\.ops.elements).compactMap {
      $0.opcode == .call ? $0.attributes.function(.callee) : nil
    }
    for name in Set(called).sorted() {
      guard let function = module[name], function.arguments.count == 1, function.results.count == 1
      else { continue }
      let body = Pipeline.local.run(inlined(function, in: module))
      let argument = body.arguments[0].value
      if let softmax = AttentionMatcher(body).softmax(body.returnedValues[0]),
        softmax.input == argument
      {
        dims[name] = softmax.dim
      }
    }
    return dims
  }

  /// Makes every attention one op.
  ///
  /// - Parameters:
  ///   - softmaxDims: The functions that are a softmax, and along which dimension.
  ///   - isActive: Whether the gradient of a value may be asked for.
  /// - Returns: The function with these ops; nil where there are none.
  private func fusingAttention(
    softmaxDims: [String: Int], isActive: (ValueID) -> Bool
  ) -> Function? {
    guard mayHoldAttention else { return nil }
    var patterns: [OpID: AttentionPattern] = [:]
    let matcher = AttentionMatcher(self, softmaxDims: softmaxDims)
    for op in blocks[body].ops where ops[op].opcode == .dotGeneral {
      guard let pattern = matcher.attention(endingAt: op, isActive: isActive) else { continue }
      patterns[op] = pattern
    }
    guard !patterns.isEmpty else { return nil }
    var builder = FunctionBuilder(name: name)
    builder.setGradientFunction(gradientFunction)
    var map = ValueMap(for: self)
    builder.cloneArguments(of: self, into: &map)
    for op in blocks[body].ops.dropLast() {
      guard let pattern = patterns[op] else {
        builder.clone(op, of: self, map: &map)
        continue
      }
      let result = result(of: op)
      map[result] = pattern.append(
        to: &builder, map, name: values[result].name, location: ops[op].location)
    }
    let fused = builder.finish(
      returning: returnedValues.map { map[$0]! }, as: results,
      location: ops[blocks[body].ops.last!].location)
    return Pipeline.local.run(fused)
  }
}

extension AttentionPattern {
  /// Appends the attention, and what makes its mask; returns its first result.
  fileprivate func append(
    to builder: inout FunctionBuilder, _ map: ValueMap, name: String, location: SourceLocation
  ) -> ValueID {
    var operands = [q, k, v].map { map[$0]! }
    if let mask {
      var value = map[mask.value]!
      let kept = mask.dims.indices.filter { mask.dims[$0] != nil }
      let shape = builder.type(of: value).shape
      if kept.count < shape.count {
        value = builder.emit(
          .reshape, [value], type: builder.type(of: value).with(shape: kept.map { shape[$0] }),
          location: location)
      }
      if mask.isInverted { value = builder.emit(.not, [value], location: location) }
      operands.append(value)
    }
    if let key { operands.append(map[key]!) }
    let y: ValueID
    do {
      y = try builder.append(
        .softmaxAttention, operands, attributes,
        names: [name, name.isEmpty ? "" : "\(name).sums"], location: location)[0]
    } catch {
      preconditionFailure("an attention built with \(error.message) [\(error.constraint)]")
    }
    return resultDims == Array(resultDims.indices)
      ? y
      : builder.emit(.transpose, [y], [.dims: .ints(resultDims)], location: location)
  }
}
