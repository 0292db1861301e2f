// The function of a depthwise convolution whose channels are lanes.
//
// A task is a row of results of some channels: the rows of the window that lie in the tensor are listed,
// then block after block slides over them. `CDepthwiseTaps.swift` has gradients of the kernel.

extension CPart {
  /// The function of a depthwise part.
  func depthwise(_ form: Depthwise, _ target: Target) -> String {
    let text = "/* \(name): \(form.description). */\n"
    guard let sweeps = form.sweeps else { return text + results(form, target) }
    return text + taps(form, sweeps, target)
  }

  /// The axes that are checked row by row.
  private func checked(_ form: Depthwise) -> [Int] { part.axes.indices.filter { $0 != form.axis } }

  /// A line that declares how many channels there are from those of the task.
  func laneCount(_ form: Depthwise, block: String, indent: String) -> String {
    let (extent, width) = (form.lane.extent, form.width)
    if extent % width == 0 { return "\(indent)const ptrdiff_t lanes = \(width);\n" }
    return "\(indent)const ptrdiff_t left = \(extent) - \(block) * \(width);\n"
      + "\(indent)const ptrdiff_t lanes = \(least("left", "\(width)"));\n"
  }

  /// Where the first number of the first column is, along the axis of the window.
  func firstColumn(_ form: Depthwise) -> Int {
    form.axis.map { part.axes[$0].start * part.axes[$0].stride } ?? 0
  }

  var unusedStarts: String {
    let positions = part.axes.indices.map { "(void)q\($0); " }.joined()
    return "    \(positions)(void)ao; (void)bo; (void)oo;\n"
  }

  // MARK: Results

  private func results(_ form: Depthwise, _ target: Target) -> String {
    // Rows that share numbers are neighbours: channels change after them.
    var outer = form.outer
    outer.insert(form.laneBlockLoop, at: max(0, outer.count - 1))
    let tasks = outer.reduce(1) { $0 * $1.extent }
    let listed = form.depth.reduce(1) { $0 * $1.extent }
    var text = finish(along: form.lane, width: form.width, rowStep: "\(form.outputsMax)")
    text += head + "{\n" + pragma(target, tasks: tasks)
    text += "  for (ptrdiff_t task = 0; task < \(tasks); ++task) {\n"
    text += decoded("task", outer, "i", indent: "    ") + starts(outer)
    text += laneCount(form, block: "i\(max(0, outer.count - 2))", indent: "    ")
    text += "    ckc_row rows[\(listed)];\n    ptrdiff_t count = 0;\n"
    text += depthLoops(form.depth, checked: checked(form))
    if let axis = form.axis { text += "      (void)p\(axis);\n" }
    text += "      rows[count].first = ap;\n      rows[count++].second = bp;\n    }\n"
    for run in form.runs { text += blocks(form, run) }
    return text + unusedStarts + "  }\n  (void)scratch;\n}\n"
  }

  /// Lines that compute equal blocks of results.
  private func blocks(_ form: Depthwise, _ run: Depthwise.Run) -> String {
    let block = run.block
    let isLoop = run.count > 1
    let indent = isLoop ? "      " : "    "
    let step = block.outputStep * form.columnStep
    let from = firstColumn(form) + run.start * step + block.low * form.columnStep
    func moved(_ start: Int, _ stride: Int) -> String {
      "\(start)" + (isLoop ? term("n", block.outputs * stride) : "")
    }
    func call(_ out: String, _ stride: Int) -> String {
      "\(indent)\(CDepthwiseSource.slideName(block, dtypes.sum))(lanes, count, rows, a, "
        + "\(moved(from, step)), \(form.columnStep), b, \(form.tap.second), \(out), \(stride));\n"
    }
    var text = isLoop ? "    for (ptrdiff_t n = 0; n < \(run.count); ++n) {\n" : ""
    if let epilogue {
      text = isLoop ? text : "    {\n"
      text += "\(indent)\(sumType) sums[\(block.outputs * form.width)];\n"
      text += call("sums", form.width)
      text += "\(indent)ptrdiff_t at[\(epilogue.placeCount * form.outputsMax)] = {0};\n"
      text += "\(indent)for (ptrdiff_t i = 0; i < \(block.outputs); ++i) {\n"
      for (place, (start, stride)) in zip(placeStarts, placeStrides(form.slid)).enumerated() {
        let shift = place == 0 ? "" : "\(place * form.outputsMax) + "
        text += "\(indent)  at[\(shift)i] = \(start) + (\(moved(run.start, 1)) + i)"
        text += " * \(stride);\n"
      }
      text += "\(indent)}\n"
      text += "\(indent)\(name)_finish(\(block.outputs), lanes, 0, sums, \(form.width), at, "
      text += "\(epilogue.arguments));\n"
      return text + "    }\n"
    }
    text += call("out + oo + \(moved(run.start * form.slid.out, form.slid.out))", form.slid.out)
    return text + (isLoop ? "    }\n" : "")
  }
}
