// What precedes the kernels in emitted CUDA: macros, and the functions of elements.
//
// Functions   Those of emitted C (`CSupport.swift`), compiled for the device: the same arithmetic, so
//             the same bits. What C does for vectors, one thread does otherwise.

enum CUDASupport {
  /// The bytes that every tensor is aligned to: the widest access of one thread.
  static let alignment = 16

  /// The functions that are written otherwise than in C.
  private static let replacements = [
    SupportFunction(
      name: "ckc_fma_f32",
      text: """
        /* A multiply-add with one rounding. */
        CKC_INLINE float ckc_fma_f32(float a, float b, float c) {
          return fmaf(a, b, c);
        }
        """),
    SupportFunction(
      name: "ckc_random_word",
      text: """
        /* One word of a stream: sixty-four of them are the words of sixteen blocks, sixteen apart. */
        CKC_INLINE uint32_t ckc_random_word(uint32_t seed, uint32_t step, uint32_t stream,
                                            int64_t place) {
          const uint64_t block = (uint64_t)(place / 64 * 16 + place % 16);
          uint32_t c0 = (uint32_t)block;
          uint32_t c1 = (uint32_t)(block >> 32);
          uint32_t c2 = step;
          uint32_t c3 = 0;
          uint32_t k0 = seed;
          uint32_t k1 = stream;
          for (int round = 0; round < 10; round++) {
            const uint64_t product0 = (uint64_t)c0 * 0xD2511F53u;
            const uint64_t product2 = (uint64_t)c2 * 0xCD9E8D57u;
            c0 = (uint32_t)(product2 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)product2;
            c2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)product0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
          }
          const int word = (int)(place % 64 / 16);
          return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
        }
        """),
  ]

  /// The definitions of the named functions and of all that they call.
  static func source(using names: Set<String>) -> String {
    CSupport.source(using: names, replacing: replacements)
  }

  /// Includes and macros.
  static let prologue = """
    #include <math.h>
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    #define CKC_INDEPENDENT CKC_UNROLL
    #define CKC_INLINE static __device__ __forceinline__
    /* The headers of an emulation that define CKC_EMU define CKC_LAUNCH themselves. */
    #ifdef CKC_EMU
    #define CKC_UNROLL
    #define CKC_ONE_BY_ONE
    #else
    #define CKC_UNROLL _Pragma("unroll")
    #define CKC_ONE_BY_ONE _Pragma("unroll 1")
    #define CKC_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \\
      (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
    #endif
    #define CKC_TRY(call)                              \\
      do {                                             \\
        const cudaError_t error = (call);              \\
        if (error != cudaSuccess) return (int)error;   \\
      } while (0)
    #ifndef CKC_RUN
    #define CKC_RUN(call)              \\
      do {                             \\
        const int error = (call);      \\
        if (error != 0) return error;  \\
      } while (0)
    #endif
    #define CKC_COPY(to, from, size) \\
      CKC_TRY(cudaMemcpyAsync((to), (from), (size), cudaMemcpyDeviceToDevice, stream))
    #ifdef CKC_POISON
    #define CKC_FRESH(offset, size) CKC_TRY(cudaMemsetAsync(m + (offset), 0xFF, (size), stream))
    #else
    #define CKC_FRESH(offset, size) ((void)0)
    #endif


    """
}
