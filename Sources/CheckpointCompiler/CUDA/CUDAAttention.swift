// What the CUDA functions of attention and of its gradients share.
//
// Method      A block has 32 rows (queries, or keys for the gradients of keys and values), eight threads
//             for each, and 64 features of its result. Tiles of 32 columns pass by: products of features,
//             64 at a time in shared memory, give scores; weights made of them stand in shared memory,
//             and products with the columns' features are added to the result. All weights never exist.
// Order       Every sum is in the order of features, or of columns, whatever else is computed.
// Source      Dao, "FlashAttention-2", 2023, arXiv:2307.08691.

/// Prints the functions of an attention.
struct CUDAAttention {
  /// Rows and columns of a tile, threads of a row, and features of a chunk.
  static let tile = 32
  static let lanes = 8
  static let chunk = 64
  static let threads = tile * lanes

  /// A tensor with a sequence and features.
  struct Operand {
    var name: String
    var buffer: Int
    var layout: AttentionDimensions.Layout
    var rows: Int
    var features: Int
  }

  let attention: AttentionKernel
  let buffers: [KernelBuffer]
  /// The support functions that were used.
  var uses: Set<String> = []

  init(_ attention: AttentionKernel, buffers: [KernelBuffer]) {
    self.attention = attention
    self.buffers = buffers
  }

  var dims: AttentionDimensions { attention.dims }
  /// The type that is computed in.
  var type: String { attention.sum == .f64 ? "double" : "float" }

  /// The functions of the attention, named after `symbol`.
  mutating func print(_ symbol: String) -> CUDAKernel {
    var kernel = CUDAKernel()
    let parameters = buffers.enumerated().map { CUDAParameter($1, $0) }
    let rowTiles = (quotient(dims.queries, Self.tile), quotient(dims.keys, Self.tile))
    let chunks = (quotient(dims.features, Self.chunk), quotient(dims.values, Self.chunk))
    func add(_ name: String, tiles: Int, chunks: Int, _ body: [String]) {
      kernel.add(
        name, blocks: attention.batchCount * tiles * chunks, threads: Self.threads,
        parameters: parameters, body: body)
    }
    if attention.isGradient {
      add("\(symbol)_queries", tiles: rowTiles.0, chunks: chunks.0, gradientOfQueries())
      add(
        "\(symbol)_keys", tiles: rowTiles.1, chunks: chunks.0 + chunks.1,
        gradientsOfKeysAndValues())
    } else {
      add(symbol, tiles: rowTiles.0, chunks: chunks.1, forward())
    }
    return kernel
  }

  // MARK: Tensors

  var q: Operand {
    Operand(
      name: "q", buffer: attention.operands[0], layout: dims.q, rows: dims.queries,
      features: dims.features)
  }
  var k: Operand {
    Operand(
      name: "k", buffer: attention.operands[1], layout: dims.k, rows: dims.keys,
      features: dims.features)
  }
  var v: Operand {
    Operand(
      name: "v", buffer: attention.operands[2], layout: dims.v, rows: dims.keys,
      features: dims.values)
  }
  /// The result, or the operand of the gradients that it is.
  var y: Operand {
    let buffer = attention.isGradient ? attention.operands[3] : attention.results[0]
    return Operand(
      name: "y", buffer: buffer, layout: dims.y, rows: dims.queries, features: dims.values)
  }
  var dy: Operand {
    var dy = y
    (dy.name, dy.buffer) = ("dy", attention.operands[5])
    return dy
  }
  /// The buffer of the logarithms of sums.
  var sums: Int { attention.isGradient ? attention.operands[4] : attention.results[1] }
  /// A gradient: laid out as what it is the gradient of.
  func gradient(_ number: Int) -> Operand {
    var gradient = [q, k, v][number]
    gradient.name = "d\(gradient.name)"
    gradient.buffer = attention.gradients[number]
    return gradient
  }

  /// The place of an element in a tensor.
  func place(_ operand: Operand, row: String, feature: String) -> String {
    "\(operand.name)_at + (ptrdiff_t)(\(row)) * \(operand.layout.rowStride) + "
      + "(\(feature)) * \(operand.layout.featureStride)"
  }

  mutating func load(_ operand: Operand, row: String, feature: String) -> String {
    let element = "b\(operand.buffer)[\(place(operand, row: row, feature: feature))]"
    return cLoad(attention.dtype, element, uses: &uses)
  }

  mutating func store(_ value: String) -> String {
    cStore(attention.dtype, "(\(value))", uses: &uses)
  }

  func product(_ a: String, _ b: String, plus sum: String) -> String {
    "\(type == "double" ? "fma" : "fmaf")(\(a), \(b), \(sum))"
  }

