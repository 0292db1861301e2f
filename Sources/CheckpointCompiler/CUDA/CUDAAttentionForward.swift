// The CUDA function of attention: a running maximum and sum of exponentials for each query.

extension CUDAAttention {
  /// The body of the function.
  mutating func forward() -> [String] {
    let columns = Self.tile / Self.lanes
    let outs = Self.chunk / Self.lanes
    var body = [
      "  const int query = from_row + row;", "  \(type) most = \(lowest), total = 0;",
      "  \(type) out[\(outs)];", "  CKC_UNROLL",
      "  for (int i = 0; i < \(outs); i++) out[i] = 0;",
      "  for (int from_key = 0; from_key < \(keysEnd); from_key += \(Self.tile)) {",
    ]
    body += products("dots_of", rows: q, columns: k, fromColumn: "from_key")
    body += [
      "    \(type) scores[\(columns)];", "    CKC_UNROLL",
      "    for (int j = 0; j < \(columns); j++) {",
      "      const int key = from_key + lane + \(Self.lanes) * j;",
    ]
    body += score("dots_of[j]", indent: "      ").filter { !$0.contains("is_chosen") }
    body += [
      "      scores[j] = score;", "      weights[row][lane + \(Self.lanes) * j] = score;", "    }",
      "    __syncthreads();", "    \(type) top = most;",
      "    for (int c = 0; c < \(Self.tile); c++) {",
      "      top = weights[row][c] > top ? weights[row][c] : top;", "    }",
      "    const \(type) base = top == \(lowest) ? 0 : top;",
      "    const \(type) factor = \(exponential("most - base"));", "    __syncthreads();",
      "    CKC_UNROLL", "    for (int j = 0; j < \(columns); j++) {",
      "      scores[j] = \(exponential("scores[j] - base"));",
      "      weights[row][lane + \(Self.lanes) * j] = scores[j];", "    }",
      "    __syncthreads();", "    total *= factor;",
      "    for (int c = 0; c < \(Self.tile); c++) total += weights[row][c];",
    ]
    if let kept = kept() {
      body += [
        "    __syncthreads();", "    CKC_UNROLL", "    for (int j = 0; j < \(columns); j++) {",
        "      const int key = from_key + lane + \(Self.lanes) * j;",
        "      weights[row][lane + \(Self.lanes) * j] = scores[j] * \(kept);", "    }",
      ]
    }
    body += ["    CKC_UNROLL", "    for (int i = 0; i < \(outs); i++) out[i] *= factor;"]
    body += weighted(
      v, fromColumn: "from_key", from: "chunk * \(Self.chunk)", indent: "    ")
    body += ["    most = top;", "  }"]
    body += storing(y, from: "chunk * \(Self.chunk)", "out[i] / total")
    body += [
      "  if (chunk == 0 && lane == 0 && query < \(dims.queries)) {",
      "    b\(sums)[(ptrdiff_t)batch * \(dims.queries) + query] =",
      "        (most == \(lowest) ? 0 : most) + \(logarithm("total"));", "  }",
    ]
    return start(
      [q, k, v, y], tiles: quotient(dims.queries, Self.tile),
      chunks: quotient(dims.values, Self.chunk), body: body)
  }
}
