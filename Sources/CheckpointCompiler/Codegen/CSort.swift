// The C functions of a sort.

/// The C text of a sort: a comparison, the sort of one line, and the function that a step calls, whose
/// parameters are given.
///
/// It needs `CGemmSource.source(for:)` before it.
func cFunction(
  for sort: SortKernel, name: String, parameters: [String], uses: inout Set<String>
) -> String {
  let types = sort.dtypes.map { cStorageType($0) }
  let tensors = Array(types.indices)
  func list(_ items: (Int) -> String) -> String { tensors.map(items).joined(separator: ", ") }
  func lines(_ indent: String, _ items: (Int) -> String) -> String {
    tensors.map { "\(indent)\(items($0))\n" }.joined()
  }
  func value(_ number: Int, _ element: String) -> String {
    cLoad(sort.dtypes[number], element, uses: &uses)
  }

  var printer = CStatements(buffers: [])
  let comparison = printer.print(sort.comparison, returning: sort.isLess)
  uses.formUnion(printer.uses)
  let arguments = list { number in
    let type = cComputeType(sort.dtypes[number])
    return "const \(type) v\(2 * number), const \(type) v\(2 * number + 1)"
  }
  var text = "CKC_INLINE int \(name)_less(\(arguments)) {\n"
  text += lines("  ") { "(void)v\(2 * $0), (void)v\(2 * $0 + 1);" }
  text += comparison.joined(separator: "\n") + "\n}\n"
  func less(_ a: (Int) -> String, _ b: (Int) -> String) -> String {
    "\(name)_less(\(list { "\(value($0, a($0))), \(value($0, b($0)))" }))"
  }

  func place(_ index: String) -> String { sort.step == 1 ? index : "(\(index)) * \(sort.step)" }
  text += "static void \(name)_line(\(list { "\(types[$0]) *CKC_RESTRICT x\($0)" }), "
  text += "\(list { "\(types[$0]) *CKC_RESTRICT s\($0)" })) {\n"
  text += """
      for (ptrdiff_t start = 0; start < \(sort.extent); start += \(SortKernel.runLength)) {
        ptrdiff_t end = start + \(SortKernel.runLength);
        if (end > \(sort.extent)) end = \(sort.extent);
        for (ptrdiff_t i = start + 1; i < end; ++i) {
          ptrdiff_t j = i;

    """
  text += lines("      ") { "const \(types[$0]) e\($0) = x\($0)[\(place("i"))];" }
  text += "      while (j > start && \(less({ "e\($0)" }, { "x\($0)[\(place("j - 1"))]" }))) {\n"
  text += lines("        ") { "x\($0)[\(place("j"))] = x\($0)[\(place("j - 1"))];" }
  text += "        --j;\n      }\n"
  text += lines("      ") { "x\($0)[\(place("j"))] = e\($0);" }
  text += "    }\n  }\n"
  if sort.extent > SortKernel.runLength {
    text += """
        for (ptrdiff_t width = \(SortKernel.runLength); width < \(sort.extent); width *= 2) {
          for (ptrdiff_t start = 0; start + width < \(sort.extent); start += 2 * width) {
            ptrdiff_t i = 0, j = start + width, k = start, end = start + 2 * width;
            if (end > \(sort.extent)) end = \(sort.extent);
            for (ptrdiff_t l = 0; l < width; ++l) {

      """
    text += lines("        ") { "s\($0)[l] = x\($0)[\(place("start + l"))];" }
    text += "      }\n      while (i < width && j < end) {\n"
    text += "        if (\(less({ "x\($0)[\(place("j"))]" }, { "s\($0)[i]" }))) {\n"
    text += lines("          ") { "x\($0)[\(place("k"))] = x\($0)[\(place("j"))];" }
    text += "          ++j;\n        } else {\n"
    text += lines("          ") { "x\($0)[\(place("k"))] = s\($0)[i];" }
    text += "          ++i;\n        }\n        ++k;\n      }\n"
    text += "      for (; i < width; ++i, ++k) {\n"
    text += lines("        ") { "x\($0)[\(place("k"))] = s\($0)[i];" }
    text += "      }\n    }\n  }\n"
  } else {
    text += lines("  ") { "(void)s\($0);" }
  }
  text += "}\n"

  text += "CKC_KERNEL \(name)(\n    \(parameters.joined(separator: ",\n    ")),\n"
  text += "    unsigned char *CKC_RESTRICT scratch) {\n"
  for number in tensors {
    let bytes = sort.count * sort.dtypes[number].byteCount
    if bytes > 0 {
      text += "  memcpy(b\(sort.results[number]), b\(sort.operands[number]), \(bytes));\n"
    } else {
      text += "  (void)b\(sort.results[number]), (void)b\(sort.operands[number]);\n"
    }
  }
  let count = sort.count == 0 ? 0 : sort.count / sort.extent
  if sort.threads > 1 {
    text +=
      "  CKC_OMP(omp parallel for schedule(static) num_threads(ckc_threads(\(sort.threads))))\n"
  }
  text += "  for (ptrdiff_t line = 0; line < \(count); ++line) {\n"
  let stride = sort.extent * sort.step
  text += "    const ptrdiff_t at = line / \(sort.step) * \(stride) + line % \(sort.step);\n"
  let layout = sort.scratchLayout
  let thread = sort.threads > 1 ? " + ckc_thread() * \(layout.bytes)" : ""
  text += "    unsigned char *const own = scratch\(thread);\n"
  let runs = list { number in
    layout.bytes == 0
      ? "(\(types[number]) *)(void *)own"
      : "(\(types[number]) *)(void *)(own + \(layout.offsets[number]))"
  }
  text += "    \(name)_line(\(list { "b\(sort.results[$0]) + at" }), \(runs));\n"
  return text + "  }\n  (void)scratch;\n}\n"
}
