// The function of a depthwise convolution that goes plane by plane.
//
// A task is a band of rows of one channel of one image, or, in a gradient of the kernel, one channel of
// all of them: bands of both operands are copied, image after image.

extension CPart {
  /// The function of a part over planes.
  func planes(_ form: Planes, _ target: Target) -> String {
    var offsets: [Int] = []
    for row in 0..<form.rows.taps.extent {
      for column in 0..<form.columns.taps.extent {
        offsets.append(form.offset(row: row, column: column))
      }
    }
    let table = offsets.map(String.init).joined(separator: ", ")
    return "/* \(name): \(form.description). */\n"
      + "static const ptrdiff_t \(name)_taps[] = {\(table)};\n"
      + (form.isKernelGradient ? taps(form, target) : results(form, target))
  }

  /// Lines that start the threads, and declare the copy and what is beside it.
  private func open(_ form: Planes, _ target: Target, tasks: Int, beside: String) -> String {
    let threads = part.threads(target, tasks: tasks)
    let type = sumType
    var text = ""
    if threads > 1 {
      text += "  CKC_OMP(omp parallel for schedule(static) num_threads(ckc_threads(\(threads))))\n"
    }
    text += "  for (ptrdiff_t task = 0; task < \(tasks); ++task) {\n"
    text += "    \(type) *const copy = (\(type) *)(void *)scratch"
    text += threads > 1 ? " + ckc_thread() * \(form.threadElements);\n" : ";\n"
    return text + "    \(type) *const \(beside) = copy + \(form.copiedElements);\n"
  }

  /// Lines that copy a band of the first operand: `band` and the start `x` are known.
  private func copied(_ form: Planes, from start: String, indent: String) -> String {
    let (rows, columns) = (form.rows, form.columns)
    var text = "\(indent)for (ptrdiff_t i = 0; i < \(form.copiedRows); ++i) {\n"
    for (number, phase) in rows.phases.enumerated() {
      text += "\(indent)  {\n"
      text +=
        "\(indent)    const ptrdiff_t y = (band * \(form.bandRows) + i) * \(rows.stride) + \(phase);\n"
      text += "\(indent)    const int inside = y >= \(rows.low) && y < \(rows.high);\n"
      text += "\(indent)    const ptrdiff_t row = \(start) + y * \(rows.unit);\n"
      for (place, column) in columns.phases.enumerated() {
        // Numbers of this phase that are in the tensor.
        let inside = (0..<form.pitch).filter {
          (columns.low..<columns.high).contains($0 * columns.stride + column)
        }
        let (low, high) = (inside.first ?? 0, (inside.last ?? -1) + 1)
        let to = (number * columns.phases.count + place) * form.copiedRows
        text += "\(indent)    ckc_plane_row_\(compute)(a, row + \(column), \(columns.stride), "
        text += "inside ? \(low) : 0, inside ? \(high) : 0, \(form.pitch),\n"
        text += "\(indent)      copy + (\(to) + i) * \(form.pitch));\n"
      }
      text += "\(indent)  }\n"
    }
    text += "\(indent)}\n"
    let used = form.phaseCount * form.copiedRows * form.pitch
    text += "\(indent)for (ptrdiff_t i = \(used); i < \(form.copiedElements); ++i) copy[i] = 0;\n"
    return text
  }

  /// Where the first number of the grid is.
  private func start(_ form: Planes, _ of: String) -> String {
    "\(of)\(term("1", form.rows.start + form.columns.start))"
  }

  private var unusedNames: String {
    let positions = part.axes.indices.map { "(void)q\($0); " }.joined()
    return "    \(positions)(void)ao; (void)bo; (void)oo;\n"
  }

  // MARK: Results

