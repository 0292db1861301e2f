// The C function of a convolution by minimal filtering.
//
// Method      As `Winograd` says; the transforms are shared (`CWinogradSource`), the products are those of
//             every contraction (`CGemmSource`). What is done with results is done by the pixel or tap row
//             of a tile: neighbours of one row, a register tile wide.
// Threads     Tasks are shared out between barriers; or blocks of columns are, with scratch of their own.
// Invariants  A result is the sum over ascending channels of its tile alone; a tap that over the tiles of
//             a chunk, chunk after chunk, slice after slice. Neither depends on threads.

/// Writes the function of a convolution.
struct CWinograd {
  private let winograd: Winograd
  private let part: CPart
  private let target: Target

  /// - Parameters:
  ///   - winograd: The convolution.
  ///   - signature: The head of its function.
  ///   - name: The name of its function.
  ///   - target: The machine.
  init(_ winograd: Winograd, signature: CPartSignature, name: String, target: Target) {
    self.winograd = winograd
    self.target = target
    part = CPart(
      part: winograd.part, signature: signature, name: name, prologues: [nil, nil])
  }

  private var name: String { part.name }
  private var width: String { part.width }
  private var isThreaded: Bool { winograd.threads(target) > 1 }
  private var ownsColumns: Bool { winograd.ownsColumns(target) }
  /// What shares out the iterations of the loop that follows at an indent: tasks, or blocks of columns.
  private func share(_ indent: String = "", columns: Bool = false) -> String {
    isThreaded && columns == ownsColumns ? "CKC_OMP(omp for schedule(static))\n\(indent)" : ""
  }
  private func least(_ a: String, _ b: String) -> String { "(\(part.least(a, b)))" }

  /// The function, after its tables and the functions that it calls.
  var text: String {
    var text = "/* \(name): \(winograd.description(target)). */\n"
    text += table(winograd.inputs, "inputs")
    switch winograd.role {
    case .outputs: text += winograd.taps.table("\(name)_columns")
    case .taps: text += table(winograd.gradients, "gradients")
    }
    if let epilogue = part.epilogue {
      text += epilogue.function(
        name, type: part.sumType, strides: part.placeStrides(winograd.part.columns[0]),
        width: width, rowStep: CPart.packedRowStep, readsTotals: false)
    }
    text += part.head + "{\n"
    if isThreaded {
      text += "  CKC_OMP(omp parallel num_threads(ckc_threads(\(winograd.threads(target)))))\n"
    }
    text += "  {\n"
    text += "    const ptrdiff_t oo = \(winograd.part.outBase);\n"
    text += part.extraStarts([], "", indent: "    ")
    let own = winograd.sharedElements + winograd.ownElements
    text += "    float *const zeros = (float *)(void *)scratch"
    text += ownsColumns ? " + ckc_thread() * \(own);\n" : ";\n"
    let body = winograd.role == .outputs ? outputs : taps
    return text + "    " + body.indented("    ") + "  }\n}\n"
  }

  private func table(_ grid: Winograd.Grid, _ suffix: String) -> String {
    func pair(_ numbers: [Int]) -> String { "{\(numbers[0]), \(numbers[1])}" }
    return "static const ckc_grid \(name)_\(suffix) = {\(pair(grid.tiles)), \(grid.imageStride), "
      + "\(pair(grid.starts)), \(pair(grid.extents)), \(pair(grid.strides))};\n"
  }

  // MARK: Outputs

