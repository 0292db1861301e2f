// One operand of a contraction in tiles: how its tiles are read.
//
// Reading     Neighbouring threads read along whatever is contiguous, lanes (rows or columns) or depth.
//             Where a tile lies is found once; a window is a position along each axis for every lane,
//             to which the depth adds its own. Elements outside are 0.
// Copies      An operand of tensor cores of which runs of 16 bytes along the depth or across the lanes
//             are contiguous and aligned is copied run by run, past the registers (`cp.async`); its tile
//             lies as the operand does, since fragments can be read from either (`ldmatrix`).

/// One operand as tiles of it are read.
struct CUDATileSide {
  typealias Loop = Contraction.Loop

  /// What its names begin with.
  let name: String
  let operand: Contraction.Operand
  let lanes: [Loop]
  let depths: [Loop]
  let axes: [Contraction.Axis]
  /// Lanes of a tile, and of the matrix.
  let width: Int
  let count: Int
  /// The depth of a step.
  let depthCount: Int
  /// The type of the elements in shared memory.
  let type: String
  /// Whether neighbouring threads read along the depth.
  let isAlong: Bool
  /// The runs that are copied past the registers; nil where elements go through them.
  let copiedRun: CUDARun?
  /// Whether a tile has the depth outermost, so that neighbouring lanes are contiguous in it; else the
  /// depth of a lane is.
  let isAcross: Bool

  init(
    _ part: Contraction.Part, isRows: Bool, width: Int, depth: Int, type: String, isAcross: Bool,
    copiedRun: CUDARun? = nil
  ) {
    name = isRows ? "x" : "y"
    operand = isRows ? part.rowOperand : part.columnOperand
    lanes = part.seen(isRows ? part.rows : part.columns, by: operand)
    depths = part.seen(part.depth, by: operand)
    axes = operand == .first ? part.axes : []
    count = isRows ? part.rowCount : part.columnCount
    self.width = width
    self.type = type
    self.isAcross = isAcross
    self.copiedRun = copiedRun
    depthCount = depth
    let (axes, operand) = (axes, operand)
    func step(_ loop: Loop?) -> Int {
      guard let loop, loop.extent > 1 else { return 0 }
      return axes.indices.reduce(loop.stride(operand)) { $0 + loop.steps[$1] * axes[$1].stride }
    }
    isAlong = step(depths.last) == 1 && step(lanes.last) != 1
  }

  /// Whether tiles are copied past the registers.
  var isCopied: Bool { copiedRun != nil }

  /// The extents of its two tiles: a little wider, so that rows do not meet in the same banks.
  var extents: String {
    let wider = isCopied || !isAcross ? CUDARun.elements : 4
    return isAcross
      ? "[2][\(depthCount)][\(width + wider)]" : "[2][\(width)][\(depthCount + wider)]"
  }

  /// An element of a tile.
  func element(_ tile: String, lane: String, depth: String) -> String {
    isAcross
      ? "\(name)_tile[\(tile)][\(depth)][\(lane)]" : "\(name)_tile[\(tile)][\(lane)][\(depth)]"
  }

  private var threads: Int { CUDATile.threads }
  /// Reads of a thread in a step: elements, or runs that are copied.
  var reads: Int {
    let elements = width * depthCount
    return isCopied ? max(1, elements / CUDARun.elements / threads) : elements / threads
  }
  /// The runs of a lane, or of all lanes at a depth.
  private var runs: Int { (copiedRun == .along ? depthCount : width) / CUDARun.elements }
  /// The lane and the depth of the read of a thread whose number is `e`.
  var lane: String {
    switch copiedRun {
    case .along: "thread / \(runs) + e * \(threads / runs)"
    case .across: "thread % \(runs) * \(CUDARun.elements)"
    case nil:
      isAlong ? "thread / \(depthCount) + e * \(threads / depthCount)" : "thread % \(width)"
    }
  }
  var depth: String {
    switch copiedRun {
    case .along: "thread % \(runs) * \(CUDARun.elements)"
    case .across: "thread / \(runs) + e * \(threads / runs)"
    case nil: isAlong ? "thread % \(depthCount)" : "thread / \(width) + e * \(threads / width)"
    }
  }
  /// How many lanes a thread reads.
  var lanesOfThread: Int { copiedRun == .along || copiedRun == nil && isAlong ? reads : 1 }
  /// The condition that a thread reads anything; nil where all do.
  var takesPart: String? {
    guard isCopied, width * depthCount / CUDARun.elements < threads else { return nil }
    return copiedRun == .along ? "\(lane) < \(width)" : "\(depth) < \(depthCount)"
  }
}

