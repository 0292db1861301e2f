// Contractions without panels: loops along the lanes of the result, or along the depth.
//
// Every task computes a block of neighbouring results, whole sums at a time; tasks are independent,
// so threads change nothing. Taps outside the tensor are skipped, not added as zeros.

extension CPart {
  private static let lanesMax = 64
  private static let dotLanes = 16

  /// The loops of the result in the order groups, rows, columns, without the one at `lane`.
  private func outerLoops(
    except lane: (kind: WritableKeyPath<Part, [Loop]>, index: Int)?
  ) -> [Loop] {
    var part = part
    if let lane { part[keyPath: lane.kind].remove(at: lane.index) }
    return part.groups + part.rows + part.columns
  }

  func pragma(_ target: Target, tasks: Int) -> String {
    let threads = min(part.threadsOfResults(target), tasks)
    return threads == 1
      ? ""
      : "  CKC_OMP(omp parallel for schedule(static) num_threads(ckc_threads(\(threads))))\n"
  }

  /// Lines that declare where the products and the result of the outer loops start.
  func starts(_ outer: [Loop]) -> String {
    var text = ""
    text += "    const ptrdiff_t ao = \(sum("\(part.firstBase)", outer, "i") { $0.first });\n"
    text += "    const ptrdiff_t bo = \(sum("\(part.secondBase)", outer, "i") { $0.second });\n"
    text += "    const ptrdiff_t oo = \(sum("\(part.outBase)", outer, "i") { $0.out });\n"
    for (index, axis) in part.axes.enumerated() {
      let value = sum("\(axis.start)", outer, "i") { $0.steps[index] }
      text += "    const ptrdiff_t q\(index) = \(value);\n"
    }
    return text + extraStarts(outer, "i", indent: "    ")
  }

  /// The function of the epilogue for blocks of neighbours along a loop.
  func finish(along lane: Loop?, width: Int, rowStep: String = "1") -> String {
    epilogue?.function(
      name, type: sumType, strides: placeStrides(lane), width: "\(width)", rowStep: rowStep,
      readsTotals: false) ?? ""
  }

  /// Opens the loops over the depth; at their end stand `ap` and `bp`. Misses along the axes in
  /// `checked`, whose position is the same for all lanes, are skipped; or, where `lanes` says so, they
  /// leave no `lanes`: GCC 12 loses places of the loops over lanes, in vectors of AVX-512, where the
  /// loop around them goes on early.
  func depthLoops(_ loops: [Loop], checked: [Int], lanes: Bool = false) -> String {
    var text = ""
    for (index, loop) in loops.enumerated() {
      text += "    for (ptrdiff_t k\(index) = 0; k\(index) < \(loop.extent); ++k\(index))\n"
    }
    if loops.isEmpty {
      // A miss leaves the innermost loop: it must be one over the depth.
      text += "    for (ptrdiff_t once = 0; once < 1; ++once)\n"
    }
    text += "    {\n"
    var offsets = ""
    for axis in part.axes.indices {
      let position = sum("q\(axis)", loops, "k") { $0.steps[axis] }
      text += "      const ptrdiff_t p\(axis) = \(position);\n"
      guard checked.contains(axis) else { continue }
      if !lanes { text += "      if (\(misses("p\(axis)", part.axes[axis]))) continue;\n" }
      offsets += offset("p\(axis)", part.axes[axis])
    }
    if lanes {
      let outside = checked.map { misses("p\($0)", part.axes[$0]) }.joined(separator: " || ")
      text +=
        "      const ptrdiff_t lanes = \(outside.isEmpty ? "count" : "\(outside) ? 0 : count");\n"
    }
    text += "      const ptrdiff_t ap = \(sum("ao", loops, "k") { $0.first })\(offsets);\n"
    text += "      const ptrdiff_t bp = \(sum("bo", loops, "k") { $0.second });\n"
    return text
  }

  /// The function with lanes along a loop of the result.
  func lanes(_ target: Target) -> String {
    let laneLoop = part.laneLoop
    let lane =
      laneLoop.map { part[keyPath: $0.kind][$0.index] }
      ?? Loop(extent: 1, out: 1, steps: Array(repeating: 0, count: part.axes.count))
    let outer = outerLoops(except: laneLoop)
    let width = min(CPart.lanesMax, lane.extent)
    let blocks = (lane.extent + width - 1) / width
    let tasks = outer.reduce(blocks) { $0 * $1.extent }
    let moving = lane.steps.indices.filter { lane.steps[$0] != 0 }
    let type = sumType

    var text = finish(along: laneLoop == nil ? nil : lane, width: width) + head + "{\n"
    text += pragma(target, tasks: tasks)
    text += "  for (ptrdiff_t task = 0; task < \(tasks); ++task) {\n"
    if blocks > 1 {
      text += "    const ptrdiff_t from = task % \(blocks) * \(width), rest = task / \(blocks);\n"
      text += "    const ptrdiff_t left = \(lane.extent) - from;\n"
      text += "    const ptrdiff_t count = left < \(width) ? left : \(width);\n"
    } else {
      text += "    const ptrdiff_t from = 0, rest = task, count = \(width);\n"
    }
    text += decoded("rest", outer, "i", indent: "    ")
    text += starts(outer)
    text += "    \(type) sums[\(width)];\n"
    text += "    for (ptrdiff_t l = 0; l < count; ++l) sums[l] = 0;\n"
    if part.depthCount > 0 {
      text += depthLoops(
        part.depth, checked: part.axes.indices.filter { !moving.contains($0) }, lanes: true)
      text += laneRange(lane, moving)
    }
    if let epilogue {
      text += finished(epilogue, count: "count", from: "from")
    } else {
      text += "    for (ptrdiff_t l = 0; l < count; ++l) {\n"
      text += "      out[oo\(term("(from + l)", lane.out))] = \(store("sums[l]"));\n    }\n"
    }
    text += "    (void)rest;\n    (void)from;\n    (void)ao;\n    (void)bo;\n"
    for axis in part.axes.indices { text += "    (void)q\(axis);\n" }
    return text + "  }\n  (void)a;\n  (void)b;\n  (void)scratch;\n}\n"
  }

