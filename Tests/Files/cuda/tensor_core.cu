// C = A B^T of bf16 by tensor cores, a tile of 16 x 8 for each warp; the tiles of A and B are copied
// asynchronously while the ones before are used. A is [rows, depth], B is [columns, depth], and all
// extents are multiples of 16.

#include "preamble.h"

static __global__ void __launch_bounds__(32) product(
  const uint16_t *__restrict__ a, const uint16_t *__restrict__ b, float *__restrict__ c,
  int columns, int depth) {
  __shared__ __align__(16) uint16_t left[2][16][24];
  __shared__ __align__(16) uint16_t right[2][8][24];
  const int lane = int(threadIdx.x), group = lane / 4, pair = lane % 4 * 2;
  const int row0 = int(blockIdx.y) * 16, column0 = int(blockIdx.x) * 8, steps = depth / 16;
  float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int step = 0; step <= steps; ++step) {
    if (step < steps) {
      const int r = lane / 2, k = lane % 2 * 8;
      ckc_cp_async16(&left[step % 2][r][k], a + (size_t)(row0 + r) * depth + step * 16 + k);
      if (lane < 16) {
        ckc_cp_async16(&right[step % 2][r][k], b + (size_t)(column0 + r) * depth + step * 16 + k);
      }
    }
    ckc_cp_async_commit();
    ckc_cp_async_wait(1);
    __syncwarp();
    if (step > 0) {
      const int buffer = (step - 1) % 2;
      uint32_t x[4], y[2];
      x[0] = *reinterpret_cast<const uint32_t *>(&left[buffer][group][pair]);
      x[1] = *reinterpret_cast<const uint32_t *>(&left[buffer][group + 8][pair]);
      x[2] = *reinterpret_cast<const uint32_t *>(&left[buffer][group][pair + 8]);
      x[3] = *reinterpret_cast<const uint32_t *>(&left[buffer][group + 8][pair + 8]);
      y[0] = *reinterpret_cast<const uint32_t *>(&right[buffer][group][pair]);
      y[1] = *reinterpret_cast<const uint32_t *>(&right[buffer][group][pair + 8]);
      ckc_mma_m16n8k16_bf16(sum, x, y);
    }
    __syncwarp();
  }
  for (int i = 0; i < 4; ++i) {
    c[(size_t)(row0 + group + i / 2 * 8) * columns + column0 + pair + i % 2] = sum[i];
  }
}

extern "C" int run(
  const uint16_t *a, const uint16_t *b, float *c, int rows, int columns, int depth,
  cudaStream_t stream) {
  return CKC_LAUNCH(
    product, dim3(unsigned(columns / 8), unsigned(rows / 16)), dim3(32), 0, stream, a, b, c, columns,
    depth);
}
