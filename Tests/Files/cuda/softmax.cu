// Softmax of rows: a block for each row, shuffles within warps, shared memory between them. The row is
// kept in an arena between two kernels.

#include "preamble.h"

static __device__ __forceinline__ float warp_sum(float x) {
  for (int by = 16; by > 0; by /= 2) x += __shfl_xor_sync(0xffffffffu, x, by);
  return x;
}
static __device__ __forceinline__ float warp_max(float x) {
  for (int by = 16; by > 0; by /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, by));
  return x;
}

static __global__ void __launch_bounds__(128) exponentials(
  const float *__restrict__ x, float *__restrict__ e, float *__restrict__ sums, int columns) {
  __shared__ float parts[4];
  const int thread = int(threadIdx.x), lane = thread % 32, warp = thread / 32;
  const float *row = x + (size_t)blockIdx.x * columns;
  float largest = -INFINITY;
  for (int i = thread; i < columns; i += 128) largest = fmaxf(largest, row[i]);
  largest = warp_max(largest);
  if (lane == 0) parts[warp] = largest;
  __syncthreads();
  largest = fmaxf(fmaxf(parts[0], parts[1]), fmaxf(parts[2], parts[3]));
  __syncthreads();
  float sum = 0.0f;
  for (int i = thread; i < columns; i += 128) {
    const float value = expf(row[i] - largest);
    e[(size_t)blockIdx.x * columns + i] = value;
    sum += value;
  }
  sum = warp_sum(sum);
  if (lane == 0) parts[warp] = sum;
  __syncthreads();
  if (thread == 0) sums[blockIdx.x] = parts[0] + parts[1] + parts[2] + parts[3];
}

static __global__ void __launch_bounds__(128) quotients(
  const float *__restrict__ e, const float *__restrict__ sums, float *__restrict__ y, int columns) {
  const size_t row = (size_t)blockIdx.x * columns;
  for (int i = int(threadIdx.x); i < columns; i += 128) y[row + i] = e[row + i] / sums[blockIdx.x];
}

extern "C" int run(
  const float *x, float *y, int rows, int columns, void *arena, cudaStream_t stream) {
  const size_t bytes = (size_t)rows * columns * sizeof(float);
  int status = CKC_LAUNCH(
    exponentials, dim3(rows), dim3(128), 0, stream, x, (float *)CKC_PLACE(arena, 0, bytes),
    (float *)CKC_PLACE(arena, bytes, rows * sizeof(float)), columns);
  if (status != 0) return status;
  return CKC_LAUNCH(
    quotients, dim3(rows), dim3(128), 0, stream, (const float *)CKC_PLACE(arena, 0, bytes),
    (const float *)CKC_PLACE(arena, bytes, rows * sizeof(float)), y, columns);
}