  /// The innermost loop over the lanes, and the end of the depth loops.
  private func laneRange(_ lane: Loop, _ moving: [Int]) -> String {
    // A position that grows by each lane is inside for a range of lanes.
    let isRange = moving.allSatisfy { lane.steps[$0] > 0 && part.axes[$0].dilation == 1 }
    var text = ""
    var skip = ""
    var aIndex = "ap" + term("(from + l)", lane.first)
    if isRange {
      text += "      ptrdiff_t first = 0, last = lanes;\n"
      for index in moving {
        let (step, extent) = (lane.steps[index], part.axes[index].extent)
        let start = "s\(index)"
        text += "      const ptrdiff_t \(start) = p\(index)\(term("from", step));\n"
        text += "      const ptrdiff_t f\(index) = \(start) < 0"
        text += " ? (\(step - 1) - \(start)) / \(step) : 0;\n"
        text += "      const ptrdiff_t e\(index) = \(start) < \(extent)"
        text += " ? (\(extent + step - 1) - \(start)) / \(step) : 0;\n"
        text += "      if (f\(index) > first) first = f\(index);\n"
        text += "      if (e\(index) < last) last = e\(index);\n"
        // Positions along the lanes are strides of the operand.
        aIndex += term("p\(index)", part.axes[index].stride)
        aIndex += term("(from + l)", step * part.axes[index].stride)
      }
      text += "      for (ptrdiff_t l = first; l < last; ++l) {\n"
    } else {
      text += "      for (ptrdiff_t l = 0; l < lanes; ++l) {\n"
      for index in moving {
        text += "        const ptrdiff_t s\(index) = p\(index)"
        text += "\(term("(from + l)", lane.steps[index]));\n"
        skip += "        if (\(misses("s\(index)", part.axes[index]))) continue;\n"
        aIndex += offset("s\(index)", part.axes[index])
      }
    }
    text += skip
    let bIndex = "bp" + term("(from + l)", lane.second)
    text +=
      "        sums[l] += \(load(.first, "a[\(aIndex)]")) * \(load(.second, "b[\(bIndex)]"));\n"
    return text + "      }\n    }\n"
  }

  /// The function with sixteen sums along the innermost depth.
  func dots(_ target: Target) -> String {
    let outer = outerLoops(except: nil)
    let tasks = outer.reduce(1) { $0 * $1.extent }
    let (type, lanes) = (sumType, CPart.dotLanes)
    let inner = part.depth.last!
    let moved = part.axes.indices.filter { inner.steps[$0] != 0 }
    var text = finish(along: nil, width: 1) + head + "{\n"
    text += pragma(target, tasks: tasks)
    text += "  for (ptrdiff_t task = 0; task < \(tasks); ++task) {\n"
    text += decoded("task", outer, "i", indent: "    ")
    text += starts(outer)
    text += "    \(type) sums[\(lanes)] = {0};\n"
    text += depthLoops(
      Array(part.depth.dropLast()), checked: part.axes.indices.filter { !moved.contains($0) })
    text += "      ptrdiff_t k = 0, end = \(inner.extent);\n"
    for axis in moved {
      let (step, extent) = (inner.steps[axis], part.axes[axis].extent)
      text += "      const ptrdiff_t f\(axis) = p\(axis) < 0"
      text += " ? (\(step - 1) - p\(axis)) / \(step) : 0;\n"
      text += "      const ptrdiff_t e\(axis) = p\(axis) < \(extent)"
      text += " ? (\(extent + step - 1) - p\(axis)) / \(step) : 0;\n"
      text += "      if (f\(axis) > k) k = f\(axis);\n"
      text += "      if (e\(axis) < end) end = e\(axis);\n"
    }
    let start = "ap" + moved.map { offset("p\($0)", part.axes[$0]) }.joined()
    let product = { (index: String) in
      "\(load(.first, "a[\(start) + \(index)]")) * \(load(.second, "b[bp + \(index)]"))"
    }
    text += """
            for (; k + \(lanes) <= end; k += \(lanes)) {
              for (ptrdiff_t l = 0; l < \(lanes); ++l) sums[l] += \(product("k + l"));
            }
            for (ptrdiff_t l = 0; k + l < end; ++l) sums[l] += \(product("k + l"));
          }
          for (ptrdiff_t w = \(lanes / 2); w > 0; w /= 2) {
            for (ptrdiff_t l = 0; l < w; ++l) sums[l] += sums[l + w];
          }

      """
    if let epilogue {
      text += finished(epilogue, count: "1", from: "0")
    } else {
      text += "    out[oo] = \(store("sums[0]"));\n"
    }
    return text + "  }\n  (void)scratch;\n}\n"
  }
}
