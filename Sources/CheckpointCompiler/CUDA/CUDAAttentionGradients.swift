// The CUDA functions of the gradients of attention: one for queries, one for keys and values.
//
// Method      Weights are computed again from scores and the logarithms of their sums. Each function has
//             the rows whose gradients it makes, and walks over all columns; so nothing is added up by
//             several blocks.

extension CUDAAttention {
  private var columns: Int { Self.tile / Self.lanes }
  private var outs: Int { Self.chunk / Self.lanes }

  private var cleared: [String] {
    [
      "  \(type) out[\(outs)];", "  CKC_UNROLL",
      "  for (int i = 0; i < \(outs); i++) out[i] = 0;",
    ]
  }

  /// Lines that leave in `dots[r]` parts of the product of the gradient of a query and its result.
  private mutating func dots(fromQuery: String, indent: String) -> [String] {
    let row = "\(fromQuery) + row"
    let a = load(dy, row: row, feature: "f")
    let b = load(y, row: row, feature: "f")
    return [
      "\(indent)\(type) part = 0;", "\(indent)if (\(row) < \(dims.queries)) {",
      "\(indent)  for (int f = lane; f < \(dims.values); f += \(Self.lanes)) {",
      "\(indent)    part = \(product(a, b, plus: "part"));", "\(indent)  }", "\(indent)}",
      "\(indent)dots[row][lane] = part;",
    ]
  }

  /// Lines that make `dot` of the parts of a query.
  private func dot(_ row: String, indent: String) -> [String] {
    [
      "\(indent)\(type) dot = 0;",
      "\(indent)for (int l = 0; l < \(Self.lanes); l++) dot += dots[\(row)][l];",
    ]
  }

  /// Lines that make `weight` of `score`.
  private mutating func weight(indent: String) -> [String] {
    let sum = "b\(sums)[(ptrdiff_t)batch * \(dims.queries) + query]"
    return [
      "\(indent)const \(type) log_sum = query < \(dims.queries) ? \(sum) : 0;",
      "\(indent)const \(type) weight = \(exponential("score - log_sum"));",
    ]
  }

  /// The gradient of the product of a query and a key.
  private mutating func slope() -> String {
    let kept = kept().map { " * \($0)" } ?? ""
    let scale = literal(dims.scale)
    return "is_chosen && weight != 0 ? weight * (slopes[j]\(kept) - dot) * \(scale) : 0"
  }

  /// The body of the function that has queries as rows.
  mutating func gradientOfQueries() -> [String] {
    var body = ["  const int query = from_row + row;"] + cleared
    body += dots(fromQuery: "from_row", indent: "  ") + ["  __syncthreads();"]
    body += dot("row", indent: "  ")
    body.append("  for (int from_key = 0; from_key < \(keysEnd); from_key += \(Self.tile)) {")
    body += products("dots_of", rows: q, columns: k, fromColumn: "from_key")
    body += products("slopes", rows: dy, columns: v, fromColumn: "from_key")
    body += [
      "    __syncthreads();", "    CKC_UNROLL", "    for (int j = 0; j < \(columns); j++) {",
      "      const int key = from_key + lane + \(Self.lanes) * j;",
    ]
    body += score("dots_of[j]", indent: "      ") + weight(indent: "      ")
    body += ["      weights[row][lane + \(Self.lanes) * j] = \(slope());", "    }"]
    body += weighted(
      k, fromColumn: "from_key", from: "chunk * \(Self.chunk)", indent: "    ")
    body.append("  }")
    body += storing(gradient(0), from: "chunk * \(Self.chunk)", "out[i]")
    return start(
      [q, k, v, y, dy, gradient(0)], tiles: quotient(dims.queries, Self.tile),
      chunks: quotient(dims.features, Self.chunk), body: body)
  }

  /// The first tile of queries that sees a tile of keys.
  private var queriesStart: String {
    guard let offset = dims.causalOffset else { return "0" }
    let first = "from_row - (\(offset))"
    return "(\(first) > 0 ? (\(first)) / \(Self.tile) * \(Self.tile) : 0)"
  }

  /// The body of the function that has keys as rows; the first chunks are of the gradient of keys.
  mutating func gradientsOfKeysAndValues() -> [String] {
    let chunks = quotient(dims.features, Self.chunk)
    var body = [
      "  const int key = from_row + row;", "  const bool is_of_keys = chunk < \(chunks);",
    ]
    body += cleared
    body.append(
      "  for (int from_query = \(queriesStart); from_query < \(dims.queries); "
        + "from_query += \(Self.tile)) {")
    body += products("dots_of", rows: k, columns: q, fromColumn: "from_query")
    body += products("slopes", rows: v, columns: dy, fromColumn: "from_query")
    body += dots(fromQuery: "from_query", indent: "    ")
    body += [
      "    __syncthreads();", "    CKC_UNROLL", "    for (int j = 0; j < \(columns); j++) {",
      "      const int query = from_query + lane + \(Self.lanes) * j;",
    ]
    body += dot("lane + \(Self.lanes) * j", indent: "      ")
    body += score("dots_of[j]", indent: "      ") + weight(indent: "      ")
    let kept = kept().map { "weight * \($0)" } ?? "weight"
    body += [
      "      weights[row][lane + \(Self.lanes) * j] =",
      "          is_of_keys ? (\(slope())) : \(kept);", "    }", "    if (is_of_keys) {",
    ]
    body += weighted(
      q, fromColumn: "from_query", from: "chunk * \(Self.chunk)", indent: "      ")
    body.append("    } else {")
    body += weighted(
      dy, fromColumn: "from_query", from: "(chunk - \(chunks)) * \(Self.chunk)",
      indent: "      ")
    body += ["    }", "    __syncthreads();", "  }", "  if (is_of_keys) {"]
    body += storing(gradient(1), from: "chunk * \(Self.chunk)", "out[i]").map { "  " + $0 }
    body.append("  } else {")
    body += storing(gradient(2), from: "(chunk - \(chunks)) * \(Self.chunk)", "out[i]")
      .map { "  " + $0 }
    body.append("  }")
    return start(
      [q, k, v, y, dy, gradient(1), gradient(2)], tiles: quotient(dims.keys, Self.tile),
      chunks: chunks + quotient(dims.values, Self.chunk), body: body)
  }
}
