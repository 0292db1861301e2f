// Contractions through packed panels and register tiles.
//
// Problem     Feed the tiles of `CGemmSource` from any strides and windows, and put the sums anywhere.
// Method      For each block of columns and depth: pack a panel of columns, tile by tile, then for each
//             panel of rows pack it and go over the tiles. A tile's lanes are found once per tile by
//             counting, so no index is divided inside loops; along the depth, a run is copied at once,
//             and a window is checked once per run and lane: the innermost depth never moves it.
// Invariants  The panels of columns, and the tasks over rows, are shared out between barriers: threads
//             write disjoint memory. Sums over several blocks of the depth are added in order, in the
//             result or, where that is 16 bits wide, in scratch.

extension CPart {
  private var compute: String { dtypes.sum.name }

  /// The function, and its packing functions before it.
  func packed(_ blocking: Part.Blocking) -> String {
    packing("rows", part.rows, part.rowOperand, blocking.layout)
      + (blocking.columnElements > 0
        ? packing("columns", part.columns, part.columnOperand, .across) : "")
      + (epilogue == nil
        ? places("row_places", part.rows, count: "CKC_GEMM_ROWS")
          + places("column_places", part.columns, count: nil)
        : finish(blocking) + placesOfRows())
      + body(blocking)
  }

  // MARK: Packing

  /// A function that packs a panel of rows or a tile of columns.
  ///
  /// Blocks of lanes by depths are copied at once: as far as the innermost loops of both go, and, in a
  /// window, as long as what lies inside the tensor is a rectangle of them.
  private func packing(
    _ suffix: String, _ lanes: [Loop], _ operand: Contraction.Operand,
    _ layout: CGemmSource.Layout
  ) -> String {
    let type = sumType
    let packed = CGemmSource.packName(dtypes.of(operand), dtypes.sum)
    let width = suffix == "rows" ? "CKC_GEMM_ROWS" : "CKC_GEMM_COLUMNS(\(type))"
    let axes = operand == .first ? Array(part.axes.indices) : []
    let lanes = part.seen(lanes, by: operand)
    let depth = part.seen(part.depth, by: operand)
    let (lane, inner) = (lanes.count - 1, depth.count - 1)

    // Which axes a block moves along; where it cannot, it is one lane or one depth.
    func moves(_ loop: Loop) -> [Int] { axes.filter { loop.steps[$0] != 0 } }
    func isSimple(_ axis: Int) -> Bool { part.axes[axis].dilation == 1 }
    var (laneMoves, depthMoves) = (moves(lanes[lane]), moves(depth[inner]))
    var joinsLanes = laneMoves.allSatisfy(isSimple) && layout == .across
    var joinsDepths = depthMoves.allSatisfy(isSimple)
    if joinsLanes, joinsDepths, laneMoves.contains(where: depthMoves.contains) {
      let depthIsLonger = depth[inner].extent > lanes[lane].extent
      if depthIsLonger { joinsLanes = false } else { joinsDepths = false }
    }
    if !joinsLanes { laneMoves = [] }
    if !joinsDepths { depthMoves = [] }
    func step(_ loop: Loop, _ moved: [Int]) -> Int {
      moved.reduce(loop.stride(operand)) { $0 + loop.steps[$1] * part.axes[$1].stride }
    }
    let laneStep = step(lanes[lane], laneMoves)
    let depthStep = step(depth[inner], depthMoves)

    var text = "static void \(name)_\(suffix)(\n"
    text +=
      "  const \(cStorageType(dtypes.of(operand))) *CKC_RESTRICT src, ptrdiff_t base, ptrdiff_t start,"
    text += " ptrdiff_t count,\n  ptrdiff_t from, ptrdiff_t depth,"
    text += " \(type) *CKC_RESTRICT panel)\n{\n"
    text += "  ptrdiff_t first[\(width)], size[\(width)], place[\(width)], blocks = 0;\n"
    for axis in axes { text += "  ptrdiff_t q\(axis)[\(width)];\n" }
    text += decoded("start", lanes, "i", indent: "  ")
    text += "  for (ptrdiff_t l = 0; l < count; ++blocks) {\n"
    text += "    first[blocks] = l;\n"
    text += "    place[blocks] = \(sum("base", lanes, "i") { $0.stride(operand) });\n"
    for axis in axes {
      let value = sum("\(part.axes[axis].start)", lanes, "i") { $0.steps[axis] }
      text += "    q\(axis)[blocks] = \(value);\n"
    }
    if joinsLanes {
      text += "    ptrdiff_t joined = \(lanes[lane].extent) - i\(lane);\n"
      text += "    if (joined > count - l) joined = count - l;\n"
    } else {
      text += "    const ptrdiff_t joined = 1;\n"
    }
    text += "    size[blocks] = joined;\n    l += joined;\n    i\(lane) += joined;\n"
    text += carried(lanes, "i", indent: "    ")
    text += "  }\n"
    text += lanes.indices.map { "  (void)i\($0);\n" }.joined()

    text += decoded("from", depth, "k", indent: "  ")
    text += "  for (ptrdiff_t done = 0; done < depth;) {\n"
    if joinsDepths {
      text += "    ptrdiff_t run = \(depth[inner].extent) - k\(inner);\n"
      text += "    if (run > depth - done) run = depth - done;\n"
    } else {
      text += "    const ptrdiff_t run = 1;\n"
    }
    text += "    const ptrdiff_t move = \(sum("0", depth, "k") { $0.stride(operand) });\n"
    for axis in axes {
      text += "    const ptrdiff_t m\(axis) = \(sum("0", depth, "k") { $0.steps[axis] });\n"
    }
    text += "    for (ptrdiff_t s = 0; s < blocks; ++s) {\n"
    text += ranges(axes, lanes[lane], laneMoves, depth[inner], depthMoves)
    let offsets = axes.map { offset("p\($0)", part.axes[$0]) }.joined()
    text += "      const ptrdiff_t at = place[s] + move\(offsets);\n"
    if let rowStride = layout.rowStride {
      text += "      ckc_pack_along_\(packed)(src, at, \(depthStep), run, k_from, k_to,"
      text += " panel + first[s] * \(rowStride) + done);\n"
    } else {
      text += "      ckc_pack_across_\(packed)(src, at, \(laneStep), \(depthStep), size[s],"
      text += " l_from, l_to,\n        run, k_from, k_to,"
      text += " panel + done * \(width) + first[s], \(width));\n"
    }
    text += "    }\n    done += run;\n    k\(inner) += run;\n"
    text += carried(depth, "k", indent: "    ")
    text += "  }\n"
    text += depth.indices.map { "  (void)k\($0);\n" }.joined()
    // Lanes that do not exist: their sums are not used, but should be sums of numbers.
    if let rowStride = layout.rowStride {
      text += "  (void)size;\n"
      text += "  for (ptrdiff_t l = count; l < \(width); ++l) {\n"
      text += "    for (ptrdiff_t k = 0; k < depth; ++k) panel[l * \(rowStride) + k] = 0;\n  }\n"
    } else {
      text += "  if (count == \(width)) return;\n"
      text += "  for (ptrdiff_t k = 0; k < depth; ++k) {\n"
      text += "    for (ptrdiff_t l = count; l < \(width); ++l) panel[k * \(width) + l] = 0;\n  }\n"
    }
    return text + "}\n"
  }

