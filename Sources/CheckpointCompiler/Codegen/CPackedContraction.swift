// Contractions through packed panels and register tiles.
//
// Problem     Feed the tiles of `CGemmSource` from any strides and windows, and put the sums anywhere.
// Method      As `Blocking` says. For each block of columns, rows and depth: pack the panels of the
//             shared side, together; then each task packs a panel of the other side and goes over the
//             tiles. Tables (`PackedSide`) say how operands are packed.
// Invariants  Shared panels, and the tasks, are shared out between barriers: threads write disjoint
//             memory, and a task goes to the same thread in every block. Or a thread has blocks of its
//             own, and all their depths. Sums over several blocks of the depth are added in order, in the
//             result or, where that is 16 bits wide, in scratch. Slices of the depth are summed apart,
//             each by one thread (`CSlicedContraction.swift`).

extension CPart {
  /// The function, after its tables and the functions that it calls.
  func packed(_ blocking: Blocking) -> String {
    var text = "/* \(name): \(blocking.description). */\n"
    let side =
      blocking.layout.isInPlace
      ? PackedSide(apart: part, part.rowOperand) : PackedSide(part, part.rowOperand)
    text += side.table("\(name)_rows")
    if blocking.layout == .alongInPlace { text += side.stepTable("\(name)_steps") }
    if packsColumns(blocking) {
      text += PackedSide(part, part.columnOperand).table("\(name)_columns")
    }
    text += prologues.map { $0?.text ?? "" }.joined()
    if let epilogue {
      text += finish(blocking, epilogue) + placesOfRows()
    } else {
      text += places("row_places", part.resultRows, count: "CKC_GEMM_ROWS")
      text += places("column_places", part.resultColumns, count: nil)
    }
    return text + body(blocking)
  }

  private func packsColumns(_ blocking: Blocking) -> Bool {
    !blocking.readsColumns || blocking.sharedElements > 0
  }

  // MARK: Places of sums

  /// Whether a lane's place is its number times a stride.
  func isLinear(_ loops: [Loop]) -> Bool { loops.count <= 1 }

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

  private func body(_ blocking: Blocking) -> String {
    let type = sumType
    let isThreaded = blocking.threads > 1
    let ownsAll = isThreaded && (blocking.tasks != .panels || blocking.isSliced)
    let sums = blocking.isSliced ? 0 : blocking.sumElements
    let own = blocking.sharedElements + sums + blocking.ownElements

    var text = head + "{\n" + prologues.map { $0?.gathered ?? "" }.joined()
    if isThreaded {
      text += "  CKC_OMP(omp parallel num_threads(ckc_threads(\(blocking.threads))))\n"
    }
    text += "  {\n"
    if blocking.isSliced { text += "    \(type) *const slices = (\(type) *)(void *)scratch;\n" }
    if own > 0 {
      text += "    \(type) *const shared = "
      text +=
        blocking.isSliced
        ? "slices + \(blocking.slices * blocking.sumElements)" : "(\(type) *)(void *)scratch"
      text += ownsAll ? " + ckc_thread() * \(own);\n" : ";\n"
    } else if !blocking.isSliced {
      text += "    (void)scratch;\n"
    }
    if blocking.accumulates {
      text += "    \(type) *const totals = shared + \(blocking.sharedElements);\n"
    }
    if blocking.ownElements > 0 {
      text += "    \(type) *const panel = shared"
      text += " + \(blocking.sharedElements + sums)"
      text += isThreaded && !ownsAll ? " + ckc_thread() * \(blocking.ownElements);\n" : ";\n"
    }
    if isThreaded && blocking.tasks == .groups { text += "    CKC_OMP(omp for schedule(static))\n" }
    text += "    for (ptrdiff_t g = 0; g < \(part.groupCount); ++g) {\n"
    text += decoded("g", part.groups, "g", indent: "      ")
    func start(_ base: Int, _ stride: (Loop) -> Int) -> String {
      sum("\(base)", part.groups, "g", stride)
    }
    text += "      const ptrdiff_t ao = \(start(part.firstBase) { $0.first });\n"
    text += "      const ptrdiff_t bo = \(start(part.secondBase) { $0.second });\n"
    text += "      const ptrdiff_t oo = \(start(part.outBase) { $0.out });\n"
    text += extraStarts(part.groups, "g", indent: "      ")
    let share =
      isThreaded && blocking.tasks == .panels
      ? "        CKC_OMP(omp for schedule(static))\n" : ""
    text += blocking.isSliced ? sliced(blocking, share) : blocks(blocking, share)
    text += "      (void)ao;\n      (void)bo;\n"
    return text + "    }\n  }\n}\n"
  }