  mutating func exponential(_ x: String) -> String {
    type == "double" ? "exp(\(x))" : cCall("ckc_exp_f32", [x], &uses)
  }

  mutating func logarithm(_ x: String) -> String {
    type == "double" ? "log(\(x))" : cCall("ckc_log_f32", [x], &uses)
  }

  mutating func literal(_ number: Double) -> String {
    type == "double" ? cLiteral(number, uses: &uses) : cLiteral(Float(number), uses: &uses)
  }

  var lowest: String { type == "double" ? "-(double)INFINITY" : "-INFINITY" }

  // MARK: Parts of functions

  /// Lines that say what a block and a thread compute, and where the tensors of its batch begin.
  func start(_ operands: [Operand], tiles: Int, chunks: Int, body: [String]) -> [String] {
    let shared = Self.chunk + 1
    var lines = [
      "  __shared__ \(type) x_tile[\(Self.tile)][\(shared)];",
      "  __shared__ \(type) y_tile[\(Self.tile)][\(shared)];",
      "  __shared__ \(type) weights[\(Self.tile)][\(Self.tile + 1)];",
    ]
    if attention.isGradient {
      lines.append("  __shared__ \(type) dots[\(Self.tile)][\(Self.lanes)];")
    }
    lines += [
      "  const int thread = (int)threadIdx.x;",
      "  const int row = thread / \(Self.lanes), lane = thread % \(Self.lanes);",
      "  const int chunk = (int)blockIdx.x % \(chunks);",
      "  const int from_row = (int)blockIdx.x / \(chunks) % \(tiles) * \(Self.tile);",
      "  const int batch = (int)blockIdx.x / \(chunks * tiles);",
    ]
    var starts: [String] = []
    for operand in operands {
      starts.append("  const ptrdiff_t \(operand.name)_at = \(batchStart(operand.layout));")
    }
    if let mask = dims.mask {
      let layout = AttentionDimensions.Layout(strides: dims.maskStrides(mask))
      starts.append("  const ptrdiff_t mask_at = \(batchStart(layout));")
    }
    let used = identifiers(in: body)
    starts = starts.filter { line in
      identifiers(in: [line]).contains { $0.hasSuffix("_at") && used.contains($0) }
    }
    lines += unraveled(
      "batch", dims.batch.enumerated().map { ("n\($0)", $1) }, type: "ptrdiff_t",
      used: identifiers(in: starts), indent: "  ")
    lines += starts
    if !used.contains("batch"), !identifiers(in: starts).contains(where: { $0.hasPrefix("n") }) {
      lines.append("  (void)batch;")
    }
    if !used.contains("chunk") { lines.append("  (void)chunk;") }
    return lines + body
  }

  private func batchStart(_ layout: AttentionDimensions.Layout) -> String {
    let strides = layout.strides
    var terms = dims.batch.indices.filter { strides[$0] != 0 && dims.batch[$0] > 1 }
      .map { strides[$0] == 1 ? "n\($0)" : "n\($0) * \(strides[$0])" }
    if layout.start > 0 { terms.append("\(layout.start)") }
    return terms.isEmpty ? "0" : terms.joined(separator: " + ")
  }

  /// Lines that read 64 features from `from` on of the tile of a tensor from a row on; the barrier
  /// after them is not among them.
  mutating func reading(
    _ operand: Operand, into tile: String, fromRow: String, from: String, indent: String
  ) -> [String] {
    let value = load(operand, row: "\(fromRow) + r", feature: "\(from) + f")
    return [
      "\(indent)CKC_TWO_BY_TWO",
      "\(indent)for (int e = thread; e < \(Self.tile * Self.chunk); e += \(Self.threads)) {",
      "\(indent)  const int r = e / \(Self.chunk), f = e % \(Self.chunk);",
      "\(indent)  const bool is_in = \(fromRow) + r < \(operand.rows) && "
        + "\(from) + f < \(operand.features);",
      "\(indent)  \(tile)[r][f] = is_in ? \(value) : 0;", "\(indent)}",
    ]
  }

