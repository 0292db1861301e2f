// All strategies in one drawing: memory against additional time, a line for each.

extension StrategyComparison {
  /// The comparison as an SVG image that needs nothing else.
  public func svg() -> String {
    let (width, height) = (900.0, 540.0)
    let (left, right, top, bottom) = (84.0, 196.0, 92.0, 64.0)
    var svg = SVGText()
    let title = "Memory and time by strategy" + (name.isEmpty ? "" : ", @\(name)")
    svg.text(title, x: 24, y: 36, style: "title")
    let summary =
      "cheapest plan of each strategy within a budget of memory in use; "
      + "\(describeBytes(keepAllPeakBytes)) when everything is kept"
    svg.text(summary, x: 24, y: 57, style: "muted")
    svg.add("<style>\(seriesStyle)</style>")

    let smallest = budgets.min().map { share($0) } ?? 0
    let shareMin = max(0, (smallest * 10 - 1e-9).rounded(.down) / 10)
    let shareMax = max(1, budgets.max().map { share($0) } ?? 1)
    let highest = heightMax
    func x(_ share: Double) -> Double {
      left + (share - shareMin) / max(0.01, shareMax - shareMin) * (width - left - right)
    }
    func y(_ overhead: Double) -> Double {
      height - bottom - overhead / highest * (height - top - bottom)
    }
    let base = height - bottom
    svg.percentLines(upTo: highest, from: left, to: width - right, y: y)
    for tenth in 0...10 where Double(tenth) / 10 >= shareMin - 1e-9 {
      let place = svgNumber(x(Double(tenth) / 10))
      svg.add("<path d=\"M\(place) \(svgNumber(top))V\(svgNumber(base))\" class=\"grid\"/>")
      svg.text(
        "\(tenth * 10) %", x: x(Double(tenth) / 10), y: base + 18, style: "muted small",
        anchor: "middle")
    }
    svg.text(
      "budget, of what keeping everything takes", x: (left + width - right) / 2, y: base + 42,
      style: "muted", anchor: "middle")
    svg.add(
      "<text transform=\"translate(22 \(svgNumber((top + base) / 2))) rotate(-90)\" "
        + "class=\"muted\" text-anchor=\"middle\">cost, over running everything once</text>")
    svg.add(
      "<clipPath id=\"plot\"><rect x=\"\(svgNumber(left - 6))\" y=\"\(svgNumber(top - 6))\" "
        + "width=\"\(svgNumber(width - left - right + 12))\" "
        + "height=\"\(svgNumber(base - top + 12))\"/></clipPath>")

    func draw(_ name: String, _ costs: [Double?]) {
      var path = ""
      var points = ""
      for (budget, cost) in zip(budgets, costs) {
        guard let cost else { continue }
        let (px, py) = (svgNumber(x(share(budget))), svgNumber(y(overhead(cost))))
        path += "\(path.isEmpty ? "M" : "L")\(px) \(py)"
        let note =
          "\(name): \(describePercent(overhead(cost))) in \(describeBytes(budget)), "
          + describePercent(share(budget))
        points +=
          "<circle cx=\"\(px)\" cy=\"\(py)\" r=\"3\" class=\"dot-\(name)\">"
          + "<title>\(xmlEscaped(note))</title></circle>"
      }
      svg.add(
        "<g clip-path=\"url(#plot)\"><path d=\"\(path)\" class=\"line-\(name)\"/>\(points)</g>")
    }
    draw("bound", lowerBounds)
    for row in rows { draw(row.strategy.rawValue, row.plans.map { $0?.cost }) }

    for (index, name) in (rows.map(\.strategy.rawValue) + ["bound"]).enumerated() {
      let place = top + 10 + Double(index) * 34
      let start = width - right + 24
      svg.add(
        "<path d=\"M\(svgNumber(start)) \(svgNumber(place))h24\" class=\"line-\(name)\"/>")
      svg.text(name, x: start + 32, y: place + 4, style: name == "auto" ? "small strong" : "small")
      let note =
        index < rows.count
        ? "down to \(describePercent(share(rows[index].smallestPeakBytes)))" : "proven, below all"
      svg.text(note, x: start + 32, y: place + 17, style: "muted small")
    }
    return svg.document(width: width, height: height, title: "\(title): \(summary)")
  }

  /// The largest overhead that is drawn: a little above that of `auto`, so that what wastes time
  /// leaves the drawing instead of flattening it.
  private var heightMax: Double {
    func most(_ rows: [Row]) -> Double {
      rows.flatMap(\.plans).compactMap { $0.map { overhead($0.cost) } }.max() ?? 0
    }
    let best = most(rows.filter { $0.strategy == .auto })
    return max(0.01, min(most(rows), max(0.2, best * 1.5))) * 1.06
  }

  /// A colour for each line.
  private var seriesStyle: String {
    var style = ""
    for name in rows.map(\.strategy.rawValue) + ["bound"] {
      let (colour, line) =
        switch name {
        case "auto": ("var(--kept)", "stroke-width: 3")
        case "bound": ("var(--muted)", "stroke-width: 1.5; stroke-dasharray: 5 4")
        case "sqrt": ("#a65628", "stroke-width: 1.5")
        case "greedy": ("#984ea3", "stroke-width: 1.5")
        case "revolve": ("#3a9a3a", "stroke-width: 1.5")
        case "chain": ("#e6550d", "stroke-width: 1.5")
        case "lowersets": ("#0b8f8f", "stroke-width: 1.5")
        case "mincut": ("#d6318f", "stroke-width: 1.5")
        case "dtr": ("#8072d8", "stroke-width: 1.5")
        case "cheap": ("#b58900", "stroke-width: 1.5")
        default: ("var(--muted)", "stroke-width: 1.5")
        }
      style +=
        ".ckc .line-\(name) { stroke: \(colour); fill: none; stroke-linejoin: round; \(line) }\n"
      style += ".ckc .dot-\(name) { fill: \(colour); }\n"
    }
    return style
  }
}
