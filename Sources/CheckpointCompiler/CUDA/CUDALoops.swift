// Kernels of loops as CUDA.
//
// Map         A thread computes one place; threads beyond the last do nothing.
// Reduction   `column` is the sum of a thread in its block, `walker` its place among the threads of that
//             sum. Threads whose sum does not exist compute the last one, but walk over nothing and
//             store nothing, so that all reach every barrier.
// Together    The walkers' sums are combined with shuffles where they are neighbours, else in shared memory:
//             in an order that nothing but the shape decides.

/// Prints kernels of loops.
struct CUDALoops {
  let buffers: [KernelBuffer]
  /// The support functions that were used.
  private(set) var uses: Set<String> = []

  init(buffers: [KernelBuffer]) { self.buffers = buffers }

  private var parameters: [CUDAParameter] {
    buffers.enumerated().map { CUDAParameter($1, $0) }
  }

  /// The functions of a kernel, named after `symbol`.
  mutating func print(_ kernel: GridKernel, _ symbol: String) -> CUDAKernel {
    var result = CUDAKernel()
    for (number, launch) in kernel.launches.enumerated() {
      let name = kernel.launches.count == 1 ? symbol : "\(symbol)_\(number)"
      switch launch {
      case .map(let map): add(map, name, to: &result)
      case .reduction(let reduction): add(reduction, name, to: &result)
      }
    }
    return result
  }

  // MARK: Maps

  private mutating func add(_ map: GridMap, _ symbol: String, to kernel: inout CUDAKernel) {
    let body = withoutUnusedDefinitions(map.body)
    let type = CUDAIndexWidth(body, dims: map.dims).type
    let isSingle = map.dims.isEmpty
    var printer = CStatements(buffers: buffers)
    let lines = printer.lines(of: body, depth: isSingle ? 1 : 2)
    uses.formUnion(printer.uses)
    let threads = min(GridReductionShape.threads, (map.count + 31) / 32 * 32)
    guard !isSingle else {
      kernel.add(symbol, blocks: 1, threads: 1, parameters: parameters, body: lines)
      return
    }
    let index = type == "int" ? "(int)(blockIdx.x * " : "((ptrdiff_t)blockIdx.x * "
    // Buffers are aligned, so that neighbours can be one access.
    var aligned: [String] = []
    let used = identifiers(in: lines)
    for parameter in parameters where map.width > 1 && used.contains(parameter.name) {
      let name = parameter.name
      aligned.append(
        "  \(name) = (\(parameter.pointer))__builtin_assume_aligned(\(name), "
          + "\(CUDASupport.alignment));")
    }
    let text =
      aligned + [
        "  const \(type) at = \(index)\(threads) + threadIdx.x);", "  if (at < \(map.count)) {",
      ]
      + unraveled(
        "at", map.dims.map { ("i\($0.variable)", $0.extent) }, type: type,
        used: used, indent: "    ", width: map.width)
      + lines + ["  }"]
    kernel.add(
      symbol, blocks: threads == 0 ? 0 : (map.count + threads - 1) / threads, threads: threads,
      parameters: parameters, body: text)
  }

  // MARK: Reductions

