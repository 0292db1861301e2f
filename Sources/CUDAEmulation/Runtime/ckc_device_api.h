// What kernels call: built-in variables, barriers, exchanges within a warp, and arithmetic by name.

#pragma once

namespace ckc_emu {

/// Where a thread is: what the built-in variables say.
struct Position {
  uint3 thread, block;
  dim3 block_extent, grid_extent;
  unsigned lane;
};
/// The position of the running thread.
extern const Position *position;

/// Waits for all threads of the block.
void barrier(const char *file, int line);
/// The words that one lane hands to the others.
struct Words {
  uint32_t word[8];
};
enum class Meeting : uint8_t { synchronize, shuffle, vote, matrix };
/// Waits for all lanes of the warp, with a value from each; the values of all 32.
const Words *meet(Meeting kind, unsigned mask, const Words &mine, const char *file, int line);
/// The dynamic shared memory of the block.
void *dynamic_shared();

enum class Shuffle { index, up, down, exclusive_or };
/// The lane that `shuffle` reads from, among `width` neighbours.
CKC_EMU_INLINE unsigned shuffle_source(Shuffle kind, unsigned operand, unsigned width) {
  const unsigned lane = position->lane, first = lane & ~(width - 1), end = first + width;
  unsigned source = lane;
  switch (kind) {
    case Shuffle::index: source = first + (operand & (width - 1)); break;
    case Shuffle::up: source = lane - operand; break;
    case Shuffle::down: source = lane + operand; break;
    case Shuffle::exclusive_or: source = lane ^ operand; break;
  }
  // Past the ends a lane keeps its own value.
  return source >= first && source < end ? source : lane;
}

template <class T>
CKC_EMU_INLINE T shuffle(
  Shuffle kind, unsigned mask, T value, unsigned operand, unsigned width, const char *file,
  int line) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
  Words words = {};
  memcpy(words.word, &value, sizeof(T));
  const Words *all = meet(Meeting::shuffle, mask, words, file, line);
  memcpy(&value, all[shuffle_source(kind, operand, width)].word, sizeof(T));
  return value;
}

CKC_EMU_INLINE unsigned vote(unsigned mask, int predicate, const char *file, int line) {
  Words words = {};
  words.word[0] = predicate != 0;
  const Words *all = meet(Meeting::vote, mask, words, file, line);
  unsigned result = 0;
  for (unsigned lane = 0; lane < 32; ++lane) result |= all[lane].word[0] << lane;
  return result;
}

CKC_EMU_INLINE uint3 thread_index() { return position->thread; }
CKC_EMU_INLINE uint3 block_index() { return position->block; }
CKC_EMU_INLINE dim3 block_extent() { return position->block_extent; }
CKC_EMU_INLINE dim3 grid_extent() { return position->grid_extent; }

template <class To, class From>
CKC_EMU_INLINE To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same bits need the same size");
  To result;
  memcpy(&result, &value, sizeof(To));
  return result;
}

}  // namespace ckc_emu

#define threadIdx (ckc_emu::thread_index())
#define blockIdx (ckc_emu::block_index())
#define blockDim (ckc_emu::block_extent())
#define gridDim (ckc_emu::grid_extent())
#define warpSize 32
#define CKC_DYN_SMEM(T, name) T *name = static_cast<T *>(ckc_emu::dynamic_shared())

// MARK: Together

CKC_EMU_INLINE void __syncthreads(CKC_EMU_SITE) { ckc_emu::barrier(file, line); }
CKC_EMU_INLINE void __syncwarp(unsigned mask = 0xffffffffu, CKC_EMU_SITE) {
  ckc_emu::meet(ckc_emu::Meeting::synchronize, mask, ckc_emu::Words{}, file, line);
}
template <class T>
CKC_EMU_INLINE T __shfl_sync(unsigned mask, T value, int lane, int width = 32, CKC_EMU_SITE) {
  return ckc_emu::shuffle(ckc_emu::Shuffle::index, mask, value, unsigned(lane), width, file, line);
}
template <class T>
CKC_EMU_INLINE T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, CKC_EMU_SITE) {
  return ckc_emu::shuffle(ckc_emu::Shuffle::up, mask, value, by, width, file, line);
}
template <class T>
CKC_EMU_INLINE T __shfl_down_sync(
  unsigned mask, T value, unsigned by, int width = 32, CKC_EMU_SITE) {
  return ckc_emu::shuffle(ckc_emu::Shuffle::down, mask, value, by, width, file, line);
}
template <class T>
CKC_EMU_INLINE T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32, CKC_EMU_SITE) {
  return ckc_emu::shuffle(
    ckc_emu::Shuffle::exclusive_or, mask, value, unsigned(by), width, file, line);
}
CKC_EMU_INLINE unsigned __ballot_sync(unsigned mask, int predicate, CKC_EMU_SITE) {
  return ckc_emu::vote(mask, predicate, file, line);
}
CKC_EMU_INLINE int __any_sync(unsigned mask, int predicate, CKC_EMU_SITE) {
  return ckc_emu::vote(mask, predicate, file, line) != 0;
}
CKC_EMU_INLINE int __all_sync(unsigned mask, int predicate, CKC_EMU_SITE) {
  return ckc_emu::vote(mask, predicate, file, line) == mask;
}

// MARK: Arithmetic

template <class T>
static inline T __ldg(const T *address) { return *address; }
// The C library declares the names with two underscores itself.
#define __expf(x) expf(x)
#define __logf(x) logf(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __powf(x, y) powf(x, y)
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline double rsqrt(double x) { return 1.0 / sqrt(x); }
static inline float __fdividef(float x, float y) { return x / y; }
static inline float __fadd_rn(float x, float y) { return x + y; }
static inline float __fsub_rn(float x, float y) { return x - y; }
static inline float __fmul_rn(float x, float y) { return x * y; }
static inline float __fdiv_rn(float x, float y) { return x / y; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fmaf_rn(float x, float y, float z) { return fmaf(x, y, z); }
static inline double __dadd_rn(double x, double y) { return x + y; }
static inline double __dsub_rn(double x, double y) { return x - y; }
static inline double __dmul_rn(double x, double y) { return x * y; }
static inline double __ddiv_rn(double x, double y) { return x / y; }
static inline double __dsqrt_rn(double x) { return sqrt(x); }
static inline double __fma_rn(double x, double y, double z) { return fma(x, y, z); }
static inline int __float_as_int(float x) { return ckc_emu::bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return ckc_emu::bits<unsigned>(x); }
static inline float __int_as_float(int x) { return ckc_emu::bits<float>(x); }
static inline float __uint_as_float(unsigned x) { return ckc_emu::bits<float>(x); }
static inline long long __double_as_longlong(double x) { return ckc_emu::bits<long long>(x); }
static inline double __longlong_as_double(long long x) { return ckc_emu::bits<double>(x); }
static inline unsigned __umulhi(unsigned x, unsigned y) { return unsigned(uint64_t(x) * y >> 32); }
static inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y) {
  return (unsigned long long)((unsigned __int128)x * y >> 64);
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(unsigned(x)); }
static inline int __clzll(long long x) {
  return x == 0 ? 64 : __builtin_clzll((unsigned long long)x);
}
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (x >> bit & 1u) << (31 - bit);
  return reversed;
}
template <class T>
static inline T min(T x, T y) { return y < x ? y : x; }
template <class T>
static inline T max(T x, T y) { return x < y ? y : x; }
