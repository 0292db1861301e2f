// The twins of the functions that emitted code writes in PTX: tensor cores and asynchronous copies.
//
// A warp holds the matrices of `mma.sync.m16n8k16` in registers: with g = lane / 4 and t = lane % 4,
//   A (16 x 16)  register r holds row g + 8 (r % 2), columns 2 t + 8 (r / 2) and the next,
//   B (16 x 8)   register r holds rows 2 t + 8 r and the next, column g,
//   C, D (16 x 8)  number i is in row g + 8 (i / 2), column 2 t + i % 2.
// `ldmatrix` reads matrices of 8 x 8 whose rows are 16 bytes of shared memory each: lane l names row
// l % 8 of matrix l / 8, and gets of each matrix the columns 2 t and the next of row g; transposed, the
// rows 2 t and the next of column g.
// Source: PTX ISA, "Matrix fragments for mma.m16n8k16", "ldmatrix".

#pragma once

namespace ckc_emu {

enum class Half { bf16, f16 };
/// D = A B + D, by all lanes of a warp.
void multiply_16x8x16(
  Half format, float d[4], const uint32_t a[4], const uint32_t b[2], const char *file, int line);
/// Reads `count` matrices of 8 x 8, one register of each.
void read_matrices(
  uint32_t *to, unsigned count, bool is_transposed, const uint16_t *row, const char *file,
  int line);
/// Starts to copy `size` bytes from device memory to shared memory.
void copy_async(void *to, const void *from, unsigned size, const char *file, int line);
/// Closes the group of copies that were started since the last one.
void commit_copies();
/// Waits until at most `count` groups are under way.
void wait_copies(int count);
/// The number that 16 bits stand for.
float half_value(Half format, unsigned bits);

}  // namespace ckc_emu

static inline void ckc_mma_m16n8k16_bf16(
  float d[4], const uint32_t a[4], const uint32_t b[2], CKC_EMU_SITE) {
  ckc_emu::multiply_16x8x16(ckc_emu::Half::bf16, d, a, b, file, line);
}
static inline void ckc_mma_m16n8k16_f16(
  float d[4], const uint32_t a[4], const uint32_t b[2], CKC_EMU_SITE) {
  ckc_emu::multiply_16x8x16(ckc_emu::Half::f16, d, a, b, file, line);
}
static inline void ckc_ldmatrix_x2(uint32_t to[2], const uint16_t *row, CKC_EMU_SITE) {
  ckc_emu::read_matrices(to, 2, false, row, file, line);
}
static inline void ckc_ldmatrix_x2_trans(uint32_t to[2], const uint16_t *row, CKC_EMU_SITE) {
  ckc_emu::read_matrices(to, 2, true, row, file, line);
}
static inline void ckc_ldmatrix_x4(uint32_t to[4], const uint16_t *row, CKC_EMU_SITE) {
  ckc_emu::read_matrices(to, 4, false, row, file, line);
}
static inline void ckc_ldmatrix_x4_trans(uint32_t to[4], const uint16_t *row, CKC_EMU_SITE) {
  ckc_emu::read_matrices(to, 4, true, row, file, line);
}
static inline void ckc_cp_async16(void *to, const void *from, CKC_EMU_SITE) {
  ckc_emu::copy_async(to, from, 16, file, line);
}
static inline void ckc_cp_async8(void *to, const void *from, CKC_EMU_SITE) {
  ckc_emu::copy_async(to, from, 8, file, line);
}
static inline void ckc_cp_async4(void *to, const void *from, CKC_EMU_SITE) {
  ckc_emu::copy_async(to, from, 4, file, line);
}
static inline void ckc_cp_async_commit() { ckc_emu::commit_copies(); }
static inline void ckc_cp_async_wait(int count) { ckc_emu::wait_copies(count); }
