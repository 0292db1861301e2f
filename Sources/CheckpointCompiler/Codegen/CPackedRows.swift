// The rows of a packed contraction: which of them a task has, where tiles find them, and the call that
// computes a tile.
//
// Packed rows are copied into a panel, along the depth or across. Rows in place are found: an address
// for each row and tap (`CAlongSource`), or the runs of positions at which they are neighbours
// (`CAcrossSource`).

extension CPart {
  var compute: String { dtypes.sum.name }

  var width: String { "CKC_GEMM_COLUMNS(\(sumType))" }

  func least(_ a: String, _ b: String) -> String { "\(a) < \(b) ? \(a) : \(b)" }

  /// The distance of rows and of depths in a panel of rows.
  func steps(_ blocking: Blocking) -> (row: String, depth: String) {
    blocking.layout == .along ? ("\(blocking.rowStride)", "1") : ("1", "CKC_GEMM_ROWS")
  }

  static let allDepths = "const ckc_runs runs = {1, {0}, {kc}};"

  /// A call that packs a panel of rows or of columns.
  func pack(
    rows: Bool, _ blocking: Blocking, start: String, count: String, to panel: String,
    depths: (from: String, count: String) = ("k0", "kc"), runs: String = "0"
  ) -> String {
    let operand = rows ? part.rowOperand : part.columnOperand
    let (memory, base) = operand == .first ? ("a", "ao") : ("b", "bo")
    let source = prologue(operand)?.source ?? memory
    let copy =
      prologue(operand)?.copy
      ?? "ckc_copy_\(CGemmSource.packName(dtypes.of(operand), dtypes.sum))"
    let (laneStep, depthStep) = rows ? steps(blocking) : ("1", width)
    return """
      ckc_pack(&\(name)_\(rows ? "rows" : "columns"), \(copy), \(source), \(base), \(start), \(count),
        \(rows ? "CKC_GEMM_ROWS" : width), \(depths.from), \(depths.count), \(panel), \(laneStep), \(depthStep),
        \(runs));

      """
  }

  /// How many tiles the rows of a block are cut into.
  func strips(_ blocking: Blocking) -> String {
    guard blocking.layout == .acrossInPlace else {
      return "(mc + CKC_GEMM_ROWS - 1) / CKC_GEMM_ROWS"
    }
    return "mc / \(part.neighbouringRows) * ckc_tiles_of(\(part.neighbouringRows))"
  }

  /// Lines that say which rows a task has.
  func rowsOfTask(_ blocking: Blocking, _ task: String) -> String {
    guard blocking.layout == .acrossInPlace else {
      return """
        const ptrdiff_t m = m0 + \(task) * CKC_GEMM_ROWS;
        const ptrdiff_t rows = \(least("m0 + mc - m", "CKC_GEMM_ROWS"));

        """
    }
    let lanes = part.neighbouringRows
    return """
      const ptrdiff_t row = ckc_row_of(\(lanes), \(task) % ckc_tiles_of(\(lanes)));
      const ptrdiff_t m = m0 + \(task) / ckc_tiles_of(\(lanes)) * \(lanes) + row;
      const ptrdiff_t rows = ckc_rows_of(\(lanes) - row);

      """
  }

  /// Lines that pack the rows of a task, or find where they are.
  func ownRows(_ blocking: Blocking) -> String {
    let source = part.rowOperand == .first ? "a, ao" : "b, bo"
    if blocking.layout == .acrossInPlace {
      return """
        ckc_line lines[CKC_LINES];
        const ckc_line *const lines_end =
          ckc_trace(&\(name)_rows, \(source.dropFirst(3)), m, k0, kc, lines);

        """
    }
    if blocking.layout == .alongInPlace {
      return """
        ckc_tap taps[CKC_TAPS];
        const ckc_tap *const taps_end = ckc_find(
          &\(name)_rows, \(name)_steps, \(source), (ptrdiff_t)sizeof(\(sumType)), m, rows, k0, kc, taps);

        """
    }
    // Where a window leaves the tensor, a panel of rows may be zero at some depths.
    let skips = part.rowOperand == .first && !part.axes.isEmpty
    let call = pack(
      rows: true, blocking, start: "m", count: "rows", to: "panel", runs: skips ? "&runs" : "0")
    return """
      const \(sumType) *const strip = panel;
      \(skips ? "ckc_runs runs = {0, {0}, {0}};" : CPart.allDepths)
      \(call)
      """
  }

  /// The start of the call that computes a tile.
  func tileCall(_ blocking: Blocking) -> String {
    switch blocking.layout {
    case .along, .across:
      let (rowStep, depthStep) = steps(blocking)
      return
        "ckc_gemm_\(compute)(rows, columns, &runs, strip, \(rowStep), \(depthStep), tile, step,"
    case .alongInPlace:
      return "ckc_meet_\(compute)(rows, columns, taps, taps_end, tile, step,"
    case .acrossInPlace:
      let side = PackedSide(apart: part, part.rowOperand)
      let source = part.rowOperand == .first ? "a" : "b"
      return
        "ckc_follow_\(compute)(rows, columns, lines, lines_end, \(source), \(side.depthStep), tile, step,"
    }
  }
}

extension String {
  /// The same with an indent after every line break but the last.
  func indented(_ indent: String) -> String {
    split(separator: "\n").joined(separator: "\n" + indent) + "\n"
  }
}
