// What a stage made, as text: IR, which can be read back, or the emitted C.

extension Compilation {
  /// The result of a stage as text; nil where the stage has not run.
  public func text(after stage: Stage) -> String? {
    switch stage {
    case .parsed: return Printer.print(module)
    case .differentiated: return differentiated.map { Printer.print($0) }
    case .simplified: return simplified.map { Printer.print($0) }
    case .kernels: return grouped.map { Printer.print($0) + kernelTexts }
    case .planned: return step.map { Printer.print($0.function) }
    case .memory: return step.map { Printer.print($0.function) + $0.bufferTables }
    case .schedule: return program?.scheduleText
    case .code: return program == nil ? nil : source
    }
  }
}

extension PlannedStep {
  /// The buffers of the arenas of functions that loops and branches call, and of the step.
  fileprivate var bufferTables: String {
    var text = ""
    for callee in function.callees {
      if let routine = callee.routine { text += "\n// @\(callee.name)\n" + routine.bufferTable }
    }
    return text + "\n" + (text.isEmpty ? "" : "// @\(function.name)\n") + bufferTable
  }

  /// Every buffer of the arena, one a line, as comments of the IR.
  var bufferTable: String {
    let tenants = assignment.tenants
    var rows: [[String]] = [["offset", "bytes", "kernels", "buffer"]]
    for tenant in tenants {
      let over = tenant.predecessor.map { ", written over %\(tenants[$0].life.name)" } ?? ""
      rows.append([
        "\(packed.offsets[tenant.buffer])", "\(tenant.life.sizeBytes)",
        "\(tenant.life.lower)…\(tenant.life.upper - 1)", "%\(tenant.life.name)\(over)",
      ])
    }
    var text = "// arena: \(arenaBytes) bytes, \(peakLiveBytes) of them alive at the peak\n"
    for line in alignedColumns(rows, rightAligned: [true, true, true, false]) {
      text += "// \(line)\n"
    }
    return text
  }
}

/// Rows of cells as lines with columns of equal width; no line ends in spaces.
package func alignedColumns(_ rows: [[String]], rightAligned: [Bool]) -> [String] {
  var widths = Array(repeating: 0, count: rightAligned.count)
  for row in rows {
    for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
  }
  return rows.map { row in
    var line = ""
    for (column, cell) in row.enumerated() {
      if column > 0 { line += "  " }
      let space = String(repeating: " ", count: widths[column] - cell.count)
      line += rightAligned[column] ? space + cell : cell + space
    }
    while line.last == " " { line.removeLast() }
    return line
  }
}