  /// Lines that declare which lanes and depths of a block lie inside the tensor.
  private func ranges(
    _ axes: [Int], _ lane: Loop, _ laneMoves: [Int], _ depth: Loop, _ depthMoves: [Int]
  ) -> String {
    var text = ""
    for axis in axes { text += "      const ptrdiff_t p\(axis) = q\(axis)[s] + m\(axis);\n" }
    func bounds(_ name: String, _ whole: String, _ loop: Loop, _ moved: [Int]) {
      let isFixed = moved.isEmpty
      text += "      \(isFixed ? "const " : "")ptrdiff_t \(name)_from = 0;\n"
      text += "      ptrdiff_t \(name)_to = \(whole);\n"
      for axis in moved {
        let (step, extent, p) = (loop.steps[axis], part.axes[axis].extent, "p\(axis)")
        text += "      const ptrdiff_t \(name)f\(axis) = \(ceiling("-\(p)", step));\n"
        text += "      const ptrdiff_t \(name)t\(axis) = \(ceiling("(\(extent) - \(p))", step));\n"
        text += "      if (\(name)f\(axis) > \(name)_from) \(name)_from = \(name)f\(axis);\n"
        text += "      if (\(name)t\(axis) < \(name)_to) \(name)_to = \(name)t\(axis);\n"
      }
    }
    bounds("l", "size[s]", lane, laneMoves)
    bounds("k", "run", depth, depthMoves)
    for axis in axes where !laneMoves.contains(axis) && !depthMoves.contains(axis) {
      text += "      if (\(misses("p\(axis)", part.axes[axis]))) k_to = 0;\n"
    }
    return text + "      (void)l_from;\n      (void)l_to;\n"
  }

