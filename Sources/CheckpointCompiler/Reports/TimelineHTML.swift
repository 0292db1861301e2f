// The memory timeline as a page: the drawing, the figures of the plan, and its largest buffers.

extension Compilation {
  /// The memory timeline as an HTML page that needs nothing else; nil before planning.
  public func timelineHTML() -> String? {
    guard let step, let drawing = timelineSVG(), let report = PlanReport(self) else { return nil }
    let title = "Memory of one step of @\(step.function.name)"
    var figures = ""
    for row in report.figures {
      figures += "<tr><th>\(xmlEscaped(row[0]))</th><td class=\"number\">\(xmlEscaped(row[1]))</td>"
      figures += "<td>\(xmlEscaped(row[2]))</td></tr>\n"
    }
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(xmlEscaped(title))</title>
      <style>
      \(pageStyle)
      </style>
      </head>
      <body>
      <main>
      <figure>
      \(drawing)</figure>
      <h2>The plan</h2>
      <p>Target \(xmlEscaped(report.target)), strategy \(xmlEscaped(report.strategy)).</p>
      <table>
      \(figures)</table>
      <h2>The largest buffers</h2>
      \(largestBuffers(step))
      </main>
      </body>
      </html>

      """
  }

  /// A table of the largest buffers of the step.
  private func largestBuffers(_ step: PlannedStep) -> String {
    let timeline = MemoryTimeline(step, of: self)
    let count = 40
    let order = timeline.blocks.indices.sorted {
      (timeline.blocks[$1].sizeBytes, $0) < (timeline.blocks[$0].sizeBytes, $1)
    }
    var rows = ""
    for index in order.prefix(count) {
      let block = timeline.blocks[index]
      let last = min(block.upper, timeline.kernels.count) - 1
      rows += "<tr><td><svg class=\"ckc key\" viewBox=\"0 0 12 12\" aria-hidden=\"true\">"
      rows += "<rect width=\"12\" height=\"12\" rx=\"2\" class=\"\(block.role.rawValue)\"/></svg>"
      rows += "<code>%\(xmlEscaped(block.name))</code></td>"
      rows += "<td><code>\(xmlEscaped(block.type))</code></td>"
      rows += "<td class=\"number\">\(describeBytes(block.sizeBytes))</td>"
      rows += "<td>\(block.role.label)</td>"
      rows += "<td class=\"number\">\(block.lower) – \(last)</td>"
      rows += "<td class=\"number\">\(block.offset)</td></tr>\n"
    }
    let rest = timeline.blocks.count - count
    return """
      <table>
      <thead><tr><th>value</th><th>type</th><th class="number">size</th><th>to the plan</th>\
      <th class="number">kernels</th><th class="number">offset</th></tr></thead>
      <tbody>
      \(rows)</tbody>
      </table>
      \(rest > 0 ? "<p>and \(rest) more, none of them larger</p>" : "")
      """
  }

  private var pageStyle: String {
    """
    :root { color-scheme: light dark; }
    body { margin: 0; background: #ffffff; color: #1f2328; line-height: 1.5;
      font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
    main { max-width: 1200px; margin: 0 auto; padding: 0 16px 48px; }
    figure { margin: 0 -16px; overflow-x: auto; }
    figure > svg { display: block; max-width: 100%; height: auto; min-width: 720px; }
    h2 { font-size: 16px; margin: 28px 8px 8px; }
    p { font-size: 13px; margin: 4px 8px 8px; color: #59636e; }
    table { border-collapse: collapse; font-size: 13px; margin: 0 8px; }
    th, td { text-align: left; padding: 4px 20px 4px 0; border-bottom: 1px solid #e3e7ec;
      white-space: nowrap; }
    th { font-weight: 500; color: #59636e; }
    .number { text-align: right; font-variant-numeric: tabular-nums; }
    code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 12px; }
    .key { width: 12px; height: 12px; margin-right: 8px; vertical-align: -1px; }
    @media (prefers-color-scheme: dark) {
      body { background: #0d1117; color: #e6edf3; }
      th, p { color: #9aa4af; }
      th, td { border-color: #21262d; } }
    """
  }
}
