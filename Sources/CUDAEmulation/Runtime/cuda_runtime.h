// The CUDA that ckc emits, as C++17 that runs on the CPU.
//
// Problem     Emitted CUDA must be executed and checked where there is no GPU and no nvcc, without a
//             change to its text.
// Method      A file that is compiled with this header in place of NVIDIA's has plain functions for
//             kernels. Qualifiers mean nothing, except `__shared__`, which puts an array into a
//             section of its own; built-in variables are read from the running thread; what threads
//             do together, and the functions of the host, are calls to the runtime beside this header.
// Invariants  Only what emitted code uses is here: anything else does not compile.
// Checks      With `CKC_EMU_CHECKED` the file is compiled with `-fsanitize=thread`, which makes the
//             compiler announce every access to memory. What is defined here must not be announced.

#pragma once

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <tuple>

#ifndef CKC_EMU
#error "this header emulates CUDA: define CKC_EMU"
#endif

#ifdef CKC_EMU_CHECKED
#define CKC_EMU_INLINE static __attribute__((noinline, unused, no_sanitize("thread")))
#else
#define CKC_EMU_INLINE static inline __attribute__((unused))
#endif
// The place of a call, as default arguments of what is called.
#define CKC_EMU_SITE const char *file = __builtin_FILE(), int line = __builtin_LINE()

// MARK: Qualifiers

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)
#define __shared__ static __attribute__((section("ckc_emu_shared")))

// MARK: Vectors

#define CKC_EMU_VECTOR(T, name, alignment_of_2, alignment_of_4)                      \
  struct __align__(alignment_of_2) name##2 { T x, y; };                              \
  struct name##3 { T x, y, z; };                                                     \
  struct __align__(alignment_of_4) name##4 { T x, y, z, w; };                        \
  CKC_EMU_INLINE name##2 make_##name##2(T x, T y) { return name##2{x, y}; }          \
  CKC_EMU_INLINE name##3 make_##name##3(T x, T y, T z) { return name##3{x, y, z}; }  \
  CKC_EMU_INLINE name##4 make_##name##4(T x, T y, T z, T w) { return name##4{x, y, z, w}; }
CKC_EMU_VECTOR(signed char, char, 2, 4)
CKC_EMU_VECTOR(unsigned char, uchar, 2, 4)
CKC_EMU_VECTOR(short, short, 4, 8)
CKC_EMU_VECTOR(unsigned short, ushort, 4, 8)
CKC_EMU_VECTOR(int, int, 8, 16)
CKC_EMU_VECTOR(unsigned, uint, 8, 16)
CKC_EMU_VECTOR(long long, longlong, 16, 16)
CKC_EMU_VECTOR(unsigned long long, ulonglong, 16, 16)
CKC_EMU_VECTOR(float, float, 8, 16)
CKC_EMU_VECTOR(double, double, 16, 16)
#undef CKC_EMU_VECTOR

/// The extent of a grid or of a block.
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#include "ckc_host_api.h"
// What is below belongs to one library, and is never shared with another that has the same names.
#pragma GCC visibility push(hidden)
#include "ckc_launch.h"
#include "ckc_device_api.h"
#include "ckc_tensor_core.h"
#pragma GCC visibility pop
