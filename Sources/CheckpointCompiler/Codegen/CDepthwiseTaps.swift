// The function of the gradient of a depthwise kernel.
//
// A task is a part of the batch and some channels: image after image, rows of positions are swept past
// the sums of the taps (`DepthwiseSweeps`), which are in registers for the rows of some images. The sums
// wait in scratch; at the end the parts are added in order.

extension CPart {
  /// The function that computes the taps, after those that sweep.
  func taps(_ form: Depthwise, _ sweeps: DepthwiseSweeps, _ target: Target) -> String {
    let (rows, channels) = (form.resultCount, form.lane.extent)
    let tasks = sweeps.parts * form.laneBlocks
    let images = sweeps.images.extent

    var text = finish(along: form.lane, width: form.width)
    for count in Set(sweeps.sweeps.map(\.tapCount)).sorted() {
      text += sweep(form, sweeps, tapRows: count)
    }
    text += head + "{\n"
    text += "  \(sumType) *const totals = (\(sumType) *)(void *)scratch;\n"
    text += pragma(target, tasks: tasks)
    text += "  for (ptrdiff_t task = 0; task < \(tasks); ++task) {\n"
    text +=
      "    const ptrdiff_t piece = task / \(form.laneBlocks), block = task % \(form.laneBlocks);\n"
    text += laneCount(form, block: "block", indent: "    ")
    text += """
          \(sumType) *const sums = totals + piece * \(rows * channels) + block * \(form.width);
          for (ptrdiff_t r = 0; r < \(rows); ++r) {
            for (ptrdiff_t l = 0; l < lanes; ++l) sums[r * \(channels) + l] = 0;
          }
          const ptrdiff_t end = \(images) * (piece + 1) / \(sweeps.parts);
          for (ptrdiff_t n = \(images) * piece / \(sweeps.parts); n < end; n += \(sweeps.imagesMost)) {
            const ptrdiff_t images = \(least("end - n", "\(sweeps.imagesMost)"));

      """
    for one in sweeps.sweeps { text += calls(form, sweeps, one) }
    return text + "    }\n  }\n" + totals(form, sweeps.parts) + "}\n"
  }

  /// Lines that sweep some rows of positions of some images past some rows of taps.
  private func calls(
    _ form: Depthwise, _ sweeps: DepthwiseSweeps, _ one: DepthwiseSweeps.Sweep
  ) -> String {
    let isCut = one.rowCount > sweeps.rowsMost
    let distance = part.windowDistance
    let starts = part.axes.reduce(part.firstBase) { $0 + $1.start * $1.stride }
    let first = starts + one.row * distance(sweeps.rows) + one.tap * distance(sweeps.taps)
    let column = form.runs[0].block.columns[0] * form.columnStep
    let second = part.secondBase + one.row * sweeps.rows.second
    let indent = isCut ? "        " : "      "
    func place(_ start: Int, _ image: Int, _ row: Int) -> String {
      "\(start) + block * \(form.width)" + term("n", image) + (isCut ? term("r", row) : "")
    }
    let sums = one.tap * form.slid.extent * form.lane.extent
    var text = ""
    if isCut {
      text += "      for (ptrdiff_t r = 0; r < \(one.rowCount); r += \(sweeps.rowsMost)) {\n"
    }
    let some = least("\(one.rowCount) - r", "\(sweeps.rowsMost)")
    text +=
      "\(indent)\(name)_sweep_\(one.tapCount)(lanes, images, \(isCut ? some : "\(one.rowCount)"),\n"
    text +=
      "\(indent)  a, \(place(first + column, distance(sweeps.images), distance(sweeps.rows))),\n"
    text += "\(indent)  b, \(place(second, sweeps.images.second, sweeps.rows.second)),\n"
    text += "\(indent)  sums + \(sums));\n"
    return text + (isCut ? "      }\n" : "")
  }

