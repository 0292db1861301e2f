// What this machine can do at most: multiply-adds and memory traffic, measured.
//
// Method      A C program, compiled as the steps are: chains of fused multiply-adds in as many vector
//             registers as hide their latency, and a sum of two arrays too large for any cache into a
//             third. The best of several runs counts, since others may use the machine.

import CheckpointCompiler

/// The limits of the machine with a number of threads.
struct MachinePeak {
  /// Floating-point operations per nanosecond, two for each multiply-add.
  var flopsPerNs: Double
  /// Bytes read and written per nanosecond.
  var bytesPerNs: Double

  /// Measures.
  ///
  /// - Throws: What the C compiler or the program says.
  init(threads: Int, driver: CompilerDriver) throws(BenchError) {
    do {
      let directory = try TemporaryDirectory()
      try writeFileAtomically(Array(Self.source.utf8), to: directory.file("peak.c"))
      let program = directory.file("peak")
      // Contraction is what is measured here; the flag comes last and wins.
      try driver.compile(
        [directory.file("peak.c")], to: program, as: .executable,
        extraFlags: ["-ffp-contract=fast"])
      let result = try Subprocess.run([program], environment: ["OMP_NUM_THREADS": "\(threads)"])
      let words = String(decoding: result.standardOutput, as: UTF8.self).split(separator: " ")
      guard result.isSuccess, words.count == 2, let flops = Double(words[0]),
        let bytes = Double(words[1])
      else {
        throw BenchError(message: "the measurement of the machine ends with \(result.status)")
      }
      (flopsPerNs, bytesPerNs) = (flops, bytes)
    } catch let error as BenchError {
      throw error
    } catch {
      throw BenchError(message: "\(error)")
    }
  }

  private static let source = """
    #define _POSIX_C_SOURCE 200809L
    #include <stdio.h>
    #include <stdlib.h>
    #include <time.h>

    #if defined(__AVX512F__)
    #define BYTES 64
    #elif defined(__AVX__)
    #define BYTES 32
    #else
    #define BYTES 16
    #endif
    enum { LANES = BYTES / 4, CHAINS = 12 };
    typedef float vector __attribute__((vector_size(BYTES)));

    static double now(void) {
      struct timespec t;
      clock_gettime(CLOCK_MONOTONIC, &t);
      return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
    }

    static float multiply_adds(long rounds, float factor) {
      vector sums[CHAINS], a = {0}, b = {0};
      a += factor;
      b += 1.0f - factor;
      for (int chain = 0; chain < CHAINS; chain++) sums[chain] = a + (float)chain;
      for (long round = 0; round < rounds; round++)
        for (int chain = 0; chain < CHAINS; chain++) sums[chain] = sums[chain] * a + b;
      for (int chain = 1; chain < CHAINS; chain++) sums[0] += sums[chain];
      float sum = 0;
      for (int lane = 0; lane < LANES; lane++) sum += sums[0][lane];
      return sum;
    }

    int main(void) {
      const long rounds = 4000000, elements = 16L << 20;
      float *x = malloc(sizeof(float) * (size_t)elements), *y = malloc(sizeof(float) * (size_t)elements);
      float *z = malloc(sizeof(float) * (size_t)elements), sink = 0;
      if (!x || !y || !z) return 1;
    #pragma omp parallel for schedule(static)
      for (long i = 0; i < elements; i++) x[i] = y[i] = z[i] = 1;
      double flops = 0, bytes = 0;
      for (int run = 0; run < 12; run++) {
        long threads = 0;
        double start = now();
    #pragma omp parallel reduction(+ : threads, sink)
        {
          threads += 1;
          sink += multiply_adds(rounds, 0.5f);
        }
        const double rate = 2.0 * LANES * CHAINS * (double)rounds * (double)threads / (now() - start);
        if (rate > flops) flops = rate;
        start = now();
    #pragma omp parallel for schedule(static)
        for (long i = 0; i < elements; i++) z[i] = x[i] + y[i];
        const double traffic = 3.0 * sizeof(float) * (double)elements / (now() - start);
        if (traffic > bytes) bytes = traffic;
      }
      printf("%.3f %.3f", flops, bytes + 1e-30 * (double)(sink + z[elements / 2]));
      return 0;
    }

    """
}
