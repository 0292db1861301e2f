// Contractions in tiles: shared memory, registers, and the next step on its way.
//
// Problem     Each product of matrices reads every operand many times; the registers of 256 threads hold
//             a tile of the result, shared memory the rows and columns that it is made from.
// Method      For every step along the depth, each thread reads a few elements of both operands ahead
//             into registers, multiplies what is in shared memory, and stores what it has read into the
//             other of two buffers: one barrier for each step. Operands are read along whatever is
//             contiguous; a window is a position along each axis, and elements outside are 0.
// Source      Volkov & Demmel, "Benchmarking GPUs to tune dense linear algebra", SC 2008; implicit GEMM:
//             Chetlur et al., "cuDNN", 2014, arXiv:1410.0759.

/// One operand as tiles of it are read.
private struct CUDASide {
  typealias Loop = Contraction.Loop

  /// What its names begin with.
  let name: String
  let operand: Contraction.Operand
  let lanes: [Loop]
  let depths: [Loop]
  let axes: [Contraction.Axis]
  /// Rows or columns of a tile, and of the matrix.
  let width: Int
  let count: Int
  /// Whether neighbouring threads read along the depth.
  let isAlong: Bool
  /// Elements that a thread reads in a step.
  let reads: Int

  init(_ part: Contraction.Part, isRows: Bool, size: Int) {
    name = isRows ? "x" : "y"
    operand = isRows ? part.rowOperand : part.columnOperand
    lanes = part.seen(isRows ? part.rows : part.columns, by: operand)
    depths = part.seen(part.depth, by: operand)
    let axes = operand == .first ? part.axes : []
    self.axes = axes
    width = CUDATile.unit * size
    count = isRows ? part.rowCount : part.columnCount
    let operand = operand
    func step(_ loop: Loop?) -> Int {
      guard let loop, loop.extent > 1 else { return 0 }
      return axes.indices.reduce(loop.stride(operand)) { $0 + loop.steps[$1] * axes[$1].stride }
    }
    isAlong = step(depths.last) == 1 && step(lanes.last) != 1
    reads = width * CUDATile.depth / CUDATile.threads
  }

  /// The lane and the depth of the read of a thread whose number is `e`.
  var lane: String {
    isAlong
      ? "thread / \(CUDATile.depth) + e * \(CUDATile.threads / CUDATile.depth)"
      : "thread % \(width)"
  }
  var depth: String {
    isAlong
      ? "thread % \(CUDATile.depth)" : "thread / \(width) + e * \(CUDATile.threads / width)"
  }
  /// How many lanes a thread reads.
  var lanesOfThread: Int { isAlong ? reads : 1 }
}

extension CUDAPart {
  /// The body of the function in tiles.
  mutating func tiled(_ tile: CUDATile) -> [String] {
    let x = CUDASide(part, isRows: true, size: tile.rows)
    let y = CUDASide(part, isRows: false, size: tile.columns)
    let depth = CUDATile.depth
    let steps = (part.depthCount + depth - 1) / depth
    var lines = tileStart(tile)
    for side in [x, y] { lines += declarations(side) }
    lines += [
      "  \(sumType) sums[\(tile.rows)][\(tile.columns)];", "  CKC_UNROLL",
      "  for (int i = 0; i < \(tile.rows); i++) {", "    CKC_UNROLL",
      "    for (int j = 0; j < \(tile.columns); j++) sums[i][j] = 0;", "  }",
      "  CKC_ONE_BY_ONE", "  for (int step = 0; step <= \(steps); step++) {",
      "    if (step < \(steps)) {",
    ]
    for side in [x, y] { lines += reads(side) }
    lines += ["    }", "    if (step > 0) {", "      const int now = (step + 1) % 2;"]
    lines += products(tile)
    lines += ["    }", "    if (step < \(steps)) {"]
    for side in [x, y] {
      lines += [
        "      CKC_UNROLL", "      for (int e = 0; e < \(side.reads); e++) {",
        "        \(side.name)_tile[step % 2][\(side.depth)][\(side.lane)] = \(side.name)_next[e];",
        "      }",
      ]
    }
    lines += ["    }", "    __syncthreads();", "  }"]
    return lines + results(tile)
  }

  /// Lines that say which tile a block computes, and which part of it a thread.
  private func tileStart(_ tile: CUDATile) -> [String] {
    let unit = CUDATile.unit
    var lines = [
      "  const int thread = (int)threadIdx.x;",
      "  const int tile = (int)blockIdx.x % \(tile.groupTiles);",
      "  const int from_row = tile / \(tile.columnTiles) * \(unit * tile.rows);",
      "  const int from_column = tile % \(tile.columnTiles) * \(unit * tile.columns);",
      "  const int thread_row = thread / \(unit), thread_column = thread % \(unit);",
    ]
    if !part.groups.isEmpty {
      lines.append("  const int group = (int)blockIdx.x / \(tile.groupTiles);")
      for (number, loop) in part.groups.enumerated() {
        let inner = part.groups[(number + 1)...].reduce(1) { $0 * $1.extent }
        let value = inner == 1 ? "group" : "group / \(inner)"
        lines.append(
          "  const int g\(number) = \(number == 0 ? value : "\(value) % \(loop.extent)");")
      }
    }
    return lines
  }

