// Memory against time as a drawing: a point for every plan, a step for what lies between.

extension ParetoCurve {
  /// The curve as an SVG image that needs nothing else.
  public func svg() -> String {
    let (width, height) = (860.0, 520.0)
    let (left, right, top, bottom) = (84.0, 40.0, 92.0, 64.0)
    var svg = SVGText()
    let title = "Memory and time of one step of @\(name)"
    svg.text(title, x: 24, y: 36, style: "title")
    let summary: String
    if let first = points.first, points.count > 1 {
      summary =
        "from \(describeBytes(keepAllArenaBytes)), everything kept, down to "
        + "\(describeBytes(first.arenaBytes)) for \(describePercent(overhead(first))) more "
        + "predicted time"
    } else {
      summary = "nothing is gained by recomputing: \(describeBytes(keepAllArenaBytes))"
    }
    svg.text(summary, x: 24, y: 57, style: "muted")

    let bytesMax = max(1, keepAllArenaBytes, points.last?.arenaBytes ?? 0)
    let overheadMax = max(0.01, points.map { overhead($0) }.max() ?? 0) * 1.06
    func x(_ bytes: Int) -> Double {
      left + Double(bytes) / Double(bytesMax) * (width - left - right)
    }
    func y(_ overhead: Double) -> Double {
      height - bottom - overhead / overheadMax * (height - top - bottom)
    }
    let base = height - bottom
    svg.percentLines(upTo: overheadMax, from: left, to: width - right, y: y)
    let tick = byteTick(upTo: bytesMax, count: 8)
    for mark in stride(from: 0, through: bytesMax, by: tick) {
      let place = svgNumber(x(mark))
      svg.add("<path d=\"M\(place) \(svgNumber(top))V\(svgNumber(base))\" class=\"grid\"/>")
      svg.text(
        describeBytes(mark), x: x(mark), y: base + 18, style: "muted small", anchor: "middle")
    }
    svg.text(
      "arena", x: (left + width - right) / 2, y: base + 42, style: "muted", anchor: "middle")
    svg.add(
      "<text transform=\"translate(22 \(svgNumber((top + base) / 2))) rotate(-90)\" "
        + "class=\"muted\" text-anchor=\"middle\">predicted time, over keeping everything</text>")

    var path = ""
    for (index, point) in points.enumerated() {
      let (px, py) = (svgNumber(x(point.arenaBytes)), svgNumber(y(overhead(point))))
      path += index == 0 ? "M\(px) \(svgNumber(top))V\(py)" : "H\(px)V\(py)"
    }
    if !path.isEmpty {
      svg.add("<path d=\"\(path)H\(svgNumber(width - right))\" class=\"curve\"/>")
    }
    for point in points {
      let (px, py) = (x(point.arenaBytes), y(overhead(point)))
      let note =
        "\(describeBytes(point.arenaBytes)), \(describePercent(abs(overhead(point)))) "
        + "\(overhead(point) < 0 ? "less" : "more") time\n"
        + "\(describeNs(point.cost)), \(point.recomputedKernels) kernels run again"
      svg.add(
        "<circle cx=\"\(svgNumber(px))\" cy=\"\(svgNumber(py))\" r=\"4.5\" class=\"point\">"
          + "<title>\(xmlEscaped(note))</title></circle>")
    }
    // Names where they do not meet: the ends, and the plan closest to half the memory.
    let keepAllPlace = (x: x(keepAllArenaBytes), y: y(0))
    if points.last?.arenaBytes != keepAllArenaBytes {
      svg.add(
        "<circle cx=\"\(svgNumber(keepAllPlace.x))\" cy=\"\(svgNumber(keepAllPlace.y))\" r=\"4.5\" "
          + "class=\"beaten\"><title>another plan needs less memory and no more time</title></circle>"
      )
    }
    svg.text(
      "everything kept", x: keepAllPlace.x, y: keepAllPlace.y - 12, style: "small strong",
      anchor: "end")
    if let first = points.first, points.count > 1 {
      svg.text(
        "smallest: \(describeBytes(first.arenaBytes))", x: x(first.arenaBytes) + 12,
        y: y(overhead(first)) - 10, style: "small strong")
    }
    let half = points.dropFirst().dropLast().min {
      abs($0.arenaBytes * 2 - bytesMax) < abs($1.arenaBytes * 2 - bytesMax)
    }
    if let half, abs(half.arenaBytes * 2 - bytesMax) * 8 < bytesMax {
      let share = describePercent(Double(half.arenaBytes) / Double(bytesMax))
      svg.text(
        "\(share) of the memory: +\(describePercent(overhead(half)))",
        x: x(half.arenaBytes) + 10, y: y(overhead(half)) - 10, style: "small")
    }
    return svg.document(width: width, height: height, title: "\(title): \(summary)")
  }
}
