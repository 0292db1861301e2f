// What emitted code starts with, for the kernels of these tests: nvcc's meaning of the macros that the
// emulation defines itself.

#pragma once

#include <cuda_runtime.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef CKC_EMU
#define CKC_LAUNCH(kernel, grid, block, shared, stream, ...) \
  (kernel<<<(grid), (block), (shared), (stream)>>>(__VA_ARGS__), cudaGetLastError())
#define CKC_DYN_SMEM(T, name) extern __shared__ __align__(16) unsigned char ckc_dynamic[]; \
  T *name = reinterpret_cast<T *>(ckc_dynamic)
#define CKC_PLACE(arena, offset, bytes) ((void *)((unsigned char *)(arena) + (offset)))

static __device__ __forceinline__ void ckc_mma_m16n8k16_bf16(
  float d[4], const uint32_t a[4], const uint32_t b[2]) {
  asm volatile(
    "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
    "{%0,%1,%2,%3};"
    : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
    : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
static __device__ __forceinline__ void ckc_cp_async16(void *shared, const void *global) {
  const unsigned address = (unsigned)__cvta_generic_to_shared(shared);
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
static __device__ __forceinline__ void ckc_cp_async_commit() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
#define ckc_cp_async_wait(count) asm volatile("cp.async.wait_group %0;" ::"n"(count) : "memory")
#endif