  private var outputs: String {
    let shape = winograd.part
    let (channels, rows) = (winograd.channels, winograd.blockRows)
    let columns = winograd.tiles[1]
    let taps = shape.depth
    let place =
      "\(shape.secondBase)\(part.term("(tap / 3)", taps[0].second))"
      + part.term("(tap % 3)", taps[1].second)
    let groups = (channels + Winograd.gathered - 1) / Winograd.gathered
    return """
      float *const filters = zeros + \(winograd.zeroElements);
      float *const gathered = zeros + \(winograd.sharedElements)\
      \(isThreaded && !ownsColumns ? " + ckc_thread() * \(winograd.ownElements)" : "");
      float *const inputs = gathered + \(winograd.gatheredElements);
      float *const sums = inputs + \(16 * winograd.inputPlane);
      const ckc_runs runs = {1, {0}, {\(channels)}};
      memset(inputs, 0, \(16 * winograd.inputPlane) * sizeof(float));
      \(share())for (ptrdiff_t k = 0; k < \(winograd.zeroElements); ++k) zeros[k] = 0;
      \(share(columns: true))for (ptrdiff_t n0 = 0; n0 < \(winograd.columns); n0 += \(winograd.blockColumns)) {
        const ptrdiff_t nc = \(least("\(winograd.columns) - n0", "\(winograd.blockColumns)"));
        const ptrdiff_t panels = (nc + \(width) - 1) / \(width);
        \(share("  "))for (ptrdiff_t task = 0; task < panels * \(groups); ++task) {
          const ptrdiff_t c = task / \(groups) * \(width), k0 = task % \(groups) * \(Winograd.gathered);
          const ptrdiff_t kc = \(least("\(channels) - k0", "\(Winograd.gathered)"));
          const ptrdiff_t columns = \(least("nc - c", width));
          for (ptrdiff_t tap = 0; tap < 9; ++tap) {
            ckc_pack(&\(name)_columns, ckc_copy_f32, b, \(place), n0 + c, columns, \(width), k0, kc,
              gathered + tap * \(Winograd.gathered) * \(width), 1, \(width), 0);
          }
          ckc_winograd_filters(gathered, \(Winograd.gathered) * \(width), kc * \(width),
            filters + c * \(16 * channels) + k0 * \(width), \(channels) * \(width));
        }
        \(share("  "))for (ptrdiff_t from = 0; from < \(winograd.tileRows); from += \(rows)) {
          const ptrdiff_t to = from + \(least("\(winograd.tileRows) - from", "\(rows)"));
          const ptrdiff_t tiles = (to - from) * \(columns);
          for (ptrdiff_t row = from; row < to; ++row) {
            ckc_winograd_inputs(&\(name)_inputs, a + \(shape.firstBase), zeros, row, \(channels),
              inputs + (row - from) * \(columns * winograd.inputStep), \(winograd.inputStep), \(winograd.inputPlane));
          }
          for (ptrdiff_t c = 0; c < nc; c += \(width)) {
            const ptrdiff_t columns = \(least("nc - c", width));
            for (ptrdiff_t p = 0; p < 16; ++p) {
              for (ptrdiff_t t = 0; t < tiles; t += CKC_GEMM_ROWS) {
                ckc_gemm_f32(\(least("tiles - t", "CKC_GEMM_ROWS")), \(width), &runs,
                  inputs + p * \(winograd.inputPlane) + t * \(winograd.inputStep), \(winograd.inputStep), 1,
                  filters + c * \(16 * channels) + p * \(channels) * \(width), \(width),
                  sums + p * \(winograd.sumPlane) + t * \(width), \(width), 0);
              }
            }
            for (ptrdiff_t t = 0; t < tiles; ++t) {
              float four[4 * \(CGemmSource.columnBytesMax / 4)];
              const ptrdiff_t i0 = (from + t / \(columns)) / \(winograd.tiles[0]);
              const ptrdiff_t y = (from + t / \(columns)) % \(winograd.tiles[0]) * 2, x = t % \(columns) * 2;
              ckc_winograd_outputs(sums + t * \(width), \(winograd.sumPlane), four);
              for (ptrdiff_t i = 0; i < \(atEdge(0) ? least("\(winograd.covered[0]) - y", "2") : "2"); ++i) {
                const ptrdiff_t i1 = y + i, i2 = x;
                \(finished(
                  rows: atEdge(1) ? least("\(winograd.covered[1]) - x", "2") : "2", most: 2,
                  sums: "four + i * 2 * \(width)").indented("          "))\
              }
            }
          }
        }
      }

      """
  }

