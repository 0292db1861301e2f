// What a device can do at most: multiply-adds by type and memory traffic, measured.
//
// Method      A CUDA program: chains of fused multiply-adds of f32 and f64, chains of products of bf16
//             on tensor cores, and a sum of two arrays, too large for the cache, into a third. The best
//             of several runs counts, timed by events.

import CheckpointCompiler

/// The limits of a device.
struct DevicePeak {
  /// Operations per nanosecond, two for each multiply-add.
  var flopsPerNs: Double
  var doubleFlopsPerNs: Double
  /// Products of bf16 on tensor cores.
  var tensorFlopsPerNs: Double
  /// Bytes read and written per nanosecond.
  var bytesPerNs: Double

  /// Measures.
  ///
  /// - Parameters:
  ///   - driver: The CUDA compiler.
  ///   - device: The device.
  ///   - isBrief: Whether a glance is enough, as it is for an emulation.
  /// - Throws: What the compiler or the program says.
  init(_ driver: CUDADriver, _ device: CUDADevice, isBrief: Bool) throws(BenchError) {
    let counts =
      isBrief
      ? (rounds: 4, blocks: 1, elements: 4096)
      : (rounds: 20_000, blocks: 8 * device.multiprocessors, elements: 1 << 27)
    let numbers = try CUDAProgram(driver, device, name: "peak", text: Self.source).numbers(
      ["\(counts.rounds)", "\(counts.blocks)", "\(counts.elements)"])
    guard numbers.count == 4 else { throw BenchError(message: "the device was not measured") }
    (flopsPerNs, doubleFlopsPerNs) = (numbers[0], numbers[1])
    (tensorFlopsPerNs, bytesPerNs) = (numbers[2], numbers[3])
  }

  /// The least time for a kernel's work.
  func leastNs(_ work: KernelWork) -> Double {
    let products: Double =
      switch work.productDType {
      case .bf16, .f16: tensorFlopsPerNs
      case .f64: doubleFlopsPerNs
      default: flopsPerNs
      }
    return max(
      work.contractionFlops / products + work.loopFlops / flopsPerNs,
      Double(work.bytes) / bytesPerNs)
  }

