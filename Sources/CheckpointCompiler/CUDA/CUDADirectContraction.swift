// Contractions without tiles: a thread, or a block, for each element of the result.

extension CUDAPart {
  /// All loops of the result, those of neighbours last.
  var resultLoops: [Loop] {
    (part.groups + part.rows + part.columns).enumerated()
      .sorted { ($0.element.out, $1.offset) > ($1.element.out, $0.offset) }.map(\.element)
  }

  /// Lines that declare where the operands of an element begin, and its positions in the window.
  private func starts(_ loops: [Loop]) -> [String] {
    var lines = [
      "    const \(index) first = \(sum("\(part.firstBase)", loops, "l") { $0.first });",
      "    const \(index) second = \(sum("\(part.secondBase)", loops, "l") { $0.second });",
    ]
    for (number, axis) in part.axes.enumerated() {
      let start = sum("\(axis.start)", loops, "l") { $0.steps[number] }
      lines.append("    const \(index) q\(number) = \(start);")
    }
    return lines
  }

  /// Lines that add the product at the indices `d0`, `d1`, … of the depth to `sum`.
  private mutating func step(indent: String) -> [String] {
    var lines: [String] = []
    var at = sum("first", part.depth, "d") { $0.first }
    for (number, axis) in part.axes.enumerated() {
      let position = "p\(number)"
      lines.append(
        "\(indent)const \(index) \(position) = "
          + "\(sum("q\(number)", part.depth, "d") { $0.steps[number] });")
      lines.append("\(indent)if (!(\(hits(position, axis)))) continue;")
      at += offset(position, axis)
    }
    let a = loader(.first)(at)
    let b = loader(.second)(sum("second", part.depth, "d") { $0.second })
    return lines + ["\(indent)sum = \(product(a, b, plus: "sum"));"]
  }

  /// The body of the function with a thread for each element.
  mutating func direct() -> [String] {
    let loops = resultLoops
    var lines = part.depthCount > 0 ? starts(loops) : []
    lines.append("    \(sumType) sum = 0;")
    var indent = "    "
    if part.depthCount > 0 {
      for (number, loop) in part.depth.enumerated() {
        let name = "d\(number)"
        lines.append("\(indent)for (int \(name) = 0; \(name) < \(loop.extent); \(name)++) {")
        indent += "  "
      }
      // Nothing is summed over: a miss leaves a loop of one step.
      if part.depth.isEmpty {
        lines.append("\(indent)for (int once = 0; once < 1; once++) {")
        indent += "  "
      }
      lines += step(indent: indent)
      while indent.count > 4 {
        indent.removeLast(2)
        lines.append("\(indent)}")
      }
    }
    return elements(lines)
  }

  /// The blocks of a launch with a thread for each element.
  var directBlocks: Int { quotient(resultCount, Self.directThreads) }

  /// The body of a function with a thread for each element of the result, at `l0`, `l1`, …: the lines
  /// that compute `sum`, then what is done with it.
  mutating func elements(_ lines: [String]) -> [String] {
    let loops = resultLoops
    let lines = lines + finishOfElement(loops, depth: 2)
    let threads = Self.directThreads
    let block = index == "int" ? "(int)(blockIdx.x * " : "((ptrdiff_t)blockIdx.x * "
    return [
      "  const \(index) at = \(block)\(threads) + threadIdx.x);", "  if (at < \(resultCount)) {",
    ] + decoded("at", loops, "l", indent: "    ", for: lines) + lines + ["  }"]
  }

  /// The body of the function with a block for each element.
  mutating func dots() -> [String] {
    let loops = resultLoops
    let threads = Self.dotThreads
    var lines = starts(loops) + ["    \(sumType) sum = 0;"]
    let step = step(indent: "      ")
    lines.append("    for (int k = (int)threadIdx.x; k < \(part.depthCount); k += \(threads)) {")
    lines += decoded("k", part.depth, "d", indent: "      ", for: step) + step + ["    }"]
    lines += [
      "    sums[threadIdx.x] = sum;", "    __syncthreads();",
      "    for (int width = \(threads / 2); width > 0; width /= 2) {",
      "      if ((int)threadIdx.x < width) sums[threadIdx.x] += sums[threadIdx.x + width];",
      "      __syncthreads();", "    }", "    if (threadIdx.x == 0) {", "      sum = sums[0];",
    ]
    lines += finishOfElement(loops, depth: 3) + ["    }"]
    return [
      "  __shared__ \(sumType) sums[\(threads)];", "  const \(index) at = (\(index))blockIdx.x;",
      "  {",
    ]
      + decoded("at", loops, "l", indent: "    ", for: lines) + lines + ["  }"]
  }

  private mutating func finishOfElement(_ loops: [Loop], depth: Int) -> [String] {
    let bases = resultBases
    let places = bases.indices.map { place in
      sum("\(bases[place])", loops, "l") { self.resultStride($0, place) }
    }
    return finish("sum", depth: depth) { places[$0] }
  }
}
