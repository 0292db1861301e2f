// y = a x + y with vectors of four and a scalar tail; threads stride over the grid.

#include "preamble.h"

static __global__ void __launch_bounds__(128) scale_add(
  const float *__restrict__ x, float *__restrict__ y, float a, int count) {
  const int quads = count / 4, stride = int(gridDim.x * blockDim.x);
  const int first = int(blockIdx.x * blockDim.x + threadIdx.x);
  for (int quad = first; quad < quads; quad += stride) {
    const float4 p = reinterpret_cast<const float4 *>(x)[quad];
    float4 q = reinterpret_cast<float4 *>(y)[quad];
    q = make_float4(fmaf(a, p.x, q.x), fmaf(a, p.y, q.y), fmaf(a, p.z, q.z), fmaf(a, p.w, q.w));
    reinterpret_cast<float4 *>(y)[quad] = q;
  }
  for (int i = 4 * quads + first; i < count; i += stride) y[i] = fmaf(a, x[i], y[i]);
}

extern "C" int run(const float *x, float *y, int count, cudaStream_t stream) {
  return CKC_LAUNCH(scale_add, dim3(3), dim3(128), 0, stream, x, y, 0.5f, count);
}
