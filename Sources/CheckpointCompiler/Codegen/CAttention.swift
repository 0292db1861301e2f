// The C function of an attention: its numbers as constants, and a loop over its work items.

/// The C text of an attention, whose parameters are given and followed by scratch.
///
/// It needs `CAttentionSource.source(for:)` with the attention before it.
func cFunction(for attention: AttentionKernel, name: String, parameters: [String]) -> String {
  let dims = attention.dims
  let number = attention.dtype.name
  let sum = cComputeType(attention.sum)
  let layouts = AttentionLayouts(dims)
  let pointers = AttentionPointers(attention, layouts)
  var text = "CKC_KERNEL \(name)(\n    \(parameters.joined(separator: ",\n    ")),\n"
  text += "    unsigned char *CKC_RESTRICT scratch) {\n"
  text += "  static const ckc_attention t = {\n    \(layouts.constants(attention))\n  };\n"
  let rowStrides = [dims.features, dims.values].map {
    String(AttentionKernel.rowStride(features: $0))
  }
  let places = attention.scratch.parts.map { String($0.start) }
  let widths = [dims.features, dims.values].map { String(attention.width($0)) }
  text += "  static const ckc_attention_scratch at = {\n    "
  text += (places + rowStrides + widths).joined(separator: ", ")
  text += "\n  };\n"
  if attention.threads > 1 {
    text +=
      "  CKC_OMP(omp parallel for schedule(static) num_threads(ckc_threads(\(attention.threads))))\n"
  }
  let items = attention.batchCount * attention.splits
  text += "  for (ptrdiff_t item = 0; item < \(items); ++item) {\n"
  let thread = attention.threads > 1 ? " + ckc_thread() * \(attention.threadBytes)" : ""
  text += "    \(sum) *const own = (\(sum) *)(void *)(scratch\(thread));\n"
  let batch = attention.splits > 1 ? "item / \(attention.splits)" : "item"
  text += "    const ptrdiff_t batch = \(batch);\n"
  var from = "0"
  var to = String(dims.queries)
  if attention.splits > 1 {
    // Whole panels of lanes, so that each is computed as it would be without the split.
    let blocks = (dims.queries + AttentionKernel.lanes - 1) / AttentionKernel.lanes
    let lanes = AttentionKernel.lanes
    text += "    const ptrdiff_t part = item % \(attention.splits);\n"
    text += "    const ptrdiff_t from = part * \(blocks) / \(attention.splits) * \(lanes);\n"
    text += "    const ptrdiff_t end = (part + 1) * \(blocks) / \(attention.splits) * \(lanes);\n"
    (from, to) = ("from", "ckc_least(end, \(dims.queries))")
  }
  let first = "(int64_t)batch * \(dims.queries * dims.keys)"
  let operands = attention.operands
  if attention.isGradient {
    text += "    ckc_attention_backward_\(number)(\n        &t, \(pointers.q), \(pointers.k), "
    text += "\(pointers.v),\n        \(pointers.y(operands[3])), b\(operands[4]) + batch * "
    text +=
      "\(dims.queries), \(pointers.y(operands[5])),\n        \(pointers.mask), \(pointers.key), "
    text += "\(first),\n        \(pointers.gradients.joined(separator: ", ")),\n"
    text += "        &at, own);\n"
  } else {
    text += "    ckc_attention_forward_\(number)(\n        &t, \(pointers.q), \(pointers.k), "
    text += "\(pointers.v),\n        \(pointers.mask), \(pointers.key), \(first), \(from), \(to),\n"
    text += "        \(pointers.y(attention.results[0])), b\(attention.results[1]) + batch * "
    text += "\(dims.queries),\n        &at, own);\n"
  }
  return text + "  }\n}\n"
}

/// Where the tensors of an attention have what; the mask along the dimensions of weights.
private struct AttentionLayouts {
  let q: AttentionDimensions.Layout
  let k: AttentionDimensions.Layout
  let v: AttentionDimensions.Layout
  let y: AttentionDimensions.Layout
  let mask: AttentionDimensions.Layout

  init(_ dims: AttentionDimensions) {
    (q, k, v, y) = (dims.q, dims.k, dims.v, dims.y)
    mask = AttentionDimensions.Layout(
      strides: dims.mask.map { dims.maskStrides($0) } ?? Array(repeating: 0, count: q.strides.count)
    )
  }

  /// The members of a `ckc_attention`.
  func constants(_ attention: AttentionKernel) -> String {
    let dims = attention.dims
    func number(_ value: Double) -> String {
      value.isNaN ? "NAN" : value.isInfinite ? (value < 0 ? "-INFINITY" : "INFINITY") : "\(value)"
    }
    // Beyond these, an offset says that all keys are seen, or none.
    let offset = dims.causalOffset ?? dims.keys
    let last = max(-dims.queries, min(offset, dims.keys))
    let extents = [dims.queries, dims.keys, dims.features, dims.values]
    let steps = [q, k, v, y, mask].flatMap { $0.strides.suffix(2) }
    let numbers = [dims.scale, dims.mask?.fill ?? 0, dims.dropout?.keepScale ?? 1]
    let mask = dims.mask.map { $0.isAdded ? 1 : 2 } ?? 0
    let words = [dims.dropout?.limit ?? 0, dims.dropout?.stream ?? 0]
    return
      (extents.map(String.init) + steps.map(String.init) + [String(last)]
      + numbers.map(number) + [String(mask)] + words.map { "\($0)u" }).joined(separator: ", ")
  }
}

/// Pointers to the tensors of one work item.
private struct AttentionPointers {
  private let attention: AttentionKernel
  private let layouts: AttentionLayouts

  init(_ attention: AttentionKernel, _ layouts: AttentionLayouts) {
    self.attention = attention
    self.layouts = layouts
  }

  /// A buffer at the place of the batch dimensions.
  private func pointer(_ buffer: Int, _ layout: AttentionDimensions.Layout) -> String {
    var text = "b\(buffer)" + (layout.start == 0 ? "" : " + \(layout.start)")
    var inner = attention.batchCount
    for (extent, stride) in zip(attention.dims.batch, layout.strides) {
      inner /= extent
      guard extent > 1, stride != 0 else { continue }
      let index = inner == 1 ? "batch" : "batch / \(inner)"
      text += " + \(index) % \(extent) * \(stride)"
    }
    return text
  }

  var q: String { pointer(attention.operands[0], layouts.q) }
  var k: String { pointer(attention.operands[1], layouts.k) }
  var v: String { pointer(attention.operands[2], layouts.v) }
  func y(_ buffer: Int) -> String { pointer(buffer, layouts.y) }
  var mask: String {
    attention.dims.mask.map { pointer(attention.operands[$0.operand], layouts.mask) } ?? "NULL"
  }
  var key: String { attention.dims.dropout.map { "b\(attention.operands[$0.operand])" } ?? "NULL" }
  var gradients: [String] {
    zip(attention.gradients, [layouts.q, layouts.k, layouts.v]).map { pointer($0, $1) }
  }
}
