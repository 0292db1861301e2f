// The progress of a long loop: a bar that redraws itself on a terminal, plain lines elsewhere.
//
// Problem     A person wants loss, speed and time left at a glance; a log wants few, whole lines.
// Method      On a terminal one line is redrawn, at most ten times a second, and parts are dropped
//             from the right where the terminal is narrow. Elsewhere a line is written for about
//             every twentieth of the work.
// Invariants  A line never exceeds the width of the terminal; the last state is always shown.

import Foundation

/// What a loop has reached.
struct Progress: Sendable, Equatable {
  /// What the loop does, such as `epoch 2/5`.
  var label: String
  /// Units done.
  var done: Int
  /// Units to do.
  var total: Int
  /// Seconds since the start.
  var seconds: Double
  /// Units per second.
  var rate: Double
  /// What the rate counts, such as `samples`.
  var unit: String
  /// Figures to show, such as `loss 0.1234`.
  var figures: [String]
}

extension Progress {
  /// Seconds to go, as far as one can tell.
  var secondsLeft: Double? {
    guard done > 0, done <= total, seconds > 0 else { return nil }
    return seconds / Double(done) * Double(total - done)
  }

  /// One line of at most `width` columns.
  ///
  /// Figures go first where there is little room, then the bar, then the time.
  func line(width: Int) -> String {
    let fraction = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
    let percent = "\(Int(fraction * 100))%"
    let count = "\(done)/\(total)"
    let speed = rate > 0 ? "\(Progress.describe(rate)) \(unit)/s" : ""
    let left = secondsLeft.map {
      done < total ? "\(Progress.clock($0)) left" : Progress.clock(seconds)
    }
    let essential = [label] + figures.prefix(1)
    let optional = [count, left ?? "", speed] + figures.dropFirst()
    var parts = essential
    let barWidth = 20
    for part in optional where !part.isEmpty {
      let length = (parts + [part]).joined(separator: "  ").count + percent.count + 2
      if length <= width { parts.append(part) }
    }
    let text = parts.dropFirst().joined(separator: "  ")
    let room = width - (label.count + 2 + percent.count + 2 + text.count)
    if room >= 12 {
      let bar = Progress.bar(fraction, width: min(barWidth, room - 2))
      return "\(label)  \(bar) \(percent)  \(text)"
    }
    let line = "\(label)  \(percent)  \(text)"
    return line.count <= width ? line : String(line.prefix(max(0, width)))
  }

  /// One line for a log: no bar, nothing dropped.
  var plainLine: String {
    var parts = [label, "\(done)/\(total)"] + figures
    if rate > 0 { parts.append("\(Progress.describe(rate)) \(unit)/s") }
    parts.append(Progress.clock(seconds))
    return parts.joined(separator: "  ")
  }

  private static func bar(_ fraction: Double, width: Int) -> String {
    let eighths = Int((fraction * Double(width * 8)).rounded(.down))
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    let full = eighths / 8
    let partial = full < width ? parts[eighths % 8] : ""
    let empty = width - full - (partial.isEmpty ? 0 : 1)
    return String(repeating: "█", count: full) + partial + String(repeating: "·", count: empty)
  }

  /// `3.2k`, `45`, `0.81`
  static func describe(_ value: Double) -> String {
    if value >= 999_500 { return rounded(value / 1e6) + "M" }
    if value >= 999.5 { return rounded(value / 1e3) + "k" }
    return rounded(value)
  }

  /// Three significant digits, at most two decimals.
  private static func rounded(_ value: Double) -> String {
    if value >= 99.95 { return String(Int(value.rounded())) }
    let digits = value >= 9.995 ? 10.0 : 100.0
    return String((value * digits).rounded() / digits)
  }

  /// `0:07`, `12:34`, `3:01:02`
  static func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e8 else { return "-:--" }
    let total = max(0, Int(seconds.rounded()))
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (hours, minutes, rest) = (total / 3600, total / 60 % 60, total % 60)
    return hours > 0 ? "\(hours):\(two(minutes)):\(two(rest))" : "\(minutes):\(two(rest))"
  }
}

/// Shows the progress of a loop on standard error.
final class ProgressBar {
  private let console: Console
  private var lastDrawn = -1.0
  private var lastDone = -1
  private var lineIsOpen = false

  init(console: Console) { self.console = console }

  /// Shows a state, if it is time to.
  ///
  /// - Parameters:
  ///   - progress: The state.
  ///   - isLast: Whether nothing follows; such a state is always shown.
  func update(_ progress: Progress, isLast: Bool = false) {
    if console.errorIsTerminal {
      guard isLast || progress.seconds - lastDrawn >= 0.1 || progress.done < lastDone else {
        return
      }
      lastDrawn = progress.seconds
      // One column stays free: some terminals wrap when the last one is written.
      console.printError("\r\u{1B}[2K" + progress.line(width: max(10, console.columns() - 1)))
      lineIsOpen = true
      if isLast { finishLine() }
    } else {
      let interval = max(1, progress.total / 20)
      guard
        isLast || lastDone < 0 || progress.done < lastDone || progress.done - lastDone >= interval
      else { return }
      console.printError(progress.plainLine + "\n")
    }
    lastDone = isLast ? -1 : progress.done
  }

  /// Ends the line of the bar, so that other text can follow.
  func finishLine() {
    if lineIsOpen { console.printError("\n") }
    lineIsOpen = false
  }
}