  private mutating func add(
    _ reduction: GridReduction, _ symbol: String, to kernel: inout CUDAKernel
  ) {
    let shape = reduction.shape
    let stages = reduction.swept
    let type = CUDAIndexWidth(
      stages.flatMap(\.statements), dims: reduction.kept + reduction.reduced
    ).type
    var printer = CStatements(buffers: buffers)
    var lines: [String] = []
    var shared: [String] = []
    for stage in stages {
      switch stage {
      case .scalars(let statements): lines += printer.lines(of: statements, depth: 1)
      case .stores(let statements):
        lines += ["  __syncthreads();", "  if (isInside && walker == 0) {"]
        lines += printer.lines(of: statements, depth: 2) + ["  }"]
      case .walk(let statements, let accumulators):
        lines += walk(statements, accumulators, reduction, type, &printer)
        if !shape.isAcross {
          lines += warpSums(accumulators, reduction, &shared)
        } else {
          for accumulator in accumulators { lines += tree(accumulator, reduction, &shared) }
        }
        lines += partSums(accumulators, reduction)
      case .combined(let accumulator): lines += combined(accumulator, shape, type, &printer)
      }
    }
    uses.formUnion(printer.uses)
    lines = shared + lines
    let used = identifiers(in: lines)
    var head: [String] = []
    let (columns, walkers) = (shape.columns, shape.walkers)
    let thread = "(int)threadIdx.x"
    let (column, walker) =
      shape.isAcross
      ? ("\(thread) % \(columns)", "\(thread) / \(columns)")
      : ("\(thread) / \(walkers)", "\(thread) % \(walkers)")
    head.append("  const int column = \(column);")
    if used.contains("walker") { head.append("  const int walker = \(walker);") }
    let blocks = reduction.isInParts ? shape.tiles * shape.parts : shape.tiles
    let tile = reduction.isInParts ? "(int)blockIdx.x % \(shape.tiles)" : "(int)blockIdx.x"
    if used.contains("part") {
      head.append("  const int part = (int)blockIdx.x / \(shape.tiles);")
    }
    head.append("  const \(type) sum = (\(type))(\(tile)) * \(columns) + column;")
    if used.contains("isInside") {
      head.append("  const bool isInside = sum < \(shape.keptCount);")
    }
    head.append(
      "  const \(type) kept = sum < \(shape.keptCount) ? sum : \(max(0, shape.keptCount - 1));")
    head += unraveled(
      "kept", reduction.kept.map { ("i\($0.variable)", $0.extent) }, type: type, used: used,
      indent: "  ")
    if reduction.kept.isEmpty, !used.contains("kept") { head.append("  (void)kept;") }
    kernel.add(
      symbol, blocks: blocks, threads: columns * walkers,
      parameters: parameters + (shape.parts > 1 ? [.scratch] : []), body: head + lines)
  }

  /// The walk of every thread.
  private mutating func walk(
    _ statements: [Statement], _ accumulators: [GridAccumulator], _ reduction: GridReduction,
    _ type: String, _ printer: inout CStatements
  ) -> [String] {
    let shape = reduction.shape
    var lines = printer.lines(of: accumulators.map(\.defined), depth: 1)
    let body = printer.lines(of: statements, depth: 2)
    let (first, last): (String, String)
    if reduction.isInParts {
      let end = "(part + 1) * \(shape.partSize)"
      lines.append("  {")
      first = "part * \(shape.partSize) + walker"
      last = "(\(end) < \(shape.walkCount) ? \(end) : \(shape.walkCount))"
    } else {
      lines.append("  {")
      (first, last) = ("walker", "\(shape.walkCount)")
    }
    lines.append("  const \(type) end = isInside ? \(last) : 0;")
    lines.append("  for (\(type) walk = \(first); walk < end; walk += \(shape.walkers)) {")
    lines += unraveled(
      "walk", reduction.reduced.map { ("i\($0.variable)", $0.extent) }, type: type,
      used: identifiers(in: body), indent: "    ")
    return lines + body + ["  }", "  }"]
  }

  /// Combines the rows of the walkers of every sum, who are neighbours: warps first, then in the order
  /// of the warps.
  private mutating func warpSums(
    _ accumulators: [GridAccumulator], _ reduction: GridReduction, _ shared: inout [String]
  ) -> [String] {
    let shape = reduction.shape
    let width = min(shape.walkers, Self.warp)
    let warps = shape.walkers / Self.warp
    var lines: [String] = []
    var after: [String] = []
    for accumulator in accumulators {
      let row = "r\(accumulator.row)[0]"
      let type = cComputeType(accumulator.dtype)
      func shuffled(_ name: String, _ argument: String) -> String {
        // What is narrower than an `int` has no shuffle of its own.
        let value = accumulator.dtype.byteCount < 4 ? "(int)\(row)" : row
        return "(\(type))\(name)(0xFFFFFFFFu, \(value), \(argument), \(width))"
      }
      func combined(_ other: String) -> String {
        cCombine(kind: accumulator.kind, dtype: accumulator.dtype, row, other, uses: &uses)
      }
      if width > 1 {
        lines += [
          "  for (int width = \(width / 2); width > 0; width /= 2) {",
          "    \(row) = \(combined(shuffled("__shfl_down_sync", "width")));", "  }",
        ]
      }
      guard warps > 1 else {
        if width > 1 { lines.append("  \(row) = \(shuffled("__shfl_sync", "0"));") }
        continue
      }
      let name = "shared_r\(accumulator.row)"
      shared.append("  __shared__ \(type) \(name)[\(shape.columns * warps)];")
      lines.append(
        "  if (walker % \(Self.warp) == 0) \(name)[(int)threadIdx.x / \(Self.warp)] = \(row);")
      let first = "column * \(warps)"
      after += [
        "  \(row) = \(name)[\(first)];",
        "  for (int w = 1; w < \(warps); w++) "
          + "\(row) = \(combined("\(name)[\(first) + w]"));",
      ]
    }
    return lines + (after.isEmpty ? [] : ["  __syncthreads();"] + after)
  }

