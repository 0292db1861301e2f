// The C of a prologue: functions that compute a factor where it is packed.
//
// Problem     Packing copies blocks of lanes by depths, and zeros for what a window reads outside. A factor
//             that is not in memory is computed for the block in its place, in vectors.
// Method      A block goes through tiles of at most `depthMax` depths. Each operand is gathered into a row
//             without gaps: copies alone have many lines on their way from memory at once. Then the
//             elements are computed in one long loop, and the tile is packed as memory would be, turned
//             where it has to be.
// Why apart   As for an epilogue: the functions of contractions may fuse multiply-adds, elementwise ops
//             must not. So elements are computed in a function of their own, never inlined.
// Stack       A row for each operand and the tile, each of 32 lanes by `depthMax` depths.

/// Prints the prologue of one side of a packed part.
struct CPrologue {
  /// Depths that are computed at once.
  static let depthMax = 32
  private static let tileSize = "CKC_LANES_MAX * \(depthMax)"

  private let prologue: Prologue
  private let side: PackedSide
  /// What the names of the functions and of the types begin with.
  private let name: String
  /// The dtype of panels.
  private let sum: DType
  private let buffers: [KernelBuffer]
  private let lines: [String]
  private let value: String
  /// The support functions that are called.
  private(set) var uses: Set<String>

  /// - Parameters:
  ///   - prologue: The prologue.
  ///   - side: How its factor is packed.
  ///   - name: What the names of the functions begin with.
  ///   - sum: The dtype of panels.
  ///   - buffers: The buffers of the kernel.
  init(
    _ prologue: Prologue, _ side: PackedSide, name: String, sum: DType, buffers: [KernelBuffer]
  ) {
    self.prologue = prologue
    self.side = side
    self.name = name
    self.sum = sum
    self.buffers = buffers
    var printer = CStatements(buffers: buffers)
    (lines, value) = printer.print(prologue.statements, leadingTo: prologue.element)
    uses = printer.uses
    for operand in prologue.operands {
      _ = cLoad(buffers[operand.buffer].dtype, "", uses: &uses)
    }
  }

  private var read: [Int] { Array(Set(prologue.buffers)).sorted() }

  private func type(_ buffer: Int) -> String { "const \(cStorageType(buffers[buffer].dtype))" }

  /// How the parameters of a contraction name a buffer.
  static func parameter(_ buffer: Int) -> String { buffer < 2 ? ["a", "b"][buffer] : "b\(buffer)" }

  /// The line at the start of the contraction's function that says what is read.
  var gathered: String {
    let sources = read.map(CPrologue.parameter).joined(separator: ", ")
    return "  const \(name)_read \(name)_from = {\(sources)};\n"
  }

  /// What packs the factor, and what it is handed in place of memory.
  var copy: String { "\(name)_copy" }
  var source: String { "&\(name)_from" }

  /// The type of what is read, and the functions.
  var text: String {
    let members = read.map { "\(type($0)) *b\($0);" }.joined(separator: " ")
    return "typedef struct { \(members) } \(name)_read;\n" + elementsFunction + copyFunction
  }

  // MARK: Elements

  private var elementsFunction: String {
    let parameters = read.map { "\(type($0)) *CKC_RESTRICT b\($0)" }.joined(separator: ", ")
    var text = """
      CKC_KERNEL \(name)_elements(
        \(parameters),
        ptrdiff_t at, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t from, ptrdiff_t to,
        \(sum.cSum) *CKC_RESTRICT tile)
      {
        const ptrdiff_t width = to - from, count = (rows - row) * width;

      """
    for (number, operand) in prologue.operands.enumerated() {
      text += "  \(cComputeType(buffers[operand.buffer].dtype)) r\(number)[\(Self.tileSize)];\n"
    }
    for number in runs { text += run(number) }
    let scattered = prologue.operands.indices.filter { !runs.contains($0) }
    if !scattered.isEmpty { text += gather(scattered) }
    text += "  CKC_INDEPENDENT\n"
    text += "  for (ptrdiff_t i0 = 0; i0 < count; ++i0) {\n"
    text += lines.map { "  \($0)\n" }.joined()
    return text + "    tile[i0] = \(value);\n  }\n}\n"
  }

  /// The operands that are copied as the factor itself would be: at its places, of its dtype.
  private var runs: [Int] {
    prologue.operands.indices.filter { number in
      let operand = prologue.operands[number]
      return operand.place == 0 && side.computedStep == 1 && buffers[operand.buffer].dtype == sum
    }
  }

  private func run(_ number: Int) -> String {
    let operand = prologue.operands[number]
    let start = "b\(operand.buffer) + at\(constant(operand.offset))"
    let pack = CGemmSource.packName(sum, sum)
    let rowStep = side.computedRowStep
    if side.computesAlongDepth {
      return "  ckc_along_\(pack)(\(start), \(rowStep), row, rows, from, to, "
        + "r\(number) - row * width - from, width);\n"
    }
    return "  ckc_across_\(pack)(\(start) + from, \(rowStep), width, row, rows, "
      + "r\(number) - row * width, width);\n"
  }

