// Ops that apply a function to elements: reductions, windows, scatters and sorts of any kind.
//
// Functions   They take and give scalars, see their arguments only, and consist of elementwise ops and
//             constants, so that they are computed in registers, element by element.
// Order       Elements are combined one after the other, in row-major order: a function need be neither
//             associative nor commutative.

extension OpSignature {
  /// Throws a constraint unless the operands are tensors of one shape, then a scalar of the dtype of
  /// each.
  fileprivate func requireInitialValues(_ number: Int) throws(OpError) {
    let count = operandTypes.count / 2
    try require(
      number,
      operandTypes.count == 2 * count
        && (0..<count).allSatisfy {
          self[$0].shape == self[0].shape && self[count + $0] == TensorType(self[$0].dtype)
        },
      "'\(opcode.name)' of \(operandTypes.map(\.description))")
  }

  /// Throws a constraint unless the function that an attribute names is of the given dtypes.
  fileprivate func requireFunction(
    _ number: Int, _ name: AttributeName, from arguments: [DType], to results: [DType]
  ) throws(OpError) {
    let type = functionType(name)
    try require(
      number,
      type.arguments == arguments.map { TensorType($0) }
        && type.results == results.map { TensorType($0) },
      "the \(name.rawValue) of '\(opcode.name)' takes \(type.arguments.map(\.description)) and gives "
        + "\(type.results.map(\.description))")
  }

  /// Throws a constraint unless `function` combines an element of each of the first operands with
  /// another.
  fileprivate func requireCombiner(_ number: Int, of count: Int) throws(OpError) {
    let dtypes = operandTypes.prefix(count).map(\.dtype)
    try requireFunction(number, .function, from: dtypes + dtypes, to: dtypes)
  }
}

/// Operations that one application of a function is counted as.
private let flopsPerApplication = 4.0

/// Operations that one comparison of a sort is counted as: nobody foresees which way it goes.
private let flopsPerComparison = 25.0

extension OpDefinition {
  static let reduceWith = OpDefinition(
    name: "reduce_with",
    summary:
      "Combines the elements along `dims`, which vanish: `function` takes what each tensor has "
      + "been combined to, which starts as its initial value, then the next element of each, and gives "
      + "what they are combined to. The tensors come first, then the initial values.",
    category: .reduction, operands: [OperandSpec("x", .any), OperandSpec("init", .any)],
    isVariadic: true,
    attributes: [AttributeSpec(.function, .function), AttributeSpec(.dims, .ints)],
    constraints: [
      "There are tensors of one shape, then a scalar of the dtype of each.",
      "`dims` are distinct dimensions of the tensors.",
      "`function` takes two scalars of the dtype of each tensor, the first ones before the second "
        + "ones, and gives one of each.",
    ],
    resultsRule: { op throws(OpError) in
      try op.requireInitialValues(1)
      let count = op.operandTypes.count / 2
      let dims = op.attributes.ints(.dims)!
      try op.require(
        2, areDistinctDimensions(dims, rank: op[0].rank),
        "'reduce_with' of \(op[0]) along \(dims)")
      try op.requireCombiner(3, of: count)
      let shape = (0..<op[0].rank).filter { !dims.contains($0) }.map { op[0].shape[$0] }
      return op.operandTypes.prefix(count).map { $0.with(shape: shape) }
    },
    flops: { op, _ in flopsPerApplication * Double(op[0].elementCount) })

