// Products summed over shared dimensions.
//
// Dtypes      Where the result type is written, its dtype may hold more numbers than those of the
//             operands, which may then differ: products and sums are as if the operands had been
//             converted to it before, which changes none of their numbers.

extension DType {
  /// Whether it has every number that another dtype of its kind has.
  func holds(_ other: DType) -> Bool {
    if self == other { return true }
    guard isFloatingPoint == other.isFloatingPoint, byteCount > other.byteCount else {
      return false
    }
    return isFloatingPoint || other.isUnsigned || !isUnsigned
  }
}

extension OpSignature {
  /// The dtype of the product of the first two operands: that which is written, or theirs; nil where
  /// it does not hold their numbers.
  fileprivate var productDType: DType? {
    guard let dtype = declaredType?.dtype else {
      return self[0].dtype == self[1].dtype ? self[0].dtype : nil
    }
    return operandTypes.allSatisfy { dtype.holds($0.dtype) } ? dtype : nil
  }

  /// The written type as the end of a message; empty where none is written.
  fileprivate var declaredWords: String { declaredType.map { " to \($0)" } ?? "" }
}

/// The words of the constraint on the dtypes of a product.
private let productDTypes =
  "the result has the same dtype, or the one that is written, which has every number of the "
  + "operands' dtypes."

extension OpDefinition {
  static let dotGeneral = OpDefinition(
    name: "dot_general",
    summary: "Multiplies `a` and `b` and sums over the contracting dimensions. The result has the "
      + "batch dimensions, then the other dimensions of `a`, then those of `b`. `bf16` and `f16` "
      + "accumulate in `f32`, and the sum is rounded once.",
    category: .contraction,
    operands: [OperandSpec("a", .numeric), OperandSpec("b", .numeric)],
    attributes: [
      AttributeSpec(.lhsBatch, .ints, .optional), AttributeSpec(.rhsBatch, .ints, .optional),
      AttributeSpec(.lhsContract, .ints, .optional), AttributeSpec(.rhsContract, .ints, .optional),
    ],
    constraints: [
      "`a` and `b` have the same dtype unless the result type is written; \(productDTypes)",
      "Batch and contracting dimensions of an operand are distinct dimensions of it.",
      "Both operands have as many batch and as many contracting dimensions.",
      "Dimensions that belong together have the same extent.",
    ],
    typeRule: { op throws(OpError) in
      let (a, b) = (op[0], op[1])
      guard let dtype = op.productDType else {
        throw op.broken(1, "'dot_general' of \(a) and \(b)\(op.declaredWords)")
      }
      let dims = DotDimensions(op.attributes)
      try op.require(
        2,
        areDistinctDimensions(dims.lhsBatch + dims.lhsContract, rank: a.rank)
          && areDistinctDimensions(dims.rhsBatch + dims.rhsContract, rank: b.rank),
        "the batch and contracting dimensions of \(a) and \(b) are out of range or repeated")
      try op.require(
        3,
        dims.lhsBatch.count == dims.rhsBatch.count
          && dims.lhsContract.count == dims.rhsContract.count,
        "\(dims.lhsBatch.count) and \(dims.rhsBatch.count) batch dimensions, "
          + "\(dims.lhsContract.count) and \(dims.rhsContract.count) contracting dimensions")
      for (left, right) in zip(
        dims.lhsBatch + dims.lhsContract, dims.rhsBatch + dims.rhsContract)
      {
        try op.require(
          4, a.shape[left] == b.shape[right],
          "'dot_general' pairs \(a.shape[left]) with \(b.shape[right]): dimension \(left) of \(a) "
            + "and dimension \(right) of \(b)")
      }
      let shape =
        dims.lhsBatch.map { a.shape[$0] } + dims.lhsFree(rank: a.rank).map { a.shape[$0] }
        + dims.rhsFree(rank: b.rank).map { b.shape[$0] }
      return TensorType(dtype, shape)
    },
    flops: { op, result in
      let contracted = DotDimensions(op.attributes).lhsContract.reduce(1) { $0 * op[0].shape[$1] }
      return 2 * Double(result.elementCount) * Double(contracted)
    }, gradient: .rule(gradientOfDotGeneral))

