// The memory of a step as a drawing: kernels from left to right, bytes of the arena from bottom to top.
//
// Panels      The step that keeps everything, and below it the planned one, on the same scales: what
//             the plan saves is the height that is gone, what it costs is the width that is added.
// Marks       A rectangle for every buffer, coloured by what the plan does with its value; the bytes
//             alive as a line; the budget as a broken line; the turn from forward to backward.
// Limits      At most `blocksMax` rectangles a panel, the largest; the rest are below a pixel.

extension Compilation {
  /// The memory timeline as an SVG image that needs nothing else; nil before planning.
  public func timelineSVG() -> String? {
    guard let step else { return nil }
    return TimelineSVG(self, step).text()
  }
}

private struct TimelineSVG {
  private static let blocksMax = 20_000
  private static let left = 84.0
  private static let right = 36.0
  private static let width = 1200.0
  private static let tallest = 330.0

  private let title: String
  private let summary: String
  private let before: MemoryTimeline?
  private let after: MemoryTimeline
  private let budgetBytes: Int?
  /// Width of one kernel and height of one byte.
  private let kernelWidth: Double
  private let byteHeight: Double
  private let scaleBytes: Int
  private var svg = SVGText()
  private var names = SVGText()

  init(_ compilation: Compilation, _ step: PlannedStep) {
    after = MemoryTimeline(step, of: compilation)
    if let keepAll = compilation.keepAll, step.computations != keepAll.computations {
      before = MemoryTimeline(keepAll, of: compilation)
    } else {
      before = nil
    }
    budgetBytes = compilation.budgetBytes
    title = "Memory of one step of @\(step.function.name)"
    if let before {
      let memory = Double(after.arenaBytes) / Double(max(1, before.arenaBytes))
      let time = before.costNs > 0 ? after.costNs / before.costNs - 1 : 0
      summary =
        "\(describeBytes(after.arenaBytes)) instead of \(describeBytes(before.arenaBytes)) "
        + "(\(describePercent(memory))) for \(describePercent(max(0, time))) more predicted time"
    } else {
      summary = "\(describeBytes(after.arenaBytes)), \(after.kernels.count) kernels"
    }
    scaleBytes = max(1, after.arenaBytes, before?.arenaBytes ?? 0)
    let kernelCount = max(1, after.kernels.count, before?.kernels.count ?? 0)
    kernelWidth = (Self.width - Self.left - Self.right) / Double(kernelCount)
    byteHeight = Self.tallest / Double(scaleBytes)
  }

  func text() -> String {
    var copy = self
    return copy.draw()
  }

  private mutating func draw() -> String {
    svg.text(title, x: 24, y: 36, style: "title")
    svg.text(summary, x: 24, y: 57, style: "muted")
    var y = drawLegend(at: 82) + 34
    if let before {
      y = draw(before, named: "Everything kept", at: y) + 46
      y = draw(after, named: "This plan", at: y)
    } else {
      y = draw(after, named: "Everything kept", at: y)
    }
    svg.text(
      "kernels in the order in which they run", x: (Self.left + Self.width - Self.right) / 2,
      y: y + 38, style: "muted", anchor: "middle")
    return svg.document(width: Self.width, height: y + 56, title: "\(title): \(summary)")
  }

  // MARK: Legend

  /// Draws the legend and returns the base line of its last row.
  private mutating func drawLegend(at top: Double) -> Double {
    var x = 24.0
    var y = top
    func advance(_ label: String, _ mark: Double) -> Double {
      mark + 7 + textWidth(label, size: 12) + 18
    }
    let used = Set((before?.blocks ?? []).map(\.role) + after.blocks.map(\.role))
    for role in MemoryTimeline.Role.allCases where used.contains(role) {
      let step = advance(role.label, 14)
      if x + step > Self.width {
        x = 24
        y += 22
      }
      svg.add(
        "<rect x=\"\(svgNumber(x))\" y=\"\(svgNumber(y - 10))\" width=\"14\" height=\"12\" rx=\"2\" "
          + "class=\"\(role.rawValue)\"/>")
      svg.text(role.label, x: x + 21, y: y, style: "muted")
      x += step
    }
    var lines = [("live", "bytes alive")]
    if budgetBytes != nil { lines.append(("budget", "budget")) }
    for (style, label) in lines {
      let step = advance(label, 22)
      if x + step > Self.width {
        x = 24
        y += 22
      }
      svg.add(
        "<path d=\"M\(svgNumber(x)) \(svgNumber(y - 4))h22\" class=\"\(style)\"/>")
      svg.text(label, x: x + 29, y: y, style: "muted")
      x += step
    }
    return y
  }

