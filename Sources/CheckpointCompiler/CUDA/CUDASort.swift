// The CUDA functions of a sort.
//
// Method      As in C (`SortKernel.swift`): runs are sorted by insertion, then merged. A thread sorts a
//             run; in each launch that follows, a thread merges two runs, of which it copies the left one
//             to scratch first. The order of comparisons is that of C, so that a comparison that is no
//             order gives the same result.
// Scratch     A copy of every tensor: each left run lies where its elements are.

enum CUDASort {
  /// Bytes of scratch of a sort.
  static func scratchBytes(of op: OpID, in function: Function) -> Int {
    let sort = SortKernel(op, of: function, operands: [], results: [], target: .cpu(threadsMax: 1))
    return layout(sort).bytes
  }

  /// Where the left runs of every tensor begin in scratch, and the bytes of all.
  static func layout(_ sort: SortKernel) -> (offsets: [Int], bytes: Int) {
    guard sort.extent > SortKernel.runLength else { return (sort.dtypes.map { _ in 0 }, 0) }
    var offsets: [Int] = []
    var bytes = 0
    for dtype in sort.dtypes {
      offsets.append(bytes)
      bytes += alignedBytes(sort.count * dtype.byteCount)
    }
    return (offsets, bytes)
  }

  /// The functions of a sort, named after `symbol`.
  static func print(
    _ sort: SortKernel, _ symbol: String, buffers: [KernelBuffer], uses: inout Set<String>
  ) -> CUDAKernel {
    var kernel = CUDAKernel()
    guard sort.count > 0 else { return kernel }
    var writer = SortWriter(sort, symbol, uses)
    kernel.text += writer.comparison()
    let parameters = buffers.enumerated().map { CUDAParameter($1, $0) } + [.scratch]
    let lines = sort.count / sort.extent
    let run = SortKernel.runLength
    let runs = (sort.extent + run - 1) / run
    func add(_ name: String, _ tasks: Int, _ body: [String], _ more: [CUDAParameter] = []) {
      kernel.add(
        "\(symbol)_\(name)", blocks: (tasks + 127) / 128, threads: 128,
        parameters: parameters + more, body: body)
    }
    add("runs", lines * runs, writer.runs(lines * runs, runs))
    var width = run
    while width < sort.extent {
      let merges = (sort.extent + 2 * width - 1) / (2 * width)
      add("merge\(width)", lines * merges, writer.merges(lines * merges, merges, width))
      width *= 2
    }
    uses = writer.uses
    return kernel
  }
}

/// Writes the bodies of the functions of a sort.
private struct SortWriter {
  let sort: SortKernel
  let symbol: String
  private(set) var uses: Set<String>

  init(_ sort: SortKernel, _ symbol: String, _ uses: Set<String>) {
    self.sort = sort
    self.symbol = symbol
    self.uses = uses
  }

  private var tensors: Range<Int> { sort.dtypes.indices }
  private func list(_ items: (Int) -> String) -> String {
    tensors.map(items).joined(separator: ", ")
  }
  private func type(_ number: Int) -> String { cStorageType(sort.dtypes[number]) }
  private func place(_ index: String) -> String {
    sort.step == 1 ? index : "(\(index)) * \(sort.step)"
  }

  /// The function that compares.
  mutating func comparison() -> String {
    var printer = CStatements(buffers: [])
    let body = printer.print(sort.comparison, returning: sort.isLess)
    uses.formUnion(printer.uses)
    let arguments = list { number in
      let type = cComputeType(sort.dtypes[number])
      return "const \(type) v\(2 * number), const \(type) v\(2 * number + 1)"
    }
    let unused = tensors.map { "  (void)v\(2 * $0), (void)v\(2 * $0 + 1);\n" }.joined()
    return "CKC_INLINE int \(symbol)_less(\(arguments)) {\n" + unused
      + body.joined(separator: "\n") + "\n}\n\n"
  }