  /// The function that adds to the sums of some rows of taps the products of rows of positions: `x` and
  /// `w` are where the first numbers are.
  private func sweep(_ form: Depthwise, _ sweeps: DepthwiseSweeps, tapRows: Int) -> String {
    let (width, channels) = (form.slid.extent, form.lane.extent)
    let sums = (0..<tapRows * width).map { (number: $0, place: "out + l + \($0 * channels)") }
    let distance = part.windowDistance
    var lines = ["V \(sums.map { "s\($0.number) = GET(\($0.place))" }.joined(separator: ", "));"]
    lines += [
      "for (ptrdiff_t n = 0; n < images; ++n)",
      "for (ptrdiff_t r = 0; r < rows; ++r) {",
      "  ptrdiff_t x = x0 + l\(term("n", distance(sweeps.images)))\(term("r", distance(sweeps.rows)));",
      "  ptrdiff_t w = w0 + l\(term("n", sweeps.images.second))\(term("r", sweeps.rows.second));",
    ]
    for (number, run) in form.runs.enumerated() {
      let next = number + 1 < form.runs.count ? form.runs[number + 1].block : nil
      lines.append(run.count > 1 ? "  for (int i = 0; i < \(run.count); ++i) {" : "  {")
      lines += products(form, run.block, rowStep: distance(sweeps.taps), tapRows: tapRows)
      if run.count > 1 || next != nil {
        let step = run.block.taps * run.block.tapStep * form.columnStep
        lines.append("    w += \(run.block.taps * form.tap.second);")
        lines.append("    x += \(step);")
      }
      lines.append("  }")
      if let next, next.columns[0] != run.block.columns[0] {
        lines.append("  x += \((next.columns[0] - run.block.columns[0]) * form.columnStep);")
      }
    }
    lines.append("}")
    lines += sums.map { "PUT(\($0.place), s\($0.number))" }
    let block = "\(name.uppercased())_SWEEP_\(tapRows)"
    let lanes = channels % 16 == 0 ? "CKC_WHOLE_LANES" : "CKC_SWEEP_LANES"
    return CDepthwiseSource.macro("\(block)(V, GET, PUT)", lines) + """
      CKC_CONTRACT static void \(name)_sweep_\(tapRows)(
        ptrdiff_t count, ptrdiff_t images, ptrdiff_t rows, const \(sumType) *CKC_RESTRICT a, ptrdiff_t x0,
        const \(sumType) *CKC_RESTRICT b, ptrdiff_t w0, \(sumType) *CKC_RESTRICT out)
      {
        CKC_CONTRACT_BODY
        \(lanes)(\(sumType), \(block))
      }

      """
  }

  /// The products of some positions and rows of taps: `x` is where the first column is.
  private func products(
    _ form: Depthwise, _ block: Depthwise.Block, rowStep: Int, tapRows: Int
  ) -> [String] {
    let columns = block.columns
    let met = Set(columns.flatMap { block.pairs(at: $0).map(\.tap) })
    var lines = (0..<block.taps).filter(met.contains).map {
      "    const V w\($0) = GET(b + w\(term("1", $0 * form.tap.second)));"
    }
    for row in 0..<tapRows {
      for column in columns {
        let place = row * rowStep + (column - columns[0]) * form.columnStep
        let sums = block.pairs(at: column).map {
          "s\(row * form.slid.extent + $0.output) += v * w\($0.tap);"
        }
        lines.append(
          "    { const V v = GET(a + x\(term("1", place))); \(sums.joined(separator: " ")) }")
      }
    }
    return lines
  }

  /// Lines that add the sums of the parts and take them to the results.
  private func totals(_ form: Depthwise, _ parts: Int) -> String {
    let (channels, width) = (form.lane.extent, form.width)
    var outer = form.outer
    outer.append(form.slid)
    outer.append(form.laneBlockLoop)
    var text =
      "  for (ptrdiff_t task = 0; task < \(form.resultCount * form.laneBlocks); ++task) {\n"
    text += decoded("task", outer, "i", indent: "    ") + starts(outer)
    text += laneCount(form, block: "i\(outer.count - 1)", indent: "    ")
    text += """
          const \(sumType) *const of = totals + task / \(form.laneBlocks) * \(channels)
            + task % \(form.laneBlocks) * \(width);
          \(sumType) sums[\(width)];
          for (ptrdiff_t l = 0; l < lanes; ++l) sums[l] = of[l];
          for (ptrdiff_t n = 1; n < \(parts); ++n) {
            for (ptrdiff_t l = 0; l < lanes; ++l) sums[l] += of[n * \(form.resultCount * channels) + l];
          }

      """
    if let epilogue {
      text += finished(epilogue, count: "lanes", from: "0")
    } else {
      text += "    for (ptrdiff_t l = 0; l < lanes; ++l) out[oo + l] = sums[l];\n"
    }
    return text + unusedStarts + "  }\n"
  }
}