  // MARK: Panels

  private func x(_ kernel: Int) -> Double { Self.left + Double(kernel) * kernelWidth }

  /// Draws one step below `top` and returns the lower edge of its plot and kernel strip.
  private mutating func draw(_ timeline: MemoryTimeline, named name: String, at top: Double)
    -> Double
  {
    let again = timeline.kernels.count(where: \.isRecomputation)
    var caption = "  arena \(describeBytes(timeline.arenaBytes)), \(timeline.kernels.count) kernels"
    if again > 0 { caption += " (\(again) of them run again)" }
    caption += ", predicted \(describeNs(timeline.costNs))"
    svg.add(
      "<text x=\"24\" y=\"\(svgNumber(top))\" class=\"panel\">\(xmlEscaped(name))"
        + "<tspan class=\"muted\" style=\"font-weight:400\">\(xmlEscaped(caption))</tspan></text>")
    // Room for the words over the plot, and for a budget that is above the arena.
    let shown = max(timeline.arenaBytes, min(budgetBytes ?? 0, scaleBytes))
    let height = max(1, Double(shown) * byteHeight)
    let plotTop = top + 30
    let bottom = plotTop + height
    drawGrid(timeline, bottom: bottom, top: plotTop)
    drawBlocks(timeline, bottom: bottom)
    drawLive(timeline, bottom: bottom)
    drawTurn(timeline, top: plotTop, bottom: bottom + 10)
    drawBudget(timeline, top: plotTop, bottom: bottom)
    drawStrip(timeline, at: bottom + 3)
    svg.add(names.body)
    names = SVGText()
    return bottom + 10
  }

  private mutating func drawGrid(_ timeline: MemoryTimeline, bottom: Double, top: Double) {
    let end = x(timeline.kernels.count)
    let tick = byteTick(upTo: scaleBytes, count: 6)
    var mark = 0
    while Double(mark) * byteHeight <= bottom - top + 0.5 {
      let y = bottom - Double(mark) * byteHeight
      svg.add(
        "<path d=\"M\(svgNumber(Self.left)) \(svgNumber(y))H\(svgNumber(end))\" class=\"grid\"/>")
      svg.text(
        describeBytes(mark), x: Self.left - 8, y: y + 4, style: "muted small", anchor: "end")
      mark += tick
    }
    let step = max(1, Int(roundTick(upTo: Double(timeline.kernels.count), count: 12)))
    for kernel in stride(from: 0, through: timeline.kernels.count, by: step) {
      svg.text(
        "\(kernel)", x: x(kernel), y: bottom + 24, style: "muted small",
        anchor: kernel == 0 ? "start" : "middle")
    }
  }

  private mutating func drawBlocks(_ timeline: MemoryTimeline, bottom: Double) {
    var shown = Array(timeline.blocks.indices)
    if shown.count > Self.blocksMax {
      func area(_ index: Int) -> Double {
        let block = timeline.blocks[index]
        return Double(block.upper - block.lower) * Double(block.sizeBytes)
      }
      shown.sort { (area($1), $0) < (area($0), $1) }
      shown = shown.prefix(Self.blocksMax).sorted()
    }
    for index in shown {
      let block = timeline.blocks[index]
      let left = x(block.lower)
      let width = min(x(block.upper), x(timeline.kernels.count)) - left
      let height = Double(block.sizeBytes) * byteHeight
      let top = bottom - Double(block.offset) * byteHeight - height
      // Borders between neighbours would hide what is only a pixel wide.
      let border = min(width, height) >= 2.5 ? " block" : ""
      svg.add(
        "<rect x=\"\(svgNumber(left))\" y=\"\(svgNumber(top))\" width=\"\(svgNumber(width))\" "
          + "height=\"\(svgNumber(height))\" class=\"\(block.role.rawValue)\(border)\">"
          + "<title>\(xmlEscaped(tooltip(block, timeline)))</title></rect>")
      name(of: block, left: left, top: top, width: width, height: height)
    }
  }

