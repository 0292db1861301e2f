// What all drawings share: numbers, escapes, scales and colours of SVG text.

/// SVG text under construction.
struct SVGText {
  /// The elements so far.
  private(set) var body = ""

  /// Adds an element or any markup.
  mutating func add(_ markup: String) { body += markup + "\n" }

  /// Adds a line of text.
  ///
  /// - Parameters:
  ///   - content: The text, not yet escaped.
  ///   - x: The anchor.
  ///   - y: The base line.
  ///   - style: Class names that set size and colour.
  ///   - anchor: `start`, `middle` or `end`.
  mutating func text(
    _ content: String, x: Double, y: Double, style: String, anchor: String = "start"
  ) {
    let alignment = anchor == "start" ? "" : " text-anchor=\"\(anchor)\""
    add(
      "<text x=\"\(svgNumber(x))\" y=\"\(svgNumber(y))\" class=\"\(style)\"\(alignment)>"
        + "\(xmlEscaped(content))</text>")
  }

  /// Lines across a drawing at round percentages from 0 to `highest`, a fraction; `y` places one.
  mutating func percentLines(
    upTo highest: Double, from left: Double, to right: Double, y: (Double) -> Double
  ) {
    let step = roundTick(upTo: highest * 100, count: 6)
    var percent = 0.0
    while percent / 100 <= highest {
      let place = y(percent / 100)
      add(
        "<path d=\"M\(svgNumber(left)) \(svgNumber(place))H\(svgNumber(right))\" class=\"grid\"/>")
      text(
        percent == 0 ? "0 %" : "+\(decimalText(percent)) %", x: left - 10, y: place + 4,
        style: "muted small", anchor: "end")
      percent += step
    }
  }

  /// The whole drawing.
  func document(width: Double, height: Double, title: String) -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(svgNumber(width)) \(svgNumber(height))" \
    width="\(svgNumber(width))" height="\(svgNumber(height))" role="img" class="ckc">
    <title>\(xmlEscaped(title))</title>
    <style>
    \(SVGText.style)
    </style>
    <rect class="page" width="100%" height="100%"/>
    \(body)</svg>

    """
  }

  /// Colours for light and dark screens, and the styles of text and lines.
  static let style = """
    .ckc { --page: #ffffff; --ink: #1f2328; --muted: #59636e; --grid: #e3e7ec; --frame: #c3cad2;
      --kept: #2f6fc4; --on-kept: #ffffff; --dropped: #f6c98f; --on-dropped: #5c3a0c;
      --recomputed: #e07b2a; --on-recomputed: #ffffff; --forward: #ccd3da; --on-forward: #39424c;
      --backward: #a9cfbd; --on-backward: #1d4534; --scratch: #cdbfe6; --on-scratch: #43306b;
      --budget: #cf222e; --live: #1f2328;
      font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
    @media (prefers-color-scheme: dark) {
      .ckc { --page: #0d1117; --ink: #e6edf3; --muted: #9aa4af; --grid: #21262d; --frame: #3d444d;
        --kept: #3f83dd; --on-kept: #ffffff; --dropped: #7a5526; --on-dropped: #f8dfbd;
        --recomputed: #e08438; --on-recomputed: #1b0f02; --forward: #3a424c; --on-forward: #c9d1d9;
        --backward: #2c5a48; --on-backward: #c5e6d7; --scratch: #54427e; --on-scratch: #e2d8f5;
        --budget: #ff7b72; --live: #e6edf3; } }
    .ckc .page { fill: var(--page); }
    .ckc text { fill: var(--ink); font-size: 12px; }
    .ckc .title { font-size: 18px; font-weight: 600; }
    .ckc .panel { font-size: 13px; font-weight: 600; }
    .ckc .muted { fill: var(--muted); }
    .ckc .small { font-size: 11px; }
    .ckc .strong { font-weight: 600; }
    .ckc .red { fill: var(--budget); }
    .ckc .grid { stroke: var(--grid); stroke-width: 1; }
    .ckc .frame { stroke: var(--frame); stroke-width: 1; fill: none; }
    .ckc .turn { stroke: var(--muted); stroke-width: 1; stroke-dasharray: 2 3; }
    .ckc .budget { stroke: var(--budget); stroke-width: 1.5; stroke-dasharray: 7 4; fill: none; }
    .ckc .live { stroke: var(--live); stroke-width: 1.5; fill: none; stroke-linejoin: round; }
    .ckc .halo { stroke: var(--page); stroke-width: 3.5; fill: none; stroke-linejoin: round;
      opacity: 0.6; }
    .ckc .block { stroke: var(--page); stroke-width: 0.75; }
    .ckc .name { font-size: 10px; font-family: ui-monospace, "DejaVu Sans Mono", monospace;
      pointer-events: none; }
    .ckc .kept { fill: var(--kept); } .ckc .on-kept { fill: var(--on-kept); }
    .ckc .dropped { fill: var(--dropped); } .ckc .on-dropped { fill: var(--on-dropped); }
    .ckc .recomputed { fill: var(--recomputed); } .ckc .on-recomputed { fill: var(--on-recomputed); }
    .ckc .forward { fill: var(--forward); } .ckc .on-forward { fill: var(--on-forward); }
    .ckc .backward { fill: var(--backward); } .ckc .on-backward { fill: var(--on-backward); }
    .ckc .scratch { fill: var(--scratch); } .ckc .on-scratch { fill: var(--on-scratch); }
    .ckc .curve { stroke: var(--kept); stroke-width: 2; fill: none; stroke-linejoin: round; }
    .ckc .point { fill: var(--kept); stroke: var(--page); stroke-width: 1.5; }
    .ckc .beaten { fill: var(--page); stroke: var(--kept); stroke-width: 1.5; }
    """
}

/// A coordinate with at most two decimals.
func svgNumber(_ value: Double) -> String { decimalText(value, digits: 2) }

/// Text as the content of an element or attribute.
func xmlEscaped(_ text: String) -> String {
  var out = ""
  for character in text {
    switch character {
    case "&": out += "&amp;"
    case "<": out += "&lt;"
    case ">": out += "&gt;"
    case "\"": out += "&quot;"
    default: out.append(character)
    }
  }
  return out
}

/// About how wide a text is on the screen, in units of its font size.
///
/// Fonts differ; the estimate is a little wide, so that what is placed by it does not overlap.
func textWidth(_ text: String, size: Double) -> Double { Double(text.count) * size * 0.62 }

/// The distance of about `count` round marks between 0 and `limit`, a power of two of bytes.
func byteTick(upTo limit: Int, count: Int) -> Int {
  var tick = 1
  while limit / tick > count, tick < 1 << 60 { tick *= 2 }
  return tick
}

/// The distance of at most `count` round marks between 0 and `limit`: 1, 2 or 5 times a power of ten.
func roundTick(upTo limit: Double, count: Int) -> Double {
  guard limit > 0 else { return 1 }
  var tick = 1.0
  while tick * 10 * Double(count) < limit { tick *= 10 }
  while tick * Double(count) >= limit * 10 { tick /= 10 }
  for factor in [1.0, 2, 5] where tick * factor * Double(count) >= limit { return tick * factor }
  return tick * 10
}
