// The kernels of a step beside the limits of the machine.
//
// Roofline    The larger of operations over peak and bytes over bandwidth is the least time a kernel
//             could take; its share of the measured time is what is reached. Bytes that a kernel finds
//             in a cache are counted as traffic too, so small kernels may exceed the bandwidth.

import CheckpointCompiler

/// The measured kernels of a step.
struct KernelTable {
  /// All kernels of one kind.
  struct Row {
    var name: String
    var count: Int
    /// Milliseconds of all of them in one step.
    var ms: Double
    /// Of the step's kernels.
    var share: Double
    var flopsPerNs: Double
    var bytesPerNs: Double
    /// The least possible time over the measured one.
    var roofline: Double
  }

  /// The kinds that take more than 2 % of the step, longest first.
  private(set) var rows: [Row] = []
  /// The operations per nanosecond of the kernels that hold contractions; 0 without any.
  private(set) var contractionFlopsPerNs = 0.0

  /// Profiles a step.
  ///
  /// - Precondition: It was compiled with `CKC_PROFILE`, and has its numbers.
  init(_ step: ModelStep, peak: MachinePeak, seconds: Double) {
    let target = step.compilation.options.target
    self.init(kernelTimes(of: step.step, target: target, seconds: seconds) {}) { work in
      let flops = work.contractionFlops + work.loopFlops
      return max(flops / peak.flopsPerNs, Double(work.bytes) / peak.bytesPerNs)
    }
  }

  /// A table of measured kernels.
  ///
  /// - Parameters:
  ///   - times: The kinds of kernels.
  ///   - leastNs: The least time in which the machine could do a kernel's work.
  init(_ times: [KernelTime], leastNs: (KernelWork) -> Double) {
    let total = times.reduce(0) { $0 + $1.measuredNs * Double($1.count) }
    var contractionNs = 0.0
    var contractionFlops = 0.0
    for kind in times {
      let ns = kind.measuredNs * Double(kind.count)
      if kind.work.contractionFlops > 0 {
        contractionNs += ns
        contractionFlops += kind.work.contractionFlops * Double(kind.count)
      }
      guard ns > 0.02 * total, kind.measuredNs > 0 else { continue }
      let flops = kind.work.contractionFlops + kind.work.loopFlops
      let bytes = Double(kind.work.bytes)
      rows.append(
        Row(
          name: "\(kind.key) %\(kind.name)", count: kind.count, ms: ns / 1e6, share: ns / total,
          flopsPerNs: flops / kind.measuredNs, bytesPerNs: bytes / kind.measuredNs,
          roofline: leastNs(kind.work) / kind.measuredNs))
    }
    rows.sort { ($0.ms, $1.name) > ($1.ms, $0.name) }
    if contractionNs > 0 { contractionFlopsPerNs = contractionFlops / contractionNs }
  }
}