  /// Gathers operands that are at other places, up to where one of them jumps.
  private func gather(_ operands: [Int]) -> String {
    var text = """
        for (ptrdiff_t r = row, t = 0; r < rows; ++r) {
          for (ptrdiff_t n = from; n < to;) {
            const ptrdiff_t p = at\(step("r", side.computedRowStep))\(step("n", side.computedStep));

      """
    text += starts(Set(operands.compactMap { prologue.operands[$0].place }).sorted())
    let inner = prologue.digits.last!
    for number in operands {
      let operand = prologue.operands[number]
      let stride =
        operand.place.map { side.computedStep * ($0 == 0 ? 1 : inner.strides[$0 - 1]) } ?? 0
      let start = operand.place.map { "q\($0)\(constant(operand.offset))" } ?? "\(operand.offset)"
      var uses: Set<String> = []
      let element = cLoad(
        buffers[operand.buffer].dtype, "b\(operand.buffer)[\(start)\(step("i", stride))]",
        uses: &uses)
      if stride == 1, buffers[operand.buffer].dtype == sum, !side.computesAlongDepth {
        let pack = CGemmSource.packName(sum, sum)
        text += "      ckc_across_\(pack)(b\(operand.buffer) + \(start), 0, m, 0, 1, "
        text += "r\(number) + t, 0);\n"
      } else {
        text += "      for (ptrdiff_t i = 0; i < m; ++i) r\(number)[t + i] = \(element);\n"
      }
    }
    return text + "      n += m;\n      t += m;\n    }\n  }\n"
  }

  /// Lines that find where places start, and how many neighbours there are up to where one jumps.
  private func starts(_ places: [Int]) -> String {
    let digits = prologue.digits
    var text = places.contains(0) ? "      const ptrdiff_t q0 = p;\n" : ""
    var rest = "p"
    for number in digits.indices.reversed() {
      let extent = digits[number].extent
      let digit = number == 0 ? rest : "\(rest) % \(extent)"
      text += "      const ptrdiff_t d\(number) = \(digit);\n"
      if number > 0 {
        text += "      const ptrdiff_t h\(number) = \(rest) / \(extent);\n"
        rest = "h\(number)"
      }
    }
    for place in places where place > 0 {
      let terms = digits.indices.compactMap { number -> String? in
        let stride = digits[number].strides[place - 1]
        return stride == 0 ? nil : product("d\(number)", stride)
      }
      text += "      const ptrdiff_t q\(place) = \(terms.joined(separator: " + "));\n"
    }
    for number in digits.indices { text += "      (void)d\(number);\n" }
    let last = digits.count - 1
    guard last > 0 else { return text + "      const ptrdiff_t m = to - n;\n" }
    let (extent, step) = (digits[last].extent, side.computedStep)
    let left = step == 1 ? "\(extent) - d\(last)" : "(\(extent + step - 1) - d\(last)) / \(step)"
    text += "      const ptrdiff_t left = \(left);\n"
    return text + "      const ptrdiff_t m = left < to - n ? left : to - n;\n"
  }

  private func constant(_ offset: Int) -> String {
    offset == 0 ? "" : offset < 0 ? " - \(-offset)" : " + \(offset)"
  }

  private func step(_ index: String, _ stride: Int) -> String {
    switch stride {
    case 0: ""
    case ..<0: " - \(product(index, -stride))"
    default: " + \(product(index, stride))"
    }
  }

  private func product(_ index: String, _ factor: Int) -> String {
    factor == 1 ? index : "\(index) * \(factor)"
  }

  // MARK: Packing

  /// The function that takes the place of a copy from memory: a `ckc_copy`.
  private var copyFunction: String {
    let isAlong = side.computesAlongDepth
    let arguments = read.map { "s->b\($0)" }.joined(separator: ", ")
    let (rows, neighbours) = isAlong ? ("l0, l1", "from, end") : ("from, end", "l0, l1")
    // The tile holds the part of the block that is inside, without gaps.
    let tile =
      isAlong
      ? "-l0 * (end - from) - from, end - from, 1" : "-from * (l1 - l0) - l0, 1, l1 - l0"
    let depthStep = isAlong ? side.computedStep : side.computedRowStep
    let pack = CGemmSource.packName(sum, sum)
    let most = Self.depthMax
    return """
      static void \(name)_copy(
        const void *src, ptrdiff_t at, ptrdiff_t lane_step, ptrdiff_t depth_step,
        ptrdiff_t lanes, ptrdiff_t l0, ptrdiff_t l1, ptrdiff_t run, ptrdiff_t k0, ptrdiff_t k1,
        void *panel, ptrdiff_t start, ptrdiff_t ls, ptrdiff_t ks)
      {
        const \(name)_read *const s = (const \(name)_read *)src;
        \(sum.cSum) tile[\(Self.tileSize)];
        for (ptrdiff_t k = 0; k < run; k += \(most)) {
          const ptrdiff_t depths = run - k < \(most) ? run - k : \(most);
          const ptrdiff_t from = k0 > k ? k0 - k : 0, end = k1 - k < depths ? k1 - k : depths;
          if (l0 < l1 && from < end) {
            \(name)_elements(\(arguments), at\(step("k", depthStep)), \(rows), \(neighbours), tile);
            ckc_copy_\(pack)(tile, \(tile), lanes, l0, l1, depths, from, end, panel, start + k * ks,
              ls, ks);
          } else {
            ckc_zero_\(pack)(0, lanes, 0, depths, (\(sum.cSum) *)panel + start + k * ks, ls, ks);
          }
        }
        (void)lane_step;
        (void)depth_step;
      }

      """
  }
}