  static let convolution = OpDefinition(
    name: "convolution",
    summary: "Slides `w` over `x`, multiplies and sums, as StableHLO's convolution: `dim_numbers` "
      + "names the dimensions (`b` batch, `f` feature, `i` input and `o` output feature, digits "
      + "the spatial ones); `low` and `high` pad (or cut, where negative), `lhs_dilation` spreads "
      + "`x`, `rhs_dilation` spreads `w`, `window_reversal` flips `w`.",
    category: .contraction,
    operands: [OperandSpec("x", .numeric), OperandSpec("w", .numeric)],
    attributes: [
      AttributeSpec(.dimNumbers, .dimNumbers),
      AttributeSpec(.strides, .ints, .fill(1)), AttributeSpec(.low, .ints, .fill(0)),
      AttributeSpec(.high, .ints, .fill(0)), AttributeSpec(.lhsDilation, .ints, .fill(1)),
      AttributeSpec(.rhsDilation, .ints, .fill(1)),
      AttributeSpec(.windowReversal, .ints, .fill(0)),
      AttributeSpec(.featureGroups, .int, .int(1)), AttributeSpec(.batchGroups, .int, .int(1)),
    ],
    constraints: [
      "`x` and `w` have the rank of `dim_numbers`, and the same dtype unless the result type is "
        + "written; \(productDTypes)",
      "Lists have an entry for every spatial dimension; strides and dilations are at least 1, "
        + "reversals 0 or 1.",
      "Groups are at least 1, and not both above 1.",
      "The feature groups divide the features of `x` and the output features of `w`; each has as "
        + "many features as `w` has input features.",
      "The batch groups divide the batch of `x` and the output features of `w`.",
      "Along no spatial dimension are `x` or `w`, with padding, dilation and stride, longer than a "
        + "dimension of `x` might be in 1 TiB, and there are at most 2^56 products.",
    ],
    typeRule: { op throws(OpError) in
      let (x, w) = (op[0], op[1])
      let dims = ConvolutionDimensions(op.attributes)
      guard let dtype = op.productDType, x.rank == dims.rank, w.rank == dims.rank else {
        throw op.broken(
          1, "'convolution' of \(x) and \(w) with \(dims.description)\(op.declaredWords)")
      }
      let n = dims.rank - 2
      let window = ConvolutionWindow(op.attributes, spatialRank: n)
      try op.require(2, window.isValid(spatialRank: n), "a window list has a wrong entry or length")
      let features = window.featureGroups
      let batches = window.batchGroups
      try op.require(
        3, features >= 1 && batches >= 1 && (features == 1 || batches == 1),
        "feature_groups = \(features), batch_groups = \(batches)")
      let xFeatures = x.shape[dims.inputFeature]
      let outputs = w.shape[dims.kernelOutput]
      try op.require(
        4,
        xFeatures % features == 0 && outputs % features == 0
          && w.shape[dims.kernelInput] == xFeatures / features,
        "\(xFeatures) features in \(features) groups meet \(w.shape[dims.kernelInput]) input and "
          + "\(outputs) output features: \(x) and \(w)")
      try op.require(
        5, x.shape[dims.inputBatch] % batches == 0 && outputs % batches == 0,
        "batch_groups = \(batches) do not divide \(x.shape[dims.inputBatch]) and \(outputs)")
      let spans = (0..<n).map { axis in
        windowSpan(
          x.shape[dims.inputSpatial[axis]], window: w.shape[dims.kernelSpatial[axis]],
          stride: window.strides[axis], low: window.low[axis], high: window.high[axis],
          baseDilation: window.lhsDilation[axis], windowDilation: window.rhsDilation[axis])
      }
      try op.requireSpans(6, spans, along: dims.inputSpatial, of: x)
      var shape = Array(repeating: 0, count: dims.rank)
      shape[dims.outputBatch] = x.shape[dims.inputBatch] / batches
      shape[dims.outputFeature] = outputs
      for axis in 0..<n {
        shape[dims.outputSpatial[axis]] = windowedExtent(
          x.shape[dims.inputSpatial[axis]], window: w.shape[dims.kernelSpatial[axis]],
          stride: window.strides[axis], low: window.low[axis], high: window.high[axis],
          baseDilation: window.lhsDilation[axis], windowDilation: window.rhsDilation[axis])
      }
      let result = TensorType(dtype, shape)
      if result.isRepresentable {
        let products = (dims.kernelSpatial + [dims.kernelInput]).reduce(
          Double(result.elementCount)
        ) { $0 * Double(w.shape[$1]) }
        try op.require(6, products <= 0x1p56, "'convolution' of \(x) and \(w) makes \(result)")
      }
      return result
    },
    flops: { op, result in
      let dims = ConvolutionDimensions(op.attributes)
      let taps = dims.kernelSpatial.reduce(1.0) { $0 * Double(op[1].shape[$1]) }
      // A dilated input is mostly zeros that no kernel multiplies.
      let skipped = op.attributes.ints(.lhsDilation)?.reduce(1.0) { $0 * Double($1) } ?? 1
      let depth = Double(op[1].shape[dims.kernelInput])
      return 2 * Double(result.elementCount) * taps * depth / skipped
    }, gradient: .rule(gradientOfConvolution))
}
