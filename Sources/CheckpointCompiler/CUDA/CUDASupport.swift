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
          \(CSupport.philoxRounds(indent: 2))
          const int word = (int)(place % 64 / 16);
          return word == 0 ? c0 : word == 1 ? c1 : word == 2 ? c2 : c3;
        }
        """),
  ]

  /// The definitions of the named functions and of all that they call.
  static func source(using names: Set<String>) -> String {
    CSupport.source(using: names, replacing: replacements)
  }

  /// The functions of tensor cores and of copies that the text of kernels calls.
  static func instructions(in kernels: String) -> String {
    guard kernels.contains("ckc_mma_") else { return "" }
    var device = ["bf16", "f16"].filter { kernels.contains("ckc_mma_m16n8k16_\($0)(") }
      .map { product($0) }
    for count in [2, 4] {
      for isTransposed in [false, true] {
        let (name, text) = matrices(count, isTransposed: isTransposed)
        if kernels.contains("\(name)(") { device.append(text) }
      }
    }
    if kernels.contains("ckc_cp_async16(") { device.append(copies) }
    return """
      #ifndef CKC_EMU
      \(device.joined(separator: "\n"))
      #endif


      """
  }

  /// The function that reads matrices from shared memory, and its name.
  private static func matrices(_ count: Int, isTransposed: Bool) -> (name: String, text: String) {
    let name = "ckc_ldmatrix_x\(count)\(isTransposed ? "_trans" : "")"
    let form = "m8n8.x\(count)\(isTransposed ? ".trans" : "")"
    let registers = (0..<count).map { "%\($0)" }.joined(separator: ", ")
    let outputs = (0..<count).map { "\"=r\"(to[\($0)])" }.joined(separator: ", ")
    let text = """
      /* Matrices of 8 x 8 elements from shared memory, spread over a warp as the PTX ISA says: lane l
         names row l % 8 of matrix l / 8. */
      CKC_INLINE void \(name)(uint32_t to[\(count)], const uint16_t *row) {
        const unsigned shared = (unsigned)__cvta_generic_to_shared(row);
        asm volatile(
            "ldmatrix.sync.aligned.\(form).shared.b16 {\(registers)}, [%\(count)];\\n"
            : \(outputs) : "r"(shared) : "memory");
      }
      """
    return (name, text)
  }

  private static func product(_ dtype: String) -> String {
    """
    /* d += a b for tiles of 16 x 16 and 16 x 8 elements, spread over a warp as the PTX ISA says. */
    CKC_INLINE void ckc_mma_m16n8k16_\(dtype)(
        float d[4], const uint32_t a[4], const uint32_t b[2]) {
      asm volatile(
          "mma.sync.aligned.m16n8k16.row.col.f32.\(dtype).\(dtype).f32 "
          "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\\n"
          : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
          : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
    """
  }

  private static let copies = """
    /* Copies 16 bytes from global to shared memory, past the registers. */
    CKC_INLINE void ckc_cp_async16(void *to, const void *from) {
      const unsigned shared = (unsigned)__cvta_generic_to_shared(to);
      asm volatile(
          "cp.async.cg.shared.global [%0], [%1], 16;\\n" ::"r"(shared), "l"(from) : "memory");
    }
    CKC_INLINE void ckc_cp_async_commit(void) {
      asm volatile("cp.async.commit_group;\\n" ::: "memory");
    }
    #define ckc_cp_async_wait(groups) \\
      asm volatile("cp.async.wait_group %0;\\n" ::"n"(groups) : "memory")
    """

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
    #define CKC_TWO_BY_TWO
    #else
    #define CKC_UNROLL _Pragma("unroll")
    #define CKC_ONE_BY_ONE _Pragma("unroll 1")
    #define CKC_TWO_BY_TWO _Pragma("unroll 2")
    #define CKC_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \\
      (kernel<<<(grid), (block), (shared_bytes), (stream)>>>(__VA_ARGS__), cudaGetLastError())
    #endif
    /* A place of the arena; an emulation may note which places a kernel is given. */
    #ifndef CKC_PLACE
    #define CKC_PLACE(arena, offset, size) ((void *)((arena) + (offset)))
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
