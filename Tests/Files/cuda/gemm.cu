// C = A B in f32: tiles of 32 x 32, four results for each thread, two buffers in shared memory.

#include "preamble.h"

#define TILE 32
#define DEPTH 8

static __global__ void __launch_bounds__(256) gemm(
  const float *__restrict__ a, const float *__restrict__ b, float *__restrict__ c, int rows,
  int columns, int depth) {
  __shared__ __align__(16) float left[2][DEPTH][TILE + 4];
  __shared__ __align__(16) float right[2][DEPTH][TILE];
  const int thread = int(threadIdx.x), row0 = int(blockIdx.y) * TILE, column0 = int(blockIdx.x) * TILE;
  const int row = thread / 8, column = thread % 8 * 4;
  const int steps = (depth + DEPTH - 1) / DEPTH;
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int step = 0; step <= steps; ++step) {
    if (step < steps) {
      const int r = row0 + thread / DEPTH, k = step * DEPTH + thread % DEPTH;
      left[step % 2][thread % DEPTH][thread / DEPTH] =
        r < rows && k < depth ? a[(size_t)r * depth + k] : 0.0f;
      const int k2 = step * DEPTH + thread / TILE, n = column0 + thread % TILE;
      right[step % 2][thread / TILE][thread % TILE] =
        k2 < depth && n < columns ? b[(size_t)k2 * columns + n] : 0.0f;
    }
    if (step > 0) {
      const int buffer = (step - 1) % 2;
      for (int k = 0; k < DEPTH; ++k) {
        const float x = left[buffer][k][row];
        const float4 y = *reinterpret_cast<const float4 *>(&right[buffer][k][column]);
        sum[0] = fmaf(x, y.x, sum[0]);
        sum[1] = fmaf(x, y.y, sum[1]);
        sum[2] = fmaf(x, y.z, sum[2]);
        sum[3] = fmaf(x, y.w, sum[3]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    if (row0 + row < rows && column0 + column + i < columns) {
      c[(size_t)(row0 + row) * columns + column0 + column + i] = sum[i];
    }
  }
}

extern "C" int run(
  const float *a, const float *b, float *c, int rows, int columns, int depth, cudaStream_t stream) {
  const dim3 grid(unsigned(columns + TILE - 1) / TILE, unsigned(rows + TILE - 1) / TILE);
  return CKC_LAUNCH(gemm, grid, dim3(256), 0, stream, a, b, c, rows, columns, depth);
}
