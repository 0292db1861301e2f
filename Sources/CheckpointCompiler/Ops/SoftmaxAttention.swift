// Attention whose weights are a softmax, and its gradients, as ops: what runs in tiles and never has all
// weights in memory.
//
// Source      Dao, Fu, Ermon, Rudra, Ré, "FlashAttention", NeurIPS 2022, arXiv:2205.14135.

/// Attributes that attention and its gradient share.
private let attentionAttributes = [
  AttributeSpec(.qDims, .ints, .optional), AttributeSpec(.kDims, .ints, .optional),
  AttributeSpec(.vDims, .ints, .optional), AttributeSpec(.yDims, .ints, .optional),
  AttributeSpec(.qkvDim, .int, .optional),
  AttributeSpec(.scale, .number, .number(1)), AttributeSpec(.causalOffset, .int, .optional),
  AttributeSpec(.mask, .symbol(["add", "select"]), .optional),
  AttributeSpec(.maskDims, .ints, .optional),
  AttributeSpec(.fill, .number, .number(-.infinity)), AttributeSpec(.rate, .number, .optional),
  AttributeSpec(.keepScale, .number, .number(1)), AttributeSpec(.stream, .int, .optional),
]

/// Constraints that attention and its gradient share.
private let attentionConstraints = [
  "`q`, `k` and `v` have the same dtype and a rank of at least 2; `q_dims` and the like are orders of "
    + "their dimensions. Where `qkv_dim` is given, it is a dimension of all three, which are of one type, "
    + "and its extent a multiple of three.",
  "Batch dimensions, features of `q` and `k`, and keys and values are alike; no extent is 0.",
  "Where `mask` is given, the mask follows: an `i1` to `select`, or numbers of the same dtype to `add`; "
    + "`mask_dims` are distinct dimensions of the weights, of the extents of the mask where that is "
    + "not 1.",
  "Where `rate` is given, it is at least 0 and below 1, `stream` is given, and a key `ui32[2]` follows.",
  "There are no other operands.",
]

/// Operations for one score beside products: scale, maximum, exponential, sum.
private let flopsPerScore = 12.0

extension OpDefinition {
  static let softmaxAttention = OpDefinition(
    name: "softmax_attention",
    summary:
      "`y = softmax(scale * q kᵀ) v` for every place of the batch dimensions, and the logarithm "
      + "of the sum of exponentials of every query. `q_dims` has the batch dimensions of `q`, then "
      + "that of the queries, then that of the features, in order unless given; so do `k_dims`, "
      + "`v_dims`, `y_dims`. With `qkv_dim`, the queries are the first third of `q` along that "
      + "dimension, the keys the second third of `k`, the values the last third of `v`: all three may be "
      + "one tensor. Query `i` sees the keys up to `i + causal_offset`, or all. A mask, whose "
      + "dimensions are the dimensions `mask_dims` of the weights (batch, queries, keys), is added to "
      + "the scores, or selects those that do not become `fill`. With `rate`, weights become 0 where "
      + "the number that `random` would give at their place is below it, and are multiplied by "
      + "`keep_scale` elsewhere. The logarithms have no gradient.",
    category: .attention,
    operands: [
      OperandSpec("q", .floatingPoint), OperandSpec("k", .floatingPoint),
      OperandSpec("v", .floatingPoint), OperandSpec("mask_or_key", .any),
    ], isVariadic: true, mayLackLast: true, attributes: attentionAttributes,
    constraints: attentionConstraints,
    resultsRule: { op throws(OpError) in
      let attention = try AttentionDimensions(op, extras: 3)
      return [attention.resultType(op[0]), attention.sumsType(op[0])]
    },
    flops: { op, _ in attentionFlops(op, extras: 3, products: (1, 1)) },
    gradient: .rule(gradientOfSoftmaxAttention))

  static let softmaxAttentionGradient = OpDefinition(
    name: "softmax_attention_gradient",
    summary:
      "The gradients of `softmax_attention` with respect to `q`, `k` and `v`, from its operands, "
      + "its results `y` and `sums`, and the gradient `dy`: weights are computed again from scores and "
      + "`sums`. Attributes are those of `softmax_attention`; with `qkv_dim`, the three gradients are "
      + "the thirds of one result.",
    category: .attention,
    operands: [
      OperandSpec("q", .floatingPoint), OperandSpec("k", .floatingPoint),
      OperandSpec("v", .floatingPoint), OperandSpec("y", .floatingPoint),
      OperandSpec("sums", .floatingPoint), OperandSpec("dy", .floatingPoint),
      OperandSpec("mask_or_key", .any),
    ], isVariadic: true, mayLackLast: true, attributes: attentionAttributes,
    constraints: attentionConstraints + [
      "`y`, `sums` and `dy` are of the types of the results."
    ],
    resultsRule: { op throws(OpError) in
      let attention = try AttentionDimensions(op, extras: 6)
      let y = attention.resultType(op[0])
      try op.require(
        6, op[3] == y && op[4] == attention.sumsType(op[0]) && op[5] == y,
        "'softmax_attention_gradient' of \(op[3]), \(op[4]) and \(op[5])")
      return attention.joinedDim == nil ? [op[0], op[1], op[2]] : [op[0]]
    },
    flops: { op, _ in attentionFlops(op, extras: 6, products: (3, 2)) })
}

/// Operations of products over features and over values for every score that is seen, and of the
/// scores themselves.
private func attentionFlops(
  _ op: OpSignature, extras: Int, products: (features: Int, values: Int)
) -> Double {
  guard let attention = try? AttentionDimensions(op, extras: extras) else { return 0 }
  var scores = Double(attention.queries) * Double(attention.keys)
  if let offset = attention.causalOffset {
    let seen = (Double(offset) + Double(attention.queries + 1) / 2) * Double(attention.queries)
    scores = min(scores, max(0, seen))
  }
  scores = attention.batch.reduce(scores) { $0 * Double($1) }
  let perScore =
    2 * Double(products.features * attention.features + products.values * attention.values)
  return scores * (perScore + flopsPerScore)
}

/// One op for all three gradients. Thirds of one tensor have one gradient. A mask that is added has none.
@Sendable private func gradientOfSoftmaxAttention(_ g: inout GradientContext) -> [ValueID?] {
  guard let dy = g.resultGradients[0], g.resultGradients[1] == nil else {
    return g.refuse("the sums of 'softmax_attention' have no gradient")
  }
  let extras = Array(g.operands.dropFirst(3))
  if zip(extras, g.needed.dropFirst(3)).contains(where: {
    g.type(of: $0).dtype.isFloatingPoint && $1
  }) {
    return g.refuse("the mask of 'softmax_attention' has no gradient")
  }
  let operands = Array(g.operands.prefix(3)) + g.results + [dy] + extras
  let isJoined = g.attributes.int(.qkvDim) != nil
  if isJoined, Set(g.operands.prefix(3)).count > 1 {
    return g.refuse("thirds of different tensors have no gradient in 'softmax_attention'")
  }
  let gradients = g.emitAll(.softmaxAttentionGradient, operands, g.attributes)
  return (isJoined ? [gradients[0], nil, nil] : gradients) + extras.map { _ in nil }
}
