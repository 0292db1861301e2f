// What becomes of the sums of a tile of a packed contraction.
//
// Method      Sums go straight to the result where it can hold them while they are added up; else to
//             scratch, or, where they are complete at once, to an array of one tile. From there they are
//             rounded and stored, or handed to the epilogue.
// Stack       One tile.

/// What makes the sums of a tile.
struct SumSource {
  /// The start of a call that makes them; what follows is where they go, and how far rows are apart there.
  var start: String
  /// The first column of the tile.
  var column: String
  /// Whether they may be added to what is there, by a last argument.
  var adds = true

  /// The whole call.
  func call(_ place: String, _ stride: String, adds isAdded: String) -> String {
    "\(start) \(place), \(stride)\(adds ? ", \(isAdded)" : ""));"
  }
}

extension CPart {
  /// The sums of one tile, and where they go.
  func tile(_ blocking: Blocking, _ source: SumSource) -> String {
    let type = sumType
    let column = source.column
    if let epilogue { return tile(blocking, epilogue, source) }
    let (rows, columns) = (part.resultRows, part.resultColumns)
    if dtypes.result == dtypes.sum, part.isInPlaceForSums {
      let stride = rows.last?.out ?? 0
      let place = "out + oo + \(column)\(term("m", stride))"
      return "            \(source.call(place, "\(stride)", adds: "k0 > 0"))\n"
    }
    var text = ""
    if blocking.accumulates {
      text += "            \(type) *const sums = totals + (m - m0) * \(blocking.columns) + c;\n"
      text += "            \(source.call("sums", "\(blocking.columns)", adds: "k0 > 0"))\n"
      text += "            if (k0 + kc < \(part.depthCount)) continue;\n"
    } else {
      let elements = CGemmSource.rowsMax * CGemmSource.columnBytesMax / dtypes.sum.byteCount
      text += "            \(type) sums[\(elements)];\n"
      text += "            \(source.call("sums", width, adds: "0"))\n"
    }
    if !isLinear(columns) {
      text += "            ptrdiff_t column_at[\(width)];\n"
      text += "            \(name)_column_places(\(column), columns, column_at);\n"
    }
    let rowPlace =
      isLinear(rows) ? term("(m + i)", rows.last?.out ?? 0) : " + row_at[i]"
    let columnPlace =
      isLinear(columns) ? term("(\(column) + j)", columns.last?.out ?? 0) : " + column_at[j]"
    let stride = blocking.accumulates ? "\(blocking.columns)" : width
    text += "            for (ptrdiff_t i = 0; i < rows; ++i) {\n"
    text += "              const \(type) *const s = sums + i * \(stride);\n"
    text += "              \(cStorageType(dtypes.result)) *const o = out + oo\(rowPlace);\n"
    func copy(_ sum: String) -> String {
      "for (ptrdiff_t j = 0; j < columns; ++j) o[\(drop(columnPlace))] = \(sum);\n"
    }
    func drop(_ place: String) -> String {
      place.isEmpty ? "0" : String(place.dropFirst(3))
    }
    if !waitsInResult(blocking) {
      text += "              " + copy(store("s[j]"))
    } else {
      text += "              if (k0 > 0) {\n"
      text += "                " + copy("o[\(drop(columnPlace))] + s[j]")
      text += "              } else {\n              " + copy("s[j]") + "              }\n"
    }
    return text + "            }\n"
  }

  // MARK: Epilogue

  /// Whether sums of several blocks of the depth wait where a result goes.
  private func waitsInResult(_ blocking: Blocking) -> Bool {
    blocking.depth < part.depthCount && !blocking.accumulates && !blocking.isSliced
  }

  /// The function that takes the sums of a tile to the results.
  func finish(_ blocking: Blocking, _ epilogue: CEpilogue) -> String {
    epilogue.function(
      name, type: sumType, strides: placeStrides(part.resultColumns.last), width: width,
      rowStep: CPart.packedRowStep, readsTotals: waitsInResult(blocking))
  }

  /// The sums of one tile, and what an epilogue makes of them once they are complete.
  private func tile(
    _ blocking: Blocking, _ epilogue: CEpilogue, _ source: SumSource
  ) -> String {
    let indent = "            "
    let finish = "\(indent)\(name)_finish(rows, columns, \(source.column),"
    let rest = "at, \(epilogue.arguments));\n"
    let isLast = "\(indent)if (k0 + kc < \(part.depthCount)) continue;\n"
    let fetch = fetch(blocking, epilogue, source.column, indent: indent)
    if waitsInResult(blocking) {
      let place = "b\(epilogue.epilogue.totals!) + at[0] + \(source.column)"
      let stride = part.resultRows.last?.out ?? 0
      return fetch + "\(indent)\(source.call(place, "\(stride)", adds: "k0 > 0"))\n" + isLast
        + "\(finish) \(rest)"
    }
    if blocking.accumulates {
      return fetch
        + "\(indent)\(sumType) *const sums = totals + (m - m0) * \(blocking.columns) + c;\n"
        + "\(indent)\(source.call("sums", "\(blocking.columns)", adds: "k0 > 0"))\n"
        + isLast + "\(finish) sums, \(blocking.columns), \(rest)"
    }
    let elements = CGemmSource.rowsMax * CGemmSource.columnBytesMax / dtypes.sum.byteCount
    return fetch + "\(indent)\(sumType) sums[\(elements)];\n"
      + "\(indent)\(source.call("sums", width, adds: "0"))\n" + "\(finish) sums, \(width), \(rest)"
  }

  /// The least depth of a block whose tiles take as long as memory does.
  private static let fetchedDepth = 128

  /// Lines before the last sums of a tile that ask for what its epilogue reads and writes.
  private func fetch(
    _ blocking: Blocking, _ epilogue: CEpilogue, _ column: String, indent: String
  ) -> String {
    let depth = min(blocking.depth, part.depthCount)
    guard depth >= CPart.fetchedDepth, !blocking.isSliced, part.resultColumns.last?.out == 1 else {
      return ""
    }
    guard depth < part.depthCount else { return epilogue.fetch(column: column, indent: indent) }
    let lines = epilogue.fetch(column: column, indent: indent + "  ")
    guard !lines.isEmpty else { return "" }
    return "\(indent)if (k0 + kc == \(part.depthCount)) {\n" + lines + "\(indent)}\n"
  }
}