extension CUDAPart {
  /// Lines that say which tile a block computes, and of which slice.
  func tileStart(_ tile: CUDATile) -> [String] {
    var lines = [
      "  const int thread = (int)threadIdx.x;",
      "  const int tile = (int)blockIdx.x % \(tile.groupTiles);",
      "  const int from_row = tile / \(tile.columnTiles) * \(tile.rowWidth);",
      "  const int from_column = tile % \(tile.columnTiles) * \(tile.columnWidth);",
    ]
    if slices.count > 1 {
      lines += [
        "  const \(index) slice = (int)blockIdx.x / \(tile.groupTiles * part.groupCount);",
        "  const int from_depth = (int)slice * \(slices.depth);",
      ]
    }
    guard !part.groups.isEmpty else { return lines }
    let group = "(int)blockIdx.x / \(tile.groupTiles)"
    lines.append("  const int group = \(group)\(slices.count > 1 ? " % \(part.groupCount)" : "");")
    for (number, loop) in part.groups.enumerated() {
      let inner = part.groups[(number + 1)...].reduce(1) { $0 * $1.extent }
      let value = inner == 1 ? "group" : "group / \(inner)"
      lines.append("  const int g\(number) = \(number == 0 ? value : "\(value) % \(loop.extent)");")
    }
    return lines
  }

