// Times of the kernels of an emitted step, by events around each.
//
// Method      The emitted text calls every kernel through the macro `CKC_RUN` unless that is defined
//             already: a header that nvcc includes first defines it so that an event is recorded before
//             and after. The text itself is the one that is timed as a whole.
// Invariants  A kernel inside of a loop counts for the loop.

extension DeviceStep {
  /// Compiles and loads a step whose kernels are timed.
  ///
  /// - Throws: What the compiler said, or why the device cannot be used.
  package static func profiled(
    _ compilation: Compilation, driver: CUDADriver, architecture: Int
  ) throws(ToolchainError) -> DeviceStep {
    try DeviceStep(
      compilation, driver: driver, architecture: architecture, sources: KernelEvents.sources,
      extraFlags: KernelEvents.flags)
  }

  /// The nanoseconds of every kernel in the last run, in their order.
  ///
  /// - Parameter count: The number of kernels.
  /// - Returns: Their times, gaps between launches not included.
  /// - Throws: An error where others were timed.
  /// - Precondition: The step is a profiled one.
  package func kernelNs(count: Int) throws(ToolchainError) -> [Double] {
    let times: KernelEvents.Times
    do {
      times = unsafeBitCast(
        try library.symbol("ckc_kernel_times"), to: KernelEvents.Times.self)
    } catch {
      throw ToolchainError("\(error)")
    }
    var ns = Array(repeating: 0.0, count: count)
    let timed = Int(times(&ns, Int32(count)))
    guard timed == count else { throw ToolchainError("\(timed) of \(count) kernels were timed") }
    return ns
  }
}

/// The files that are compiled with a step to time its kernels.
package enum KernelEvents {
  package static let flags = ["-DCKC_PROFILE", "-include", "ckc_events.h"]
  package static let sources = [
    (name: "ckc_events.h", text: header), (name: "ckc_events.cu", text: source),
  ]

  /// `int ckc_kernel_times(double *ns, int count)`: the number of kernels since the last call.
  typealias Times = @convention(c) (UnsafeMutablePointer<Double>, Int32) -> Int32

  private static let header = """
    #pragma once

    #include <cuda_runtime.h>

    extern "C" {
    void ckc_kernel_starts(cudaStream_t stream);
    void ckc_kernel_ends(cudaStream_t stream);
    int ckc_kernel_times(double *ns, int count);
    }

    #undef CKC_RUN
    #define CKC_RUN(call)               \\
      do {                              \\
        ckc_kernel_starts(stream);      \\
        const int error = (call);       \\
        ckc_kernel_ends(stream);        \\
        if (error != 0) return error;   \\
      } while (0)

    """

  private static let source = """
    #include "ckc_events.h"

    #include <vector>

    static std::vector<cudaEvent_t> events;
    static size_t used;
    static int depth;

    static void record(cudaStream_t stream) {
      if (used == events.size()) {
        cudaEvent_t event;
        if (cudaEventCreate(&event) != cudaSuccess) return;
        events.push_back(event);
      }
      if (cudaEventRecord(events[used], stream) == cudaSuccess) used++;
    }

    void ckc_kernel_starts(cudaStream_t stream) {
      if (depth++ == 0) record(stream);
    }

    void ckc_kernel_ends(cudaStream_t stream) {
      if (--depth == 0) record(stream);
    }

    int ckc_kernel_times(double *ns, int count) {
      const int kernels = (int)(used / 2);
      for (int i = 0; i < kernels && i < count; i++) {
        float milliseconds = 0;
        if (cudaEventElapsedTime(&milliseconds, events[2 * i], events[2 * i + 1]) != cudaSuccess) {
          return -1;
        }
        ns[i] = milliseconds * 1e6;
      }
      used = 0;
      return kernels;
    }

    """
}