  /// Lines that declare the tile of an operand, and where the lanes of a thread lie.
  private func declarations(_ side: CUDASide) -> [String] {
    let (name, count) = (side.name, side.lanesOfThread)
    let from = name == "x" ? "from_row" : "from_column"
    let base = side.operand == .first ? part.firstBase : part.secondBase
    let start = sum("\(base)", part.groups, "g") { $0.stride(side.operand) }
    var inner = [
      "    \(name)_in[e] = lane < \(side.count);",
      "    \(name)_at[e] = \(sum(start, side.lanes, "l") { $0.stride(side.operand) });",
    ]
    var lines = [
      "  __shared__ __align__(16) \(sumType) "
        + "\(name)_tile[2][\(CUDATile.depth)][\(side.width + 4)];",
      "  \(sumType) \(name)_next[\(side.reads)];", "  bool \(name)_in[\(count)];",
      "  \(index) \(name)_at[\(count)];",
    ]
    for (number, axis) in side.axes.enumerated() {
      let first = sum("\(axis.start)", part.groups, "g") { $0.steps[number] }
      let position = sum(first, side.lanes, "l") { $0.steps[number] }
      lines.append("  int \(name)_p\(number)[\(count)];")
      inner.append("    \(name)_p\(number)[e] = \(position);")
    }
    lines += [
      "  CKC_UNROLL", "  for (int e = 0; e < \(count); e++) {",
      "    const int lane = \(from) + \(side.lane);",
    ]
    return lines + decoded("lane", side.lanes, "l", indent: "    ", for: inner) + inner + ["  }"]
  }

  /// Lines that read the elements of the next step.
  private mutating func reads(_ side: CUDASide) -> [String] {
    let name = side.name
    let lane = side.isAlong ? "e" : "0"
    var inner: [String] = []
    var isIn = "\(name)_in[\(lane)] && k < \(part.depthCount)"
    var at = sum("\(name)_at[\(lane)]", side.depths, "d") { $0.stride(side.operand) }
    for (number, axis) in side.axes.enumerated() {
      let position = sum("\(name)_p\(number)[\(lane)]", side.depths, "d") { $0.steps[number] }
      inner.append("        const int p\(number) = \(position);")
      isIn += " && \(hits("p\(number)", axis))"
      at += offset("p\(number)", axis)
    }
    inner.append("        \(name)_next[e] = \(isIn) ? \(load(side.operand, at)) : 0;")
    return [
      "      CKC_UNROLL", "      for (int e = 0; e < \(side.reads); e++) {",
      "        const int k = step * \(CUDATile.depth) + \(side.depth);",
    ] + decoded("k", side.depths, "d", indent: "        ", for: inner) + inner + ["      }"]
  }

  /// How a thread's rows or columns lie in the tile: runs of four, so that shared memory is read in
  /// 16 bytes, and neighbouring threads read neighbouring runs.
  private func place(_ number: String, _ thread: String, _ size: Int) -> String {
    let run = min(4, size)
    let first = "\(thread) * \(run) + \(number)"
    return size <= run
      ? first
      : "\(number) / \(run) * \(CUDATile.unit * run) + \(thread) * \(run) + \(number) % \(run)"
  }

  /// Lines that add the products of one step.
  private func products(_ tile: CUDATile) -> [String] {
    [
      "      CKC_UNROLL", "      for (int k = 0; k < \(CUDATile.depth); k++) {",
      "        \(sumType) x[\(tile.rows)], y[\(tile.columns)];", "        CKC_UNROLL",
      "        for (int i = 0; i < \(tile.rows); i++) "
        + "x[i] = x_tile[now][k][\(place("i", "thread_row", tile.rows))];",
      "        CKC_UNROLL",
      "        for (int j = 0; j < \(tile.columns); j++) "
        + "y[j] = y_tile[now][k][\(place("j", "thread_column", tile.columns))];",
      "        CKC_UNROLL", "        for (int i = 0; i < \(tile.rows); i++) {",
      "          CKC_UNROLL",
      "          for (int j = 0; j < \(tile.columns); j++) "
        + "sums[i][j] = \(product("x[i]", "y[j]", plus: "sums[i][j]"));",
      "        }", "      }",
    ]
  }

  /// Lines that store the sums of a thread.
  private mutating func results(_ tile: CUDATile) -> [String] {
    let (rows, columns) = (part.resultRows, part.resultColumns)
    let bases = resultBases
    func places(_ loops: [Loop], _ prefix: String, _ start: (Int) -> String) -> [String] {
      bases.indices.map { place in
        sum(start(place), loops, prefix) { self.resultStride($0, place) }
      }
    }
    let ofGroup = places(part.groups, "g") { "\(bases[$0])" }
    let ofRow = places(rows, "r") { ofGroup[$0] }
    let ofColumn = places(columns, "c") { "at\($0)" }
    let inner = finish("sums[i][j]", depth: 5) { ofColumn[$0] }
    let used = identifiers(in: inner)
    let starts = bases.indices.filter { used.contains("at\($0)") }.map {
      "        const \(index) at\($0) = \(ofRow[$0]);"
    }
    return [
      "  CKC_UNROLL", "  for (int i = 0; i < \(tile.rows); i++) {",
      "    const int row = from_row + \(place("i", "thread_row", tile.rows));",
      "    if (row < \(part.rowCount)) {",
    ] + decoded("row", rows, "r", indent: "        ", for: starts) + starts + [
      "      CKC_UNROLL", "      for (int j = 0; j < \(tile.columns); j++) {",
      "        const int column = from_column + \(place("j", "thread_column", tile.columns));",
      "        if (column < \(part.columnCount)) {",
    ] + decoded("column", columns, "c", indent: "          ", for: inner) + inner + [
      "        }", "      }", "    }", "  }",
    ]
  }
}