  private mutating func less(_ a: [String], _ b: [String]) -> String {
    var values: [String] = []
    for number in tensors {
      values.append(cLoad(sort.dtypes[number], a[number], uses: &uses))
      values.append(cLoad(sort.dtypes[number], b[number], uses: &uses))
    }
    return "\(symbol)_less(\(values.joined(separator: ", ")))"
  }

  /// Lines that say which task a thread has, and where its line lies.
  private func start(_ tasks: Int, _ tasksOfLine: Int, width: Int) -> [String] {
    var lines = [
      "  const ptrdiff_t task = (ptrdiff_t)blockIdx.x * 128 + threadIdx.x;",
      "  if (task < \(tasks)) {",
      "    const ptrdiff_t line = task / \(tasksOfLine);",
      "    const ptrdiff_t start = task % \(tasksOfLine) * \(width);",
      "    const ptrdiff_t at = line / \(sort.step) * \(sort.extent * sort.step) + line % \(sort.step);",
    ]
    lines += tensors.map { "    \(type($0)) *const x\($0) = b\(sort.results[$0]) + at;" }
    return lines
  }

  /// The body of the function that copies and sorts runs.
  mutating func runs(_ tasks: Int, _ tasksOfLine: Int) -> [String] {
    let length = SortKernel.runLength
    var lines = start(tasks, tasksOfLine, width: length)
    lines += [
      "    const ptrdiff_t end = start + \(length) < \(sort.extent) ? start + \(length) : \(sort.extent);",
      "    for (ptrdiff_t i = start; i < end; i++) {", "      ptrdiff_t j = i;",
    ]
    lines += tensors.map {
      "      const \(type($0)) e\($0) = b\(sort.operands[$0])[at + \(place("i"))];"
    }
    let isLess = less(
      tensors.map { "e\($0)" }, tensors.map { "x\($0)[\(place("j - 1"))]" })
    lines.append("      while (j > start && \(isLess)) {")
    lines += tensors.map { "        x\($0)[\(place("j"))] = x\($0)[\(place("j - 1"))];" }
    lines += ["        j--;", "      }"]
    lines += tensors.map { "      x\($0)[\(place("j"))] = e\($0);" }
    return lines + ["    }", "  }"]
  }

  /// The body of the function that merges runs of a width.
  mutating func merges(_ tasks: Int, _ tasksOfLine: Int, _ width: Int) -> [String] {
    let offsets = CUDASort.layout(sort).offsets
    var lines = start(tasks, tasksOfLine, width: 2 * width)
    // A run on its own stays where it is.
    lines += [
      "    ptrdiff_t i = 0, j = start + \(width), k = start;",
      "    const ptrdiff_t end = start + \(2 * width) < \(sort.extent) ? start + \(2 * width) : \(sort.extent);",
      "    if (j < end) {",
    ]
    lines += tensors.map {
      "      \(type($0)) *const s\($0) = "
        + "(\(type($0)) *)(void *)(scratch + \(offsets[$0])) + line * \(sort.extent) + start;"
    }
    lines.append("      for (ptrdiff_t l = 0; l < \(width); l++) {")
    lines += tensors.map { "        s\($0)[l] = x\($0)[\(place("start + l"))];" }
    let isLess = less(
      tensors.map { "x\($0)[\(place("j"))]" }, tensors.map { "s\($0)[i]" })
    lines += ["      }", "      while (i < \(width) && j < end) {", "        if (\(isLess)) {"]
    lines += tensors.map { "          x\($0)[\(place("k"))] = x\($0)[\(place("j"))];" }
    lines += ["          j++;", "        } else {"]
    lines += tensors.map { "          x\($0)[\(place("k"))] = s\($0)[i];" }
    lines += ["          i++;", "        }", "        k++;", "      }"]
    lines.append("      for (; i < \(width); i++, k++) {")
    lines += tensors.map { "        x\($0)[\(place("k"))] = s\($0)[i];" }
    return lines + ["      }", "    }", "  }"]
  }
}