  private func tooltip(_ block: MemoryTimeline.Block, _ timeline: MemoryTimeline) -> String {
    let last = min(block.upper, timeline.kernels.count) - 1
    let type = block.type.isEmpty ? "" : ": \(block.type)"
    return "%\(block.name)\(type)\n\(describeBytes(block.sizeBytes)) at \(block.offset), "
      + "\(block.role.label)\nfrom kernel \(block.lower) (%\(timeline.kernels[block.lower].name)) "
      + "to \(last) (%\(timeline.kernels[last].name))"
  }

  /// Notes the name of a block, if it has room for it; names are drawn over the lines.
  private mutating func name(
    of block: MemoryTimeline.Block, left: Double, top: Double, width: Double, height: Double
  ) {
    let needed = textWidth(block.name, size: 10) + 6
    let style = "name on-\(block.role.rawValue)"
    if width >= needed, height >= 12 {
      names.text(
        block.name, x: left + width / 2, y: top + height / 2 + 3.5, style: style, anchor: "middle")
    } else if height >= needed, width >= 12 {
      let (cx, cy) = (svgNumber(left + width / 2 + 3.5), svgNumber(top + height / 2))
      names.add(
        "<text transform=\"translate(\(cx) \(cy)) rotate(-90)\" class=\"\(style)\" "
          + "text-anchor=\"middle\">\(xmlEscaped(block.name))</text>")
    }
  }

  private mutating func drawLive(_ timeline: MemoryTimeline, bottom: Double) {
    var path = "M\(svgNumber(Self.left)) \(svgNumber(bottom))"
    var last = -1
    for (kernel, live) in timeline.liveBytes.enumerated() {
      if live != last {
        path += "H\(svgNumber(x(kernel)))V\(svgNumber(bottom - Double(live) * byteHeight))"
      }
      last = live
    }
    path += "H\(svgNumber(x(timeline.kernels.count)))V\(svgNumber(bottom))"
    svg.add("<path d=\"\(path)\" class=\"halo\"/>")
    svg.add("<path d=\"\(path)\" class=\"live\"/>")
  }

  private mutating func drawTurn(_ timeline: MemoryTimeline, top: Double, bottom: Double) {
    guard let start = timeline.backwardStart else { return }
    let place = x(start)
    svg.add(
      "<path d=\"M\(svgNumber(place)) \(svgNumber(top - 16))V\(svgNumber(bottom))\" class=\"turn\"/>"
    )
    svg.text("forward", x: place - 6, y: top - 8, style: "muted small", anchor: "end")
    svg.text("backward", x: place + 6, y: top - 8, style: "muted small")
  }

  private mutating func drawBudget(_ timeline: MemoryTimeline, top: Double, bottom: Double) {
    guard let budgetBytes, budgetBytes <= scaleBytes else { return }
    let y = bottom - Double(budgetBytes) * byteHeight
    let end = x(timeline.kernels.count)
    svg.add(
      "<path d=\"M\(svgNumber(Self.left)) \(svgNumber(y))H\(svgNumber(end))\" class=\"budget\"/>")
    svg.text(
      "budget \(describeBytes(budgetBytes))", x: end, y: max(y, top) - 5, style: "small strong red",
      anchor: "end")
  }

  /// A strip with a colour for the part that each kernel belongs to.
  private mutating func drawStrip(_ timeline: MemoryTimeline, at y: Double) {
    func role(_ kernel: Int) -> String {
      if timeline.kernels[kernel].isRecomputation { return "recomputed" }
      return kernel >= timeline.backwardStart ?? .max ? "backward" : "forward"
    }
    var start = 0
    while start < timeline.kernels.count {
      var end = start + 1
      while end < timeline.kernels.count, role(end) == role(start) { end += 1 }
      svg.add(
        "<rect x=\"\(svgNumber(x(start)))\" y=\"\(svgNumber(y))\" "
          + "width=\"\(svgNumber(x(end) - x(start)))\" height=\"6\" class=\"\(role(start))\"/>")
      start = end
    }
  }
}
