// What was measured of a model, as text and as JSON.

import CheckpointCompiler

/// The figures of a model.
struct StepReport {
  /// One budget of ckc.
  struct Own {
    var budget: String
    var compileSeconds: Double
    var toolchainSeconds: Double
    var predictedMs: Double
    var times: StepTimes
    var arenaBytes: Int
    var writtenBytes: Int
  }

  /// One mode of a peer.
  struct Peer {
    var name: String
    var version: String
    var startSeconds: Double
    var times: StepTimes
    var stepBytes: Int?
    /// Our time over the peer's, for every budget.
    var ratios: [Double]
  }

  var model: BenchModel
  var threads: Int
  var peak: MachinePeak
  var curves: [Curve] = []
  /// What is wrong with the losses; no times then.
  var mismatches: [String] = []
  /// The peers that were not measured, and why.
  var remarks: [String] = []
  var own: [Own] = []
  var peers: [Peer] = []
  var kernels: KernelTable?

  // MARK: Text

  /// The losses, which come before any time.
  var lossText: String {
    var text = "\(model.name) (\(model.size.rawValue)), \(threads) threads\n"
    for curve in curves {
      let losses = curve.losses.map { pad(PlanBench.number($0, 6), 12) }.joined()
      let squares = curve.squaresOfStatistics ?? 0
      text += "  \(padded(curve.name, 28))\(losses)"
      text += squares > 0 ? "  statistics \(PlanBench.number(squares, 3))" : ""
      text += curve.name == curves[0].name ? "\n" : "  off by \(scientific(offset(curve)))\n"
    }
    for mismatch in mismatches { text += "  error: \(mismatch)\n" }
    return text + remarks.map { "  \($0)\n" }.joined()
  }

  private func offset(_ curve: Curve) -> Double {
    max(curves[0].difference(from: curve), curves[0].statisticsDifference(from: curve))
  }

  /// Times and memory.
  var timeText: String {
    var text = row(
      "budget", ["ckc s", "cc s", "predicted", "median ms", "min ms", "arena MB", "written"])
    for own in own {
      text += row(
        own.budget,
        [
          PlanBench.number(own.compileSeconds, 2), PlanBench.number(own.toolchainSeconds, 2),
          PlanBench.number(own.predictedMs, 2), PlanBench.number(own.times.median, 2),
          PlanBench.number(own.times.least, 2), megabytes(own.arenaBytes),
          megabytes(own.writtenBytes),
        ])
    }
    if let kernels {
      let share = 100 * kernels.contractionFlopsPerNs / peak.flopsPerNs
      text += "  contractions: \(PlanBench.number(kernels.contractionFlopsPerNs, 1)) GFLOP/s, "
      text += "\(PlanBench.number(share, 0)) % of the peak of "
      text += "\(PlanBench.number(peak.flopsPerNs, 1)); memory "
      text += "\(PlanBench.number(peak.bytesPerNs, 1)) GB/s\n"
      text += row(
        "kernels above 2 %", ["ms", "calls", "% of step", "GFLOP/s", "GB/s", "% of limit"])
      for kernel in kernels.rows {
        text += row(
          kernel.name,
          [
            PlanBench.number(kernel.ms, 2), "\(kernel.count)",
            PlanBench.number(100 * kernel.share, 1), PlanBench.number(kernel.flopsPerNs, 1),
            PlanBench.number(kernel.bytesPerNs, 1), PlanBench.number(100 * kernel.roofline, 0),
          ])
      }
    }
    if !peers.isEmpty {
      text += row(
        "peer", ["start s", "median ms", "min ms", "step MB"] + own.map { "/ \($0.budget)" })
    }
    for peer in peers {
      text += row(
        "\(peer.name) \(peer.version)",
        [
          PlanBench.number(peer.startSeconds, 1), PlanBench.number(peer.times.median, 2),
          PlanBench.number(peer.times.least, 2), peer.stepBytes.map(megabytes) ?? "-",
        ] + peer.ratios.map { PlanBench.number($0, 3) })
    }
    return text
  }

  private func row(_ first: String, _ cells: [String]) -> String {
    "  " + padded(first, 40) + cells.map { pad($0, 11) }.joined() + "\n"
  }

  private func pad(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - text.count)) + text
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }

  private func megabytes(_ bytes: Int) -> String { PlanBench.number(Double(bytes) / 1e6, 2) }

  private func scientific(_ number: Double) -> String {
    guard number > 0, number.isFinite else { return "\(number)" }
    return String(describing: Float(PlanBench.number(number, 12)) ?? Float(number))
  }
}

extension StepReport {
  /// The figures as JSON; times in milliseconds, rates in units per nanosecond.
  var json: JSONValue {
    .object([
      JSONMember("model", .string(model.name)), JSONMember("size", .string(model.size.rawValue)),
      JSONMember("threads", .integer(threads)),
      JSONMember("peakFlopsPerNs", .number(peak.flopsPerNs)),
      JSONMember("peakBytesPerNs", .number(peak.bytesPerNs)),
      JSONMember("losses", .array(curves.map(json))),
      JSONMember("mismatches", .array(mismatches.map { .string($0) })),
      JSONMember("remarks", .array(remarks.map { .string($0) })),
      JSONMember("ckc", .array(own.map(json))), JSONMember("peers", .array(peers.map(json))),
      JSONMember(
        "contractionFlopsPerNs", kernels.map { .number($0.contractionFlopsPerNs) } ?? .null),
      JSONMember("kernels", .array((kernels?.rows ?? []).map(json))),
    ])
  }

  private func json(_ curve: Curve) -> JSONValue {
    .object([
      JSONMember("name", .string(curve.name)),
      JSONMember("losses", .array(curve.losses.map { .number($0) })),
      JSONMember("squaresOfStatistics", curve.squaresOfStatistics.map { .number($0) } ?? .null),
    ])
  }

  private func json(_ own: Own) -> JSONValue {
    .object([
      JSONMember("budget", .string(own.budget)),
      JSONMember("ckcSeconds", .number(own.compileSeconds)),
      JSONMember("ccSeconds", .number(own.toolchainSeconds)),
      JSONMember("predictedMs", .number(own.predictedMs)),
      JSONMember("medianMs", .number(own.times.median)),
      JSONMember("minMs", .number(own.times.least)),
      JSONMember("arenaBytes", .integer(own.arenaBytes)),
      JSONMember("writtenBytes", .integer(own.writtenBytes)),
    ])
  }

  private func json(_ peer: Peer) -> JSONValue {
    .object([
      JSONMember("name", .string(peer.name)), JSONMember("version", .string(peer.version)),
      JSONMember("startSeconds", .number(peer.startSeconds)),
      JSONMember("medianMs", .number(peer.times.median)),
      JSONMember("minMs", .number(peer.times.least)),
      JSONMember("stepBytes", peer.stepBytes.map { .integer($0) } ?? .null),
      JSONMember("ratios", .array(peer.ratios.map { .number($0) })),
    ])
  }

  private func json(_ row: KernelTable.Row) -> JSONValue {
    .object([
      JSONMember("name", .string(row.name)), JSONMember("calls", .integer(row.count)),
      JSONMember("ms", .number(row.ms)), JSONMember("share", .number(row.share)),
      JSONMember("flopsPerNs", .number(row.flopsPerNs)),
      JSONMember("bytesPerNs", .number(row.bytesPerNs)),
      JSONMember("roofline", .number(row.roofline)),
    ])
  }
}
