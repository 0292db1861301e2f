// The C of an epilogue: a function that takes the sums of a tile to the results.
//
// Why apart   The functions of contractions may fuse multiply-adds; elementwise ops must not, or a value
//             would have other bits than in a kernel of its own. So the epilogue is a function that is
//             compiled as kernels of loops are, and never inlined.
// Places      `at` has the place of every row of the tile, for the result and for every operand that
//             moves by other strides. They are found once per panel of rows.

/// Prints the epilogue of a contraction.
struct CEpilogue {
  var epilogue: Epilogue
  /// The buffers of the kernel; the first ones are the factors, or what they are made of.
  var buffers: [KernelBuffer]
  private let factorBufferCount: Int
  /// The body of the loop over columns, and the support functions that it calls.
  private var lines: [String]
  private(set) var uses: Set<String>

  /// - Parameters:
  ///   - epilogue: The epilogue.
  ///   - contraction: The contraction that it belongs to.
  ///   - buffers: The buffers of the kernel.
  init(_ epilogue: Epilogue, of contraction: Contraction, buffers: [KernelBuffer]) {
    self.epilogue = epilogue
    self.buffers = buffers
    factorBufferCount = contraction.factorBufferCount
    let product = contraction.dtypes.result
    var printer = CStatements(buffers: buffers)
    lines = printer.print(epilogue.statements)
    uses = printer.uses
    let sum = cRounded(product, "sum", uses: &uses)
    lines.insert("  const \(cComputeType(product)) v\(Epilogue.sum) = \(sum);", at: 0)
  }

  /// How many places are counted: that of the result and the others.
  var placeCount: Int { 1 + epilogue.places.count }

  /// The parameters after the factors.
  var parameters: [String] {
    buffers.indices.dropFirst(factorBufferCount).map {
      let buffer = buffers[$0]
      let type = "\(buffer.isWritten ? "" : "const ")\(cStorageType(buffer.dtype))"
      return "\(type) *CKC_RESTRICT b\($0)"
    }
  }

  /// The parameters as arguments.
  var arguments: String {
    buffers.indices.dropFirst(factorBufferCount).map { "b\($0)" }.joined(separator: ", ")
  }

  /// The function `NAME_finish`.
  ///
  /// - Parameters:
  ///   - name: The name of the contraction's function.
  ///   - type: The C type of sums.
  ///   - strides: How far each place moves from column to column.
  ///   - width: The number of columns of most tiles.
  ///   - rowStep: The distance in `at` of the places of one row.
  ///   - readsTotals: Whether the sums are in the buffer `totals`, where results go.
  /// - Returns: The text of the function.
  func function(
    _ name: String, type: String, strides: [Int], width: String, rowStep: String,
    readsTotals: Bool
  ) -> String {
    var text = "CKC_KERNEL \(name)_finish(\n"
    text += "  ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t from,"
    if !readsTotals { text += " const \(type) *CKC_RESTRICT sums, ptrdiff_t stride," }
    text += "\n  const ptrdiff_t *CKC_RESTRICT at,\n  "
    text += parameters.joined(separator: ",\n  ") + ")\n{\n"
    text += "  for (ptrdiff_t i = 0; i < rows; ++i) {\n"
    if !readsTotals { text += "    const \(type) *const s = sums + i * stride;\n" }
    let used = (0..<placeCount).filter { place in
      place == 0 && readsTotals || lines.contains { $0.mentions("i\(place)") }
    }
    for place in used {
      let row = place == 0 ? "at[i]" : "at[\(place) * \(rowStep) + i]"
      text += "    const ptrdiff_t q\(place) = \(row)\(offset("from", strides[place]));\n"
    }
    func loop(_ count: String) -> String {
      var text = "      CKC_INDEPENDENT\n"
      text += "      for (ptrdiff_t j = 0; j < \(count); ++j) {\n"
      for place in used {
        text += "        const ptrdiff_t i\(place) = q\(place)\(offset("j", strides[place]));\n"
      }
      let sum = readsTotals ? "b\(epilogue.totals!)[i0]" : "s[j]"
      text += "        const \(type) sum = \(sum);\n"
      text += lines.map { "      \($0)\n" }.joined()
      return text + "      }\n"
    }
    text += "    if (columns == \(width)) {\n" + loop(width) + "    } else {\n" + loop("columns")
    text += "    }\n  }\n"
    for number in buffers.indices.dropFirst(factorBufferCount)
    where !lines.contains(where: { $0.mentions("b\(number)") })
      && !(readsTotals && number == epilogue.totals)
    {
      text += "  (void)b\(number);\n"
    }
    text += "  (void)from;\n  (void)at;\n"
    return text + "}\n"
  }