  /// Whether tiles reach over the end of an axis.
  private func atEdge(_ axis: Int) -> Bool { winograd.covered[axis] % 2 != 0 }

  /// Lines that take some rows of sums, neighbours along the last axis, to the results. The indices of
  /// the first one are `i0`, `i1`, `i2`.
  private func finished(rows: String, most: Int, sums: String) -> String {
    let loops = winograd.part.rows
    if let epilogue = part.epilogue {
      var text = "ptrdiff_t at[\(epilogue.placeCount) * \(CPart.packedRowStep)] = {0};\n"
      for (place, start) in part.placeStarts.enumerated() {
        let stride = { (loop: Contraction.Loop) in place == 0 ? loop.out : loop.extras[place - 1] }
        for row in 0..<most {
          let at = place == 0 ? "\(row)" : "\(place) * \(CPart.packedRowStep) + \(row)"
          let offset = row * stride(loops[2])
          text += "at[\(at)] = \(part.sum(start, loops, "i", stride))"
          text += offset == 0 ? ";\n" : " + \(offset);\n"
        }
      }
      return text
        + "\(name)_finish(\(rows), columns, n0 + c, \(sums), \(width), at, \(epilogue.arguments));\n"
    }
    return """
      for (ptrdiff_t j = 0; j < \(rows); ++j) {
        float *const o = out + \(part.sum("oo", loops, "i") { $0.out })\(part.term("j", loops[2].out)) + n0 + c;
        const float *const s = \(sums) + j * \(width);
        for (ptrdiff_t l = 0; l < columns; ++l) o[l] = s[l];
      }

      """
  }

  // MARK: Taps

  private var taps: String {
    let shape = winograd.part
    let (rows, columns) = (winograd.blockRows, winograd.tiles[1])
    let (inputStep, gradientStep) = (winograd.inputStep, winograd.gradientStep)
    let slices = winograd.slices
    let acrossBlocks = winograd.columnBlocks
    let transformed = 16 * (winograd.inputPlane + winograd.gradientPlane)
    return """
      float *const inputs = zeros + \(winograd.sharedElements)\
      \(isThreaded ? " + ckc_thread() * \(winograd.ownElements)" : "");
      float *const gradients = inputs + \(16 * winograd.inputPlane);
      float *const sums = inputs + \(transformed);
      memset(inputs, 0, \(transformed) * sizeof(float));
      \(share())for (ptrdiff_t k = 0; k < \(winograd.zeroElements); ++k) zeros[k] = 0;
      \(share())for (ptrdiff_t task = 0; task < \(winograd.gradientTasks); ++task) {
        const ptrdiff_t block = task / \(slices), first = task % \(slices) * \(winograd.sliceRows);
        const ptrdiff_t m0 = block / \(acrossBlocks) * \(winograd.blockChannels);
        const ptrdiff_t n0 = block % \(acrossBlocks) * \(winograd.blockColumns);
        const ptrdiff_t mc = \(least("\(winograd.channels) - m0", "\(winograd.blockChannels)"));
        const ptrdiff_t nc = \(least("\(winograd.columns) - n0", "\(winograd.blockColumns)"));
        const ptrdiff_t end = first + \(least("\(winograd.tileRows) - first", "\(winograd.sliceRows)"));
        for (ptrdiff_t from = first; from < end; from += \(rows)) {
          const ptrdiff_t to = from + \(least("end - from", "\(rows)"));
          const ckc_runs runs = {1, {0}, {(to - from) * \(columns)}};
          for (ptrdiff_t row = from; row < to; ++row) {
            ckc_winograd_inputs(&\(name)_inputs, a + \(shape.firstBase) + m0, zeros, row, mc,
              inputs + (row - from) * \(columns * inputStep), \(inputStep), \(winograd.inputPlane));
            ckc_winograd_gradients(&\(name)_gradients, b + \(shape.secondBase) + n0, zeros, row, nc,
              gradients + (row - from) * \(columns * gradientStep), \(gradientStep), \(winograd.gradientPlane));
          }
          for (ptrdiff_t p = 0; p < 16; ++p) {
            for (ptrdiff_t m = 0; m < mc; m += CKC_GEMM_ROWS) {
              for (ptrdiff_t c = 0; c < nc; c += \(width)) {
                ckc_gemm_f32(\(least("mc - m", "CKC_GEMM_ROWS")), \(width), &runs,
                  inputs + p * \(winograd.inputPlane) + m, 1, \(inputStep),
                  gradients + p * \(winograd.gradientPlane) + c, \(gradientStep),
                  sums + p * \(winograd.sumPlane) + m * \(winograd.paddedColumns) + c, \(winograd.paddedColumns), from > first);
              }
            }
          }
        }
        for (ptrdiff_t m = 0; m < mc; ++m) {
          for (ptrdiff_t c = 0; c < nc; c += \(width)) {
            \(tapsOfTask.indented("      "))\
          }
        }
      }
      \(slices > 1 ? sumOfSlices : "")
      """
  }