  /// A quotient rounded up, where it is positive.
  private func ceiling(_ dividend: String, _ divisor: Int) -> String {
    divisor == 1 ? dividend : "\(dividend) < 0 ? 0 : (\(dividend) + \(divisor - 1)) / \(divisor)"
  }

  // MARK: Places of sums

  /// Whether a lane's place is its number times a stride.
  private func isLinear(_ loops: [Loop]) -> Bool { loops.count <= 1 }

  /// The function that finds the places of lanes, where they are not linear.
  private func places(_ suffix: String, _ loops: [Loop], count: String?) -> String {
    guard !isLinear(loops) else { return "" }
    var text = "static void \(name)_\(suffix)(ptrdiff_t start, ptrdiff_t count, ptrdiff_t *at)\n{\n"
    text += decoded("start", loops, "i", indent: "  ")
    text += "  for (ptrdiff_t l = 0; l < count; ++l) {\n"
    text += "    at[l] = \(sum("0", loops, "i") { $0.out });\n"
    text += "    ++i\(loops.count - 1);\n"
    text += carried(loops, "i", indent: "    ")
    return text + "  }\n}\n"
  }

  // MARK: Blocks

  private func body(_ blocking: Part.Blocking) -> String {
    let (type, width) = (sumType, "CKC_GEMM_COLUMNS(\(sumType))")
    let (rows, columns, depth) = (part.rowCount, part.columnCount, part.depthCount)
    let overGroups = blocking.threadsOverGroups
    let isThreaded = blocking.threads > 1
    let ownsAll = isThreaded && overGroups
    let ownsRows = isThreaded && !overGroups && !blocking.sharesRows
    func share(_ clause: String = "") -> String {
      isThreaded && !overGroups ? "      CKC_OMP(omp for schedule(static)\(clause))\n" : ""
    }
    let own = blocking.columnElements + blocking.rowElements + blocking.sumElements

    var text = head + "{\n"
    if isThreaded {
      text += "  CKC_OMP(omp parallel num_threads(ckc_threads(\(blocking.threads))))\n"
    }
    text += "  {\n"
    text += "    \(type) *const panel = (\(type) *)(void *)scratch"
    text += ownsAll ? " + ckc_thread() * \(own);\n" : ";\n"
    if blocking.accumulates {
      text += "    \(type) *const totals = panel + \(blocking.columnElements);\n"
    }
    text += "    \(type) *const strips = panel + \(blocking.columnElements + blocking.sumElements)"
    text += ownsRows ? " + ckc_thread() * \(blocking.rowElements);\n" : ";\n"
    if ownsAll { text += "    CKC_OMP(omp for schedule(static))\n" }
    text += "    for (ptrdiff_t g = 0; g < \(part.groupCount); ++g) {\n"
    text += decoded("g", part.groups, "g", indent: "      ")
    func start(_ base: Int, _ stride: (Loop) -> Int) -> String {
      sum("\(base)", part.groups, "g", stride)
    }
    text += "      const ptrdiff_t ao = \(start(part.firstBase) { $0.first });\n"
    text += "      const ptrdiff_t bo = \(start(part.secondBase) { $0.second });\n"
    text += "      const ptrdiff_t oo = \(start(part.outBase) { $0.out });\n"
    text += extraStarts(part.groups, "g", indent: "      ")
    text += """
            for (ptrdiff_t n0 = 0; n0 < \(columns); n0 += \(blocking.columns))
            for (ptrdiff_t m0 = 0; m0 < \(rows); m0 += \(blocking.rows))
            for (ptrdiff_t k0 = 0; k0 < \(depth); k0 += \(blocking.depth)) {
            const ptrdiff_t nc = \(least("\(columns) - n0", "\(blocking.columns)"));
            const ptrdiff_t mc = \(least("\(rows) - m0", "\(blocking.rows)"));
            const ptrdiff_t kc = \(least("\(depth) - k0", "\(blocking.depth)"));
            const ptrdiff_t panels = (mc + CKC_GEMM_ROWS - 1) / CKC_GEMM_ROWS;

      """
    let (columnSource, columnBase) = part.columnOperand == .first ? ("a", "ao") : ("b", "bo")
    let (rowSource, rowBase) = part.rowOperand == .first ? ("a", "ao") : ("b", "bo")
    let tiles = "const ptrdiff_t c = t * \(width)"
    if !blocking.readsColumns {
      text += share(blocking.sharesRows ? " nowait" : "")
      text += """
              for (ptrdiff_t t = 0; t < (nc + \(width) - 1) / \(width); ++t) {
                \(tiles);
                \(name)_columns(\(columnSource), \(columnBase), n0 + c, \(least("nc - c", width)),
                  k0, kc, panel + c * \(blocking.depth));
              }

        """
    } else if blocking.columnElements > 0 {
      text +=
        isThreaded && !overGroups
        ? "      CKC_OMP(omp single\(blocking.sharesRows ? " nowait" : ""))\n" : ""
      text += """
              if (nc % \(width) != 0) {
                const ptrdiff_t c = nc / \(width) * \(width);
                \(name)_columns(\(columnSource), \(columnBase), n0 + c, nc - c, k0, kc, panel);
              }

        """
    }
    let stripElements = "CKC_GEMM_ROWS * \(blocking.layout.rowStride ?? blocking.depth)"
    let place = "m0 + p * CKC_GEMM_ROWS"
    if blocking.sharesRows {
      text += share()
      text += """
              for (ptrdiff_t p = 0; p < panels; ++p) {
                \(name)_rows(\(rowSource), \(rowBase), \(place),
                  \(least("mc - p * CKC_GEMM_ROWS", "CKC_GEMM_ROWS")), k0, kc,
                  strips + p * (\(stripElements)));
              }

        """
    }
    // Where nothing is shared, nobody waits: loops of equal length go to the same threads each time, so
    // that a thread adds to its own sums.
    let reusesSums = blocking.accumulates && blocking.rows < rows
    let isIndependent =
      blocking.readsColumns && blocking.columnElements == 0 && !blocking.sharesRows && !reusesSums
    text += share(isIndependent ? " nowait" : "")
    let chunk = (blocking.columns / blocking.chunks + 31) / 32 * 32
    text += """
            for (ptrdiff_t task = 0; task < panels * \(blocking.chunks); ++task) {
              const ptrdiff_t p = task / \(blocking.chunks), m = \(place);
              const ptrdiff_t rows = \(least("m0 + mc - m", "CKC_GEMM_ROWS"));
              const ptrdiff_t from = task % \(blocking.chunks) * \(chunk);
              const ptrdiff_t to = \(least("nc", "from + \(chunk)"));

      """
    if blocking.sharesRows {
      text += "        const \(type) *const strip = strips + p * (\(stripElements));\n"
    } else {
      text += "        \(type) *const strip = strips;\n"
      text += "        \(name)_rows(\(rowSource), \(rowBase), m, rows, k0, kc, strip);\n"
    }
    if let epilogue {
      text += rowPlaces(epilogue, indent: "        ")
    } else if !isLinear(part.rows) {
      text += "        ptrdiff_t row_at[CKC_GEMM_ROWS];\n"
      text += "        \(name)_row_places(m, rows, row_at);\n"
    }
    text += """
              for (ptrdiff_t c = from; c < to; c += \(width)) {
                const ptrdiff_t columns = \(least("to - c", width));

      """
    if blocking.readsColumns {
      let depthStride = part.seen(part.depth, by: part.columnOperand)[0].stride(part.columnOperand)
      text += "          const \(type) *tile = \(columnSource) + \(columnBase) + n0 + c"
      text += "\(term("k0", depthStride));\n"
      text += "          ptrdiff_t step = \(depthStride);\n"
      if blocking.columnElements > 0 {
        text += "          if (columns < \(width)) { tile = panel; step = \(width); }\n"
      }
    } else {
      text += "          const \(type) *const tile = panel + c * \(blocking.depth);\n"
      text += "          const ptrdiff_t step = \(width);\n"
    }
    text += tile(blocking)
    text += "        }\n      }\n      }\n"
    text += "      (void)ao;\n      (void)bo;\n"
    return text + "    }\n  }\n}\n"
  }

