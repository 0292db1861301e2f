// Training steps: their losses, times, memory and kernels, beside those of PyTorch and JAX.
//
// Method      All start from the same numbers. First everyone runs five steps, and the losses are
//             compared: times of a step that computes something else mean nothing. Then ours and each
//             peer's steps are timed in turns.
// Output      For each model the losses; a row for each budget; the contractions beside the measured
//             peak, and every kernel of more than 2 % beside its roofline, under the first budget; a
//             row for each peer with our time over its, for each budget.

import CheckpointCompiler
import Foundation

/// The benchmark of steps.
struct StepBench {
  private let arguments: StepBenchArguments
  private let driver: CompilerDriver
  private let interpreters: [PeerInterpreter]
  /// The interpreters that do not run.
  private var remarks: [String] = []

  init(_ arguments: StepBenchArguments) throws(BenchError) {
    self.arguments = arguments
    do {
      driver = try CompilerDriver(preferred: arguments.compiler)
    } catch {
      throw BenchError(message: "\(error)")
    }
    var interpreters: [PeerInterpreter] = []
    for path in arguments.interpreters ?? [] {
      do throws(BenchError) {
        interpreters.append(try PeerInterpreter(path: path))
      } catch {
        remarks.append("skipped: \(error.message)")
      }
    }
    self.interpreters = interpreters
    // A peer that ends is told by its answer, not by a signal to us.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Prints the figures; false where losses differ.
  func run() throws(BenchError) -> Bool {
    let peak = try MachinePeak(threads: arguments.threads, driver: driver)
    let folder = try temporaryFolder()
    let wide = interpreters.isEmpty ? nil : WideMKL.library(in: folder, driver: driver)
    var reports: [JSONValue] = []
    var agrees = true
    for network in arguments.networks {
      let model = BenchModel(network: network, size: arguments.size)
      var report = StepReport(model: model, threads: arguments.threads, peak: peak)
      report.remarks = remarks
      try measure(&report, preloads: wide)
      agrees = agrees && report.mismatches.isEmpty
      reports.append(report.json)
    }
    if arguments.printsJSON { print(JSONValue.array(reports).prettyText, terminator: "") }
    return agrees
  }

  private func measure(_ report: inout StepReport, preloads: String?) throws(BenchError) {
    let model = report.model
    let steps = try compiled(&report)
    let numbers = try self.numbers(model, steps[0])
    try compareOwn(&report, steps, numbers)
    let folder = try temporaryFolder()
    var peers: [PeerSubject] = []
    if arguments.interpreters != nil {
      try PeerFiles.write(model, numbers, threads: arguments.threads, into: folder)
      peers = comparePeers(&report, folder: folder.path, preloads: preloads)
    }
    show(report.lossText)
    guard report.mismatches.isEmpty else { return }

    for step in steps {
      // The arena that was not touched yet would cost its pages in the first step.
      let written = step.step.measuredArenaBytes()
      report.own.append(
        StepReport.Own(
          budget: step.budget.name, compileSeconds: step.compileSeconds,
          toolchainSeconds: step.toolchainSeconds,
          predictedMs: (step.compilation.step?.costNs ?? 0) / 1e6,
          times: try StepTimes(step, count: max(10, arguments.steps)),
          arenaBytes: step.step.arenaBytes, writtenBytes: written))
    }
    for peer in peers {
      do throws(BenchError) {
        let (times, ratios) = try StepTimes.alternating(
          steps, peer.started(), count: max(10, arguments.steps))
        report.peers.append(
          StepReport.Peer(
            name: peer.mode.name, version: peer.version, startSeconds: peer.startSeconds,
            times: times, stepBytes: peer.stepBytes, ratios: ratios))
      } catch {
        show("  \(peer.mode.name) failed: \(error.message)\n")
      }
    }
    let profiled = try ModelStep(
      model, steps[0].budget, threads: arguments.threads, driver: driver,
      defines: ["CKC_PROFILE"])
    numbers.start(profiled.step)
    report.kernels = KernelTable(profiled, peak: report.peak, seconds: 3)
    show(report.timeText + "\n")
  }

  /// The model under every budget for which there is a plan.
  ///
  /// - Throws: Why there is no step under any of them.
  private func compiled(_ report: inout StepReport) throws(BenchError) -> [ModelStep] {
    var steps: [ModelStep] = []
    var failure: BenchError?
    for budget in arguments.budgets {
      do throws(BenchError) {
        steps.append(
          try ModelStep(report.model, budget, threads: arguments.threads, driver: driver))
      } catch {
        failure = failure ?? error
        let line = error.message.split(separator: "\n").first.map(String.init) ?? ""
        report.remarks.append("budget \(budget.name) skipped: \(line)")
      }
    }
    if steps.isEmpty, let failure { throw failure }
    return steps
  }

  private func temporaryFolder() throws(BenchError) -> TemporaryDirectory {
    do {
      return try TemporaryDirectory()
    } catch {
      throw BenchError(message: error.description)
    }
  }

  private func numbers(_ model: BenchModel, _ step: ModelStep) throws(BenchError) -> ModelNumbers {
    guard let folder = arguments.numbers else { return ModelNumbers(model, for: step.function) }
    return try ModelNumbers(
      file: "\(folder)/\(model.name).npz", model.text, for: step.function)
  }

  /// Our losses under every budget, and those that the model must have.
  private func compareOwn(
    _ report: inout StepReport, _ steps: [ModelStep], _ numbers: ModelNumbers
  ) throws(BenchError) {
    for step in steps {
      let curve = Curve(
        name: "ckc \(step.budget.name)", losses: try step.losses(from: numbers),
        squaresOfStatistics: step.squaresOfStatistics)
      if let first = report.curves.first,
        first.losses != curve.losses || first.squaresOfStatistics != curve.squaresOfStatistics
      {
        report.mismatches.append("\(curve.name) has other bits than \(first.name)")
      }
      report.curves.append(curve)
    }
    let reference =
      try arguments.numbers.map { folder throws(BenchError) in
        try Curve(of: report.model, inFolder: folder)
      } ?? Curve(of: report.model)
    if let reference { compare(&report, reference) }
  }

  /// Compares the losses of a peer or a reference with ours.
  private func compare(_ report: inout StepReport, _ curve: Curve) {
    if !report.curves[0].agrees(with: curve, tolerance: report.model.tolerance) {
      report.mismatches.append(
        "the losses of \(curve.name) differ by more than \(report.model.tolerance)")
    }
    report.curves.append(curve)
  }

  /// The losses of all peers that are there.
  private func comparePeers(
    _ report: inout StepReport, folder: String, preloads: String?
  ) -> [PeerSubject] {
    var peers: [PeerSubject] = []
    for library in [PeerMode.Library.torch, .jax] {
      let modes = PeerMode.modes(of: report.model.network, named: arguments.modes)
        .filter { $0.library == library }
      guard !modes.isEmpty else { continue }
      guard let interpreter = interpreters.first(where: { $0.libraries.contains(library) }) else {
        let paths = (arguments.interpreters ?? []).joined(separator: ", ")
        report.remarks.append("skipped: \(library.rawValue) not found in \(paths)")
        continue
      }
      for mode in modes {
        if mode.isWide, preloads == nil { continue }
        do throws(BenchError) {
          let peer = try PeerSubject(
            mode, interpreter, folder: folder, threads: arguments.threads,
            preloads: mode.isWide ? preloads : nil)
          compare(&report, peer.curve)
          peers.append(peer)
        } catch {
          report.remarks.append("\(mode.name) failed: \(error.message)")
        }
      }
    }
    return peers
  }

  /// Prints at once, unless JSON is to be the only output.
  private func show(_ text: String) {
    guard !arguments.printsJSON else { return }
    print(text, terminator: "")
    fflush(nil)
  }
}