  /// Lines that declare `name[4]`, the products of the features of a row with those of four columns.
  mutating func products(
    _ name: String, rows: Operand, columns: Operand, fromColumn: String
  ) -> [String] {
    let count = Self.tile / Self.lanes
    let zeros = Array(repeating: "0", count: count).joined(separator: ", ")
    var lines = [
      "    \(type) \(name)[\(count)] = {\(zeros)};",
      "    for (int from = 0; from < \(rows.features); from += \(Self.chunk)) {",
      "      __syncthreads();",
    ]
    lines += reading(rows, into: "x_tile", fromRow: "from_row", from: "from", indent: "      ")
    lines += reading(columns, into: "y_tile", fromRow: fromColumn, from: "from", indent: "      ")
    let rest = "\(rows.features) - from"
    let sum = product("x_tile[row][f]", "y_tile[lane + \(Self.lanes) * j][f]", plus: "\(name)[j]")
    return lines + [
      "      __syncthreads();",
      "      const int end = \(rest) < \(Self.chunk) ? \(rest) : \(Self.chunk);",
      "      for (int f = 0; f < end; f++) {", "        CKC_UNROLL",
      "        for (int j = 0; j < \(count); j++) \(name)[j] = \(sum);", "      }", "    }",
    ]
  }

  /// Lines that add, to `out`, the weights of a row times a chunk of the features of the columns.
  mutating func weighted(
    _ columns: Operand, fromColumn: String, from: String, indent: String
  ) -> [String] {
    let sum = product("weights[row][c]", "y_tile[c][lane + \(Self.lanes) * i]", plus: "out[i]")
    return reading(columns, into: "y_tile", fromRow: fromColumn, from: from, indent: indent) + [
      "\(indent)__syncthreads();", "\(indent)for (int c = 0; c < \(Self.tile); c++) {",
      "\(indent)  CKC_UNROLL",
      "\(indent)  for (int i = 0; i < \(Self.chunk / Self.lanes); i++) out[i] = \(sum);",
      "\(indent)}",
    ]
  }

  /// Lines that store `out`, or what is made of it, as a chunk of a tensor.
  mutating func storing(_ operand: Operand, from: String, _ value: String) -> [String] {
    let place = place(operand, row: "from_row + row", feature: "feature")
    return [
      "  if (from_row + row < \(operand.rows)) {", "    CKC_UNROLL",
      "    for (int i = 0; i < \(Self.chunk / Self.lanes); i++) {",
      "      const int feature = \(from) + lane + \(Self.lanes) * i;",
      "      if (feature < \(operand.features)) {",
      "        b\(operand.buffer)[\(place)] = \(store(value));", "      }", "    }", "  }",
    ]
  }

  /// Lines that make `score` of the product `dot` of a query and a key, and say whether it
  /// `is_chosen`: whether it depends on that product.
  mutating func score(_ dot: String, indent: String) -> [String] {
    var lines = [
      "\(indent)\(type) score = \(lowest);", "\(indent)bool is_chosen = false;",
      "\(indent)if (query < \(dims.queries) && key < \(dims.keys)) {",
      "\(indent)  score = \(dot) * \(literal(dims.scale));", "\(indent)  is_chosen = true;",
    ]
    if let mask = dims.mask {
      let strides = dims.maskStrides(mask)
      let buffer = attention.operands[mask.operand]
      var place = "mask_at"
      for (name, stride) in zip(["query", "key"], strides.suffix(2)) where stride != 0 {
        place += " + (ptrdiff_t)\(name) * \(stride)"
      }
      let element = cLoad(buffers[buffer].dtype, "b\(buffer)[\(place)]", uses: &uses)
      if mask.isAdded {
        lines.append("\(indent)  score += \(element);")
      } else {
        lines += [
          "\(indent)  if (\(element) == 0) {", "\(indent)    score = \(literal(mask.fill));",
          "\(indent)    is_chosen = false;", "\(indent)  }",
        ]
      }
    }
    if let offset = dims.causalOffset {
      lines += [
        "\(indent)  if (key > query + (\(offset))) {", "\(indent)    score = \(lowest);",
        "\(indent)    is_chosen = false;", "\(indent)  }",
      ]
    }
    return lines + ["\(indent)}"]
  }

  /// What dropout multiplies the weight of a query and a key by; nil where there is none.
  mutating func kept() -> String? {
    guard let dropout = dims.dropout else { return nil }
    uses.insert("ckc_random_word")
    let key = "b\(attention.operands[dropout.operand])"
    let place = "((int64_t)batch * \(dims.queries) + query) * \(dims.keys) + key"
    let word = "ckc_random_word(\(key)[0], \(key)[1], \(dropout.stream)u, \(place))"
    return
      "((int)(\(word) >> 8) < \(dropout.limit) ? \(literal(0)) : \(literal(dropout.keepScale)))"
  }

  /// The key after the last one that a tile of queries sees.
  var keysEnd: String {
    guard let offset = dims.causalOffset else { return "\(dims.keys)" }
    let last = "from_row + (\(offset + Self.tile))"
    return "(\(last) < \(dims.keys) ? \(last) : \(dims.keys))"
  }
}