  static let reduceWindowWith = OpDefinition(
    name: "reduce_window_with",
    summary: "Combines the elements under each place of a sliding window, as `reduce_with` does; "
      + "padding and the gaps of `base_dilation` have the initial values as elements.",
    category: .window, operands: [OperandSpec("x", .any), OperandSpec("init", .any)],
    isVariadic: true,
    attributes: [
      AttributeSpec(.function, .function)
    ] + windowAttributes,
    constraints: [
      "There are tensors of one shape, then a scalar of the dtype of each.",
      "Lists have an entry for every dimension; window, strides and dilations are at least 1.",
      "`function` takes two scalars of the dtype of each tensor, the first ones before the second "
        + "ones, and gives one of each.",
      windowSpans,
    ],
    resultsRule: { op throws(OpError) in
      try op.requireInitialValues(1)
      let count = op.operandTypes.count / 2
      let window = PoolingWindow(op.attributes, rank: op[0].rank)
      try op.require(
        2, window.isValid(rank: op[0].rank), "a window list does not fit \(op[0])")
      try op.requireCombiner(3, of: count)
      try op.requireSpans(4, window)
      let shape = window.resultShape(op[0].shape)
      return op.operandTypes.prefix(count).map { $0.with(shape: shape) }
    },
    flops: { op, result in
      op.attributes.ints(.window)!
        .reduce(flopsPerApplication * Double(result.elementCount)) { $0 * Double($1) }
    })

  static let scatterWith = OpDefinition(
    name: "scatter_with",
    summary: "Each `x` with every window of its updates combined into it, as `scatter` does: "
      + "`function` takes the elements at a place, then the updates, and gives the new elements. The "
      + "tensors come first, then the indices, then the updates of each.",
    category: .indexed,
    operands: [
      OperandSpec("x", .any), OperandSpec("indices", .any), OperandSpec("updates", .any),
    ], isVariadic: true,
    attributes: [
      AttributeSpec(.function, .function),
      AttributeSpec(.updateWindowDims, .ints, .optional),
      AttributeSpec(.insertedWindowDims, .ints, .optional),
      AttributeSpec(.scatterDims, .ints), AttributeSpec(.indexVectorDim, .int, .int(0)),
      AttributeSpec(.operandBatchDims, .ints, .optional),
      AttributeSpec(.indicesBatchDims, .ints, .optional),
    ],
    constraints: [
      "There are tensors of one shape, then indices of an integer dtype, then updates of one shape, "
        + "each of the dtype of its tensor.",
      "Indices and dimensions fit tensors and updates as those of `scatter` do.",
      "`function` takes two scalars of the dtype of each tensor, the first ones before the second "
        + "ones, and gives one of each.",
    ],
    resultsRule: { op throws(OpError) in
      let count = op.operandTypes.count / 2
      try op.require(
        1,
        op.operandTypes.count == 2 * count + 1 && op[count].dtype.isInteger
          && (0..<count).allSatisfy {
            op[$0].shape == op[0].shape && op[count + 1 + $0].shape == op[count + 1].shape
              && op[$0].dtype == op[count + 1 + $0].dtype
          },
        "'scatter_with' of \(op.operandTypes.map(\.description))")
      var single = OpSignature(
        opcode: .scatter, operandTypes: [op[0], op[count], op[count + 1]],
        attributes: op.attributes)
      single.attributes[.function] = nil
      single.attributes[.kind] = .symbol("set")
      do throws(OpError) {
        _ = try OpDefinition.scatter.typeRule(single)
      } catch {
        throw op.broken(2, error.message)
      }
      try op.requireCombiner(3, of: count)
      return Array(op.operandTypes.prefix(count))
    },
    flops: { op, _ in flopsPerApplication * Double(op.operandTypes.last!.elementCount) })

  static let selectAndScatterWith = OpDefinition(
    name: "select_and_scatter_with",
    summary: "Combines each element of `source` into the place that its window of `x` selects: the "
      + "first element that stays, where `select` says of an element and the next one whether the "
      + "former stays. Places start as `init`; `scatter` takes what is there and the element.",
    category: .window,
    operands: [OperandSpec("x", .any), OperandSpec("source", .any), OperandSpec("init", .any)],
    attributes: [
      AttributeSpec(.select, .function), AttributeSpec(.scatter, .function),
      AttributeSpec(.window, .ints), AttributeSpec(.strides, .ints, .fill(1)),
      AttributeSpec(.low, .ints, .fill(0)), AttributeSpec(.high, .ints, .fill(0)),
    ],
    constraints: [
      "Lists have an entry for every dimension; window and strides are at least 1.",
      "`source` has the dtype of `x` and an element for every window; `init` is a scalar of it.",
      "`select` takes two scalars of the dtype and gives an `i1`, `scatter` gives one of the dtype.",
      windowSpans,
    ],
    typeRule: { op throws(OpError) in
      let window = PoolingWindow(op.attributes, rank: op[0].rank)
      try op.require(
        1, window.isValid(rank: op[0].rank), "a window list does not fit \(op[0])")
      try op.requireSpans(4, window)
      let dtype = op[0].dtype
      let source = op[0].with(shape: window.resultShape(op[0].shape))
      try op.require(
        2, op[1] == source && op[2] == TensorType(dtype),
        "the source is \(op[1]) and starts from \(op[2]); the windows make \(source)")
      try op.requireFunction(3, .select, from: [dtype, dtype], to: [.i1])
      try op.requireFunction(3, .scatter, from: [dtype, dtype], to: [dtype])
      return op[0]
    },
    flops: { op, _ in
      let taps = op.attributes.ints(.window)!.reduce(1.0) { $0 * Double($1) }
      return flopsPerApplication * Double(op[1].elementCount) * (taps + 1)
    })