  /// All blocks in turn, each shared out by threads, or each a thread's own.
  private func blocks(_ blocking: Blocking, _ share: String) -> String {
    let (rows, columns, depth) = (part.rowCount, part.columnCount, part.depthCount)
    let haveBlocks = blocking.threads > 1 && blocking.tasks == .blocks
    var text =
      haveBlocks ? "      CKC_OMP(omp for collapse(2) schedule(static) nowait)\n" : ""
    text += """
            for (ptrdiff_t n0 = 0; n0 < \(columns); n0 += \(blocking.columns))
            for (ptrdiff_t m0 = 0; m0 < \(rows); m0 += \(blocking.rows))
            for (ptrdiff_t k0 = 0; k0 < \(depth); k0 += \(blocking.depth)) {
              const ptrdiff_t nc = \(least("\(columns) - n0", "\(blocking.columns)"));
              const ptrdiff_t mc = \(least("\(rows) - m0", "\(blocking.rows)"));
              const ptrdiff_t kc = \(least("\(depth) - k0", "\(blocking.depth)"));
              const ptrdiff_t strips = \(strips(blocking));
              const ptrdiff_t tiles = (nc + \(width) - 1) / \(width);

      """
    let block = blocking.sharesRows ? sharedRows(blocking, share) : sharedColumns(blocking, share)
    return text + block + "      }\n"
  }

  /// Columns are packed for all; a task packs a panel of rows and goes over tiles of columns.
  func sharedColumns(_ blocking: Blocking, _ share: String) -> String {
    var text = ""
    if !blocking.readsColumns {
      let call = pack(
        rows: false, blocking, start: "n0 + c", count: least("nc - c", width),
        to: "shared + c * \(blocking.depth)")
      text +=
        share + """
                  for (ptrdiff_t t = 0; t < tiles; ++t) {
                    const ptrdiff_t c = t * \(width);
                    \(call.indented("          "))        }

          """
    } else if blocking.sharedElements > 0 {
      let call = pack(rows: false, blocking, start: "n0 + c", count: "nc - c", to: "shared")
      text += share.isEmpty ? "" : "        CKC_OMP(omp single)\n"
      text += """
                if (nc % \(width) != 0) {
                  const ptrdiff_t c = nc / \(width) * \(width);
                  \(call.indented("          "))        }

        """
    }
    let (task, from, to) = cut(blocking, into: "tiles")
    let tasks =
      blocking.isSliced
      ? rowsOfPiece(blocking) : "ptrdiff_t task = 0; task < strips * \(blocking.chunks)"
    // A task goes to the same thread in every block of the depth: where nothing is packed for all, none
    // waits for the others.
    let isAlone = blocking.readsColumns && blocking.sharedElements == 0 && !blocking.accumulates
    text +=
      (isAlone && !share.isEmpty ? "        CKC_OMP(omp for schedule(static) nowait)\n" : share)
        + """
                for (\(tasks); ++task) {
                  \(rowsOfTask(blocking, task).indented("          "))\
                  \(ownRows(blocking).indented("          "))
        """
    text +=
      (blocking.isSliced ? "" : rowHead(indent: "          ")) + """
                  for (ptrdiff_t t = \(from); t < \(to); ++t) {
                    const ptrdiff_t c = t * \(width);
                    const ptrdiff_t columns = \(least("nc - c", width));

        """
    if blocking.readsColumns {
      let (source, base) = part.columnOperand == .first ? ("a", "ao") : ("b", "bo")
      let depthStride = part.seen(part.depth, by: part.columnOperand)[0].stride(part.columnOperand)
      text += "            const \(sumType) *tile = \(source) + \(base) + n0 + c"
      text += "\(term("k0", depthStride));\n"
      text += "            ptrdiff_t step = \(depthStride);\n"
      if blocking.sharedElements > 0 {
        text += "            if (columns < \(width)) { tile = shared; step = \(width); }\n"
      }
    } else {
      text += "            const \(sumType) *const tile = shared + c * \(blocking.depth);\n"
      text += "            const ptrdiff_t step = \(width);\n"
    }
    let sums =
      blocking.isSliced
      ? sumsOfPiece(blocking)
      : tile(blocking, SumSource(start: tileCall(blocking), column: "n0 + c"))
    return text + sums + "          }\n        }\n"
  }