  private func least(_ a: String, _ b: String) -> String { "\(a) < \(b) ? \(a) : \(b)" }

  /// The sums of one tile, and where they go.
  private func tile(_ blocking: Part.Blocking) -> String {
    let (type, width) = (sumType, "CKC_GEMM_COLUMNS(\(sumType))")
    let layout = blocking.layout.rawValue
    let call = "ckc_gemm_\(compute)(\(layout), rows, columns, kc, strip, tile, step,"
    if let epilogue { return tile(blocking, epilogue, call) }
    let isContiguous = part.columns.last?.out ?? 1 == 1 && part.columns.count <= 1
    let isWide = dtypes.result == dtypes.sum
    if isWide, isContiguous, isLinear(part.rows) {
      let stride = part.rows.last?.out ?? 0
      return "          \(call) out + oo + n0 + c\(term("m", stride)), \(stride), k0 > 0);\n"
    }
    var text = ""
    if blocking.accumulates {
      text += "          \(type) *const sums = totals + (m - m0) * \(blocking.columns) + c;\n"
      text += "          \(call) sums, \(blocking.columns), k0 > 0);\n"
      text += "          if (k0 + kc < \(part.depthCount)) continue;\n"
    } else {
      let elements = CGemmSource.rowsMax * CGemmSource.columnBytesMax / dtypes.sum.byteCount
      text += "          \(type) sums[\(elements)];\n"
      text += "          \(call) sums, \(width), 0);\n"
    }
    if !isLinear(part.columns) {
      text += "          ptrdiff_t column_at[\(width)];\n"
      text += "          \(name)_column_places(n0 + c, columns, column_at);\n"
    }
    let rowPlace =
      isLinear(part.rows) ? term("(m + i)", part.rows.last?.out ?? 0) : " + row_at[i]"
    let columnPlace =
      isLinear(part.columns) ? term("(n0 + c + j)", part.columns.last?.out ?? 0) : " + column_at[j]"
    let stride = blocking.accumulates ? "\(blocking.columns)" : width
    text += "          for (ptrdiff_t i = 0; i < rows; ++i) {\n"
    text += "            const \(type) *const s = sums + i * \(stride);\n"
    text += "            \(cStorageType(dtypes.result)) *const o = out + oo\(rowPlace);\n"
    func copy(_ sum: String) -> String {
      "for (ptrdiff_t j = 0; j < columns; ++j) o[\(drop(columnPlace))] = \(sum);\n"
    }
    func drop(_ place: String) -> String {
      place.isEmpty ? "0" : String(place.dropFirst(3))
    }
    if blocking.accumulates || blocking.depth >= part.depthCount {
      text += "            " + copy(store("s[j]"))
    } else {
      text += "            if (k0 > 0) {\n"
      text += "              " + copy("o[\(drop(columnPlace))] + s[j]")
      text += "            } else {\n              " + copy("s[j]") + "            }\n"
    }
    return text + "          }\n"
  }