  /// Where a row of columns of a task's block waits: nine taps of a register tile are neighbours.
  private func partial(_ task: String, _ m: String, _ c: String) -> String {
    "zeros + \(winograd.zeroElements) + \(task) * \(winograd.partialElements)"
      + " + (\(m) * \(winograd.paddedColumns) + \(c)) * 9"
  }

  /// Lines that take a row of a task's sums to the results, or to where they wait for other slices.
  private var tapsOfTask: String {
    let call = "ckc_winograd_taps(sums + m * \(winograd.paddedColumns) + c, \(winograd.sumPlane), "
    if winograd.slices > 1 { return call + partial("task", "m", "c") + ");\n" }
    return """
      const ptrdiff_t columns = \(least("nc - c", width)), i0 = m0 + m;
      float nine[9 * \(CGemmSource.columnBytesMax / 4)];
      \(call)nine);
      \(finishedTaps)
      """
  }

  /// Lines that add the slices of every block in order.
  private var sumOfSlices: String {
    """
    \(share())for (ptrdiff_t i0 = 0; i0 < \(winograd.channels); ++i0) {
      for (ptrdiff_t n0 = 0; n0 < \(winograd.columns); n0 += \(winograd.blockColumns)) {
        const ptrdiff_t block = i0 / \(winograd.blockChannels) * \(winograd.columnBlocks) + n0 / \(winograd.blockColumns);
        const ptrdiff_t nc = \(least("\(winograd.columns) - n0", "\(winograd.blockColumns)"));
        for (ptrdiff_t c = 0; c < nc; c += \(width)) {
          const ptrdiff_t columns = \(least("nc - c", width));
          float nine[9 * \(CGemmSource.columnBytesMax / 4)];
          const float *slice = \(partial("block * \(winograd.slices)", "(i0 % \(winograd.blockChannels))", "c"));
          for (ptrdiff_t k = 0; k < 9 * \(width); ++k) nine[k] = slice[k];
          for (ptrdiff_t s = 1; s < \(winograd.slices); ++s) {
            slice += \(winograd.partialElements);
            for (ptrdiff_t k = 0; k < 9 * \(width); ++k) nine[k] += slice[k];
          }
          \(finishedTaps.indented("      "))\
        }
      }
    }

    """
  }

  /// Lines that take nine sums, one for each tap, of a row of columns to the results.
  private var finishedTaps: String {
    """
    for (ptrdiff_t i1 = 0; i1 < 3; ++i1) {
      const ptrdiff_t i2 = 0;
      \(finished(rows: "3", most: 3, sums: "nine + i1 * 3 * \(width)").indented("  "))\
    }

    """
  }
}