  /// Rows are packed for all; a task packs a panel of columns and goes over tiles of rows.
  private func sharedRows(_ blocking: Blocking, _ share: String) -> String {
    let elements =
      "CKC_GEMM_ROWS * \(blocking.layout == .along ? blocking.rowStride : blocking.depth)"
    let columnsCall = pack(
      rows: false, blocking, start: "n0 + c", count: "columns", to: "panel")
    let (task, from, to) = cut(blocking, into: "strips")
    return packingOfStrips(blocking, elements, share) + """
      \(share)\
              for (ptrdiff_t task = 0; task < tiles * \(blocking.chunks); ++task) {
                const ptrdiff_t c = \(task) * \(width);
                const ptrdiff_t columns = \(least("nc - c", width));
                const \(sumType) *const tile = panel;
                const ptrdiff_t step = \(width);
                \(columnsCall.indented("          "))\
                for (ptrdiff_t p = \(from); p < \(to); ++p) {
                  const ptrdiff_t m = m0 + p * CKC_GEMM_ROWS;
                  const ptrdiff_t rows = \(least("m0 + mc - m", "CKC_GEMM_ROWS"));
                  const \(sumType) *const strip = shared + p * (\(elements));
                  \(CPart.allDepths)

      """ + rowHead(indent: "            ")
      + tile(blocking, SumSource(start: tileCall(blocking), column: "n0 + c"))
      + "          }\n        }\n"
  }

  /// Packs all strips of rows of a block.
  ///
  /// Rows that are neighbours in memory go into strips a few depths at a time: a line of the cache that
  /// two strips share is still near for the second, and pages are read on.
  private func packingOfStrips(_ blocking: Blocking, _ elements: String, _ share: String) -> String
  {
    let isInBatches =
      blocking.layout == .across && PackedSide(part, part.rowOperand).readsAcross
    let batch = CPrologue.depthMax
    let call = pack(
      rows: true, blocking, start: "m0 + p * CKC_GEMM_ROWS",
      count: least("mc - p * CKC_GEMM_ROWS", "CKC_GEMM_ROWS"),
      to: "shared + p * (\(elements))" + (isInBatches ? " + from * CKC_GEMM_ROWS" : ""),
      depths: isInBatches ? ("k0 + from", least("kc - from", "\(batch)")) : ("k0", "kc"))
    func strips(_ indent: String) -> String {
      "\(indent)for (ptrdiff_t p = 0; p < strips; ++p) {\n"
        + "\(indent)  \(call.indented(indent + "  "))\(indent)}\n"
    }
    let indent = "        "
    guard isInBatches else { return share + strips(indent) }
    let isShared = !share.isEmpty
    return "\(indent)for (ptrdiff_t from = 0; from < kc; from += \(batch)) {\n"
      + (isShared ? "\(indent)  CKC_OMP(omp for schedule(static) nowait)\n" : "")
      + strips(indent + "  ") + "\(indent)}\n"
      + (isShared ? "\(indent)CKC_OMP(omp barrier)\n" : "")
  }

  /// The panel of a task, and the first tile and the end of its tiles.
  private func cut(
    _ blocking: Blocking, into tiles: String
  ) -> (panel: String, from: String, to: String) {
    let chunks = blocking.chunks
    guard chunks > 1, !blocking.isSliced else { return ("task", "0", tiles) }
    let piece = "task % \(chunks)"
    return (
      "(task / \(chunks))", "\(tiles) * (\(piece)) / \(chunks)",
      "\(tiles) * (\(piece) + 1) / \(chunks)"
    )
  }

  /// What is found once for each panel of rows: where its results are.
  func rowHead(indent: String) -> String {
    if let epilogue { return rowPlaces(epilogue, indent: indent) }
    guard !isLinear(part.resultRows) else { return "" }
    return "\(indent)ptrdiff_t row_at[CKC_GEMM_ROWS];\n"
      + "\(indent)\(name)_row_places(m, rows, row_at);\n"
  }
}
