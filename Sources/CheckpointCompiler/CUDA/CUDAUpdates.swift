// The CUDA functions of updates at places that are data.

extension CUDALoops {
  /// Adds the functions of one launch.
  mutating func add(_ updates: GridUpdates, _ symbol: String, to kernel: inout CUDAKernel) {
    let type = CUDAIndexWidth(
      updates.definitions + updates.body, dims: updates.vectors + updates.windows
    ).type
    let locals = updates.locals
    let body = withoutUnusedDefinitions(updates.body)
    var printer = CStatements(buffers: buffers)
    let definitions = printer.lines(of: updates.definitions, depth: 1)
    let lines = printer.lines(of: body, depth: 4)
    uses.formUnion(printer.uses)
    func counted(_ dims: [LoopDimension]) -> [(name: String, extent: Int)] {
      dims.map { ("i\($0.variable)", $0.extent) }
    }
    let count = updates.vectorCount
    let parameters = parameters
    let read = parameters.filter { identifiers(in: definitions).contains($0.name) }
    kernel.text += "CKC_INLINE void \(symbol)_places(\n    "
    kernel.text += (read.map(\.declaration) + ["const \(type) vector", "ptrdiff_t *places"])
      .joined(separator: ", ")
    let decoded = unraveled(
      "vector", counted(updates.vectors), type: type, used: identifiers(in: definitions),
      indent: "  ")
    let stores = locals.enumerated().map { "  places[\($0)] = p\($1);" }
    kernel.text +=
      ") {\n" + (decoded + definitions + stores).joined(separator: "\n") + "\n}\n\n"
    let arguments = read.map { "\($0.name), " }.joined()
    func places(_ vector: String, _ name: String) -> String {
      "\(symbol)_places(\(arguments)\(vector), \(name));"
    }
    let isSame = locals.indices.map { "places[\($0)] == own[\($0)]" }.joined(separator: " && ")
    let used = identifiers(in: lines)
    var text = [
      "  const \(type) first = (\(type))blockIdx.x;",
      "  const int lane = (int)threadIdx.x % 32;", "  ptrdiff_t own[\(locals.count)];",
      "  \(places("first", "own"))", "  bool is_first = true;",
      "  for (\(type) from = 0; from < first && is_first; from += 32) {",
      "    bool is_same = false;", "    if (from + lane < first) {",
      "      ptrdiff_t places[\(locals.count)];", "      \(places("from + lane", "places"))",
      "      is_same = \(isSame);", "    }",
      "    if (__any_sync(0xFFFFFFFFu, is_same)) is_first = false;", "  }",
      "  for (\(type) from = first / 32 * 32; from < \(count) && is_first; from += 32) {",
      "    bool is_same = false;", "    if (from + lane >= first && from + lane < \(count)) {",
      "      ptrdiff_t places[\(locals.count)];", "      \(places("from + lane", "places"))",
      "      is_same = \(isSame);", "    }",
      "    unsigned same = __ballot_sync(0xFFFFFFFFu, is_same);", "    while (same != 0) {",
      "      const \(type) vector = from + __ffs((int)same) - 1;", "      same &= same - 1;",
      "      for (\(type) at = (\(type))threadIdx.x; at < \(updates.windowCount); at += blockDim.x) {",
    ]
    text += unraveled(
      "vector", counted(updates.vectors), type: type, used: used, indent: "        ")
    text += unraveled(
      "at", counted(updates.windows), type: type, used: used, indent: "        ")
    for (number, local) in locals.enumerated() where used.contains("p\(local)") {
      text.append("        const ptrdiff_t p\(local) = own[\(number)];")
    }
    text += lines + ["      }", "    }", "  }"]
    let threads = min(GridReductionShape.threads, max(1, (updates.windowCount + 31) / 32) * 32)
    kernel.add(
      symbol, blocks: updates.windowCount == 0 ? 0 : count, threads: threads,
      parameters: parameters, body: text)
  }
}