  /// Lines that declare the tiles of an operand, and where the lanes of a thread lie.
  func declarations(_ side: CUDATileSide) -> [String] {
    let (name, count) = (side.name, side.lanesOfThread)
    let from = name == "x" ? "from_row" : "from_column"
    let base = side.operand == .first ? part.firstBase : part.secondBase
    let start = sum("\(base)", part.groups, "g") { $0.stride(side.operand) }
    let takesPart = side.takesPart.map { " && \($0)" } ?? ""
    var inner = [
      "    \(name)_in[e] = lane < \(side.count)\(takesPart);",
      "    \(name)_at[e] = \(sum(start, side.lanes, "l") { $0.stride(side.operand) });",
    ]
    var lines = ["  __shared__ __align__(16) \(side.type) \(name)_tile\(side.extents);"]
    if !side.isCopied { lines.append("  \(side.type) \(name)_next[\(side.reads)];") }
    lines += ["  bool \(name)_in[\(count)];", "  \(index) \(name)_at[\(count)];"]
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

  /// Lines that read the elements of the next step, as `element` says.
  func reads(_ side: CUDATileSide, _ element: (String) -> String) -> [String] {
    let name = side.name
    let fromDepth = slices.count > 1 ? "from_depth + " : ""
    let lane = side.lanesOfThread > 1 ? "e" : "0"
    var inner: [String] = []
    var isIn = "\(name)_in[\(lane)] && k < \(part.depthCount)"
    var at = sum("\(name)_at[\(lane)]", side.depths, "d") { $0.stride(side.operand) }
    for (number, axis) in side.axes.enumerated() {
      let position = sum("\(name)_p\(number)[\(lane)]", side.depths, "d") { $0.steps[number] }
      inner.append("        const int p\(number) = \(position);")
      isIn += " && \(hits("p\(number)", axis))"
      at += offset("p\(number)", axis)
    }
    if side.isCopied {
      let to = side.element("step % 2", lane: side.lane, depth: side.depth)
      let takesPart = side.takesPart.map { "if (\($0)) " } ?? ""
      inner += [
        "        if (\(isIn)) {", "          ckc_cp_async16(&\(to), &\(element(at)));",
        "        } else \(takesPart){",
        "          for (int h = 0; h < \(CUDARun.elements); h++) (&\(to))[h] = 0;", "        }",
      ]
    } else {
      inner.append("        \(name)_next[e] = \(isIn) ? \(element(at)) : 0;")
    }
    return [
      "      CKC_UNROLL", "      for (int e = 0; e < \(side.reads); e++) {",
      "        const int k = \(fromDepth)step * \(side.depthCount) + \(side.depth);",
    ] + decoded("k", side.depths, "d", indent: "        ", for: inner) + inner + ["      }"]
  }

  /// Lines that store into a tile what has been read.
  func stores(_ side: CUDATileSide) -> [String] {
    if side.isCopied { return [] }
    return [
      "      CKC_UNROLL", "      for (int e = 0; e < \(side.reads); e++) {",
      "        \(side.element("step % 2", lane: side.lane, depth: side.depth)) = \(side.name)_next[e];",
      "      }",
    ]
  }

  /// The loop over the steps: the next one is read while the last one is multiplied; one barrier for
  /// each.
  func steps(
    _ sides: [CUDATileSide], reads: [String], products: [String]
  ) -> [String] {
    let depth = sides[0].depthCount
    let steps = quotient(slices.depth, depth)
    let isCopied = sides.contains(where: \.isCopied)
    var lines = [
      "  CKC_ONE_BY_ONE", "  for (int step = 0; step <= \(steps); step++) {",
      "    if (step < \(steps)) {",
    ]
    lines += reads
    if isCopied { lines.append("      ckc_cp_async_commit();") }
    lines += ["    }", "    if (step > 0) {", "      const int now = (step + 1) % 2;"]
    lines += products + ["    }"]
    let stores = sides.flatMap { self.stores($0) }
    if !stores.isEmpty { lines += ["    if (step < \(steps)) {"] + stores + ["    }"] }
    if isCopied { lines.append("    ckc_cp_async_wait(0);") }
    return lines + ["    __syncthreads();", "  }"]
  }

  /// Lines that store the sums of a thread, or leave them in scratch where they are those of a slice.
  ///
  /// - Parameters:
  ///   - rowLoop: The head of a loop over its rows.
  ///   - columnLoop: The head of a loop over its columns.
  ///   - row: The row of a sum in the tile.
  ///   - column: Its column.
  ///   - sum: The sum.
  /// - Returns: The lines.
  mutating func results(
    rows rowLoop: String, columns columnLoop: String, row: String, column: String, sum: String
  ) -> [String] {
    let (rows, columns) = (part.resultRows, part.resultColumns)
    let bases = resultBases
    func places(_ loops: [Loop], _ prefix: String, _ start: (Int) -> String) -> [String] {
      bases.indices.map { place in
        self.sum(start(place), loops, prefix) { self.resultStride($0, place) }
      }
    }
    let ofGroup = places(part.groups, "g") { "\(bases[$0])" }
    let ofRow = places(rows, "r") { ofGroup[$0] }
    let ofColumn = places(columns, "c") { "at\($0)" }
    var inner: [String]
    if slices.count > 1 {
      let place = self.sum("at0 - \(bases[0])", columns, "c") { $0.out }
      inner = [sliceStore(sum, at: place, indent: "          ")]
    } else {
      inner = finish(sum, depth: 5) { ofColumn[$0] }
    }
    let used = identifiers(in: inner)
    let starts = bases.indices.filter { used.contains("at\($0)") }.map {
      "      const \(index) at\($0) = \(ofRow[$0]);"
    }
    return [
      "  CKC_UNROLL", "  \(rowLoop) {", "    const int row = from_row + \(row);",
      "    if (row < \(part.rowCount)) {",
    ] + decoded("row", rows, "r", indent: "      ", for: starts) + starts + [
      "      CKC_UNROLL", "      \(columnLoop) {",
      "        const int column = from_column + \(column);",
      "        if (column < \(part.columnCount)) {",
    ] + decoded("column", columns, "c", indent: "          ", for: inner) + inner + [
      "        }", "      }", "    }", "  }",
    ]
  }
}