  // MARK: Epilogue

  /// Whether sums of several blocks of the depth wait where a result goes.
  private func waitsInResult(_ blocking: Part.Blocking) -> Bool {
    blocking.depth < part.depthCount && !blocking.accumulates
  }

  /// The function that takes the sums of a tile to the results.
  private func finish(_ blocking: Part.Blocking) -> String {
    epilogue?.function(
      name, type: sumType, strides: placeStrides(part.resultColumns.last),
      width: "CKC_GEMM_COLUMNS(\(sumType))", rowStep: CPart.packedRowStep,
      readsTotals: waitsInResult(blocking)) ?? ""
  }

  /// The sums of one tile, and what an epilogue makes of them once they are complete.
  private func tile(
    _ blocking: Part.Blocking, _ epilogue: CEpilogue, _ call: String
  ) -> String {
    let width = "CKC_GEMM_COLUMNS(\(sumType))"
    let finish = "          \(name)_finish(rows, columns, n0 + c,"
    let rest = "at, \(epilogue.arguments));\n"
    let isLast = "          if (k0 + kc < \(part.depthCount)) continue;\n"
    if waitsInResult(blocking) {
      let place = "b\(epilogue.epilogue.totals!) + at[0] + n0 + c"
      return "          \(call) \(place), \(part.resultRows.last?.out ?? 0), k0 > 0);\n"
        + isLast + "\(finish) \(rest)"
    }
    if blocking.accumulates {
      return "          \(sumType) *const sums = totals + (m - m0) * \(blocking.columns) + c;\n"
        + "          \(call) sums, \(blocking.columns), k0 > 0);\n"
        + isLast + "\(finish) sums, \(blocking.columns), \(rest)"
    }
    let elements = CGemmSource.rowsMax * CGemmSource.columnBytesMax / dtypes.sum.byteCount
    return "          \(sumType) sums[\(elements)];\n"
      + "          \(call) sums, \(width), 0);\n" + "\(finish) sums, \(width), \(rest)"
  }
}