  /// Threads of a warp.
  private static let warp = 32

  /// Combines the rows of the walkers of every sum, who are as far apart as there are sums: the upper
  /// half with the lower, until one is left.
  private mutating func tree(
    _ accumulator: GridAccumulator, _ reduction: GridReduction, _ shared: inout [String]
  ) -> [String] {
    let shape = reduction.shape
    let type = cComputeType(accumulator.dtype)
    let name = "shared_\(type)"
    let declaration = "  __shared__ \(type) \(name)[\(shape.columns * shape.walkers)];"
    if !shared.contains(declaration) { shared.append(declaration) }
    let row = "r\(accumulator.row)[0]"
    func element(_ walker: String) -> String { "\(name)[(\(walker)) * \(shape.columns) + column]" }
    let both = cCombine(
      kind: accumulator.kind, dtype: accumulator.dtype, element("walker"),
      element("walker + width"), uses: &uses)
    return [
      "  \(element("walker")) = \(row);", "  __syncthreads();",
      "  for (int width = \(shape.walkers / 2); width > 0; width /= 2) {",
      "    if (walker < width) \(element("walker")) = \(both);", "    __syncthreads();", "  }",
      "  \(row) = \(name)[column];", "  __syncthreads();",
    ]
  }

  /// Lines that leave the sums of a part in scratch.
  private func partSums(
    _ accumulators: [GridAccumulator], _ reduction: GridReduction
  ) -> [String] {
    guard reduction.isInParts, !accumulators.isEmpty else { return [] }
    return ["  if (isInside && walker == 0) {"]
      + accumulators.map { accumulator in
        "    ((\(cComputeType(accumulator.dtype)) *)(void *)(scratch + \(accumulator.scratchOffset)))"
          + "[(ptrdiff_t)part * \(reduction.shape.keptCount) + sum] = r\(accumulator.row)[0];"
      } + ["  }"]
  }

  /// The sum of the parts that an earlier launch has left.
  private mutating func combined(
    _ accumulator: GridAccumulator, _ shape: GridReductionShape, _ type: String,
    _ printer: inout CStatements
  ) -> [String] {
    let compute = cComputeType(accumulator.dtype)
    let row = "r\(accumulator.row)[0]"
    let parts = "parts\(accumulator.row)"
    let both = cCombine(
      kind: accumulator.kind, dtype: accumulator.dtype, row,
      "\(parts)[(ptrdiff_t)p * \(shape.keptCount)]", uses: &uses)
    return [
      "  const \(compute) *const \(parts) =",
      "      (const \(compute) *)(const void *)(scratch + \(accumulator.scratchOffset)) + kept;",
    ] + printer.lines(of: [accumulator.defined], depth: 1) + [
      "  \(row) = \(parts)[0];",
      "  for (int p = 1; p < \(shape.parts); p++) \(row) = \(both);",
    ]
  }
}

extension GridReduction {
  /// The stages without definitions that nothing reads.
  fileprivate var swept: [GridStage] {
    var later: [Statement] = []
    var stages: [GridStage] = []
    for stage in self.stages.reversed() {
      let all = withoutUnusedDefinitions(stage.statements + later)
      let own = Array(all.dropLast(later.count))
      switch stage {
      case .scalars: if !own.isEmpty { stages.append(.scalars(own)) }
      case .stores: stages.append(.stores(own))
      case .walk(_, let accumulators): stages.append(.walk(own, accumulators))
      case .combined: stages.append(stage)
      }
      later = all
    }
    return stages.reversed()
  }
}