  static let source = """
    #include <cuda_runtime.h>
    #include <math.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>

    #ifndef CKC_EMU
    #define CKC_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \\
      (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
    static __device__ __forceinline__ void ckc_mma_m16n8k16_bf16(
        float d[4], const uint32_t a[4], const uint32_t b[2]) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\\n"
          : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    #endif
    #define TRY(call)                                                      \\
      do {                                                                 \\
        const cudaError_t error = (call);                                  \\
        if (error != cudaSuccess) {                                        \\
          fprintf(stderr, "%s\\n", cudaGetErrorString(error));             \\
          return 1;                                                        \\
        }                                                                  \\
      } while (0)

    enum { THREADS = 256, CHAINS = 8 };

    __global__ void __launch_bounds__(THREADS) chains_f32(float *out, int rounds, float factor) {
      float sums[CHAINS];
      for (int c = 0; c < CHAINS; c++) sums[c] = factor * (float)(c + 1);
      for (int round = 0; round < rounds; round++) {
        for (int c = 0; c < CHAINS; c++) sums[c] = fmaf(sums[c], factor, 1.0f);
      }
      for (int c = 1; c < CHAINS; c++) sums[0] += sums[c];
      out[blockIdx.x * THREADS + threadIdx.x] = sums[0];
    }

    __global__ void __launch_bounds__(THREADS) chains_f64(float *out, int rounds, float factor) {
      double sums[CHAINS];
      for (int c = 0; c < CHAINS; c++) sums[c] = (double)factor * (c + 1);
      for (int round = 0; round < rounds; round++) {
        for (int c = 0; c < CHAINS; c++) sums[c] = fma(sums[c], (double)factor, 1.0);
      }
      for (int c = 1; c < CHAINS; c++) sums[0] += sums[c];
      out[blockIdx.x * THREADS + threadIdx.x] = (float)sums[0];
    }

    __global__ void __launch_bounds__(THREADS) chains_bf16(float *out, int rounds, float factor) {
      float sums[CHAINS][4];
      uint32_t bits;
      memcpy(&bits, &factor, sizeof bits);
      const uint32_t pair = (bits & 0xffff0000u) | bits >> 16;
      const uint32_t a[4] = {pair, pair, pair, pair}, b[2] = {pair, pair};
      for (int c = 0; c < CHAINS; c++) {
        for (int i = 0; i < 4; i++) sums[c][i] = 0;
      }
      for (int round = 0; round < rounds; round++) {
        for (int c = 0; c < CHAINS; c++) ckc_mma_m16n8k16_bf16(sums[c], a, b);
      }
      float sum = 0;
      for (int c = 0; c < CHAINS; c++) sum += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
      out[blockIdx.x * THREADS + threadIdx.x] = sum;
    }

    __global__ void __launch_bounds__(THREADS) add(
        const float4 *x, const float4 *y, float4 *z, int count) {
      const int i = (int)(blockIdx.x * THREADS + threadIdx.x);
      if (i < count) {
        const float4 a = x[i], b = y[i];
        z[i] = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
      }
    }

    int main(int argc, char **argv) {
      if (argc != 4) return 2;
      const int rounds = atoi(argv[1]), blocks = atoi(argv[2]), elements = atoi(argv[3]);
      const int vectors = elements / 4;
      float *out;
      float4 *x, *y, *z;
      cudaEvent_t start, end;
      TRY(cudaMalloc((void **)&out, sizeof(float) * (size_t)blocks * THREADS));
      TRY(cudaMalloc((void **)&x, sizeof(float4) * (size_t)vectors));
      TRY(cudaMalloc((void **)&y, sizeof(float4) * (size_t)vectors));
      TRY(cudaMalloc((void **)&z, sizeof(float4) * (size_t)vectors));
      TRY(cudaMemset(x, 0, sizeof(float4) * (size_t)vectors));
      TRY(cudaMemset(y, 0, sizeof(float4) * (size_t)vectors));
      TRY(cudaEventCreate(&start));
      TRY(cudaEventCreate(&end));
      const double threads = (double)blocks * THREADS;
      const double work[4] = {
          2.0 * CHAINS * rounds * threads, 2.0 * CHAINS * rounds * threads,
          /* A warp multiplies 16 x 16 by 16 x 8. */
          2.0 * 16 * 16 * 8 * CHAINS * rounds * threads / 32, 3.0 * sizeof(float4) * vectors};
      double best[4] = {0, 0, 0, 0};
      for (int run = 0; run < 8; run++) {
        for (int kind = 0; kind < 4; kind++) {
          const dim3 grid(kind == 3 ? (unsigned)((vectors + THREADS - 1) / THREADS) : (unsigned)blocks);
          TRY(cudaEventRecord(start, 0));
          if (kind == 0) TRY(CKC_LAUNCH(chains_f32, grid, dim3(THREADS), 0, 0, out, rounds, 0.5f));
          if (kind == 1) TRY(CKC_LAUNCH(chains_f64, grid, dim3(THREADS), 0, 0, out, rounds, 0.5f));
          if (kind == 2) TRY(CKC_LAUNCH(chains_bf16, grid, dim3(THREADS), 0, 0, out, rounds, 0.5f));
          if (kind == 3) TRY(CKC_LAUNCH(add, grid, dim3(THREADS), 0, 0, x, y, z, vectors));
          TRY(cudaEventRecord(end, 0));
          TRY(cudaEventSynchronize(end));
          float ms = 0;
          TRY(cudaEventElapsedTime(&ms, start, end));
          const double rate = work[kind] / ((double)ms * 1e6);
          if (ms > 0 && rate > best[kind]) best[kind] = rate;
        }
      }
      printf("%.3f %.3f %.3f %.3f\\n", best[0], best[1], best[2], best[3]);
      return 0;
    }

    """
}