  private func results(_ form: Planes, _ target: Target) -> String {
    let tasks = form.outer.reduce(form.bands) { $0 * $1.extent }
    let (rows, columns) = (form.rows, form.columns)
    let (most, width) = (form.bandRows, columns.positions.extent)
    var text =
      epilogue?.function(
        name, type: sumType, strides: placeStrides(columns.positions), width: "\(width)",
        rowStep: "\(most)", readsTotals: false) ?? ""
    text += head + "{\n" + open(form, target, tasks: tasks, beside: "sums")
    text += "    const ptrdiff_t band = task % \(form.bands), rest = task / \(form.bands);\n"
    text += decoded("rest", form.outer, "i", indent: "    ") + starts(form.outer)
    text += "    const ptrdiff_t left = \(rows.positions.extent) - band * \(most);\n"
    text += "    const ptrdiff_t some = \(least("left", "\(most)"));\n"
    text += copied(form, from: start(form, "ao"), indent: "    ")
    text += """
          \(sumType) w[\(form.tapCount)];
          for (ptrdiff_t y = 0; y < \(rows.taps.extent); ++y) {
            for (ptrdiff_t x = 0; x < \(columns.taps.extent); ++x) {
              w[y * \(columns.taps.extent) + x] = b[bo\(term("y", rows.taps.second))\(term("x", columns.taps.second))];
            }
          }
          ckc_taps_\(compute)(
            (some - 1) * \(form.pitch) + \(width), \(form.tapCount), \(name)_taps, w, copy, sums);

      """
    if let epilogue {
      text += "    ptrdiff_t at[\(epilogue.placeCount * most)] = {0};\n"
      text += "    for (ptrdiff_t i = 0; i < some; ++i) {\n"
      for (place, (start, stride)) in zip(placeStarts, placeStrides(rows.positions)).enumerated() {
        let shift = place == 0 ? "" : "\(place * most) + "
        text += "      at[\(shift)i] = \(start) + (band * \(most) + i) * \(stride);\n"
      }
      text += "    }\n    \(name)_finish(some, \(width), 0, sums, \(form.pitch), at, "
      text += "\(epilogue.arguments));\n"
    } else {
      text += """
            for (ptrdiff_t i = 0; i < some; ++i) {
              \(sumType) *const o = out + oo + (band * \(most) + i) * \(rows.positions.out);
              for (ptrdiff_t j = 0; j < \(width); ++j) o[j * \(columns.positions.out)] = sums[i * \(form.pitch) + j];
            }

        """
    }
    return text + "    (void)rest;\n" + unusedNames + "  }\n}\n"
  }

  // MARK: Taps

  private func taps(_ form: Planes, _ target: Target) -> String {
    let tasks = form.outer.reduce(1) { $0 * $1.extent }
    let images = form.depth.reduce(1) { $0 * $1.extent }
    let (rows, columns, lanes) = (form.rows, form.columns, Planes.lanes)
    let (most, width, pitch) = (form.bandRows, columns.positions.extent, form.pitch)
    var text =
      epilogue?.function(
        name, type: sumType, strides: placeStrides(columns.taps), width: "\(columns.taps.extent)",
        rowStep: "\(rows.taps.extent)", readsTotals: false) ?? ""
    text += head + "{\n" + open(form, target, tasks: tasks, beside: "other")
    text += decoded("task", form.outer, "i", indent: "    ") + starts(form.outer)
    text += """
          \(sumType) sums[\(form.tapCount * lanes)];
          for (ptrdiff_t i = 0; i < \(form.tapCount * lanes); ++i) sums[i] = 0;
          for (ptrdiff_t image = 0; image < \(images); ++image)
          for (ptrdiff_t band = 0; band < \(form.bands); ++band) {
            const ptrdiff_t left = \(rows.positions.extent) - band * \(most);
            const ptrdiff_t some = \(least("left", "\(most)"));
      \(decoded("image", form.depth, "k", indent: "      "))\
            const ptrdiff_t ap = \(sum("ao", form.depth, "k") { $0.first });
            const ptrdiff_t bp = \(sum("bo", form.depth, "k") { $0.second });
      \(copied(form, from: start(form, "ap"), indent: "      "))\
            for (ptrdiff_t i = 0; i < some; ++i) {
              ckc_plane_row_\(compute)(
                b, bp + (band * \(most) + i) * \(rows.positions.second), \(columns.positions.second), 0,
                \(width), \(pitch), other + i * \(pitch));
            }
            for (ptrdiff_t i = some * \(pitch); i < \(form.flatElements); ++i) other[i] = 0;
            ckc_places_\(compute)((some * \(pitch) + \(lanes - 1)) / \(lanes) * \(lanes), \(form.tapCount), \(name)_taps,
              copy, other, sums);
          }
          for (ptrdiff_t t = 0; t < \(form.tapCount); ++t) {
            \(sumType) *const s = sums + t * \(lanes);
            for (ptrdiff_t w = \(lanes / 2); w > 0; w /= 2) {
              for (ptrdiff_t l = 0; l < w; ++l) s[l] += s[l + w];
            }
            sums[t] = s[0];
          }

      """
    if let epilogue {
      text += "    ptrdiff_t at[\(epilogue.placeCount * rows.taps.extent)] = {0};\n"
      text += "    for (ptrdiff_t i = 0; i < \(rows.taps.extent); ++i) {\n"
      for (place, (start, stride)) in zip(placeStarts, placeStrides(rows.taps)).enumerated() {
        let shift = place == 0 ? "" : "\(place * rows.taps.extent) + "
        text += "      at[\(shift)i] = \(start) + i * \(stride);\n"
      }
      text += "    }\n    \(name)_finish(\(rows.taps.extent), \(columns.taps.extent), 0, sums, "
      text += "\(columns.taps.extent), at, \(epilogue.arguments));\n"
    } else {
      text += """
            for (ptrdiff_t i = 0; i < \(rows.taps.extent); ++i) {
              for (ptrdiff_t j = 0; j < \(columns.taps.extent); ++j) {
                out[oo + i * \(rows.taps.out) + j * \(columns.taps.out)] = sums[i * \(columns.taps.extent) + j];
              }
            }

        """
    }
    return text + unusedNames + "  }\n}\n"
  }
}