  static let sort = OpDefinition(
    name: "sort",
    summary: "The elements of each line along `dim` in order: `comparator` takes an element and "
      + "another of the first tensor, then of the second, and says whether the former come first. All "
      + "tensors are ordered alike; elements of which neither comes first keep their order.",
    category: .indexed, operands: [OperandSpec("x", .any)], isVariadic: true,
    attributes: [AttributeSpec(.comparator, .function), AttributeSpec(.dim, .int)],
    constraints: [
      "The tensors have one shape.", "`dim` is a dimension of the tensors.",
      "`comparator` takes two scalars of the dtype of each tensor and gives an `i1`.",
    ],
    resultsRule: { op throws(OpError) in
      try op.require(
        1, op.operandTypes.allSatisfy { $0.shape == op[0].shape },
        "'sort' of \(op.operandTypes.map(\.description))")
      let dim = op.attributes.int(.dim)!
      try op.require(2, op[0].shape.indices.contains(dim), "'sort' of \(op[0]) along \(dim)")
      try op.requireFunction(
        3, .comparator, from: op.operandTypes.flatMap { [$0.dtype, $0.dtype] }, to: [.i1])
      return op.operandTypes
    },
    flops: { op, _ in
      let extent = op.attributes.int(.dim).map { op[0].shape[$0] } ?? 1
      let rounds = Double(max(1, Int.bitWidth - max(0, extent - 1).leadingZeroBitCount))
      return flopsPerComparison * rounds * Double(op[0].elementCount)
    }, gradient: .rule(gradientOfSort))
}

extension Opcode {
  /// Whether the functions that it names are applied to elements.
  var appliesToElements: Bool {
    switch self {
    case .reduceWith, .reduceWindowWith, .scatterWith, .selectAndScatterWith, .sort: true
    default: false
    }
  }
}

extension Function {
  /// Whether an op can stand in a function that is applied to elements: elementwise, a constant, or a
  /// change of the shape of what has no dimensions.
  func isOfElements(_ op: OpID) -> Bool {
    guard results(of: op).allSatisfy({ type(of: $0).rank == 0 }) else { return false }
    return switch ops[op].opcode {
    case .constant, .reshape, .broadcastInDim, .transpose, .fusion, .yield, .return: true
    case let opcode: opcode.isElementwise
    }
  }

  /// Why functions cannot be applied to elements as its ops, and those of its callees, say; nil where
  /// they can. Calls have been inlined.
  var elementFunctionProblem: Diagnostic? {
    for function in callees + [self] {
      for op in function.ops.elements where op.opcode.appliesToElements {
        for name in op.attributes.functionNames {
          guard let callee = callee(name),
            let inner = callee.opsInOrder.first(where: { !callee.isOfElements($0) })
          else { continue }
          return Diagnostic(
            "'\(op.opcode.name)' applies @\(name) to elements, but it has "
              + "'\(callee.ops[inner].opcode.name)', which is not elementwise on scalars",
            at: op.location, constraint: "\(op.opcode.name)_attributes",
            notes: [.note("it is here", at: callee.ops[inner].location)])
        }
      }
    }
    return nil
  }
}