  /// Lines that ask for what the epilogue of a tile reads and writes at the places of the result, while
  /// the tile is computed: rows of a tile lie far apart, and no processor foresees them.
  func fetch(column: String, indent: String) -> String {
    let fetches = buffers.indices.dropFirst(factorBufferCount).compactMap { number -> String? in
      guard lines.contains(where: { $0.contains("b\(number)[i0") }) else { return nil }
      let isWritten = buffers[number].isWritten ? 1 : 0
      return "\(indent)  CKC_SOON(b\(number) + at[i] + \(column), columns, \(isWritten))\n"
    }
    guard !fetches.isEmpty else { return "" }
    return "\(indent)for (ptrdiff_t i = 0; i < rows; ++i) {\n" + fetches.joined() + "\(indent)}\n"
  }

  private func offset(_ index: String, _ stride: Int) -> String {
    switch stride {
    case 0: ""
    case 1: " + \(index)"
    default: " + \(index) * \(stride)"
    }
  }
}

extension CPart {
  /// The distance in `at` of the places of one row, in a packed part and elsewhere.
  static let packedRowStep = "CKC_GEMM_ROWS"

  /// The names of the starts of all places: that of the result, then those of the epilogue.
  var placeStarts: [String] {
    ["oo"] + part.extraBases.indices.map { "e\($0 + 1)" }
  }

  /// Lines that declare where the places of the epilogue start in the loops around.
  func extraStarts(_ loops: [Loop], _ prefix: String, indent: String) -> String {
    var text = ""
    for (place, base) in part.extraBases.enumerated() {
      let start = sum("\(base)", loops, prefix) { $0.extras[place] }
      text += "\(indent)const ptrdiff_t e\(place + 1) = \(start);\n"
    }
    return text
  }

  /// The function `NAME_places`, which finds the places of the rows of a panel.
  func placesOfRows() -> String {
    var rows = part.resultRows
    if rows.isEmpty { rows = [Loop(extent: 1, extras: part.extraBases.map { _ in 0 })] }
    let parameters = placeStarts.map { "ptrdiff_t \($0)" }.joined(separator: ", ")
    var text = "static void \(name)_places(\n"
    text += "  ptrdiff_t start, ptrdiff_t count, \(parameters), ptrdiff_t *CKC_RESTRICT at)\n{\n"
    text += decoded("start", rows, "i", indent: "  ")
    text += "  for (ptrdiff_t l = 0; l < count; ++l) {\n"
    for (place, start) in placeStarts.enumerated() {
      let value = sum(start, rows, "i") { place == 0 ? $0.out : $0.extras[place - 1] }
      let row = place == 0 ? "at[l]" : "at[\(place) * \(CPart.packedRowStep) + l]"
      text += "    \(row) = \(value);\n"
    }
    text += "    ++i\(rows.count - 1);\n"
    text += carried(rows, "i", indent: "    ")
    return text + "  }\n}\n"
  }

  /// Lines that find the places of a panel of rows.
  func rowPlaces(_ epilogue: CEpilogue, indent: String) -> String {
    """
    \(indent)ptrdiff_t at[\(epilogue.placeCount) * \(CPart.packedRowStep)] = {0};
    \(indent)\(name)_places(m, rows, \(placeStarts.joined(separator: ", ")), at);

    """
  }

  /// How far every place moves from one iteration of a loop to the next.
  func placeStrides(_ loop: Loop?) -> [Int] {
    [loop?.out ?? 0] + part.extraBases.indices.map { loop?.extras[$0] ?? 0 }
  }

  /// Lines at the end of a task of a part without panels: the sums of neighbours along one loop.
  func finished(_ epilogue: CEpilogue, count: String, from: String) -> String {
    """
        const ptrdiff_t at[\(epilogue.placeCount)] = {\(placeStarts.joined(separator: ", "))};
        \(name)_finish(1, \(count), \(from), sums, 0, at, \(epilogue.arguments));

    """
  }
}

extension String {
  /// Whether it holds a name as a whole word.
  func mentions(_ name: String) -> Bool {
    func isWord(_ character: Character) -> Bool {
      character.isLetter || character.isNumber || character == "_"
    }
    return split { !isWord($0) }.contains { $0 == name }
  }
}
